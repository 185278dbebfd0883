"""Predictions in files: read back by other programs, taken up after a kill at any byte, never mixed."""

import csv
import json
import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import DataError
from verydeep.evaluate.predict import Prediction, predict
from verydeep.evaluate.prediction_file import check_out, label_into, left_to_do, open_predictions
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint

SOME = (
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
        kept = set(file.before.files)
        file.write([one for one in predictions if one.file not in kept])
    return kept


def read(path):
    """File, label and error of each row, by the readers that others use."""
    if path.suffix == ".csv":
        with path.open(newline="", errors="surrogateescape", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    elif path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        rows = pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
    return [(row["file"], row.get("label") or None, row.get("error") or None) for row in rows]


def expected(path, predictions=SOME):
    names = [one.file for one in predictions]
    if path.suffix == ".parquet":  # whose text must be UTF-8
        names = [name.encode(errors="backslashreplace").decode() for name in names]
    labels = [one.top_classes[0][0] if one.top_classes else None for one in predictions]
    return list(zip(names, labels, [one.error for one in predictions], strict=True))


def test_other_programs_read_what_is_written(path):
    write(path, SOME)
    assert read(path) == expected(path)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_columns_are_as_the_page_says(tmp_path):
    write(tmp_path / "p.csv", SOME[:1])
    header, row = (tmp_path / "p.csv").read_text(encoding="utf-8").splitlines()
    assert header == "file,label,confidence,label_2,confidence_2,error"
    assert row == '"ä, b.png",round,0.75,"square ""4""",0.25,'


def test_a_kill_at_any_byte_loses_at_most_the_last_line(tmp_path):
    for suffix in ("csv", "jsonl"):
        path = tmp_path / f"predictions.{suffix}"
        write(path, SOME)
        whole = path.read_bytes()
        for end in range(len(whole) + 1):
            path.write_bytes(whole[:end])
            write(path, SOME, resume=True)
            assert path.read_bytes() == whole, end


def test_a_table_is_taken_up_from_its_lines_and_from_itself(tmp_path):
    pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
    path = tmp_path / "predictions.parquet"
    with pytest.raises(RuntimeError), open_predictions(path, 2) as file:
        file.write(SOME[:2])
        raise RuntimeError("killed")
    assert not path.exists() and (tmp_path / "predictions.parquet.part.jsonl").exists()
    assert write(path, SOME[:3], resume=True) == {one.file for one in SOME[:2]}
    assert write(path, SOME, resume=True) == {one.file for one in SOME[:3]}
    assert read(path) == expected(path)
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_there_is_not_written_over(path):
    write(path, SOME)
    with pytest.raises(DataError, match="is there already: go on with it by --resume"):
        check_out(path)


@pytest.mark.parametrize(
    ("suffix", "content", "said"),
    [
        ("csv", b"name,label\nx,y\n", "begins with 'name,label'; expected 'file,label,confidence,label_2"),
        ("csv", b"file,label,confidence,label_2,confidence_2,error\nx,y\n", "line 2 is no prediction"),
        (
            "csv",
            b"file,label,confidence,label_2,confidence_2,error\nx,y,high,,,\n",
            "line 2 is no prediction",
        ),
        ("jsonl", b'{"file": "a", "error": "b"}\n[1]\n', "line 2 is no prediction"),
        ("jsonl", b"something else\n", "line 1 is no prediction"),
        ("parquet", b"something else", "is no table of predictions with 2 classes"),
    ],
)
def test_a_foreign_file_is_refused_and_left_as_it_is(tmp_path, suffix, content, said):
    path = tmp_path / f"predictions.{suffix}"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught, open_predictions(path, 2, resume=True):
        pass
    assert said in str(caught.value)
    assert path.read_bytes() == content and list(tmp_path.iterdir()) == [path]


def test_another_suffix_is_refused():
    with pytest.raises(DataError, match=r"is none of .csv, .jsonl, .parquet"):
        check_out(Path("predictions.xlsx"))


def network(seed):
    torch.manual_seed(0)
    model = build(Architecture.from_string("8 | gap", "tiny", input=(3, 8, 8), classes=3)).eval()
    with torch.no_grad():  # of the second, whatever spoke for a class speaks against it
        model.get_parameter("classifier.0.weight").normal_(std=5.0).mul_(1 - 2 * seed)
    return Checkpoint(model, Preprocess(size=8, mean=(0.5,) * 3, std=(0.2,) * 3), ("a", "b", "c"))


def test_another_network_is_refused_and_the_same_goes_on(path):
    path.parent.mkdir()
    files = [path.parent / f"{number}.png" for number in range(6)]
    for number, file in enumerate(files):
        Image.new("RGB", (9, 9), (40 * number, 90, 200)).save(file)
    with open_predictions(path, 2) as opened:
        list(label_into(opened, network(0), files[:4]))
    with open_predictions(path, 2, resume=True) as opened:
        assert left_to_do(opened, network(0), files) == files[4:]
        list(label_into(opened, network(0), files[4:], batch_size=1))
    assert [row[0] for row in read(path)] == list(map(str, files))
    whole = [one.top_classes[0][0] for batch in predict(network(0), files) for one in batch]
    assert [row[1] for row in read(path)] == whole
    with (
        pytest.raises(DataError, match="was written by another network"),
        open_predictions(path, 2, resume=True) as opened,
    ):
        left_to_do(opened, network(1), files)
