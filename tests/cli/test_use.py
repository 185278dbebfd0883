"""The commands ``evaluate`` and ``predict``."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.cli.main import main
from verydeep.data import synthetic
from verydeep.data.split_file import write_split
from verydeep.evaluate.calibration import measure_calibration
from verydeep.image_sources.folders.read_folder import read_folder
from verydeep.image_sources.samples import grouped
from verydeep.models.logits import predict_logits
from verydeep.weight_files.checkpoint_file import load, save


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Image files of several formats, a truncated file and an empty one."""
    folder = tmp_path_factory.mktemp("images")
    pixels = np.random.default_rng(0).integers(256, size=(40, 60, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    picture.save(folder / "color.png")
    picture.convert("L").save(folder / "gray.jpg")
    picture.convert("P").save(folder / "palette.gif")
    picture.resize((3, 200)).save(folder / "thin.webp")
    (folder / "broken.jpg").write_bytes((folder / "gray.jpg").read_bytes()[:300])
    (folder / "empty.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Test images of the synthetic data as files, ten of each class but the last, in five groups."""
    folder, images = tmp_path_factory.mktemp("shapes"), synthetic.dataset().test
    for label, name in enumerate(images.classes[:-1]):
        (folder / name).mkdir()
        for number, index in enumerate((images.labels == label).nonzero().flatten().tolist()[:10]):
            file = folder / name / f"drawing_{number % 5}_{number}.png"
            Image.fromarray(images.pixels[index, 0].numpy()).save(file)
    return folder


@pytest.fixture
def here(capsys, monkeypatch):
    """Runs the command in this process, where torch is loaded already."""
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return run


def test_evaluate_prints_json(here, trained):
    values = json.loads(here("evaluate", trained, "synthetic", "--json").stdout)
    assert list(values)[:4] == ["top1", "top5", "loss", "per_class"]
    assert set(values["per_class"]) == set(synthetic.dataset(10, 10).classes)
    assert 0 <= values["top1"] <= values["top5"] <= 1
    assert values["balanced_accuracy"] == pytest.approx(fmean(values["per_class"].values()))
    for name, (low, high) in values["intervals"].items():
        assert low <= values[name] <= high
    assert values["temperature"] is None and values["part"] == "test"


def test_evaluate_reads_a_folder_and_states_which_images(here, trained, shapes):
    done = here("evaluate", trained, shapes, "--json", "--group-by", "drawing_([0-9])")
    values = json.loads(done.stdout)
    assert (values["images"], values["groups"], values["part"]) == (90, 5, "all")
    assert values["without_images"] == [synthetic.dataset(10, 10).classes[-1]]
    assert "90 of the 90 images" in done.stderr and "data leakage" in done.stderr


def test_evaluate_reads_a_range_of_shards(here, trained, shapes, tmp_path):
    for number, name in enumerate(("circle", "square")):
        with tarfile.open(tmp_path / f"test-00{number}.tar", "w") as archive:
            for file in sorted((shapes / name).iterdir()):
                archive.add(file, file.name)
                label = tarfile.TarInfo(f"{file.stem}.cls")
                label.size = len(name)
                archive.addfile(label, io.BytesIO(name.encode()))
    done = here("evaluate", trained, tmp_path / "test-{000..001}.tar", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"] == 20


def test_evaluate_leaves_out_a_broken_file(here, trained, shapes, tmp_path):
    shutil.copytree(shapes, tmp_path / "shapes")
    (tmp_path / "shapes" / "ring" / "broken.png").write_bytes(b"no image")
    done = here("evaluate", trained, tmp_path / "shapes")
    assert done.returncode == 1 and "broken.png is not an image of a known format" in done.stderr
    assert "on 90 images" in done.stdout


def test_evaluate_uses_only_the_test_images_of_the_run(here, trained, shapes, tmp_path):
    """Training images of the run and an image that is not in its split are not evaluated."""
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    samples = grouped(read_folder(shapes), "drawing_([0-9])")
    parts = ["test" if group in "01" else "train" for group in samples.groups]
    write_split(replace(samples.select(torch.arange(89)), parts=tuple(parts[:89])), run / "split.csv")
    done = here("evaluate", run, shapes, "--json")
    values = json.loads(done.stdout)
    assert (values["images"], values["groups"], values["part"]) == (parts.count("test"), 2, "test")
    assert (
        "the test part, as kept by the run; 1 are not in the split of the run and are left out" in done.stderr
    )


@pytest.mark.slow
def test_evaluate_writes_a_page_for_each_protocol(here, trained, shapes, tmp_path):
    page = tmp_path / "page.html"
    for name, scales in (("multi-scale", "28,32"), ("multi-crop", "32"), ("ten-crop", "32")):
        done = here("evaluate", trained, shapes, "--protocol", name, "--scales", scales, "--out", page)
        assert done.returncode == 0, done.stderr
        assert f"Page: {page}" in done.stdout
        written = page.read_text(encoding="utf-8")
        assert f"protocol {name}" in written and "Reliability diagram" in written


def test_the_temperature_of_the_checkpoint_is_used(here, trained, tmp_path):
    checkpoint = load(trained)
    path = tmp_path / "calibrated.safetensors"
    save(replace(checkpoint, origin={**checkpoint.origin, "temperature": 0.5}), path)
    values = json.loads(here("evaluate", path, "synthetic", "--json").stdout)
    logits = predict_logits(checkpoint.model, synthetic.dataset().test.pixels, checkpoint.preprocess)
    expected = measure_calibration(logits.numpy() / 0.5, synthetic.dataset().test.labels.numpy()).error
    assert values["temperature"] == 0.5
    assert values["scaled_calibration_error"] == pytest.approx(expected, abs=1e-4)
    crops = here("evaluate", path, "synthetic", "--protocol", "ten-crop", "--json")
    assert json.loads(crops.stdout)["temperature"] is None


def test_an_invalid_temperature_is_rejected(here, trained, shapes, tmp_path):
    checkpoint, path = load(trained), tmp_path / "invalid.safetensors"
    save(replace(checkpoint, origin={"temperature": 1e-320}), path)
    (image, *_) = shapes.glob("*/*.png")
    for command in (
        ("evaluate", path, "synthetic"), ("predict", path, image), ("explain", path, image),
        ("predict", path, image, "--out", tmp_path / "p.csv"),
    ):  # fmt: skip
        failed = here(*command)
        assert failed.returncode == 2 and "expected a number from 0.05 to 20" in failed.stderr, command
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("no-such-data",),
            "no-such-data is neither a folder nor a built-in data set; these are fashion-mnist",
        ),
        (("synthetic", "--protocol", "dense", "--scales", "big"), "expected short sides in px"),
        (
            ("synthetic", "--protocol", "dense", "--scales", "20"),
            "below the input size of the network, 28 px",
        ),
        (("synthetic", "--part", "val"), "synthetic has the parts test and train"),
    ],
)
def test_what_cannot_be_evaluated_is_reported(here, trained, arguments, message):
    failed = here("evaluate", trained, *arguments)
    assert failed.returncode == 2 and message in " ".join(failed.stderr.split())


def test_data_of_other_classes_is_rejected(here, trained, folder, tmp_path):
    (tmp_path / "cat").mkdir()
    shutil.copy(folder / "color.png", tmp_path / "cat")
    failed = here("evaluate", trained, tmp_path)
    assert (
        failed.returncode == 2
        and "has images of cat; the network's classes are circle, square" in failed.stderr
    )


def test_evaluate_prints_a_table(verydeep, trained):
    shown = verydeep("evaluate", trained, "synthetic")
    assert shown.returncode == 0, shown.stderr
    assert "Accuracy" in shown.stdout and "most often confused with" in shown.stdout


def test_predict_reports_broken_files_and_exits_with_1(verydeep, trained, folder):
    done = verydeep("predict", trained, folder, "--json")
    assert done.returncode == 1
    rows = {row["file"].rsplit("/", 1)[1]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"broken.jpg", "color.png", "empty.png", "gray.jpg", "palette.gif", "thin.webp"}
    assert "error" in rows["broken.jpg"] and "error" in rows["empty.png"]
    row = rows["color.png"]
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)


