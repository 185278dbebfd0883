"""The split of an earlier run stays, new images make the test share of each class, groups stay together."""

from pathlib import Path

import numpy as np
import pytest

from verydeep.added_images.earlier_run import EarlierRun
from verydeep.added_images.kept_split import with_kept_split
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.split_file import SavedImage
from verydeep.errors import DataError
from verydeep.image_sources.samples import Samples
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint


def earlier(images, classes=("a", "b")):
    net = Architecture.from_string("4 | gap", input=(3, 8, 8), classes=len(classes))
    preprocess = Preprocess(size=8, mean=(0.5,) * 3, std=(0.5,) * 3)
    network = Checkpoint(build(net), preprocess, classes)
    rows = tuple(SavedImage(name, name[0], part, name.encode().hex()) for name, part in images.items())
    return EarlierRun(path=Path("runs/first"), network=network, images=rows)


def samples(names, parts=None, groups=None):
    classes = tuple(sorted({name[0] for name in names}))
    labels = np.array([classes.index(name[0]) for name in names])
    return Samples(
        name="data", sources=tuple(map(Path, names)), names=tuple(names), labels=labels, classes=classes,
        parts=parts or (None,) * len(names), groups=groups,
    )  # fmt: skip


def kept(samples, run, content=None, fraction=0.2):
    content = content or [name.encode() for name in samples.names]
    return with_kept_split(samples, content, run, fraction, seed=0)


def numbered(letter, start, end):
    return [f"{letter}/{number:02}" for number in range(start, end)]


BEFORE = {
    name: "train" if i % 5 else "test" for letter in "ab" for i, name in enumerate(numbered(letter, 0, 20))
}


def test_old_images_stay_and_new_ones_make_the_share_of_each_class():
    names = [*numbered("a", 0, 30), *numbered("b", 0, 60)]
    split, changes = kept(samples(names), earlier(BEFORE))
    parts = dict(zip(split.names, split.parts, strict=True))
    assert {name: parts[name] for name in BEFORE} == BEFORE
    assert sum(parts[name] == "test" for name in numbered("a", 0, 30)) == 6
    assert sum(parts[name] == "test" for name in numbered("b", 0, 60)) == 12
    assert (changes.new, changes.new_test, changes.gone, changes.relabeled) == (50, 10, 0, 0)
    assert kept(samples(names), earlier(BEFORE))[0].parts == split.parts


@pytest.mark.parametrize("fraction", [0.2, 0.5])
def test_one_image_more_can_be_added_again_and_again(fraction):
    images = {
        name: "train" if i % 2 else "test" for letter in "ab" for i, name in enumerate(numbered(letter, 0, 4))
    }
    for count in range(4, 24):
        names = [*numbered("a", 0, count + 1), *numbered("b", 0, 4)]
        split, _ = kept(samples(names), earlier(images), fraction=fraction)
        now = dict(zip(split.names, split.parts, strict=True))
        assert {name: now[name] for name in images} == images
        images = now
    tested = sum(part == "test" for name, part in images.items() if name[0] == "a")
    assert abs(tested - fraction * 24) <= 1


def test_a_new_class_is_split_too_and_a_class_of_one_image_is_trained_on():
    names = [*BEFORE, *numbered("c", 0, 10), "d/00"]
    split, changes = kept(samples(names), earlier(BEFORE))
    parts = dict(zip(split.names, split.parts, strict=True))
    assert sum(parts[name] == "test" for name in numbered("c", 0, 10)) == 2
    assert parts["d/00"] == "train"
    assert changes.new_classes == ("c", "d")
    assert changes.text == "11 new images (2 of them test images), 0 gone, 0 relabeled, new classes: c, d"


def test_new_images_come_to_the_side_of_their_group_and_new_groups_are_not_divided():
    names = [*BEFORE, *numbered("a", 20, 40), *numbered("b", 20, 40)]
    groups = tuple(f"old {name[2:]}" if int(name[2:]) < 25 else f"new {int(name[2:]) // 3}" for name in names)
    groups = tuple("old 00" if name in ("a/20", "b/20") else g for name, g in zip(names, groups, strict=True))
    split, _ = kept(samples(names, groups=groups), earlier(BEFORE))
    sides = {}
    for group, part in zip(split.groups, split.parts, strict=True):
        sides.setdefault(group, set()).add(part)
    assert all(len(each) == 1 for each in sides.values())
    parts = dict(zip(split.names, split.parts, strict=True))
    assert BEFORE["a/00"] == parts["a/20"] == parts["b/20"] == "test"
    assert 14 <= split.parts.count("test") <= 18


def test_a_group_with_images_of_both_sides_is_trained_on_with_a_note():
    groups = tuple("joined" if name in ("a/00", "a/01") else name for name in BEFORE)
    split, _ = kept(samples(list(BEFORE), groups=groups), earlier(BEFORE))
    parts = dict(zip(split.names, split.parts, strict=True))
    assert parts["a/00"] == parts["a/01"] == "train"
    assert parts["a/05"] == "test"
    (note,) = split.reading.notes
    assert note.startswith("1 test images of runs/first are training images now: they are in a group")


def test_a_renamed_training_image_is_never_tested_on():
    names = sorted(name.replace("a/", "a/new name ") for name in BEFORE)
    content = [name.replace("new name ", "").encode() for name in names]
    split, changes = kept(samples(names), earlier(BEFORE), content)
    parts = [BEFORE[each.decode()] for each in content]
    assert list(split.parts) == parts
    assert (changes.new, changes.gone, changes.rewritten) == (0, 0, 0)


def test_relabeled_gone_and_rewritten_images_are_counted():
    names = [name for name in BEFORE if name not in ("a/03", "a/04")] + ["b/03 was a"]
    content = [b"a/03" if name == "b/03 was a" else name.encode() for name in names]
    content[0] = b"saved again"
    split, changes = kept(samples(names), earlier(BEFORE), content)
    assert (changes.new, changes.gone, changes.relabeled, changes.rewritten) == (0, 1, 1, 1)
    assert dict(zip(split.names, split.parts, strict=True))["b/03 was a"] == "train"


def test_test_images_of_the_data_are_used_where_none_was_trained_on():
    names = [*BEFORE, *numbered("a", 20, 24)]
    parts = tuple(BEFORE.get(name, "test") for name in names)
    split, changes = kept(samples(names, parts), earlier(BEFORE))
    assert split.parts == parts and changes.new_test == 4
    wrong = ("train", "test", *parts[2:])
    with pytest.raises(
        DataError, match=r"^1 test images of data were trained on in runs/first, such as a/01: "
    ):
        kept(samples(names, wrong), earlier(BEFORE))


def test_a_missing_class_and_other_images_are_refused():
    with pytest.raises(DataError, match=r"no images of b, which runs/first classifies: --from cannot remove"):
        kept(samples([*numbered("a", 0, 20), *numbered("c", 0, 20)]), earlier(BEFORE))
    with pytest.raises(DataError, match=r"none of the 10 images of data is one of the 40 of runs/first"):
        kept(samples([*numbered("a", 90, 95), *numbered("b", 90, 95)]), earlier(BEFORE))


def test_a_run_that_saved_no_content_is_noted():
    run = earlier(BEFORE)
    rows = tuple(SavedImage(row.name, row.label, row.part, "") for row in run.images)
    split, _ = kept(samples(list(BEFORE)), EarlierRun(path=run.path, network=run.network, images=rows))
    assert split.reading.notes == (
        "runs/first did not save the content of its images; they are recognized by their names",
    )
