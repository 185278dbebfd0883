"""Predictions in files: standard formats, resumed after an interruption, never of two networks."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError, DataError, InUseError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.parts.job import Job
from verydeep.parts.shard import Shard
from verydeep.prediction.predict import Prediction, predict
from verydeep.prediction.predict_to_file import predict_to_file, remaining_sources, write_predictions
from verydeep.prediction.predict_to_parts import predict_to_parts
from verydeep.prediction.prediction_file import (
    LONGEST_UNFINISHED,
    check_prediction_path,
    open_predictions,
)

PREDICTIONS = (
    Prediction("ä, b.png", (("round", 0.75), ('square "4"', 0.25))),
    Prediction("two\nlines.png", (("round", 0.5), ("square", 0.5))),
    Prediction("c.png", error="c.png is not there"),
    Prediction(os.fsdecode(b"latin-\xe4.png"), (("round", 1.0), ("square", 0.0))),
)


@pytest.fixture(params=["csv", "jsonl", "parquet"])
def path(request, tmp_path):
    if request.param == "parquet":
        pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
    return tmp_path / "results" / f"predictions.{request.param}"


def write(path, predictions, resume=False):
    with open_predictions(path, 2, resume=resume) as file:
        kept = set(file.existing.files)
        file.write([one for one in predictions if one.file not in kept])
    return kept


def read(path):
    """File, label and error of each row, read by standard readers."""
    if path.suffix == ".csv":
        with path.open(newline="", errors="surrogateescape", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    elif path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        rows = pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    return [(row["file"], row.get("label") or None, row.get("error") or None) for row in rows]


def expected(path, predictions=PREDICTIONS):
    names = [one.file for one in predictions]
    if path.suffix == ".parquet":  # its text must be UTF-8
        names = [name.encode(errors="backslashreplace").decode() for name in names]
    labels = [one.top_classes[0][0] if one.top_classes else None for one in predictions]
    return list(zip(names, labels, [one.error for one in predictions], strict=True))


def test_standard_readers_read_the_files(path):
    write(path, PREDICTIONS)
    assert read(path) == expected(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_columns_are_as_in_the_docs(tmp_path):
    write(tmp_path / "p.csv", PREDICTIONS[:1])
    header, row = (tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()
    assert header == "file,label,confidence,label_2,confidence_2,error"
    assert row == '"ä, b.png",round,0.75,"square ""4""",0.25,'


def test_an_interruption_at_any_byte_loses_at_most_the_last_line(tmp_path):
    for suffix in ("csv", "jsonl"):
        path = tmp_path / f"predictions.{suffix}"
        write(path, PREDICTIONS)
        whole = path.read_bytes()
        for end in range(len(whole) + 1):
            path.write_bytes(whole[:end])
            write(path, PREDICTIONS, resume=True)
            assert path.read_bytes() == whole, end


def test_a_quote_too_many_is_an_error_and_deletes_nothing(tmp_path):
    path = tmp_path / "p.csv"
    write(path, [Prediction(f"{number}.png", (("a", 0.75), ("b", 0.25))) for number in range(9_000)])
    content = path.read_bytes().replace(b"4.png", b'"4.png', 1)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"has a row without an end: it begins with '\"4\.png"):
        write(path, PREDICTIONS, resume=True)
    assert path.read_bytes() == content


def test_rows_of_any_length_are_continued(tmp_path):
    classes = tuple((f"{number:05} {'long ' * 30}", 1 / 1_000) for number in range(1_000))
    long = Prediction("two\nlines.png", classes), Prediction("b.png", classes), PREDICTIONS[2]
    for suffix in ("csv", "jsonl"):
        path = tmp_path / f"predictions.{suffix}"
        with open_predictions(path, len(classes)) as file:
            file.write(long)
        whole = path.read_bytes()
        assert whole.index(b"b.png") > LONGEST_UNFINISHED
        with open_predictions(path, len(classes), resume=True) as file:
            assert file.existing.files == {one.file for one in long}
        path.write_bytes(whole[: whole.index(b"b.png") + LONGEST_UNFINISHED + 1])  # inside the second row
        with open_predictions(path, len(classes), resume=True) as file:
            assert file.existing.files == {long[0].file}
            file.write(long[1:])
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "save", [lambda content: b"\xef\xbb\xbf" + content, lambda content: content.replace(b"\n", b"\r\n")]
)
def test_a_file_that_a_spreadsheet_has_saved_is_refused_for_that_reason(tmp_path, save):
    path = tmp_path / "p.csv"
    write(path, PREDICTIONS[:1])
    path.write_bytes(save(path.read_bytes()))
    with pytest.raises(DataError, match="another program has saved"):
        write(path, PREDICTIONS, resume=True)