def test_predict_reads_files_and_globs(here, trained, folder):
    done = here("predict", trained, folder / "color.png", str(folder / "*.gif"))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2


def test_predict_prints_one_line_per_file(here, trained, folder):
    done = here("predict", trained, folder / "*.png", "--top", 2)
    assert done.returncode == 1 and "empty.png is empty" in done.stderr
    (line,) = done.stdout.splitlines()
    assert re.fullmatch(r".*color\.png: \w+ [\d.]+\s%, \w+ [\d.]+\s%", line)


def test_transparent_images_are_reported_once(verydeep, trained, tmp_path):
    for name in ("a", "b", "c"):
        Image.new("RGBA", (8, 8), (200, 100, 50, 100)).save(tmp_path / f"{name}.png")
    Image.new("RGBA", (8, 8), (200, 100, 50, 255)).save(tmp_path / "opaque.png")
    done = verydeep("predict", trained, tmp_path)
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 4
    assert done.stderr.count("composited on white") == 1 and len(done.stderr.splitlines()) == 2
    assert done.stderr.startswith("4 images\n")
    assert not verydeep("predict", trained, tmp_path / "opaque.png").stderr


def test_predict_reads_a_list_and_shards(here, trained, folder, tmp_path):
    (folder / "list.csv").write_text("file\ngray.jpg\ncolor.png\n")
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(folder / "gray.jpg", "1.jpg")
    done = here("predict", trained, folder / "list.csv", tmp_path / "x.tar", "--json", "--top", 1)
    rows = json.loads(done.stdout)
    assert [row["file"].rsplit("/", 1)[1] for row in rows] == ["gray.jpg", "color.png", "1.jpg"]
    assert rows[0]["probabilities"] == rows[2]["probabilities"] and len(rows[0]["probabilities"]) == 1


