"""The search narrows what is slow and matters little first, and stops where nothing is left to remove."""

from itertools import pairwise

import pytest
import torch

from verydeep.compress.latency import LayerTimer, latencies_ms
from verydeep.compress.narrow.halving import tries, try_points
from verydeep.compress.narrow.narrowing import prepare_narrowing
from verydeep.compress.narrow.search import BALANCE, Point, Weights, narrowing_path
from verydeep.compress.settings import Limit

from ..networks import calibration, checkpoint


def test_each_point_narrows_one_width_down_to_the_floor():
    narrowing = prepare_narrowing(checkpoint("32 M 48 | pool2 24"), calibration(30))
    points = narrowing_path(narrowing, LayerTimer(1, 1), Weights(latency=1.0, parameters=1.0))
    widths = [
        {"features.0": 32, "features.3": 48, "classifier.0": 24},
        *(dict(each.channels) for each in points),
    ]
    for before, after in pairwise(widths):
        (changed,) = (name for name in before if before[name] != after[name])
        assert after[changed] < before[changed]
    assert set(widths[-1].values()) == {8}
    assert points[-1].parameters < 0.2


def test_a_width_that_costs_nothing_is_narrowed_first():
    original = checkpoint("32 M 32 | gap")
    with torch.no_grad():
        original.model.features[3].weight[:, 8:] = 0  # the second layer sees eight channels only
    narrowing = prepare_narrowing(original, calibration(50))
    points = narrowing_path(narrowing, LayerTimer(1, 1), Weights(latency=0.0, parameters=1.0))
    assert [point.channels["features.0"] for point in points[:2]] == [16, 8]
    assert points[1].channels["features.3"] == 32


@pytest.mark.parametrize(("kind", "expected"), [("drop", 11), ("latency", 12)])
def test_halving_ends_at_the_last_point_that_loses_little_and_the_first_that_is_small(kind, expected):
    points = [Point(channels={"a": index}, latency=1.0, parameters=1.0) for index in range(26)]
    met, tried = [], []

    def is_met(index):
        tried.append(points[index].channels["a"])
        if (tried[-1] <= 11) == (kind == "drop"):
            met.append(tried[-1])
            return True
        return False

    try_points(range(26), Limit(kind=kind, value=1.0), is_met)
    assert met[-1] == expected
    assert len(tried) <= tries(points) == 5


def test_a_wider_network_is_slower_by_the_clock_and_by_the_sum_of_its_layers():
    narrow, wide = (checkpoint(string).model for string in ("8 M 8 | gap", "128 M 128 | gap"))
    fast, slow = latencies_ms([narrow, wide], batch=8, threads=1)
    assert 0 < fast < slow
    timer = LayerTimer(batch=8, threads=1)
    assert 0 < timer.ms(narrow.architecture) < timer.ms(wide.architecture)


def test_timing_leaves_the_network_and_the_threads_alone():
    model, threads = checkpoint("8 M | gap").model, torch.get_num_threads()
    before = model.features[0].weight.stride()
    latencies_ms([model], batch=1, threads=1)
    assert model.features[0].weight.stride() == before
    assert torch.get_num_threads() == threads


def test_no_layer_becomes_much_narrower_than_another():
    narrowing = prepare_narrowing(checkpoint("64 M 64 | pool2 64"), calibration(30))
    original = {width.producer: width.channels for width in narrowing.widths}
    for point in narrowing_path(narrowing, LayerTimer(1, 1), Weights(latency=1.0, parameters=1.0)):
        shares = [point.channels[name] / count for name, count in original.items()]
        assert max(shares) <= BALANCE * min(shares)
