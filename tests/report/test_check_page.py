"""The doctor's page and tables: everything found is said, every picture is in the page."""

import re
from io import StringIO

import pytest
from PIL import Image
from rich.console import Console

from verydeep.check.check import check
from verydeep.check.findings import findings
from verydeep.data.folder import read_folder
from verydeep.data.synthetic import shapes
from verydeep.report.check_page import as_values, findings_table, render, summary_table
from verydeep.report.scatter_plot import MOST_DOTS, size_scatter


@pytest.fixture(scope="module")
def checkup(tmp_path_factory):
    """Drawn shapes, one of them in two classes, and one that is damaged and has an awkward name."""
    folder = tmp_path_factory.mktemp("doctor") / "shapes"
    drawn = shapes(20, size=64, channels=3, classes=2)
    for number, (pixels, label) in enumerate(zip(drawn.pixels, drawn.labels.tolist(), strict=True)):
        file = folder / drawn.classes[label] / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file)
    first = sorted((folder / drawn.classes[0]).iterdir())[0]
    (folder / drawn.classes[1] / "again.png").write_bytes(first.read_bytes())
    (folder / drawn.classes[1] / "<b>.png").write_bytes(b"no image")
    return check(read_folder(folder))


def shown(table):
    console = Console(width=200, file=StringIO())
    console.print(table)
    return console.file.getvalue()


def test_the_page_shows_what_was_found(checkup):
    found = findings(checkup)
    page = render(checkup, found)
    for finding in found:
        assert finding.said.split("'")[0] in page
    assert "&lt;b&gt;.png" in page and "<b>.png" not in page
    assert "same bytes" in page and 'class="torn"' in page
    pictures = re.findall(r'src="data:image/jpeg;base64,[^"]+"', page)
    assert len(pictures) == 2 * len(checkup.duplicates.pairs) + 2 * 6
    assert not re.search(r'(src|href)="(?!data:)', page)  # needs no other file


def test_the_terminal_says_the_same(checkup):
    said = shown(findings_table(findings(checkup)))
    assert "error" in said and "in two classes" in said and "square/again.png" in said
    assert "22" in shown(summary_table(checkup))
    assert shown(findings_table(())) == "Nothing is wrong that can be seen.\n"


def test_values_have_everything(checkup):
    values = as_values(checkup, findings(checkup))
    assert values["images"] == 22 and values["sizes"]["largest"] == (64, 64)
    assert [one["kind"] for one in values["damaged"]] == ["no image"]
    assert {pair["how"] for pair in values["duplicates"]["pairs"]} >= {"same bytes"}
    assert {one["kind"] for one in values["findings"]} >= {"damaged", "label conflict", "duplicates"}


def test_dots_are_placed_by_doubling_and_never_too_many():
    figure = size_scatter([(64, 64), (128, 64), (256, 64)], [0, 0, 1], ("a", "b"))
    (_, first), (_, second) = figure.series
    xs = [point.x for point in (*first, *second)]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1])
    assert [tick.label for tick in figure.across] == ["64", "128", "256"]
    crowd = size_scatter([(10, 10)] * 10_000, [0] * 10_000, ("a",))
    assert crowd.shown <= MOST_DOTS
