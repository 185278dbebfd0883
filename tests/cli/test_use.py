"""``evaluate`` and ``predict`` on a trained run."""

import json

import numpy as np
import pytest
from PIL import Image

from verydeep.data import synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of many kinds, and two that are none."""
    folder = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    picture.save(folder / "colour.png")
    picture.convert("L").save(folder / "grey.jpg")
    picture.convert("P").save(folder / "palette.gif")
    picture.resize((3, 200)).save(folder / "thin.webp")
    (folder / "broken.jpg").write_bytes((folder / "grey.jpg").read_bytes()[:300])
    (folder / "empty.png").write_bytes(b"")
    return folder


def test_evaluate_json_has_the_promised_form(verydeep, trained):
    values = json.loads(verydeep("evaluate", trained, "synthetic", "--json").stdout)
    assert list(values) == ["top1", "top5", "loss", "per_class"]
    assert set(values["per_class"]) == set(synthetic.dataset(10, 10).classes)
    assert 0 <= values["top1"] <= values["top5"] <= 1


def test_evaluate_prints_a_table(verydeep, trained):
    shown = verydeep("evaluate", trained, "synthetic")
    assert shown.returncode == 0, shown.stderr
    assert "Accuracy" in shown.stdout and "most often taken for" in shown.stdout


def test_predict_goes_on_past_broken_files_and_exits_with_1(verydeep, trained, folder):
    done = verydeep("predict", trained, folder, "--json")
    assert done.returncode == 1
    rows = {row["file"].rsplit("/", 1)[1]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"broken.jpg", "colour.png", "empty.png", "grey.jpg", "palette.gif", "thin.webp"}
    assert "error" in rows["broken.jpg"] and "error" in rows["empty.png"]
    whole = rows["colour.png"]
    assert sum(whole["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert whole["label"] == max(whole["probabilities"], key=whole["probabilities"].get)


def test_predict_takes_files_and_globs(verydeep, trained, folder):
    done = verydeep("predict", trained, folder / "colour.png", str(folder / "*.gif"))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("predict", "nowhere", "x.png"), "there is no checkpoint at nowhere"),
        (("evaluate", "nowhere", "synthetic"), "there is no checkpoint"),
    ],
)
def test_a_missing_run_is_named(here, arguments, said):
    failed = here(*arguments)
    assert failed.returncode == 2 and said in failed.stderr


def test_a_missing_image_and_foreign_data_are_named(here, trained):
    failed = here("predict", trained, "no-such-photo.jpg")
    assert failed.returncode == 2 and "no-such-photo.jpg" in failed.stderr
