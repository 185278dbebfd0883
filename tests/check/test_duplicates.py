"""Duplicates and near duplicates, and their clusters."""

import numpy as np
from PIL import Image

from verydeep.check.duplicates import find_duplicates
from verydeep.check.perceptual_hash import thumbnail

from ..data.pictures import picture


def thumbnails(*images):
    return np.stack([thumbnail(image) for image in images])


def digests(*names):
    return tuple(name.encode() for name in names)


def test_copies_and_near_duplicates_are_one_cluster():
    one, other = picture(1), picture(2)
    duplicates = find_duplicates(
        digests("a", "b", "c", "a"), thumbnails(one, other, one.resize((60, 45)), one)
    )
    assert duplicates.clusters == ((0, 2, 3),)
    assert {(pair.first, pair.second, pair.how) for pair in duplicates.pairs} == {
        (0, 3, "same bytes"), (0, 2, "near duplicate")
    }  # fmt: skip


def test_mirrored_and_rotated_images_are_found_and_described():
    one = picture(3)
    versions = [one, one.transpose(Image.Transpose.FLIP_LEFT_RIGHT), one.transpose(Image.Transpose.ROTATE_90)]
    duplicates = find_duplicates(digests("a", "b", "c"), thumbnails(*versions))
    assert duplicates.clusters == ((0, 1, 2),)
    assert "mirrored" in {pair.how for pair in duplicates.pairs}
    assert any("90°" in pair.how or "270°" in pair.how for pair in duplicates.pairs)


def test_blank_images_are_compared_only_by_their_bytes():
    white = Image.new("RGB", (20, 20), "white")
    duplicates = find_duplicates(digests("a", "b", "a"), thumbnails(white, white, white))
    assert duplicates.clusters == ((0, 2),)


def test_1000_near_duplicates_are_999_pairs():
    same = thumbnails(picture(4)).repeat(1000, axis=0)
    duplicates = find_duplicates(tuple(str(number).encode() for number in range(1000)), same)
    assert len(duplicates.pairs) == 999 and len(duplicates.clusters[0]) == 1000


def test_no_images_have_no_duplicates():
    assert find_duplicates((), np.zeros((0, 16, 16, 3), np.uint8)).clusters == ()
