"""A value of a map sees the box that is said, and nothing outside it."""

import pytest
import torch
from torch import nn

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import grid_name
from verydeep.models.build import build, build_empty
from verydeep.models.feature_extractor import tap_names, taps
from verydeep.models.receptive_fields import Field, fields

LINES = {
    "vgg": ("4x2 M 6 L M | gap", {}),
    "late norm": ("4 M 6x2 M | gap", {"norm": "batch-after-pool"}),
    "alexnet": ("4k7s2p1 Mk3s2 6k5 Mk3s2 | gap", {}),
    "resnet": ("4k7s2 Mk3s2p1 (4 4) (6s2 6) | gap", {"norm": "batch"}),
}


@pytest.mark.parametrize("name", zoo.names())
def test_sizes_are_those_that_the_spec_gives(name):
    architecture = zoo.resolve(name)
    found = fields(build_empty(architecture))
    said = {row.name: row.receptive_field for row in trace(architecture).layers if row.name in found}
    assert {layer: found[layer].size for layer in said} == said
    names = tap_names(build_empty(architecture))
    assert tuple(found) == names[: names.index(grid_name(architecture))]


def test_the_field_of_vgg16s_last_maps():  # 212 px after pool5: Araujo et al. 2019, table 1
    found = fields(build_empty(zoo.resolve("vgg16")))
    assert found["pool5"] == Field(212, 32, -90)
    assert found["relu1_1"].box(0, 3) == (-1, 2, 2, 5)


def all_open(model):
    """Nothing cancels, no ReLU is closed, and a pool passes on all of its places, not the greatest alone."""
    for module in list(model.modules()):
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.1)
            nn.init.zeros_(module.bias)
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    return model.eval()


@pytest.mark.parametrize("family", LINES)
def test_gradients_reach_all_of_the_box_and_nothing_else(family):
    line, settings = LINES[family]
    model = build(Architecture.from_string(line, family, input=(1, 96, 96), **settings))
    found, model = fields(model), all_open(model)
    images = torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for name, field in found.items():
        maps = taps(model, name)(images)[name]
        row, column = maps.shape[2] // 2, 0  # padding lies to the left of it
        (gradient,) = torch.autograd.grad(maps[0, 0, row, column], images)
        reached = gradient[0, 0].nonzero()
        top, left, bottom, right = field.box(row, column)
        assert reached.amin(0).tolist() == [max(0, top), max(0, left)], name
        assert (reached.amax(0) + 1).tolist() == [bottom, right], name
