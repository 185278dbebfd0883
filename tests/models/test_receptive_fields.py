"""The receptive field of a value is the box where the gradient of the image is not zero."""

import pytest
import torch
from torch import nn

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import grid_name
from verydeep.models.build import build, build_empty
from verydeep.models.feature_extractor import taps
from verydeep.models.feature_steps import feature_names
from verydeep.models.receptive_fields import ReceptiveField, receptive_fields

ARCHITECTURES = {
    "vgg": ("4x2 M 6 L M | gap", {}),
    "norm after pool": ("4 M 6x2 M | gap", {"norm": "batch-after-pool"}),
    "alexnet": ("4k7s2p1 Mk3s2 6k5 Mk3s2 | gap", {}),
    "resnet": ("4k7s2 Mk3s2p1 (4 4) (6s2 6) | gap", {"norm": "batch"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_sizes_are_those_of_the_trace(name):
    architecture = zoo.resolve(name)
    fields = receptive_fields(build_empty(architecture))
    traced = {row.name: row.receptive_field for row in trace(architecture).layers if row.name in fields}
    assert {layer: fields[layer].size for layer in traced} == traced
    names = feature_names(build_empty(architecture))
    assert tuple(fields) == names[: names.index(grid_name(architecture))]


def test_the_receptive_field_of_vgg16s_last_maps():  # 212 px after pool5: Araujo et al. 2019, table 1
    fields = receptive_fields(build_empty(zoo.resolve("vgg16")))
    assert fields["pool5"] == ReceptiveField(212, 32, -90)
    assert fields["relu1_1"].box(0, 3) == (-1, 2, 2, 5)


def with_full_gradients(model):
    """Positive weights, so that no gradient is zero, and average pools, which depend on the whole window."""
    for module in list(model.modules()):
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.1)
            nn.init.zeros_(module.bias)
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    return model.eval()


@pytest.mark.parametrize("family", ARCHITECTURES)
def test_gradients_are_not_zero_exactly_in_the_box(family):
    string, settings = ARCHITECTURES[family]
    model = build(Architecture.from_string(string, family, input=(1, 96, 96), **settings))
    fields, model = receptive_fields(model), with_full_gradients(model)
    images = torch.rand(1, 1, 96, 96, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for name, field in fields.items():
        maps = taps(model, name)(images)[name]
        row, column = maps.shape[2] // 2, 0  # with padding to the left
        (gradient,) = torch.autograd.grad(maps[0, 0, row, column], images)
        reached = gradient[0, 0].nonzero()
        top, left, bottom, right = field.box(row, column)
        assert reached.amin(0).tolist() == [max(0, top), max(0, left)], name
        assert (reached.amax(0) + 1).tolist() == [bottom, right], name
