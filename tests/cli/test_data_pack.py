"""``verydeep data pack``, and a pack as the images of other commands."""

import json

import pytest

from tests.train.folders import write_folder
from verydeep.packs.layout import PIXELS_START

FLAGS = (
    "--model", "8 M 16 M | gap 16", "--epochs", "1", "--batch-size", "10", "--device", "cpu", "--size", "16",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "shapes", (12, 12, 12))


def test_a_pack_is_trained_on_evaluated_classified_and_checked(here, folder, tmp_path):
    pack = tmp_path / "shapes.pack"
    written = json.loads(here("data", "pack", folder, "--size", "16", "--out", pack, "--json").stdout)
    assert written["images"] == 36 and written["bytes"] == pack.stat().st_size
    assert written["skipped"] == {}
    runs = {}
    for name, images, stream in (("folder", folder, "off"), ("pack", pack, "off"), ("streamed", pack, "on")):
        run = tmp_path / name
        here("train", images, "--out", run, "--stream", stream, *FLAGS)
        runs[name] = [line.split('"seconds"')[0] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert runs["folder"] == runs["pack"] == runs["streamed"]
    scores = [
        json.loads(here("evaluate", tmp_path / "pack", images, "--json").stdout)["top1"]
        for images in (folder, pack)
    ]
    assert scores[0] == scores[1]
    assert len(json.loads(here("predict", tmp_path / "pack", pack, "--json").stdout)) == 36
    assert here("data", "check", pack).returncode == here("data", "check", folder).returncode


def test_errors_say_what_to_do(here, folder, tmp_path):
    wrong = here("data", "pack", folder, "--out", tmp_path / "shapes.bin")
    small = here("data", "pack", folder, "--out", tmp_path / "small.pack", "--size", "0")
    assert small.returncode == 2 and "the short side is 0 px; expected 1 to 65,535" in small.stderr
    assert here("data", "pack", folder, "--out", tmp_path / "small.pack", "--workers", "-1").returncode == 2
    assert wrong.returncode == 2 and "give a name such as shapes.pack" in wrong.stderr
    (tmp_path / "old.pack").write_bytes(b"nothing")
    damaged = here("train", tmp_path / "old.pack", "--out", tmp_path / "run")
    assert damaged.returncode == 2 and "is not a pack of images" in damaged.stderr


def test_a_pack_with_a_damaged_image_is_packed_again_without_it(here, folder, tmp_path):
    here("data", "pack", folder, "--size", "16", "--out", tmp_path / "old.pack")
    content = bytearray((tmp_path / "old.pack").read_bytes())
    content[PIXELS_START] ^= 1
    (tmp_path / "old.pack").write_bytes(content)
    done = here(
        "data", "pack", tmp_path / "old.pack", "--size", "16", "--out", tmp_path / "new.pack", "--json"
    )
    written = json.loads(done.stdout)
    assert written["images"] == 35
    (unreadable,) = written["unreadable"]
    assert "its pixels do not have its checksum" in unreadable["error"]
