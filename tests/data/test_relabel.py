"""Corrected labels are applied to folders and lists, without a loss, and can be undone."""

import csv
import unicodedata
from pathlib import Path

import pytest

from verydeep.data.label_file import LabelRow, read_label_file, write_label_file
from verydeep.data.relabel import apply_relabeling, plan_relabeling
from verydeep.errors import DataError
from verydeep.image_sources.open_images import read_samples


def write_images(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())  # labels are corrected without a look into the files


def contents(folder):
    files = sorted(each for each in folder.rglob("*") if each.is_file())
    return {each.relative_to(folder).as_posix(): each.read_bytes() for each in files}


@pytest.fixture
def corrections(tmp_path):
    """Writes a file of corrections: path, label, new label."""

    def write(location, *rows):
        file = tmp_path / "doubtful-labels.csv"
        write_label_file([LabelRow(path=p, label=a, new_label=b) for p, a, b in rows], file, str(location))
        return file

    return write


@pytest.fixture
def photos(tmp_path):
    photos = tmp_path / "photos"
    write_images(photos, "cat/1.png", "cat/2.png", "cat/sub/1.png", "dog/1.png", "dog/3.png")
    return photos


def relabel(file, location=None, **options):
    return apply_relabeling(plan_relabeling(file, location, **options), file.with_name("undo.csv"))


def test_images_move_to_their_new_class_and_back(photos, corrections):
    before = contents(photos)
    file = corrections(
        photos, ("cat/2.png", "cat", "dog"), ("cat/1.png", "cat", "dog"), ("cat/sub/1.png", "cat", "dog"),
        ("dog/1.png", "dog", "cat"), ("dog/3.png", "dog", ""),
    )  # fmt: skip
    plan = plan_relabeling(file)
    assert contents(photos) == before, "a plan changes nothing"
    assert plan.counts == {("cat", "dog"): 3, ("dog", "cat"): 1}
    undo = apply_relabeling(plan, file.with_name("undo.csv"))
    assert contents(photos) == {
        "cat/1-2.png": b"dog/1.png", "dog/1-2.png": b"cat/1.png", "dog/2.png": b"cat/2.png",
        "dog/3.png": b"dog/3.png", "dog/sub/1.png": b"cat/sub/1.png",
    }  # fmt: skip
    again = plan_relabeling(file)
    assert (again.changes, again.already) == ((), 4)
    relabel(undo)
    assert contents(photos) == before


def test_two_images_never_get_one_name(tmp_path, corrections):
    photos = tmp_path / "photos"
    write_images(photos, "cat/1.png", "owl/1.png", "dog/0.png")
    relabel(corrections(photos, ("cat/1.png", "cat", "dog"), ("owl/1.png", "owl", "dog")))
    assert contents(photos) == {
        "dog/0.png": b"dog/0.png", "dog/1.png": b"cat/1.png", "dog/1-2.png": b"owl/1.png",
    }  # fmt: skip


def test_an_image_stays_in_its_part_and_folders_in_nfd_are_found(tmp_path, corrections):
    photos, nfd = tmp_path / "photos", unicodedata.normalize("NFD", "개")
    write_images(photos, "train/고양이/1.png", f"train/{nfd}/2.png", "test/고양이/3.png", f"test/{nfd}/4.png")
    label = next(name for name in read_samples(photos).classes if name.startswith(nfd[0]) or name == "개")
    cat = "고양이"
    relabel(corrections(photos, ("test/고양이/3.png", cat, label)))
    assert f"test/{nfd}/3.png" in contents(photos) and len(contents(photos)) == 4


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("cat/1.png", "cat", "dgo"), "line 2: 'dgo' is none of the classes cat, dog; did you mean 'dog'"),
        (("cat/1.png", "cat", "horse"), "--add-classes allows new ones"),
        (("cat/9.png", "cat", "dog"), "there is no image cat/9.png"),
        (("dog/1.png", "cat", "cat"), None),
        (("dog/1.png", "owl", "cat"), "dog/1.png is labeled 'dog' and not 'owl'"),
        (("../photos/cat/1.png", "cat", "dog"), "there is no image"),
    ],
)
def test_what_cannot_be_applied_changes_nothing_at_all(photos, corrections, row, message):
    before = contents(photos)
    file = corrections(photos, row, ("cat/2.png", "cat", "dog"))
    if message is None:
        assert len(plan_relabeling(file).changes) == 1  # the label stays
        return
    with pytest.raises(DataError, match="nothing was changed") as caught:
        relabel(file)
    assert message in str(caught.value) and contents(photos) == before


@pytest.mark.parametrize("label", ["../cat", "a/b", "..", "/tmp"])
def test_a_new_class_is_allowed_by_a_flag_and_must_be_a_folder_name(photos, corrections, label):
    relabel(corrections(photos, ("cat/1.png", "cat", "none of these")), add_classes=True)
    assert (photos / "none of these" / "1.png").exists()
    with pytest.raises(DataError, match="cannot be the name of a folder"):
        relabel(corrections(photos, ("cat/2.png", "cat", label)), add_classes=True)


