"""Integrated gradients are complete; SmoothGrad is the mean gradient over noisy copies."""

import pytest
import torch
from torch.nn import functional

from verydeep.explain.integrated_gradients import integrated_gradients, smooth_grad

LABELS = torch.tensor([2, 0])


@pytest.fixture
def images():
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def score(model, images):
    return model(images).gather(1, LABELS[:, None])[:, 0]


@pytest.mark.slow
@pytest.mark.parametrize("string", ["8 M 12 M | pool2 10", "8 (8 8) (12s2 12) | gap", "6 L M 8 | gap"])
def test_contributions_sum_to_the_difference_from_the_baseline(random_network, images, string):
    """Completeness: Sundararajan et al. 2017, proposition 1."""
    model = random_network(string, norm="none").model.double()
    images, baselines = images.double(), torch.full_like(images, -2.0).double()
    expected = (score(model, images) - score(model, baselines)).detach()
    for steps, tolerance in ((20, 0.01), (1000, 2e-4)):
        contributions = integrated_gradients(model, images, LABELS, baselines, steps=steps, batch_size=64)
        error = (contributions.sum((1, 2, 3)) - expected).abs() / contributions.abs().sum((1, 2, 3))
        assert error.max().item() < tolerance


def test_for_a_linear_network_they_are_weights_times_values(random_network, images):
    """Every ReLU has a positive input, so the gradient is constant."""
    model = random_network("1k1 | gap").model
    with torch.no_grad():
        model.features[0].weight.fill_(0.5)
        model.features[0].bias.fill_(100)
    (weights,) = torch.autograd.grad(score(model, x := images.clone().requires_grad_()).sum(), x)
    contributions = integrated_gradients(model, images, LABELS, torch.zeros_like(images), steps=3)
    torch.testing.assert_close(contributions, weights * images)
    torch.testing.assert_close(smooth_grad(model, images, LABELS, samples=3), weights)


def test_smoothgrad_is_the_mean_gradient_of_noisy_copies(
    random_network, images
):  # Smilkov et al. 2017, section 3
    model, batches = random_network("8 M 12 | gap").model, []
    model.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0].detach()))
    mean = smooth_grad(model, images[:1], LABELS[:1], samples=40, noise=0.1, batch_size=7)
    points = torch.cat(batches)
    assert [len(batch) for batch in batches] == [7] * 5 + [5]
    value_range = images[0].max() - images[0].min()
    assert float((points - images[0]).std() / value_range) == pytest.approx(0.1, rel=0.02)
    gradients = [
        torch.autograd.grad(model(x := point[None].requires_grad_())[0, 2], x)[0][0] for point in points
    ]
    torch.testing.assert_close(mean[0], torch.stack(gradients).mean(0))


def test_without_noise_it_is_the_gradient_and_noise_is_reproducible(random_network, images):
    model = random_network("8 M 12 | gap").model
    (gradient,) = torch.autograd.grad(score(model, x := images.clone().requires_grad_()).sum(), x)
    torch.testing.assert_close(smooth_grad(model, images, LABELS, samples=2, noise=0.0), gradient)
    torch.manual_seed(1)
    first = smooth_grad(model, images, LABELS, samples=4)
    torch.manual_seed(2)
    assert torch.equal(smooth_grad(model, images, LABELS, samples=4), first)


def test_more_samples_have_a_smaller_error(random_network, images):
    model = random_network("8 M 12 M 16 | gap").model
    reference = smooth_grad(model, images, LABELS, samples=600).flatten()
    few, many = (smooth_grad(model, images, LABELS, samples=count).flatten() for count in (4, 64))
    assert functional.cosine_similarity(few, reference, 0) < functional.cosine_similarity(many, reference, 0)
