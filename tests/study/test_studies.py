"""The six studies: what they train, and that their sentences follow from the outcomes."""

from dataclasses import replace

import pytest

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv, MaxPool
from verydeep.errors import RecipeError
from verydeep.study import depth, gradients, kernel, residual, split
from verydeep.study import initialization as init
from verydeep.study.studies import STUDIES, find
from verydeep.study.trial import LayerGradient, Outcome

PAPER = {"A": "A", "A-LRN": "A-LRN", "B": "B", "C": "C", "D": "D", "E": "E"}


def outcome(trial, top1=0.9, **changes):
    values = {
        "name": trial.name, "group": trial.group, "variant": trial.variant, "seed": trial.recipe.seed,
        "split": trial.split, "architecture_string": trial.recipe.model, "parameters": 1000,
        "test_top1": top1,
    }  # fmt: skip
    return Outcome(**{**values, **changes})


def test_the_six():
    assert list(STUDIES) == ["depth", "init", "gradients", "residual", "kernel", "split"]


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
@pytest.mark.parametrize("full", [False, True])
def test_every_trial_has_a_name_of_its_own_and_three_seeds_or_splits(study, full):
    trials = study.trials(full)
    assert len({trial.name for trial in trials}) == len(trials)
    by_variant = {}
    for trial in trials:
        by_variant.setdefault((trial.group, trial.variant), set()).add((trial.recipe.seed, trial.split))
        assert zoo.resolve(trial.recipe.model)
    assert min(map(len, by_variant.values())) >= 3


@pytest.mark.parametrize("column", depth.LINES)
def test_the_columns_are_the_papers_with_an_eighth_of_the_channels(column):
    ours, papers = Architecture.from_string(depth.LINES[column]), zoo.resolve(column)
    assert len(ours.layers) == len(papers.layers)
    for small, large in zip(ours.layers, papers.layers, strict=True):
        assert type(small) is type(large)
        if isinstance(small, Conv):
            assert (8 * small.channels, small.kernel) == (large.channels, large.kernel)


def test_one_5x5_sees_as_far_as_two_3x3():  # VGG, section 2.3
    fields = {
        name: [
            row.receptive_field for row in trace(Architecture.from_string(line)).layers if row.kind == "pool"
        ]
        for name, line in kernel.LINES.items()
    }
    assert fields["one 5x5"] == fields["two 3x3"]
    pools = [
        layer
        for layer in Architecture.from_string(kernel.LINES["one 5x5"]).layers
        if isinstance(layer, MaxPool)
    ]
    assert len(pools) == 5


@pytest.mark.parametrize("name", ["plain20", "plain56", "resnet20", "resnet56"])
def test_the_residual_lines_are_the_papers_at_sixteen_channels(name):
    kind, layers = name[:-2], int(name[-2:])
    ours = residual.line(layers, residual=kind == "resnet", channels=16)
    assert Architecture.from_string(ours).layers == zoo.resolve(name).layers


def test_what_grows_waits_for_a_trial_of_the_study_with_its_seed():
    trials = init.STUDY.trials(False)
    grown = [trial for trial in trials if trial.grows_from is not None]
    assert len(grown) == 6
    assert all(trial.grows_from in trials for trial in grown)
    assert all(trial.grows_from.recipe.seed == trial.recipe.seed for trial in grown)


def test_depth_reports_a_disagreement_with_the_paper():
    accuracies = {"A": 0.9, "A-LRN": 0.9, "B": 0.9, "C": 0.9, "D": 0.8, "E": 0.8}
    (said, *_) = depth.STUDY.conclude(
        [
            outcome(trial, accuracies[trial.variant] + trial.recipe.seed / 1e4)
            for trial in depth.STUDY.trials(False)
        ]
    )
    assert "Going from 11 to 16 layers (A to D) hurts, -10.00 points" in said
    assert "in the paper it helps" in said


def test_init_counts_what_learned():
    def top1(trial):
        return 0.1 if trial.variant == "N(0, 0.01)" else None if trial.variant == "N(0, 0.1)" else 0.85

    (said, *_) = init.STUDY.conclude([outcome(trial, top1(trial)) for trial in init.STUDY.trials(False)])
    assert "D learns from N(0, 0.01) in 0 of 3; N(0, 0.1) in 0 of 3; Glorot in 3 of 3, mean 85.0%" in said


def test_gradients_are_told_from_the_least_layer_to_the_greatest():
    (trial, *_) = gradients.STUDY.trials(False)
    looks = tuple(
        LayerGradient(layer=f"{place}", place=place, step=0, norm=norm)
        for place, norm in enumerate((1e-4, 1e-8, 1e-2, 7.0), start=1)  # the last is that of the classes
    )
    run = outcome(trial, None, gradients=looks)
    assert gradients.span([run, run]) == pytest.approx((1e-8, 1e-2))
    assert gradients.span([outcome(trial, None)]) is None


def test_split_takes_splits_and_seeds_apart():
    trials = split.STUDY.trials(False)
    outcomes = [
        outcome(
            trial, 0.8 + (0.01 * trial.split if trial.variant == split.SPLITS else 0.001 * trial.recipe.seed)
        )
        for trial in trials
    ]
    said = " ".join(split.STUDY.conclude(outcomes))
    assert "over 20 splits the accuracy on the fifth held back runs from 80.0% to 99.0%" in said
    assert "deviation is 0.6 points over 20 seeds" in said
    assert "Not measured" in split.STUDY.conclude(outcomes[:1])[0]


def test_an_unknown_study_gets_the_nearest():
    with pytest.raises(RecipeError, match=r"no study 'dept'. Did you mean depth\?"):
        find("dept")


def test_a_trial_is_told_from_its_twin_on_another_split():
    (trial, *_) = split.STUDY.trials(False)
    assert trial.name != replace(trial, split=99).name
