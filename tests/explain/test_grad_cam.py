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


def test_under_a_global_average_pool_it_is_cam(drawn, images):
    """Selvaraju et al. 2017, section 3.1 and appendix A; CAM: Zhou et al. 2016, eq. 2."""
    model = drawn("8 M 12x2 | gap").model
    maps = taps(model, last_map_name(model))(images)[last_map_name(model)]
    places = maps[0, 0].numel()
    cam = torch.einsum("bk,bkrc->brc", model.classifier[0].weight[LABELS], maps)
    found = grad_cam(model, images, LABELS, last_map_name(model))
    torch.testing.assert_close(found * places, cam.relu())
    assert (cam < 0).any() and (cam > 0).any()


@pytest.mark.parametrize("layer", ["relu1_1", "relu2_1", "pool2"])
def test_through_hidden_layers_it_is_equations_1_and_2(drawn, images, layer):
    """Each map scaled by (1 + t) moves the logit by t times what its gradients and values give."""
    model = drawn("6 M 8 M | pool2 12", dropout=0.0).model
    tapped = taps(model, (layer, "fc4"))
    values = tapped(images)
    expected = torch.zeros(2, *values[layer].shape[2:])
    for place, label in enumerate(LABELS.tolist()):
        (gradient,) = torch.autograd.grad(values["fc4"][place, label], values[layer], retain_graph=True)
        for alpha, one_map in zip(gradient[place].mean((1, 2)), values[layer][place], strict=True):
            expected[place] += alpha * one_map.detach()
    torch.testing.assert_close(grad_cam(model, images, LABELS, layer), expected.clamp(min=0))


def test_plus_plus_has_the_weights_of_equation_19_by_derivatives_of_exp(drawn, images):
    """Chattopadhay et al. 2018, eq. 10: alpha = Y'' / (2 Y'' + sum(A) Y'''), with Y = exp(logit)."""
    model, images = drawn("6 M 5 | gap").model.double(), images.double()
    maps = taps(model, "relu2_1")(images)["relu2_1"].detach().requires_grad_()
    expected = torch.zeros(2, *maps.shape[2:], dtype=torch.float64)
    for place, label in enumerate(LABELS.tolist()):
        score = model.classifier(maps[place : place + 1].mean((2, 3)))[0, label].exp()
        (first,) = torch.autograd.grad(score, maps, create_graph=True)
        for channel in range(maps.shape[1]):
            weight = torch.zeros((), dtype=torch.float64)
            for row, column in torch.cartesian_prod(torch.arange(8), torch.arange(8)).tolist():
                at = (place, channel, row, column)
                (second,) = torch.autograd.grad(first[at], maps, create_graph=True)
                (third,) = torch.autograd.grad(second[at], maps, retain_graph=True)
                below = 2 * second[at] + maps[place, channel].sum() * third[at]
                weight = weight + second[at] / below * first[at].relu()
            expected[place] += (weight * maps[place, channel]).detach()
    found = grad_cam_plus_plus(model, images, LABELS, "relu2_1")
    for ours, theirs in zip(found, expected.relu(), strict=True):
        assert theirs.max() > 0
        torch.testing.assert_close(ours / ours.max(), theirs / theirs.max())


def test_frozen_weights_have_heat_too_and_keep_no_gradient(drawn, images):
    model = drawn("8 M 12 | gap").model
    expected = grad_cam(model, images, LABELS, "relu2_1")
    model.requires_grad_(False)
    assert torch.equal(grad_cam(model, images, LABELS, "relu2_1"), expected)
    with torch.no_grad():
        assert torch.equal(grad_cam(model, images, LABELS, "relu2_1"), expected)
    assert all(parameter.grad is None for parameter in model.parameters())
