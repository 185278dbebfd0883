"""How wide images become square in `train`: as the recipe says, as the weights were trained, else cropped."""

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import IMAGENET, Preprocess
from verydeep.data.images import Dataset, Images
from verydeep.data.normalize import normalize
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.prepare import prepare
from verydeep.train.recipe import Recipe
from verydeep.weight_files.checkpoint_file import save

NET = "4 M | gap"
NOTE = "images are cropped: 100\N{NO-BREAK SPACE}% have a long side of over 4/3 of the short side"


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """Ten pictures of each of two classes, 32 x 16 px."""
    folder = tmp_path_factory.mktemp("wide")
    for name, red in (("dark", 10), ("light", 200)):
        (folder / name).mkdir()
        for number in range(10):
            Image.new("RGB", (32, 16), (red, number, 9)).save(folder / name / f"{number}.png")
    return folder


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_a_new_network_has_the_fit_of_the_recipe(wide, fit):
    prepared = prepare(Recipe(model=NET, size=16, fit=fit), str(wide))
    preprocess, pixels = prepared.network.preprocess, prepared.dataset.train.pixels
    assert preprocess.fit == fit and pixels.shape[2:] == (16, 16)
    assert not any("cropped" in note for note in prepared.notes)
    top = normalize(pixels, preprocess)[:, :, 0]
    assert (top.abs().max() < 0.01).item() is (fit == "pad")  # the mean, also of the network that is saved


def test_without_a_fit_images_are_cropped_and_a_note_says_so_where_it_matters(wide, tmp_path):
    prepared = prepare(Recipe(model=NET, size=16), str(wide))
    assert prepared.network.preprocess.fit == "crop"
    assert f"{NOTE}; --fit pad keeps them whole, and --fit squash too" in prepared.notes
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        for number in range(5):
            Image.new("RGB", (20, 16), (number, 0, 0)).save(tmp_path / name / f"{number}.png")
    assert not any("cropped" in note for note in prepare(Recipe(model=NET, size=16), str(tmp_path)).notes)


def test_pretrained_weights_keep_their_fit_unless_another_is_given(wide, tmp_path):
    torch.manual_seed(0)
    net = Architecture.from_string(NET, input=(3, 16, 16), classes=2)
    padded = Preprocess(size=16, mean=IMAGENET.mean, std=IMAGENET.std, fit="pad")
    weights = tmp_path / "padded.safetensors"
    save(Checkpoint(build(net).eval(), padded, ("one", "other")), weights)
    for given, fit in ((None, "pad"), ("squash", "squash"), ("crop", "crop")):
        recipe = Recipe(weights=str(weights), fit=given, size=16)
        assert prepare(recipe, str(wide)).network.preprocess == padded.with_fit(fit)


def test_images_in_memory_are_fitted_as_they_are_used():
    pixels, labels = torch.zeros(6, 3, 8, 16, dtype=torch.uint8), torch.tensor([0, 1] * 3)
    images = Images(pixels, labels, ("a", "b"))
    network = prepare(Recipe(model=NET, fit="pad"), Dataset("black", images, images)).network
    assert (network.preprocess.size, network.preprocess.fit) == (8, "pad")
