"""The linear probe: cross-validation finds its L2 strength, and class imbalance is handled."""

import pytest
import torch
from torch.nn import functional

from verydeep.evaluate.calibration import fit_temperature
from verydeep.evaluate.doubtful_labels import doubtful_labels
from verydeep.train.class_imbalance import balanced_criterion
from verydeep.tune.linear_probe import (
    DEFAULT_L2,
    FOLDS,
    fit_head,
    fit_linear_probe,
    logit_shift,
    loss_weights,
)
from verydeep.tune.logistic_regression import L2_STRENGTHS

CLASSES = ("common", "rare")


def overlapping(common=400, rare=40, seed=0):
    """Two classes of features that overlap, one much larger than the other."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor([0] * common + [1] * rare)
    features = torch.randn(len(labels), 6, generator=generator)
    features[:, 0] += 1.5 * labels
    return features, labels


def probe(method="none", groups=None, **settings):
    features, labels = overlapping()
    return fit_linear_probe(features, labels, groups, CLASSES, method, 0, **settings)


def recalls(head, features, labels):
    predicted = head(features).argmax(1)
    return [float((predicted[labels == label] == label).double().mean()) for label in (0, 1)]


def test_the_strength_has_the_lowest_loss_of_the_curve():
    points = []
    fitted = probe(cross_validated=points.append)
    validation = fitted.validation
    assert validation.curve == tuple(points) and validation.folds == FOLDS
    assert validation.l2 == min(points, key=lambda point: point.loss).l2
    assert [point.l2 for point in points] == list(L2_STRENGTHS[: len(points)])
    losses = [point.loss for point in points]
    stopped = len(losses) < len(L2_STRENGTHS)
    assert (losses[-1] > losses[-2] > losses[-3]) is stopped
    assert points[-1].standard_error > 0


def test_the_evaluation_and_the_temperature_are_of_held_out_predictions():
    features, labels = overlapping(80, 20)
    noise = torch.randn(len(labels), 120, generator=torch.Generator().manual_seed(3))
    features = torch.cat([features, noise], 1)
    validation = fit_linear_probe(features, labels, None, CLASSES, "none", 0, l2=1e-2).validation
    head = fit_head(features, labels, 2, "none", 1e-2)
    assert (head(features).argmax(1) == labels).all()  # more features than images: all are fitted
    assert validation.evaluation.images == len(labels)
    assert validation.evaluation.top1 < 0.95
    assert validation.temperature > 1.5 * fit_temperature(head(features), labels)  # overconfident


def test_a_known_strength_gives_the_bits_of_the_search():
    searched = probe("logit-adjust")
    known = probe("logit-adjust", l2=searched.validation.l2)
    assert torch.equal(known.head.weight, searched.head.weight)
    assert torch.equal(known.head.bias, searched.head.bias)
    assert known.validation.temperature == searched.validation.temperature
    assert [point.l2 for point in known.validation.curve] == [searched.validation.l2]
    assert known.validation.curve[0] == next(
        point for point in searched.validation.curve if point.l2 == searched.validation.l2
    )


def test_a_strength_between_those_of_the_search_is_used():
    assert probe(l2=0.02).validation.l2 == 0.02


@pytest.mark.slow
@pytest.mark.parametrize("method", ["logit-adjust", "weights", "sampler"])
def test_each_method_raises_the_recall_of_the_rare_class(method):
    features, labels = overlapping(seed=1)
    plain = recalls(probe("none").head, features, labels)
    balanced = recalls(probe(method).head, features, labels)
    assert balanced[1] > plain[1] + 0.2
    assert min(balanced) > 0.6


def test_the_shift_is_the_log_prior_and_is_subtracted():
    sizes = torch.tensor([90, 10])
    shift = logit_shift(sizes, "logit-adjust")
    assert shift.tolist() == pytest.approx([-0.10536, -2.302585], rel=1e-4)
    for method in ("none", "weights", "sampler"):
        assert not logit_shift(sizes, method).any()
    features, labels = overlapping(90, 10)
    plain, adjusted = (fit_head(features, labels, 2, method, 1e-3) for method in ("none", "logit-adjust"))
    torch.testing.assert_close(plain.bias - adjusted.bias, shift)


def test_the_adjusted_head_is_the_optimum_of_the_logit_adjusted_loss():
    """Its biases have no gradient in the loss that training uses (Menon et al. 2021)."""
    features, labels = overlapping()
    head = fit_head(features, labels, 2, "logit-adjust", 1e-3)
    bias = head.bias.clone().requires_grad_()
    criterion = balanced_criterion(labels.bincount(), "logit-adjust")
    criterion(functional.linear(features, head.weight, bias), labels).backward()
    assert float(bias.grad.abs().max()) < 1e-4
    plain = fit_head(features, labels, 2, "none", 1e-3).bias.clone().requires_grad_()
    criterion(functional.linear(features, head.weight, plain), labels).backward()
    assert float(plain.grad.abs().max()) > 0.05


@pytest.mark.slow
def test_the_evaluation_and_the_temperature_are_of_adjusted_logits():
    """What cross-validation measures is the head that is saved: the rare class is found as often."""
    plain, adjusted = (probe(method, l2=1e-3).validation for method in ("none", "logit-adjust"))
    rare = CLASSES[1]
    assert adjusted.evaluation.per_class[rare] > plain.evaluation.per_class[rare] + 0.2
    assert adjusted.evaluation.balanced_accuracy > plain.evaluation.balanced_accuracy + 0.1
    features, labels = overlapping()
    held_out = adjusted.evaluation.per_class[rare]
    assert held_out == pytest.approx(
        recalls(probe("logit-adjust", l2=1e-3).head, features, labels)[1], abs=0.1
    )


def test_only_weights_and_the_sampler_weight_the_loss():
    sizes = torch.tensor([90, 10])
    assert loss_weights(sizes, "none") is loss_weights(sizes, "logit-adjust") is None
    for method in ("weights", "sampler"):
        assert (loss_weights(sizes, method) * sizes).tolist() == pytest.approx([50, 50])


def test_where_classes_count_the_same_they_do_so_in_the_loss_of_the_curve():
    """The loss without balancing is dominated by the common class; with it, it is the mean over classes."""
    features, labels = overlapping()
    plain = fit_linear_probe(features, labels, None, CLASSES, "none", 0, l2=10.0).validation.curve[0]
    weighted = fit_linear_probe(features, labels, None, CLASSES, "weights", 0, l2=10.0).validation.curve[0]
    assert plain.loss < 0.4 < 0.6 < weighted.loss


def test_images_of_a_group_are_in_one_fold():
    """Copies of an image in another fold would be known by heart; in the same group they are not."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 40, generator=generator).repeat(2, 1)
    labels = torch.randint(2, (60,), generator=generator).repeat(2)
    groups = tuple(str(i % 60) for i in range(120))
    leaked, kept = (
        fit_linear_probe(features, labels, each, CLASSES, "none", 0, l2=1e-2).validation.evaluation.top1
        for each in (None, groups)
    )
    assert leaked > 0.9 > 0.65 > kept


