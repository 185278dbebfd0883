"""Lists of images: usual and chosen columns, the order of labels, and errors with their line."""

import re
import unicodedata

import pytest
from PIL import Image

from tests.image_sources.samples_memory import samples_memory
from verydeep.csv_text import csv_line
from verydeep.errors import DataError
from verydeep.image_sources.find_images import read_sources
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.samples import grouped


@pytest.fixture
def cells(tmp_path):
    """A folder for lists, with twelve images in a subfolder."""
    (tmp_path / "images").mkdir()
    for number in range(12):
        Image.new("L", (4, 4), number).save(tmp_path / "images" / f"{number}.png")
    return tmp_path


def write(folder, text, name="cells.csv", encoding="utf-8"):
    (folder / name).write_text(text, encoding=encoding, newline="")
    return folder / name


def test_usual_column_names_are_found_and_other_columns_are_kept(cells):
    path = write(cells, "Filename,patient,Category,split\nimages/0.png,p1,b,train\nimages/1.png,p2,a,Test\n")
    samples = grouped(read_samples(path), "patient")
    assert tuple(samples.sources) == (cells / "images" / "0.png", cells / "images" / "1.png")
    assert samples.names == ("images/0.png", "images/1.png")
    assert (samples.classes, samples.labels.tolist()) == (("a", "b"), [1, 0])
    assert samples.parts == ("train", "test")
    assert samples.columns == {"patient": ("p1", "p2")} and samples.groups == ("p1", "p2")
    assert samples.name == "cells"


def test_rows_without_a_part_are_stated_beside_rows_with_one(cells):
    rows = "path,label,split\nimages/0.png,a,train\nimages/1.png,b,{}\nimages/2.png,b,\nimages/3.png,a,\n"
    (note,) = read_samples(write(cells, rows.format("test"))).reading.notes
    assert note.startswith("2 images without a part of the split; ") and note.endswith("used for training")
    (note,) = read_samples(write(cells, rows.format("train"))).reading.notes
    assert note.endswith("divided into training and test images")


def test_other_column_names_are_given_after_the_list(cells):
    path = write(cells, "scan,label,diagnosis\nimages/0.png,x,ill\nimages/1.png,x,well\n")
    assert read_samples(f"{path}:scan,diagnosis").classes == ("ill", "well")
    named = write(cells, "path,label,diagnosis\nimages/0.png,x,ill\nimages/1.png,x,well\n")
    assert read_samples(named).classes == ("x",)
    assert read_samples(f"{named}:diagnosis").columns == {"label": ("x", "x")}


def test_integer_labels_are_classes_in_numeric_order(cells):
    rows = "".join(f"images/{number}.png,{number}\n" for number in (10, 9, 2))
    samples = read_samples(write(cells, f"path,label\n{rows}"))
    assert (samples.classes, samples.labels.tolist()) == (("2", "9", "10"), [2, 1, 0])


@pytest.mark.parametrize(
    ("name", "delimiter", "encoding"),
    [("a.csv", ";", "utf-8-sig"), ("a.tsv", "\t", "utf-8"), ("a.csv", "\t", "utf-8")],
)
def test_files_of_spreadsheets_are_read(cells, name, delimiter, encoding):
    text = f'path{delimiter}label\r\nimages/0.png{delimiter}"a, ä{delimiter} b"\r\n\r\n'
    assert read_samples(write(cells, text, name, encoding)).classes == (f"a, ä{delimiter} b",)


def test_a_parquet_table_is_read_like_csv(cells):
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"path": ["images/1.png", "images/0.png"], "label": [10.0, 9.0], "patient": [7, None]}
    parquet.write_table(pyarrow.table(columns), cells / "cells.parquet")
    samples = read_samples(cells / "cells.parquet")
    assert (samples.classes, samples.labels.tolist()) == (("9", "10"), [1, 0])
    assert samples.columns == {"patient": ("7", "")}
    parquet.write_table(pyarrow.table({"path": ["images/1.png"], "label": [None]}), cells / "cells.parquet")
    with pytest.raises(DataError, match=r"cells.parquet, row 1 has no label"):
        read_samples(cells / "cells.parquet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\nimages/0.png,a\nimages/1.png,\n", "line 3 has no label"),
        ('path,label\nimages/0.png,"a\nb"\n,a\n', "line 4 has no path"),
        ("path,label\nimages/0.png,a,b\n", "line 2 has 3 cells; expected 2, as in the first row"),
        ("path,label\nimages/0.png,a\nimages/0.png,b\n", "line 3 repeats images/0.png from line 2"),
        ("path,label,split\nimages/0.png,a,both\n", "line 2 has the part 'both'; expected one of train"),
        (
            "images/0.png,a\nimages/1.png,b\n",
            "has the columns images/0.png, a, but no known file column",
        ),
        ("path,label\n", "has no rows"),
        ("path,path\nx,y\n", "expected unique column names"),
        ("", "expected unique column names"),
        ("path,label\nelsewhere/0.png,a\n", "none of its first 1 files exists"),
        ("path,kind\nimages/0.png,a\n", "line 2 has no label; label every image to train or evaluate"),
        ('path,label\n"images/0.png,a\n', "cannot be read as a list"),
    ],
)
def test_an_error_states_its_line(cells, text, message):
    with pytest.raises(DataError, match="cells") as caught:
        read_samples(write(cells, text))
    assert message in str(caught.value)


