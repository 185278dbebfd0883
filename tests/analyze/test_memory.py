"""The estimate of training memory, against the tensors that torch saves and against sums by hand."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from verydeep.analyze.memory import estimate_memory
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.errors import ArchitectureError

_FILE = Path(__file__).parents[2] / "benchmarks" / "memory.py"
_SPEC = importlib.util.spec_from_file_location("memory_benchmark", _FILE)
benchmark = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(benchmark)

SMALL = {"classes": 5, "input": (3, 16, 16)}
RESNET = {**SMALL, "norm": "batch", "conv_bias": False}
TINY = [
    Architecture.from_string("8x2 M 16 M | pool4 12 12", **SMALL),
    Architecture.from_string("8x2 M 16 M | pool4 12 12", **SMALL, norm="batch"),
    Architecture.from_string("8 M 16 M | pool2 12", **SMALL, norm="batch-after-pool", dropout=0.0),
    Architecture.from_string("8k5s2 L Mk3s2 16g2 L 8 | pool3 12", **SMALL, dropout_first=True),
    Architecture.from_string("8 Mk3s2p1 (8 8)x2 (16s2 16) (8k1 8 16k1) | gap", **RESNET),
    Architecture.from_string("(8 8) 8 (16k1) | pool2 12", **RESNET),
]


# Each thread allocates its own scratch memory, which the estimate does not include.
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("architecture", TINY, ids=lambda architecture: architecture.name)
def test_saved_bytes_are_exactly_those_of_autograd(architecture, dtype):
    measured = benchmark.measure(architecture, 3, "sgd", dtype)
    estimate = estimate_memory(architecture, 3, "sgd", dtype)
    assert estimate.activations + estimate.weight_copies == measured.saved


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("batch", [2, 64], ids=["step", "backward"])
@pytest.mark.parametrize("name", ["vgg-small", "resnet20"])
def test_the_peak_is_within_5_percent_of_the_allocated_memory(name, batch, optimizer, dtype):
    architecture = zoo.resolve(name)
    measured = benchmark.measure(architecture, batch, optimizer, dtype)
    peak = estimate_memory(architecture, batch, optimizer, dtype).peak
    assert peak.bytes(batch) == pytest.approx(measured.peak, rel=0.05)
    assert peak.name.startswith("optimizer" if batch == 2 and name == "vgg-small" else "backward")


def test_the_state_of_vgg16():  # 553.4 MB of weights; 1.66 GB with gradients and momentum, 2.21 with Adam's
    sgd, adam = (estimate_memory(zoo.resolve("vgg16"), 1, optimizer) for optimizer in ("sgd", "adam"))
    assert sgd.weights == sgd.gradients == sgd.optimizer_state == 4 * 138_357_544
    assert round((sgd.total - sgd.activations) / 1e9, 2) == 1.66
    assert round((adam.total - adam.activations) / 1e9, 2) == 2.21


def test_one_image_of_vgg16_by_hand():
    pools = 802_816 + 401_408 + 200_704 + 100_352 + 25_088
    hidden = 2 * 4_096 * 3  # after ReLU, the dropout mask, the dropout output
    maps = 150_528 + 13_547_520 + pools + hidden  # images, convolutions, pools
    loss = 4 * 1_000 + 8 + 4
    assert estimate_memory(zoo.resolve("vgg16"), 1).activations == 4 * maps + 8 * pools + loss


def test_batch_norm_saves_every_convolution_twice():
    plain, normed = (estimate_memory(zoo.resolve(name), 1) for name in ("vgg16", "vgg16_bn"))
    statistics = 8 * 4_224  # channels: 2 x 64, 2 x 128, 3 x 256, 6 x 512
    assert normed.activations - plain.activations == 4 * 13_547_520 + statistics


def test_a_norm_after_the_pool_saves_less():
    after_pool = zoo.resolve("vgg-small")
    assert (
        estimate_memory(after_pool).activations < estimate_memory(after_pool.with_norm("batch")).activations
    )


def test_the_saved_bytes_of_the_layers_add_up():
    estimate = estimate_memory(zoo.resolve("resnet18"), 4, dtype="bf16")
    assert [estimate.layers[0].name, estimate.layers[-1].name] == ["input", "loss"]
    saved = sum(layer.saved for layer in estimate.layers)
    assert saved == estimate.activations + estimate.weight_copies
    assert next(layer for layer in estimate.layers if layer.name == "fc").maps == 0


@pytest.mark.parametrize("name", zoo.names())
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_the_largest_batch_fits_and_one_more_does_not(name, dtype):
    architecture, memory = zoo.resolve(name), 24 * 10**9
    batch = estimate_memory(architecture, dtype=dtype).largest_batch(memory)
    assert estimate_memory(architecture, batch, dtype=dtype).peak.bytes(batch) <= memory
    assert estimate_memory(architecture, batch + 1, dtype=dtype).peak.bytes(batch + 1) > memory


def test_the_largest_batch_is_0_where_no_image_fits():
    assert estimate_memory(zoo.resolve("vgg16")).largest_batch(10**9) == 0


def test_without_dropout_nothing_is_saved_for_it():
    with_dropout = estimate_memory(zoo.resolve("vgg16"), 1)
    without = estimate_memory(replace(zoo.resolve("vgg16"), dropout=0.0), 1)
    assert with_dropout.activations - without.activations == 4 * 2 * 2 * 4_096


@pytest.mark.parametrize(("batch", "said"), [(0, "at least one image"), (10**308, "at most 1,000,000,000")])
def test_a_batch_that_cannot_be_is_refused(batch, said):
    with pytest.raises(ArchitectureError, match=said):
        estimate_memory(zoo.resolve("vgg-tiny"), batch)


@pytest.mark.parametrize("option", ["classes", "channels", "size"])
def test_a_network_whose_bytes_are_no_number_is_refused(option):
    with pytest.raises(ArchitectureError, match="at most 1,000,000,000 each"):
        zoo.resolve("vgg16").with_options(**{option: 10**308})
