"""What six studies find in given outcomes: batchnorm, alexnet, head, augmentation, overfitting, transfer."""

import pytest

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.study.experiments import (
    alexnet,
    augmentation,
    batchnorm,
    few_images,
    head,
    overfitting,
    transfer,
)
from verydeep.train.start.new_network import with_options

from ...report.trainings import epoch
from ..outcomes import outcome


def outcomes(study, top1, **changes):
    return [
        outcome(trial, top1(trial), **{name: value(trial) for name, value in changes.items()})
        for trial in study.trials(False)
    ]


def test_augmentation_is_compared_with_none_and_its_gap_is_stated():
    runs = outcomes(
        augmentation.STUDY,
        lambda trial: 0.9 + 0.01 * (trial.variant == "flips") + trial.recipe.seed / 1e4,
        train_top1=lambda trial: 0.95,
    )
    first, *_, gaps = augmentation.STUDY.conclude(runs)
    assert first.startswith("flips is significantly better than none")
    assert gaps.startswith("Training minus test accuracy, in points: none 5.0; flips 4.0; shifts 5.0")


def test_batch_norm_is_compared_at_the_rates_that_validation_images_choose():
    def top1(trial):
        if trial.variant == batchnorm.WITHOUT:
            return None if trial.recipe.optimizer.lr > 0.05 else 0.7 + trial.recipe.optimizer.lr
        return 0.9 + trial.recipe.seed / 1e3

    def validation(trial):  # batch norm is best at 0.08
        return 0.8 + (trial.variant == batchnorm.WITH and trial.recipe.optimizer.lr == 0.08) / 10

    runs = outcomes(
        batchnorm.STUDY,
        top1,
        epochs=lambda trial: (epoch(1, val_top1=validation(trial)),),
        failed=lambda trial: "the loss is nan" if top1(trial) is None else None,
    )
    learned, compared = batchnorm.STUDY.conclude(runs)
    assert learned == (
        "Rates at which all runs learned: no batch norm 0.005, 0.02; batch norm 0.005, 0.02, 0.08, 0.32."
    )
    assert compared.startswith("Batch norm is significantly better than no batch norm (D without")
    assert "at the best rates on validation images, 0.005 and 0.08" in compared
    at_chance = outcomes(batchnorm.STUDY, lambda trial: 0.1, epochs=lambda trial: (epoch(1),))
    assert batchnorm.STUDY.conclude(at_chance)[1].startswith("Not compared")
    assert batchnorm.STUDY.conclude([])[0].endswith("no batch norm none; batch norm none.")


def test_the_heads_share_their_convolutions_and_vgg16_is_counted():
    runs = outcomes(
        head.STUDY,
        lambda trial: 0.9,
        parameters=lambda trial: (
            trace(
                with_options(Architecture.from_string(trial.recipe.model, input=(1, 28, 28)), trial.recipe)
            ).totals.parameters
        ),
    )
    *_, share, vgg16 = head.STUDY.conclude(runs)
    assert share == "The network with global average pooling has 12% of the parameters."
    assert "leaves 15,227,688 of 138,357,544 parameters" in vgg16


def test_each_part_is_taken_out_of_alexnet():
    whole, *others = (Architecture.from_string(string) for string, _ in alexnet.VARIANTS.values())
    kinds = [[type(layer).__name__ for layer in network.layers] for network in (whole, *others)]
    assert kinds[0] == kinds[1] == kinds[3]
    assert kinds[2] == [kind for kind in kinds[0] if kind != "LocalNorm"]
    (finding, *_) = alexnet.STUDY.conclude(
        outcomes(
            alexnet.STUDY, lambda trial: 0.8 + 0.1 * (trial.variant == "whole") + trial.recipe.seed / 1e4
        )
    )
    assert finding.startswith("no overlap is significantly worse than whole")


def test_overfitting_says_when_the_accuracy_was_highest():
    curve = tuple(
        epoch(number, val_top1=top1, val_loss=loss)
        for number, top1, loss in ((1, 0.7, 0.9), (2, 0.8, 0.5), (3, 0.75, 1.5))
    )
    runs = outcomes(
        overfitting.STUDY, lambda trial: 0.75 + trial.recipe.seed / 1e3, epochs=lambda trial: curve
    )
    course, stopped, *_ = overfitting.STUDY.conclude(runs)
    assert "is highest after epoch 2, 80.0 % in the mean, and 75.0 % at the end, after epoch 3" in course
    assert "the loss is lowest after epoch 2, and 3.0 times as high at the end" in course
    assert stopped.startswith("No significant difference between training without a remedy and with early")
    assert overfitting.STUDY.conclude([])[0].startswith("Not measured")


def test_transfer_says_where_the_curves_cross():
    def top1(trial):
        if trial.variant == transfer.PROBE:
            return 0.8
        few = trial.images_per_class is not None and trial.images_per_class <= 50
        return (0.6 if few else 0.9) + trial.recipe.seed / 1e3

    crossing, _, fine_tuned, *_ = transfer.STUDY.conclude(outcomes(transfer.STUDY, top1))
    assert crossing == (
        "From scratch, compared with the linear probe: significantly worse with 5, 10, 20, 50 images "
        "a class, and significantly better with 100, 500 images a class."
    )
    assert fine_tuned == (
        "From scratch, compared with fine-tuning: no significant difference with any number of images."
    )
    of_one_seed = [run for run in outcomes(transfer.STUDY, top1) if run.seed == 0]
    assert transfer.STUDY.conclude(of_one_seed)[0] == (
        "Not decided: fewer than two seeds have finished both, from scratch and the linear probe."
    )


@pytest.mark.parametrize("study", [transfer.STUDY, overfitting.STUDY], ids=lambda study: study.name)
def test_each_seed_has_its_own_images_and_its_own_first_network(study):
    for trial in study.trials(True):
        if trial.classes == few_images.TARGET:
            assert trial.images_seed == trial.recipe.seed
        if trial.initialized_from is not None:
            assert trial.initialized_from in study.trials(True)
            assert trial.initialized_from.recipe.seed == trial.recipe.seed
            assert not set(trial.initialized_from.classes) & set(trial.classes)
