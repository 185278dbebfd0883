"""Where a tuned network looks, on folders of drawn shapes and with networks of two layers."""

from dataclasses import replace

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data import synthetic
from verydeep.errors import DataError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.tune.heat_maps import MISTAKES, RIGHT, looks
from verydeep.tune.result import MistakenImage, TuneSettings
from verydeep.tune.tune import tune
from verydeep.weights import checkpoint_file as checkpoint

SEEN = Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A head on random convolutions, which tells some of 120 shapes from the others, and the network."""
    place = tmp_path_factory.mktemp("looks")
    torch.manual_seed(0)
    line = Architecture.from_string("16 M 32 M | gap", norm="batch", input=(3, 16, 16), classes=2)
    checkpoint.save(Checkpoint(build(line).eval(), SEEN, ("one", "other")), place / "tiny.safetensors")
    drawn = synthetic.shapes(120, size=16, channels=3, classes=3, seed=0)
    for number, (pixels, label) in enumerate(zip(drawn.pixels, drawn.labels.tolist(), strict=True)):
        path = place / "shapes" / drawn.classes[label] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    settings = TuneSettings(data=str(place / "shapes"), weights=str(place / "tiny.safetensors"), way="frozen")
    result = tune(settings, place / "run", device="cpu", cache=place / "cache")
    return result, checkpoint.load(result.run)


def test_mistakes_come_first_then_right_answers_of_all_classes(tuned):
    result, network = tuned
    found = looks(result, network)
    wrong = [look for look in found if not look.is_right]
    right = found[len(wrong) :]
    assert [look.name for look in wrong] == [each.name for each in result.mistakes[:MISTAKES]]
    assert [look.heat.predicted for look in wrong] == [each.predicted for each in result.mistakes[:MISTAKES]]
    assert len(right) == RIGHT and all(look.is_right for look in right)
    assert {look.label for look in right} == set(network.classes)
    assert len({look.name for look in found}) == len(found)


def test_all_are_test_images_with_a_map_for_the_class_that_was_named(tuned):
    result, network = tuned
    kept = (result.run / "split.csv").read_text().splitlines()
    tested = {line.split(",")[0] for line in kept if line.endswith(",test")}
    for look in looks(result, network):
        assert look.name in tested and look.name.startswith(f"{look.label}/")
        assert (look.heat.label, look.heat.method) == (look.heat.predicted, "grad-cam")
        assert look.heat.heat.shape == (16, 16)


def test_an_image_that_is_gone_is_left_out(tuned, tmp_path):
    result, network = tuned
    gone = MistakenImage(
        name="gone.png", source=tmp_path / "gone.png", label="circle", predicted="square", confidence=0.5
    )
    found = looks(replace(result, mistakes=(gone,)), network)
    assert found and "gone.png" not in [look.name for look in found]


def test_without_the_split_there_is_nothing_to_choose_from(tuned, tmp_path):
    result, network = tuned
    with pytest.raises(DataError, match="split"):
        looks(replace(result, run=tmp_path), network)
