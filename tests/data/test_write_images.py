"""A data set in memory, written as a folder of images."""

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.data.images import Dataset, Images
from verydeep.data.write_images import write_images
from verydeep.errors import DataError
from verydeep.image_sources.open_images import read_samples


def pets(channels, classes=("cat/kitten", "dog")):
    pixels = np.random.default_rng(0).integers(0, 256, (4, channels, 6, 5), dtype=np.uint8)
    images = Images(torch.from_numpy(pixels), torch.tensor([0, 1, 1, 0]), classes)
    return Dataset("pets", images, images.take(2), images.take(3))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_written_data_set_is_read_as_it_was(channels, mode, tmp_path):
    dataset = pets(channels)
    write_images(dataset, tmp_path / "pets")
    samples = read_samples(tmp_path / "pets")
    assert samples.classes == ("cat-kitten", "dog")
    for part, images in {"train": dataset.train, "val": dataset.val, "test": dataset.test}.items():
        read = samples.select(samples.of_parts(part))
        assert len(read) == len(images)
        for source, label in zip(read.sources, read.labels.tolist(), strict=True):
            index = int(source.stem)
            picture = Image.open(source)
            assert (picture.mode, label) == (mode, images.labels[index])
            channels_last = np.asarray(picture).reshape(6, 5, channels)
            assert np.array_equal(channels_last, images.picture(index).transpose(1, 2, 0))


def test_a_folder_that_exists_is_left_as_it_is(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="exists; name a new folder"):
        write_images(pets(1), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [(pets(2), "2 channels"), (pets(1, classes=("Cat", "cat")), "would have the same folder")],
)
def test_what_cannot_be_written_leaves_nothing_behind(dataset, message, tmp_path):
    with pytest.raises(DataError, match=message):
        write_images(dataset, tmp_path / "pets")
    assert not list(tmp_path.iterdir())
