"""The result of a data check in the terminal and as JSON."""

from io import StringIO

import pytest
from rich.console import Console

from verydeep.check.finding import Finding
from verydeep.check.findings import findings
from verydeep.tables.check_table import as_values, findings_table, summary_table

from ..check.shapes_folder import checked_shapes


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return checked_shapes(tmp_path_factory.mktemp("check") / "shapes")


def printed(table):
    console = Console(width=200, file=StringIO())
    console.print(table)
    return console.file.getvalue()


def test_the_terminal_shows_the_findings_and_the_summary(result):
    text = printed(findings_table(findings(result)))
    assert "error" in text and "in two classes" in text and "square/again.png" in text
    assert "22" in printed(summary_table(result))
    assert printed(findings_table(())) == "No data quality issues found.\n"


def test_a_cluster_of_hundreds_is_ten_names_and_a_count():
    names = tuple(f"{number:03}.png" for number in range(589))
    finding = Finding(kind="duplicates", severity="warning", message="m", next_step="n", files=(names,))
    text = printed(findings_table([finding]))
    assert "009.png and 579 more" in " ".join(text.split()) and "010.png" not in text


def test_json_has_everything(result):
    values = as_values(result, findings(result))
    assert values["images"] == 22 and values["sizes"]["largest"] == (64, 64)
    assert [one["kind"] for one in values["damaged"]] == ["not an image"]
    assert {pair["how"] for pair in values["duplicates"]["pairs"]} >= {"same bytes"}
    assert {one["kind"] for one in values["findings"]} >= {"unreadable", "label conflict", "duplicates"}
    assert {"message", "next_step"} <= set(values["findings"][0])
