"""The position of the classifier head: at the end of a network, a stage below, or after a given layer."""

from dataclasses import replace

import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import RecipeError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.start.pretrained import with_last_layer
from verydeep.tune.feature_cache import head_inputs
from verydeep.tune.head_position import best_position, both_positions, head_positions, without_last_stage
from verydeep.tune.linear_probe import LinearProbe
from verydeep.tune.logistic_regression import LinearHead
from verydeep.tune.result import CrossValidation, L2Point

PREPROCESS = Preprocess(size=32, mean=(0.5,) * 3, std=(0.25,) * 3)
NETWORKS = {
    "VGG": ("8 M 12x2 M 16 M | gap", "none"),
    "VGG with batch norm": ("8 M 12x2 M 16 M | gap", "batch"),
    "a norm after the pool": ("8 M 12 12 M 16 16 | gap", "batch-after-pool"),
    "overlapping pools": ("8k5s2p2 Mk3s2 12 Mk3s2 16 16 Mk3s2 | gap", "none"),
    "ResNet": ("8s2 (8 8) (16s2 16) (24s2 24) | gap", "batch"),
}


def network(string, norm):
    torch.manual_seed(0)
    architecture = Architecture.from_string(string, name="tiny", norm=norm, input=(3, 32, 32), classes=2)
    return Checkpoint(build(architecture).eval(), PREPROCESS, ("one", "other"))


@pytest.mark.parametrize(
    ("name", "string"),
    [
        ("vgg16", "64x2 M 128x2 M 256x3 M 512x3 | gap"),
        ("alexnet", "64k11s4p2 Mk3s2 192k5 | gap"),
        ("resnet18", "64k7s2 Mk3s2p1 (64 64)x2 (128s2 128) (128 128) (256s2 256) (256 256) | gap"),
    ],
)
def test_without_its_last_stage_a_network_is_a_shorter_architecture_string(name, string):
    assert without_last_stage(replace(zoo.resolve(name), head=Head())).string == string


def test_a_network_of_one_stage_has_one_position():
    positions, extract = head_positions(network("8 8 | gap", "none"), "auto")
    assert len(positions) == 1
    assert extract is head_inputs


@pytest.mark.parametrize(("string", "norm"), NETWORKS.values(), ids=NETWORKS)
def test_one_pass_extracts_the_features_of_both_positions(string, norm):
    whole = network(string, norm)
    images = torch.randn(3, 3, 32, 32)
    positions, extract = head_positions(whole, "auto")
    assert extract is both_positions and len(positions) == 2
    with torch.no_grad():
        features = both_positions(whole.model, images)
        for position in positions:
            expected = head_inputs(position.network.model, images)
            torch.testing.assert_close(features[:, position.columns], expected)
    assert features.shape[1] == positions[-1].columns.stop


@pytest.mark.parametrize("head", ["gap", "whole"])
def test_gap_and_whole_are_the_end_alone(head):
    positions, extract = head_positions(network(*NETWORKS["VGG"]), head)
    assert [position.layer for position in positions] == ["pool3"]
    assert extract is head_inputs


@pytest.mark.parametrize(("layer", "index"), [("pool3", 0), ("relu2_2", 1)])
def test_a_layer_that_auto_may_choose_uses_the_features_of_auto(layer, index):
    whole = network(*NETWORKS["VGG"])
    (position,), extract = head_positions(whole, layer)
    assert extract is both_positions
    assert position.columns == head_positions(whole, "auto")[0][index].columns
    assert position.layer == layer


def test_another_layer_ends_the_network_there():
    (position,), extract = head_positions(network(*NETWORKS["VGG"]), "relu2_1")
    assert position.layer == "relu2_1" and extract is head_inputs
    assert position.network.model.architecture.string == "8 M 12 | gap"
    with pytest.raises(RecipeError, match="head is 'relu7_1'"):
        head_positions(network(*NETWORKS["VGG"]), "relu7_1")


def test_the_shorter_network_takes_a_last_layer_and_shares_its_tensors():
    whole = network(*NETWORKS["VGG"])
    below = head_positions(whole, "auto")[0][1]
    assert below.layer == "relu2_2"
    head = LinearHead(torch.randn(3, 12), torch.randn(3))
    fitted = with_last_layer(below.network, head.weight, head.bias, ("a", "b", "c"))
    assert fitted.model.architecture.name == "tiny-to-relu2_2"
    first = whole.model.get_parameter("features.0.weight")
    assert fitted.model.get_parameter("features.0.weight").data_ptr() == first.data_ptr()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(fitted.model(images), head(head_inputs(below.network.model, images)))


def probe(*losses):
    curve = tuple(L2Point(l2=1.0, balanced_accuracy=0.5, standard_error=0.1, loss=loss) for loss in losses)
    validation = CrossValidation(
        folds=len(losses), curve=curve, l2=1.0, temperature=1.0, evaluation=None, seconds=2.0
    )
    return LinearProbe(LinearHead(torch.zeros(2, 12), torch.zeros(2)), validation)


@pytest.mark.parametrize(("below", "best"), [(0.25, 0), (0.1, 1)])
def test_the_position_with_the_lower_loss_in_cross_validation_is_chosen(below, best):
    positions, _ = head_positions(network(*NETWORKS["VGG"]), "auto")
    chosen, fitted, reason = best_position(
        positions, lambda position: probe(0.3, 0.2) if position is positions[0] else probe(below)
    )
    assert chosen is positions[best]
    assert fitted.validation.seconds == 4.0
    assert fitted.validation.curve[-1].loss == min(0.2, below)
    assert f"0.200 after pool3, {below:.3f} after relu2_2" in reason


def test_without_cross_validation_the_head_is_at_the_end():
    positions, _ = head_positions(network(*NETWORKS["VGG"]), "auto")
    chosen, _, reason = best_position(positions, lambda position: probe())
    assert chosen is positions[0] and reason == "after pool3, the end of the network"


def test_a_given_position_is_stated_as_given():
    positions, _ = head_positions(network(*NETWORKS["VGG"]), "relu2_2")
    chosen, _, reason = best_position(positions, lambda position: probe(0.1))
    assert chosen is positions[0] and reason == "after relu2_2, as given"
