"""The study of compression: its trials, and its findings from given outcomes."""

from dataclasses import replace
from fractions import Fraction
from math import log

import pytest

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.study.compression import FINE_TUNING, RECIPE, STUDY, WIDTHS, scratch_epochs
from verydeep.study.compression_sizes import gain_at_equal_bytes
from verydeep.study.trial import CompressedNetwork, Outcome

from .test_studies import outcome

TRIALS = STUDY.trials(False)


def bytes_of(trial):
    """1,600 KB in fp32, and less by bits and by share."""
    share = 1.0
    if "/" in trial.variant and (trial.group.startswith("narrowed") or trial.steps.bits):
        share = float(Fraction(trial.variant))
    return int(1_600_000 * share * (trial.steps.bits or 32) / 32)


def outcomes(val_top1, test_top1=lambda trial: 0.9):
    """Of all trials, with accuracies by trial."""
    return [
        outcome(
            trial,
            test_top1(trial),
            parameters=400_000,
            compressed=CompressedNetwork(
                val_top1=val_top1(trial), bytes=bytes_of(trial), nonzero=0.25, speedup=1.5
            )
            if trial.kind == "compression"
            else None,
        )
        for trial in TRIALS
    ]


@pytest.mark.parametrize("full", [False, True])
def test_a_trial_follows_the_one_that_it_starts_from(full):
    names = []
    for trial in STUDY.trials(full):
        if trial.kind == "compression":
            assert trial.initialized_from.name in names
            assert trial.initialized_from.recipe.validation == trial.recipe.validation > 0
            assert trial.initialized_from.recipe.seed == trial.recipe.seed
        names.append(trial.name)


@pytest.mark.parametrize(("share", "widths"), WIDTHS.items())
def test_narrow_networks_have_about_the_share_of_the_weights(share, widths):
    original, narrow = zoo.resolve("vgg-tiny"), zoo.resolve(widths)
    narrow = replace(narrow, input=original.input, classes=original.classes)
    assert trace(narrow).totals.parameters == pytest.approx(
        trace(original).totals.parameters * float(Fraction(share)), rel=0.1
    )


def test_scratch_b_computes_as_much_as_the_original_and_its_fine_tuning():
    original, narrow = zoo.resolve("vgg-tiny"), zoo.resolve(WIDTHS["1/4"])
    narrow = replace(narrow, input=original.input, classes=original.classes)
    large, small = (trace(each).totals.macs for each in (original, narrow))
    epochs = scratch_epochs(RECIPE, FINE_TUNING)
    assert epochs["Scratch-E"] == RECIPE.epochs + FINE_TUNING.epochs
    assert epochs["Scratch-B"] * small == pytest.approx(
        RECIPE.epochs * large + FINE_TUNING.epochs * small, abs=small / 2
    )


def test_the_smallest_file_that_loses_little_on_validation_is_reported():
    def val_top1(trial):
        few_bits = trial.steps.bits == 2
        return 0.89 if few_bits or trial.variant in ("1/8", "1/16") else 0.9

    first, *findings = STUDY.conclude(outcomes(val_top1))
    assert "11 times smaller by bits alone, 43 times smaller by unstructured pruning" in first
    assert any("bits (1/4 of the weights, 3 bits): 37.5 KB instead of 1,600 KB" in text for text in findings)
    # 100,000 of 400,000 weights: 0.811 bits a weight for the positions, 5 bits an index
    assert any("about 40.6 of the 37.5 KB" in text and "62.5 KB" in text for text in findings)


def test_a_method_that_always_loses_too_much_has_no_size():
    findings = STUDY.conclude(outcomes(lambda trial: 0.8 if trial.group.startswith("pruned") else 0.9))
    assert "Unstructured pruning and bits loses more at every size that was tried." in findings


def test_equal_bytes_are_compared_by_interpolation():
    def run(size, top1):
        measured = CompressedNetwork(val_top1=top1, bytes=size, nonzero=1.0, speedup=1.0)
        return replace(outcome(TRIALS[0], top1), compressed=measured)

    curve = {0: [(log(1000), 0.8), (log(4000), 0.9)]}
    assert gain_at_equal_bytes([run(2000, 0.9)], curve).mean == pytest.approx(0.05)
    assert gain_at_equal_bytes([run(5000, 0.9)], curve) is None


def test_the_findings_from_scratch_name_the_paper():
    def test_top1(trial):
        return {"Scratch-E": 0.91, "Scratch-B": 0.92}.get(trial.variant, 0.9) + trial.recipe.seed / 1e4

    text = " ".join(STUDY.conclude(outcomes(lambda trial: 0.9, test_top1)))
    assert "Scratch-E is significantly better than fine-tuned" in text
    assert "5 seeds); the paper found no difference." in text
    assert "equal compute): +2.00 points" in text
    assert "Distilled is significantly worse than Scratch-B" in text


def test_nothing_is_concluded_without_an_original():
    failed: list[Outcome] = [replace(run, test_top1=None, compressed=None) for run in outcomes(lambda t: 0.9)]
    text = " ".join(STUDY.conclude(failed))
    assert "Not measured: no original is finished." in text and "nan" not in text
