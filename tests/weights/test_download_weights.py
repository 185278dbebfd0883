"""Published weights from a real server on this machine, and from the caches of other programs."""

import hashlib
import logging
import os
from dataclasses import replace

import pytest

from verydeep.download.checksum import Checksum
from verydeep.errors import CheckpointError, DownloadError
from verydeep.weights.catalog import find_published
from verydeep.weights.download_weights import download_weights, obtain_weights

CONTENT = b"not quite the weights " * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, with nothing in it."""
    for variable in ("TORCH_HOME", "KERAS_HOME", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "HF_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "home"


@pytest.fixture
def vgg16(site):
    """torchvision's VGG16 with another content, at two addresses here; its length is stated rounded."""
    return replace(
        find_published("vgg16"),
        addresses=(f"{site.address}first/vgg16.pth", f"{site.address}second/vgg16.pth"),
        file="vgg16.pth",
        checksum=Checksum(f"sha256:{SHA256[:8]}", len(CONTENT) + 400, size_tolerance=525),
    )


def lay(path, content=CONTENT):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_weights_are_fetched_once_and_resumed(site, vgg16, tmp_path):
    site.serve("/first/vgg16.pth", CONTENT, breaks_off=[100_000])
    told = []
    path = download_weights(vgg16, progress=lambda *numbers: told.append(numbers))
    assert path == tmp_path / "cache" / "weights" / "vgg16.imagenet1k_v1" / "vgg16.pth"
    assert path.read_bytes() == CONTENT and told[-1] == (len(CONTENT), len(CONTENT))
    assert download_weights(vgg16) == path
    assert [asked for _, asked in site.requests] == [None, "bytes=100000-"]


def test_where_the_first_address_fails_the_second_is_asked(site, vgg16):
    site.serve("/second/vgg16.pth", CONTENT)
    assert download_weights(vgg16).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (CONTENT[:1000], r"expected about 440,400 bytes, the server has 1,000"),
        (b"x" * len(CONTENT), f"expected sha256 {SHA256[:8]}, got "),
    ],
)
def test_another_file_is_refused_with_the_place_for_one_fetched_by_hand(
    site, vgg16, content, words, tmp_path
):
    site.serve("/first/vgg16.pth", content)
    with pytest.raises(DownloadError, match=words) as caught:
        download_weights(vgg16)
    lines = str(caught.value).splitlines()
    assert lines[0] == "Could not download vgg16.imagenet1k_v1 (vgg16.pth)"
    assert lines[2].endswith("second/vgg16.pth: the server answered 404 Not Found.")
    folder = tmp_path / "cache" / "weights" / "vgg16.imagenet1k_v1"
    assert lines[3].endswith(f"into {folder} yourself; their checksums are verified.")
    (folder / "vgg16.pth").write_bytes(CONTENT)
    assert download_weights(vgg16) == folder / "vgg16.pth"


def test_a_truncated_file_in_the_cache_is_replaced(site, vgg16, caplog):
    site.serve("/first/vgg16.pth", CONTENT)
    path = download_weights(vgg16)
    path.write_bytes(CONTENT[:-1000])
    assert download_weights(vgg16).read_bytes() == CONTENT
    assert "vgg16.pth is corrupt: expected about 440,400 bytes, got 439,000" in caplog.text


def test_a_file_that_has_not_changed_is_read_again_only_when_asked(site, vgg16, tmp_path, caplog):
    site.serve("/first/vgg16.pth", CONTENT)
    path = download_weights(vgg16)
    when = path.stat().st_mtime_ns
    path.write_bytes(b"x" * len(CONTENT))
    os.utime(path, ns=(when, when))
    assert download_weights(vgg16).read_bytes() == b"x" * len(CONTENT)  # as if nothing had been written
    os.utime(path, ns=(when, when + 1))
    assert download_weights(vgg16).read_bytes() == CONTENT
    assert "vgg16.pth is corrupt: expected sha256" in caplog.text
    path.write_bytes(b"x" * len(CONTENT))
    assert obtain_weights(vgg16, tmp_path / "cache").read_bytes() == CONTENT


@pytest.mark.parametrize("receipt", ["", "[]", "{}", '{"path": "/nothing"}', '{"path": 5}'])
def test_a_broken_receipt_is_none(site, vgg16, receipt):
    site.serve("/first/vgg16.pth", CONTENT)
    path = download_weights(vgg16)
    path.with_name("vgg16.pth.checked").write_text(receipt)
    assert download_weights(vgg16) == path


