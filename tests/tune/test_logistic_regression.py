"""Logistic regression finds the optimum of scikit-learn; in cross-validation no fold is trained on itself."""

import pytest
import torch
from torch.nn import functional

from verydeep.data.split import folds
from verydeep.tune.logistic_regression import LogisticRegression, cross_validate


def random_data(count=300, values=40, classes=4, seed=0):
    """Features as after a ReLU, of different scales, one of them constant, and labels that depend on them."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, values, generator=generator).relu() * torch.logspace(-2, 2, values)
    directions = torch.randn(values, classes, generator=generator)
    noise = torch.randn(count, classes, generator=generator)
    logits = (features / features.std(0)) @ directions + 5 * noise
    features[:, 3] = 7.0
    return features, logits.argmax(1)


@pytest.mark.parametrize("l2", [1.0, 1e-2, 1e-4])
def test_the_solution_is_that_of_scikit_learn(l2):
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, labels = random_data()
    deviation = features.double().std(0, correction=0)
    standard = (features.double() - features.double().mean(0)) / deviation.where(
        deviation > 0, torch.ones(())
    )
    reference = linear_model.LogisticRegression(C=1 / (len(labels) * l2), tol=1e-10, max_iter=10_000)
    reference.fit(standard.numpy(), labels.numpy())
    (head,) = LogisticRegression(features, labels, 4).solve(l2)
    logits = head(features)
    # Logits are equal up to a constant that is the same for all classes.
    expected = torch.from_numpy(reference.decision_function(standard.numpy())).float()
    torch.testing.assert_close(centered(logits), centered(expected), atol=5e-3, rtol=1e-3)


def centered(logits):
    return logits - logits.mean(1, keepdim=True)


def test_at_the_optimum_the_gradient_is_zero():
    features, labels = random_data(classes=3)
    (head,) = LogisticRegression(features, labels, 3).solve(0.01)
    bias = head.bias.double().requires_grad_()
    weight = head.weight.double().requires_grad_()
    loss = functional.cross_entropy(features.double() @ weight.T + bias, labels)
    deviation = features.double().std(0, correction=0)
    loss = loss + 0.01 / 2 * (weight * deviation).square().sum()  # in terms of standardized weights
    loss.backward()
    assert float(bias.grad.abs().max()) < 1e-4
    varies = deviation > 0
    assert float((weight.grad[:, varies] / deviation[varies]).abs().max()) < 1e-4


def test_a_warm_start_ends_at_the_same_optimum():
    features, labels = random_data()
    warm = LogisticRegression(features, labels, 4)
    for l2 in (1.0, 0.1, 0.01):
        (last,) = warm.solve(l2)
    (cold,) = LogisticRegression(features, labels, 4).solve(0.01)
    torch.testing.assert_close(last(features), cold(features), atol=5e-3, rtol=1e-3)


def test_there_may_be_more_features_than_images():
    features, labels = random_data(count=20, values=200, classes=2)
    (head,) = LogisticRegression(features, labels, 2).solve(1e-3)
    assert (head(features).argmax(1) == labels).all()


def test_a_class_without_images_is_never_predicted():
    features, labels = random_data(classes=3)
    (head,) = LogisticRegression(features, labels, 5).solve(0.01)
    assert set(head(features).argmax(1).tolist()) <= {0, 1, 2}


def test_loss_weights_are_the_same_as_copies_of_images():
    features, labels = random_data(classes=2)
    doubled = torch.cat([features, features[labels == 1]]), torch.cat([labels, labels[labels == 1]])
    (copies,) = LogisticRegression(*doubled, 2).solve(1e-7)
    (weighted,) = LogisticRegression(features, labels, 2, weights=torch.tensor([1.0, 2.0])).solve(1e-7)
    # Copies change mean and deviation too, which matters only for the regularization: not at this strength.
    torch.testing.assert_close(copies(features).softmax(1), weighted(features).softmax(1), atol=0.02, rtol=0)


def test_no_image_is_predicted_by_a_head_that_was_trained_on_it():
    """Labels are random: a head that was trained on them would predict them all."""
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(60, 100, generator=generator), torch.randint(2, (60,), generator=generator)
    (result,) = cross_validate(features, labels, folds(labels, None, 5, 0), 2, strengths=[1e-3])
    assert (result.head(features).argmax(1) == labels).all()
    assert 0.25 < (result.logits.argmax(1) == labels).double().mean() < 0.75


def test_cross_validation_works_with_a_class_of_one_image():
    features, labels = random_data(classes=2)
    labels[0] = 2
    (result,) = cross_validate(features, labels, folds(labels, None, 5, 0), 3, strengths=[0.01])
    assert result.logits.isfinite().all()
    assert result.logits[0].argmax() != 2  # the head that predicts it was trained without its class


def test_heads_that_are_solved_together_are_those_solved_alone():
    features, labels = random_data(classes=3)
    features = features[:, :10]  # more images than features: each head has one well-defined optimum
    fold_of = folds(labels, None, 3, 0)
    (result,) = cross_validate(features, labels, fold_of, 3, strengths=[0.01])
    for fold in range(3):
        trains_on = (fold_of != fold)[None]
        (alone,) = LogisticRegression(features, labels, 3, trains_on).solve(0.01)
        held_out = fold_of == fold
        torch.testing.assert_close(result.logits[held_out], alone(features[held_out]), atol=5e-3, rtol=1e-3)
