"""What is refused or noted before anything is computed: empty parts, missing classes, too few images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verydeep.data.split_checks import divided_groups, require_all_classes, with_class_notes
from verydeep.errors import DataError
from verydeep.image_sources.samples import Samples


def samples_of(**images):
    """Samples with so many images: ``train="aaab"`` is three of class a and one of class b."""
    drawn = [(part, label) for part, labels in images.items() for label in labels]
    names = tuple(map(str, range(len(drawn))))
    return Samples(
        name="set",
        sources=tuple(map(Path, names)),
        names=names,
        labels=np.array(["abc".index(label) for _, label in drawn]),
        classes=("a", "b", "c"),
        parts=tuple(part for part, _ in drawn),
    )


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ({"train": "aaaaabb", "test": "abc"}, "no training images of c"),
        ({"train": "aaaaabbc"}, "has no test images"),
        ({"train": "aaaaabbc", "val": "abc"}, "has no test images"),
        ({"train": "aaaaabbc", "test": "bb"}, "has only test images of b"),
        ({"train": "aaaaabc", "test": "aa"}, "set: the classes b, c have one image, and two of each class"),
        ({"train": "aabbcc", "test": "abc"}, "at most 3 images a class: too few"),
    ],
)
def test_images_of_which_nothing_can_be_measured_are_refused(images, message):
    with pytest.raises(DataError, match=message):
        require_all_classes(samples_of(**images))


def test_a_class_of_one_group_is_told_from_a_missing_test_part():
    samples = samples_of(train="aaaaabbbb", test="aa")
    samples = replace(samples, classes=("a", "b"), groups=tuple("11223444455"))
    with pytest.raises(DataError, match=r"class b has one group, .*Add images of other groups"):
        require_all_classes(samples)


def test_a_class_missing_in_the_test_is_noted():
    samples = samples_of(train="aaaaabbc", val="abc", test="ab")
    require_all_classes(samples)
    assert with_class_notes(samples).reading.notes == (
        "test has no images of c, so nothing is measured for it there",
    )


def test_groups_in_several_parts_are_divided():
    samples = samples_of(train="aabb", val="ab", test="ab")
    assert divided_groups(samples) == set()
    assert divided_groups(replace(samples, groups=tuple("kkllkmnm"))) == {"k", "m"}
