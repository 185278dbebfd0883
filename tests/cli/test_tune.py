"""The command as a user meets it: a folder, a network, and what is said."""

import json

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.cli.tune import seconds
from verydeep.data import synthetic
from verydeep.errors import RecipeError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weights import checkpoint_file as checkpoint


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """``shapes/`` with two classes of 20 and ``tiny.safetensors``."""
    place = tmp_path_factory.mktemp("tune")
    drawn = synthetic.shapes(40, size=16, channels=3, classes=2)
    for number, (picture, label) in enumerate(zip(drawn.pixels, drawn.labels.tolist(), strict=True)):
        folder = place / "shapes" / drawn.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(folder / f"{number}.png")
    torch.manual_seed(0)
    line = Architecture.from_string("16 M 32 M | gap", norm="batch", input=(3, 16, 16), classes=2)
    seen = Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)
    checkpoint.save(Checkpoint(build(line).eval(), seen, ("a", "b")), place / "tiny.safetensors")
    return place


def test_a_folder_becomes_a_run_that_predicts(verydeep, place):
    done = verydeep(
        "tune", "shapes", "--weights", "tiny.safetensors", cwd=place, VERYDEEP_CACHE=place / "cache"
    )
    assert done.returncode == 0, done.stderr
    assert "Balanced accuracy" in done.stdout
    assert "kept: frozen, the network stayed as it is: 26 training images are too few" in done.stdout.replace(
        "\n", " "
    )
    assert "train 32, test 8; seen at 16 px, which the weights were trained on" in done.stderr
    named = verydeep("predict", "runs/tune-shapes", "shapes/circle", "--json", cwd=place)
    assert {each["label"] for each in json.loads(named.stdout)} <= {"circle", "square"}


def test_json_is_all_that_is_on_stdout(verydeep, place):
    done = verydeep(
        "tune", "shapes", "--weights", "tiny.safetensors", "--frozen", "--json", "--out", "again", cwd=place,
        VERYDEEP_CACHE=place / "cache",
    )  # fmt: skip
    said = json.loads(done.stdout)
    assert said["run"] == "again"
    assert said["chosen"] == "frozen"
    assert said["test"]["images"] == 8
    assert (place / "again" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--weights", "tiny.safetensors"], "nowhere"),
        (["shapes"], "give --weights"),
        (["shapes", "--weights", "tiny.safetensors", "--frozen", "--full"], "--compare does all"),
        (["shapes", "--weights", "tiny.safetensors", "--budget", "soon"], "write 90s, 5m or 1h"),
    ],
)
def test_mistakes_are_answered_in_words(verydeep, place, arguments, said):
    done = verydeep("tune", *arguments, cwd=place)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("text", "length"), [("90s", 90), ("5m", 300), ("1.5h", 5400), ("40", 40)])
def test_lengths_of_time(text, length):
    assert seconds(text) == length


def test_what_is_no_length_of_time_is_refused():
    with pytest.raises(RecipeError, match="'5 days'"):
        seconds("5 days")
