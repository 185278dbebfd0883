"""The command ``explain``."""

import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from verydeep.cli.main import main


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photos with the same name in two folders, and a broken file."""
    folder = tmp_path_factory.mktemp("photos")
    for name, value in (("a", 60), ("b", 200)):
        (folder / name).mkdir()
        pixels = np.full((40, 30), value, np.uint8)
        pixels[10:20, 5:20] = 255 - value
        Image.fromarray(pixels).save(folder / name / "photo.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff truncated")
    return folder


def test_one_picture_per_image_and_one_page(verydeep, here, trained, photos, tmp_path):
    done = verydeep("explain", trained, photos, "--out", tmp_path / "out", "--json")
    assert done.returncode == 1, done.stderr  # the broken file
    values = json.loads(done.stdout)
    assert list(values) == ["page", "images", "broken", "skipped"]
    assert [image["file"].rsplit("/", 1)[1] for image in values["broken"]] == ["broken.jpg"]
    names = [image["picture"].rsplit("/", 1)[1] for image in values["images"]]
    assert names == ["photo-grad-cam.png", "photo-grad-cam-2.png"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names, "index.html"}
    predicted = json.loads(here("predict", trained, photos / "a", "--json").stdout)[0]
    first = values["images"][0]
    assert (first["label"], first["method"], first["layer"]) == (predicted["label"], "grad-cam", "relu2_1")
    assert first["probability"] == pytest.approx(predicted["confidence"], abs=1e-6)


def test_the_evidence_for_a_given_class_as_text(here, trained, photos, tmp_path):
    predicted = json.loads(here("predict", trained, photos / "a", "--json").stdout)[0]
    last = list(predicted["probabilities"])[-1]
    done = here("explain", trained, photos / "a", "--class", last, "--method", "occlusion", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{last} " in done.stdout and f"(predicted: {predicted['label']} " in done.stdout
    assert "occlusion: explained/photo-occlusion.png" in done.stdout
    assert "Heat maps: explained/index.html" in done.stderr


def test_patches_and_filters(here, trained, photos, tmp_path):
    done = here("explain", trained, photos, "--patches", "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    values = json.loads(done.stdout)
    assert (values["picture"], values["images"]) == (f"explained/patches-{values['layer']}.png", 2)
    assert len(values["broken"]) == 1
    for channel in values["channels"]:
        top, left, bottom, right = channel["patches"][0]["box"]
        assert bottom - top == right - left == values["receptive_field"]
    assert list(values["channels"][0]) == ["channel", "z_score", "patches"]
    done = here("explain", trained, "--filters", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "explained/filters.png: 8 filters\n")
    with Image.open(tmp_path / "explained" / "filters.png") as opened:
        assert opened.format == "PNG"


def test_a_list_and_shards_are_explained(here, trained, photos, tmp_path):
    """Entries of shards have a picture named after the shard; its name is a valid file name everywhere."""
    (photos / "list.csv").write_text("file\na/photo.png\n")
    for shard, name in (("train-000", "./0001.png"), ("train-001", "sub/x?y.png")):
        with tarfile.open(tmp_path / f"{shard}.tar", "w") as archive:
            archive.add(photos / "b" / "photo.png", name)
    images = (photos / "list.csv", tmp_path / "train-{000..001}.tar")
    done = here("explain", trained, *images, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    explained = json.loads(done.stdout)["images"]
    files = [f"{photos}/a/photo.png", f"{tmp_path}/train-000.tar/./0001.png",
             f"{tmp_path}/train-001.tar/sub/x?y.png"]  # fmt: skip
    assert [image["file"] for image in explained] == files
    names = ["photo-grad-cam.png", "train-000-0001-grad-cam.png", "sub-x_y-grad-cam.png"]
    assert [image["picture"] for image in explained] == [f"{tmp_path}/out/{name}" for name in names]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names, "index.html"}
    assert explained[1]["probability"] == explained[2]["probability"]
    patches = here("explain", trained, *images, "--patches", "--out", tmp_path / "out", "--json")
    values = json.loads(patches.stdout)
    used = {patch["file"] for channel in values["channels"] for patch in channel["patches"]}
    assert values["images"] == 3 and used == set(files)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("RUN",), "no image is given; name files"),
        (("RUN", "PHOTOS", "--filters"), "it takes no images"),
        (("RUN", "PHOTOS/a", "--class", "zebra"), "has no class 'zebra'"),
        (("RUN", "PHOTOS/a", "--layer", "relu9"), "has no layer 'relu9'"),
        (("RUN", "PHOTOS/a", "--layer", "relu1_1", "--method", "smoothgrad"), "smoothgrad uses no layer"),
        (("RUN", "PHOTOS/a", "--patches", "--class", "zebra"), "--class is for heat maps"),
        (("RUN", "PHOTOS/a", "--patches", "--method", "occlusion"), "no use for --method occlusion"),
        (("RUN", "--filters", "--method", "occlusion"), "no use for --method occlusion"),
        (("RUN", "--filters", "--layer", "relu1_1"), "--filters has no use for --layer"),
        (("nowhere", "PHOTOS"), "there is no checkpoint at nowhere"),
        (("RUN", "no.png"), "no.png does not exist"),
    ],
)
def test_invalid_arguments_are_rejected_and_nothing_is_written(
    trained, photos, tmp_path, monkeypatch, capsys, arguments, message
):
    arguments = [text.replace("RUN", str(trained)).replace("PHOTOS", str(photos)) for text in arguments]
    monkeypatch.chdir(tmp_path)
    assert main(["explain", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
