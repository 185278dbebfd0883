"""The preprocessing that a checkpoint holds: its round trip, and its error messages."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET, Preprocess
from verydeep.errors import ArchitectureError

FASHION = Preprocess(size=28, channels=1, mean=(0.2860,), std=(0.3530,))


@pytest.mark.parametrize(
    "preprocess",
    [FASHION, IMAGENET, CAFFE, CAFFE_RGB, FASHION.with_fit("pad"), CAFFE.with_fit("squash")],
)
def test_the_json_round_trip_gives_an_equal_value(preprocess):
    assert Preprocess.from_dict(json.loads(json.dumps(preprocess.to_dict()))) == preprocess


def test_whole_numbers_are_read_as_floats():
    read = Preprocess.from_dict({"size": 8, "channels": 1, "mean": [0], "std": [1], "scale": 255})
    assert read == Preprocess(size=8, channels=1, mean=(0.0,), std=(1.0,), scale=255.0)
    assert isinstance(read.scale, float)


def test_another_size_keeps_the_proportion_of_the_crop():  # 224 of 256 px
    small = IMAGENET.for_input(3, 112)
    assert (small.size, small.resize, small.mean) == (112, 128, IMAGENET.mean)
    assert FASHION.for_input(1, 32).resize is None


def test_mean_and_std_for_gray_are_averages_over_the_colors():
    gray = CAFFE.for_input(1, 224)
    assert gray.mean == (pytest.approx(114.799333),) and gray.std == (1.0,)
    assert (gray.channels, gray.order, gray.scale) == (1, "rgb", 255.0)
    with pytest.raises(ArchitectureError, match="has no mean and std for 3"):
        FASHION.for_input(3, 28)


def test_both_forms_of_caffes_preprocessing_agree_within_a_gray_level():
    rgb_mean = [255 * value for value in CAFFE_RGB.mean]
    assert rgb_mean == pytest.approx(CAFFE.mean[::-1], abs=0.7)
    assert [255 * value for value in CAFFE_RGB.std] == pytest.approx(CAFFE.std)


def test_without_a_resize_the_short_side_is_the_size():
    assert (FASHION.short_side, IMAGENET.short_side) == (28, 256)


def test_the_fit_crop_is_not_written_and_the_others_are():
    assert "fit" not in IMAGENET.to_dict()
    assert Preprocess.from_dict({"size": 8, "mean": [0] * 3, "std": [1] * 3}).fit == "crop"
    assert IMAGENET.with_fit("pad").to_dict()["fit"] == "pad"


def test_only_a_crop_has_a_margin():
    assert IMAGENET.with_fit("crop") == IMAGENET
    padded = IMAGENET.with_fit("pad")
    assert (padded.size, padded.resize, padded.short_side) == (224, None, 224)
    assert padded.for_input(1, 96).fit == "pad"


def test_the_padding_is_the_mean_in_the_order_of_the_pixels():
    assert IMAGENET.padding == (124, 116, 104)
    assert (CAFFE.padding, CAFFE_RGB.padding) == ((124, 117, 104), (123, 117, 104))  # 123.68 and 123.00
    assert FASHION.padding == (73,)
    assert Preprocess(size=8, channels=1, mean=(-3.0,), std=(1.0,)).padding == (0,)


@pytest.mark.parametrize(
    ("width", "height", "inner"), [(400, 200, (8, 4)), (200, 400, (4, 8)), (3, 3, (8, 8)), (900, 1, (8, 1))]
)
def test_a_padded_image_keeps_its_aspect_ratio(width, height, inner):
    assert (
        Preprocess(size=8, channels=1, mean=(0.0,), std=(1.0,), fit="pad").inner_size(width, height) == inner
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 0}, "size is 0"),
        ({"size": True}, "size is True"),
        ({"size": "224"}, "size is '224'"),
        ({"size": 224.0}, "size is 224.0"),
        ({"channels": 4}, "channels is 4"),
        ({"resize": 200}, "size is 224 px and resize 200"),
        ({"resize": None}, "resize is None"),
        ({"mean": [0.5]}, "mean has 1 numbers; expected 3"),
        ({"mean": 0.5}, "a list of numbers"),
        ({"mean": [0.5, "0.5", 0.5]}, "a list of numbers"),
        ({"mean": [0.5, True, 0.5]}, "a list of numbers"),
        ({"mean": [0.5, 10**400, 0.5]}, "a list of numbers"),
        ({"mean": [0.5, float("nan"), 0.5]}, "finite"),
        ({"std": [0.2, 0.0, 0.2]}, "above zero"),
        ({"scale": -1}, "above zero"),
        ({"scale": "255"}, "scale is '255'"),
        ({"order": "hsv"}, "order is 'hsv'"),
        ({"fit": "stretch"}, "fit is 'stretch'"),
        ({"fit": ["pad"]}, "fit is"),
        ({"fit": "pad"}, "resize = 256"),
        ({"invert": True}, r"unknown keys \['invert'\]"),
    ],
)
def test_invalid_preprocessing_is_an_error_with_the_value(change, message):
    with pytest.raises(ArchitectureError, match=message):
        Preprocess.from_dict(IMAGENET.to_dict() | change)


def test_a_missing_key_is_named():
    with pytest.raises(ArchitectureError, match=r"missing keys \['mean', 'std'\]"):
        Preprocess.from_dict({"size": 224})


def test_a_gray_image_has_no_channel_order():
    with pytest.raises(ArchitectureError, match="bgr"):
        replace(FASHION, order="bgr")


def test_reading_it_needs_no_torch():
    code = "import sys, verydeep.architecture.preprocess; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
