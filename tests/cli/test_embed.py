"""The commands ``embed`` and ``similar``."""

import json
import shutil
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from verydeep.architecture import zoo
from verydeep.embed.vector_file import read_vectors
from verydeep.models.build import build
from verydeep.weight_files.tensor_checksum import tensor_checksum


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Horizontal and vertical stripes, eight of each, and a broken file."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(8):
        for name, side in (("rows", 0), ("columns", 1)):
            pixels = np.full((30, 30), 30 + 5 * number, np.uint8)
            pixels[(slice(None, None, 4), slice(None))[:: 1 - 2 * side]] = 250 - 5 * number
            path = folder / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff truncated")
    return folder


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Weights without a head, with torchvision's names."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("features") / "tiny.safetensors"
    tensors = build(zoo.resolve("vgg-tiny")).state_dict()
    tensors = {name: value for name, value in tensors.items() if name.startswith("features.")}
    save_file(tensors, path, {"mean": "0.5", "std": "0.25"})
    return path


def test_embed_writes_vectors_reports_broken_images_and_exits_with_1(verydeep, trained, folder, tmp_path):
    done = verydeep("embed", trained, folder, "--out", tmp_path / "v.npz", "--unit-length", "--json")
    assert done.returncode == 1, done.stderr
    values = json.loads(done.stdout)
    assert list(values) == ["out", "vectors", "dimensions", "layer", "broken", "skipped"]
    assert (values["vectors"], values["dimensions"], values["layer"]) == (16, 16, "pool2")
    assert [image["file"].rsplit("/", 1)[1] for image in values["broken"]] == ["broken.jpg"]
    with np.load(tmp_path / "v.npz", allow_pickle=False) as opened:
        assert opened["vectors"].shape == (16, 16)
        np.testing.assert_allclose(np.linalg.norm(opened["vectors"], axis=1), 1, rtol=1e-5)


def test_similar_lists_the_same_neighbors_from_a_folder_and_from_vectors(
    verydeep, here, features, folder, tmp_path
):
    image, vectors = folder / "rows" / "3.png", tmp_path / "vectors.npz"
    computed = verydeep("similar", features, folder, image, "--count", 4, "--json")
    assert computed.returncode == 1, computed.stderr  # the broken file
    values = json.loads(computed.stdout)
    assert list(values) == ["image", "layer", "neighbors", "broken", "skipped"]
    assert {neighbor["file"].split("/")[-2] for neighbor in values["neighbors"]} == {"rows"}
    assert str(image) not in [neighbor["file"] for neighbor in values["neighbors"]]
    assert here("embed", features, folder, "--out", vectors).returncode == 1
    stored = here("similar", features, vectors, image, "--count", 4, "--out", tmp_path / "sheet.png")
    assert stored.returncode == 0, stored.stderr
    listed = [line.split("  ", 1)[1] for line in stored.stdout.splitlines()]
    assert listed == [neighbor["file"] for neighbor in values["neighbors"]]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 600


def test_similar_prints_the_list_though_an_image_of_stored_vectors_is_gone(here, features, folder, tmp_path):
    photos = shutil.copytree(folder / "rows", tmp_path / "photos")
    here("embed", features, photos, "--out", tmp_path / "v.npz")
    (photos / "5.png").unlink()
    for flags in ((), ("--json",)):
        out = tmp_path / f"sheet{len(flags)}.png"
        done = here("similar", features, tmp_path / "v.npz", photos / "3.png", "--out", out, *flags)
        assert done.returncode == 0, done.stderr
        assert str(photos / "5.png") in done.stdout
        assert out.exists()


def test_a_file_of_vectors_is_not_overwritten(here, features, folder, tmp_path):
    command = ("embed", features, folder / "rows")
    assert here(*command, cwd=tmp_path).returncode == 0
    content = (tmp_path / "vectors.npz").read_bytes()
    refused = here(*command, cwd=tmp_path)
    assert refused.returncode == 2
    assert "vectors.npz already exists; delete it, or name another file with --out" in refused.stderr
    assert (tmp_path / "vectors.npz").read_bytes() == content


def test_the_weights_are_read_once_for_their_checksum(here, features, folder, tmp_path, monkeypatch):
    read = []

    def noting(tensors):
        read.append(tensors)
        return tensor_checksum(tensors)

    monkeypatch.setattr("verydeep.embed.embedder.tensor_checksum", noting)
    assert here("embed", features, folder / "rows", "--out", tmp_path / "v.npz").returncode == 0
    assert len(read) == 1


@pytest.fixture(scope="module")
def listed(folder, tmp_path_factory):
    """Three images as a CSV list and two as a shard, whose member has a path."""
    parent = tmp_path_factory.mktemp("listed")
    rows = "".join(f"{folder}/{name}.png\n" for name in ("rows/1", "rows/2", "columns/3"))
    (parent / "list.csv").write_text(f"file\n{rows}")
    with tarfile.open(parent / "train-000.tar", "w") as archive:
        for name in ("rows/4", "columns/5"):
            archive.add(folder / f"{name}.png", f"./{name.replace('/', '-')}.png")
    return parent / "list.csv", parent / "train-000.tar"


