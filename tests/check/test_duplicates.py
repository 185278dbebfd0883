"""Duplicates and near duplicates, and their clusters."""

import io

import numpy as np
import pytest
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


@pytest.mark.slow
def test_1000_near_duplicates_are_999_pairs():
    same = thumbnails(picture(4)).repeat(1000, axis=0)
    duplicates = find_duplicates(tuple(str(number).encode() for number in range(1000)), same)
    assert len(duplicates.pairs) == 999 and len(duplicates.clusters[0]) == 1000


def test_no_images_have_no_duplicates():
    assert find_duplicates((), np.zeros((0, 16, 16, 3), np.uint8)).clusters == ()


def alike(count, seed=0):
    """Images that look alike by nature, such as solar cells: one drawing, with a small change in each."""
    random = np.random.default_rng(seed)
    drawing = np.kron(random.integers(0, 256, (8, 8)), np.ones((12, 12)))
    changes = [np.kron(random.normal(0, 12, (8, 8)), np.ones((12, 12))) for _ in range(count)]
    return [Image.fromarray((drawing + each).clip(0, 255).astype(np.uint8)) for each in changes]


def names(count):
    return digests(*(str(number) for number in range(count)))


def saved_again(image):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=75)
    return Image.open(buffer)


def test_images_that_look_alike_by_nature_are_no_duplicates():
    images = thumbnails(*alike(80))
    assert find_duplicates(names(4), images[:4]).clusters == ((0, 1, 2, 3),)  # too few to know what is usual
    assert find_duplicates(names(80), images).clusters == ()


def test_copies_stand_out_among_images_that_look_alike():
    images = alike(80)
    copies = (
        saved_again(images[3]),
        images[7].resize((50, 50)),
        images[9].transpose(Image.Transpose.ROTATE_90),
    )
    duplicates = find_duplicates(names(83), thumbnails(*images, *copies))
    assert set(duplicates.clusters) == {(3, 80), (7, 81), (9, 82)}


def test_every_image_twice_is_a_pair_each():
    images = [picture(seed) for seed in range(40)]
    duplicates = find_duplicates(names(80), thumbnails(*images, *map(saved_again, images)))
    assert set(duplicates.clusters) == {(number, 40 + number) for number in range(40)}


def test_clusters_do_not_chain():
    """Each image looks like the next one, and the first unlike the last."""
    one, other = (np.asarray(picture(seed)).astype(float) for seed in (1, 2))
    chain = [Image.fromarray((one + step / 11 * (other - one)).astype(np.uint8)) for step in range(12)]
    duplicates = find_duplicates(names(12), thumbnails(*chain))
    assert len(duplicates.clusters) > 1
    assert all(max(each) - min(each) <= 6 for each in duplicates.clusters)


def test_a_resized_image_keeps_its_thumbnail():
    """Fine lines, as of solar cells: a box filter of whole pixels sees other lines at each size."""
    lines = np.tile(np.array([0, 255, 255, 90, 255], np.uint8), (300, 60))
    image = Image.fromarray(np.minimum(lines, lines.T))
    full, half = (each.astype(int) for each in thumbnails(image, image.resize((150, 150))))
    assert abs(full - half).max() <= 12
