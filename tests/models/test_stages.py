"""A network split at a stage computes the same logits, and its copies share the frozen part."""

import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import stage_starts
from verydeep.errors import ArchitectureError
from verydeep.models.build import build
from verydeep.models.stages import copy_trainable, split_at_stage

ARCHITECTURES = {
    "vgg": ("8 M 16x2 M 16 M | gap 12", "none"),
    "norm after pool": ("8 M 16 M | gap", "batch-after-pool"),
    "resnet": ("8k7s2 Mk3s2p1 (8 8)x2 (16s2 16) | gap", "batch"),
    "alexnet": ("8k5s2p2 L Mk3s2 16 Mk3s2 | pool2 12", "none"),
}


@pytest.mark.parametrize(("string", "norm"), ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_both_parts_in_sequence_are_the_whole_network(string, norm):
    model = build(Architecture.from_string(string, norm=norm, input=(3, 32, 32), classes=3)).eval()
    images = torch.randn(2, 3, 32, 32)
    logits = model(images)
    for stages in range(len(stage_starts(model.architecture)) + 1):
        frozen, trainable = split_at_stage(model, stages)
        assert torch.equal(trainable(frozen(images)), logits)


def test_with_all_stages_trainable_the_frozen_part_is_empty():
    model = build(zoo.resolve("vgg-tiny"))
    frozen, trainable = split_at_stage(model, None)
    assert not len(frozen)
    assert {id(p) for p in trainable.parameters()} == {id(p) for p in model.parameters()}


def test_a_copy_shares_only_the_frozen_part():
    string, norm = ARCHITECTURES["resnet"]
    model = build(Architecture.from_string(string, norm=norm, input=(3, 32, 32), classes=3))
    other = copy_trainable(model, 1)
    shared = {name for name, p in model.named_parameters() if p is other.get_parameter(name)}
    assert shared == {
        name for name, _ in model.named_parameters() if name.startswith(("conv1", "bn1", "layer1"))
    }
    assert torch.equal(other.fc.weight, model.fc.weight)


def test_more_stages_than_the_network_has_are_an_error():
    with pytest.raises(ArchitectureError, match="cannot train the last 6 stages of vgg16; it has 5"):
        split_at_stage(build(zoo.resolve("vgg16").with_input(3, 32)), 6)
