"""The convolutions that Simonyan and Zisserman trained, on photographs from a microscope.

No published figure says what their maps are on a given image. What must hold of trained features, and not of
drawn ones: an image stirs the last maps more than the same pixels shuffled, and different images give
different maps. And of these alone, fed as they were trained: maps of hundreds to thousands in the third
stage, since their input runs to 150 and not to 2, and sparse ones at the end. A plain torch module with
the same tensors must agree with ours.
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
from verydeep.weights.preprocessing import preprocess_of

from .plain import PlainVgg

SIZE = 64


@pytest.fixture(scope="module")
def network(real_features):
    return load(real_features)


@pytest.fixture(scope="module")
def pixels(cell_photographs):
    """Four cells of each of three kinds."""
    seen = CAFFE_RGB.for_input(3, SIZE)
    files = [file for kind in sorted(cell_photographs.iterdir()) for file in sorted(kind.iterdir())[:4]]
    return torch.stack([decode(file, seen) for file in files])


def last_maps(model, pixels):
    with torch.inference_mode():
        return model.features(normalize(pixels, CAFFE_RGB.for_input(3, SIZE)))


def test_the_file_is_recognized_whole(real_features):
    found = inspect(real_features)
    assert (found.network, found.layout, found.has_head) == ("vgg16", "torchvision", False)
    assert found.parameters == 14_714_688 and len(found.matched) == 26
    assert found.preprocess.mean == CAFFE_RGB.mean and found.preprocess_known == "the file, which states it"
    assert found.preprocess.std == pytest.approx(CAFFE_RGB.std)
    assert not found.left_over


def test_its_first_convolution_alone_tells_what_it_sees(real_features, tmp_path):
    tensors = load_file(real_features)
    stem = tensors["features.0.weight"]
    for order, seen in ((stem, CAFFE_RGB), (stem.flip(1), CAFFE)):
        found, known = preprocess_of(tmp_path / "any.pth", order, IMAGENET, "torchvision")
        assert found == seen and "Oxford's" in known
    assert preprocess_of(tmp_path / "any.pth", stem + 1, IMAGENET, "torchvision")[0] == IMAGENET


def test_a_plain_module_with_the_same_tensors_agrees(network, pixels, real_features):
    plan = [64, 64, "M", 128, 128, "M", *([256] * 3), "M", *([512] * 3), "M", *([512] * 3), "M"]
    plain = PlainVgg(plan).eval()
    plain.features.load_state_dict(
        {name.removeprefix("features."): value for name, value in load_file(real_features).items()}
    )
    torch.testing.assert_close(last_maps(network.model, pixels[:2]), last_maps(plain, pixels[:2]))


def test_maps_have_the_scale_and_the_sparseness_of_these_weights(network, pixels):
    maps, seen = normalize(pixels, CAFFE_RGB.for_input(3, SIZE)), {}
    with torch.inference_mode():
        for index, layer in enumerate(network.model.features):
            maps = layer(maps)
            seen[index] = maps.clone()
    relu1_2, relu3_3, relu5_3 = seen[3], seen[15], seen[29]
    assert 30 < relu1_2.mean() < 300
    assert 1_000 < relu3_3.max() < 30_000
    assert 0.2 < relu5_3.mean() < 5  # the head takes values of order 1
    sparse = [float((maps == 0).float().mean()) for maps in (relu1_2, relu3_3, relu5_3)]
    assert sparse == sorted(sparse) and sparse[-1] > 0.85


def test_trained_features_see_more_in_an_image_than_in_its_pixels_shuffled(network, pixels):
    order = torch.randperm(SIZE * SIZE, generator=torch.Generator().manual_seed(0))
    shuffled = pixels.flatten(2)[:, :, order].view_as(pixels)
    torch.manual_seed(0)
    drawn = build(network.model.architecture).eval()

    def preference(model):
        return float(last_maps(model, pixels).mean() / last_maps(model, shuffled).mean())

    assert preference(network.model) > 1.2 > 1 > preference(drawn)


def test_trained_features_tell_images_apart(network, pixels):
    torch.manual_seed(0)
    drawn = build(network.model.architecture).eval()

    def likeness(model):
        vectors = functional.normalize(last_maps(model, pixels).mean((2, 3)))
        return float((vectors @ vectors.T).mean())

    assert likeness(network.model) < 0.8 < 0.95 < likeness(drawn)