def test_a_file_of_predictions_includes_broken_images(here, trained, folder, tmp_path):
    done = here("predict", trained, folder, "--out", tmp_path / "p.csv", "--json")
    assert done.returncode == 1, done.stderr
    values = json.loads(done.stdout)
    assert (values["out"], values["predicted"], values["kept"]) == (str(tmp_path / "p.csv"), 6, 0)
    assert [image["file"].rsplit("/", 1)[1] for image in values["broken"]] == ["broken.jpg", "empty.png"]
    again = here("predict", trained, folder, "--out", tmp_path / "p.csv", "--resume")
    assert again.returncode == 1 and "0 images, and 6 from before" in again.stdout
    assert "2 broken" in again.stderr and "empty.png is empty" in again.stderr


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_interrupted_prediction_is_resumed(here, trained, tmp_path, suffix):
    (tmp_path / "images").mkdir()
    for number in range(2000):
        shade = np.full((6, 6), number % 256, np.uint8)
        Image.fromarray(shade).save(tmp_path / "images" / f"{number:04}.png")
    file = tmp_path / f"predictions.{suffix}"
    growing = file if suffix == "csv" else tmp_path / f"{file.name}.part.jsonl"
    command = ("predict", trained, tmp_path / "images", "--out", file, "--resume", "--batch", 4)
    killed = subprocess.Popen([sys.executable, "-m", "verydeep", *map(str, command)], stderr=subprocess.PIPE)
    while killed.poll() is None and not (growing.exists() and growing.stat().st_size > 10_000):
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    done = growing.read_bytes().count(b"\n")
    assert 20 < done < 2000, "it was not interrupted before its end"
    growing.write_bytes(growing.read_bytes() + b'{"file": "half')  # an incomplete line
    resumed = here(*command, "--json")
    assert resumed.returncode == 0, resumed.stderr
    values = json.loads(resumed.stdout)
    assert (
        not values["broken"]
        and values["kept"] == done - (suffix == "csv")
        and values["predicted"] == 2000 - values["kept"]
    )
    once = here("predict", trained, tmp_path / "images", "--out", tmp_path / "once.csv")
    assert once.returncode == 0, once.stderr
    with (tmp_path / "once.csv").open(newline="") as opened:
        expected = [(row["file"], row["label"]) for row in csv.DictReader(opened)]
    if suffix == "csv":
        with file.open(newline="") as opened:
            written = [(row["file"], row["label"]) for row in csv.DictReader(opened)]
    else:
        rows = pytest.importorskip("pyarrow.parquet").read_table(file).to_pylist()
        written = [(row["file"], row["label"]) for row in rows]
    assert written == expected and len(written) == 2000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "RUN", "x.png", "--out", "p.xlsx"), "not a .csv, .jsonl or .parquet file"),
        (("predict", "RUN", "x.png", "--resume"), "--resume continues a file"),
        (("predict", "RUN", "x.png", "--top", "0"), "--top is 0"),
        (("predict", "RUN", "x.png", "--reject-below", "60"), "--reject-below is 60; expected"),
        (("predict", "RUN", "x.png", "--reject-below", "0"), "--reject-below is 0; expected"),
        (("predict", "RUN", "x.png", "--link"), "--link is for --sort-into"),
        (
            ("predict", "RUN", "x.png", "--sort-into", "s", "--out", "p.csv"),
            "--sort-into and --out do not go",
        ),
        (("predict", "RUN", "x.png", "--sort-into", "s", "--resume"), "--sort-into and --resume do not go"),
        (("predict", "RUN", "x.png", "--sort-into", "s", "--top", "2"), "--sort-into and --top do not go"),
        (("predict", "nowhere", "x.png"), "there is no checkpoint at nowhere"),
        (("evaluate", "nowhere", "synthetic"), "there is no checkpoint"),
    ],
)
def test_invalid_arguments_are_rejected(here, arguments, message):
    failed = here(*arguments)
    assert failed.returncode == 2 and message in failed.stderr


