"""Dense evaluation: fully connected layers as convolutions give equal scores."""

import pytest
import torch

from verydeep.architecture.architecture import Architecture
from verydeep.errors import ShapeError
from verydeep.models.build import build
from verydeep.models.dense import DenseClassifier

SIZE = 16
ARCHITECTURES = {
    "VGG: fc6 on the whole map": "4 M 6 M | pool4 8 8",
    "a map that is pooled to a smaller grid": "4 M 6 | pool4 8",
    "a map whose side is not a multiple of the grid": "4 M 6 M | pool3 8",
    "no hidden layer": "4 M 6 M | pool4",
    "a global average": "4 M 6 M | gap",
    "a global average, then hidden layers": "4 M 6 M | gap 8",
    "ResNet": "4k3s2 (4 4)x2 (8s2 8) | gap",
    "AlexNet: dropout first": "4k3s2p0 M | pool3 8",
}


def network(string, **settings):
    torch.manual_seed(0)
    settings = {"input": (3, SIZE, SIZE), "classes": 5} | settings
    return build(Architecture.from_string(string, **settings)).eval().double()


def random_images(*shape):
    return torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("name", ARCHITECTURES)
@torch.inference_mode()
def test_on_the_networks_own_size_the_score_map_is_its_logits(name):
    model = network(ARCHITECTURES[name], norm="batch", dropout_first="dropout first" in name)
    scores = DenseClassifier(model)(random_images(SIZE, SIZE))
    assert scores.shape == (2, 5, 1, 1)
    torch.testing.assert_close(scores[:, :, 0, 0], model(random_images(SIZE, SIZE)))


@pytest.mark.parametrize("string", [string for string in ARCHITECTURES.values() if "gap" not in string])
@torch.inference_mode()
def test_each_position_of_the_score_map_is_the_head_on_a_window_of_the_features(string):
    model, images = network(string), random_images(SIZE + 8, SIZE + 5)
    maps, scores = model.features(images), DenseClassifier(model)(images)
    rows, columns = model.architecture.map_shape[1:]
    assert scores.shape[2] > 1 and scores.shape[3] > 1
    for i in range(scores.shape[2]):
        for j in range(scores.shape[3]):
            window = maps[:, :, i : i + rows, j : j + columns]
            logits = model.head(model.pool(window).flatten(1))
            torch.testing.assert_close(scores[:, :, i, j], logits)


@pytest.mark.parametrize("string", ["4k3p0 M 6k3p0 M | pool2 8 8", "4k3p0 M 6k3p0 M | pool2"])
@torch.inference_mode()
def test_without_padding_the_mean_of_the_map_is_the_mean_over_crops_at_the_stride(string):
    """VGG, section 3.2: only the padding beyond the border makes crops differ from dense evaluation."""
    model, images, stride = network(string), random_images(SIZE + 8, SIZE + 12), 4
    crops = [
        images[:, :, top : top + SIZE, left : left + SIZE]
        for top in range(0, 8 + 1, stride)
        for left in range(0, 12 + 1, stride)
    ]
    scores = DenseClassifier(model)(images)
    assert scores.shape[2:] == (3, 4)
    torch.testing.assert_close(scores.mean((2, 3)), torch.stack([model(crop) for crop in crops]).mean(0))


@torch.inference_mode()
def test_with_padding_crops_and_the_dense_map_differ():
    model, images = network("4 M 6 M | pool4 8"), random_images(SIZE + 4, SIZE + 4)
    corner = model(images[:, :, :SIZE, :SIZE])
    assert (DenseClassifier(model)(images)[:, :, 0, 0] - corner).abs().max() > 1e-4


@pytest.mark.parametrize("string", ["4 M 6 M | gap", "4k3s2 (4 4)x2 (8s2 8) | gap"])
@torch.inference_mode()
def test_with_a_global_average_pool_it_equals_the_network_at_any_size(string):
    """A mean over the map, then a linear layer, equals the linear layer at every position, then the mean."""
    model, images = network(string), random_images(SIZE + 8, SIZE + 5)
    logits = model(images)
    torch.testing.assert_close(DenseClassifier(model)(images)[:, :, 0, 0], logits)
    last = list(model.head_modules())[-1]
    at_each_position = torch.einsum("uc,bcij->buij", last.weight, model.features(images)).mean((2, 3))
    torch.testing.assert_close(at_each_position + last.bias, logits)


def test_the_weights_are_shared_with_the_model():
    model = network("4 M 6 M | pool4 8 8")
    head = DenseClassifier(model).head
    assert head[0].weight.data_ptr() == next(iter(model.head_modules())).weight.data_ptr()


def test_images_smaller_than_the_window_are_an_error():
    with pytest.raises(ShapeError, match=r"images are 12 x 20; the window of .* is 16 x 16"):
        DenseClassifier(network("4 M 6 M | pool4 8"))(random_images(12, 20))
    with pytest.raises(ShapeError, match="1 channels"):
        DenseClassifier(network("4 M 6 M | pool4 8"))(random_images(16, 16)[:, :1])
