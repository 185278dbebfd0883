"""Training that does not learn is stopped, with the likely fixes for its network."""

import pytest

from verydeep.architecture import zoo
from verydeep.errors import LearningError
from verydeep.train.divergence import (
    FLAGS_OF_TRAIN,
    depth,
    likely_fixes,
    margin_of_accuracy,
    margin_of_balanced_accuracy,
    require_better_than_chance,
    require_finite,
)


@pytest.mark.parametrize(
    ("name", "layers"), [("vgg11", 11), ("vgg16", 16), ("vgg19", 19), ("resnet34", 34), ("alexnet", 8)]
)
def test_depth_is_that_of_the_papers(name, layers):
    assert depth(zoo.resolve(name)) == layers


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_with_the_learning_rate(loss):
    with pytest.raises(LearningError, match=r"training diverged \(learning rate 0\.1\)"):
        require_finite(loss, zoo.resolve("vgg16_bn"), 0.1)


def test_a_finite_loss_does_not_stop_training():
    require_finite(6.9, zoo.resolve("vgg16"), 0.1)


def test_a_deep_network_without_batch_norm_gets_the_fixes_of_the_paper():
    assert likely_fixes(zoo.resolve("vgg19"), 0.01, FLAGS_OF_TRAIN) == (
        "It has 19 layers and no batch norm. Likely fixes: add batch norm (--norm batch); lower the learning "
        "rate (--optimizer.lr 0.001); use He initialization (--init he); initialize from a trained net A, as "
        "the paper did (--grow-from RUN)"
    )
    assert likely_fixes(zoo.resolve("vgg16_bn"), 0.1, FLAGS_OF_TRAIN).startswith(
        "Likely fixes: lower the learning rate (--optimizer.lr 0.01); check"
    )


@pytest.mark.parametrize(
    ("top1", "chance", "steps"),
    [(0.3, 0.1, 400), (0.1, 0.1, 50), (0.9, 0.85, 400)],
    ids=["learns", "too early", "imbalanced, but better than chance"],
)
def test_training_goes_on(top1, chance, steps):
    margin = margin_of_accuracy(chance, 10_000)
    require_better_than_chance(top1, chance, margin, steps, zoo.resolve("vgg19"))


def test_predicting_the_largest_class_is_chance():
    with pytest.raises(LearningError, match=r"85\.0%"):
        require_better_than_chance(
            0.851, 0.85, margin_of_accuracy(0.85, 10_000), 400, zoo.resolve("vgg16_bn")
        )


@pytest.mark.parametrize(("images", "chance"), [(4, 0.5), (1000, 0.997)], ids=["few", "imbalanced"])
def test_half_of_the_way_from_chance_to_1_is_enough(images, chance):
    network, margin = zoo.resolve("vgg11_bn"), margin_of_accuracy(chance, images)
    require_better_than_chance(1.0, chance, margin, 400, network)
    require_better_than_chance(0.51 + 0.49 * chance, chance, margin, 400, network)
    with pytest.raises(LearningError, match="at chance"):
        require_better_than_chance(chance, chance, margin, 400, network)


def test_balanced_accuracy_is_as_certain_as_its_classes():
    assert margin_of_balanced_accuracy([50, 50, 50]) == pytest.approx(margin_of_accuracy(1 / 3, 150))
    recall, sizes = 1 / 3, (900, 90, 60)
    variance = sum(recall * (1 - recall) / size for size in sizes) / len(sizes) ** 2
    assert margin_of_balanced_accuracy(sizes) == pytest.approx(3 * variance**0.5)


@pytest.mark.parametrize(
    ("sizes", "recalls"),
    [
        ((500, 500, 500, 1), (0.75, 0.75, 0.75, 0)),
        ((900, 900, 1), (0.98, 0.98, 0)),
        ((300, 300, 2), (0.95, 0.95, 0)),
    ],
)
def test_a_tiny_class_does_not_hide_that_the_others_are_learned(sizes, recalls):
    balanced, chance = sum(recalls) / len(sizes), 1 / len(sizes)
    margin = margin_of_balanced_accuracy(sizes)
    require_better_than_chance(balanced, chance, margin, 400, zoo.resolve("vgg11_bn"))
    with pytest.raises(LearningError, match="at chance"):
        require_better_than_chance(chance + 0.02, chance, margin, 400, zoo.resolve("vgg11_bn"))
