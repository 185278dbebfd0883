"""The built-in data sets."""

import gzip
import hashlib
import re
from dataclasses import replace

import pytest

from verydeep.data import builtin, synthetic
from verydeep.data.builtin import CIFAR100, FASHION_MNIST, SOURCES, load, load_dataset
from verydeep.data.builtin_names import require_known
from verydeep.download.checksum import Checksum
from verydeep.download.sources import PublishedFile
from verydeep.errors import DataError


@pytest.mark.parametrize(
    ("name", "hint"),
    [("fashion-mnits", "Did you mean fashion-mnist"), ("cifar1o", "Did you mean cifar10"), ("zebra", r"$")],
)
def test_an_unknown_name_is_an_error_that_lists_the_known_names(name, hint):
    with pytest.raises(
        DataError, match=f"expected one of fashion-mnist, cifar10, cifar100, synthetic.*{hint}"
    ):
        load_dataset(name)


@pytest.mark.parametrize(
    ("data", "hint"), [("mnist", ""), ("fashion-mnits", ". Did you mean fashion-mnist?"), ("nowhere", "")]
)
def test_a_word_that_is_neither_a_name_nor_a_folder_is_an_error_with_the_known_names(data, hint):
    known = "fashion-mnist, cifar10, cifar100, synthetic"
    message = f"{data} is neither a folder nor a built-in data set; these are {known}{hint}"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        require_known(data)


@pytest.mark.parametrize(
    "data", ["Fashion-MNIST", "synthetic", "no/where", "cells.csv", "cells-{000..012}.tar", "hf:owner/name"]
)
def test_names_in_any_spelling_and_locations_are_left_to_their_readers(data):
    require_known(data)


def test_a_folder_may_have_any_name(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    require_known("photos")


@pytest.mark.parametrize("name", ["cifar-100", "CIFAR100", "cifar100"])
def test_other_spellings_are_known(name, monkeypatch):
    data = synthetic.dataset(10, 10)
    monkeypatch.setattr(builtin, "load", lambda source, cache, progress: replace(data, name=source.name))
    assert load_dataset(name).name == "cifar100"


def test_synthetic_needs_no_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path / "nothing"))
    data = load_dataset("synthetic")
    assert (len(data.train), len(data.test), len(data.classes)) == (2000, 500, 10)
    assert data.train.pixels.shape[1:] == (1, 28, 28)
    assert not (tmp_path / "nothing").exists()


def test_your_own_published_data_set_can_be_loaded(site, tmp_path):
    """A small Fashion-MNIST, served here with its own checksums."""
    contents = {
        "train-images-idx3-ubyte.gz": b"\0\0\x08\3" + bytes([0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 50, 60]),
        "train-labels-idx1-ubyte.gz": b"\0\0\x08\1" + bytes([0, 0, 0, 2, 9, 1]),
        "t10k-images-idx3-ubyte.gz": b"\0\0\x08\3" + bytes([0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 70]),
        "t10k-labels-idx1-ubyte.gz": b"\0\0\x08\1" + bytes([0, 0, 0, 1, 5]),
    }
    packed = {name: gzip.compress(content) for name, content in contents.items()}
    for name, content in packed.items():
        site.serve(f"/{name}", content)
    files = tuple(
        PublishedFile(name, Checksum(f"md5:{hashlib.md5(content).hexdigest()}"))
        for name, content in packed.items()
    )
    calls = []
    source = replace(FASHION_MNIST, files=files, addresses=(site.address,), package=None)
    data = load(source, tmp_path, progress=lambda *numbers: calls.append(numbers))
    assert data.train.pixels.flatten().tolist() == [50, 60]
    assert data.train.labels.tolist() == [9, 1] and data.test.labels.tolist() == [5]
    assert {total for _, total in calls} == {len(content) for content in packed.values()}


def test_the_table_has_the_files_that_the_readers_read():
    assert [file.name for file in CIFAR100.files] == ["cifar-100-binary.tar.gz"]
    for source in SOURCES.values():
        for file in source.files:
            assert file.published.digest.startswith("sha256:") and len(file.published.digest) == 71
            assert file.published.size
        assert all(address.endswith("/") for address in source.addresses)


@pytest.mark.network
@pytest.mark.slow
def test_fashion_mnist_has_the_published_sizes():  # Xiao, Rasul and Vollgraf 2017, section 2
    data = load_dataset("fashion-mnist")
    assert data.train.pixels.shape == (60_000, 1, 28, 28) and data.test.pixels.shape == (10_000, 1, 28, 28)
    assert data.train.labels.bincount().tolist() == [6000] * 10
    assert data.test.labels.bincount().tolist() == [1000] * 10
