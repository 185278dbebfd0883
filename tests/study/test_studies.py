"""The thirteen studies: their trials, and the conclusions from given outcomes."""

from dataclasses import replace
from math import prod, sqrt

import pytest

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv, MaxPool
from verydeep.errors import RecipeError
from verydeep.study.experiments import depth, gradients, kernel, residual, split
from verydeep.study.experiments import initialization as init
from verydeep.study.statistics import gradient_range
from verydeep.study.studies import STUDIES, find_study
from verydeep.study.trial import LayerGradient

from .outcomes import outcome


def test_the_thirteen():
    assert list(STUDIES) == [
        "depth", "kernel", "init", "gradients", "residual", "batchnorm", "alexnet", "head", "augmentation",
        "overfitting", "transfer", "split", "compress",
    ]  # fmt: skip


@pytest.mark.parametrize("study", STUDIES.values(), ids=list(STUDIES))
@pytest.mark.parametrize("full", [False, True])
def test_every_trial_has_a_unique_name_and_three_seeds_or_splits(study, full):
    trials = study.trials(full)
    assert len({trial.name for trial in trials}) == len(trials)
    by_variant = {}
    for trial in trials:
        by_variant.setdefault((trial.group, trial.variant), set()).add((trial.recipe.seed, trial.split))
        assert zoo.resolve(trial.recipe.model)
    assert min(map(len, by_variant.values())) >= 3


def test_no_text_of_a_study_has_code_in_it():
    texts = [text for study in STUDIES.values() for text in (study.title, study.question, study.protocol)]
    assert not [text for text in texts if "{" in text or "}" in text]


def test_the_trials_of_one_seed_have_that_seed():
    trials = split.STUDY.trials_up_to(1)
    assert [(trial.variant, trial.recipe.seed, trial.split) for trial in trials] == [
        (split.SPLITS, 0, 0),
        (split.SEEDS, 0, 0),
    ]
    assert split.STUDY.trials_up_to(None) == list(split.STUDY.trials(False))


@pytest.mark.parametrize("column", depth.ARCHITECTURES)
def test_the_networks_are_the_papers_with_one_eighth_of_the_channels(column):
    network, papers = Architecture.from_string(depth.ARCHITECTURES[column]), zoo.resolve(column)
    assert len(network.layers) == len(papers.layers)
    for small, large in zip(network.layers, papers.layers, strict=True):
        assert type(small) is type(large)
        if isinstance(small, Conv):
            assert (8 * small.channels, small.kernel) == (large.channels, large.kernel)


def test_one_5x5_has_the_receptive_field_of_two_3x3():  # VGG, section 2.3
    networks = {name: Architecture.from_string(string) for name, string in kernel.ARCHITECTURES.items()}
    fields = {
        name: [row.receptive_field for row in trace(network).layers if row.kind == "pool"]
        for name, network in networks.items()
    }
    assert fields["one 5x5"] == fields["two 3x3"]
    assert sum(isinstance(layer, MaxPool) for layer in networks["one 5x5"].layers) == 5


@pytest.mark.parametrize("name", ["plain20", "plain56", "resnet20", "resnet56"])
def test_the_residual_networks_are_the_papers_with_16_channels(name):
    kind, layers = name[:-2], int(name[-2:])
    string = residual.architecture_string(layers, residual=kind == "resnet", channels=16)
    assert Architecture.from_string(string).layers == zoo.resolve(name).layers


def test_initialization_from_a_uses_a_trial_of_the_same_seed():
    trials = init.STUDY.trials(False)
    from_a = [trial for trial in trials if trial.initialized_from is not None]
    assert len(from_a) == 6
    assert all(trial.initialized_from in trials for trial in from_a)
    assert all(trial.initialized_from.recipe.seed == trial.recipe.seed for trial in from_a)


def test_depth_disagrees_with_the_paper_without_batch_norm_and_agrees_with_it():
    def top1(trial):
        deep, normalized = trial.variant in ("D", "E"), trial.group == depth.WITH
        return (0.9 if not deep else 0.92 if normalized else 0.8) + trial.recipe.seed / 1e4

    with_norm, without, saturated, *_ = depth.STUDY.conclude(
        [outcome(trial, top1(trial)) for trial in depth.STUDY.trials(False)]
    )
    assert without.startswith("D is significantly worse than A (11 and 16 layers, without batch norm): -10.0")
    assert without.endswith("; the paper found D better.")
    assert with_norm.startswith("D is significantly better than A (11 and 16 layers, with batch norm): +2.0")
    assert with_norm.endswith("; as in the paper.")
    assert saturated.startswith(
        "No significant difference between 16 and 19 layers, with batch norm (D and E)"
    )


