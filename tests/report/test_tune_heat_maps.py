"""Grad-CAM heat maps of test images of a tuned classifier, on drawn shapes and with tiny networks."""

from dataclasses import replace

import pytest
import torch

from tests.train.folders import write_folder
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.split_file import read_split
from verydeep.errors import DataError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.report import tune_heat_maps
from verydeep.report.tune_heat_maps import CORRECT, MISTAKES
from verydeep.tune.config import TuneConfig
from verydeep.tune.result import MistakenImage
from verydeep.tune.tune import tune_network
from verydeep.weight_files.checkpoint_file import load, save


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A linear probe on random convolutions, which tells some of 120 shapes from the others."""
    folder = tmp_path_factory.mktemp("heat-maps")
    shapes = write_folder(folder / "shapes", (40, 40, 40))
    torch.manual_seed(0)
    net = Architecture.from_string("16 M 32 M | gap", norm="batch", input=(3, 16, 16), classes=2)
    preprocess = Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)
    weights = folder / "tiny.safetensors"
    save(Checkpoint(build(net).eval(), preprocess, ("one", "other")), weights)
    config = TuneConfig(weights=str(weights), strategy="linear-probe")
    result = tune_network(str(shapes), config, folder / "run", device="cpu", cache=folder / "cache")
    return result, load(result.run)


def test_mistakes_come_first_then_correct_predictions_of_all_classes(tuned):
    result, network = tuned
    found = tune_heat_maps.test_heat_maps(result, network)
    wrong = [each for each in found if not each.is_correct]
    correct = found[len(wrong) :]
    mistakes = result.mistakes[:MISTAKES]
    assert [each.name for each in wrong] == [each.name for each in mistakes]
    assert [each.heat.predicted for each in wrong] == [each.predicted for each in mistakes]
    assert len(correct) == CORRECT and all(each.is_correct for each in correct)
    assert {each.label for each in correct} == set(network.classes)
    assert len({each.name for each in found}) == len(found)


def test_all_are_test_images_with_a_heat_map_of_the_predicted_class(tuned):
    result, network = tuned
    test = {name for name, part in read_split(result.run / "split.csv").items() if part == "test"}
    for each in tune_heat_maps.test_heat_maps(result, network):
        assert each.name in test and each.name.startswith(f"{each.label}/")
        assert (each.heat.label, each.heat.method) == (each.heat.predicted, "grad-cam")
        assert each.heat.heat.shape == (16, 16)


def test_an_image_that_was_deleted_is_left_out(tuned, tmp_path):
    result, network = tuned
    deleted = MistakenImage(
        name="gone.png", source=tmp_path / "gone.png", label="circle", predicted="square", confidence=0.5
    )
    found = tune_heat_maps.test_heat_maps(replace(result, mistakes=(deleted,)), network)
    assert found and "gone.png" not in [each.name for each in found]


def test_without_the_split_file_it_is_an_error(tuned, tmp_path):
    result, network = tuned
    with pytest.raises(DataError, match="split"):
        tune_heat_maps.test_heat_maps(replace(result, run=tmp_path), network)