def test_a_receipt_is_of_one_hash(site, vgg16):
    site.serve("/first/vgg16.pth", CONTENT)
    download_weights(vgg16)
    with pytest.raises(DownloadError, match="expected sha256 00000000, got"):
        download_weights(replace(vgg16, checksum=Checksum("sha256:00000000")))


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("TORCH_HOME", "hub/checkpoints"),
        ("XDG_CACHE_HOME", "torch/hub/checkpoints"),
        ("HOME", ".cache/torch/hub/checkpoints"),
    ],
)
def test_what_torch_hub_has_is_used_where_it_lies(site, vgg16, tmp_path, monkeypatch, variable, place):
    monkeypatch.setenv(variable, str(tmp_path / "other"))
    path = lay(tmp_path / "other" / place / "vgg16.pth")
    assert download_weights(vgg16) == path
    assert not site.requests and not list(tmp_path.glob("cache/**/vgg16.pth"))


@pytest.mark.parametrize(("variable", "place"), [("KERAS_HOME", "models"), ("HOME", ".keras/models")])
def test_what_keras_has_is_used_where_it_lies(tmp_path, monkeypatch, variable, place):
    monkeypatch.setenv(variable, str(tmp_path / "other"))
    keras = replace(find_published("vgg16.keras"), checksum=Checksum(SHA256))
    path = lay(tmp_path / "other" / place / keras.file)
    assert download_weights(keras) == path


def test_another_file_in_torch_hub_is_left_aside_and_left_there(site, vgg16, home, caplog):
    path = lay(home / ".cache" / "torch" / "hub" / "checkpoints" / "vgg16.pth", b"truncated")
    site.serve("/first/vgg16.pth", CONTENT)
    assert download_weights(vgg16) != path
    assert path.read_bytes() == b"truncated" and "is left aside: expected about" in caplog.text


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME"])
def test_what_hugging_faces_cache_has_is_checked_by_the_name_of_its_blob(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, str(tmp_path / "hf"))
    root = tmp_path / "hf" / ("" if variable == "HF_HUB_CACHE" else "hub") / "models--timm--vgg11.tv_in1k"
    blob = lay(root / "blobs" / SHA256)
    link = root / "snapshots" / "b8d8aa2d" / "model.safetensors"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    assert download_weights("vgg11.tv_in1k") == link
    blob.write_bytes(b"truncated")
    with pytest.raises(DownloadError, match="because VERYDEEP_OFFLINE is set"):
        download_weights("vgg11.tv_in1k")


def test_timms_files_come_from_the_hub_of_the_environment_by_the_hash_it_states(site, monkeypatch, caplog):
    monkeypatch.setenv("HF_ENDPOINT", site.address)
    path = "/timm/vgg11.tv_in1k/resolve/main/model.safetensors"
    site.serve(path, status=302, location="/elsewhere", headers={"X-Linked-Etag": f'"{SHA256}"'})
    site.serve("/elsewhere", b"x" * len(CONTENT))
    with pytest.raises(DownloadError, match=f"expected sha256 {SHA256}, got"):
        download_weights("vgg11.tv_in1k")
    site.serve("/elsewhere", CONTENT)
    assert download_weights("timm/vgg11.tv_in1k").read_bytes() == CONTENT


def test_a_mirror_serves_what_another_has_cached(site, vgg16, monkeypatch):
    monkeypatch.setenv("VERYDEEP_MIRROR", f"{site.address}class")
    site.serve("/class/weights/vgg16.imagenet1k_v1/vgg16.pth", CONTENT)
    assert download_weights(vgg16).read_bytes() == CONTENT
    assert len(site.requests) == 1


def test_offline_names_the_place_for_a_file(monkeypatch, caplog, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with caplog.at_level(logging.INFO), pytest.raises(DownloadError) as caught:
        download_weights("vgg16")
    assert str(caught.value).splitlines() == [
        "Could not download vgg16.imagenet1k_v1 (vgg16-397923af.pth)",
        "- https://download.pytorch.org/models/vgg16-397923af.pth: not downloaded, because "
        "HF_HUB_OFFLINE is set",
        "You can put files from https://download.pytorch.org/models/ into "
        f"{tmp_path}/cache/weights/vgg16.imagenet1k_v1 yourself; their checksums are verified.",
    ]


def test_an_unknown_name_asks_nobody():
    with pytest.raises(CheckpointError, match="Did you mean"):
        download_weights("vgg61")


@pytest.mark.network
@pytest.mark.slow
def test_the_published_resnet18_comes():
    """The smallest file of the catalog."""
    try:
        path = download_weights("resnet18")
    except DownloadError as error:
        if "no response" not in str(error):  # a wrong response is a failure
            raise
        pytest.skip("download.pytorch.org cannot be reached from here")
    assert path.stat().st_size == 46_830_571
