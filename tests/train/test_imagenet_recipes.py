"""The recipes for ImageNet, whole but small: on drawn photographs in its folders, of its shapes and kinds."""

import pytest

from tests.data.pictures import picture, save
from verydeep.data.images_on_disk import DatasetOnDisk
from verydeep.errors import Interrupted
from verydeep.train.recipe import read_recipe
from verydeep.train.train import resume_training, train_network

from .runs import StopAfter, tensors
from .shapes import same

SIZES = ((500, 375), (375, 500), (500, 333), (400, 400))
KINDS = {0: "L", 1: "CMYK"}
"""Of single images; ImageNet has both too."""
SMALL = {"model": "8 M 16 M | gap 16", "size": 32, "epochs": 2, "batch_size": 16, "stream": "on"}
"""ImageNet's pixels, too, do not fit in memory. A slice has two images at least, and there are 4 or 8."""


@pytest.fixture(scope="module")
def imagenet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "imagenet"
    for part, count in (("train", 40), ("val", 8)):
        for number in range(count):
            synset = ("n01440764", "n01443537")[number % 2]
            photograph = picture(number, *SIZES[number % len(SIZES)], KINDS.get(number, "RGB"))
            save(photograph, folder / part / synset / f"{synset}_{number}.JPEG", format="JPEG")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("name", "norm"), [("imagenet", "batch"), ("imagenet-paper", "none")])
def test_a_recipe_runs_and_is_resumed_to_the_same_bits(imagenet, tmp_path, name, norm):
    recipe, whole, stopped = read_recipe(name, SMALL | {"norm": norm}), tmp_path / "whole", tmp_path / "run"
    result = train_network(recipe, str(imagenet), whole, device="cpu")
    assert isinstance(result.dataset, DatasetOnDisk)
    assert (len(result.dataset.train), len(result.dataset.val), result.test.images) == (38, 2, 8)
    assert len(result.epochs) == 2 and not any("cannot be read" in note for note in result.notes)
    with pytest.raises(Interrupted):
        train_network(recipe, str(imagenet), stopped, device="cpu", watcher=StopAfter(3))
    resume_training(str(imagenet), stopped, device="cpu")
    assert same(tensors(stopped), tensors(whole))
