"""The command ``verydeep data check``."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from verydeep.cli.main import main


@pytest.fixture
def folder(tmp_path):
    """Two classes of twenty images."""
    for number in range(40):
        coarse = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        path = tmp_path / "set" / f"class {number % 2}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((50, 50)).save(path)
    return tmp_path / "set"


def test_a_clean_folder_exits_with_0_and_a_page_is_written(verydeep, folder, tmp_path):
    done = verydeep("data", "check", folder, "--out", tmp_path / "check.html")
    assert done.returncode == 0, done.stderr
    assert "No data quality issues" in done.stdout and "check.html" in done.stderr
    assert "<!DOCTYPE html>" in (tmp_path / "check.html").read_text(encoding="utf-8")


def test_an_unreadable_file_exits_with_1_and_is_in_the_json(here, folder):
    (folder / "class 0" / "0.png").write_bytes(b"")
    done = here("data", "check", folder, "--json")
    assert done.returncode == 1, done.stderr
    values = json.loads(done.stdout)
    assert values["damaged"][0]["file"] == "class 0/0.png" and values["damaged"][0]["kind"] == "empty"
    assert [one["severity"] for one in values["findings"]] == ["error"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere",), "nowhere is not a folder"),
        (("FOLDER", "--out", "page.pdf"), "page.pdf is neither .html"),
        (("FOLDER/cells.csv", "--out", "FOLDER/cells.csv"), "cells.csv is what this command reads"),
        (("FOLDER/cells.csv:label", "--out", "FOLDER/cells.csv"), "cells.csv is what this command reads"),
        (("FOLDER", "--group-by", "photo_("), "not a regular expression"),
        (("FOLDER", "--similarity", "2"), "expected 0.5 to 1"),
    ],
)
def test_wrong_arguments_exit_with_2(folder, capsys, arguments, message):
    (folder / "cells.csv").write_text("path,label\n" * 2)
    given = [text.replace("FOLDER", str(folder)) for text in arguments]
    assert main(["data", "check", *given]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_duplicates_in_two_classes_are_listed_beside_the_page_that_names_the_list(here, folder, tmp_path):
    (folder / "class 1" / "again.png").write_bytes((folder / "class 0" / "0.png").read_bytes())
    page, labels = tmp_path / "check.html", tmp_path / "check-doubtful-labels.csv"
    done = here("data", "check", folder, "--out", page)
    assert f"Labels to look at: 2 in {labels}" in done.stderr and done.returncode == 1
    assert f"verydeep data relabel {labels}" in page.read_text(encoding="utf-8")
    with labels.open(newline="", encoding="utf-8-sig") as file:
        assert [row["path"] for row in csv.DictReader(file)] == ["class 0/0.png", "class 1/again.png"]
    assert here("data", "relabel", labels).returncode == 0


def test_findings_are_written_as_csv(here, folder, tmp_path):
    (folder / "class 0" / "0.png").write_bytes(b"")
    done = here("data", "check", folder, "--out", tmp_path / "findings.csv")
    assert done.returncode == 1 and f"List: {tmp_path / 'findings.csv'}" in done.stderr
    with (tmp_path / "findings.csv").open(newline="", encoding="utf-8-sig") as file:
        (row,) = csv.DictReader(file)
    assert (row["severity"], row["finding"], row["path"]) == ("error", "unreadable", "class 0/0.png")


def test_corrected_labels_are_not_overwritten_before_they_are_applied(here, folder, tmp_path):
    (folder / "class 1" / "again.png").write_bytes((folder / "class 0" / "0.png").read_bytes())
    page, labels = tmp_path / "check.html", tmp_path / "check-doubtful-labels.csv"
    for _ in range(2):  # nothing was corrected: the list is written again
        assert here("data", "check", folder, "--out", page).returncode == 1
    rows = list(csv.DictReader(labels.read_text(encoding="utf-8-sig").splitlines()))
    rows[1]["new_label"] = "class 0"
    with labels.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    corrected = labels.read_bytes()
    refused = here("data", "check", folder, "--out", page)
    assert refused.returncode == 2 and f"`verydeep data relabel {labels} --apply`" in refused.stderr
    assert labels.read_bytes() == corrected
    assert here("data", "check", folder, "--out", tmp_path / "findings.csv").returncode == 1
    assert here("data", "relabel", labels, "--apply").returncode == 0
    assert here("data", "check", folder, "--out", page).returncode == 0


def test_the_groups_of_the_data_are_in_the_json(here, folder):
    values = json.loads(here("data", "check", folder, "--group-by", "class .", "--json").stdout)
    assert values["groups"] == {"pattern": None, "count": 2, "smallest": 20, "largest": 20}
    assert json.loads(here("data", "check", folder, "--json").stdout)["groups"] is None


def test_grouping_by_duplicates_compares_as_the_check_does(here, folder):
    first = folder / "class 0" / "0.png"
    with Image.open(first) as opened:
        opened.resize((43, 31)).save(folder / "class 0" / "small.png")
    groups = {
        similarity: json.loads(
            here(
                "data", "check", folder, "--group-by", "duplicates", "--similarity", similarity, "--json"
            ).stdout
        )["groups"]
        for similarity in (0.92, 1)
    }
    assert (groups[0.92]["count"], groups[1]["count"]) == (40, 41)
