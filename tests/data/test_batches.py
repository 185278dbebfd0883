"""The order of an epoch: every image once, and reproducible from the seed alone."""

import torch

from verydeep.data.batches import generator, order


def test_an_epoch_contains_every_image_once():
    assert order(10, epoch=0, seed=1).sort().values.tolist() == list(range(10))


def test_the_order_depends_only_on_seed_and_epoch():
    torch.manual_seed(0)
    first = order(50, epoch=1, seed=2)
    torch.manual_seed(1)
    assert first.equal(order(50, epoch=1, seed=2))
    assert not first.equal(order(50, epoch=2, seed=2))
    assert not first.equal(order(50, epoch=1, seed=3))
    assert not first.equal(order(50, epoch=2, seed=1))


def test_the_order_is_the_same_on_every_machine():
    assert order(8, epoch=0, seed=0).tolist() == [1, 3, 0, 6, 7, 2, 5, 4]


def test_a_position_and_its_prefix_have_different_streams():
    streams = [generator(0), generator(0, 0), generator(0, 0, 0), generator(-1), generator(0, 1)]
    assert len({torch.randint(2**62, (1,), generator=stream).item() for stream in streams}) == 5
