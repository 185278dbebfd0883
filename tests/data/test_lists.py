"""Lists of images: usual and chosen columns, the order of labels, and errors with their line."""

import pytest
from PIL import Image

from verydeep.csv_text import csv_line
from verydeep.data.open_images import read_samples, read_sources
from verydeep.data.samples import grouped
from verydeep.errors import DataError


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
    assert samples.sources == (cells / "images" / "0.png", cells / "images" / "1.png")
    assert samples.names == ("images/0.png", "images/1.png")
    assert (samples.classes, samples.labels.tolist()) == (("a", "b"), [1, 0])
    assert samples.parts == ("train", "test")
    assert samples.columns == {"patient": ("p1", "p2")} and samples.groups == ("p1", "p2")
    assert samples.name == "cells"


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
    with pytest.raises(DataError, match="cannot be read as a list"):
        read_samples(path)


def test_a_list_without_labels_can_be_classified(cells):
    path = write(cells, "path\nimages/3.png\nimages/0.png\nimages/3.png\n")
    sources = read_sources([path, cells / "images" / "0.png", f"{cells}/images/1*.png"])
    assert [source.name for source in sources] == ["3.png", "0.png", "1.png", "10.png", "11.png"]


def test_a_label_that_was_written_as_text_is_read_as_itself(cells):
    rows = [["file", "label"], ["images/0.png", "=1+1"], ["images/1.png", "-1"]]
    written = write(cells, "".join(map(csv_line, rows)))
    assert read_samples(written).classes == ("-1", "=1+1")
