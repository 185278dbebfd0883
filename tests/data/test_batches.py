"""The order of an epoch: every image once, and reproducible from the seed alone."""

import pytest
import torch

from verydeep.data.batches import Batch, batch_count, batches, generator, order
from verydeep.data.images import Images
from verydeep.errors import DataError

IMAGES = Images(
    pixels=torch.arange(10, dtype=torch.uint8)[:, None, None, None].expand(10, 1, 2, 2).contiguous(),
    labels=torch.arange(10) % 3,
    classes=("a", "b", "c"),
)


def test_an_epoch_contains_every_image_once():
    epoch = list(batches(IMAGES, order(10, epoch=0, seed=1), 4))
    assert [len(batch.labels) for batch in epoch] == [4, 4, 2]
    assert torch.cat([batch.indices for batch in epoch]).sort().values.tolist() == list(range(10))


def test_pixels_and_labels_are_those_at_the_indices():
    for pixels, labels, indices in batches(IMAGES, order(10, epoch=3, seed=0), 3):
        assert pixels[:, 0, 0, 0].tolist() == indices.tolist()
        assert labels.tolist() == (indices % 3).tolist()


def test_drop_last_drops_the_incomplete_batch():
    assert [len(batch.labels) for batch in batches(IMAGES, order(10, 0, 0), 4, drop_last=True)] == [4, 4]
    assert (batch_count(10, 4, drop_last=True), batch_count(10, 4, drop_last=False)) == (2, 3)


def test_a_resumed_epoch_starts_at_its_next_batch():
    whole = list(batches(IMAGES, order(10, epoch=2, seed=5), 3))
    resumed = list(batches(IMAGES, order(10, epoch=2, seed=5), 3, start=2))
    assert [equal(*pair) for pair in zip(whole[2:], resumed, strict=True)] == [True, True]


def equal(first: Batch, second: Batch) -> bool:
    return all(one.equal(other) for one, other in zip(first, second, strict=True))


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


@pytest.mark.parametrize("batch_size", [11, 0, -1])
def test_a_batch_size_without_a_batch_is_an_error(batch_size):
    with pytest.raises(DataError, match="10 images do not fill a batch"):
        next(batches(IMAGES, torch.arange(10), batch_size, drop_last=True))
