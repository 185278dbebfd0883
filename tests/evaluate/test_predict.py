"""From pixels to logits."""

import torch

from verydeep.data.transforms import normalise
from verydeep.evaluate.predict import predict
from verydeep.models.build import build
from verydeep.spec.arch import Architecture
from verydeep.spec.preprocess import Preprocess

NET = Architecture.from_line("4 M | gap 8", norm="batch", input=(1, 8, 8), classes=3)
PREPROCESS = Preprocess(size=8, channels=1, mean=(0.3,), std=(0.2,))


def test_batches_do_not_show_in_the_result():
    torch.manual_seed(0)
    model = build(NET)
    pixels = torch.randint(256, (11, 1, 8, 8), dtype=torch.uint8)
    logits = predict(model, pixels, PREPROCESS, batch_size=4)
    whole = model.eval()(normalise(pixels, PREPROCESS))
    torch.testing.assert_close(logits, whole)


def test_the_model_keeps_its_mode_and_its_statistics():
    model = build(NET).train()
    before = model.features[1].running_mean.clone()
    predict(model, torch.zeros(5, 1, 8, 8, dtype=torch.uint8), PREPROCESS)
    assert model.training and torch.equal(model.features[1].running_mean, before)
