"""The result of `verydeep tune` in the terminal and as JSON."""

import json
from dataclasses import replace

import pytest

from verydeep.evaluate.temperature_choice import TemperatureChoice
from verydeep.number_format import NONE
from verydeep.tables.tune_table import tune_table, tune_values

from ..report.tunings import fine_tuning, linear_probe, on_test, on_validation, skipped, tune_result
from .test_network_table import shown


@pytest.fixture
def result(tmp_path):
    return tune_result(tmp_path)


def lines(result, width=110):
    text = shown(tune_table(result), width).replace("\N{NO-BREAK SPACE}", " ")
    return [" ".join(line.split()) for line in text.splitlines()]


def interval(evaluation, decimals):
    each = evaluation.intervals["balanced_accuracy"]
    unit = " %" if decimals == 2 else ""
    return f"{100 * each.low:.{decimals}f}{unit} to {100 * each.high:.{decimals}f}{unit}"


def test_the_headline_has_the_metrics_on_the_test_images(result):
    first, second, third, fourth, *_ = lines(result, width=130)
    test = result.test
    assert first == (
        f"Balanced accuracy 91.25 % (95 % interval {interval(test, 2)}) on 100 test images of 24 groups"
    )
    assert second == (
        f"accuracy 92.00 % · macro-F1 {100 * test.macro_f1:.2f} % · calibration error 5.00 %, "
        f"{100 * test.scaled.calibration.error:.2f} % after temperature scaling (T = 1.25)"
    )
    assert third == "chosen: linear-probe; fine-tuning was not better on the held-out images"
    assert fourth == f"classifier head: {result.head_reason}"


def test_why_these_weights_were_taken_is_said_where_none_were_named(result):
    assert not any(line.startswith("weights:") for line in lines(result, width=200))
    shown = lines(replace(result, weights_reason="resnet18, which takes about 9 s"), width=200)
    assert "weights: resnet18, which takes about 9 s" in shown


def test_a_temperature_that_does_not_help_is_not_applied_and_named(result):
    choice = TemperatureChoice(
        fitted=1.15, loss_before=0.25, loss_after=0.24, error_before=0.0408, error_after=0.0471
    )
    shown = lines(replace(result, calibration=choice, test=replace(result.test, scaled=None)), width=200)
    assert shown[1].endswith("calibration error 5.00 %")
    assert shown[2] == (
        "Temperature scaling is not applied, because T = 1.15 does not help on held-out images: loss 0.250 "
        "to 0.240 nats, calibration error 4.08 % to 4.71 %."
    )


def test_images_without_groups_are_counted_alone(result):
    assert lines(replace(result, test=on_test(groups=None)))[0].endswith("on 100 test images")


def test_every_strategy_has_its_metrics_and_its_note(result):
    text = lines(result)
    assert "strategy validation 95 % interval test 95 % interval time" in text
    validation, tuned = on_validation(), on_validation(285, 54)
    assert f"linear-probe 93.17 % {interval(validation, 1)} 91.25 % {interval(on_test(), 1)} 3.2 s" in text
    assert f"fine-tune 92.50 % {interval(tuned, 1)} {NONE} 2 min 20 s" in text
    assert f"scratch {NONE} {NONE} {NONE}" in text
    assert "scratch: skipped: 360 training images are too few for it" in text
    assert "linear-probe: logistic regression on frozen features" in text


def test_every_class_has_its_recall_and_its_confusion(result):
    text = lines(result)
    assert "class recall precision F1 images most often confused with" in text
    assert "dog 90.0 % 75.0 % 81.8 % 20 cat (2)" in text


def test_json_has_all_values_of_the_result(result):
    values = json.loads(json.dumps(tune_values(result)))
    assert list(values) == [
        "run", "model", "architecture_string", "size", "fit", "fit_reason", "head", "head_reason", "weights",
        "weights_reason", "chosen", "reason", "test",
        "strategies", "l2", "temperature", "calibration", "changes", "comparison", "broken", "skipped",
        "notes", "warnings", "seconds",
    ]  # fmt: skip
    assert (values["run"], values["model"], values["size"]) == ("runs/tune-pets", "vgg16-gap", 96)
    assert values["architecture_string"] == "64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | gap"
    assert (values["head"], values["head_reason"]) == ("relu5_3", result.head_reason)
    assert (values["chosen"], values["reason"]) == ("linear-probe", result.reason)
    assert values["test"]["balanced_accuracy"] == pytest.approx(0.9125)
    assert values["test"]["temperature"] == values["temperature"] == 1.25
    assert (values["l2"], values["seconds"]) == (0.01, 152.0)
    assert values["warnings"] == list(result.warnings)
    error = "cat/cut.jpg cannot be decoded: it is truncated"
    assert values["broken"][0] == {"name": "cat/cut.jpg", "file": "cat/cut.jpg", "error": error}


def test_json_has_every_strategy(result):
    probe, tuned, scratch = tune_values(result)["strategies"]
    assert list(probe) == list(tuned) == list(scratch) == [
        "strategy", "validation", "test", "seconds", "forecast_seconds", "epochs", "best_epoch", "note",
    ]  # fmt: skip
    assert [each["strategy"] for each in (probe, tuned, scratch)] == ["linear-probe", "fine-tune", "scratch"]
    assert probe["validation"] == linear_probe().validation.values and probe["test"] == on_test().values
    assert (probe["epochs"], probe["best_epoch"], probe["forecast_seconds"]) == (0, None, None)
    assert tuned["validation"] == fine_tuning().validation.values and tuned["test"] is None
    assert (tuned["epochs"], tuned["best_epoch"], tuned["seconds"]) == (6, 4, 140.0)
    assert (scratch["validation"], scratch["seconds"], scratch["forecast_seconds"]) == (None, 0.0, 900.0)
    assert scratch["note"] == skipped().note


def test_a_network_without_a_linear_probe_has_no_l2_strength(result):
    assert tune_values(replace(result, probe=None))["l2"] is None
