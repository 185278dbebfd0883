"""The folders that images are sorted into."""

import io

import numpy as np
import pytest
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.image_sources.find_images import read_sources
from verydeep.image_sources.open_images import read_samples
from verydeep.inputs.write_pack import write_pack
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.prediction.sort_images import sort_images


def network(classes):
    model = build(Architecture.from_string("4 | gap", input=(3, 16, 16), classes=len(classes)))
    return Checkpoint(model.eval(), Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3), classes)


def image(shade, mode="RGB"):
    return Image.new(mode, (16, 16), shade if mode == "L" else (shade, 90, 40))


def test_what_a_killed_process_left_of_a_copy_is_removed(tmp_path):
    checkpoint = network(("a", "b"))
    image(0).save(tmp_path / "1.png")
    out = tmp_path / "out"
    left = out / checkpoint.classes[0] / ".copy.0123abcd.part"
    left.mkdir(parents=True)
    (left / "copy").write_bytes(b"half an im")
    summary = sort_images(checkpoint, [tmp_path / "1.png"], out)
    assert summary.placed == 1
    assert [file.name for file in out.rglob("*") if file.is_file()] == ["1.png"] and not left.exists()


def test_classes_that_differ_in_case_have_folders_of_their_own(tmp_path):
    image(0).save(tmp_path / "1.png")
    folders = {}
    for answer in (0, 1):
        checkpoint = network(("Cardigan", "cardigan"))
        checkpoint.model.get_parameter("classifier.0.bias").data[answer] = 100
        folders |= sort_images(checkpoint, [tmp_path / "1.png"], tmp_path / "out").folders
    assert folders == {"Cardigan": 1, "cardigan-2": 1}
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"Cardigan", "cardigan-2"}


def test_images_of_a_pack_become_png_files(tmp_path):
    for name, mode in (("1.jpg", "RGB"), ("2.jpg", "L")):
        (tmp_path / "in" / "a").mkdir(parents=True, exist_ok=True)
        image(200, mode).save(tmp_path / "in" / "a" / name)
    pack = write_pack(read_samples(tmp_path / "in"), tmp_path / "photos.pack", 16).path
    sources, checkpoint = read_sources([pack]), network(("a", "b"))
    for placed in (2, 0):
        assert sort_images(checkpoint, sources, tmp_path / "out").placed == placed
    found = (file for file in (tmp_path / "out").rglob("*") if file.is_file())
    files = sorted(found, key=lambda file: file.name)
    assert [file.name for file in files] == ["1.png", "2.png"]
    for file, source, mode in zip(files, sources, ("RGB", "L"), strict=True):
        with Image.open(file) as opened:
            assert (opened.format, opened.mode) == ("PNG", mode)
            assert np.array_equal(np.asarray(opened), source.pixels().squeeze())


def test_images_of_a_data_set_have_the_suffix_of_their_content(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets", reason="needs the extra `datasets`")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    contents = []
    for shade, kind in enumerate(("PNG", "JPEG", "TIFF")):
        file = io.BytesIO()
        image(80 * shade).save(file, kind)
        contents.append(file.getvalue())
    rows = {"image": [{"bytes": content, "path": None} for content in contents]}
    features = datasets.Features({"image": datasets.Image()})
    datasets.Dataset.from_dict(rows, features).save_to_disk(tmp_path / "saved")
    sort_images(network(("a", "b")), read_sources([tmp_path / "saved"]), tmp_path / "out")
    files = {file.name: file.read_bytes() for file in (tmp_path / "out").rglob("*") if file.is_file()}
    assert files == dict(zip(("0.png", "1.jpg", "2.tif"), contents, strict=True))
