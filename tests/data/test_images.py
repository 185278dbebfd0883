"""Labeled images in memory: their checks, and the statistics of their channels."""

import numpy as np
import pytest
import torch

from verydeep.data.images import Dataset, Images, channel_statistics
from verydeep.errors import DataError

from ..process_memory import growth_below

PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 3, 4, 5), dtype=np.uint8))
IMAGES = Images(PIXELS, torch.tensor([0, 1, 2, 0, 1, 2]), ("a", "b", "c"))


def test_a_selection_keeps_its_order_and_its_classes():
    chosen = IMAGES.select(torch.tensor([5, 0]))
    assert chosen.pixels.equal(PIXELS[[5, 0]])
    assert (chosen.labels.tolist(), chosen.classes, len(chosen)) == ([2, 0], ("a", "b", "c"), 2)


def test_the_images_of_some_classes_get_labels_in_the_order_given():
    chosen = IMAGES.of_classes("c", "a")
    assert chosen.pixels.equal(PIXELS[[0, 2, 3, 5]])
    assert (chosen.labels.tolist(), chosen.classes) == ([1, 0, 1, 0], ("c", "a"))


def test_a_class_that_is_not_there_is_named():
    with pytest.raises(DataError, match="no class 'd'; the classes are a, b, c"):
        IMAGES.of_classes("a", "d")
    with pytest.raises(DataError, match="no class is named; the classes are a, b, c"):
        IMAGES.of_classes()


def test_a_negative_number_of_images_is_refused():
    with pytest.raises(DataError, match="cannot take -1 images"):
        IMAGES.take(-1)


def test_the_first_images_of_a_data_set():
    first = Dataset("letters", IMAGES, IMAGES, IMAGES).take(4, 9)
    assert first.train.pixels.equal(PIXELS[:4]) and first.train.labels.tolist() == [0, 1, 2, 0]
    assert first.test.pixels.equal(PIXELS) and first.val is IMAGES
    assert first.name == "letters, first 4 and 6 images"


def test_a_data_set_of_some_classes_has_them_in_all_parts():
    chosen = Dataset("letters", IMAGES, IMAGES.take(3), IMAGES).of_classes("b", "c")
    assert [part.labels.tolist() for part in (chosen.train, chosen.test, chosen.val)] == [
        [0, 1, 0, 1], [0, 1], [0, 1, 0, 1],
    ]  # fmt: skip
    assert (chosen.name, chosen.classes) == ("letters, classes b, c", ("b", "c"))


def test_images_on_a_device_are_the_same_images():
    moved = IMAGES.to("cpu")
    assert (
        moved.pixels.equal(PIXELS) and moved.labels.equal(IMAGES.labels) and moved.classes == IMAGES.classes
    )


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_without_a_class_is_an_error(label):
    with pytest.raises(DataError, match="expected 0 to 2 for 3 classes"):
        Images(PIXELS[:1], torch.tensor([label]), IMAGES.classes)


def test_training_and_test_have_the_same_classes_in_the_same_order():
    other = Images(PIXELS, IMAGES.labels, ("a", "c", "b"))
    with pytest.raises(DataError, match="letters: training classes"):
        Dataset("letters", IMAGES, other)


def test_channel_statistics_match_numpy():
    means, deviations = channel_statistics(PIXELS)
    values = PIXELS.numpy() / 255
    assert means == pytest.approx(values.mean((0, 2, 3)).tolist())
    assert deviations == pytest.approx(values.std((0, 2, 3)).tolist())


def test_channel_statistics_of_several_batches_are_the_same(monkeypatch):
    expected = channel_statistics(PIXELS)
    monkeypatch.setattr("verydeep.data.images.COUNTED_AT_ONCE", 2 * PIXELS[0].numel())
    assert channel_statistics(PIXELS) == expected


def test_channel_statistics_take_little_memory():
    pixels = torch.full((200, 3, 200, 200), 7, dtype=torch.uint8)  # 24 MB
    with growth_below(24):
        channel_statistics(pixels)


def test_the_deviation_of_a_constant_channel_is_not_0():
    assert channel_statistics(torch.zeros(2, 1, 3, 3, dtype=torch.uint8)) == ((0.0,), (1e-6,))
