"""What the live page shows is what the command prints."""

import json
import xml.etree.ElementTree as ET

import pytest

from verydeep.analyze.compare import compare
from verydeep.architecture import zoo
from verydeep.number_format import NONE

from .modules import live_page

ALL = {
    "network": " 64x2  M 128 M | gap", "size": "32", "channels": "1", "classes": "10", "batch": "8",
    "optimizer": "adam", "dtype": "bf16", "memory": "8 GB", "norm": "1",
}  # fmt: skip


@pytest.mark.parametrize(
    "form", [live_page.FIRST, ALL, {"network": "D"}, {"network": "resnet18", "size": "20", "batch": ""}]
)
def test_the_command_on_the_page_prints_its_numbers(form, command):
    shown = live_page.answer(form)
    printed = command(f"{shown['command']} --json")
    assert json.loads(shown["json"]) == json.loads(printed.out)
    assert printed.err == "".join(f"Note: {note}\n" for note in shown["notes"])


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ({"network": "64 Q | gap"}, "show '64 Q | gap'"),
        ({"network": "vgg15"}, "show vgg15"),
        ({"network": ""}, "show ''"),
        ({"network": "64 \x1b[31m | gap"}, "show '64 \x1b[31m | gap'"),
        ({"network": "vgg16", "size": "20"}, "show vgg16 --size 20"),
        ({"network": "vgg16", "size": "0"}, "show vgg16 --size 0"),
        ({"network": "vgg16", "batch": "0"}, "show vgg16 --batch 0"),
        ({"network": "vgg16", "memory": "much"}, "show vgg16 --training --memory much --json"),
        ({"network": "vgg16", "classes": "-1"}, "show vgg16 --classes=-1"),
    ],
)
def test_an_error_is_that_of_the_command(form, line, command):
    assert f"Error: {live_page.answer(form)['error']}\n" == command(f"verydeep {line}").err


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"network": "vgg15"}, "network"),
        ({"network": "vgg16", "batch": "0"}, "batch"),
        ({"network": "vgg16", "memory": "much"}, "memory"),
    ],
)
def test_an_error_names_its_field(wrong, field):
    assert live_page.answer(wrong)["field"] == field


@pytest.mark.parametrize("given", ["2.5", "1e3", "9" * 5000])
def test_a_number_that_is_not_whole_is_an_error(given):
    assert "expected a whole number" in live_page.answer({"network": "vgg16", "batch": given})["error"]


def test_the_tables_have_the_cells_and_the_total_of_the_terminal(command):
    shown = live_page.answer(live_page.FIRST)
    layers, memory = shown["layers"], shown["memory"]
    printed = command("verydeep show vgg16 --batch 32 --markdown --columns output,receptive_field,parameters,"
                      "macs,activations,saved").out  # fmt: skip
    for row in [*layers["rows"], layers["total"], *memory["rows"]]:
        assert f"| {' | '.join(row)} |" in printed.replace(r"10\^6", "10^6")
    fc6 = next(row for row in zip(layers["rows"], layers["shares"], strict=True) if row[0][0] == "fc6")
    assert fc6[1][3] == pytest.approx(102_764_544 / 138_357_544, abs=1e-4)


def test_the_difference_is_that_of_compare_with_the_ratio(command):
    shown = live_page.answer({"network": "vgg16", "second": "64x2 M | gap"})["comparison"]
    first, second = compare(map(zoo.resolve, ("vgg16", "64x2 M | gap")))
    assert shown["command"] == 'verydeep compare vgg16 "64x2 M | gap"'
    printed = command(f"{shown['command']} --markdown").out
    assert all(
        f"| {' | '.join(row)} |".replace("| 64x2 M |", r"| 64x2 M \|") in printed
        for row in shown["table"]["rows"]
    )
    total = shown["table"]["total"]  # with two decimals, or three digits of what would be 0.00
    assert total[3] == f"{second.parameters / first.parameters:.3g}" == "0.00075"
    assert total[1] == f"{second.depth / first.depth:.2f}"


def test_options_are_those_of_both_networks():
    shown = live_page.answer({"network": "vgg16", "second": "vgg11", "size": "64", "classes": "10"})
    assert [row[2] for row in shown["comparison"]["table"]["rows"]] == ["64", "64"]
    assert [row[7] for row in shown["comparison"]["table"]["rows"]] == [NONE, NONE]
    assert not shown["comparison"]["command"]


def test_an_error_of_the_second_network_leaves_the_first():
    shown = live_page.answer({"network": "vgg16", "second": "64 Q | gap"})
    assert (
        shown["name"] == "vgg16" and "'Q' (column 4)" in shown["second_error"] and "comparison" not in shown
    )


def test_two_diagrams_have_the_same_scale():
    alone = live_page.answer({"network": "vgg-tiny"})["diagram"]
    beside = live_page.answer({"network": "vgg-tiny", "second": "vgg-tiny", "size": "224"})
    assert ET.fromstring(beside["diagram"]).get("viewBox") == ET.fromstring(
        beside["comparison"]["diagram"]
    ).get("viewBox")
    larger = live_page.answer({"network": "vgg-tiny", "second": "vgg16"})
    assert ET.fromstring(larger["diagram"]).get("viewBox") != ET.fromstring(alone).get("viewBox")


def test_the_buttons_are_the_whole_zoo():
    started = live_page.start()
    assert [row["name"] for group in started["zoo"] for row in group["networks"]] == list(zoo.names())
    assert started["tokens"].startswith("64  64x3") and started["tokens"].endswith("then the classes")
