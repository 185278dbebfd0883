"""Groups and classes that names give away."""

import re

import pytest

from verydeep.check.group_names import propose_groups, same_name


def test_parts_of_photographs_are_seen():
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
def test_the_pattern_gives_the_groups_it_says(names, groups):
    proposal = propose_groups(names, 1)
    found = [re.search(proposal.pattern, name) for name in names]
    given = tuple(match[1] if match.re.groups else match[0] for match in found)
    assert len(set(given)) == groups and given == proposal.groups


@pytest.mark.parametrize(
    "names",
    [
        [f"cat/cat_{n}.jpg" for n in range(9)] + [f"dog/dog_{n}.jpg" for n in range(9)],  # class and number
        [f"x/IMG_{n:04}.jpg" for n in range(50)],  # one prefix
        [f"x/{n}_{n}.jpg" for n in range(50)],  # one image a group
        ["x/hat.png", "x/shoe_1.png", "x/shoe_2.png"],  # not all have a number
        [],
    ],
)
def test_no_groups_are_seen_where_there_are_none(names):
    assert propose_groups(names, 2) is None


def test_one_class_under_two_names_is_seen():
    assert same_name(("Cat", "cat ", "dog", "hot dog", "hot_dog")) == (
        ("Cat", "cat "),
        ("hot dog", "hot_dog"),
    )
