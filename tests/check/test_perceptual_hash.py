"""The perceptual hash and the search: what is the same picture, and that no near hash is missed."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from verydeep.check.duplicates import LEAST_SIMILARITY
from verydeep.check.perceptual_hash import NEAR, blank, near, perceptual_hashes, similarity, thumbnail, turned

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
def test_a_picture_saved_otherwise_is_near_and_alike(change):
    pictures = [picture(seed) for seed in range(40)]
    before = np.stack([thumbnail(image) for image in pictures])
    after = np.stack([thumbnail(change(image)) for image in pictures])
    bits = np.bitwise_count(perceptual_hashes(before) ^ perceptual_hashes(after))
    assert (bits <= NEAR).mean() > 0.97
    assert similarity(before, after).min() > LEAST_SIMILARITY


def test_other_pictures_are_far_and_unlike():
    looks = np.stack([thumbnail(picture(seed)) for seed in range(200)])
    hashes = perceptual_hashes(looks)
    bits = np.bitwise_count(hashes[:, None] ^ hashes)[np.triu_indices(200, 1)]
    assert 28 < bits.mean() < 36  # of 64: as coins fall
    assert bits.min() > NEAR
    assert similarity(looks[:-1], looks[1:]).max() < 0.8


@pytest.mark.parametrize("bits", [0, 3, 7, 11])
def test_the_search_finds_what_comparing_all_finds(bits):
    random = np.random.default_rng(bits)
    hashes = random.integers(0, 2**63, 600, dtype=np.uint64)
    flips = np.uint64(1) << random.integers(0, 63, (300, 8), dtype=np.uint64)
    hashes[300:] = hashes[:300] ^ np.bitwise_xor.reduce(flips, axis=1)
    found = {(int(i), int(j)) for first, second in near(hashes, hashes, bits)
             for i, j in zip(first, second, strict=True)}  # fmt: skip
    close = np.bitwise_count(hashes[:, None] ^ hashes) <= bits
    assert found == {(i, j) for i, j in np.argwhere(close).tolist() if i < j}


def test_the_search_is_the_same_in_small_portions(monkeypatch):
    hashes = np.random.default_rng(0).integers(0, 50, 500, dtype=np.uint64)  # crowded buckets
    whole = {tuple(pair) for portion in near(hashes, hashes, 3) for pair in np.stack(portion, 1).tolist()}
    monkeypatch.setattr("verydeep.check.perceptual_hash._AT_ONCE", 7)
    parts = list(near(hashes, hashes, 3))
    assert {tuple(pair) for portion in parts for pair in np.stack(portion, 1).tolist()} == whole


def test_the_eight_ways_to_turn_are_named_and_all_different():
    looks = np.stack([thumbnail(picture(1))])
    ways = dict(turned(looks))
    assert next(iter(ways)) == "" and "mirrored" in ways and "turned by 180°" in ways
    assert len({facing.tobytes() for facing in ways.values()}) == 8
    mirrored = thumbnail(picture(1).transpose(Image.Transpose.FLIP_LEFT_RIGHT))[None]
    assert similarity(ways["mirrored"], mirrored)[0] > 0.97


def test_colors_count_where_both_have_them():
    red, blue = (Image.new("RGB", (64, 64), "white") for _ in range(2))
    red.paste("red", (16, 16, 48, 48))
    blue.paste("blue", (16, 16, 48, 48))
    assert similarity(thumbnail(red)[None], thumbnail(blue)[None])[0] < 0.6


def test_images_of_one_shade_are_blank():
    looks = np.stack([thumbnail(Image.new("RGB", (5, 5), "red")), thumbnail(picture(0))])
    assert blank(looks).tolist() == [True, False]
    assert similarity(looks[:1], looks[:1])[0] == 0
