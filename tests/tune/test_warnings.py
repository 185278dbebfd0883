"""Warnings: what is worth one, and what is not."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from verydeep.check.finding import Finding
from verydeep.check.group_names import propose_groups
from verydeep.evaluate.evaluation import evaluate_logits
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.number_format import percent
from verydeep.tune.config import TuneConfig
from verydeep.tune.result import L2Point, PartSize
from verydeep.tune.tune import tune_network
from verydeep.tune.warnings import FEW_TO_TEST, FEW_TO_TRAIN, warnings

CLASSES = ("circle", "square", "triangle")


def evaluation(images, mistakes=0, groups=None):
    """So many images, the first ``mistakes`` of which are predicted as another class."""
    labels = torch.arange(images) % 3
    logits = 6.0 * functional.one_hot((labels + (torch.arange(images) < mistakes)) % 3, 3)
    return evaluate_logits(logits, labels, CLASSES, groups=groups)


@pytest.fixture(scope="module")
def result(tmp_path_factory, weights, shapes):
    """A run without anything to warn of."""
    folder = tmp_path_factory.mktemp("warnings")
    config = TuneConfig(weights=str(weights), strategy="linear-probe")
    run = tune_network(str(shapes), config, folder / "run", device="cpu", cache=folder / "cache")
    parts = tuple(replace(part, class_sizes=dict.fromkeys(CLASSES, 100)) for part in run.parts)
    quiet = replace(
        run, findings=(), parts=parts, test=evaluation(900, 9),
        images=replace(run.images, proposal=None, unreadable=()),
        probe=replace(run.probe, evaluation=evaluation(900, 9)),
    )  # fmt: skip
    assert warnings(quiet) == ()
    return quiet


def with_test(result, *test, probe=None):
    held_out = result.probe.evaluation if probe is None else probe
    return replace(result, test=evaluation(*test), probe=replace(result.probe, evaluation=held_out))


def test_errors_of_the_data_check_are_warnings_and_lesser_issues_are_not(result):
    issues = [
        Finding(kind=kind, severity=kind, message=f"{kind} found.", next_step=f"Mend the {kind}.")
        for kind in ("error", "warning", "note")
    ]
    assert warnings(replace(result, findings=tuple(issues))) == ("error found. Mend the error.",)
    assert warnings(replace(result, findings=None)) == ()


def test_names_that_suggest_groups(result):
    names = tuple(f"photo_{i // 4:02}_{i}.png" for i in range(40))
    proposal = propose_groups(names, 3)
    (warning,) = warnings(replace(result, images=replace(result.images, proposal=proposal)))
    assert f"--group-by '{proposal.pattern}' keeps them together" in warning


@pytest.mark.parametrize("groups", [None, 30])
def test_a_test_that_contradicts_cross_validation(result, groups):
    images = replace(result.images, groups=groups)
    (warning,) = warnings(replace(with_test(result, 900, 200), images=images))
    assert "is 99.0\N{NO-BREAK SPACE}% in cross-validation and 77.8" in warning
    assert ("group them by --group-by" in warning) is (groups is None)
    assert "try --seed 1" in warning


def test_a_test_that_is_better_than_cross_validation_contradicts_it_too(result):
    (warning,) = warnings(with_test(result, 900, 9, probe=evaluation(900, 200)))
    assert "further apart than chance explains" in warning


def fine_tuned(result, validation):
    chosen = replace(result.strategies[0], strategy="fine-tune", validation=validation)
    return replace(result, chosen="fine-tune", strategies=(result.strategies[0], chosen))


def test_the_test_of_a_fine_tuned_network_is_compared_with_its_own_validation(result):
    poor_probe = with_test(result, 900, 9, probe=evaluation(900, 200))
    assert warnings(fine_tuned(poor_probe, evaluation(300, 3))) == ()
    far = fine_tuned(with_test(result, 900, 200), evaluation(300, 3))
    (warning,) = warnings(far)
    assert "is 99.0\N{NO-BREAK SPACE}% on the held-out training images and 77.8" in warning
    assert "are in training and validation (group them" in warning
    given = PartSize(part="val", images=300, groups=None, class_sizes=dict.fromkeys(CLASSES, 100))
    (warning,) = warnings(replace(far, parts=(*far.parts, given)))
    assert "on the validation images and 77.8" in warning


@pytest.mark.parametrize(
    ("mistakes", "images"), [(50, 900), (1, 15)], ids=["less than 5 % apart", "intervals overlap"]
)
def test_a_test_within_chance_of_cross_validation_is_not_a_warning(result, mistakes, images):
    assert not any("chance explains" in each for each in warnings(with_test(result, images, mistakes)))


def test_without_cross_validation_there_is_nothing_to_compare_with(result):
    assert warnings(replace(result, probe=None)) == ()
    assert warnings(replace(result, probe=replace(result.probe, evaluation=None))) == ()


@pytest.mark.parametrize(
    ("part", "least", "kind"), [("train", FEW_TO_TRAIN, "training"), ("test", FEW_TO_TEST, "test")]
)
def test_few_images_of_a_class(result, part, least, kind):
    sizes = {f"class {i}": least - 1 for i in range(7)} | {"enough": least}
    small = PartSize(part=part, images=500, groups=None, class_sizes=sizes)
    (warning,) = warnings(replace(result, parts=(small,)))
    listed = ", ".join(f"class {i} ({least - 1})" for i in range(5))
    assert warning == f"There are few {kind} images of {listed} and 2 more; {least} or more are better"


def test_few_validation_images_are_not_a_warning(result):
    small = PartSize(part="val", images=3, groups=None, class_sizes=dict.fromkeys(CLASSES, 1))
    assert warnings(replace(result, parts=(small,))) == ()


@pytest.mark.parametrize(("groups", "noun"), [(None, "images"), (9, "groups")])
def test_a_wide_interval(result, groups, noun):
    images = replace(result.images, groups=groups)
    sentences = warnings(replace(with_test(result, 60, 6), images=images))
    (warning,) = (each for each in sentences if "leaves open" in each)
    assert f"it has too few {noun}. Add more, or use a larger --test" in warning


def test_where_the_test_images_were_given_no_flag_is_named_that_would_change_them(result):
    images = replace(result.images, has_own_test=True, groups=30)
    (warning,) = warnings(replace(with_test(result, 900, 200), images=images))
    assert warning.endswith("explains. The test images are of another kind")
    wide = " ".join(warnings(replace(with_test(result, 60, 6), images=images)))
    assert "too few groups. Add more" in wide and "--test" not in wide and "--seed" not in wide


def test_a_test_without_a_mistake_is_not_certain(result):
    """13 images, all correct: Wilson's interval starts at 77 %, though resamples have no width."""
    sentences = " ".join(warnings(with_test(result, 13)))
    assert "further apart than chance explains" not in sentences
    assert f"leaves open whether balanced accuracy is {percent(0.77, 0)} or {percent(1, 0)}:" in sentences
    assert "leaves open" not in " ".join(warnings(with_test(result, 1000)))


@pytest.mark.parametrize(("chosen", "is_warned"), [(10.0, True), (1.0, False)])
def test_features_that_do_not_separate_the_classes(result, chosen, is_warned):
    curve = tuple(L2Point(l2=l2, balanced_accuracy=0.5, standard_error=0.1, loss=1.0) for l2 in (10.0, 1.0))
    probe = replace(result.probe, curve=curve, l2=chosen)
    assert any("strongest L2" in each for each in warnings(replace(result, probe=probe))) is is_warned


def test_a_given_strength_is_not_a_warning(result):
    curve = (L2Point(l2=10.0, balanced_accuracy=0.5, standard_error=0.1, loss=1.0),)
    assert warnings(replace(result, probe=replace(result.probe, curve=curve, l2=10.0))) == ()


def test_unreadable_images(result, tmp_path):
    unreadable = tuple(
        UnreadableImage(tmp_path / f"{i}.png", "truncated", "truncated", f"{i}.png") for i in range(4)
    )
    images = replace(result.images, unreadable=unreadable)
    (warning,) = warnings(replace(result, images=images))
    assert warning.startswith("4 of 120 images cannot be read and are left out: 0.png, 1.png, 2.png, ...; ")
