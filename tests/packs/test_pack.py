"""A pack has the images of its folder, with labels, parts and groups; a damaged one is refused."""

import pickle
import random
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xxhash
from PIL import Image

from tests.data.pictures import picture, save
from verydeep.architecture.preprocess import Preprocess
from verydeep.decoding.decode import decode_pixels
from verydeep.decoding.stream import decode_ahead
from verydeep.errors import DataError, UnreadableError
from verydeep.image_sources.find_images import find_images
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.samples import grouped
from verydeep.inputs.write_pack import write_pack
from verydeep.packs.layout import HEADER, RECORD
from verydeep.packs.open_pack import open_pack

SMALL = Preprocess(size=24, mean=(0.5,) * 3, std=(0.5,) * 3)


def folder_of(path):
    for part in ("train", "test"):
        for number in range(6):
            save(
                picture(number, 60 + number, 40, "L" if number == 3 else "RGB"),
                path / part / "ab"[number % 2] / f"photo_{number // 2}_{number}.png",
            )
    return path


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return grouped(read_samples(folder_of(tmp_path_factory.mktemp("data") / "cells")), r"\w+/\w/photo_\d")


@pytest.fixture(scope="module")
def packed(samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("packs") / "cells.pack"
    assert write_pack(samples, path, 32).images == 12
    return path


def test_a_pack_has_the_labels_parts_and_groups_of_its_images(samples, packed):
    read = read_samples(packed)
    assert list(read.names) == list(samples.names)
    for column in ("name", "classes", "parts", "groups"):
        assert getattr(read, column) == getattr(samples, column)
    assert read.labels.tolist() == samples.labels.tolist()
    chosen = read.select(read.labels.nonzero()[0])
    assert list(chosen.names) == [name for name in samples.names if "/b/" in name]
    assert [str(source) for source in chosen.sources] == [f"{packed}/{name}" for name in chosen.names]
    assert len(find_images([packed, packed]).sources) == 12
    for read in (read_samples, lambda location: find_images([location])):
        with pytest.raises(DataError, match=r"cells\.pack is a pack, which has no columns"):
            read(f"{packed}:diagnosis")


def test_images_are_resized_once_and_decoded_as_those_of_the_folder(samples, packed):
    for number, (before, after) in enumerate(zip(samples.sources, read_samples(packed).sources, strict=True)):
        image = Image.open(before)
        assert after.pixels().shape == (32, int(32 * image.width / 40), 1 if image.mode == "L" else 3)
        resized = image.resize(after.pixels().shape[1::-1], Image.Resampling.BILINEAR)
        assert np.array_equal(after.pixels().squeeze(), np.asarray(resized)), number
        assert np.array_equal(decode_pixels(after, SMALL), decode_pixels(after.read(), SMALL))


def test_images_that_need_no_resizing_keep_their_pixels(samples, tmp_path):
    write_pack(samples, tmp_path / "own.pack", 40)
    for before, after in zip(samples.sources, read_samples(tmp_path / "own.pack").sources, strict=True):
        assert np.array_equal(decode_pixels(before, SMALL), decode_pixels(after, SMALL))


def test_unreadable_images_are_left_out(tmp_path):
    folder = tmp_path / "cells"
    for number in range(40):
        save(picture(number, 30, 30), folder / "ab"[number % 2] / f"{number:02}.png")
    (folder / "a" / "04.png").write_bytes(b"no image")
    result = write_pack(read_samples(folder), tmp_path / "cells.pack", 24)
    assert [each.source.name for each in result.unreadable] == ["04.png"]
    assert (result.images, len(read_samples(tmp_path / "cells.pack"))) == (39, 39)
    for number in (1, 3):
        (folder / "b" / f"{number:02}.png").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"at least 3 of 40 images cannot be read, more than 5%.*`verydeep data check photos`"
    ):
        write_pack(read_samples(folder), tmp_path / "other.pack", 24, location="photos")
    assert not (tmp_path / "other.pack").exists()


def changed(packed, tmp_path, start, content):
    data = bytearray(packed.read_bytes())
    data[start : start + len(content)] = content
    (tmp_path / "changed.pack").write_bytes(data)
    return tmp_path / "changed.pack"


def rewritten(packed, tmp_path, **fields):
    """A pack of a stranger: the last record has other values, and the checksums are right."""
    data = bytearray(packed.read_bytes())
    values = list(HEADER.unpack(data[: HEADER.size]))
    start, size = values[4], values[5]
    records = np.frombuffer(bytes(data[start : start + size]), dtype=RECORD).copy()
    for name, value in fields.items():
        records[name][-1] = value
    data[start : start + size] = records.tobytes()
    values[-1] = xxhash.xxh3_128_digest(bytes(data[start:]))
    data[: HEADER.size] = HEADER.pack(*values)
    (tmp_path / "rewritten.pack").write_bytes(data)
    return tmp_path / "rewritten.pack"


def test_an_error_that_is_certain_does_not_wait_for_the_last_image(samples, tmp_path, monkeypatch):
    folder = tmp_path / "photos" / "a"
    folder.mkdir(parents=True)
    for number in range(300):
        (folder / f"{number:03}.png").touch()
    read = []
    with pytest.raises(DataError, match=r"at least 16 of 300 images cannot be read, more than 5%"):
        write_pack(
            read_samples(tmp_path / "photos"), tmp_path / "x.pack", 32,
            progress=lambda done, _: read.append(done),
        )  # fmt: skip
    assert max(read) < 300
    monkeypatch.setattr("verydeep.inputs.write_pack.MAX_JSON", 10)
    with pytest.raises(DataError, match="the names of 2 classes and 12 groups take"):
        write_pack(samples, tmp_path / "x.pack", 32, progress=lambda done, _: pytest.fail("too late"))


