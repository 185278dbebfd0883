"""``tune --from`` as a user meets it: images are added, the run is continued, both classifiers compared."""

import json
import shutil

import pytest

from verydeep.data.split_file import read_split
from verydeep.train.run_folder import RunFolder
from verydeep.train.unfinished_run import Start, begin

from .conftest import write_shapes


@pytest.fixture
def folder(here, tiny, tmp_path):
    """``pets/``, tuned once in ``runs/tune-pets``; ten images came to it since."""
    images = write_shapes(tmp_path / "pets", images=60)
    done = here("tune", "pets", "--weights", tiny, "--strategy", "linear-probe", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for number, file in enumerate(sorted((images / "circle").iterdir())[:10]):
        shutil.copy(file, images / "circle" / f"new_{number}.png")
        with (images / "circle" / f"new_{number}.png").open("ab") as copy:
            copy.write(b"another picture")
    return images


@pytest.mark.slow
def test_added_images_are_counted_and_both_classifiers_are_compared(here, folder, tmp_path):
    done = here("tune", "pets", "--from", "runs/tune-pets", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Since the earlier run: 10 new images (2 of them test images), 0 gone, 0 relabeled" in done.stderr
    printed = " ".join(done.stdout.split())
    assert "beside runs/tune-pets on the same 14 test images: balanced accuracy" in printed
    assert "Report: runs/tune-pets-2/report.html" in printed
    page = (tmp_path / "runs" / "tune-pets-2" / "report.html").read_text()
    assert "The earlier classifier, runs/tune-pets on the same 14 test images" in page
    assert "10 new images (2 of them test images)" in page
    before, now = (
        read_split(tmp_path / "runs" / name / "split.csv") for name in ("tune-pets", "tune-pets-2")
    )
    assert {name: now[name] for name in before} == before


@pytest.mark.slow
def test_the_json_has_the_changes_and_the_comparison(here, folder, tmp_path):
    done = here("tune", "pets", "--from", "runs/tune-pets", "--json", "--out", "mine", cwd=tmp_path)
    values = json.loads(done.stdout)
    assert values["changes"] == {
        "new": 10, "new_test": 2, "gone": 0, "relabeled": 0, "rewritten": 0, "new_classes": [],
    }  # fmt: skip
    assert list(values["comparison"]) == [
        "run", "left_out", "images", "groups", "first", "second", "difference", "only_first", "only_second",
    ]  # fmt: skip
    assert values["comparison"]["run"] == "runs/tune-pets"
    assert list(values["comparison"]["difference"]) == ["value", "low", "high"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--from", "runs/tune-pets", "--recipe", "runs/tune-pets/tune.toml"), "give one of them"),
        (("--from", "runs/tune-pet"), "Did you mean runs/tune-pets?"),
        (("--from", "pets"), "pets is no run of `verydeep tune`"),
        (("--from", "runs/tune-pets", "--out", "runs/tune-pets"), "runs/tune-pets holds a finished run"),
    ],
)
def test_what_cannot_be_continued_is_refused_in_one_line(here, folder, tmp_path, flags, message):
    done = here("tune", "pets", *flags, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 or message.endswith("finished run")
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["tune-pets"]


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ("train", "is no run of `verydeep tune`"),
        ("tune", "or by `verydeep tune FOLDER --resume --out 'my run'`"),
    ],
)
def test_an_unfinished_run_is_not_continued_from(here, tmp_path, job, message):
    start = Start(job=job, data="pets", config="", started="2025-01-01T00:00:00+00:00")
    begin(RunFolder(tmp_path / "my run"), start)
    done = here("tune", "pets", "--from", "my run", cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr
