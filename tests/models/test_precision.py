"""bf16 is used where the device has it, and how far its results are from fp32 is measured."""

import pytest
import torch

from verydeep.models.precision import autocast, bf16_error, has_bf16

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "has"), [("avx512_bf16", True), ("amx_bf16 fma", True), ("avx512f", False)]
)
def test_the_processor_tells_whether_it_has_bf16(monkeypatch, flags, has):
    monkeypatch.setattr("verydeep.machine._cpuinfo", lambda: {"flags": flags})
    assert has_bf16(CPU) is has
    assert not has_bf16(torch.device("mps"))


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_within_autocast_matrix_products_have_the_precision(precision, dtype):
    images = torch.randn(2, 3)
    with autocast(precision, CPU):
        assert (images @ images.T).dtype is dtype
    assert (images @ images.T).dtype is torch.float32


def test_the_error_is_relative_to_the_length_of_each_vector():
    images = torch.full((2, 1, 1, 1), 1.0)

    def compute(images):
        vectors = torch.tensor([[3.0, 4.0], [30.0, 40.0]])
        off = torch.tensor([[0.0, 0.5], [3.0, 0.0]])
        return vectors + off * torch.is_autocast_enabled("cpu")

    assert bf16_error(compute, images) == pytest.approx((0.5 / 5 + 3 / 50) / 2)


def test_the_error_of_a_matrix_product_is_that_of_eight_bits():
    torch.manual_seed(0)
    weight = torch.randn(64, 64)
    error = bf16_error(lambda images: images.flatten(1) @ weight, torch.randn(8, 1, 8, 8))
    assert 2**-10 < error < 2**-7


def test_vectors_of_zeros_agree():
    assert bf16_error(lambda images: images.flatten(1), torch.zeros(2, 1, 2, 2)) == 0
