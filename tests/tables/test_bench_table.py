"""The tables of ``verydeep bench`` have every number, in 80 columns and in fewer."""

from dataclasses import replace

import pytest
from rich.console import Console

from verydeep.bench.measure import BenchRow
from verydeep.tables.bench_table import NAMES, NUMBERS, bench_cells, bench_tables

TORCH = BenchRow(
    runtime="torch", precision="fp32", batch=1, median_ms=12345.67, p95_ms=23456.78, memory_mb=12345.2,
    disk_mb=12345.94, start_s=12.29, agreement=1.0, accuracy=0.9875, share_of_peak=0.88,
)  # fmt: skip
INT8 = replace(TORCH, runtime="onnxruntime", precision="int8", median_ms=0.04, share_of_peak=5.04)
ROWS = [replace(row, batch=batch) for batch in (1, 256) for row in (TORCH, INT8)]


def printed(rows, width):
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(bench_tables(rows), soft_wrap=True)
    return capture.get()


@pytest.mark.parametrize("width", [80, 40])
def test_no_number_is_cut(width):
    text = printed(ROWS, width)
    assert "\u2026" not in text
    for row, cells in zip(ROWS, bench_cells(ROWS), strict=True):
        for name, cell in zip((*NAMES, *NUMBERS), cells, strict=True):
            assert cell in text and (name in text or name in NAMES), (row, name)


def test_each_row_is_one_line_of_80_columns():
    assert max(map(len, printed(ROWS, 80).splitlines())) <= 80
    lines = [line.split() for line in printed(ROWS, 80).splitlines()]
    assert [line[:2] for line in lines if line] == [
        ["batch", "1"], ["torch", "fp32"], ["onnxruntime", "int8"],
        ["batch", "256"], ["torch", "fp32"], ["onnxruntime", "int8"],
        ["any", "batch"], ["torch", "fp32"], ["onnxruntime", "int8"],
    ]  # fmt: skip


def test_accuracy_is_shown_where_it_is_known():
    unknown = [replace(row, accuracy=None) for row in ROWS]
    assert "accuracy" in printed(ROWS, 80) and "accuracy" not in printed(unknown, 80)
