"""A network cut at a stage computes what it did whole, and its lower part is one and the same."""

import pytest
import torch

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import stage_starts
from verydeep.errors import ArchitectureError
from verydeep.models.build import build
from verydeep.models.stages import copy_above, cut

LINES = {
    "vgg": ("8 M 16x2 M 16 M | gap 12", "none"),
    "norm after pool": ("8 M 16 M | gap", "batch-after-pool"),
    "resnet": ("8k7s2 Mk3s2p1 (8 8)x2 (16s2 16) | gap", "batch"),
    "alexnet": ("8k5s2p2 L Mk3s2 16 Mk3s2 | pool2 12", "none"),
}


@pytest.mark.parametrize(("line", "norm"), LINES.values(), ids=LINES)
def test_both_parts_in_a_row_are_the_whole(line, norm):
    model = build(Architecture.from_string(line, norm=norm, input=(3, 32, 32), classes=3)).eval()
    images = torch.randn(2, 3, 32, 32)
    whole = model(images)
    for stages in range(len(stage_starts(model.architecture)) + 1):
        below, above = cut(model, stages)
        assert torch.equal(above(below(images)), whole)


def test_all_stages_leave_nothing_below():
    model = build(zoo.resolve("vgg-tiny"))
    below, above = cut(model, None)
    assert not len(below)
    assert {id(p) for p in above.parameters()} == {id(p) for p in model.parameters()}


def test_a_copy_shares_what_lies_below_alone():
    line, norm = LINES["resnet"]
    model = build(Architecture.from_string(line, norm=norm, input=(3, 32, 32), classes=3))
    other = copy_above(model, 1)
    shared = {name for name, p in model.named_parameters() if p is other.get_parameter(name)}
    assert shared == {
        name for name, _ in model.named_parameters() if name.startswith(("conv1", "bn1", "layer1"))
    }
    assert torch.equal(other.fc.weight, model.fc.weight)


def test_more_stages_than_there_are_is_refused():
    with pytest.raises(ArchitectureError, match="last 6 stages of vgg16 were asked for; it has 5"):
        cut(build(zoo.resolve("vgg16").with_input(3, 32)), 6)
