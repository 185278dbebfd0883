"""Where the pixels of a training lie: on its device, or in main memory."""

import torch

from verydeep.data.images import Images
from verydeep.data.synthetic import shapes
from verydeep.inputs.pixels_in_memory import on_device_if_it_fits

CPU = torch.device("cpu")


class TooLarge(Images):
    """For the device."""

    def to(self, device):
        raise torch.OutOfMemoryError("CUDA out of memory")


def test_images_that_do_not_fit_on_the_device_stay_in_memory():
    images = shapes(5)
    large = TooLarge(images.pixels, images.labels, images.classes)
    assert on_device_if_it_fits(large, CPU) is large
    assert on_device_if_it_fits(images, CPU).pixels is images.pixels
