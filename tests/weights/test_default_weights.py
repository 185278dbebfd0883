"""Without --weights: published VGG16 features, else what a cache has, else a line with three ways."""

import hashlib
from dataclasses import replace

import pytest

from verydeep.download.checksum import Checksum
from verydeep.errors import CheckpointError
from verydeep.weights import default_weights as module
from verydeep.weights.catalog import catalog, find_published
from verydeep.weights.default_weights import LIGHTER, default_weights, lighter_weights

CONTENT = b"weights " * 100
CHECKSUM = Checksum(f"sha256:{hashlib.sha256(CONTENT).hexdigest()}", len(CONTENT))


@pytest.fixture(autouse=True)
def empty_caches(tmp_path, monkeypatch):
    for variable in ("HOME", "TORCH_HOME", "KERAS_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "empty"))
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "find_spec", lambda name: None)  # without h5py: one file of VGG16


@pytest.fixture
def published(site, monkeypatch):
    """The catalog, with small files on a local server."""
    rows = {
        row.name: replace(row, addresses=(f"{site.address}{row.name}/{row.file}",), checksum=CHECKSUM)
        for row in catalog()
    }
    monkeypatch.setattr(module, "find_published", lambda name: rows[name])
    monkeypatch.setattr(module, "catalog", lambda: tuple(rows.values()))
    return rows


def put(row, cache):
    path = cache / row.source.folder / row.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(CONTENT)


def test_the_defaults_are_features_of_vgg16_in_the_catalog():
    for name in (module.KERAS_FEATURES, *module.FEATURES):
        assert find_published(name).features_only and find_published(name).architecture == "vgg16"
    assert not find_published(*module.WITH_HIDDEN_LAYERS).features_only


def test_they_are_downloaded_once_and_then_taken_from_the_cache(site, published):
    lines, progress = [], []
    row = published["vgg16.imagenet1k_features"]
    site.serve(f"/{row.name}/{row.file}", CONTENT)
    for _ in range(2):
        assert default_weights(lines.append, lambda *call: progress.append(call)) == row.name
    assert progress[0] == (0, len(CONTENT)) and progress[-1] == (len(CONTENT), len(CONTENT))
    assert [line.split(",")[0] for line in lines] == [
        f"Weights: downloading {row.name}",
        f"Weights: {row.name} from the cache",
    ]
    assert len(site.requests) == 1


@pytest.mark.parametrize("name", ["resnet18.imagenet1k_v1", "vgg11.tv_in1k"])
def test_without_a_connection_what_is_in_the_cache_is_used(published, name, tmp_path, monkeypatch):
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    put(published[name], tmp_path / "cache")
    lines = []
    assert default_weights(lines.append) == name
    assert lines == [
        f"Weights: {name} from the cache, as VGG16 could not be downloaded: VERYDEEP_OFFLINE is set"
    ]


def test_of_several_in_the_cache_the_most_accurate_is_used(published, tmp_path, monkeypatch):
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    for name in ("alexnet.imagenet1k_v1", "resnet18.imagenet1k_v1", "vgg11.imagenet1k_v1"):
        put(published[name], tmp_path / "cache")
    assert default_weights(lambda line: None) == "resnet18.imagenet1k_v1"


def test_a_lighter_network_is_taken_from_a_cache_or_downloaded_else_the_next(published, site, tmp_path):
    row = published["alexnet.imagenet1k_v1"]
    assert lighter_weights(LIGHTER, lambda line: None) is None
    site.serve(f"/{row.name}/{row.file}", CONTENT)
    assert lighter_weights(LIGHTER, lambda line: None) == row.name
    put(published["resnet18.imagenet1k_v1"], tmp_path / "cache")
    assert lighter_weights(LIGHTER, lambda line: None) == "resnet18.imagenet1k_v1"


def test_a_damaged_file_in_the_cache_is_no_default(published, tmp_path, monkeypatch):
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    row = published["resnet18.imagenet1k_v1"]
    put(row, tmp_path / "cache")
    (tmp_path / "cache" / row.source.folder / row.file).write_bytes(b"other")
    with pytest.raises(CheckpointError, match="no cache has other"):
        default_weights(lambda line: None)


def test_without_anything_one_line_names_the_problem_and_three_ways(published):
    with pytest.raises(CheckpointError) as error:
        default_weights(lambda line: None)
    text = str(error.value)
    assert "\n" not in text and "404" in text
    assert "Connect to the internet" in text and "give --weights" in text and "--strategy scratch" in text
