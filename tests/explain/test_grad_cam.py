"""Grad-CAM and Grad-CAM++ are their papers' equations."""

import pytest
import torch

from verydeep.explain.grad_cam import grad_cam, grad_cam_plus_plus
from verydeep.models.feature_extractor import taps
from verydeep.models.feature_steps import last_map_name


@pytest.fixture
def images():
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


LABELS = torch.tensor([0, 2])


def test_with_a_global_average_pool_it_is_cam(random_network, images):
    """Selvaraju et al. 2017, section 3.1 and appendix A; CAM: Zhou et al. 2016, eq. 2."""
    model = random_network("8 M 12x2 | gap").model
    maps = taps(model, last_map_name(model))(images)[last_map_name(model)]
    positions = maps[0, 0].numel()
    cam = torch.einsum("bk,bkrc->brc", model.classifier[0].weight[LABELS], maps)
    heat = grad_cam(model, images, LABELS, last_map_name(model))
    torch.testing.assert_close(heat * positions, cam.relu())
    assert (cam < 0).any() and (cam > 0).any()


@pytest.mark.parametrize("layer", ["relu1_1", "relu2_1", "pool2"])
def test_with_hidden_layers_it_is_equations_1_and_2(random_network, images, layer):
    """Each channel is weighted with its mean gradient."""
    model = random_network("6 M 8 M | pool2 12", dropout=0.0).model
    values = taps(model, (layer, "fc4"))(images)
    expected = torch.zeros(2, *values[layer].shape[2:])
    for index, label in enumerate(LABELS.tolist()):
        (gradient,) = torch.autograd.grad(values["fc4"][index, label], values[layer], retain_graph=True)
        for weight, channel in zip(gradient[index].mean((1, 2)), values[layer][index], strict=True):
            expected[index] += weight * channel.detach()
    torch.testing.assert_close(grad_cam(model, images, LABELS, layer), expected.clamp(min=0))


def test_grad_cam_plus_plus_is_equation_10_with_the_derivatives_of_exp(random_network, images):
    """Chattopadhay et al. 2018, eq. 10: alpha = Y'' / (2 Y'' + sum(A) Y'''), with Y = exp(logit)."""
    model, images = random_network("6 M 5 | gap").model.double(), images.double()
    maps = taps(model, "relu2_1")(images)["relu2_1"].detach().requires_grad_()
    expected = torch.zeros(2, *maps.shape[2:], dtype=torch.float64)
    for index, label in enumerate(LABELS.tolist()):
        score = model.classifier(maps[index : index + 1].mean((2, 3)))[0, label].exp()
        (first,) = torch.autograd.grad(score, maps, create_graph=True)
        for channel in range(maps.shape[1]):
            weight = torch.zeros((), dtype=torch.float64)
            for row, column in torch.cartesian_prod(torch.arange(8), torch.arange(8)).tolist():
                position = (index, channel, row, column)
                (second,) = torch.autograd.grad(first[position], maps, create_graph=True)
                (third,) = torch.autograd.grad(second[position], maps, retain_graph=True)
                denominator = 2 * second[position] + maps[index, channel].sum() * third[position]
                weight = weight + second[position] / denominator * first[position].relu()
            expected[index] += (weight * maps[index, channel]).detach()
    heat = grad_cam_plus_plus(model, images, LABELS, "relu2_1")
    for actual, wanted in zip(heat, expected.relu(), strict=True):
        assert wanted.max() > 0
        torch.testing.assert_close(actual / actual.max(), wanted / wanted.max())


def test_frozen_weights_have_heat_and_no_gradient(random_network, images):
    model = random_network("8 M 12 | gap").model
    expected = grad_cam(model, images, LABELS, "relu2_1")
    model.requires_grad_(False)
    assert torch.equal(grad_cam(model, images, LABELS, "relu2_1"), expected)
    with torch.no_grad():
        assert torch.equal(grad_cam(model, images, LABELS, "relu2_1"), expected)
    assert all(parameter.grad is None for parameter in model.parameters())
