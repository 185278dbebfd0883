"""Hugging Face data sets: saved, in Parquet shards, or from the Hub; their stored bytes are decoded by us."""

import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from verydeep.decoding.decode import read_image
from verydeep.errors import DataError, DownloadError
from verydeep.image_sources.find_images import read_sources
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.samples import grouped

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


def test_hidden_files_beside_parquet_shards_are_counted(tmp_path):
    table([0, 1]).to_parquet(tmp_path / "cells" / "train.parquet")
    (tmp_path / "cells" / "._train.parquet").write_bytes(b"attributes of macOS")
    samples = read_samples(tmp_path / "cells")
    assert (len(samples), samples.reading.skipped) == (2, {"hidden": 1})


def test_a_saved_data_set_has_splits_classes_and_columns(saved):
    samples = grouped(read_samples(saved), "patient")
    assert samples.classes == ("well", "ill")  # in the order of its features, not sorted
    assert samples.labels.tolist() == [0, 1, 1, 1, 0]
    assert samples.parts == ("train",) * 3 + ("val",) * 2
    assert samples.names[3] == "validation/0" and str(samples.sources[3]) == f"{saved}/validation/0"
    assert samples.groups == ("0", "1", "2", "0", "1") and set(samples.columns) == {"patient"}


def test_the_stored_bytes_are_read_in_any_process(saved):
    source = pickle.loads(pickle.dumps(read_samples(saved).sources[4]))
    assert source.read() == png_of_16_bits(257 * 101)
    assert read_image(source).getpixel((0, 0)) == 101  # 16 bits, scaled and not clipped


def test_parquet_shards_are_read_from_a_folder_or_a_file(tmp_path):
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


def test_integer_labels_are_classes_in_numeric_order(tmp_path):
    table([10, 9], kind=datasets.Value("int64")).save_to_disk(tmp_path / "cells")
    samples = read_samples(tmp_path / "cells")
    assert (samples.classes, samples.labels.tolist()) == (("9", "10"), [1, 0])
    assert samples.parts == (None, None)
    assert read_samples(f"{tmp_path / 'cells'}:patient").classes == ("0", "1")


def saved_splits(folder, **sizes):
    datasets.DatasetDict({
        name: table([0, 1] * size, first=10 * number) for number, (name, size) in enumerate(sizes.items())
    }).save_to_disk(folder)  # fmt: skip
    return read_samples(folder)


@pytest.mark.parametrize(
    ("sizes", "parts", "note"),
    [
        (
            {"train": 1, "test": 1, "extra": 2},
            {"train", "test", None},
            "4 images without a part of the split (extra); ",
        ),
        ({"fold1": 1, "fold2": 2}, {None}, "6 images without a part of the split (fold1, fold2); "),
        ({"train": 1, "test_ood": 1}, {"train", "test"}, "the split test_ood has test images, by its name"),
    ],
)
def test_splits_with_unusual_names_are_stated(tmp_path, sizes, parts, note):
    samples = saved_splits(tmp_path / "cells", **sizes)
    assert set(samples.parts) == parts
    (stated,) = samples.reading.notes
    assert stated.startswith(note)
    if None in parts:
        assert "its usual names are train, training, val, valid, validation, dev," in stated
        assert stated.endswith("used for training" if "test" in parts else "into training and test images")


@pytest.mark.parametrize("names", [("full",), ("train",), ("train", "validation", "test"), ("Train", "dev")])
def test_usual_splits_and_a_single_one_have_no_note(tmp_path, names):
    assert saved_splits(tmp_path / "cells", **dict.fromkeys(names, 1)).reading.notes == ()


def test_errors(tmp_path, saved):
    table([-1]).save_to_disk(tmp_path / "hidden")
    with pytest.raises(DataError, match=r"hidden: 0 has no label"):
        read_samples(tmp_path / "hidden")
    assert len(read_sources([tmp_path / "hidden"])) == 1
    table([0]).remove_columns("image").save_to_disk(tmp_path / "blind")
    with pytest.raises(DataError, match=r"blind has no image column; it has label \(ClassLabel\)"):
        read_samples(tmp_path / "blind")
    with pytest.raises(DataError, match=r"has no image column 'label'"):
        read_samples(f"{saved}:label,patient")
    next((saved / "train").glob("*.arrow")).write_bytes(b"corrupt")
    with pytest.raises(DataError, match=r"cells is not a complete data set"):
        read_samples(saved)


def test_without_the_library_the_error_says_how_to_install_it(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'verydeep\[datasets\]'"):
        read_samples(saved)


def test_offline_mode_makes_no_request_to_the_hub(monkeypatch):
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    with pytest.raises(
        DownloadError, match="hf:someone/cells is not downloaded, because VERYDEEP_OFFLINE is set"
    ):
        read_samples("hf:someone/cells")


COMMIT = "b8d8aa2dd860af9233c8c67385a8097fd6c35d3f"
SHARD = "data/train-00000-of-00001.parquet"


class HubHandler(BaseHTTPRequestHandler):
    """A hub with someone/cells: the endpoints that datasets 5.2 uses."""

    def do_GET(self):
        content = self.server.shard
        digest = hashlib.sha1(content).hexdigest()
        about = {"id": "someone/cells", "sha": COMMIT, "private": False, "siblings": [{"rfilename": SHARD}]}
        entry = {"type": "file", "path": SHARD, "size": len(content), "oid": digest}
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{digest}"'}
        top = {"type": "directory", "path": "data", "size": 0, "oid": digest}
        if self.path.startswith("/api/datasets/someone/cells"):
            is_tree, is_data = "/tree/" in self.path, f"{COMMIT}/data" in self.path
            found = [entry if is_data else top] if is_tree else about
            self.answer(json.dumps(found).encode(), 200, {})
        elif self.path == f"/datasets/someone/cells/resolve/{COMMIT}/{SHARD}":
            self.answer(content, 200, headers)
        else:
            self.answer(b"", 404, {"X-Error-Code": "EntryNotFound"})

    def do_HEAD(self):
        self.do_GET()

    def answer(self, body, status, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path):
    table([1, 0]).to_parquet(tmp_path / "shard.parquet")
    server = ThreadingHTTPServer(("127.0.0.1", 0), HubHandler)
    server.shard = (tmp_path / "shard.parquet").read_bytes()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.slow
def test_a_data_set_of_the_hub_is_downloaded_and_read(hub, tmp_path):
    """In another process, because the library reads the address of the Hub when it is imported."""
    code = (
        "from verydeep.image_sources.open_images import read_samples\n"
        "samples = read_samples('hf:someone/cells')\n"
        "print(samples.classes, samples.labels.tolist(), samples.parts, samples.sources[0])\n"
        "read_samples('hf:someone/others')"
    )
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("VERYDEEP_OFFLINE", "HF_HUB_OFFLINE")
    } | {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hf"), "no_proxy": "127.0.0.1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout == "('well', 'ill') [1, 0] (None, None) hf:someone/cells/0\n", done.stderr
    assert "DownloadError: Could not download hf:someone/others from the Hub" in done.stderr