def test_a_link_is_not_moved(photos, corrections, tmp_path):
    outside = tmp_path / "outside.png"
    outside.write_bytes((photos / "cat" / "1.png").read_bytes())
    (photos / "cat" / "link.png").symlink_to(outside)
    with pytest.raises(DataError, match="is a link"):
        plan_relabeling(corrections(photos, ("cat/link.png", "cat", "dog")))


def test_a_relabeling_that_fails_on_the_way_is_continued_or_undone(photos, corrections, monkeypatch):
    before = contents(photos)
    file = corrections(photos, ("cat/1.png", "cat", "dog"), ("cat/2.png", "cat", "dog"))
    plan = plan_relabeling(file)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse_from_the_second_call())
        with pytest.raises(DataError, match=r"1 of 2 labels were changed, then: .*undo it by") as caught:
            apply_relabeling(plan, file.with_name("undo.csv"))
    assert str(file.with_name("undo.csv")) in str(caught.value)
    assert sorted(contents(photos).values()) == sorted(before.values())
    relabel(file.with_name("undo.csv"))
    assert contents(photos) == before
    relabel(file)
    assert {"dog/1-2.png", "dog/2.png"} <= contents(photos).keys()


def refuse_from_the_second_call():
    calls, make = [], Path.mkdir

    def mkdir(path, *arguments, **options):
        make(path, *arguments, **options)
        if path.parent.name == "photos" and path.suffix != ".part":
            calls.append(path)
            if len(calls) > 1:
                raise PermissionError(13, "Permission denied", str(path))

    return mkdir


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize(("mark", "line_end"), [("", "\n"), ("\ufeff", "\r\n")])
def test_the_labels_of_a_list_are_rewritten_and_nothing_else(
    tmp_path, corrections, delimiter, mark, line_end
):
    write_images(tmp_path, "a.png", "b.png", "c.png")
    cells = [["note", "file", "diagnosis"], [" x", "a.png", "ill"], ["a,b;c", "b.png", "well"]]
    cells.append(["가", "c.png", "ill"])
    list_file = tmp_path / "cells.csv"
    with list_file.open("w", newline="", encoding="utf-8") as file:
        file.write(mark)
        csv.writer(file, delimiter=delimiter, lineterminator=line_end).writerows(cells)
    before = list_file.read_bytes()
    file = corrections(f"{list_file}:diagnosis", ("a.png", "ill", "well"))
    undo = relabel(file)
    assert list_file.read_bytes() == before.replace(
        f"a.png{delimiter}ill".encode(), f"a.png{delimiter}well".encode()
    )
    assert plan_relabeling(file).already == 1
    relabel(undo)
    assert list_file.read_bytes() == before


def test_a_file_that_a_spreadsheet_saved_is_read(tmp_path):
    file = tmp_path / "doubtful.csv"
    file.write_bytes("\ufeffpath;label;new_label\r\ncat/1.png;cat;dog \r\n".encode())
    assert read_label_file(file) == ([LabelRow(path="cat/1.png", label="cat", new_label="dog")], None)
    with pytest.raises(DataError, match="does not say of which data set"):
        plan_relabeling(file)


@pytest.mark.parametrize(
    "name",
    ["=1+1/a.png", "@a.png", "-1", "'=1", "''+x", "'quoted'", 'say "x", y.png', "a\nb\r.png", "\udcff.png"],
)
def test_any_name_is_read_as_it_was_written_and_none_is_a_formula(tmp_path, name):
    file = tmp_path / "doubtful.csv"
    row = LabelRow(path=name, label=name, predicted=name, new_label="x", new_path=name)
    write_label_file([row], file, str(tmp_path))
    assert read_label_file(file) == ([row], str(tmp_path))
    with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as text:
        cells = [cell for row in csv.reader(text) for cell in row if cell != "-1"]  # a number is no formula
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


@pytest.mark.parametrize(("text", "message"), [("path,label\n1,2\n", "no column new_label"), ("", "no rows")])
def test_another_file_is_refused(tmp_path, text, message):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_label_file(tmp_path / "x.csv")


def test_a_list_that_a_spreadsheet_saved_is_read_as_unicode_or_refused_with_its_encoding(tmp_path):
    write_images(tmp_path / "photos", "고양이/1.png", "고양이/2.png", "개/3.png", "개/4.png")
    file = tmp_path / "labels.csv"
    write_label_file(
        [LabelRow(path="고양이/1.png", label="고양이", new_label="개")], file, str(tmp_path / "photos")
    )
    text = file.read_text(encoding="utf-8-sig")
    file.write_text(text.replace(",", "\t"), encoding="utf-16")  # "Unicode text" of Excel
    assert plan_relabeling(file).counts == {("고양이", "개"): 1}
    file.write_text(text, encoding="cp949")
    with pytest.raises(DataError, match=r"labels\.csv is not UTF-8; .*iconv -f cp949"):
        plan_relabeling(file)
