"""Evaluation protocols: equal where they must be, and averaged as in the papers."""

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.decode import decode, decode_whole
from verydeep.data.normalize import normalize, resize_short_side
from verydeep.errors import ShapeError
from verydeep.evaluate.crops import corners_and_center, grid
from verydeep.evaluate.protocol_logits import protocol_logits
from verydeep.evaluate.protocols import make_protocol
from verydeep.image_sources.folders.read_folder import read_folder
from verydeep.models.build import build
from verydeep.models.dense import DenseClassifier
from verydeep.models.logits import predict_dense, predict_logits

IMAGENET = Preprocess(size=224, resize=256, mean=(0.5,) * 3, std=(0.2,) * 3)
SMALL = Preprocess(size=8, mean=(0.5,) * 3, std=(0.2,) * 3)
AUGMENTED = ("multi-scale", "ten-crop", "multi-crop", "dense")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return build(Architecture.from_string("4 M 6 | pool2 8", input=(3, 8, 8), classes=3)).eval()


def random_images(*shape):
    return torch.randint(256, (5, 3, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))


def logits_of(model, images, preprocess, protocol):
    batches = protocol_logits(model, images, preprocess, protocol)
    return torch.cat([torch.from_numpy(batch.logits) for batch in batches])


@pytest.mark.parametrize(
    ("name", "scales"),
    [("single", (256,)), ("dense", (256,)), ("ten-crop", (256,)), ("multi-scale", (224, 256, 288)),
     ("multi-crop", (224, 256, 288))],
)  # fmt: skip
def test_scales_are_those_of_the_paper(
    name, scales
):  # VGG, sections 4.1 and 4.2: Q = S, and S - 32, S, S + 32
    assert make_protocol(name, IMAGENET).scales == scales
    assert make_protocol(name, IMAGENET).flip == (name != "single")


@pytest.mark.parametrize(
    ("name", "flip", "pixels"),
    [
        ("single", False, 224**2),
        ("dense", True, 2 * 256**2),
        ("multi-scale", False, 224**2 + 256**2 + 288**2),
        ("ten-crop", True, 10 * 224**2),
        ("multi-crop", True, 150 * 224**2),
    ],
)
def test_the_batch_size_is_by_the_pixels_of_all_views(model, name, flip, pixels, monkeypatch):
    def batch_size(of_image):
        raise AssertionError(f"{of_image} px per image")

    monkeypatch.setattr("verydeep.evaluate.protocol_logits.auto_batch_size", batch_size)
    batches = protocol_logits(model, random_images(8, 8), IMAGENET, make_protocol(name, IMAGENET, flip=flip))
    with pytest.raises(AssertionError, match=f"^{pixels} px per image$"):
        next(iter(batches))


def test_crops_have_a_margin_and_no_scale_is_below_the_input_size():
    assert make_protocol("ten-crop", SMALL).scales == (9,)
    assert make_protocol("multi-scale", SMALL).scales == (8, 9)
    assert make_protocol("multi-crop", IMAGENET, scales=[256, 384, 512], flip=False).scales == (256, 384, 512)


def test_invalid_scales_are_rejected():
    with pytest.raises(ShapeError, match="the scale 200 px is below the input size of the network, 224 px"):
        make_protocol("dense", IMAGENET, scales=[200, 256])
    with pytest.raises(ShapeError, match=r"single .* at one scale"):
        make_protocol("single", IMAGENET, scales=[256])


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_protocols_of_crops_and_whole_images_are_for_networks_that_crop(fit):
    assert make_protocol("single", IMAGENET.with_fit(fit)).scales == (224,)
    for name in AUGMENTED:
        with pytest.raises(ShapeError, match=f"fitted by '{fit}'. Use the protocol single"):
            make_protocol(name, IMAGENET.with_fit(fit))


@pytest.mark.parametrize("name", AUGMENTED)
def test_on_images_of_the_input_size_all_protocols_are_equal(model, name):
    images = random_images(8, 8)
    single = logits_of(model, images, SMALL, make_protocol("single", SMALL))
    assert torch.equal(single, predict_logits(model, images, SMALL))
    logits = logits_of(model, images, SMALL, make_protocol(name, SMALL, scales=[8], flip=False))
    torch.testing.assert_close(logits.softmax(1), single.softmax(1))


