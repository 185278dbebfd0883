import csv
from io import StringIO

import pytest
from rich.text import Text

from verydeep.analyze.compare import compare
from verydeep.analyze.kernels import why_3x3
from verydeep.analyze.memory import estimate_memory
from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.errors import ArchitectureError
from verydeep.number_format import NONE, TIMES
from verydeep.tables.cost_tables import comparison_table, kernel_table, memory_table
from verydeep.tables.data_table import Column, DataTable, Footnote, csv_text, markdown, terminal_table
from verydeep.tables.network_table import layer_table, parse_columns

from .test_network_table import shown

TABLE = DataTable(
    title=Text("title"),
    columns=(Column("a", "A", "A is a.", is_text=True), Column("n", "N"), Column("s", "S", is_text=True)),
    rows=(("x | y", 1234, Footnote("a", "the source")), ("z", 0, (3, 4, 4))),
    total=("total", 1234, ""),
)


def test_markdown_is_a_table_with_its_definitions():
    assert markdown(TABLE).splitlines() == [
        "| A | N | S |", "|---|---:|---|", r"| x \| y | 1,234 | a |",
        f"| z | {NONE} | 3 {TIMES} 4 {TIMES} 4 |", "| total | 1,234 |  |", "", "A is a.",
    ]  # fmt: skip


def test_csv_is_plain_numbers_without_a_total():
    assert csv_text(TABLE) == "a,n,s\nx | y,1234,the source\nz,0,3x4x4"


def test_csv_of_vgg16_adds_up():
    rows = list(csv.DictReader(StringIO(csv_text(layer_table(trace(zoo.resolve("vgg16")))))))
    assert sum(int(row["parameters"]) for row in rows) == 138_357_544
    assert (rows[0]["output"], rows[0]["receptive_field"]) == ("64x224x224", "3")


def test_the_title_of_a_column_of_numbers_is_wrapped_to_its_longest_word():
    assert Column("interval", "95 % interval").header == "95 %\ninterval"
    assert Column("text", "two words", is_text=True).header == "two words"


def test_columns_are_chosen_and_the_layer_is_the_first():
    assert parse_columns("saved, Output,layer,output") == ("layer", "saved", "output")
    with pytest.raises(ArchitectureError, match=r"no column 'flops'; expected some of layer, kind, .*macs"):
        parse_columns("macs,flops")


def test_saved_bytes_are_a_column_of_the_layers():
    architecture = zoo.resolve("vgg-tiny")
    estimate = estimate_memory(architecture, 2)
    table = layer_table(trace(architecture), ("layer", "saved"), estimate.saved)
    assert [row[0] for row in table.rows][:2] == ["input", "conv1_1"]
    assert table.total == ("total", estimate.activations)


def test_definitions_are_those_of_the_columns_shown():
    text = layer_table(trace(zoo.resolve("vgg11")), ("layer", "macs")).definitions
    assert text == "A MAC is one multiply-add, without bias."


def test_the_memory_table_has_the_largest_batch():
    text = shown(terminal_table(memory_table(estimate_memory(zoo.resolve("vgg16"), 32), 24 * 10**9)))
    words = " ".join(text.split())
    largest = estimate_memory(zoo.resolve("vgg16")).largest_batch(24 * 10**9)
    assert f"fits in 24 GB (10^9 bytes) is {largest}." in words and "MB is 10^6 bytes" in words
    assert "weights 553.43" in words and "optimizer step" not in words


@pytest.mark.parametrize("names", [zoo.names()[:12], zoo.names()[12:]])
def test_the_comparison_of_the_zoo_fits_in_80_columns(names):
    text = shown(terminal_table(comparison_table(compare(map(zoo.resolve, names)))))
    assert "\N{HORIZONTAL ELLIPSIS}" not in text and max(map(len, text.splitlines())) <= 80
    assert all(any(line.split()[:1] == [name] for line in text.splitlines()) for name in names)


def test_an_accuracy_has_its_source_as_a_footnote():
    table = comparison_table(compare(map(zoo.resolve, ("vgg16", "plain34", "64 M | gap"))))
    assert "a: ImageNet validation, one crop of 224 px from the center; torchvision" in table.note
    assert "b: ImageNet validation, ten crops; He et al. 2015" in table.note
    assert table.rows[2][-2:] == (None, "")


def test_three_3x3_have_45_percent_fewer_weights_in_the_kernel_table():
    assert "45%" in shown(terminal_table(kernel_table(why_3x3(64), 64)))