def test_embed_reads_a_list_and_a_shard(here, features, folder, listed, tmp_path):
    fp32 = ("--precision", "fp32")  # the usual one depends on the processor
    done = here("embed", features, *listed, "--out", tmp_path / "v.npz", *fp32)
    assert (done.returncode, done.stderr) == (0, "5 images\n")
    files = [f"{folder}/{name}.png" for name in ("rows/1", "rows/2", "columns/3")]
    with np.load(tmp_path / "v.npz", allow_pickle=False) as opened:
        names, vectors = opened["files"].tolist(), opened["vectors"]
    assert names == [*files, f"{listed[1]}/./rows-4.png", f"{listed[1]}/./columns-5.png"]
    here("embed", features, folder / "rows" / "4.png", "--out", tmp_path / "one.npz", *fp32)
    with np.load(tmp_path / "one.npz") as opened:
        np.testing.assert_allclose(opened["vectors"][0], vectors[3], rtol=1e-4, atol=1e-6)


def test_similar_reads_a_list_and_a_shard(here, features, folder, listed, tmp_path):
    image = folder / "rows" / "3.png"
    for images, expected in zip(listed, (["1.png", "2.png"], ["rows-4.png"]), strict=True):
        out = tmp_path / "sheet.html"
        done = here("similar", features, images, image, "--count", 2, "--json", "--out", out)
        assert done.returncode == 0, done.stderr
        names = [neighbor["file"].rsplit("/", 1)[1] for neighbor in json.loads(done.stdout)["neighbors"]]
        assert sorted(names[: len(expected)]) == expected
        assert out.read_text(encoding="utf-8").count("<img ") == 3


def test_a_contact_sheet_of_stored_vectors_finds_the_images_in_their_shard(
    here, features, folder, listed, tmp_path
):
    here("embed", features, listed[1], "--out", tmp_path / "v.npz")
    image, sheet = folder / "rows" / "3.png", tmp_path / "sheet.png"
    done = here("similar", features, tmp_path / "v.npz", image, "--out", sheet)
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr
    with Image.open(sheet) as opened:
        assert opened.format == "PNG"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("embed", "RUN", "FOLDER", "--layer", "relu9_9"), "has no layer 'relu9_9'. Did you mean"),
        (("embed", "RUN", "FOLDER", "--out", "v.csv"), "v.csv is neither .npz nor .parquet"),
        (("embed", "nowhere", "FOLDER"), "there is no checkpoint at nowhere"),
        (("similar", "RUN", "FOLDER", "no.png"), "no.png does not exist"),
        (("similar", "RUN", "FOLDER", "FOLDER/broken.jpg"), "broken.jpg"),
        (("similar", "RUN", "FOLDER", "no.png", "--out", "sheet.pdf"), "neither .png nor .html"),
        (("similar", "RUN", "FOLDER", "no.png", "--count", "0"), "--count is 0"),
        (("similar", "RUN", "v.npz", "no.png"), "there is no file of vectors at v.npz"),
    ],
)
def test_invalid_arguments_are_rejected(here, features, folder, tmp_path, arguments, message):
    arguments = [text.replace("RUN", str(features)).replace("FOLDER", str(folder)) for text in arguments]
    failed = here(*arguments, cwd=tmp_path)
    assert failed.returncode == 2 and message in failed.stderr
    assert not list(tmp_path.iterdir())


def test_vectors_of_another_layer_are_rejected(here, features, folder, tmp_path):
    here("embed", features, folder / "rows", "--out", tmp_path / "v.npz")
    image = folder / "rows" / "3.png"
    failed = here("similar", features, tmp_path / "v.npz", image, "--layer", "conv1_1")
    assert failed.returncode == 2 and "holds vectors of vgg-tiny features, relu3_1" in failed.stderr


def test_embed_computes_in_the_precision_that_is_asked_for(verydeep, trained, folder, tmp_path):
    for precision in ("fp32", "bf16"):
        out = tmp_path / f"{precision}.npz"
        done = verydeep("embed", trained, folder / "rows", "--precision", precision, "--out", out)
        assert done.returncode == 0, done.stderr
        assert read_vectors(out).metadata.precision == precision
    parts = tmp_path / "parts"
    done = verydeep("embed", trained, folder / "rows", "--out", parts)
    assert done.returncode == 0 and read_vectors(parts).metadata.precision == "fp32"
    done = verydeep("embed", trained, folder / "rows", "--out", parts, "--precision", "bf16")
    assert done.returncode == 2 and "another --precision (auto, not bf16)" in done.stderr