def test_a_file_that_is_not_a_list_is_an_error(cells):
    path = write(cells, "path,label\nimages/0.png,a\n")
    for location, message in (
        (f"{path}:kind", "has no column 'kind'; it has path, label"),
        (f"{path}:a,b,c", "is not a choice of columns"),
        (cells / "absent.csv", "absent.csv does not exist"),
        (f"{cells}:label", "is not a list, shards or a data set"),
    ):
        with pytest.raises(DataError, match=message):
            read_samples(location)
    (cells / "cells.csv").write_bytes(b"path\xff,label\n")
    with pytest.raises(DataError, match=r"is not UTF-8; line 1 reads .* in cp1252"):
        read_samples(path)


def test_a_list_without_labels_can_be_classified(cells):
    path = write(cells, "path\nimages/3.png\nimages/0.png\nimages/3.png\n")
    sources = read_sources([path, cells / "images" / "0.png", f"{cells}/images/1*.png"])
    assert [source.name for source in sources] == ["3.png", "0.png", "1.png", "10.png", "11.png"]


def labels_of(samples):
    return [samples.classes[label] for label in samples.labels.tolist()]


def test_one_hot_columns_are_labels(cells):
    rows = "images/0.png,1.0,0.0,7\nimages/1.png,0.0,1.0,8\n"
    samples = read_samples(write(cells, f"image,ill,well,age\n{rows}"))
    assert labels_of(samples) == ["ill", "well"] and samples.columns == {"age": ("7", "8")}
    assert samples.reading.notes == ("the labels are the columns with a 1: ill, well",)
    path = write(cells, "image,ill,well\nimages/0.png,1,0\nimages/1.png,1,1\n")
    with pytest.raises(DataError, match=r"line 3 has no label.*ill, well do not have a single 1"):
        read_samples(path)
    assert len(read_sources([path])) == 2


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_whole_numbers_are_the_same_classes_in_every_table(cells, suffix):
    path, files = cells / f"cells.{suffix}", ["images/0.png", "images/1.png", "images/2.png"]
    if suffix == "csv":
        write(cells, "path,label,age\nimages/0.png,10.0,7.0\nimages/1.png,0.0,\nimages/2.png,2.0,9.5\n")
    else:
        pyarrow = pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
        table = {"path": files, "label": [10.0, 0.0, 2.0], "age": [7.0, None, 9.5]}
        pytest.importorskip("pyarrow.parquet").write_table(pyarrow.table(table), path)
    samples = read_samples(path)
    assert samples.classes == ("0", "2", "10") and samples.columns == {"age": ("7.0", "", "9.5")}


@pytest.mark.parametrize("text", ["nan", "NaN", "null", "NA", "n/a", "<NA>", "#N/A"])
def test_a_missing_value_is_not_a_class(cells, text):
    path = write(cells, f"path,label\nimages/0.png,a\nimages/1.png,{text}\n")
    with pytest.raises(DataError, match=f"line 3 has no label \\('{text}' marks a missing value\\)"):
        read_samples(path)
    assert len(read_sources([path])) == 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_unicode_is_read_in_every_encoding(cells, encoding):
    path = write(cells, "path,label\nimages/0.png,고양이\nimages/1.png,개\n", encoding=encoding)
    assert read_samples(path).classes == ("개", "고양이")


