"""The Keras summary, against the names and totals of ``keras.applications``."""

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.tables.keras_summary import keras_rows, keras_summary

from .test_network_table import shown


def rows(name):
    return keras_rows(trace(zoo.resolve(name)))


def test_vgg16_has_the_layer_names_of_keras_applications():
    named = [(row.name, row.kind, row.output) for row in rows("vgg16")]
    assert named[:4] == [
        ("input_layer", "InputLayer", (224, 224, 3)), ("block1_conv1", "Conv2D", (224, 224, 64)),
        ("block1_conv2", "Conv2D", (224, 224, 64)), ("block1_pool", "MaxPooling2D", (112, 112, 64)),
    ]  # fmt: skip
    assert named[-4:] == [
        ("flatten", "Flatten", (25_088,)), ("fc1", "Dense", (4096,)), ("fc2", "Dense", (4096,)),
        ("predictions", "Dense", (1000,)),
    ]  # fmt: skip
    assert len(named) == 23


def test_the_totals_of_vgg16():
    text = shown(keras_summary(trace(zoo.resolve("vgg16"))), 100)
    assert "Total params: 138,357,544 (527.79 MB)" in text
    assert "Non-trainable params: 0 (0.00 B)" in text
    assert "(None, 224, 224, 64)" in text


def test_a_batch_norm_has_four_numbers_per_channel_in_keras():
    text = shown(keras_summary(trace(zoo.resolve("vgg16_bn"))), 100)
    assert "Trainable params: 138,365,992" in text and "Non-trainable params: 8,448" in text


def test_resnet50_is_named_by_blocks():
    names = [row.name for row in rows("resnet50")]
    assert {"conv1_conv", "conv1_bn", "conv2_block1_0_conv", "conv2_block1_0_bn", "conv2_block1_1_conv",
            "conv5_block3_3_bn", "conv5_block3_add", "avg_pool", "predictions"} <= set(names)  # fmt: skip
    assert "flatten" not in names and len(names) == len(set(names))


def test_names_are_unique_in_every_network():
    for name in zoo.names():
        names = [row.name for row in rows(name)]
        assert len(names) == len(set(names)), name
