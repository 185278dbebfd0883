"""Images of an earlier run are found again after a rename, a move to another class, or a rewrite."""

from pathlib import Path

import numpy as np

from verydeep.data.recognition import is_relabeled, recognize
from verydeep.data.split_file import SavedImage
from verydeep.image_sources.samples import Samples


def samples(*names):
    classes = tuple(sorted({name.split("/")[0] for name in names}))
    return Samples(
        name="data",
        sources=tuple(map(Path, names)),
        names=names,
        labels=np.array([classes.index(name.split("/")[0]) for name in names]),
        classes=classes,
        parts=(None,) * len(names),
    )


def saved(name, part="train", content=b""):
    return SavedImage(name, name.split("/")[0], part, content.hex())


def test_a_renamed_a_moved_and_a_rewritten_image_are_recognized():
    before = [
        saved("a/1", "train", b"1"), saved("a/2", "test", b"2"), saved("a/3", "train", b"3"),
        saved("b/4", "test", b"4"), saved("b/5", "val", b"5"),
    ]  # fmt: skip
    now = samples("a/1", "b/2", "a/three", "b/4", "b/6")
    found = recognize(now, [b"1", b"2", b"3", b"other", b"6"], before)
    assert [each and each.name for each in found.earlier] == ["a/1", "a/2", "a/3", "b/4", None]
    assert [each.name for each in found.gone] == ["b/5"]
    assert found.sides.tolist() == [0, 1, 0, 1, -1]
    assert [is_relabeled(each, "b") for each in found.earlier[:4]] == [True, True, True, False]


def test_swapped_names_follow_the_content():
    before = [saved("a/1", "train", b"1"), saved("a/2", "test", b"2")]
    found = recognize(samples("a/1", "a/2"), [b"2", b"1"], before)
    assert found.sides.tolist() == [1, 0] and not found.gone


def test_numbers_that_moved_up_after_a_deletion_follow_the_content():
    before = [saved("a/1", "train", b"1"), saved("a/2", "train", b"2"), saved("a/3", "test", b"3")]
    found = recognize(samples("a/1", "a/2"), [b"2", b"3"], before)
    assert found.sides.tolist() == [0, 1]
    assert [each.name for each in found.gone] == ["a/1"]


def test_a_copy_has_the_side_of_its_original_and_training_comes_first():
    before = [saved("a/1", "train", b"1"), saved("a/2", "test", b"1"), saved("a/3", "test", b"3")]
    now = samples("a/1", "a/2", "a/3", "b/copy of 1", "b/copy of 3")
    found = recognize(now, [b"1", b"1", b"3", b"1", b"3"], before)
    assert found.sides.tolist() == [0, 0, 1, 0, 1]
    assert [each is None for each in found.earlier] == [False, False, False, True, True]


def test_a_run_without_content_recognizes_names_and_moved_files():
    before = [saved("a/1", "test"), saved("a/2", "train"), saved("a/3", "test")]
    found = recognize(samples("a/1", "b/2", "b/9"), [b"1", b"2", b"9"], before)
    assert [each and each.name for each in found.earlier] == ["a/1", "a/2", None]
    assert found.sides.tolist() == [1, 0, -1]
