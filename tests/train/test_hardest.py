"""After the first epoch only the hardest images are trained on: which ones, and how many."""

from dataclasses import replace

import pytest
import torch

from verydeep.data.augmentation.config import AugmentConfig
from verydeep.errors import RecipeError
from verydeep.train.hardest import ImageLosses
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.recipe import Recipe

from .shapes import LEARNS_FAST, PLAIN, TRAIN, begin, network, train_on

HARDEST = replace(PLAIN, hardest=0.5, epochs=3)


def losses_of(values):
    losses = ImageLosses.unknown(len(values), torch.device("cpu"))
    losses.add(torch.arange(len(values)), torch.tensor(values))
    losses.finish_epoch()
    return losses


def test_the_images_of_the_largest_losses_are_chosen_in_the_order_of_the_epoch():
    losses = losses_of([0.1, 3.0, 0.2, 2.0, 0.3, 1.0])
    order = torch.tensor([5, 4, 3, 2, 1, 0])
    assert losses.hardest(order, 3).tolist() == [5, 3, 1]
    assert losses.hardest(order, 6).tolist() == order.tolist()


def test_an_image_that_was_never_trained_on_comes_first():
    losses = ImageLosses.unknown(4, torch.device("cpu"))
    losses.add(torch.tensor([0, 1, 3]), torch.tensor([5.0, 1.0, 1.0]))
    losses.finish_epoch()
    assert sorted(losses.hardest(torch.arange(4), 2).tolist()) == [0, 2]


def test_losses_are_compared_within_their_batch():
    losses = ImageLosses.unknown(4, torch.device("cpu"))
    losses.add(torch.tensor([0, 1]), torch.tensor([2.0, 4.0]))  # early, where all losses are large
    losses.add(torch.tensor([2, 3]), torch.tensor([0.1, 0.3]))
    losses.finish_epoch()
    assert losses.hardest(torch.arange(4), 2).tolist() == [1, 3]


def test_the_choice_of_an_epoch_does_not_change_within_it():
    losses = losses_of([0.1, 3.0, 0.2, 2.0])
    before = losses.hardest(torch.arange(4), 2)
    losses.add(torch.tensor([1, 3]), torch.tensor([1e-6, 1.0]))
    assert torch.equal(losses.hardest(torch.arange(4), 2), before)
    losses.finish_epoch()
    assert not torch.equal(losses.hardest(torch.arange(4), 2), before)


def test_later_epochs_have_fewer_steps():
    recipe = Recipe(hardest=0.4, batch_size=250, epochs=3)
    assert [recipe.steps_of_epoch(60_000, epoch) for epoch in range(3)] == [240, 96, 96]
    assert [recipe.steps_before(60_000, epoch) for epoch in range(4)] == [0, 240, 336, 432]
    whole = Recipe(batch_size=250)
    assert [whole.steps_before(60_000, epoch) for epoch in range(4)] == [0, 240, 480, 720]
    assert Recipe(hardest=0.01).steps_of_epoch(256, 1) == 1


def test_the_loop_trains_on_as_many_images_and_its_rate_falls_to_the_end():
    state = begin(HARDEST, network(norm="batch"))
    steps, rates = [], []

    def watch(state):
        steps.append(state.epoch)
        rates.append(state.optimizers[0].param_groups[0]["lr"])

    train_on(state, HARDEST, after_step=watch)
    assert [steps.count(epoch) for epoch in range(3)] == [8, 4, 4]
    assert rates == sorted(rates, reverse=True) and rates[-1] < 0.1 * rates[0]


def test_the_hardest_images_are_those_that_the_network_classifies_worst():
    learns = replace(PLAIN, epochs=5, optimizer=OptimizerConfig(name="muon", lr=0.05))
    recipes = [replace(learns, hardest=part) for part in (1.0, 0.5)]
    all_images, hard_images = (train_on(begin(recipe, network(*LEARNS_FAST)), recipe) for recipe in recipes)
    assert hard_images[0].train_loss == pytest.approx(all_images[0].train_loss, rel=0.1)
    assert hard_images[-1].train_loss > all_images[-1].train_loss


def test_slices_give_the_losses_of_the_whole_batch():
    losses = []
    for slices in (1, 2):
        recipe = replace(HARDEST, slices=slices, epochs=1)
        state = begin(recipe, network(dropout=0.0))
        train_on(state, recipe)
        losses.append(state.losses.before)
    assert len(losses[0]) == len(TRAIN)
    torch.testing.assert_close(*losses, rtol=1e-3, atol=1e-4)


def test_all_images_need_no_losses():
    state = begin(PLAIN, network())
    assert state.losses is None


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"augment": AugmentConfig(mixup=0.2)}, "mixup or cutmix"),
        ({"balance": "sampler"}, "balance = sampler"),
    ],
)
def test_what_chooses_images_too_is_refused(setting, named):
    with pytest.raises(RecipeError, match=named):
        Recipe(hardest=0.5, **setting)
