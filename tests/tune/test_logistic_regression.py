"""The head is the optimum, by another solver and by its own gradient; folds do not see themselves."""

import pytest
import torch
from torch.nn import functional

from verydeep.data.split import folds
from verydeep.tune.logistic_regression import Problem, cross_validate


def drawn(count=300, values=40, classes=4, seed=0):
    """Features as after a ReLU, of unlike scales, one of which never varies, and labels that follow them."""
    chance = torch.Generator().manual_seed(seed)
    features = torch.randn(count, values, generator=chance).relu() * torch.logspace(-2, 2, values)
    directions = torch.randn(values, classes, generator=chance)
    noise = torch.randn(count, classes, generator=chance)
    logits = (features / features.std(0)) @ directions + 5 * noise
    features[:, 3] = 7.0
    return features, logits.argmax(1)


@pytest.mark.parametrize("strength", [1.0, 1e-2, 1e-4])
def test_it_is_the_optimum_that_scikit_learn_finds(strength):
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, labels = drawn()
    deviation = features.double().std(0, correction=0)
    standard = (features.double() - features.double().mean(0)) / deviation.where(
        deviation > 0, torch.ones(())
    )
    theirs = linear_model.LogisticRegression(C=1 / (len(labels) * strength), tol=1e-10, max_iter=10_000)
    theirs.fit(standard.numpy(), labels.numpy())
    (head,) = Problem(features, labels, 4).solve(strength)
    logits = head(features)
    # Scikit-learn's logits are ours up to a shift that is the same for all classes.
    expected = torch.from_numpy(theirs.decision_function(standard.numpy())).float()
    torch.testing.assert_close(centered(logits), centered(expected), atol=5e-3, rtol=1e-3)


def centered(logits):
    return logits - logits.mean(1, keepdim=True)


def test_at_the_optimum_the_gradient_is_nothing():
    features, labels = drawn(classes=3)
    (head,) = Problem(features, labels, 3).solve(0.01)
    bias = head.bias.double().requires_grad_()
    weight = head.weight.double().requires_grad_()
    loss = functional.cross_entropy(features.double() @ weight.T + bias, labels)
    deviation = features.double().std(0, correction=0)
    loss = loss + 0.01 / 2 * (weight * deviation).square().sum()  # standardized weights, seen from here
    loss.backward()
    assert float(bias.grad.abs().max()) < 1e-4
    varies = deviation > 0
    assert float((weight.grad[:, varies] / deviation[varies]).abs().max()) < 1e-4


def test_a_path_ends_where_a_fresh_start_ends():
    features, labels = drawn()
    warm = Problem(features, labels, 4)
    for strength in (1.0, 0.1, 0.01):
        (last,) = warm.solve(strength)
    (fresh,) = Problem(features, labels, 4).solve(0.01)
    torch.testing.assert_close(last(features), fresh(features), atol=5e-3, rtol=1e-3)


def test_more_values_than_images_are_no_trouble():
    features, labels = drawn(count=20, values=200, classes=2)
    (head,) = Problem(features, labels, 2).solve(1e-3)
    assert (head(features).argmax(1) == labels).all()


def test_a_class_without_images_is_never_named():
    features, labels = drawn(classes=3)
    (head,) = Problem(features, labels, 5).solve(0.01)
    assert set(head(features).argmax(1).tolist()) <= {0, 1, 2}


def test_weights_count_images_as_often_as_copies_would():
    features, labels = drawn(classes=2)
    doubled = torch.cat([features, features[labels == 1]]), torch.cat([labels, labels[labels == 1]])
    (copies,) = Problem(*doubled, 2).solve(1e-7)
    (weighed,) = Problem(features, labels, 2, weights=torch.tensor([1.0, 2.0])).solve(1e-7)
    # Copies move the mean and deviation too, which only matter for what is regularized: not at this strength.
    torch.testing.assert_close(copies(features).softmax(1), weighed(features).softmax(1), atol=0.02, rtol=0)


def test_what_is_held_out_was_not_learned_from():
    """Labels are noise: a head that had seen them would know them by heart."""
    chance = torch.Generator().manual_seed(0)
    features, labels = torch.randn(60, 100, generator=chance), torch.randint(2, (60,), generator=chance)
    (held,) = cross_validate(features, labels, folds(labels, None, 5, 0), 2, strengths=[1e-3])
    assert (held.head(features).argmax(1) == labels).all()
    assert 0.25 < (held.logits.argmax(1) == labels).double().mean() < 0.75


def test_cross_validation_takes_a_class_of_one_image():
    features, labels = drawn(classes=2)
    labels[0] = 2
    (held,) = cross_validate(features, labels, folds(labels, None, 5, 0), 3, strengths=[0.01])
    assert held.logits.isfinite().all()
    assert held.logits[0].argmax() != 2  # no head that is asked about it has seen its class


def test_heads_that_are_searched_for_together_are_those_found_alone():
    features, labels = drawn(classes=3)
    features = features[:, :10]  # more images than values: each head has one optimum, well found
    place = folds(labels, None, 3, 0)
    (held,) = cross_validate(features, labels, place, 3, strengths=[0.01])
    for fold in range(3):
        learns = (place != fold)[None]
        (alone,) = Problem(features, labels, 3, learns).solve(0.01)
        here = place == fold
        torch.testing.assert_close(held.logits[here], alone(features[here]), atol=5e-3, rtol=1e-3)
