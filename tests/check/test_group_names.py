"""Groups and duplicate classes that names suggest."""

import re

import pytest

from verydeep.check.group_names import propose_groups, similar_names


def test_crops_of_photographs_are_groups():
    names = [f"red/BloodImage_{photo:05}_{cell:02}.jpg" for photo in range(10) for cell in range(3)]
    proposal = propose_groups(names, 2)
    assert proposal.pattern == "BloodImage_[0-9]+"
    assert str(proposal) == "10 groups of 3 to 3 images"
    assert proposal.groups[3] == "BloodImage_00001"


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ([f"c{c}/{s}-{p}.png" for c in range(2) for s in range(9) for p in range(4)], 9),
        ([f"x/{who}_{n}.png" for who in ("anna", "ben", "cleo", "dora") for n in range(5)], 4),
        ([f"x/slide 3 {s} tile {t}.tif" for s in range(5) for t in range(5)], 5),
    ],
)
def test_the_pattern_matches_the_proposed_groups(names, groups):
    proposal = propose_groups(names, 1)
    matches = [re.search(proposal.pattern, name) for name in names]
    groups_of_pattern = tuple(match[1] if match.re.groups else match[0] for match in matches)
    assert len(set(groups_of_pattern)) == groups and groups_of_pattern == proposal.groups


@pytest.mark.parametrize(
    "names",
    [
        [f"cat/cat_{n}.jpg" for n in range(9)] + [f"dog/dog_{n}.jpg" for n in range(9)],  # class and number
        [f"x/IMG_{n:04}.jpg" for n in range(50)],  # one prefix
        [f"x/{n}_{n}.jpg" for n in range(50)],  # one image per group
        ["x/hat.png", "x/shoe_1.png", "x/shoe_2.png"],  # not all have a number
        [],
    ],
)
def test_other_names_suggest_no_groups(names):
    assert propose_groups(names, 2) is None


def test_two_names_of_one_class_are_found():
    assert similar_names(("Cat", "cat ", "dog", "hot dog", "hot_dog")) == (
        ("Cat", "cat "),
        ("hot dog", "hot_dog"),
    )
