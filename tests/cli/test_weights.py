"""``verydeep weights``: list, get, push and pull, with a local server in place of the hub or a mirror."""

import hashlib
import json

import pytest

CONTENT = b"not quite the weights " * 20_000
HUB = {"X-Linked-Etag": f'"{hashlib.sha256(CONTENT).hexdigest()}"', "X-Linked-Size": str(len(CONTENT))}
VGG11 = "/timm/vgg11.tv_in1k/resolve/main/model.safetensors"


@pytest.fixture
def local_site(tmp_path, site):
    """Environment variables for an empty home folder, and the local server as hub and mirror."""
    return {
        "HOME": str(tmp_path / "home"), "VERYDEEP_CACHE": str(tmp_path / "cache"), "HF_HOME": "",
        "HF_HUB_CACHE": "", "XDG_CACHE_HOME": "", "TORCH_HOME": "", "KERAS_HOME": "",
        "HF_ENDPOINT": site.address, "VERYDEEP_MIRROR": f"{site.address}mirror",
    }  # fmt: skip


def test_list_shows_every_row(verydeep):
    rows = {row["name"]: row for row in json.loads(verydeep("weights", "list", "--json").stdout)}
    assert len(rows) == 38
    assert rows["vgg16.imagenet1k_v1"]["top1"] == 0.71592 and rows["vgg16.imagenet1k_v1"]["license"] is None
    shown = verydeep("weights", "list").stdout
    assert all(f"{name} " in shown for name in rows)
    assert "71.27\N{NO-BREAK SPACE}%" in shown and "CC BY" in shown


def test_get_downloads_once_and_prints_the_path(verydeep, site, local_site, tmp_path):
    site.serve(VGG11, status=302, location="/elsewhere", headers=HUB)
    site.serve("/elsewhere", CONTENT)
    got = verydeep("weights", "get", "timm/vgg11.tv_in1k", **local_site)
    path = tmp_path / "cache" / "weights" / "vgg11.tv_in1k" / "model.safetensors"
    assert (got.returncode, got.stdout) == (0, f"{path}\n"), got.stderr
    assert path.read_bytes() == CONTENT
    assert "license: BSD-3-Clause" in got.stderr and "checksum: not stated" in got.stderr
    requests = len(site.requests)
    values = json.loads(verydeep("weights", "get", "vgg11.tv_in1k", "--json", **local_site).stdout)
    assert values["path"] == str(path) and values["architecture"] == "vgg11"
    assert len(site.requests) == requests


@pytest.mark.parametrize("out", ["mine.safetensors", ".", "clothes-v1.0"])
def test_get_copies_to_a_file_or_folder(verydeep, site, local_site, tmp_path, out):
    site.serve(VGG11, CONTENT, headers=HUB)
    got = verydeep("weights", "get", "vgg11.tv_in1k", "--out", out, cwd=tmp_path, **local_site)
    expected = tmp_path / (out if out == "mine.safetensors" else f"{out}/model.safetensors")
    assert got.returncode == 0 and expected.read_bytes() == CONTENT
    assert verydeep("weights", "get", "vgg11.tv_in1k", "--out", expected, **local_site).returncode == 0
    expected.write_bytes(b"mine")
    refused = verydeep("weights", "get", "vgg11.tv_in1k", "--out", out, cwd=tmp_path, **local_site)
    assert refused.returncode == 2 and "already exists; give another file or folder" in refused.stderr
    assert expected.read_bytes() == b"mine"


