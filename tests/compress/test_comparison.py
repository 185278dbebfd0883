"""The original and a candidate on the same images: what both predict, computed once for the original."""

import numpy as np
import torch

from verydeep.compress.comparison import compare
from verydeep.compress.image_part import ImagePart
from verydeep.compress.judge import Judge, logits_of

from .networks import CLASSES, calibration, checkpoint


def test_both_networks_are_compared_on_the_images_that_decide():
    original, other = checkpoint("16 M 16 | gap"), checkpoint("8 M 8 | gap")
    images = ImagePart(calibration(12).pixels, torch.arange(12) % 4)
    judge = Judge(original, images, balanced=False, batch=1, threads=1)
    compared = compare(judge, other)
    assert compared.before is judge.logits
    assert np.array_equal(compared.after, logits_of(other, images))
    assert np.array_equal(compared.pixels, images.pixels) and np.array_equal(compared.labels, images.labels)
    assert compared.classes == CLASSES
    unlabeled = Judge(original, ImagePart(images.pixels, None), balanced=False, batch=1, threads=1)
    assert compare(unlabeled, other).labels is None
