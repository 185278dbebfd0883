"""Learning rate schedules."""

import pytest

from verydeep.train.optimizer.schedule import Plateau, ScheduleConfig, rate_factor


@pytest.mark.parametrize(
    ("name", "progress", "factor"),
    [
        ("constant", 0.7, 1.0),
        ("linear", 0.0, 1.0),
        ("linear", 0.25, 0.75),
        ("one-cycle", 0.0, 1.0),
        ("one-cycle", 0.5, 0.5),
        ("step", 0.49, 1.0),
        ("step", 0.5, 0.1),
        ("step", 0.75, 0.01),
        ("plateau", 0.99, 1.0),
    ],
)
def test_schedules_without_warmup(name, progress, factor):
    assert rate_factor(ScheduleConfig(name=name), progress) == pytest.approx(factor)


@pytest.mark.parametrize("name", ["constant", "linear", "one-cycle", "plateau"])
def test_the_warmup_rises_to_the_peak(name):
    config = ScheduleConfig(name=name, warmup=0.2, start=0.1)
    assert rate_factor(config, 0.0) == pytest.approx(0.1)
    assert rate_factor(config, 0.1) == pytest.approx(0.55)
    assert rate_factor(config, 0.2) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["linear", "one-cycle"])
def test_the_rate_falls_to_its_end(name):
    config = ScheduleConfig(name=name, warmup=0.2, end=0.05)
    assert rate_factor(config, 1 - 1e-9) == pytest.approx(0.05)


def test_plateau_divides_three_times_and_then_ends():  # VGG, section 3.1
    config, state = ScheduleConfig(name="plateau", patience=2, drops=3), Plateau()
    factors = []
    for accuracy in [0.5, 0.6, 0.6, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]:
        state = state.after(accuracy, config)
        factors.append((round(state.factor(config), 4), state.is_over(config)))
    assert [factor for factor, _ in factors] == [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.0001]
    assert [over for _, over in factors] == [False] * 10 + [True]
