"""A Gram matrix of float32 sums has a factor, even where rounding left it indefinite."""

import pytest
import torch

from verydeep.compress.calibration import Calibration
from verydeep.compress.cholesky import damped_cholesky
from verydeep.compress.gram import Gram
from verydeep.compress.narrow.narrowing import narrow
from verydeep.compress.steps.gptq import compensated
from verydeep.errors import CompressionError

from .networks import calibration, checkpoint


@pytest.fixture
def indefinite():
    """Of inputs that vary by less than the rounding of their sums."""
    torch.manual_seed(0)
    rows = torch.cat([100 + 1e-4 * torch.randn(500, 40), torch.ones(500, 1)], 1)
    gram = Gram(rows.T @ rows).centered
    assert torch.linalg.eigvalsh(gram)[0] < -1e-4 * abs(gram.diagonal().mean())
    return gram


def test_a_definite_matrix_has_the_damping_that_was_asked_for():
    gram = torch.diag(torch.arange(1.0, 6.0).double())
    factor = damped_cholesky(gram, 0.1)
    assert torch.allclose(factor @ factor.T, gram + 0.3 * torch.eye(5).double())


def test_an_indefinite_matrix_is_damped_until_it_has_a_factor(indefinite):
    factor = damped_cholesky(indefinite, 1e-4)
    damping = factor @ factor.T - indefinite
    assert torch.allclose(damping, damping[0, 0] * torch.eye(40).double(), atol=1e-6)
    assert 0 < damping[0, 0] < 20 * float(torch.linalg.eigvalsh(indefinite).abs().max())
    compensated(torch.randn(3, 40), indefinite, 4)


def test_a_matrix_that_is_not_finite_is_refused():
    with pytest.raises(CompressionError, match="not finite"):
        damped_cholesky(torch.full((2, 2), torch.inf).double(), 0.1)


def test_images_that_are_all_the_same_do_not_stop_a_network_from_becoming_narrower():
    same = Calibration(pixels=calibration(1).pixels.repeat(40, 1, 1, 1))
    small = narrow(checkpoint("16 M 24 | pool2 16"), same, {"features.0": 8, "classifier.0": 8}).checkpoint
    assert small.model.architecture.string == "8 M 24 | pool2 8"
    assert all(tensor.isfinite().all() for tensor in small.model.state_dict().values())
