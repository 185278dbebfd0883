"""Normalization without torch gives the same bits as with it."""

import numpy as np
import pytest
import torch

from verydeep.architecture.preprocess import CAFFE, IMAGENET, Preprocess
from verydeep.data.normalize import normalize
from verydeep.decoding.normalize import normalize_pixels


@pytest.mark.parametrize(
    "preprocess", [IMAGENET, CAFFE, Preprocess(size=8, channels=1, mean=(0.3,), std=(0.2,))]
)
def test_it_is_equal_to_the_normalization_of_tensors(preprocess):
    pixels = np.random.default_rng(0).integers(0, 256, (2, preprocess.channels, 5, 7), dtype=np.uint8)
    expected = normalize(torch.from_numpy(pixels), preprocess).numpy()
    np.testing.assert_array_equal(normalize_pixels(pixels, preprocess), expected)