def test_changed_pixels_are_found_when_they_are_read(packed, tmp_path):
    broken = read_samples(changed(packed, tmp_path, 200, b"\0\1\2\3")).sources
    with pytest.raises(
        UnreadableError, match=r"photo_0_0.png is damaged: its pixels do not have its checksum"
    ):
        broken[0].read()
    assert broken[1].read() == read_samples(packed).sources[1].read()


@pytest.mark.parametrize("size", [0, 7, 60, 4000, -1])
def test_a_truncated_pack_is_refused(packed, tmp_path, size):
    (tmp_path / "short.pack").write_bytes(packed.read_bytes()[:size])
    with pytest.raises(DataError, match=r"short.pack is (not a pack of images|truncated or damaged)"):
        read_samples(tmp_path / "short.pack")


def test_other_files_and_versions_are_refused(packed, tmp_path):
    save(picture(0), tmp_path / "photo.png").rename(tmp_path / "photo.pack")
    with pytest.raises(
        DataError, match=r"photo.pack is not a pack of images: `verydeep data pack` writes one"
    ):
        read_samples(tmp_path / "photo.pack")
    with pytest.raises(DataError, match="is a pack of version 9; this verydeep reads version 1"):
        read_samples(changed(packed, tmp_path, 8, struct.pack("<I", 9)))


@pytest.mark.parametrize(
    "fields",
    [
        {"offset": 2**63}, {"offset": 0}, {"width": 65_535, "height": 65_535}, {"width": 0}, {"channels": 2},
        {"label": 2}, {"label": -1}, {"group": 99}, {"group": -1}, {"part": 4}, {"name_end": 2**40},
        {"name_end": 1},
    ],
)  # fmt: skip
def test_an_index_that_points_outside_is_refused(packed, tmp_path, fields):
    with pytest.raises(
        DataError, match=r"rewritten.pack is damaged: .* Copy it again, or pack the images again"
    ):
        read_samples(rewritten(packed, tmp_path, **fields))


def resident_bytes(file):
    """Of the mapping of ``file`` into this process."""
    _, *mappings = Path("/proc/self/smaps").read_text().split(f"{file}\n")
    return sum(1024 * int(mapping.split("Rss:")[1].split()[0]) for mapping in mappings)


def test_what_is_mapped_does_not_stay_in_memory(tmp_path, monkeypatch):
    size, limit = 300, 10**6
    monkeypatch.setattr("verydeep.packs.mapped_file.RESIDENT_LIMIT", limit)
    for number in range(30):
        save(picture(number, size, size), tmp_path / "in" / "a" / f"{number}.png")
    file = write_pack(read_samples(tmp_path / "in"), tmp_path / "own.pack", size).path
    assert file.stat().st_size > 8 * limit
    sources = read_samples(file).sources
    kept = sources[0].pixels()
    before = kept.copy()
    most = 0
    for source in [*sources, *sources]:
        source.read()
        most = max(most, resident_bytes(file))
    assert 0 < most < 3 * limit
    assert np.array_equal(kept, before)


@pytest.mark.parametrize(("size", "images"), [(256, 64), (1024, 32), (2048, 8), (65_535, 1)])
def test_large_images_are_decoded_a_few_at_a_time(samples, tmp_path, monkeypatch, size, images):
    batches = []

    def noting(sources, read, batch_size, workers):
        batches.append(batch_size)
        return decode_ahead(sources, read, batch_size, workers)

    monkeypatch.setattr("verydeep.inputs.write_pack.decode_ahead", noting)
    write_pack(samples, tmp_path / "x.pack", size)
    assert batches == [images]


def test_two_images_of_one_name_are_refused(samples, tmp_path):
    names = ("same.png", "same.png", *samples.names[2:])
    write_pack(replace(samples, names=names), tmp_path / "twice.pack", 16)
    with pytest.raises(DataError, match="two of its images have one name"):
        read_samples(tmp_path / "twice.pack")


def test_random_damage_is_an_error_or_changes_nothing(packed, tmp_path):
    content, draw = packed.read_bytes(), random.Random(0)
    for number in range(150):
        data = bytearray(content)
        if number % 3:
            start = HEADER.unpack(content[: HEADER.size])[4]
            places = range(start, len(data)) if number % 3 == 1 else range(HEADER.size)
            for _ in range(draw.choice((1, 3))):
                data[draw.choice(places)] = draw.randrange(256)
        else:
            data = data[: draw.randrange(len(data))] + bytes(draw.randrange(3))
        file = tmp_path / f"{number}.pack"
        file.write_bytes(data)
        try:
            pack = open_pack(file)
        except DataError as error:
            assert str(file.name) in str(error)
        else:
            assert bytes(data) == content and len(pack) == 12


def test_another_process_reads_an_image_by_its_number(tmp_path):
    save(picture(0, 20, 18), tmp_path / "a" / "image.png")
    source = read_samples(write_pack(read_samples(tmp_path), tmp_path / "one.pack", 16).path).sources[0]
    sent = pickle.dumps(source)
    assert len(sent) < 1_000
    received = pickle.loads(sent)
    assert str(received) == str(source) and (received.pixels() == source.pixels()).all()
