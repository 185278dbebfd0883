"""Inference in batches."""

import torch

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.normalize import fit_to_input, normalize
from verydeep.models.build import build
from verydeep.models.logits import predict_logits

NET = Architecture.from_string("4 M | gap 8", norm="batch", input=(1, 8, 8), classes=3)
PREPROCESS = Preprocess(size=8, channels=1, mean=(0.3,), std=(0.2,))


def test_the_batch_size_does_not_change_the_logits():
    torch.manual_seed(0)
    model = build(NET)
    pixels = torch.randint(256, (11, 1, 8, 8), dtype=torch.uint8)
    logits = predict_logits(model, pixels, PREPROCESS, batch_size=4)
    expected = model.eval()(normalize(pixels, PREPROCESS))
    torch.testing.assert_close(logits, expected)


def test_the_model_keeps_its_mode_and_its_batch_norm_statistics():
    model = build(NET).train()
    before = model.features[1].running_mean.clone()
    predict_logits(model, torch.zeros(5, 1, 8, 8, dtype=torch.uint8), PREPROCESS)
    assert model.training and torch.equal(model.features[1].running_mean, before)


def test_images_of_another_size_come_to_the_input_size():
    preprocess = Preprocess(size=8, resize=10, channels=1, mean=(0.3,), std=(0.2,))
    model = build(NET).eval()
    pixels = torch.randint(256, (3, 1, 15, 20), dtype=torch.uint8)
    cropped = fit_to_input(pixels, preprocess)
    assert cropped.shape == (3, 1, 8, 8)
    torch.testing.assert_close(
        predict_logits(model, pixels, preprocess), model(normalize(cropped, preprocess))
    )


def test_large_images_have_small_batches():
    """A batch of 500 images of 224 px would need 6 GB for the first feature maps of VGG16."""
    batch_sizes = []
    model = build(Architecture.from_string("1k8s8 M | gap", input=(1, 224, 224), classes=2))
    model.register_forward_hook(lambda _, inputs, __: batch_sizes.append(len(inputs[0])))
    preprocess = Preprocess(size=224, channels=1, mean=(0.3,), std=(0.2,))
    predict_logits(model, torch.zeros(40, 1, 224, 224, dtype=torch.uint8), preprocess)
    assert batch_sizes == [31, 9]
