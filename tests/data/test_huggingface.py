"""Data sets of Hugging Face's library, saved or in Parquet shards; our decoder sees the stored bytes."""

import io
import pickle
import sys

import numpy as np
import pytest
from PIL import Image

from verydeep.data.decode import read_image
from verydeep.data.reading import read_samples, read_sources
from verydeep.errors import DataError, FetchError

datasets = pytest.importorskip("datasets", reason="needs the extra `datasets`")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def png_of_16_bits(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), value, np.uint16)).save(buffer, "PNG")
    return buffer.getvalue()


def table(labels, first=0, kind=None):
    features = datasets.Features({
        "image": datasets.Image(), "label": kind or datasets.ClassLabel(names=["well", "ill"]),
        "patient": datasets.Value("int64"), "boxes": datasets.Sequence(datasets.Value("int64")),
    })  # fmt: skip
    rows = {
        "image": [{"bytes": png_of_16_bits(257 * (first + i)), "path": None} for i in range(len(labels))],
        "label": labels, "patient": list(range(len(labels))), "boxes": [[1, 2]] * len(labels),
    }  # fmt: skip
    return datasets.Dataset.from_dict(rows, features)


@pytest.fixture
def saved(tmp_path):
    splits = {"train": table([0, 1, 1]), "validation": table([1, 0], first=100)}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "cells")
    return tmp_path / "cells"


def test_a_saved_data_set_has_its_splits_classes_and_columns(saved):
    samples = read_samples(saved, group_by="patient")
    assert samples.classes == ("well", "ill")  # as its features have them, not as text has
    assert samples.labels.tolist() == [0, 1, 1, 1, 0]
    assert samples.parts == ("train",) * 3 + ("val",) * 2
    assert samples.names[3] == "validation/0" and str(samples.sources[3]) == f"{saved}/validation/0"
    assert samples.groups == ("0", "1", "2", "0", "1") and set(samples.columns) == {"patient"}


def test_our_decoder_sees_the_stored_bytes_in_any_process(saved):
    source = pickle.loads(pickle.dumps(read_samples(saved).sources[4]))
    assert source.read() == png_of_16_bits(257 * 101)
    assert read_image(source).getpixel((0, 0)) == 101  # 16 bits, scaled and not cut


def test_parquet_shards_are_read_from_a_folder_and_one_by_one(tmp_path):
    (tmp_path / "data").mkdir()
    table([1, 0]).to_parquet(tmp_path / "data" / "train-00000-of-00001.parquet")
    table([1], first=50).to_parquet(tmp_path / "data" / "test-00000-of-00001.parquet")
    whole = read_samples(tmp_path)
    assert sorted(zip(whole.parts, whole.labels.tolist(), strict=True)) == [
        ("test", 1), ("train", 0), ("train", 1),
    ]  # fmt: skip
    one = read_samples(tmp_path / "data" / "test-00000-of-00001.parquet")
    assert one.parts == (None,)
    assert read_image(one.sources[0]).getpixel((0, 0)) == 50


def test_numbers_without_names_are_classes_in_numeric_order(tmp_path):
    table([10, 9], kind=datasets.Value("int64")).save_to_disk(tmp_path / "cells")
    samples = read_samples(tmp_path / "cells")
    assert (samples.classes, samples.labels.tolist()) == (("9", "10"), [1, 0])
    assert samples.parts == (None, None)
    assert read_samples(f"{tmp_path / 'cells'}:patient").classes == ("0", "1")


def test_faults_are_named(tmp_path, saved):
    table([-1]).save_to_disk(tmp_path / "hidden")
    with pytest.raises(DataError, match=r"hidden: 0 has no label"):
        read_samples(tmp_path / "hidden")
    assert len(read_sources([tmp_path / "hidden"])) == 1
    table([0]).remove_columns("image").save_to_disk(tmp_path / "blind")
    with pytest.raises(DataError, match=r"blind has no column of images; it has label \(ClassLabel\)"):
        read_samples(tmp_path / "blind")
    with pytest.raises(DataError, match=r"has no column of images 'label'"):
        read_samples(f"{saved}:label,patient")
    next((saved / "train").glob("*.arrow")).write_bytes(b"broken")
    with pytest.raises(DataError, match=r"cells is no whole data set"):
        read_samples(saved)


def test_without_the_library_one_message_says_so(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'verydeep\[datasets\]'"):
        read_samples(saved)


def test_offline_nothing_is_asked_of_the_hub(monkeypatch):
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    with pytest.raises(
        FetchError, match="hf:someone/cells is not asked for, because VERYDEEP_OFFLINE is set"
    ):
        read_samples("hf:someone/cells")
