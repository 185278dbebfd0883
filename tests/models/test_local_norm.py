"""Local response normalization: the paper's formula, its gradient, its dtype."""

import pytest
import torch
from torch import nn

from verydeep.models.local_norm import LocalResponseNorm


def formula(maps):  # Krizhevsky et al. 2012, section 3.3
    channels = maps.shape[1]
    sums = [maps[:, max(0, i - 2) : i + 3].square().sum(1) for i in range(channels)]
    return maps / (2 + 1e-4 * torch.stack(sums, 1)) ** 0.75


@pytest.mark.parametrize("channels", [1, 2, 5, 8])
def test_it_is_the_papers_formula(channels):
    torch.manual_seed(0)
    maps = 40 * torch.randn(2, channels, 3, 4, dtype=torch.float64)  # of a size at which the sum counts
    assert torch.allclose(LocalResponseNorm()(maps), formula(maps), rtol=1e-12)
    assert torch.allclose(LocalResponseNorm()(maps.float()), formula(maps).float(), rtol=1e-5)


def test_its_gradient_is_that_of_the_formula():
    torch.manual_seed(0)
    maps = (40 * torch.randn(2, 8, 3, 4, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(LocalResponseNorm(), maps)


def test_in_bf16_the_sum_is_computed_in_fp32():
    torch.manual_seed(0)
    maps = (40 * torch.randn(2, 8, 3, 4)).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        normalized = LocalResponseNorm()(maps)
    assert normalized.dtype == torch.bfloat16
    assert torch.equal(normalized, formula(maps.detach().float()).bfloat16())
    normalized.sum().backward()
    assert maps.grad.dtype == torch.bfloat16


def test_an_export_has_torchs_own():
    torch.manual_seed(0)
    images = 40 * torch.randn(2, 8, 3, 4)
    program = torch.export.export(nn.Sequential(LocalResponseNorm()), (images,))
    assert any("avg_pool3d" in str(node.target) for node in program.graph.nodes)
    assert torch.allclose(program.module()(images), LocalResponseNorm()(images), rtol=1e-5)