@pytest.mark.parametrize(
    ("images", "groups", "folds"),
    [(1, None, 0), (2, None, 2), (3, None, 3), (9, ("a",) * 9, 0), (8, ("a", "b") * 4, 0)],
)
def test_few_images_or_groups_have_fewer_folds_or_none(images, groups, folds):
    features, labels = torch.randn(images, 4), torch.arange(images) % 2
    validation = fit_linear_probe(features, labels, groups, CLASSES, "none", 0).validation
    assert validation.folds == folds
    if not folds:
        assert (validation.l2, validation.temperature, validation.evaluation) == (DEFAULT_L2, 1.0, None)


def test_a_wrong_label_is_doubted_by_the_probes_that_were_not_trained_on_it():
    """The fitted probe has learned the wrong labels, and doubts nothing."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.arange(80) % 2
    features = torch.randn(80, 100, generator=generator) + 2.0 * truth[:, None]
    labels = truth.clone()
    labels[[3, 40]] = 1 - labels[[3, 40]]
    names, classes = [f"{i}.png" for i in range(80)], ("cat", "dog")
    probe = fit_linear_probe(features, labels, None, classes, "none", 0, l2=1e-4)
    assert probe.held_out_logits is not None
    doubted = doubtful_labels(probe.held_out_logits.numpy(), labels.numpy(), classes, names)
    assert {row.path for row in doubted[:2]} == {"3.png", "40.png"}
    assert {(row.path, row.label, row.predicted) for row in doubted[:2]} == {
        ("3.png", "cat", "dog"), ("40.png", "dog", "cat"),
    }  # fmt: skip
    assert doubtful_labels(probe.head(features).numpy(), labels.numpy(), classes, names) == []
