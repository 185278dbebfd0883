"""A batch in slices has the gradients of the whole batch, on any number of threads."""

from functools import partial

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional

from verydeep.architecture.architecture import Architecture
from verydeep.errors import RecipeError
from verydeep.models.build import build
from verydeep.train.slices import BatchPosition, backward_in_slices

CRITERION = partial(functional.cross_entropy, label_smoothing=0.1)
PLAIN = Architecture.from_string("6 M 8 | gap 12", input=(1, 8, 8), classes=3, dropout=0.0)
NORMED = PLAIN.with_batch_norm()
DROPPED = Architecture.from_string("6 M 8 | gap 12", input=(1, 8, 8), classes=3, dropout=0.5)


@pytest.fixture
def fabric():
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def one_backward(fabric, net, slices, count=10, step=0, **options):
    torch.manual_seed(0)
    model = build(net).train()
    images, labels = torch.randn(count, 1, 8, 8), torch.randint(3, (count,))
    position = BatchPosition(count, seed=0, epoch=0, step=step)
    with backward_in_slices(model, slices, CRITERION, fabric, **options) as backward:
        forward = backward(images, labels, position)
    return model, forward, [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("slices", [2, 3, 4])
def test_without_batch_norm_slices_give_the_same_gradients(fabric, slices):
    _, whole, expected = one_backward(fabric, PLAIN, 1)
    _, sliced, gradients = one_backward(fabric, PLAIN, slices)
    torch.testing.assert_close(sliced.loss, whole.loss)
    assert torch.equal(sliced.predicted, whole.predicted)
    torch.testing.assert_close(gradients, expected)


def test_batch_norm_takes_each_slice_by_itself(fabric):
    model, sliced, _ = one_backward(fabric, NORMED, 2)
    torch.manual_seed(0)
    alone = build(NORMED).train()
    images, labels = torch.randn(10, 1, 8, 8), torch.randint(3, (10,))
    losses = [CRITERION(alone(images[:5]), labels[:5])]
    expected = {name: buffer.clone() for name, buffer in alone.named_buffers()}
    losses.append(CRITERION(alone(images[5:]), labels[5:]))
    torch.testing.assert_close(sliced.loss, sum(losses).detach() / 2)
    kept = dict(model.named_buffers())
    assert kept
    for name in expected:  # the statistics of the first slice, once
        torch.testing.assert_close(kept[name], expected[name])


def test_slices_are_added_in_one_order_whichever_is_done_first(fabric):
    _, _, first = one_backward(fabric, NORMED, 4)
    for _ in range(5):
        _, _, again = one_backward(fabric, NORMED, 4)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("slices", [1, 4])
def test_dropout_depends_on_the_position_in_training_and_on_nothing_else(fabric, slices):
    _, first, _ = one_backward(fabric, DROPPED, slices)
    torch.rand(3)
    _, again, _ = one_backward(fabric, DROPPED, slices)
    _, later, _ = one_backward(fabric, DROPPED, slices, step=1)
    assert torch.equal(first.loss, again.loss)
    assert not torch.equal(first.loss, later.loss)


def test_each_slice_has_dropout_of_its_own(fabric):
    torch.manual_seed(0)
    model = build(DROPPED).train()
    images, labels = torch.randn(6, 1, 8, 8), torch.zeros(6, dtype=torch.int64)
    losses = []
    for slices in (1, 2):  # the same images in both slices
        position = BatchPosition(6 * slices, seed=0, epoch=0, step=0)
        with backward_in_slices(model, slices, CRITERION, fabric) as backward:
            losses.append(backward(images.repeat(slices, 1, 1, 1), labels.repeat(slices), position).loss)
    assert not torch.isclose(*losses)


def test_gradients_may_be_exchanged_in_bf16(fabric):
    _, exact, expected = one_backward(fabric, PLAIN, 4)
    _, rounded, gradients = one_backward(fabric, PLAIN, 4, exchanged=torch.bfloat16)
    assert torch.equal(exact.loss, rounded.loss)
    for gradient, close in zip(gradients, expected, strict=True):
        assert gradient.dtype == torch.float32
        assert torch.equal(gradient, gradient.bfloat16().float())
        torch.testing.assert_close(gradient, close, rtol=0.02, atol=1e-4)


def test_the_threads_are_divided_and_given_back(fabric, four_threads):
    with backward_in_slices(build(PLAIN).train(), 2, CRITERION, fabric):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch's compiler about itself
def test_without_a_compiler_compiling_says_what_is_missing(fabric, monkeypatch, tmp_path):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("/nowhere/c++",))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 3)
    )  # whose shapes no test checks: dynamo cannot trace that
    with (
        backward_in_slices(model, 1, CRITERION, fabric, compiled=True) as backward,
        pytest.raises(RecipeError, match=r"Install a C\+\+ compiler, or train with compile = false"),
    ):
        backward(torch.randn(4, 1, 8, 8), torch.randint(3, (4,)), BatchPosition(4, seed=0, epoch=0, step=0))


@pytest.mark.parametrize("deterministic", [False, True])
def test_cudnn_is_fast_in_training_where_nobody_asks_for_the_same_bits(fabric, monkeypatch, deterministic):
    cudnn = torch.backends.cudnn
    monkeypatch.setattr(cudnn, "deterministic", deterministic)
    with backward_in_slices(build(PLAIN), 1, CRITERION, fabric):
        assert (cudnn.benchmark, cudnn.deterministic) == (not deterministic, deterministic)
    assert not cudnn.benchmark and cudnn.deterministic == deterministic
