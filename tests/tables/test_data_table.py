import csv
from io import StringIO

import pytest
from rich.text import Text

from verydeep.analyze.compare import compare
from verydeep.analyze.kernels import why_3x3
from verydeep.analyze.memory import forecast
from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.errors import ArchitectureError
from verydeep.tables.cost_tables import comparison_sheet, kernel_sheet, memory_sheet
from verydeep.tables.data_table import Column, DataTable, Footnote, csv_text, markdown, terminal
from verydeep.tables.format import NONE, TIMES
from verydeep.tables.network_table import chosen_columns, layer_sheet

from .test_network_table import shown

SHEET = DataTable(
    title=Text("title"),
    columns=(Column("a", "A", "A is a.", is_text=True), Column("n", "N"), Column("s", "S", is_text=True)),
    rows=(("x | y", 1234, Footnote("a", "the source")), ("z", 0, (3, 4, 4))),
    total=("total", 1234, ""),
)


def test_markdown_is_a_table_with_its_definitions():
    assert markdown(SHEET).splitlines() == [
        "| A | N | S |", "|---|---:|---|", r"| x \| y | 1,234 | a |",
        f"| z | {NONE} | 3 {TIMES} 4 {TIMES} 4 |", "| total | 1,234 |  |", "", "A is a.",
    ]  # fmt: skip


def test_csv_is_plain_numbers_without_a_total():
    assert csv_text(SHEET) == "a,n,s\nx | y,1234,the source\nz,0,3x4x4"


def test_csv_of_vgg16_adds_up():
    rows = list(csv.DictReader(StringIO(csv_text(layer_sheet(trace(zoo.resolve("vgg16")))))))
    assert sum(int(row["parameters"]) for row in rows) == 138_357_544
    assert rows[0]["output"] == "64x224x224"


def test_columns_are_chosen_and_the_layer_leads():
    assert chosen_columns("kept, Output,layer,output") == ("layer", "kept", "output")
    with pytest.raises(ArchitectureError, match=r"no column 'flops'; expected some of layer, kind, .*macs"):
        chosen_columns("macs,flops")


def test_what_is_kept_stands_beside_the_layers():
    architecture = zoo.resolve("vgg-tiny")
    foreseen = forecast(architecture, 2)
    sheet = layer_sheet(trace(architecture), ("layer", "kept"), foreseen.kept)
    assert [row[0] for row in sheet.rows][:2] == ["input", "conv1_1"]
    assert sheet.total == ("total", foreseen.activations)


def test_definitions_are_those_of_the_columns_shown():
    text = layer_sheet(trace(zoo.resolve("vgg11")), ("layer", "macs")).definitions
    assert text == "A MAC is one multiply-add, without bias."


def test_memory_says_the_largest_batch():
    text = shown(terminal(memory_sheet(forecast(zoo.resolve("vgg16"), 32), 24 * 10**9)))
    words = " ".join(text.split())
    most = forecast(zoo.resolve("vgg16")).largest_batch(24 * 10**9)
    assert f"fits in 24 GB (10^9 bytes) is {most}." in words and "MB is 10^6 bytes" in words
    assert "weights 553.43" in words and "optimizer step" not in words


@pytest.mark.parametrize("names", [zoo.names()[:12], zoo.names()[12:]])
def test_80_columns_hold_the_zoo_side_by_side(names):
    text = shown(terminal(comparison_sheet(compare(map(zoo.resolve, names)))))
    assert "\N{HORIZONTAL ELLIPSIS}" not in text and max(map(len, text.splitlines())) <= 80
    assert all(any(line.split()[:1] == [name] for line in text.splitlines()) for name in names)


def test_an_accuracy_has_its_source_below():
    sheet = comparison_sheet(compare(map(zoo.resolve, ("vgg16", "plain34", "64 M | gap"))))
    assert "a: ImageNet validation, one crop of 224 px from the center; torchvision" in sheet.note
    assert "b: ImageNet validation, ten crops; He et al. 2015" in sheet.note
    assert sheet.rows[2][-2:] == (None, "")


def test_kernels_are_shown_with_45_percent():
    assert "45%" in shown(terminal(kernel_sheet(why_3x3(64), 64)))