@pytest.mark.parametrize("command", ["get vgg16.keras_notop", "pull user/pets"])
@pytest.mark.parametrize("out", ["model.safetensors", "folder"])
def test_another_file_at_the_target_is_refused_before_the_download(here, tmp_path, monkeypatch, command, out):
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")  # a download would be another message
    (tmp_path / "folder").mkdir()
    files = ("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "model.safetensors")
    for file in (tmp_path / "model.safetensors", *(tmp_path / "folder" / name for name in files)):
        file.write_bytes(b"mine")
    refused = here("weights", *command.split(), "--out", tmp_path / out)
    assert refused.returncode == 2 and "already exists; give another file or folder" in refused.stderr


@pytest.mark.parametrize(
    ("name", "content", "environment", "message"),
    [
        ("vgg61", None, {}, "no published weights with the name 'vgg61'. Did you mean vgg1"),
        ("vgg16.keras_notop", b"\0" * 58_889_256, {}, "expected md5 6d6bbae143d832006294945121d1f1fc, got"),
        ("vgg16.keras_notop", b"truncated", {}, "expected 58,889,256 bytes, the server has 9"),
        ("vgg16.keras_notop", None, {}, "the server answered 404 Not Found"),
        ("vgg16.keras_notop", None, {"VERYDEEP_OFFLINE": "1"}, "because VERYDEEP_OFFLINE is set"),
    ],
)
def test_a_failed_download_is_one_message_and_exits_with_2(
    verydeep, site, local_site, name, content, environment, message
):
    if content is not None:
        file = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
        site.serve(f"/mirror/weights/{name}/{file}", content)
    unreachable = {"https_proxy": site.address, "no_proxy": "127.0.0.1"}  # for the published addresses
    failed = verydeep("weights", "get", name, **local_site, **unreachable, **environment)
    assert failed.returncode == 2 and not failed.stdout
    assert message in failed.stderr and "Traceback" not in failed.stderr
    if name != "vgg61":
        folder = f"{local_site['VERYDEEP_CACHE']}/weights/{name}"
        assert f"into {folder} yourself; their checksums are verified." in failed.stderr


@pytest.fixture
def with_hub(hub, tmp_path):
    """Environment variables for a login to the local hub, and an empty home folder."""
    return {
        "HF_ENDPOINT": hub.address, "HF_TOKEN": hub.token, "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1", "no_proxy": "127.0.0.1,localhost",
    }  # fmt: skip


def test_a_run_is_pushed_pulled_and_evaluated(verydeep, here, trained, hub, with_hub, tmp_path):
    arguments = ("user/shapes", "--private", "--license", "mit", "--json")
    pushed = verydeep("weights", "push", trained, *arguments, **with_hub)
    assert pushed.returncode == 0, pushed.stderr
    values = json.loads(pushed.stdout)
    assert list(values) == ["repo", "url", "commit", "private"]
    assert values["url"] == f"{hub.address}/user/shapes" and values["private"]
    card = hub.content("user/shapes", "README.md").decode()
    assert 'license: "mit"' in card and "trained on synthetic" in card and "top-1 on the test images" in card

    pulled = verydeep("weights", "pull", "user/shapes", "--out", "mine", cwd=tmp_path, **with_hub)
    assert (pulled.returncode, pulled.stdout) == (0, "mine/model.safetensors\n"), pulled.stderr
    evaluated = here("evaluate", "mine", "synthetic", "--json", cwd=tmp_path)
    assert json.loads(evaluated.stdout) == json.loads(here("evaluate", trained, "synthetic", "--json").stdout)


def test_pull_without_out_keeps_the_file_in_the_cache_of_the_hub(verydeep, trained, hub, with_hub, tmp_path):
    hub.put("user/shapes", "model.safetensors", (trained / "model.safetensors").read_bytes())
    values = json.loads(verydeep("weights", "pull", "user/shapes", "--json", **with_hub).stdout)
    assert values["repo"] == "user/shapes" and values["path"].startswith(str(tmp_path / "hf"))
    assert verydeep("weights", "pull", "user/shapes", **with_hub).stdout == f"{values['path']}\n"


def test_push_without_a_login_is_an_error_with_the_next_step(verydeep, trained, with_hub):
    failed = verydeep("weights", "push", trained, "user/shapes", **{**with_hub, "HF_TOKEN": ""})
    assert failed.returncode == 2 and "hf auth login" in failed.stderr and "Traceback" not in failed.stderr
