"""Samples of a folder: classes, groups, parts, splits, and streaming."""

import os
import threading
from dataclasses import dataclass, replace

import pytest
import torch
from PIL import Image

from verydeep.architecture.preprocess import Preprocess
from verydeep.data.split_file import images_of_part, read_groups, read_split, with_saved_split, write_split
from verydeep.data.split_parts import indices_of, with_test_part
from verydeep.data.stream import decode_all, stream
from verydeep.decoding.stream import BATCHES_AHEAD
from verydeep.errors import DataError
from verydeep.image_sources.folders.read_folder import read_folder
from verydeep.image_sources.samples import grouped

SMALL = Preprocess(size=8, mean=(0.5,) * 3, std=(0.5,) * 3)


@pytest.fixture
def photographs(tmp_path):
    """Two classes of three cells each from three photographs, with a hidden file and a text file."""
    for label, shade in (("round", 250), ("square", 5)):
        for photo in (1, 2, 3):
            save(tmp_path / "cells" / label / f"photo_{photo}_cell_{shade}.png", shade)
    (tmp_path / "cells" / "round" / ".hidden.png").write_bytes(b"")
    (tmp_path / "cells" / "round" / "notes.txt").write_text("round ones")
    return tmp_path / "cells"


def save(path, shade=0, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade, shade, shade)).save(path)


def test_class_folders_are_the_labels(photographs):
    samples = read_folder(photographs)
    assert samples.classes == ("round", "square")
    assert samples.class_sizes == {"round": 3, "square": 3}
    assert samples.names[0] == "round/photo_1_cell_250.png"
    assert samples.parts == (None,) * 6


def test_train_val_and_test_folders_are_the_parts(tmp_path):
    for part in ("Train", "valid", "test"):
        save(tmp_path / part / "a" / "x.png")
    save(tmp_path / "Train" / "b" / "deeper" / "y.png")
    samples = read_folder(tmp_path)
    assert samples.parts == ("train", "train", "test", "val")
    assert samples.classes == ("a", "b")
    assert indices_of(samples, "train", "val").tolist() == [0, 1, 3]


def test_a_folder_that_mixes_parts_and_classes_is_an_error(tmp_path):
    save(tmp_path / "train" / "a" / "x.png")
    save(tmp_path / "cats" / "y.png")
    with pytest.raises(DataError, match="mixes train with cats"):
        read_folder(tmp_path)


@pytest.mark.parametrize("loose", [True, False])
def test_a_folder_without_class_folders_is_an_error(tmp_path, loose):
    if loose:
        save(tmp_path / "x.png")
    with pytest.raises(DataError, match="<class>/<image>"):
        read_folder(tmp_path)


def test_an_empty_class_folder_is_a_class_without_images(photographs):
    (photographs / "empty").mkdir()
    assert read_folder(photographs).class_sizes == {"empty": 0, "round": 3, "square": 3}


def test_a_pattern_groups_by_its_parentheses_or_its_whole_match(photographs):
    samples = read_folder(photographs)
    assert grouped(samples, r"photo_\d").groups[:3] == ("photo_1", "photo_2", "photo_3")
    assert grouped(samples, r"photo_(\d)").groups[3:] == ("1", "2", "3")


@pytest.mark.parametrize(
    ("by", "match"),
    [("photo_(", "not a regular expression"), ("slide_1", "does not match"), ("[0-9]*", "does not match")],
)
def test_an_invalid_pattern_and_one_without_a_match_are_errors(photographs, by, match):
    with pytest.raises(DataError, match=match):
        grouped(read_folder(photographs), by)


def test_a_missing_column_is_an_error_that_lists_the_columns(photographs):
    samples = read_folder(photographs)
    listed = replace(samples, columns={"photo": tuple(samples.names), "slide": tuple(samples.names)})
    with pytest.raises(DataError, match=r"'patient' does not match .*columns to group by are photo, slide"):
        grouped(listed, "patient")


@pytest.mark.parametrize("missing", ["", "NA", "nan"])
def test_a_column_with_missing_values_is_no_grouping(photographs, missing):
    samples = read_folder(photographs)
    patients = ("ann", missing, "ben", missing, "ann", "ben")
    with pytest.raises(
        DataError, match=rf"empty for 2 of the 6 images .* '{samples.names[1]}'; every image needs"
    ):
        grouped(replace(samples, columns={"patient": patients}), "patient")


def test_the_test_part_is_split_by_groups_and_saved(photographs, tmp_path):
    samples = grouped(read_folder(photographs), r"photo_\d")
    split = with_test_part(samples, 1 / 3, seed=0)
    testing = {group for group, part in zip(split.groups, split.parts, strict=True) if part == "test"}
    assert len(testing) == 1
    assert sorted(split.parts) == ["test"] * 2 + ["train"] * 4
    write_split(split, tmp_path / "split.csv")
    assert read_split(tmp_path / "split.csv") == dict(zip(split.names, split.parts, strict=True))


