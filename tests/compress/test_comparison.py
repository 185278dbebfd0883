"""The original and a candidate on the same images: the logits are theirs, computed once for the original."""

import torch

from verydeep.compress.candidate import Bench
from verydeep.compress.comparison import compare
from verydeep.compress.images import Part
from verydeep.models.logits import predict_logits

from .networks import CLASSES, calibration, checkpoint


def test_both_networks_are_compared_on_the_images_that_decide():
    original, other = checkpoint("16 M 16 | gap"), checkpoint("8 M 8 | gap")
    images = Part(calibration(12).pixels, torch.arange(12) % 4)
    bench = Bench(original, images, balanced=False, batch=1, threads=1)
    compared = compare(bench, other)
    assert compared.before is bench.logits
    assert torch.equal(compared.after, predict_logits(other.model, images.pixels, other.preprocess))
    assert compared.pixels is images.pixels and compared.labels is images.labels
    assert compared.classes == CLASSES
