"""One reader for all commands: what they say of a folder or list, and what they refuse before computing."""

import json

import pytest
from PIL import Image

from tests.cli.conftest import write_shapes

PROBE = ("--strategy", "linear-probe")


@pytest.fixture
def kaggle(tmp_path):
    """Labeled training images, unlabeled test images, and files that are no images."""
    write_shapes(tmp_path / "set" / "train", 40)
    (tmp_path / "set" / "test").mkdir()
    for number in range(3):
        Image.new("RGB", (16, 16), (80 * number, 0, 0)).save(tmp_path / "set" / "test" / f"{number}.jfif")
    (tmp_path / "set" / "train" / "circle" / "about.pdf").touch()
    (tmp_path / "set" / ".DS_Store").touch()
    return tmp_path / "set"


@pytest.mark.slow
def test_tune_holds_out_test_images_and_says_what_it_passed_over(here, kaggle, tiny, tmp_path):
    done = here("tune", kaggle, "--weights", tiny, *PROBE, "--json", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "40 images in 2 classes: " in done.stderr
    assert "skipped: 3 unlabeled in test, 1 .pdf, 1 hidden" in done.stderr
    assert f"classify them afterwards: verydeep predict RUN {kaggle / 'test'}" in done.stderr
    values = json.loads(done.stdout)
    assert values["skipped"] == {"unlabeled in test": 3, ".pdf": 1, "hidden": 1}
    assert values["notes"][-1] == "no test set was given: 8 of the 40 train images are held out as one"
    assert values["test"]["images"] == 8
    classified = here("predict", tmp_path / "run", kaggle / "test")
    assert classified.returncode == 0 and classified.stderr == "3 images\n"


@pytest.mark.slow
def test_every_command_reads_the_same_images(here, kaggle, trained, tmp_path):
    files = sorted((kaggle / "train").rglob("*.png"))
    rows = "".join(f"{file.stem},{file.parent.name}\n" for file in files)
    (kaggle / "train.csv").write_text(f"image_id,dx\n{rows}")
    (tmp_path / "query.png").write_bytes(files[0].read_bytes())
    for location, line in (
        (kaggle, "43 images; skipped: 1 .csv, 1 .pdf, 1 hidden"),
        (kaggle / "train.csv", "40 images\nNote: the files of train.csv were found in"),
    ):
        for command in (
            ("predict", trained, location, "--out", tmp_path / f"{location.name}.csv"),
            ("embed", trained, location, "--out", tmp_path / f"{location.name}.npz"),
            ("similar", trained, location, tmp_path / "query.png"),
            ("explain", trained, location, "--patches", "--out", tmp_path / "explained"),
        ):
            done = here(*command, "--json")
            assert done.returncode == 0 and done.stderr.startswith(line), done.stderr
            skipped = json.loads(done.stdout)["skipped"]
            assert skipped == ({".csv": 1, ".pdf": 1, "hidden": 1} if location == kaggle else {})


def test_data_check_and_evaluate_say_what_they_passed_over(here, kaggle, trained):
    checked = here("data", "check", kaggle, "--json")
    assert "40 images in 2 classes; skipped: 3 unlabeled in test, 1 .pdf, 1 hidden" in checked.stderr
    assert json.loads(checked.stdout)["skipped"]["unlabeled in test"] == 3
    evaluated = here("evaluate", trained, kaggle, "--json")
    assert "; skipped: 3 unlabeled in test, 1 .pdf, 1 hidden" in evaluated.stderr
    assert json.loads(evaluated.stdout)["skipped"][".pdf"] == 1


@pytest.mark.parametrize("command", ["tune", "train"])
def test_a_refused_command_leaves_no_run_folder(here, tiny, tmp_path, command):
    write_shapes(tmp_path / "set", 4)
    done = here(command, tmp_path / "set", "--weights", tiny, "--out", tmp_path / "run")
    assert done.returncode == 2 and "at most 2 images a class: too few" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("data", "check", "SET", "--out", "file/check.html"),
        ("tune", "SET", "--weights", "TINY", "--out", "file/run"),
        ("train", "SET", "--out", "file/run"),
        ("evaluate", "RUN", "SET", "--out", "file/page.html"),
        ("predict", "RUN", "SET", "--out", "file/p.csv"),
        ("embed", "RUN", "SET", "--out", "file/v.npz"),
        ("similar", "RUN", "SET", "file", "--out", "file/s.html"),
        ("explain", "RUN", "SET", "--out", "file/explained"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_first(here, trained, tiny, shapes, tmp_path, command):
    (tmp_path / "file").touch()
    named = {"SET": shapes, "RUN": trained, "TINY": tiny}
    done = here(*(named.get(each, each) for each in command), cwd=tmp_path)
    assert done.returncode == 2 and "cannot be written" in done.stderr and "is not a folder" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not done.stdout