def test_a_split_keeps_names_that_are_not_utf_8(photographs, tmp_path):
    samples = with_test_part(read_folder(photographs), 1 / 3, seed=0)
    samples = replace(samples, names=(os.fsdecode(b"round/latin-\xe4.png"), *samples.names[1:]))
    write_split(samples, tmp_path / "split.csv")
    assert b"latin-\xe4.png" in (tmp_path / "split.csv").read_bytes()
    assert tuple(read_split(tmp_path / "split.csv")) == samples.names


def test_an_existing_test_part_does_not_change(tmp_path):
    for part in ("train", "test"):
        for number in range(4):
            save(tmp_path / part / "a" / f"{number}.png")
    assert sorted(with_test_part(read_folder(tmp_path), 0.5, seed=0).parts) == ["test"] * 4 + ["train"] * 4


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "name,label,group,part\nx,y,,elsewhere\n"])
def test_a_file_that_is_not_a_split_is_an_error(tmp_path, text):
    (tmp_path / "split.csv").write_text(text)
    with pytest.raises(DataError, match="is not a split"):
        read_split(tmp_path / "split.csv")


def test_images_stream_in_order_and_unreadable_ones_are_reported(photographs):
    (photographs / "round" / "photo_2_cell_250.png").write_bytes(b"not an image")
    samples = read_folder(photographs)
    batches = list(stream(samples.sources, SMALL, 4))
    assert [batch.indices.tolist() for batch in batches] == [[0, 2, 3], [4, 5]]
    assert [batch.pixels.shape[0] for batch in batches] == [3, 2]
    assert [unreadable.source for unreadable in batches[0].broken] == [samples.sources[1]]
    images, unreadable = decode_all(samples, SMALL)
    assert images.labels.tolist() == [0, 0, 1, 1, 1]
    assert images.pixels[:, 0, 0, 0].tolist() == [250, 250, 5, 5, 5]
    assert unreadable[0].kind == "not an image" and "not an image" in unreadable[0].reason


@dataclass
class Counted:
    """An image that counts how often it is read."""

    content: bytes
    reads: list[int]
    lock: threading.Lock

    def read(self) -> bytes:
        with self.lock:
            self.reads.append(1)
        return self.content


def test_at_most_a_few_batches_are_decoded_ahead(photographs):
    content = (photographs / "round" / "photo_1_cell_250.png").read_bytes()
    reads, lock = [], threading.Lock()
    batches = stream([Counted(content, reads, lock)] * 100, SMALL, 5)
    next(batches)
    batches.close()
    assert len(reads) <= 5 * (BATCHES_AHEAD + 1)


def test_only_unreadable_images_are_an_error(tmp_path):
    save(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "x.png").write_bytes(b"not an image")
    with pytest.raises(DataError, match="none of the 1 images"):
        decode_all(read_folder(tmp_path), SMALL)


def test_a_selection_keeps_names_labels_and_groups(photographs):
    samples = grouped(read_folder(photographs), r"photo_\d")
    chosen = samples.select(torch.tensor([4, 0]))
    assert tuple(chosen.names) == ("square/photo_2_cell_5.png", "round/photo_1_cell_250.png")
    assert chosen.labels.tolist() == [1, 0]
    assert chosen.groups == ("photo_2", "photo_1")


def test_a_saved_split_has_parts_and_groups(photographs, tmp_path):
    cells = grouped(read_folder(photographs), r"photo_(\d)")
    saved = with_test_part(cells, 0.3, 0)
    write_split(saved.select(torch.arange(5)), tmp_path / "split.csv")
    again = with_saved_split(read_folder(photographs), tmp_path / "split.csv")
    assert tuple(again.names) == tuple(saved.names)[:5]
    assert (again.parts, again.groups) == (saved.parts[:5], saved.groups[:5])
    assert set(read_groups(tmp_path / "split.csv").values()) == set("123")


def test_a_split_of_other_images_changes_nothing(photographs, tmp_path):
    cells = with_test_part(read_folder(photographs), 0.3, 0)
    write_split(cells, tmp_path / "split.csv")
    assert read_groups(tmp_path / "split.csv") is None
    others = replace(cells, names=tuple(f"other/{name}" for name in cells.names))
    assert with_saved_split(others, tmp_path / "split.csv") is others


def test_the_default_is_the_test_part_or_else_all_images(photographs):
    cells = read_folder(photographs)
    assert images_of_part(cells, None) == (cells, "all")
    split = with_test_part(cells, 0.3, 0)
    tested, part = images_of_part(split, None)
    assert part == "test" and set(tested.parts) == {"test"} and 0 < len(tested) < 6
    assert images_of_part(split, "all")[0] is split
    with pytest.raises(DataError, match="no part 'val'; it has test, train"):
        images_of_part(split, "val")