@pytest.mark.parametrize(("name", "line"), [("p.jsonl", b'{"file": "a.png"}\n'), ("p.csv", b"a.png,,,,,\n")])
def test_a_row_without_classes_is_an_error(tmp_path, name, line):
    path = tmp_path / name
    write(path, [Prediction("b.png", (("a", 0.75), ("b", 0.25)))])
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(DataError, match=r"line \d has neither classes nor an error|is not a prediction"):
        write(path, PREDICTIONS, resume=True)


def test_a_table_is_resumed_from_its_lines_and_from_itself(tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
    path = tmp_path / "predictions.parquet"
    with pytest.raises(RuntimeError), open_predictions(path, 2) as file:
        file.write(PREDICTIONS[:2])
        raise RuntimeError("interrupted")
    assert not path.exists() and (tmp_path / "predictions.parquet.part.jsonl").exists()
    assert write(path, PREDICTIONS[:3], resume=True) == {one.file for one in PREDICTIONS[:2]}
    assert write(path, PREDICTIONS, resume=True) == {one.file for one in PREDICTIONS[:3]}
    assert read(path) == expected(path)
    assert list(tmp_path.iterdir()) == [path]


def test_an_existing_file_is_not_overwritten(path):
    write(path, PREDICTIONS)
    with pytest.raises(DataError, match="exists: continue it with --resume"):
        check_prediction_path(path)


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        ("csv", b"name,label\nx,y\n", "begins with 'name,label'; expected 'file,label,confidence,label_2"),
        ("csv", b"file,label,confidence,label_2,confidence_2,error\nx,y\n", "line 2 is not a prediction"),
        (
            "csv",
            b"file,label,confidence,label_2,confidence_2,error\nx,y,high,,,\n",
            "line 2 is not a prediction",
        ),
        ("jsonl", b'{"file": "a", "error": "b"}\n[1]\n', "line 2 is not a prediction"),
        ("jsonl", b"something else\n", "line 1 is not a prediction"),
        ("jsonl", b"5\n", "line 1 is not a prediction"),
        ("jsonl", b'{"file": 1, "error": "x"}\n', "its file or its error is not text"),
        ("jsonl", b'{"file": "a", "error": ["x"]}\n', "its file or its error is not text"),
        ("jsonl", b'{"file": "a", "probabilities": {"x": null}}\n', "line 1 is not a prediction"),
        ("jsonl", b'{"file": "a", "probabilities": {"x": "high"}}\n', "line 1 is not a prediction"),
        ("jsonl", b'{"file": "a", "probabilities": {"x": 1' + b"0" * 400 + b"}}\n", "is not a prediction"),
        ("jsonl", b"[" * 100_000 + b"\n", "line 1 is not a prediction"),
        (
            "csv",
            b'file,label,confidence,label_2,confidence_2,error\n"x"y,a,0.75,b,0.25,\n',
            "line 2 is not a prediction",
        ),
        ("parquet", b"something else", "is not a table of predictions with 2 classes"),
    ],
)
def test_another_file_is_rejected_and_not_changed(tmp_path, suffix, content, message):
    path = tmp_path / f"predictions.{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught, open_predictions(path, 2, resume=True):
        pass
    assert message in str(caught.value)
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]


def test_an_unknown_suffix_is_rejected():
    with pytest.raises(DataError, match=r"is not a .csv, .jsonl or .parquet file"):
        check_prediction_path(Path("predictions.xlsx"))


def network(sign):
    torch.manual_seed(0)
    model = build(Architecture.from_string("8 | gap", "tiny", input=(3, 8, 8), classes=3)).eval()
    with torch.no_grad():
        model.get_parameter("classifier.0.weight").normal_(std=5.0).mul_(sign)
    return Checkpoint(model, Preprocess(size=8, mean=(0.5,) * 3, std=(0.2,) * 3), ("a", "b", "c"))


def test_another_network_is_rejected_and_the_same_continues(path):
    path.parent.mkdir()
    files = [path.parent / f"{number}.png" for number in range(6)]
    for number, file in enumerate(files):
        Image.new("RGB", (9, 9), (40 * number, 90, 200)).save(file)
    with open_predictions(path, 2) as opened:
        assert remaining_sources(opened, network(1), files) is files  # without a copy of a long list
        list(write_predictions(opened, network(1), files[:4]))
    with open_predictions(path, 2, resume=True) as opened:
        assert remaining_sources(opened, network(1), files) == files[4:]
        list(write_predictions(opened, network(1), files[4:], batch_size=1))
    assert [row[0] for row in read(path)] == list(map(str, files))
    labels = [each.top_classes[0][0] for batch in predict(network(1), files) for each in batch]
    assert [row[1] for row in read(path)] == labels
    with (
        pytest.raises(DataError, match="was written by another network"),
        open_predictions(path, 2, resume=True) as opened,
    ):
        remaining_sources(opened, network(-1), files)


