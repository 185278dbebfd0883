"""``explain`` as a user calls it."""

import json

import numpy as np
import pytest
from PIL import Image

from verydeep.cli.main import main


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photos of one name in two folders, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for name, value in (("a", 60), ("b", 200)):
        (folder / name).mkdir()
        pixels = np.full((40, 30), value, np.uint8)
        pixels[10:20, 5:20] = 255 - value
        Image.fromarray(pixels).save(folder / name / "photo.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff cut off")
    return folder


def test_a_picture_an_image_and_one_page(verydeep, trained, photos, tmp_path):
    done = verydeep("explain", trained, photos, "--out", tmp_path / "out", "--json")
    assert done.returncode == 1, done.stderr  # the broken file
    values = json.loads(done.stdout)
    assert list(values) == ["page", "images", "broken"]
    assert [one["file"].rsplit("/", 1)[1] for one in values["broken"]] == ["broken.jpg"]
    names = [one["picture"].rsplit("/", 1)[1] for one in values["images"]]
    assert names == ["photo-grad-cam.png", "photo-grad-cam-2.png"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names, "index.html"}
    predicted = json.loads(verydeep("predict", trained, photos / "a", "--json").stdout)[0]
    first = values["images"][0]
    assert (first["label"], first["method"], first["layer"]) == (predicted["label"], "grad-cam", "relu2_1")
    assert first["probability"] == pytest.approx(predicted["confidence"], abs=1e-6)


def test_of_a_class_that_is_named_and_in_words(verydeep, trained, photos, tmp_path):
    predicted = json.loads(verydeep("predict", trained, photos / "a", "--json").stdout)[0]
    last = list(predicted["probabilities"])[-1]
    done = verydeep("explain", trained, photos / "a", "--class", last, "--method", "occlusion", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"{last} " in done.stdout and f"(predicted: {predicted['label']} " in done.stdout
    assert "occlusion: explained/photo-occlusion.png" in done.stdout
    assert "All on one page: explained/index.html" in done.stderr


def test_patches_and_filters(verydeep, trained, photos, tmp_path):
    done = verydeep("explain", trained, photos, "--patches", "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    values = json.loads(done.stdout)
    assert (values["picture"], values["images"]) == (f"explained/patches-{values['layer']}.png", 2)
    assert len(values["broken"]) == 1
    for channel in values["channels"]:
        top, left, bottom, right = channel["patches"][0]["box"]
        assert bottom - top == right - left == values["field"]
    done = verydeep("explain", trained, "--filters", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "explained/filters.png: 8 filters\n")
    with Image.open(tmp_path / "explained" / "filters.png") as opened:
        assert opened.format == "PNG"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("RUN",), "no image is given; name files"),
        (("RUN", "PHOTOS", "--filters"), "it takes no images"),
        (("RUN", "PHOTOS/a", "--class", "zebra"), "knows no class 'zebra'"),
        (("RUN", "PHOTOS/a", "--layer", "relu9"), "has no layer 'relu9'"),
        (("RUN", "PHOTOS/a", "--layer", "relu1_1", "--method", "smoothgrad"), "looks at the image and at no"),
        (("RUN", "PHOTOS/a", "--patches", "--class", "zebra"), "--class is for heat maps"),
        (("nowhere", "PHOTOS"), "there is no checkpoint at nowhere"),
        (("RUN", "no.png"), "no.png does not exist"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(
    trained, photos, tmp_path, monkeypatch, capsys, arguments, said
):
    given = [text.replace("RUN", str(trained)).replace("PHOTOS", str(photos)) for text in arguments]
    monkeypatch.chdir(tmp_path)
    assert main(["explain", *given]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
