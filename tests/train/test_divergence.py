"""Training that does not learn is stopped, with the likely fixes for its network."""

import pytest

from verydeep.architecture import zoo
from verydeep.errors import LearningError
from verydeep.train.divergence import (
    FLAGS_OF_TRAIN,
    depth,
    images_of_balanced_accuracy,
    likely_fixes,
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
    ("top1", "largest", "steps"),
    [(0.3, 0.1, 400), (0.1, 0.1, 50), (0.9, 0.85, 400)],
    ids=["learns", "too early", "imbalanced, but better than chance"],
)
def test_training_goes_on(top1, largest, steps):
    require_better_than_chance(top1, 10_000.0, largest, steps, zoo.resolve("vgg19"))


def test_predicting_the_largest_class_is_chance():
    with pytest.raises(LearningError, match=r"85\.0%"):
        require_better_than_chance(0.851, 10_000.0, 0.85, 400, zoo.resolve("vgg16_bn"))


@pytest.mark.parametrize(("images", "largest"), [(4.0, 0.5), (1000.0, 0.997)], ids=["few", "imbalanced"])
def test_half_of_the_way_from_chance_to_1_is_enough(images, largest):
    network = zoo.resolve("vgg11_bn")
    require_better_than_chance(1.0, images, largest, 400, network)
    require_better_than_chance(0.51 + 0.49 * largest, images, largest, 400, network)
    with pytest.raises(LearningError, match="at chance"):
        require_better_than_chance(largest, images, largest, 400, network)


def test_balanced_accuracy_is_as_certain_as_its_classes():
    assert images_of_balanced_accuracy([50, 50, 50]) == pytest.approx(150)
    recall, sizes = 0.3, (900, 90, 10)
    variance = sum(recall * (1 - recall) / size for size in sizes) / len(sizes) ** 2
    assert images_of_balanced_accuracy(sizes) == pytest.approx(recall * (1 - recall) / variance)
