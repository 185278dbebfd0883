"""The losses are the papers' equations, with the network's own normalization inside."""

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
from verydeep.weights.checkpoint_file import save
from verydeep.weights.load import load

TINY = Architecture.from_string("4 6 M 8x2 | gap", "tiny", input=(3, 8, 8), classes=2, norm="batch")
LAYERS = ["relu1_2", "relu2_2"]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Checkpoint(build(TINY), CAFFE, ("a", "b"))


@pytest.fixture
def images():
    return torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def targets():
    return torch.rand(2, 3, 8, 10, generator=torch.Generator().manual_seed(2))


def maps_of(network, images):
    return taps(network.model.eval(), LAYERS)(standardize(images, network.preprocess))


def test_perceptual_loss_is_equation_2(network, images, targets):  # Johnson et al. 2016
    ours, theirs = maps_of(network, images), maps_of(network, targets)
    expected = 0.0
    for name, weight in {"relu1_2": 0.5, "relu2_2": 2.0}.items():
        for mine, other in zip(ours[name], theirs[name], strict=True):
            channels, height, width = mine.shape
            expected += weight * ((mine - other) ** 2).sum() / (channels * height * width) / len(images)
    loss = PerceptualLoss(network, {"relu1_2": 0.5, "relu2_2": 2.0})
    torch.testing.assert_close(loss(images, targets), expected)
    torch.testing.assert_close(
        perceptual_loss(network, images, targets, LAYERS),
        sum(PerceptualLoss(network, name)(images, targets) for name in LAYERS),
    )


def test_the_gram_matrix_is_equation_3():
    maps = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    expected = torch.zeros(2, 3, 3, dtype=torch.float64)
    for row in range(4):
        for column in range(5):
            place = maps[:, :, row, column]
            expected += place[:, :, None] * place[:, None, :] / (3 * 4 * 5)
    torch.testing.assert_close(gram(maps), expected)


def test_a_term_of_the_style_loss_is_four_times_that_of_gatys(network, images, targets):
    """Gatys et al. 2016, eq. 3 and 4: with N maps of M places, 1 / (4 N^2 M^2) sum (G - A)^2."""
    ours, theirs = (maps_of(network, batch)["relu1_2"].flatten(2).double() for batch in (images, targets))
    count, places = ours.shape[1:]
    grams, others = (torch.einsum("bik,bjk->bij", values, values) for values in (ours, theirs))
    error = ((grams - others) ** 2).sum((1, 2)) / (4 * count**2 * places**2)
    loss = style_loss(network, images, targets, "relu1_2")
    torch.testing.assert_close(loss.double(), 4 * error.mean(), rtol=1e-4, atol=0)


def test_style_does_not_ask_where_and_content_does(network, images):
    black_is_zero = Preprocess(size=8, mean=(0, 0, 0), std=(1, 1, 1))  # as the padding is
    framed = functional.pad(images, (3, 3, 3, 3))
    moved = framed.roll((2, -2), (2, 3))
    losses = (
        kind(network.model, "conv1_1", preprocess=black_is_zero) for kind in (PerceptualLoss, StyleLoss)
    )
    content, style = (float(loss(moved, framed)) for loss in losses)
    assert style == pytest.approx(0, abs=1e-10) and content > 1e-3


def test_style_targets_may_be_of_another_size_and_one_for_all(network, images):
    loss = StyleLoss(network, LAYERS)
    style = torch.rand(1, 3, 12, 9)
    each = torch.stack([loss(image[None], style) for image in images]).mean()
    torch.testing.assert_close(loss(images, style), each)
    with pytest.raises(ShapeError, match="2 images have 3 targets"):
        loss(images, style.expand(3, -1, -1, -1))


@pytest.mark.parametrize("kind", [PerceptualLoss, StyleLoss])
def test_gradients_are_right(kind, network):
    loss = kind(network, LAYERS).double()
    torch.manual_seed(3)
    images, targets = (0.1 + 0.8 * torch.rand(2, 1, 3, 6, 6, dtype=torch.float64)).requires_grad_().unbind()
    assert torch.autograd.gradcheck(loss, (images, targets))


