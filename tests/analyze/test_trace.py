"""Exact cost, against the papers and counts by hand."""

import pytest

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture

FC_MACS = 123_633_664


def row(name, layer):
    return next(row for row in trace(zoo.resolve(name)).layers if row.name == layer)


@pytest.mark.parametrize(
    ("name", "parameters", "features", "macs", "activations", "last_conv", "pool5"),
    [
        ("A", 132_863_336, 9_220_480, 7_609_090_048, 8_965_608, 134, 150),
        ("A-LRN", 132_863_336, 9_220_480, 7_609_090_048, 8_965_608, 134, 150),
        ("B", 133_047_848, 9_404_992, 11_308_466_176, 13_782_504, 140, 156),
        ("C", 133_638_952, 9_996_096, 11_770_888_192, 15_087_080, 140, 156),
        ("D", 138_357_544, 14_714_688, 15_470_264_320, 15_087_080, 196, 212),
        ("E", 143_667_240, 20_024_384, 19_632_062_464, 16_391_656, 252, 268),
    ],
)
def test_vgg_to_the_integer(name, parameters, features, macs, activations, last_conv, pool5):
    traced = trace(zoo.resolve(name))
    rows = traced.layers
    assert traced.totals.parameters == parameters
    assert sum(row.parameters for row in rows if row.kind == "conv") == features
    assert traced.totals.macs == macs
    assert sum(row.macs for row in rows if row.kind == "fc") == FC_MACS
    assert traced.totals.activations == activations
    assert [row.receptive_field for row in rows if row.kind == "conv"][-1] == last_conv
    assert [row.receptive_field for row in rows if row.kind == "pool"][-1] == pool5


def test_depth_does_not_count_shortcuts_norms_and_pools():
    # He et al. 2015, Table 1: 1 + 2 (3 + 4 + 6 + 3) + 1
    path = trace(zoo.resolve("resnet34")).path
    assert [row.kind for row in path] == ["conv"] * 33 + ["fc"]
    assert not any("project" in row.name for row in path)


@pytest.mark.parametrize(("letter", "millions"), [("A", 133), ("B", 133), ("C", 134), ("D", 138), ("E", 144)])
def test_parameters_match_the_paper(letter, millions):  # Simonyan and Zisserman 2014, Table 2
    assert round(trace(zoo.resolve(letter)).totals.parameters / 1e6) == millions


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("vgg11_bn", 132_868_840, 7_609_090_048),
        ("vgg13_bn", 133_053_736, 11_308_466_176),
        ("vgg16_bn", 138_365_992, 15_470_264_320),
        ("vgg19_bn", 143_678_248, 19_632_062_464),
        ("alexnet", 61_100_840, 714_188_480),
        ("alexnet-2012", 60_965_224, 724_406_816),
        ("resnet18", 11_689_512, 1_814_073_344),
        ("resnet50", 25_557_032, 4_089_184_256),
    ],
)
def test_the_other_published_networks(name, parameters, macs):
    totals = trace(zoo.resolve(name)).totals
    assert (totals.parameters, totals.macs) == (parameters, macs)


@pytest.mark.parametrize(
    ("string", "parameters", "macs"),
    [
        # Krizhevsky 2014 as its text has it, and 2012 without the two towers.
        ("64k11s4p2 Mk3s2 192k5 Mk3s2 384 384 256 Mk3s2 | pool6 4096 4096", 61_838_248, 838_788_800),
        ("96k11s4p2 L Mk3s2 256k5 L Mk3s2 384x2 256 Mk3s2 | pool6 4096 4096", 62_378_344, 1_135_256_096),
    ],
)
def test_the_other_alexnets(string, parameters, macs):
    totals = trace(Architecture.from_string(string)).totals
    assert (totals.parameters, totals.macs) == (parameters, macs)


@pytest.mark.parametrize(
    ("name", "gmacs"),
    [
        ("resnet18", 1.814),
        ("resnet34", 3.664),
        ("resnet50", 4.089),
        ("resnet101", 7.801),
        ("resnet152", 11.514),
    ],
)
def test_resnets_have_the_macs_that_torchvision_publishes(name, gmacs):
    assert round(trace(zoo.resolve(name)).totals.macs / 1e9, 3) == gmacs


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_cifar_resnets_have_the_papers_size_without_the_projections(depth, millions):
    # He et al. 2015, Table 6, counts option A: shortcuts without weights, so the size of the plain network.
    plain, residual = (trace(zoo.resolve(f"{kind}{depth}")) for kind in ("plain", "resnet"))
    assert round(plain.totals.parameters / 1e6, 1 if depth == 110 else 2) == millions
    projections = sum(
        row.parameters + 2 * row.output[0]
        for row in residual.layers
        if row.name.endswith("project") and row.kind == "conv"
    )
    assert residual.totals.parameters - projections == plain.totals.parameters


def test_rows_of_vgg16():
    assert row("vgg16", "conv1_1").weights == 1_728
    assert row("vgg16", "conv1_2").weights == 36_864
    assert row("vgg16", "conv1_1").activations == 3_211_264
    assert row("vgg16", "fc6").weights == 25_088 * 4_096
    assert row("vgg16", "conv5_3").receptive_field == 196
    assert row("vgg16", "fc8").output == (1000, 1, 1)


def test_three_3x3_have_the_receptive_field_of_7x7_with_45_percent_fewer_weights():  # VGG, section 2.3
    stack = trace(Architecture.from_string("64x3 | gap", input=(64, 32, 32))).layers
    single = trace(Architecture.from_string("64k7 | gap", input=(64, 32, 32))).layers
    assert stack[2].receptive_field == single[0].receptive_field == 7
    ratio = sum(row.weights for row in stack if row.kind == "conv") / single[0].weights
    assert ratio == pytest.approx(27 / 49)