def test_below_a_confidence_the_answer_is_none_of_these(here, trained, shapes, tmp_path):
    images = sorted((shapes / "ring").iterdir())
    rows = json.loads(here("predict", trained, shapes / "ring", "--json").stdout)
    threshold = sorted(row["confidence"] for row in rows)[5] - 1e-9
    rejected = [row["file"] for row in rows if row["confidence"] < threshold]
    assert len(rejected) == 5
    arguments = ("predict", trained, shapes / "ring", "--reject-below", threshold)

    printed = here(*arguments).stdout.splitlines()
    assert [line.split(": ")[0] for line in printed if ": none of these (" in line] == rejected
    for row, before in zip(json.loads(here(*arguments, "--json").stdout), rows, strict=True):
        is_rejected = before["file"] in rejected
        assert row["label"] == ("none of these" if is_rejected else before["label"])
        assert row.get("rejected") == (before["label"] if is_rejected else None)
        assert row["probabilities"] == before["probabilities"]
        assert row["confidence"] == before["confidence"]
    for suffix in (".csv", ".jsonl", ".parquet"):
        file = tmp_path / f"p{suffix}"
        assert here(*arguments, "--out", file).returncode == 0
        if suffix == ".parquet":
            written = pytest.importorskip("pyarrow.parquet").read_table(file).to_pylist()
        elif suffix == ".csv":
            written = list(csv.DictReader(io.StringIO(file.read_text())))
        else:
            written = list(map(json.loads, file.read_text().splitlines()))
        assert [row["file"] for row in written if row["label"] == "none of these"] == rejected
        labels = {row["file"]: row["label"] for row in rows}
        assert [row["rejected"] for row in written if row.get("rejected")] == [labels[f] for f in rejected]
        assert here(*arguments, "--out", file, "--resume").returncode == 0
        others = ("predict", trained, images[0], shapes / "ring", "--resume", "--out", file)
        assert here(*others, "--reject-below", 1).returncode == 2
        assert here(*others).returncode == 2


