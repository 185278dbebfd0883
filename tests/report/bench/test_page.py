"""The page of a bench: every number, bars in proportion to the times, all text escaped."""

from dataclasses import replace

import pytest

from verydeep.bench.machine import bench_machine
from verydeep.bench.measure import BenchRow
from verydeep.report.bench.figure import latency_figures
from verydeep.report.bench.page import BenchReport, render_bench_page, write_bench_page
from verydeep.report.charts.line_plots import WIDTH
from verydeep.tables.bench_table import NAMES, NUMBERS, bench_cells

from ..html import check_page, drawing, titles, words

SLOW = BenchRow(
    runtime="torch", precision="fp32", batch=1, median_ms=40.0, p95_ms=50.0, memory_mb=840.2, disk_mb=58.94,
    start_s=1.29, agreement=1.0, accuracy=None, share_of_peak=0.88,
)  # fmt: skip
FAST = replace(SLOW, runtime="openvino", precision="int8", median_ms=8.0, p95_ms=9.0, accuracy=0.975)
ROWS = (SLOW, FAST, replace(SLOW, batch=16, median_ms=400.0, p95_ms=480.0))
REPORT = BenchReport(
    network="<tiny>", size=24, rows=ROWS, images="16 drawn shapes", machine={"processor": "a <fast> one"},
    command="verydeep bench x.onnx --out 'a b.html'",
)  # fmt: skip


def test_the_page_has_every_number_the_machine_and_the_command():
    page = render_bench_page(REPORT)
    check_page(page)
    text = words(page)
    for cell in (name for row in (*bench_cells(ROWS), (*NAMES, *NUMBERS)) for name in row):
        assert " ".join(cell.split()) in text
    assert titles(page) == ["Latency and throughput", "All numbers", "Reproduce"]
    assert "Batch 1: openvino int8 8.00 ms 125 images/s, 5.0 times as fast as torch fp32" in text
    assert "Batch 16: torch fp32 400 ms 40 images/s Latency" in text  # itself the first: no ratio
    assert "a <fast> one" in text
    assert (
        "&lt;tiny&gt;" in page and "<tiny>" not in page and "verydeep bench x.onnx --out 'a b.html'" in text
    )


def test_bars_are_as_long_as_the_times():
    one, sixteen = latency_figures(ROWS)
    assert [figure.batch for figure in (one, sixteen)] == [1, 16]
    slow, fast = one.bars
    assert (slow.median_x - one.left) / (fast.median_x - one.left) == pytest.approx(5)
    assert (slow.p95_x - one.left) / (slow.median_x - one.left) == pytest.approx(50 / 40)
    for figure in (one, sixteen):
        ends = [each.position for each in figure.x_ticks] + [bar.p95_x for bar in figure.bars]
        assert figure.x_ticks[0].label == "0" and figure.left <= min(ends) and max(ends) <= WIDTH - 110
        assert all(0 < bar.y < figure.bottom for bar in figure.bars)


def test_a_figure_has_its_numbers_as_text():
    label = drawing(render_bench_page(REPORT), "Latency of a batch of 1.").get("aria-label")
    assert "openvino int8: median 8.00 ms, p95 9.00 ms, 125 images/s" in label


def test_the_machine_has_the_versions_of_the_runtimes():
    facts = bench_machine(["torch", "onnxruntime", "torch"], 3, 2e11)
    assert facts["threads"] == "3" and facts["matrix multiplication"].startswith("200 billion")
    assert list(facts)[-2:] == ["torch", "onnxruntime"] and facts["torch"][0].isdigit()


def test_the_page_is_written_complete(tmp_path):
    write_bench_page(REPORT, tmp_path / "bench.html")
    assert (tmp_path / "bench.html").read_text(encoding="utf-8") == render_bench_page(REPORT)
