"""Where the head may sit: at the end of a network or a stage below, from one pass, by images held out."""

from dataclasses import replace

import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Head
from verydeep.architecture.preprocess import Preprocess
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.tune.backbone import with_head
from verydeep.tune.feature_cache import head_inputs
from verydeep.tune.head_position import best_end, both_ends, ends_of, extract_for, shallower
from verydeep.tune.linear_probe import LearntHead
from verydeep.tune.logistic_regression import LinearHead
from verydeep.tune.result import CrossValidation, StrengthPoint

SEEN = Preprocess(size=32, mean=(0.5,) * 3, std=(0.25,) * 3)
LINES = {
    "VGG": ("8 M 12x2 M 16 M | gap", "none"),
    "VGG with batch norm": ("8 M 12x2 M 16 M | gap", "batch"),
    "a norm behind the pool": ("8 M 12 12 M 16 16 | gap", "batch-after-pool"),
    "pools that overlap": ("8k5s2p2 Mk3s2 12 Mk3s2 16 16 Mk3s2 | gap", "none"),
    "a ResNet": ("8s2 (8 8) (16s2 16) (24s2 24) | gap", "batch"),
}


def network(line, norm):
    torch.manual_seed(0)
    architecture = Architecture.from_string(line, name="tiny", norm=norm, input=(3, 32, 32), classes=2)
    return Checkpoint(build(architecture).eval(), SEEN, ("one", "other"))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("vgg16", "64x2 M 128x2 M 256x3 M 512x3 | gap"),
        ("alexnet", "64k11s4p2 Mk3s2 192k5 | gap"),
        ("resnet18", "64k7s2 Mk3s2p1 (64 64)x2 (128s2 128) (128 128) (256s2 256) (256 256) | gap"),
    ],
)
def test_a_stage_shorter_is_another_line(name, line):
    assert shallower(replace(zoo.resolve(name), head=Head())).string == line


def test_a_network_of_one_stage_has_one_end():
    ends = ends_of(network("8 8 | gap", "none"), whole=False)
    assert len(ends) == 1
    assert extract_for(ends) is head_inputs


@pytest.mark.parametrize(("line", "norm"), LINES.values(), ids=LINES)
def test_one_pass_gives_what_each_network_gives(line, norm):
    whole = network(line, norm)
    images = torch.randn(3, 3, 32, 32)
    ends = ends_of(whole, whole=False)
    assert extract_for(ends) is both_ends
    with torch.no_grad():
        features = both_ends(whole.model, images)
        for end in ends:
            torch.testing.assert_close(features[:, end.columns], head_inputs(end.network.model, images))
    assert features.shape[1] == ends[-1].columns.stop


def test_the_shorter_network_takes_a_head_and_shares_its_tensors():
    whole = network(*LINES["VGG"])
    below = ends_of(whole, whole=False)[1]
    assert below.layer == "relu2_2"
    head = LinearHead(torch.randn(3, 12), torch.randn(3))
    fitted = with_head(below.network, head, ("a", "b", "c"))
    assert fitted.model.architecture.name == "tiny-to-relu2_2"
    first = whole.model.get_parameter("features.0.weight")
    assert fitted.model.get_parameter("features.0.weight").data_ptr() == first.data_ptr()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(fitted.model(images), head(head_inputs(below.network.model, images)))


def learned(*losses):
    curve = tuple(
        StrengthPoint(strength=1.0, balanced_accuracy=0.5, standard_error=0.1, loss=loss) for loss in losses
    )
    validation = CrossValidation(
        folds=len(losses), curve=curve, strength=1.0, temperature=1.0, score=None, seconds=2.0
    )
    return LearntHead(LinearHead(torch.zeros(2, 12), torch.zeros(2)), validation)


@pytest.mark.parametrize(("of_below", "best"), [(0.25, 0), (0.1, 1)])
def test_the_end_with_less_loss_on_images_held_out_is_taken(of_below, best):
    ends = ends_of(network(*LINES["VGG"]), whole=False)
    end, head, reason = best_end(ends, lambda end: learned(0.3, 0.2) if end is ends[0] else learned(of_below))
    assert end is ends[best]
    assert head.validation.seconds == 4.0
    assert f"0.200 after pool3, {of_below:.3f} after relu2_2" in reason


def test_where_nothing_is_held_out_the_head_sits_at_the_end():
    ends = ends_of(network(*LINES["VGG"]), whole=False)
    end, _, reason = best_end(ends, lambda end: learned())
    assert end is ends[0] and reason == "after pool3, the end of the network"