@pytest.mark.parametrize(("name", "positions"), [("ten-crop", corners_and_center), ("multi-crop", grid)])
def test_crops_average_probabilities(model, name, positions):
    images = random_images(16, 20)
    logits = logits_of(model, images, SMALL, make_protocol(name, SMALL, scales=[12, 16]))
    expected = []
    for scale in (12, 16):
        whole = resize_short_side(images, scale)
        each = [whole[:, :, top : top + 8, left : left + 8] for top, left in positions(*whole.shape[2:], 8)]
        views = [view for crop in each for view in (crop, crop.flip(-1))]
        assert len(views) == (10 if name == "ten-crop" else 50)
        expected.append(
            torch.stack([predict_logits(model, view, SMALL).softmax(1) for view in views]).mean(0)
        )
    torch.testing.assert_close(logits.softmax(1), torch.stack(expected).mean(0))


def test_dense_averages_the_map_then_mirror_images_and_scales(model):
    images, dense = random_images(16, 20), DenseClassifier(model)
    logits = logits_of(model, images, SMALL, make_protocol("multi-scale", SMALL, scales=[12, 16]))
    views = [
        view
        for scale in (12, 16)
        for whole in [resize_short_side(images, scale)]
        for view in (whole, whole.flip(-1))
    ]
    with torch.inference_mode():
        scores = [dense(normalize(view, SMALL)).mean((2, 3)).softmax(1) for view in views]
    torch.testing.assert_close(logits.softmax(1), torch.stack(scores).mean(0))


@pytest.mark.parametrize("name", AUGMENTED)
def test_mirror_images_have_equal_logits(model, name):
    protocol = make_protocol(name, SMALL, scales=[16])
    logits = logits_of(model, random_images(16, 16), SMALL, protocol)
    mirrored = logits_of(model, random_images(16, 16).flip(-1), SMALL, protocol)
    torch.testing.assert_close(logits, mirrored)


@pytest.mark.parametrize("name", ["single", "dense", "multi-crop"])
def test_files_of_any_shape_are_in_order_and_broken_ones_are_reported(model, tmp_path, name):
    generator = torch.Generator().manual_seed(3)
    for number, shape in enumerate([(20, 30), (30, 20), (20, 30), (9, 9), (20, 30)]):
        (tmp_path / "a").mkdir(exist_ok=True)
        pixels = torch.randint(256, (*shape, 3), dtype=torch.uint8, generator=generator)
        Image.fromarray(pixels.numpy()).save(tmp_path / "a" / f"{number}.png")
    (tmp_path / "a" / "3b.png").write_bytes(b"no image")
    samples, protocol = read_folder(tmp_path), make_protocol(name, SMALL)
    batches = list(protocol_logits(model, samples, SMALL, protocol))
    assert [index for batch in batches for index in batch.indices] == [0, 1, 2, 3, 5]
    assert [each.source.name for batch in batches for each in batch.broken] == ["3b.png"]
    logits = logits_of(model, samples, SMALL, protocol)
    for row, index in enumerate([0, 1, 2, 3, 5]):
        alone = logits_of(model, samples.select(torch.tensor([index])), SMALL, protocol)
        torch.testing.assert_close(logits[row], alone[0])


def test_broken_files_have_no_logits(model, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"no image")
    for name in ("single", "dense"):
        (batch,) = protocol_logits(model, read_folder(tmp_path), SMALL, make_protocol(name, SMALL))
        assert batch.logits.shape == (0, 3) and len(batch.broken) == 1


def test_the_crop_is_a_part_of_the_whole_image(tmp_path):
    Image.effect_noise((50, 30), 60).save(tmp_path / "x.png")
    preprocess = Preprocess(size=8, resize=10, channels=1, mean=(0.5,), std=(0.5,))
    small, large = decode_whole(tmp_path / "x.png", 1, (10, 20))
    assert small.shape == (1, 10, 16) and large.shape == (1, 20, 33)
    assert torch.equal(decode(tmp_path / "x.png", preprocess), small[:, 1:9, 4:12])


def test_the_model_keeps_its_mode(model):
    for is_training in (True, False):
        model.train(is_training)
        logits_of(model, random_images(8, 8), SMALL, make_protocol("dense", SMALL))
        assert model.training is is_training and model.classifier.training is is_training
    assert predict_dense(DenseClassifier(model.eval()), random_images(8, 8), SMALL).shape == (5, 3)
