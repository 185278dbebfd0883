"""The Cholesky factor exists for any Gram matrix, and is exact where no ridge is needed."""

import pytest
import torch

from verydeep.compress.cholesky import ridged_cholesky
from verydeep.compress.selection import removal_order


def test_the_least_ridge_is_taken_where_it_is_enough():
    torch.manual_seed(0)
    rows = torch.randn(100, 12, dtype=torch.float64)
    gram = rows.T @ rows
    factor = ridged_cholesky(gram, 1e-4)
    expected = gram + 1e-4 * gram.diagonal().mean() * torch.eye(12, dtype=torch.float64)
    torch.testing.assert_close(factor @ factor.T, expected)
    assert torch.equal(factor, factor.tril())


@pytest.mark.parametrize("rounding", [1e-3, 0.1, 10.0])
def test_a_matrix_that_rounding_has_made_indefinite_gets_a_larger_ridge(rounding):
    gram = torch.eye(6, dtype=torch.float64)
    gram[0, 1] = gram[1, 0] = 1 + rounding  # an eigenvalue of -rounding
    factor = ridged_cholesky(gram, 1e-4)
    assert factor.isfinite().all() and (factor.diagonal() > 0).all()


@pytest.mark.parametrize("gram", [torch.zeros(4, 4).double(), -torch.eye(4).double()])
def test_no_variance_at_all_gives_the_identity(gram):
    assert torch.equal(ridged_cholesky(gram, 0.01), torch.eye(4).double())


def test_channels_are_ordered_by_inputs_that_are_all_alike():
    rows = torch.ones(50, 8) + 1e-7 * torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    centered = rows.T @ rows - torch.outer(rows.sum(0), rows.sum(0)) / 50
    removal = removal_order(centered.double(), torch.randn(3, 8), 2)
    assert sorted(removal.order.tolist()) == [0, 1, 2, 3]