def test_kernel_is_answered_with_batch_norm_first():
    def top1(trial):
        is_better = (trial.variant == "two 3x3") == (trial.group == kernel.WITH)
        return (0.92 if is_better else 0.9) + trial.recipe.seed / 1e4

    with_norm, without, weights = kernel.STUDY.conclude(
        [outcome(trial, top1(trial)) for trial in kernel.STUDY.trials(False)]
    )
    assert with_norm.startswith("two 3x3 is significantly better than one 5x5 (large kernels and stacks of")
    assert "with batch norm): +2.0" in with_norm and with_norm.endswith("; as in the paper.")
    assert "without batch norm): -2.0" in without and without.endswith("; the paper found two 3x3 better.")
    assert weights.startswith("Both have the same receptive field")


def test_init_counts_the_runs_that_learned():
    def top1(trial):
        return 0.1 if trial.variant == "N(0, 0.01)" else None if trial.variant == "N(0, 0.1)" else 0.85

    (conclusion, *_) = init.STUDY.conclude(
        [outcome(trial, top1(trial)) for trial in init.STUDY.trials(False)]
    )
    assert conclusion.startswith(
        "Runs of D that learned. N(0, 0.01): 0 of 3; N(0, 0.1): 0 of 3; Glorot: 3 of 3, mean 85.0%"
    )


def test_init_compares_the_start_from_a_with_he():
    def top1(trial):
        return (0.9 if trial.variant == init.FROM_A else 0.88) + trial.recipe.seed / 1e4

    found = init.STUDY.conclude([outcome(trial, top1(trial)) for trial in init.STUDY.trials(False)])
    of_d, of_e = found[2:4]
    assert of_d.startswith(
        "initialized from A is significantly better than He (two initializations of D): +2.00 points"
    )
    assert "two initializations of E" in of_e


def test_the_norm_range_is_from_the_smallest_to_the_largest_layer_without_the_last():
    (trial, *_) = gradients.STUDY.trials(False)
    measured = tuple(
        LayerGradient(layer=f"{number}", number=number, step=0, norm=norm)
        for number, norm in enumerate((1e-4, 1e-8, 1e-2, 7.0), start=1)  # the last layer gives the classes
    )
    run = outcome(trial, None, gradients=measured)
    assert gradient_range([run, run]) == pytest.approx((1e-8, 1e-2))
    assert gradient_range([outcome(trial, None)]) is None
    last_is_left_out = outcome(trial, None, gradients=(replace(measured[1], norm=0.0), *measured[2:]))
    assert gradient_range([last_is_left_out]) == pytest.approx((1e-2, 1e-2))


def test_the_full_study_of_gradients_has_five_seeds():
    for full, seeds in (False, 3), (True, 5):
        trials = gradients.STUDY.trials(full)
        assert len(trials) == seeds * len(gradients.DEPTHS) * len(gradients.VARIANTS)
        assert {trial.recipe.seed for trial in trials} == set(range(seeds))


def test_the_published_shrinking_of_the_gradient_follows_from_the_channels_of_vgg_b():
    channels = [layer.channels for layer in zoo.resolve("vgg13").layers if isinstance(layer, Conv)]
    he = [sqrt(2 / (9 * count)) for count in channels[1:]]  # He et al. 2015, equation 14
    shrinks = prod(std / 0.01 for std in he)
    assert shrinks == pytest.approx(17_000, rel=0.02)  # the paper rounds each factor
    assert f"1/{17_000:,} of that of He" in gradients.STUDY.published.rows[0][2]


def test_split_separates_the_variance_of_splits_and_of_seeds():
    trials = split.STUDY.trials(False)
    outcomes = [
        outcome(
            trial, 0.8 + (0.01 * trial.split if trial.variant == split.SPLITS else 0.001 * trial.recipe.seed)
        )
        for trial in trials
    ]
    findings = " ".join(split.STUDY.conclude(outcomes))
    assert "the test accuracy ranges from 80.0% to 99.0% over 20 splits" in findings
    assert "deviation is 0.6 points over 20 seeds" in findings
    assert "Not measured" in split.STUDY.conclude(outcomes[:1])[0]


def test_the_error_for_an_unknown_study_has_a_similar_name():
    with pytest.raises(RecipeError, match=r"no study 'dept'. Did you mean depth\?"):
        find_study("dept")


def test_trials_with_different_splits_have_different_names():
    (trial, *_) = split.STUDY.trials(False)
    assert trial.name != replace(trial, split=99).name
