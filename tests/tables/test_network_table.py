import subprocess
import sys
from io import StringIO

import pytest
from rich.console import Console

from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.number_format import NONE, TIMES
from verydeep.tables.data_table import WORD, cell_text, terminal_table
from verydeep.tables.network_table import LAYER_COLUMNS, layer_table, zoo_table, zoo_values
from verydeep.terminal.table_flags import print_table


def shown(table, width=80):
    console = Console(width=width, file=StringIO(), color_system=None)
    console.print(table)
    return console.file.getvalue()


def layers(network):
    return terminal_table(layer_table(trace(zoo.resolve(network))))


@pytest.mark.slow
@pytest.mark.parametrize("name", zoo.names())
def test_every_network_of_the_zoo_fits_in_80_columns(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    table = layer_table(trace(zoo.resolve(name)))
    print_table(table)
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert_complete(text, table)


def assert_complete(text, table):
    """Every cell of ``table`` is in a line of ``text``, in order; of a long name the start."""
    lines = iter(" ".join(line.split()) for line in text.splitlines())
    for row in (*table.rows, table.total):
        shown = [(column, cell_text(cell)) for column, cell in zip(table.columns, row, strict=True)]
        numbers = " ".join(cell for column, cell in shown if cell and not column.is_text)
        start = " ".join(cell[:WORD] for column, cell in shown if column.is_text)
        assert any(line.startswith(start) and line.endswith(f" {numbers}") for line in lines), row


@pytest.mark.parametrize("width", [80, 60, 20])
@pytest.mark.parametrize(
    "columns", [None, tuple(column.name for column in LAYER_COLUMNS if column.name != "saved")]
)
def test_no_number_is_cut_where_the_terminal_is_too_narrow(capsys, monkeypatch, width, columns):
    monkeypatch.setenv("COLUMNS", str(width))
    table = layer_table(trace(zoo.resolve("vgg16")), columns)
    print_table(table)
    assert_complete(capsys.readouterr().out, table)


def test_a_wider_terminal_shows_the_same_table():
    table = layers("vgg16")
    assert shown(table, 80) == shown(table, 100) == shown(table, 160)


def test_totals_are_below_the_layers():
    text = shown(layers("vgg16"))
    total = next(line for line in text.splitlines() if line.startswith("total"))
    assert total.split()[1:3] == ["138,357,544", "15,470,264,320"]


def test_a_pool_has_dashes_for_parameters_and_macs():
    text = shown(layers("vgg16"))
    pool = next(line for line in text.splitlines() if line.startswith("pool5"))
    assert pool.split() == ["pool5", "512", TIMES, "7", TIMES, "7", "212", NONE, NONE, "25,088"]


def test_an_architecture_string_is_shown_once():
    text = shown(layers("64x2 M 128x2 M | gap"))
    assert text.count("64x2 M 128x2 M | gap") == 1
    assert text.startswith(f"input 3 {TIMES} 224 {TIMES} 224")


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_zoo_shows_every_network_with_its_paper(width):
    text = shown(zoo_table(zoo.ROWS), width)
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert all(any(line.startswith(f"{name} ") for line in text.splitlines()) for name in zoo.names())
    for row in zoo.ROWS:
        assert row.paper in text
    assert "138\N{NO-BREAK SPACE}M" in text


def test_the_json_values_of_the_zoo_have_every_network():
    values = zoo_values(zoo.ROWS)
    assert [row["name"] for row in values] == list(zoo.names())
    assert values[4]["totals"] == {"parameters": 138_357_544, "macs": 15_470_264_320}


def test_markup_in_a_row_is_text():
    row = zoo.ZooRow("[red]", "8 M | gap", "[bold]paper[/bold]", "[/]")
    assert "[bold]paper[/bold]" in shown(zoo_table((row,)))
    assert "[/]" in shown(zoo_table((row,)))


def test_tables_need_no_torch():
    code = (
        "import sys, verydeep.tables.network_table; "
        "sys.exit(bool({'torch', 'numpy', 'jinja2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
