"""Heat maps of files and of entries of archives are written under unique, valid file names."""

from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.explain.decoded_heat_maps import decoded_heat_maps
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.report.explain_images import explain_images as write_heat_maps


@dataclass(frozen=True)
class Entry:
    """An entry of a shard or of a data set."""

    location: str

    def read(self) -> bytes:
        buffer = BytesIO()
        Image.new("RGB", (20, 20), (200, 90, 30)).save(buffer, "png")
        return buffer.getvalue()

    def __str__(self) -> str:
        return self.location


@pytest.fixture
def checkpoint():
    torch.manual_seed(0)
    model = build(Architecture.from_string("4 M 6 | gap", "tiny", input=(3, 12, 12), classes=2))
    return Checkpoint(model.eval(), Preprocess(size=12, mean=(0.5,) * 3, std=(0.5,) * 3), ("a", "b"))


def explain_images(checkpoint, sources, folder, method="grad-cam", **options):
    return write_heat_maps(
        partial(decoded_heat_maps, checkpoint, method=method), sources, folder,
        network="tiny", preprocess=checkpoint.preprocess, **options,
    )  # fmt: skip


def test_entries_are_named_after_their_archive(checkpoint, tmp_path):
    locations = {
        "shards/train-000.tar/0001.jpg": "train-000-0001",
        "shards/train-001.tar/0001.jpg": "train-001-0001",
        "other/train-001.tar/0001.jpg": "train-001-0001-2",
        "hf:owner/cells/test/12": "test-12",
        'cells.tar/a"b:c?.png': "cells-a_b_c_",
        f"cells.tar/{'long' * 60}.png": f"cells-{'long' * 60}"[:100],
    }
    expected = [
        tmp_path / "out" / f"{name.removesuffix('-2')}-occlusion{'-2' * name.endswith('-2')}.png"
        for name in locations.values()
    ]
    calls = []
    result = explain_images(
        checkpoint, [Entry(location) for location in locations], tmp_path / "out",
        method="occlusion", class_name="b", progress=lambda *counts: calls.append(counts),
    )  # fmt: skip
    assert [image.picture for image in result.images] == expected
    assert [image.file for image in result.images] == list(locations)
    assert {image.heat_map["label"] for image in result.images} == {"b"}
    assert sorted((tmp_path / "out").iterdir()) == sorted([*expected, tmp_path / "out" / "index.html"])
    assert calls == [(done, 6) for done in range(7)]


def test_without_readable_images_there_is_no_page(checkpoint, tmp_path):
    result = explain_images(checkpoint, [Path("missing.png")], tmp_path / "out")
    assert result.page is None and result.images == () and len(result.broken) == 1
    assert result.values["broken"][0]["file"] == "missing.png" and not (tmp_path / "out").exists()


def test_the_page_shows_the_first_images_and_says_so(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("verydeep.report.explain_images.MAX_SHOWN", 2)
    result = explain_images(checkpoint, [Entry("cells.tar/a.jpg")] * 4, tmp_path)
    page = result.page.read_text(encoding="utf-8")
    assert page.count("<li>") == 2
    assert "4 images, of which the first 2 are here" in page
    assert sorted(picture.name for picture in tmp_path.glob("*.png")) == [
        f"cells-a-grad-cam{number}.png" for number in ("-2", "-3", "-4", "")
    ]
