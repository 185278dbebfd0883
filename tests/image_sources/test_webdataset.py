"""WebDataset shards: random access, labels, parts, and errors."""

import io
import json
import pickle
import tarfile

import pytest
from PIL import Image

from tests.image_sources.samples_memory import samples_memory
from verydeep.decoding.decode import read_image
from verydeep.errors import DataError
from verydeep.image_sources.find_images import read_sources
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.samples import grouped
from verydeep.image_sources.webdataset import expand_range


def png(shade):
    buffer = io.BytesIO()
    Image.new("L", (4, 4), shade).save(buffer, "PNG")
    return buffer.getvalue()


def write_shard(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def shards(tmp_path):
    """Three shards of four images, labeled 2, 10, 2, 10."""
    for shard in range(3):
        members = {}
        for number in range(4):
            members[f"{number:03}.png"] = png(10 * shard + number)
            members[f"{number:03}.cls"] = b"10\n" if number % 2 else b"2"
        write_shard(tmp_path / f"cells-train-{shard:04}.tar", members)
    return tmp_path


def test_a_range_a_glob_and_a_folder_are_all_shards_in_order(shards):
    locations = [shards / "cells-train-{0000..0002}.tar", shards / "cells-*.tar", shards]
    read = [read_samples(location) for location in locations]
    assert len(read[0]) == 12
    first, *others = (tuple(each.sources) for each in read)
    assert all(sources == first for sources in others)
    assert (read[0].classes, read[0].labels[:4].tolist()) == (("2", "10"), [0, 1, 0, 1])
    assert set(read[0].parts) == {"train"}
    assert read[0].names[5] == "cells-train-0001.tar/001.png"


def test_any_image_is_read_alone_and_in_another_process(shards):
    sources = read_samples(shards).sources
    for index in (7, 0, 11):
        image = read_image(pickle.loads(pickle.dumps(sources[index])))
        assert image.getpixel((0, 0)) == 10 * (index // 4) + index % 4
    assert str(sources[7]) == f"{shards}/cells-train-0001.tar/003.png"


def test_labels_in_json_and_text_and_columns_in_json(tmp_path):
    about = {"label": "ill", "patient": 7, "boxes": [1, 2]}
    write_shard(tmp_path / "train" / "0.tar", {
        "a/x.1.PNG": b"with the suffix 1.png", "a/y.jpg": png(1), "a/y.json": json.dumps(about).encode(),
        "z.png": png(2), "z.txt": b"well\n", "z.json": b'{"patient": 8, "grade": "g1"}', "notes.txt": b"none",
    })  # fmt: skip
    write_shard(tmp_path / "val" / "0.tar", {
        "z.png": png(3), "z.json": json.dumps({**about, "grade": "g2"}).encode()
    })  # fmt: skip
    samples = grouped(read_samples(tmp_path), "patient")
    assert tuple(samples.names) == ("train/0.tar/a/y.jpg", "train/0.tar/z.png", "val/0.tar/z.png")
    assert [samples.classes[label] for label in samples.labels.tolist()] == ["ill", "well", "ill"]
    assert samples.parts == ("train", "train", "val")
    assert samples.groups == ("7", "8", "7")
    graded = read_samples(f"{tmp_path}/val/0.tar:grade")
    assert graded.classes == ("g2",)


@pytest.mark.parametrize("location", ["{0..1}.tar", "*.tar", "."])
def test_the_folder_of_all_shards_names_no_part(tmp_path, monkeypatch, location):
    folder = tmp_path / "dev"
    for number in range(2):
        write_shard(folder / f"{number}.tar", {"a.png": png(number), "a.cls": str(number).encode()})
    assert read_samples(folder / location).parts == (None, None)
    monkeypatch.chdir(folder)
    assert read_samples(location).parts == (None, None)
    write_shard(folder / "val" / "2.tar", {"a.png": png(2), "a.cls": b"1"})
    assert read_samples(folder).parts == (None, None, "val")


def test_hidden_files_are_no_shards_and_are_counted(tmp_path):
    write_shard(tmp_path / "train" / "0.tar", {"a.png": png(0), "a.cls": b"1"})
    write_shard(tmp_path / "test" / "1.tar", {"a.png": png(1), "a.cls": b"2"})
    (tmp_path / "train" / "._0.tar").write_bytes(b"attributes of macOS")
    (tmp_path / ".trash").mkdir()
    (tmp_path / ".trash" / "2.tar").write_bytes(b"deleted")
    (tmp_path / "._x.parquet").write_bytes(b"attributes of macOS")
    samples = read_samples(tmp_path)
    assert samples.parts == ("test", "train") and samples.reading.skipped == {"hidden": 2}


def test_a_folder_of_images_with_a_hidden_table_is_one_of_images(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    (tmp_path / "._x.parquet").write_bytes(b"attributes of macOS")
    with pytest.raises(DataError, match=r"no images.*1 hidden"):
        read_sources([tmp_path])


def test_a_shard_of_no_part_beside_shards_of_parts_is_stated(tmp_path):
    folder = tmp_path / "cells"
    for number, name in enumerate(("train-0.tar", "test-0.tar", "extra-0.tar")):
        write_shard(folder / name, {"a.png": png(number), "a.txt": b"well"})
    (note,) = read_samples(folder).reading.notes
    assert note.startswith("1 image without a part of the split (extra-0.tar); ") and note.endswith(
        "used for training"
    )
    (folder / "train-0.tar").unlink()
    (folder / "test-0.tar").unlink()
    assert read_samples(folder).reading.notes == ()


def test_shards_without_labels_can_be_classified_but_not_trained_on(tmp_path):
    shard = write_shard(tmp_path / "x.tar", {"a.png": png(0)})
    assert [str(source) for source in read_sources([shard])] == [f"{shard}/a.png"]
    with pytest.raises(DataError, match=r"x.tar/a.png has no label"):
        read_samples(shard)


def test_errors(shards, tmp_path):
    whole = (shards / "cells-train-0000.tar").read_bytes()
    (tmp_path / "truncated.tar").write_bytes(whole[:2000])
    with tarfile.open(tmp_path / "small.tar", "w:gz") as archive:
        archive.add(shards / "cells-train-0000.tar")
    write_shard(tmp_path / "empty" / "0.tar", {"notes.txt": b""})
    write_shard(tmp_path / "json" / "0.tar", {"a.png": png(0), "a.json": b"[1]"})
    write_shard(tmp_path / "pairs.tar", {"a.png": png(0), "a.json": b"[[1, 2]]"})
    write_shard(tmp_path / "deep.tar", {"a.png": png(0), "a.json": b"[" * 100_000})
    for location, message in (
        ("cells-train-{0001..0003}.tar", r"shard .*cells-train-0003.tar does not exist"),
        ("other-*.tar", "matches no shards"),
        ("truncated.tar", r"truncated.tar is not a complete tar file"),
        ("small.tar", "must not be compressed"),
        ("empty/0.tar", "have no images"),
        ("json/0.tar", r"JSON of .*a.png is not an object"),
        ("json", r"JSON of .*a.png is not an object"),
        ("pairs.tar", r"JSON of .*a.png is not an object; expected one with a label"),
        ("deep.tar", r"JSON of .*a.png is not an object"),
    ):
        with pytest.raises(DataError, match=message):
            read_samples(tmp_path / location)


@pytest.mark.parametrize(
    "pattern", ["{0..999999999}.tar", "{0..9999}-{0..9999}.tar", "{0.." + "9" * 5000 + "}.tar"]
)
def test_a_range_of_far_too_many_shards_is_refused_before_it_is_written_out(pattern):
    with pytest.raises(DataError, match="a range of more than 100,000 shards"):
        expand_range(pattern)


def test_a_range_that_runs_backwards_is_empty():
    assert expand_range("{3..1}.tar") == []


def test_an_image_takes_little_more_memory_than_its_name(tmp_path):
    for shard in range(40):
        members = {}
        for number in range(100 * shard, 100 * shard + 100):
            members |= {f"{number:08}.png": b"", f"{number:08}.cls": b"%d" % (number % 100)}
        write_shard(tmp_path / f"train-{shard:02}.tar", members)
    count, kept, most = samples_memory(tmp_path)
    assert count == 4_000
    assert kept < 350  # about 100 bytes with the name; Python's table of interned texts may double meanwhile
    assert most < 450
