"""Class imbalance: each method by its definition, and by its effect."""

import pytest
import torch
from torch.nn import functional

from verydeep.data.batches import order
from verydeep.train.class_imbalance import balanced_criterion, balanced_order, class_shares, class_weights

SIZES = torch.tensor([900, 90, 10])
METHODS = ("none", "logit-adjust", "weights", "sampler")


def test_logits_are_adjusted_as_in_the_paper():  # Menon et al. 2021, eq. 10, written out in full
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 2])
    priors = torch.tensor([0.9, 0.09, 0.01])
    by_hand = [
        torch.log(1 + sum(priors[c] / priors[y] * (z[c] - z[y]).exp() for c in range(3) if c != y))
        for z, y in zip(logits, labels, strict=True)
    ]
    loss = balanced_criterion(SIZES, "logit-adjust")(logits, labels)
    assert float(loss) == pytest.approx(float(torch.stack(by_hand).mean()), rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_for_equal_classes_all_methods_are_plain_cross_entropy(method, smoothing):
    logits, labels = torch.randn(8, 3), torch.arange(8) % 3
    plain = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
    loss = balanced_criterion(torch.tensor([7, 7, 7]), method, smoothing)(logits, labels)
    assert float(loss) == pytest.approx(float(plain), rel=1e-5)


@pytest.mark.parametrize("method", ["none", "logit-adjust", "weights"])
def test_the_loss_of_a_mixed_image_is_shared_between_its_classes(method):
    criterion = balanced_criterion(torch.tensor([50, 30, 20]), method, label_smoothing=0.1)
    logits, own, other = torch.randn(4, 3), torch.tensor([0, 1, 2, 0]), torch.tensor([2, 0, 1, 0])
    mixed = 0.7 * functional.one_hot(own, 3) + 0.3 * functional.one_hot(other, 3)
    expected = 0.7 * criterion(logits, own) + 0.3 * criterion(logits, other)
    torch.testing.assert_close(criterion(logits, mixed), expected)


def test_loss_weights_make_every_class_count_the_same():
    weights = class_weights(SIZES)
    assert (SIZES * weights).tolist() == pytest.approx([1000 / 3] * 3)
    assert float((class_shares(SIZES) * weights).sum()) == pytest.approx(1)


def test_weights_count_an_image_as_often_as_repeating_it():
    logits, labels = torch.randn(4, 2), torch.tensor([0, 0, 0, 1])
    weighted = balanced_criterion(torch.tensor([3, 1]), "weights", 0.1)(logits, labels)
    repeated = torch.tensor([0, 1, 2, 3, 3, 3])
    plain = functional.cross_entropy(logits[repeated], labels[repeated], label_smoothing=0.1)
    assert float(weighted) == pytest.approx(float(plain), rel=1e-5)


@pytest.mark.parametrize("method", ["logit-adjust", "weights"])
def test_label_smoothing_does_not_pull_common_images_toward_rare_classes(method):
    """The best logits for three kinds of images, one per class, found by L-BFGS."""
    criterion = balanced_criterion(SIZES, method, label_smoothing=0.2)
    logits = torch.zeros(3, 3, requires_grad=True)
    descent = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")
    labels = torch.arange(3)

    def loss():
        descent.zero_grad()
        total = criterion(logits, labels)
        total.backward()
        return total

    descent.step(loss)
    assert logits.argmax(1).tolist() == [0, 1, 2]
    _, less_common, rare = logits[0].tolist()
    assert less_common == pytest.approx(rare, abs=1e-3)  # a rare class is no closer to a common image


def test_a_class_without_images_gives_a_finite_loss():
    for method in METHODS:
        loss = balanced_criterion(torch.tensor([5, 5, 0]), method, 0.1)(
            torch.zeros(2, 3), torch.tensor([0, 1])
        )
        assert loss.isfinite()


def test_the_sampler_samples_every_class_equally_often():
    labels = torch.tensor([0] * 90 + [1] * 8 + [2] * 2)
    sampled = balanced_order(labels, epoch=0, seed=1)
    assert len(sampled) == 100
    assert int(labels[sampled].bincount().min()) >= 32  # of 34 each, two are dropped
    counts = sampled.bincount(minlength=100)
    assert int(counts[:90].max()) == 1  # no image of the large class twice
    assert int(counts[90:98].max() - counts[90:98].min()) <= 2  # images of a small class equally often


def test_the_samplers_order_is_a_function_of_seed_and_epoch():
    labels = torch.arange(50) % 5
    assert torch.equal(balanced_order(labels, 3, 7), balanced_order(labels, 3, 7))
    assert not torch.equal(balanced_order(labels, 3, 7), balanced_order(labels, 4, 7))
    assert not torch.equal(balanced_order(labels, 3, 7), order(50, 3, 7))
