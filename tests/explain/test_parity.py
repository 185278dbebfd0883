"""Parity with captum, an independent implementation, on the same networks."""

import warnings

import pytest
import torch

from verydeep.explain.grad_cam import grad_cam
from verydeep.explain.integrated_gradients import integrated_gradients
from verydeep.explain.occlusion import occlusion

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # warnings of its import
    attr = pytest.importorskip("captum.attr", reason="pip install 'verydeep[parity]'")

LABELS = torch.tensor([2, 0])


@pytest.fixture
def images():
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_integrated_gradients(random_network, images):
    model = random_network("8 (8 8) (12s2 12) | gap").model
    captum = attr.IntegratedGradients(model).attribute(images, images * 0 - 1, target=LABELS, n_steps=30)
    actual = integrated_gradients(model, images, LABELS, images * 0 - 1, steps=30)
    torch.testing.assert_close(actual, captum.float(), rtol=1e-4, atol=1e-6)


def test_grad_cam(random_network, images):
    model = random_network("8 M 12 M | pool4 6", dropout=0.0).model
    captum = attr.LayerGradCam(model, model.features[3]).attribute(images, LABELS, relu_attributions=True)
    torch.testing.assert_close(grad_cam(model, images, LABELS, "conv2_1"), captum[:, 0].detach())


def test_occlusion(random_network, images):
    model = random_network("8 M 12 | gap").model
    captum = attr.Occlusion(lambda x: model(x).log_softmax(1)).attribute(
        images, sliding_window_shapes=(3, 4, 4), strides=(3, 3, 3), target=LABELS
    )
    actual = occlusion(model, images, LABELS, window=4, stride=3)
    torch.testing.assert_close(actual, captum[:, 0].detach(), rtol=1e-4, atol=1e-6)