def test_a_resumed_file_is_summarized(path, tmp_path):
    files = [tmp_path / f"{number}.png" for number in range(3)]
    for file in files[:2]:
        Image.new("RGB", (9, 9), (200, 90, 40)).save(file)
    first = predict_to_file(network(1), files[1:], path, top=5)
    assert (first.predicted, first.kept, [each.file for each in first.broken]) == (2, 0, [str(files[2])])
    calls = []
    resumed = predict_to_file(
        network(1), files, path, top=5, resume=True, progress=lambda *counts: calls.append(counts)
    )
    assert (resumed.predicted, resumed.kept, resumed.broken[0].file) == (1, 2, str(files[2]))
    assert list(resumed.values) == ["out", "predicted", "kept", "broken"]
    assert calls == [(1, 1)]


def test_an_invalid_temperature_leaves_no_file(path):
    with pytest.raises(CheckpointError):
        predict_to_file(replace(network(1), origin={"temperature": 0}), [Path("x.png")], path, top=1)
    assert not path.parent.exists()


def test_a_class_of_the_name_for_rejected_images_leaves_no_file(tmp_path, path):
    sources = [Path("x.png")]
    with pytest.raises(DataError, match="has a class 'none of these'"):
        predict_to_file(named_none_of_these(), sources, path, top=1, reject_below=0.5)
    assert not path.parent.exists()
    options = {"top": 1, "reject_below": 0.5}
    job = Job(command="predict", network="", options=options, images=1, list="", part_size=1)
    with pytest.raises(DataError, match="has a class 'none of these'"):
        predict_to_parts(named_none_of_these(), sources, tmp_path / "parts", job, Shard(1, 1))
    assert not list(tmp_path.iterdir())


def named_none_of_these():
    return replace(network(1), classes=("a", "b", "none of these"))


def test_another_threshold_is_found_by_any_row(path):
    """Not only by the first few rows, which are predicted again."""
    path.parent.mkdir()
    files = [path.parent / f"{number}.png" for number in range(20)]
    shades = [200] * 19 + [20]
    for file, shade in zip(files, shades, strict=True):
        Image.new("RGB", (9, 9), (shade, 90, 200)).save(file)
    confidences = [each.confidence for batch in predict(network(1), files) for each in batch]
    first, last = confidences[0], confidences[-1]
    assert min(first, last) > 0.35
    between, beside = (first + last) / 2, max(first, last) + 0.001
    rejecting = {"top": 2, "resume": True}
    predict_to_file(network(1), files, path, reject_below=between, **rejecting)
    again = predict_to_file(network(1), files, path, reject_below=between, **rejecting)
    assert (again.predicted, again.kept) == (0, 20)
    for other in (min(first, last) - 0.001, beside):
        with pytest.raises(DataError, match="was written with another --reject-below"):
            predict_to_file(network(1), files, path, reject_below=other, **rejecting)


def test_of_two_classes_with_one_name_the_more_probable_is_compared(path):
    path.parent.mkdir()
    Image.new("RGB", (9, 9), (200, 90, 40)).save(path.parent / "1.png")
    namesakes = replace(network(1), classes=("a", "a", "a"))
    for kept in (0, 1):
        done = predict_to_file(namesakes, [path.parent / "1.png"], path, top=2, resume=True)
        assert done.kept == kept


def test_a_second_process_is_refused_and_no_row_is_written_twice(path):
    with open_predictions(path, 2) as file:
        file.write(PREDICTIONS[:2])
        with (
            pytest.raises(InUseError, match=f"another process is writing to {path}"),
            open_predictions(path, 2, resume=True),
        ):
            pass
        file.write(PREDICTIONS[2:])
    assert read(path) == expected(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


FULL = """
import resource, sys
from pathlib import Path
from tests.prediction.test_prediction_file import PREDICTIONS
from verydeep.prediction.prediction_file import open_predictions
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    with open_predictions(Path(sys.argv[1]), 2, resume=True) as file:
        for one in PREDICTIONS:
            if one.file not in file.existing.files:
                file.write([one])
except OSError as error:
    print(error.filename, error.strerror)
"""


@pytest.mark.slow
def test_a_full_disk_is_named_and_there_is_room_later(path):
    root = Path(__file__).parents[2]
    full = subprocess.run([sys.executable, "-c", FULL, path, "150"], capture_output=True, text=True, cwd=root)
    assert full.stdout == f"{path} File too large\n", full.stderr
    write(path, PREDICTIONS, resume=True)
    assert read(path) == expected(path)
