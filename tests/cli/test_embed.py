"""``embed`` and ``similar`` as a user calls them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from verydeep.architecture import zoo
from verydeep.models.build import build


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Bright and dark stripes, eight of each, and a file that is none."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(8):
        for name, side in (("rows", 0), ("columns", 1)):
            pixels = np.full((30, 30), 30 + 5 * number, np.uint8)
            pixels[(slice(None, None, 4), slice(None))[:: 1 - 2 * side]] = 250 - 5 * number
            path = folder / name / f"{number}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff cut off")
    return folder


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Features only, under torchvision's names."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("features") / "tiny.safetensors"
    tensors = build(zoo.resolve("vgg-tiny")).state_dict()
    kept = {name: value for name, value in tensors.items() if name.startswith("features.")}
    save_file(kept, path, {"mean": "0.5", "std": "0.25"})
    return path


def test_embed_writes_vectors_goes_on_and_exits_with_1(verydeep, trained, folder, tmp_path):
    done = verydeep("embed", trained, folder, "--out", tmp_path / "v.npz", "--unit-length", "--json")
    assert done.returncode == 1, done.stderr
    values = json.loads(done.stdout)
    assert list(values) == ["out", "vectors", "dimensions", "layer", "broken"]
    assert (values["vectors"], values["dimensions"], values["layer"]) == (16, 16, "pool2")
    assert [one["file"].rsplit("/", 1)[1] for one in values["broken"]] == ["broken.jpg"]
    with np.load(tmp_path / "v.npz", allow_pickle=False) as opened:
        assert opened["vectors"].shape == (16, 16)
        np.testing.assert_allclose(np.linalg.norm(opened["vectors"], axis=1), 1, rtol=1e-5)


def test_similar_finds_the_same_kind_from_a_folder_and_from_vectors(verydeep, features, folder, tmp_path):
    image, vectors = folder / "rows" / "3.png", tmp_path / "vectors.npz"
    computed = verydeep("similar", features, folder, image, "--count", 4, "--json")
    assert computed.returncode == 1, computed.stderr  # the broken file
    values = json.loads(computed.stdout)
    assert list(values) == ["image", "layer", "neighbors", "broken"]
    assert {one["file"].split("/")[-2] for one in values["neighbors"]} == {"rows"}
    assert str(image) not in [one["file"] for one in values["neighbors"]]
    assert verydeep("embed", features, folder, "--out", vectors).returncode == 1
    held = verydeep("similar", features, vectors, image, "--count", 4, "--out", tmp_path / "sheet.png")
    assert held.returncode == 0, held.stderr
    listed = [line.split("  ", 1)[1] for line in held.stdout.splitlines()]
    assert listed == [one["file"] for one in values["neighbors"]]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 600


@pytest.mark.parametrize(
    ("arguments", "said"),
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
def test_mistakes_are_named(here, features, folder, tmp_path, arguments, said):
    names = {"RUN": str(features), "FOLDER": str(folder)}
    given = [names.get(text, text.replace("FOLDER/", f"{folder}/")) for text in arguments]
    failed = here(*given, cwd=tmp_path)
    assert failed.returncode == 2 and said in failed.stderr
    assert not list(tmp_path.iterdir())


def test_vectors_of_another_layer_are_refused(verydeep, features, folder, tmp_path):
    verydeep("embed", features, folder / "rows", "--out", tmp_path / "v.npz")
    image = folder / "rows" / "3.png"
    failed = verydeep("similar", features, tmp_path / "v.npz", image, "--layer", "conv1_1")
    assert failed.returncode == 2 and "holds vectors of vgg-tiny features, relu3_1" in failed.stderr
