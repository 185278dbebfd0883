"""The command ``data relabel``, and the list of doubtful labels that ``evaluate`` writes for it."""

import csv
import json
import shutil

import pytest

from verydeep.data.label_file import LabelRow, write_label_file


@pytest.fixture
def photos(shapes, tmp_path):
    return shutil.copytree(shapes, tmp_path / "photos")


@pytest.fixture
def corrected(photos, tmp_path):
    """A file that moves one image of the first class to the second."""
    first, second = sorted(each.name for each in photos.iterdir())
    image = min((photos / first).iterdir()).name
    file = tmp_path / "doubtful labels.csv"
    rows = [LabelRow(path=f"{first}/{image}", label=first, new_label=second)]
    write_label_file(rows, file, str(photos))
    return file, photos / first / image, photos / second / image


def test_labels_are_shown_then_changed_then_changed_back(here, corrected):
    file, before, after = corrected
    shown = here("data", "relabel", file)
    assert shown.returncode == 0 and before.exists() and not after.exists()
    assert f"{before.parent.name} -> {after.parent.name}" in shown.stdout
    assert f"Change them: verydeep data relabel '{file}' --apply" in shown.stderr
    changed = here("data", "relabel", file, "--apply")
    assert changed.returncode == 0 and after.exists() and not before.exists()
    undo = file.with_name("doubtful labels-undo.csv")
    assert f"Undo it: verydeep data relabel '{undo}' --apply" in changed.stderr
    assert "Nothing to change; 1 were applied before" in here("data", "relabel", file, "--apply").stderr
    assert here("data", "relabel", undo, "--apply").returncode == 0
    assert before.exists() and not after.exists()


def test_the_images_may_have_moved_and_the_result_is_json(here, corrected, photos, tmp_path):
    file, *_ = corrected
    moved = photos.rename(tmp_path / "moved")
    assert here("data", "relabel", file).returncode == 2
    values = json.loads(here("data", "relabel", file, moved, "--apply", "--json").stdout)
    assert (len(values["changes"]), values["already"], values["applied"]) == (1, 0, True)
    assert (moved / values["changes"][0]["new_path"]).exists() and values["data"] == str(moved)


def test_evaluate_lists_the_labels_that_the_network_doubts(here, tiny, photos, tmp_path):
    """Not those of training images, which a network may have been trained on."""
    for part in ("train", "test"):
        shutil.copytree(photos, tmp_path / "parts" / part)
        for folder, new in zip(sorted((tmp_path / "parts" / part).iterdir()), ("one", "other"), strict=True):
            folder.rename(folder.with_name(new))
    page = tmp_path / "page.html"
    values = json.loads(
        here("evaluate", tiny, tmp_path / "parts", "--part", "all", "--out", page, "--json").stdout
    )
    rows = list(csv.DictReader((tmp_path / "page-doubtful-labels.csv").read_text("utf-8-sig").splitlines()))
    mistakes = sum(sum(row) for row in values["confusion"]) - sum(
        row[i] for i, row in enumerate(values["confusion"])
    )
    assert len(rows) == mistakes / 2 > 0  # both parts have the same images
    assert all(row["path"].startswith("test/") and row["new_label"] == "" for row in rows)
    assert {row["data"] for row in rows} == {str(tmp_path / "parts")}
    command = f"verydeep data relabel {tmp_path / 'page-doubtful-labels.csv'}"
    assert command in page.read_text(encoding="utf-8")
    confidences = [float(row["confidence"]) for row in rows]
    assert confidences == sorted(confidences, reverse=True)
    with (tmp_path / "page-doubtful-labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows([rows[0] | {"new_label": rows[0]["predicted"]}, *rows[1:]])
    refused = here("evaluate", tiny, tmp_path / "parts", "--part", "all", "--out", page)
    assert refused.returncode == 2 and "has corrected labels that are not applied" in refused.stderr
