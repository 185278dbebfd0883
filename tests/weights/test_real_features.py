"""The convolutions that Simonyan and Zisserman trained, on photographs from a microscope.

No reference values of their maps on a given image are published. Facts that hold for trained features but not
for random ones: an image activates the last maps more than its shuffled pixels, and different images give
different maps. Facts of these weights with their preprocessing: values of hundreds to thousands in the third
stage, as the input values go up to 150 instead of 2, and sparse maps at the end. A plain torch module with
the same tensors must give the same maps.
"""

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET
from verydeep.data.decode import decode
from verydeep.data.normalize import normalize
from verydeep.models.build import build
from verydeep.weights.inspect import inspect
from verydeep.weights.load import load
from verydeep.weights.preprocessing import recognized_preprocess

from .plain_models import PlainVgg

SIZE = 64


@pytest.fixture(scope="module")
def network(real_features):
    return load(real_features)


@pytest.fixture(scope="module")
def pixels(cell_photographs):
    """Four cells of each of three types."""
    preprocess = CAFFE_RGB.for_input(3, SIZE)
    files = [file for folder in sorted(cell_photographs.iterdir()) for file in sorted(folder.iterdir())[:4]]
    return torch.stack([decode(file, preprocess) for file in files])


def last_maps(model, pixels):
    with torch.inference_mode():
        return model.features(normalize(pixels, CAFFE_RGB.for_input(3, SIZE)))


def test_the_file_is_recognized(real_features):
    contents = inspect(real_features)
    assert (contents.network, contents.layout, contents.has_head) == ("vgg16", "torchvision", False)
    assert contents.parameters == 14_714_688 and len(contents.matched) == 26
    assert contents.preprocess.mean == CAFFE_RGB.mean
    assert contents.preprocess_source == "the metadata of the file"
    assert contents.preprocess.std == pytest.approx(CAFFE_RGB.std)
    assert not contents.unexpected


def test_the_preprocessing_is_recognized_by_the_first_convolution(real_features, tmp_path):
    tensors = load_file(real_features)
    stem = tensors["features.0.weight"]
    for weights, expected in ((stem, CAFFE_RGB), (stem.flip(1), CAFFE)):
        preprocess, source = recognized_preprocess(tmp_path / "any.pth", weights, IMAGENET, "torchvision")
        assert preprocess == expected and "Oxford's" in source
    assert recognized_preprocess(tmp_path / "any.pth", stem + 1, IMAGENET, "torchvision")[0] == IMAGENET


def test_a_plain_module_with_the_same_tensors_gives_the_same_maps(network, pixels, real_features):
    widths = [64, 64, "M", 128, 128, "M", *([256] * 3), "M", *([512] * 3), "M", *([512] * 3), "M"]
    plain = PlainVgg(widths).eval()
    plain.features.load_state_dict(
        {name.removeprefix("features."): value for name, value in load_file(real_features).items()}
    )
    torch.testing.assert_close(last_maps(network.model, pixels[:2]), last_maps(plain, pixels[:2]))


def test_the_maps_have_the_scale_and_sparsity_of_these_weights(network, pixels):
    maps, outputs = normalize(pixels, CAFFE_RGB.for_input(3, SIZE)), {}
    with torch.inference_mode():
        for index, layer in enumerate(network.model.features):
            maps = layer(maps)
            outputs[index] = maps.clone()
    relu1_2, relu3_3, relu5_3 = outputs[3], outputs[15], outputs[29]
    assert 30 < relu1_2.mean() < 300
    assert 1_000 < relu3_3.max() < 30_000
    assert 0.2 < relu5_3.mean() < 5  # the head expects values of order 1
    zeros = [float((maps == 0).float().mean()) for maps in (relu1_2, relu3_3, relu5_3)]
    assert zeros == sorted(zeros) and zeros[-1] > 0.85


@pytest.mark.slow
def test_an_image_activates_trained_features_more_than_its_shuffled_pixels(network, pixels):
    order = torch.randperm(SIZE * SIZE, generator=torch.Generator().manual_seed(0))
    shuffled = pixels.flatten(2)[:, :, order].view_as(pixels)
    torch.manual_seed(0)
    untrained = build(network.model.architecture).eval()

    def preference(model):
        return float(last_maps(model, pixels).mean() / last_maps(model, shuffled).mean())

    assert preference(network.model) > 1.2 > 1 > preference(untrained)


@pytest.mark.slow
def test_trained_features_differ_more_between_images(network, pixels):
    torch.manual_seed(0)
    untrained = build(network.model.architecture).eval()

    def similarity(model):
        vectors = functional.normalize(last_maps(model, pixels).mean((2, 3)))
        return float((vectors @ vectors.T).mean())

    assert similarity(network.model) < 0.8 < 0.95 < similarity(untrained)
