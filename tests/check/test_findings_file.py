"""Findings as CSV, and duplicates in two classes as labels to correct."""

import csv

import pytest

from verydeep.check.findings import findings
from verydeep.check.findings_file import doubtful_labels, write_findings
from verydeep.data.label_file import write_label_file
from verydeep.data.relabel import apply_relabeling, plan_relabeling

from .shapes_folder import checked_shapes


@pytest.fixture
def result(tmp_path):
    return checked_shapes(tmp_path / "shapes")


def rows(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def test_each_finding_has_a_row_per_image(result, tmp_path):
    found = findings(result)
    write_findings(result, found, tmp_path / "findings.csv")
    listed = rows(tmp_path / "findings.csv")
    assert [row["severity"] for row in listed] == sorted(row["severity"] for row in listed)
    for finding in found:
        groups = {}
        for row in listed:
            if row["finding"] == finding.kind and row["path"]:
                groups.setdefault(row["group"], []).append(row["path"])
        assert [tuple(names) for names in groups.values()] == list(finding.files)
    assert all(row["path"].startswith(f"{row['label']}/") for row in listed if row["path"])
    assert {row["finding"] for row in listed if not row["path"]} == {
        each.kind for each in found if not each.files
    }


def test_duplicates_in_two_classes_are_labels_to_correct(result, tmp_path):
    doubtful = doubtful_labels(result, findings(result))
    assert {row.path.split("/")[1] for row in doubtful} >= {"again.png"}
    assert len({row.path for row in doubtful}) == len(doubtful) and len({row.label for row in doubtful}) == 2
    file = tmp_path / "doubtful-labels.csv"
    write_label_file(doubtful, file, str(tmp_path / "shapes"))
    (again,) = [row for row in doubtful if row.path.endswith("again.png")]
    (other,) = {row.label for row in doubtful} - {again.label}
    text = file.read_text(encoding="utf-8-sig")
    corrected = text.replace(f"{again.path},{again.label},,,", f"{again.path},{again.label},,,{other}")
    file.write_text(corrected, encoding="utf-8")
    plan = plan_relabeling(file)
    apply_relabeling(plan, tmp_path / "undo.csv")
    assert (tmp_path / "shapes" / other / "again.png").exists()
