"""The papers' ways to look at an image: they agree where they must, and average as they say."""

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.decode import decode, decode_whole
from verydeep.data.folder import read_folder
from verydeep.data.normalize import normalize, resize_short_side
from verydeep.errors import ShapeError
from verydeep.evaluate.crops import corners_and_center, grid
from verydeep.evaluate.logits import predict_dense, predict_logits
from verydeep.evaluate.protocols import look, protocol
from verydeep.models.build import build
from verydeep.models.dense import DenseClassifier

IMAGENET = Preprocess(size=224, resize=256, mean=(0.5,) * 3, std=(0.2,) * 3)
SMALL = Preprocess(size=8, mean=(0.5,) * 3, std=(0.2,) * 3)
VIEWS = ("multi-scale", "ten-crop", "multi-crop", "dense")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build(Architecture.from_string("4 M 6 | pool2 8", input=(3, 8, 8), classes=3)).eval()


def drawn(*shape):
    return torch.randint(256, (5, 3, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def seen(model, images, preprocess, way):
    parts = list(look(model, images, preprocess, way))
    return torch.cat([part.indices for part in parts]), torch.cat([part.logits for part in parts])


@pytest.mark.parametrize(
    ("name", "scales"),
    [("single", (256,)), ("dense", (256,)), ("ten-crop", (256,)), ("multi-scale", (224, 256, 288)),
     ("multi-crop", (224, 256, 288))],
)  # fmt: skip
def test_scales_are_the_papers(name, scales):  # VGG, sections 4.1 and 4.2: Q = S, and S - 32, S, S + 32
    assert protocol(name, IMAGENET).scales == scales
    assert protocol(name, IMAGENET).flip == (name != "single")


def test_crops_have_a_margin_and_no_scale_is_below_the_network():
    assert protocol("ten-crop", SMALL).scales == (9,)
    assert protocol("multi-scale", SMALL).scales == (8, 9)
    assert protocol("multi-crop", IMAGENET, scales=[256, 384, 512], flip=False).scales == (256, 384, 512)


def test_scales_that_cannot_be_are_refused():
    with pytest.raises(ShapeError, match="a scale of 200 px was asked for; the network sees 224 px"):
        protocol("dense", IMAGENET, scales=[200, 256])
    with pytest.raises(ShapeError, match=r"single .* at one scale"):
        protocol("single", IMAGENET, scales=[256])


@pytest.mark.parametrize("name", VIEWS)
def test_on_the_networks_own_size_all_are_the_same(model, name):
    images = drawn(8, 8)
    _, once = seen(model, images, SMALL, protocol("single", SMALL))
    assert torch.equal(once, predict_logits(model, images, SMALL))
    _, views = seen(model, images, SMALL, protocol(name, SMALL, scales=[8], flip=False))
    torch.testing.assert_close(views.softmax(1), once.softmax(1))


@pytest.mark.parametrize(("name", "places"), [("ten-crop", corners_and_center), ("multi-crop", grid)])
def test_crops_average_probabilities(model, name, places):
    images = drawn(16, 20)
    _, logits = seen(model, images, SMALL, protocol(name, SMALL, scales=[12, 16]))
    expected = []
    for scale in (12, 16):
        whole = resize_short_side(images, scale)
        each = [whole[:, :, top : top + 8, left : left + 8] for top, left in places(*whole.shape[2:], 8)]
        views = [view for crop in each for view in (crop, crop.flip(-1))]
        assert len(views) == (10 if name == "ten-crop" else 50)
        expected.append(
            torch.stack([predict_logits(model, view, SMALL).softmax(1) for view in views]).mean(0)
        )
    torch.testing.assert_close(logits.softmax(1), torch.stack(expected).mean(0))


def test_dense_averages_the_map_then_mirror_images_and_scales(model):
    images, dense = drawn(16, 20), DenseClassifier(model)
    _, logits = seen(model, images, SMALL, protocol("multi-scale", SMALL, scales=[12, 16]))
    views = [
        view
        for scale in (12, 16)
        for whole in [resize_short_side(images, scale)]
        for view in (whole, whole.flip(-1))
    ]
    with torch.inference_mode():
        scores = [dense(normalize(view, SMALL)).mean((2, 3)).softmax(1) for view in views]
    torch.testing.assert_close(logits.softmax(1), torch.stack(scores).mean(0))


@pytest.mark.parametrize("name", VIEWS)
def test_mirror_images_are_told_alike(model, name):
    way = protocol(name, SMALL, scales=[16])
    _, logits = seen(model, drawn(16, 16), SMALL, way)
    _, mirrored = seen(model, drawn(16, 16).flip(-1), SMALL, way)
    torch.testing.assert_close(logits, mirrored)


@pytest.mark.parametrize("name", ["single", "dense", "multi-crop"])
def test_files_of_all_shapes_come_in_order_and_broken_ones_are_named(model, tmp_path, name):
    generator = torch.Generator().manual_seed(3)
    for number, shape in enumerate([(20, 30), (30, 20), (20, 30), (9, 9), (20, 30)]):
        (tmp_path / "a").mkdir(exist_ok=True)
        pixels = torch.randint(256, (*shape, 3), dtype=torch.uint8, generator=generator)
        Image.fromarray(pixels.numpy()).save(tmp_path / "a" / f"{number}.png")
    (tmp_path / "a" / "3b.png").write_bytes(b"no image")
    samples, way = read_folder(tmp_path), protocol(name, SMALL)
    parts = list(look(model, samples, SMALL, way))
    assert torch.cat([part.indices for part in parts]).tolist() == [0, 1, 2, 3, 5]
    assert [each.source.name for part in parts for each in part.broken] == ["3b.png"]
    _, logits = seen(model, samples, SMALL, way)
    for row, place in enumerate([0, 1, 2, 3, 5]):
        _, alone = seen(model, samples.select(torch.tensor([place])), SMALL, way)
        torch.testing.assert_close(logits[row], alone[0])


def test_broken_files_alone_give_nothing(model, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"no image")
    for name in ("single", "dense"):
        (part,) = look(model, read_folder(tmp_path), SMALL, protocol(name, SMALL))
        assert part.logits.shape == (0, 3) and len(part.broken) == 1


def test_a_whole_image_is_the_one_that_is_cropped(tmp_path):
    Image.effect_noise((50, 30), 60).save(tmp_path / "x.png")
    preprocess = Preprocess(size=8, resize=10, channels=1, mean=(0.5,), std=(0.5,))
    small, large = decode_whole(tmp_path / "x.png", 1, (10, 20))
    assert small.shape == (1, 10, 16) and large.shape == (1, 20, 33)
    assert torch.equal(decode(tmp_path / "x.png", preprocess), small[:, 1:9, 4:12])


def test_the_model_keeps_its_mode(model):
    for is_training in (True, False):
        model.train(is_training)
        seen(model, drawn(8, 8), SMALL, protocol("dense", SMALL))
        assert model.training is is_training and model.classifier.training is is_training
    assert predict_dense(DenseClassifier(model.eval()), drawn(8, 8), SMALL).shape == (5, 3)
