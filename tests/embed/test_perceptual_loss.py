"""Perceptual loss and style loss are the equations of the papers, with the normalization of the network."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import CAFFE, IMAGENET, Preprocess
from verydeep.data.decode import decode
from verydeep.data.normalize import standardize
from verydeep.embed.perceptual_loss import (
    PERCEPTUAL_LAYERS,
    STYLE_LAYERS,
    PerceptualLoss,
    StyleLoss,
    gram,
    perceptual_loss,
    style_loss,
)
from verydeep.errors import ArchitectureError, DataError, ShapeError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_extractor import taps
from verydeep.weight_files.checkpoint_file import save
from verydeep.weights.load import load

TINY = Architecture.from_string("4 6 M 8x2 | gap", "tiny", input=(3, 8, 8), classes=2, norm="batch")
LAYERS = ["relu1_2", "relu2_2"]


@pytest.fixture
def checkpoint():
    torch.manual_seed(0)
    return Checkpoint(build(TINY), CAFFE, ("a", "b"))


@pytest.fixture
def images():
    return torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def targets():
    return torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(2))


def maps_of(checkpoint, images):
    return taps(checkpoint.model.eval(), LAYERS)(standardize(images, checkpoint.preprocess))


def test_perceptual_loss_is_equation_2(checkpoint, images, targets):  # Johnson et al. 2016
    maps, target_maps = maps_of(checkpoint, images), maps_of(checkpoint, targets)
    expected = 0.0
    for name, weight in {"relu1_2": 0.5, "relu2_2": 2.0}.items():
        for one, other in zip(maps[name], target_maps[name], strict=True):
            channels, height, width = one.shape
            expected += weight * ((one - other) ** 2).sum() / (channels * height * width) / len(images)
    loss = PerceptualLoss(checkpoint, {"relu1_2": 0.5, "relu2_2": 2.0})
    torch.testing.assert_close(loss(images, targets), expected)
    torch.testing.assert_close(
        perceptual_loss(checkpoint, images, targets, LAYERS),
        sum(PerceptualLoss(checkpoint, name)(images, targets) for name in LAYERS),
    )


def test_the_gram_matrix_is_equation_3():
    maps = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    expected = torch.zeros(2, 3, 3, dtype=torch.float64)
    for row in range(4):
        for column in range(5):
            values = maps[:, :, row, column]
            expected += values[:, :, None] * values[:, None, :] / (3 * 4 * 5)
    torch.testing.assert_close(gram(maps), expected)


def test_a_term_of_the_style_loss_is_four_times_that_of_gatys(checkpoint, images, targets):
    """Gatys et al. 2016, eq. 3 and 4: with N channels of M positions, 1 / (4 N^2 M^2) sum (G - A)^2."""
    maps, target_maps = (
        maps_of(checkpoint, batch)["relu1_2"].flatten(2).double() for batch in (images, targets)
    )
    channels, positions = maps.shape[1:]
    grams, target_grams = (torch.einsum("bik,bjk->bij", values, values) for values in (maps, target_maps))
    error = ((grams - target_grams) ** 2).sum((1, 2)) / (4 * channels**2 * positions**2)
    loss = style_loss(checkpoint, images, targets, "relu1_2")
    torch.testing.assert_close(loss.double(), 4 * error.mean(), rtol=1e-4, atol=0)


def test_style_does_not_depend_on_position_and_content_does(checkpoint, images):
    black_is_zero = Preprocess(size=8, mean=(0, 0, 0), std=(1, 1, 1))  # as the padding is
    padded = functional.pad(images, (3, 3, 3, 3))
    shifted = padded.roll((2, -2), (2, 3))
    losses = (
        loss(checkpoint.model, "conv1_1", preprocess=black_is_zero) for loss in (PerceptualLoss, StyleLoss)
    )
    content, style = (float(loss(shifted, padded)) for loss in losses)
    assert style == pytest.approx(0, abs=1e-10) and content > 1e-3


def test_style_targets_may_have_another_size_and_be_one_for_all(checkpoint, images):
    loss = StyleLoss(checkpoint, LAYERS)
    style = torch.rand(1, 3, 12, 9)
    each = torch.stack([loss(image[None], style) for image in images]).mean()
    torch.testing.assert_close(loss(images, style), each)
    with pytest.raises(ShapeError, match="2 images have 3 targets"):
        loss(images, style.expand(3, -1, -1, -1))


@pytest.mark.slow
@pytest.mark.parametrize("loss_class", [PerceptualLoss, StyleLoss])
def test_gradients_are_correct(loss_class, checkpoint):
    loss = loss_class(checkpoint, LAYERS).double()
    torch.manual_seed(3)
    images, targets = (0.1 + 0.8 * torch.rand(2, 1, 3, 6, 6, dtype=torch.float64)).requires_grad_().unbind()
    assert torch.autograd.gradcheck(loss, (images, targets))


@pytest.mark.parametrize(
    ("loss_class", "layers"), [(PerceptualLoss, PERCEPTUAL_LAYERS), (StyleLoss, STYLE_LAYERS)]
)
@pytest.mark.parametrize("half", [False, True])
def test_gradients_on_vgg16_are_finite(loss_class, layers, half):
    torch.manual_seed(0)
    model = build(Architecture.from_string(zoo.resolve("vgg16").string.split("|")[0] + "| gap", classes=1))
    loss = loss_class(model, preprocess=IMAGENET)
    assert tuple(loss.layers) == layers
    images = torch.rand(1, 3, 48, 64, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        value = loss(images, images.detach().flip(3))
    value.backward()
    assert value > 0 and value.dtype == torch.float32
    assert bool(images.grad.isfinite().all()) and bool((images.grad != 0).any())


def test_equal_images_have_no_loss(checkpoint, images):
    assert perceptual_loss(checkpoint, images, images, LAYERS) == 0
    assert style_loss(checkpoint, images, images, LAYERS) == 0


def test_the_network_is_not_changed(checkpoint, images):
    checkpoint.model.train()
    loss = PerceptualLoss(checkpoint, LAYERS).train()
    loss(images.requires_grad_(), images.flip(0)).backward()
    assert checkpoint.model.training and all(
        parameter.requires_grad for parameter in checkpoint.model.parameters()
    )
    assert all(parameter.grad is None for parameter in checkpoint.model.parameters())
    assert int(checkpoint.model.features[1].num_batches_tracked) == 0  # its batch norms have no statistics
    assert not any(module.training for module in loss.modules())
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_training_the_network_does_not_change_the_loss(checkpoint, images, targets):
    loss = PerceptualLoss(checkpoint, LAYERS)
    before = loss(images, targets)
    nn.init.zeros_(checkpoint.model.features[0].weight)
    assert loss(images, targets) == before


def test_only_the_required_layers_are_copied(checkpoint):
    loss = PerceptualLoss(checkpoint, "relu1_1")
    assert sum(value.numel() for value in loss.parameters()) == 4 * 3 * 9 + 4 + 2 * 4


def test_a_saved_network_has_the_same_loss(checkpoint, images, targets, tmp_path):
    save(checkpoint, tmp_path / "tiny.safetensors")
    loss = PerceptualLoss(load(tmp_path / "tiny.safetensors"), layers=LAYERS)
    assert loss(images, targets) == PerceptualLoss(checkpoint, layers=LAYERS)(images, targets)


def test_a_model_needs_its_preprocessing(checkpoint, images, targets):
    with pytest.raises(ArchitectureError, match="the model tiny has no preprocessing"):
        PerceptualLoss(checkpoint.model, LAYERS)
    loss = PerceptualLoss(checkpoint.model, LAYERS, preprocess=CAFFE)
    assert loss(images, targets) == PerceptualLoss(checkpoint, LAYERS)(images, targets)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda images: images * 255, DataError, r"images have values from .* expected 0 to 1.*[Dd]ivide"),
        (lambda images: images * 2 - 1, DataError, "not normalized: the loss normalizes them"),
        (lambda images: images / 0, DataError, "images have values from"),
        (lambda images: images * float("nan"), DataError, "images have values from nan to nan"),
        (lambda images: (images * 255).byte(), DataError, "images are of type torch.uint8"),
        (
            lambda images: images[0],
            ShapeError,
            r"images are \(3, 8, 10\); expected \(batch, 3, height, width\)",
        ),
        (lambda images: images[:, :1], ShapeError, r"images are \(2, 1, 8, 10\)"),
        (lambda images: images[:, :, :1], ShapeError, "needs at least 2 x 2 px"),
    ],
)
@pytest.mark.parametrize("loss_class", [PerceptualLoss, StyleLoss])
def test_images_that_are_not_rgb_from_0_to_1_are_rejected(
    loss_class, checkpoint, images, change, error, message
):
    changed = change(images)
    with pytest.raises(error, match=message):
        loss_class(checkpoint, LAYERS)(changed, changed)


def test_messages_name_the_targets(checkpoint, images):
    loss = PerceptualLoss(checkpoint, LAYERS)
    with pytest.raises(DataError, match="targets have values from"):
        loss(images, images * 255)
    with pytest.raises(ShapeError, match=r"images are \(2, 3, 8, 10\) and targets \(2, 3, 8, 9\)"):
        loss(images, images[..., :9])


def test_an_unknown_layer_is_rejected(checkpoint):
    with pytest.raises(ArchitectureError, match="tiny has no layer 'relu3_3'"):
        StyleLoss(checkpoint)


@pytest.mark.slow
def test_for_vgg16_noise_is_a_larger_distance_than_brightness(real_features, cell_photographs):
    """With equal distances in pixels; and stronger noise is a larger distance."""
    square = Preprocess(size=96, mean=(0, 0, 0), std=(1, 1, 1))
    photograph = decode(min((cell_photographs / "white-blood-cell").glob("*.jpg")), square)[None] / 255
    photograph = 0.2 + 0.6 * photograph  # no pixel is clipped
    noise = torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0)).clamp(-3, 3)
    loss = PerceptualLoss(load(real_features), ("relu2_2", "relu3_3"))
    with torch.no_grad():
        weak, medium, strong = (
            float(loss(photograph + level * noise, photograph)) for level in (0.01, 0.03, 0.06)
        )
        brighter = float(loss(photograph + 0.03, photograph))
    assert weak < medium < strong and brighter < medium / 5