@pytest.mark.parametrize(("kind", "layers"), [(PerceptualLoss, PERCEPTUAL_LAYERS), (StyleLoss, STYLE_LAYERS)])
@pytest.mark.parametrize("half", [False, True])
def test_gradients_on_vgg16_are_finite(kind, layers, half):
    torch.manual_seed(0)
    model = build(Architecture.from_string(zoo.resolve("vgg16").string.split("|")[0] + "| gap", classes=1))
    loss = kind(model, preprocess=IMAGENET)
    assert tuple(loss.layers) == layers
    images = torch.rand(1, 3, 48, 64, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        value = loss(images, images.detach().flip(3))
    value.backward()
    assert value > 0 and value.dtype == torch.float32
    assert bool(images.grad.isfinite().all()) and bool((images.grad != 0).any())


def test_alike_images_have_no_loss(network, images):
    assert perceptual_loss(network, images, images, LAYERS) == 0
    assert style_loss(network, images, images, LAYERS) == 0


def test_the_network_given_stays_as_it_is(network, images):
    network.model.train()
    loss = PerceptualLoss(network, LAYERS).train()
    loss(images.requires_grad_(), images.flip(0)).backward()
    assert network.model.training and all(parameter.requires_grad for parameter in network.model.parameters())
    assert all(parameter.grad is None for parameter in network.model.parameters())
    assert int(network.model.features[1].num_batches_tracked) == 0  # its norms have seen nothing
    assert not any(module.training for module in loss.modules())
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_training_the_network_does_not_move_the_loss(network, images, targets):
    loss = PerceptualLoss(network, LAYERS)
    before = loss(images, targets)
    nn.init.zeros_(network.model.features[0].weight)
    assert loss(images, targets) == before


def test_only_the_layers_needed_are_copied(network):
    loss = PerceptualLoss(network, "relu1_1")
    assert sum(value.numel() for value in loss.parameters()) == 4 * 3 * 9 + 4 + 2 * 4


def test_three_lines_with_a_saved_network(network, images, targets, tmp_path):
    save(network, tmp_path / "tiny.safetensors")
    loss = PerceptualLoss(load(tmp_path / "tiny.safetensors"), layers=LAYERS)
    assert loss(images, targets) == PerceptualLoss(network, layers=LAYERS)(images, targets)


def test_a_model_alone_needs_its_preprocessing(network, images, targets):
    with pytest.raises(ArchitectureError, match="tiny alone does not say how its images are normalized"):
        PerceptualLoss(network.model, LAYERS)
    alone = PerceptualLoss(network.model, LAYERS, preprocess=CAFFE)
    assert alone(images, targets) == PerceptualLoss(network, LAYERS)(images, targets)


@pytest.mark.parametrize(
    ("spoil", "error", "said"),
    [
        (lambda images: images * 255, DataError, r"images run from .* expected 0 to 1.*[Dd]ivide"),
        (lambda images: images * 2 - 1, DataError, "not normalized: that is done inside"),
        (lambda images: images / 0, DataError, "images run from"),
        (lambda images: images * float("nan"), DataError, "images run from nan to nan"),
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
@pytest.mark.parametrize("kind", [PerceptualLoss, StyleLoss])
def test_what_is_no_rgb_from_0_to_1_is_refused(kind, network, images, spoil, error, said):
    spoilt = spoil(images)
    with pytest.raises(error, match=said):
        kind(network, LAYERS)(spoilt, spoilt)


def test_targets_are_named(network, images):
    loss = PerceptualLoss(network, LAYERS)
    with pytest.raises(DataError, match="targets run from"):
        loss(images, images * 255)
    with pytest.raises(ShapeError, match=r"images are \(2, 3, 8, 10\) and targets \(2, 3, 8, 9\)"):
        loss(images, images[..., :9])


def test_an_unknown_layer_is_named(network):
    with pytest.raises(ArchitectureError, match="tiny has no layer 'relu3_3'"):
        StyleLoss(network)


@pytest.mark.slow
def test_to_vgg16_noise_is_far_and_light_is_near(real_features, cell_photographs):
    """Of two changes that cost the pixels the same, and of the same change in three strengths."""
    square = Preprocess(size=96, mean=(0, 0, 0), std=(1, 1, 1))
    photograph = decode(min((cell_photographs / "white-blood-cell").glob("*.jpg")), square)[None] / 255
    photograph = 0.2 + 0.6 * photograph  # so that nothing is clipped
    noise = torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0)).clamp(-3, 3)
    loss = PerceptualLoss(load(real_features), ("relu2_2", "relu3_3"))
    with torch.no_grad():
        little, more, most = (
            float(loss(photograph + level * noise, photograph)) for level in (0.01, 0.03, 0.06)
        )
        brighter = float(loss(photograph + 0.03, photograph))
    assert little < more < most and brighter < more / 5