@pytest.mark.parametrize("link", [False, True])
def test_images_are_sorted_into_folders_again_and_again(here, trained, shapes, tmp_path, link):
    source, out = tmp_path / "in", tmp_path / "out"
    for name in ("one", "two"):
        shutil.copytree(shapes / ("ring" if name == "one" else "square"), source / name)
        for number, file in enumerate(sorted((source / name).iterdir())):
            file.rename(source / name / f"{number}.png")  # the same names in both folders
    (source / "one" / "broken.png").write_bytes(b"no image")
    (source / "one" / "notes.pdf").write_bytes(b"%PDF")
    before = {file: file.read_bytes() for file in source.rglob("*.png")}
    rows = json.loads(here("predict", trained, source, "--json").stdout)
    expected = {row["file"]: row["label"] for row in rows if "label" in row}
    arguments = ("predict", trained, source, "--sort-into", out, *(["--link"] if link else []))
    done = here(*arguments)
    assert done.returncode == 1 and "broken.png is not an image" in done.stderr
    files = [file for file in out.rglob("*") if not file.is_dir()]
    assert len(files) == len(expected) == 20 and all(file.is_symlink() == link for file in files)
    sorted_ = sorted((file.parent.name, file.read_bytes()) for file in files)
    assert sorted_ == sorted((label, before[type(source)(file)]) for file, label in expected.items())
    assert {file: file.read_bytes() for file in source.rglob("*.png")} == before

    again = json.loads(here(*arguments, "--json").stdout)
    assert (again["placed"], again["kept"], len(again["broken"])) == (0, 20, 1)
    assert again["skipped"] == {".pdf": 1}
    assert sum(again["folders"].values()) == 20
    assert sorted(out.rglob("*")) == sorted({*files, *(file.parent for file in files)})


def test_sorting_never_overwrites_and_puts_rejected_images_into_a_folder_of_their_own(
    here, trained, shapes, tmp_path
):
    out, arguments = tmp_path / "out", ("predict", trained, shapes / "ring", "--reject-below", 1)
    name = min((shapes / "ring").iterdir()).name
    (out / "none of these").mkdir(parents=True)
    (out / "none of these" / name).write_text("mine")
    done = here(*arguments, "--sort-into", out)
    assert done.returncode == 0 and f"{out}: 10 images: none of these 10" in done.stdout
    assert (out / "none of these" / name).read_text() == "mine"
    assert (out / "none of these" / name.replace(".png", "-2.png")).exists()


def test_images_are_not_sorted_into_their_own_folder(here, trained, shapes, tmp_path):
    inside = here("predict", trained, shapes, "--sort-into", shapes / "sorted")
    assert inside.returncode == 2 and "is inside of" in inside.stderr
    a_list = tmp_path / "list.csv"
    a_list.write_text(f"path\n{min((shapes / 'ring').iterdir())}\n")
    around = here("predict", trained, a_list, "--sort-into", shapes)
    assert around.returncode == 2 and "outside of the images" in around.stderr


def test_images_of_a_list_and_of_a_shard_are_sorted(here, trained, shapes, tmp_path):
    files = sorted((shapes / "ring").iterdir())[:2]
    with tarfile.open(tmp_path / "part.tar", "w") as archive:
        for file in files:
            archive.add(file, file.name)
    done = here("predict", trained, tmp_path / "part.tar", "--sort-into", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert sorted(f.name for f in (tmp_path / "out").rglob("*.png")) == [file.name for file in files]
    refused = here("predict", trained, tmp_path / "part.tar", "--sort-into", tmp_path / "links", "--link")
    assert refused.returncode == 2 and "Leave out --link" in refused.stderr


def test_a_missing_image_is_reported(here, trained):
    failed = here("predict", trained, "no-such-photo.jpg")
    assert failed.returncode == 2 and "no-such-photo.jpg" in failed.stderr
