"""Published weights are downloaded from a local server, or taken from the caches of other programs."""

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
    """An empty home folder."""
    for variable in ("TORCH_HOME", "KERAS_HOME", "HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "HF_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VERYDEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "home"


@pytest.fixture
def vgg16(site):
    """torchvision's VGG16 with other content, at two addresses of the local server; its size is rounded."""
    return replace(
        find_published("vgg16"),
        addresses=(f"{site.address}first/vgg16.pth", f"{site.address}second/vgg16.pth"),
        file="vgg16.pth",
        checksum=Checksum(f"sha256:{SHA256[:8]}", len(CONTENT) + 400, size_tolerance=525),
    )


def write(path, content=CONTENT):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_a_download_is_resumed_and_not_repeated(site, vgg16, tmp_path):
    site.serve("/first/vgg16.pth", CONTENT, breaks_off=[100_000])
    progress = []
    path = download_weights(vgg16, progress=lambda *numbers: progress.append(numbers))
    assert path == tmp_path / "cache" / "weights" / "vgg16.imagenet1k_v1" / "vgg16.pth"
    assert path.read_bytes() == CONTENT and progress[-1] == (len(CONTENT), len(CONTENT))
    assert download_weights(vgg16) == path
    assert [asked for _, asked in site.requests] == [None, "bytes=100000-"]


def test_the_second_address_is_used_where_the_first_fails(site, vgg16):
    site.serve("/second/vgg16.pth", CONTENT)
    assert download_weights(vgg16).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONTENT[:1000], r"expected about 440,400 bytes, the server has 1,000"),
        (b"x" * len(CONTENT), f"expected sha256 {SHA256[:8]}, got "),
    ],
)
def test_a_wrong_file_is_refused_with_the_folder_for_a_manual_download(
    site, vgg16, content, message, tmp_path
):
    site.serve("/first/vgg16.pth", content)
    with pytest.raises(DownloadError, match=message) as caught:
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


def test_an_unchanged_file_is_verified_again_only_on_request(site, vgg16, tmp_path, caplog):
    site.serve("/first/vgg16.pth", CONTENT)
    path = download_weights(vgg16)
    when = path.stat().st_mtime_ns
    path.write_bytes(b"x" * len(CONTENT))
    os.utime(path, ns=(when, when))
    assert download_weights(vgg16).read_bytes() == b"x" * len(CONTENT)  # same size and time: not read again
    os.utime(path, ns=(when, when + 1))
    assert download_weights(vgg16).read_bytes() == CONTENT
    assert "vgg16.pth is corrupt: expected sha256" in caplog.text
    path.write_bytes(b"x" * len(CONTENT))
    assert obtain_weights(vgg16, tmp_path / "cache").read_bytes() == CONTENT


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"path": "/nothing"}', '{"path": 5}'])
def test_a_broken_record_of_verification_is_ignored(site, vgg16, record):
    site.serve("/first/vgg16.pth", CONTENT)
    path = download_weights(vgg16)
    path.with_name("vgg16.pth.checked").write_text(record)
    assert download_weights(vgg16) == path


def test_a_record_of_verification_is_valid_for_one_hash(site, vgg16):
    site.serve("/first/vgg16.pth", CONTENT)
    download_weights(vgg16)
    with pytest.raises(DownloadError, match="expected sha256 00000000, got"):
        download_weights(replace(vgg16, checksum=Checksum("sha256:00000000")))


@pytest.mark.parametrize(
    ("variable", "folder"),
    [
        ("TORCH_HOME", "hub/checkpoints"),
        ("XDG_CACHE_HOME", "torch/hub/checkpoints"),
        ("HOME", ".cache/torch/hub/checkpoints"),
    ],
)
def test_a_file_in_the_cache_of_torch_hub_is_used(site, vgg16, tmp_path, monkeypatch, variable, folder):
    monkeypatch.setenv(variable, str(tmp_path / "other"))
    path = write(tmp_path / "other" / folder / "vgg16.pth")
    assert download_weights(vgg16) == path
    assert not site.requests and not list(tmp_path.glob("cache/**/vgg16.pth"))


@pytest.mark.parametrize(("variable", "folder"), [("KERAS_HOME", "models"), ("HOME", ".keras/models")])
def test_a_file_in_the_cache_of_keras_is_used(tmp_path, monkeypatch, variable, folder):
    monkeypatch.setenv(variable, str(tmp_path / "other"))
    keras = replace(find_published("vgg16.keras"), checksum=Checksum(SHA256))
    path = write(tmp_path / "other" / folder / keras.file)
    assert download_weights(keras) == path


def test_a_wrong_file_in_the_cache_of_torch_hub_is_ignored_and_kept(site, vgg16, home, caplog):
    path = write(home / ".cache" / "torch" / "hub" / "checkpoints" / "vgg16.pth", b"truncated")
    site.serve("/first/vgg16.pth", CONTENT)
    assert download_weights(vgg16) != path
    assert path.read_bytes() == b"truncated" and f"ignoring {path}: expected about" in caplog.text


@pytest.mark.parametrize("variable", ["HF_HUB_CACHE", "HF_HOME"])
def test_a_file_in_the_cache_of_hugging_face_is_verified_by_its_blob_name(tmp_path, monkeypatch, variable):
    monkeypatch.setenv(variable, str(tmp_path / "hf"))
    root = tmp_path / "hf" / ("" if variable == "HF_HUB_CACHE" else "hub") / "models--timm--vgg11.tv_in1k"
    blob = write(root / "blobs" / SHA256)
    link = root / "snapshots" / "b8d8aa2d" / "model.safetensors"
    link.parent.mkdir(parents=True)
    link.symlink_to(blob)
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    assert download_weights("vgg11.tv_in1k") == link
    blob.write_bytes(b"truncated")
    with pytest.raises(DownloadError, match="because VERYDEEP_OFFLINE is set"):
        download_weights("vgg11.tv_in1k")


def test_files_of_timm_are_verified_by_the_hash_that_the_hub_states(site, monkeypatch, caplog):
    monkeypatch.setenv("HF_ENDPOINT", site.address)
    path = "/timm/vgg11.tv_in1k/resolve/main/model.safetensors"
    site.serve(path, status=302, location="/elsewhere", headers={"X-Linked-Etag": f'"{SHA256}"'})
    site.serve("/elsewhere", b"x" * len(CONTENT))
    with pytest.raises(DownloadError, match=f"expected sha256 {SHA256}, got"):
        download_weights("vgg11.tv_in1k")
    site.serve("/elsewhere", CONTENT)
    assert download_weights("timm/vgg11.tv_in1k").read_bytes() == CONTENT


def test_a_mirror_is_a_copy_of_a_cache(site, vgg16, monkeypatch):
    monkeypatch.setenv("VERYDEEP_MIRROR", f"{site.address}class")
    site.serve("/class/weights/vgg16.imagenet1k_v1/vgg16.pth", CONTENT)
    assert download_weights(vgg16).read_bytes() == CONTENT
    assert len(site.requests) == 1


def test_offline_mode_names_the_folder_for_a_manual_download(monkeypatch, caplog, tmp_path):
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


def test_an_unknown_name_is_refused():
    with pytest.raises(CheckpointError, match="Did you mean"):
        download_weights("vgg61")


@pytest.mark.network
@pytest.mark.slow
def test_the_published_resnet18_is_downloaded():
    """The smallest file of the catalog."""
    try:
        path = download_weights("resnet18")
    except DownloadError as error:
        if "no response" not in str(error):  # a wrong response is a failure
            raise
        pytest.skip("download.pytorch.org cannot be reached from here")
    assert path.stat().st_size == 46_830_571
