"""The perceptual hash and the search for similar hashes, which misses none."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from verydeep.check.duplicates import MIN_SIMILARITY
from verydeep.check.perceptual_hash import (
    MAX_DISTANCE,
    is_blank,
    near_pairs,
    orientations,
    perceptual_hashes,
    similarity,
    thumbnail,
)

from ..data.pictures import picture


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Image.open(buffer)


SAME = {
    "JPEG of quality 30": lambda image: saved(image, "JPEG", quality=30),
    "WebP": lambda image: saved(image, "WEBP", quality=50),
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "twice the size": lambda image: image.resize((image.width * 2, image.height * 2)),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.1),
    "less contrast": lambda image: ImageEnhance.Contrast(image).enhance(0.8),
    "gray": lambda image: image.convert("L"),
}


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_a_changed_copy_has_a_near_hash_and_a_similar_thumbnail(change):
    pictures = [picture(seed) for seed in range(40)]
    before = np.stack([thumbnail(image) for image in pictures])
    after = np.stack([thumbnail(change(image)) for image in pictures])
    bits = np.bitwise_count(perceptual_hashes(before) ^ perceptual_hashes(after))
    assert (bits <= MAX_DISTANCE).mean() > 0.97
    assert similarity(before, after).min() > MIN_SIMILARITY


def test_different_images_have_distant_hashes_and_different_thumbnails():
    thumbnails = np.stack([thumbnail(picture(seed)) for seed in range(200)])
    hashes = perceptual_hashes(thumbnails)
    bits = np.bitwise_count(hashes[:, None] ^ hashes)[np.triu_indices(200, 1)]
    assert 28 < bits.mean() < 36  # of 64 random bits
    assert bits.min() > MAX_DISTANCE
    assert similarity(thumbnails[:-1], thumbnails[1:]).max() < 0.8


@pytest.mark.parametrize("bits", [0, 3, 7, 11])
def test_the_search_finds_the_same_pairs_as_comparing_all(bits):
    random = np.random.default_rng(bits)
    hashes = random.integers(0, 2**63, 600, dtype=np.uint64)
    flips = np.uint64(1) << random.integers(0, 63, (300, 8), dtype=np.uint64)
    hashes[300:] = hashes[:300] ^ np.bitwise_xor.reduce(flips, axis=1)
    pairs = {(int(i), int(j)) for first, second in near_pairs(hashes, hashes, bits)
             for i, j in zip(first, second, strict=True)}  # fmt: skip
    close = np.bitwise_count(hashes[:, None] ^ hashes) <= bits
    assert pairs == {(i, j) for i, j in np.argwhere(close).tolist() if i < j}


@pytest.mark.slow
def test_the_search_does_not_depend_on_the_chunk_size(monkeypatch):
    hashes = np.random.default_rng(0).integers(0, 50, 500, dtype=np.uint64)  # crowded buckets
    whole = {tuple(pair) for chunk in near_pairs(hashes, hashes, 3) for pair in np.stack(chunk, 1).tolist()}
    monkeypatch.setattr("verydeep.check.perceptual_hash._CHUNK", 7)
    chunks = list(near_pairs(hashes, hashes, 3))
    assert {tuple(pair) for chunk in chunks for pair in np.stack(chunk, 1).tolist()} == whole


def test_the_eight_orientations_have_names_and_are_all_different():
    thumbnails = np.stack([thumbnail(picture(1))])
    versions = dict(orientations(thumbnails))
    assert next(iter(versions)) == "" and "mirrored" in versions and "rotated by 180°" in versions
    assert len({each.tobytes() for each in versions.values()}) == 8
    mirrored = thumbnail(picture(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT))[None]
    assert similarity(versions["mirrored"], mirrored)[0] > 0.97


def test_colors_are_compared_if_both_images_have_them():
    red, blue = (Image.new("RGB", (64, 64), "white") for _ in range(2))
    red.paste("red", (16, 16, 48, 48))
    blue.paste("blue", (16, 16, 48, 48))
    assert similarity(thumbnail(red)[None], thumbnail(blue)[None])[0] < 0.6


def test_images_of_a_single_color_are_blank():
    thumbnails = np.stack([thumbnail(Image.new("RGB", (5, 5), "red")), thumbnail(picture(0))])
    assert is_blank(thumbnails).tolist() == [True, False]
    assert similarity(thumbnails[:1], thumbnails[:1])[0] == 0