@pytest.mark.parametrize(
    ("encoding", "word"),
    [("cp949", "고양이"), ("cp932", "ねこ"), ("gb18030", "蝴蝶翅膀鳞片"), ("cp1252", "Rötelmaus")],
)
def test_another_encoding_is_named_with_the_command_that_converts_it(cells, encoding, word):
    path = write(cells, f"path,label\nimages/0.png,{word}\n", encoding=encoding)
    with pytest.raises(DataError, match=f"line 2 reads .*'images/0.png,{word}' in {encoding}") as caught:
        read_samples(path)
    assert re.search(f"iconv -f [a-z0-9]+ -t UTF-8 {path} > cells-utf8.csv", str(caught.value))


@pytest.mark.parametrize(
    "name",
    [r"images\0.png", "./images/0.png", r"C:\Users\me\images\0.png", "/content/images/0.png", "0"],
)
def test_files_are_found_as_other_programs_write_them(cells, name):
    assert read_sources([write(cells, f"image_id,dx\n{name},ill\n")]) == [cells / "images" / "0.png"]


def test_a_list_of_ids_is_matched_with_the_folder_of_its_part(cells):
    for folder in ("train_images", "test_images"):
        (cells / folder).mkdir()
        Image.new("L", (4, 4)).save(cells / folder / "x.7.jpg")
    samples = read_samples(write(cells, "id,breed\nx.7,pug\n", "train_labels.csv"))
    assert tuple(samples.sources) == (cells / "train_images" / "x.7.jpg",)
    assert samples.reading.notes == (f"the files of train_labels.csv were found in {cells / 'train_images'}",)
    with pytest.raises(DataError, match=r"x\.7 may be .*test_images/x\.7\.jpg or .*train_images/x\.7\.jpg"):
        read_samples(write(cells, "id,breed\nx.7,pug\n"))


def test_a_file_in_another_folder_is_not_taken_for_a_listed_one(cells):
    with pytest.raises(DataError, match="none of its first 1 files exists"):
        read_samples(write(cells, "path,label\nother/0.png,a\n"))


def test_one_file_under_two_names_is_an_error(cells):
    (cells / "linked.png").symlink_to("images/0.png")
    for name in ("./images/0.png", "images/../images/0.png", "linked.png"):
        path = write(cells, f"path,label\nimages/0.png,a\n{name},b\n")
        with pytest.raises(DataError, match=r"line 3 repeats .* where it is written images/0\.png"):
            read_samples(path)


def test_file_names_and_labels_are_compared_in_composed_form(cells):
    for form in ("NFC", "NFD"):
        (cells / form).mkdir()
        Image.new("L", (4, 4)).save(cells / form / unicodedata.normalize(form, "é.png"))
    text = f"path,label\nNFC/{unicodedata.normalize('NFD', 'é')}.png,café\nNFD/é.png,cafe\u0301\n"
    samples = read_samples(write(cells, text))
    assert samples.classes == ("café",) and all(source.is_file() for source in samples.sources)


def test_a_list_without_a_label_column_says_how_to_choose_one(cells):
    path = write(cells, "path,kind\nimages/0.png,a\n")
    with pytest.raises(DataError, match=r"has the columns kind; choose one as in .*cells\.csv:kind"):
        read_samples(path)


def test_a_separator_line_of_excel_is_understood(cells):
    assert read_samples(write(cells, "sep=|\npath|label\nimages/0.png|a\n")).classes == ("a",)


def test_a_label_that_was_written_as_text_is_read_as_itself(cells):
    rows = [["file", "label"], ["images/0.png", "=1+1"], ["images/1.png", "-1"]]
    written = write(cells, "".join(map(csv_line, rows)))
    assert read_samples(written).classes == ("-1", "=1+1")


def test_a_name_may_begin_with_a_tilde(cells):
    (cells / "images" / "0.png").rename(cells / "~scan.png")
    samples = read_samples(write(cells, "path,label\n~scan.png,a\n"))
    assert list(samples.sources) == [cells / "~scan.png"] and samples.sources[0].is_file()


def test_a_row_takes_little_more_memory_than_its_name(cells):
    names = [f"images/n01440764_{number:05}.JPEG" for number in range(4_000)]
    for name in names:
        (cells / name).touch()
    rows = (f"{name},n{number % 100:08}" for number, name in enumerate(names))
    count, kept, most = samples_memory(write(cells, "\n".join(["path,label", *rows])))
    assert count == len(names)
    assert kept < 180  # 80 for the name as a Python string, 24 for numbers of rows, classes and parts
    assert most < 500
