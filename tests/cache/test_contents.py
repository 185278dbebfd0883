"""What is listed of a cache folder, and what is not taken for verydeep's own."""

import os
import shutil

import pytest

from verydeep.architecture.preprocess import Preprocess
from verydeep.architecture.zoo import resolve
from verydeep.atomic_write import atomic_write
from verydeep.cache.contents import read_cache
from verydeep.cache.own_files import OwnFiles
from verydeep.data.builtin import SOURCES
from verydeep.models.build import build
from verydeep.tune.feature_cache import FeatureCache
from verydeep.weights.catalog import catalog

from .conftest import CHUNK, NETWORK


def listed(root):
    return {(entry.kind, entry.name): entry.size for entry in read_cache(root).entries}


def test_each_download_network_and_leftover_is_an_entry(root):
    assert listed(root) == {
        ("data", "cifar10"): 3000,
        ("data", "fashion-mnist"): 50,
        ("features", NETWORK): 500,
        ("leftovers", f"features/{NETWORK}"): 40,
        ("weights", "vgg16.imagenet1k_v1"): 2100,
    }
    contents = read_cache(root)
    assert contents.size == 5690
    assert [entry.name for entry in contents.entries if entry.is_partial] == ["fashion-mnist"]
    others = {str(file.path.relative_to(root.resolve())) for file in contents.others}
    assert others == {
        "data/cifar10/notes.txt", "data/mine/cifar-10-binary.tar.gz", "features/mine/ab.safetensors",
        "todo.txt",
    }  # fmt: skip


def test_what_a_living_process_writes_is_not_listed(root):
    shutil.rmtree(root / "features")
    with atomic_write(root / "features" / NETWORK / CHUNK) as temporary:
        temporary.write_bytes(bytes(100))
        assert not [entry for entry in read_cache(root).entries if entry.kind in ("features", "leftovers")]
    assert listed(root)["features", NETWORK] == 100


def test_links_are_not_followed(root, tmp_path):
    outside = tmp_path / "outside"
    (root / "data").rename(outside)
    (root / "data").symlink_to(outside)
    (root / "weights/vgg16.imagenet1k_v1/vgg16-397923af.pth.part").symlink_to(outside / "cifar10/notes.txt")
    assert ("data", "cifar10") not in listed(root)
    assert sum(file.is_link for file in read_cache(root).others) == 2
    linked = tmp_path / "link"
    linked.symlink_to(root)
    assert listed(linked) == listed(root)  # the folder itself may be one: the user chose it


def test_the_last_use_is_the_latest_of_all_files(root):
    for path in (root / "weights").rglob("*.*"):
        os.utime(path, (1000, 500))
    os.utime(root / "weights/vgg16.imagenet1k_v1/vgg16-397923af.pth", (1000, 3000))
    assert {entry.kind: entry.last_used for entry in read_cache(root).entries}["weights"] == 3000


def test_a_missing_or_empty_cache_has_nothing(tmp_path):
    assert read_cache(tmp_path / "none").entries == ()
    assert read_cache(tmp_path).entries == ()


@pytest.mark.parametrize(
    "source", [*SOURCES.values(), *(row.source for row in catalog())], ids=lambda source: source.name
)
def test_each_published_file_is_known(tmp_path, source):
    (tmp_path / "data").mkdir()
    own = OwnFiles(tmp_path)
    assert own.is_place(source.folder)
    assert all(own.has(source.folder, file.name) for file in source.files)


def test_the_features_of_a_network_are_known(tmp_path):
    cache = FeatureCache(
        build(resolve("8 M | gap")),
        Preprocess(size=16, mean=(0.5,) * 3, std=(0.5,) * 3),
        tmp_path / "features",
    )
    assert OwnFiles(tmp_path).is_place(f"features/{cache.folder.name}")
