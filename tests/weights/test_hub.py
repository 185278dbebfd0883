"""Checkpoints are pushed and pulled, with the real huggingface_hub and a local server with its API."""

import sys

import pytest
import torch
from safetensors.torch import save_file

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError, HubError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.report.model_card import model_card
from verydeep.weight_files.checkpoint_file import load, save
from verydeep.weights.hub import pull, push

pytest.importorskip("huggingface_hub")
NET = Architecture.from_string("8 M (8 8) | gap 6", "tiny", norm="batch", input=(1, 8, 8), classes=2)


@pytest.fixture
def run(tmp_path):
    torch.manual_seed(0)
    preprocess = Preprocess(size=8, channels=1, mean=(0.3,), std=(0.2,))
    save(
        Checkpoint(build(NET), preprocess, ("cat", "dog"), {"data": "pets"}),
        tmp_path / "run/model.safetensors",
    )
    return tmp_path / "run"


@pytest.fixture
def logged_in(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)


def test_a_pushed_checkpoint_is_pulled(hub, logged_in, run):
    pushed = push(run, "# A card\n", "user/pets")
    assert (pushed.repo, pushed.url) == ("user/pets", f"{hub.address}/user/pets")
    assert len(pushed.commit) == 40 and not pushed.private
    assert hub.content("user/pets", "README.md") == b"# A card\n"
    assert hub.content("user/pets", "model.safetensors") == (run / "model.safetensors").read_bytes()
    before, after = load(run), load(pull("user/pets"))
    assert after.classes == ("cat", "dog") and after.preprocess == before.preprocess
    images = torch.randn(2, 1, 8, 8)
    assert torch.equal(before.model(images), after.model(images))


def test_a_second_push_replaces_the_first(hub, logged_in, run):
    push(run, "# One\n", "user/pets")
    push(run / "model.safetensors", "# Two\n", "user/pets")
    assert hub.content("user/pets", "README.md") == b"# Two\n"


def test_a_private_repository_needs_a_login(hub, logged_in, run, monkeypatch):
    assert push(run, "# A card\n", "user/pets", private=True).private
    assert hub.private == {"user/pets"}
    assert pull("user/pets").is_file()
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match=r"user/pets does not exist\. Log in with `hf auth login`"):
        push(run, "# A card\n", "user/pets")


def test_a_private_push_to_a_public_repository_is_refused(hub, logged_in, run):
    push(run, "# A card\n", "user/pets")
    with pytest.raises(HubError, match="user/pets is already public"):
        push(run, "# A secret\n", "user/pets", private=True)
    assert hub.content("user/pets", "README.md") == b"# A card\n"


def test_a_refusal_of_the_hub_is_an_error_with_the_next_step(hub, logged_in, run, monkeypatch):
    with pytest.raises(HubError, match=r"may not use other/pets\. Give a repository of your own"):
        push(run, "# A card\n", "other/pets")
    with pytest.raises(HubError, match=r"has no user/nothing with a model\.safetensors"):
        pull("user/nothing")
    hub.put("user/words", "README.md", b"no tensors")
    with pytest.raises(HubError, match=r"has no user/words with a model\.safetensors"):
        pull("user/words")
    with pytest.raises(HubError, match="is not a repository name; expected user/name"):
        pull("a/b/c")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="you are not logged in"):
        pull("user/nothing")


def test_a_revision_that_does_not_exist_is_named(hub, logged_in, run):
    push(run, "# A card\n", "user/pets")
    with pytest.raises(HubError, match=r"user/pets on .* has no revision 'v2'\. Give a branch"):
        pull("user/pets", revision="v2")


def test_a_compact_file_is_not_pushed_and_the_next_step_is_named(hub, logged_in, run):
    save(load(run), run / "model.vdz")
    (run / "model.safetensors").unlink()
    for given in (run, run / "model.vdz"):
        with pytest.raises(CheckpointError, match=r"weights import \S+/model\.vdz --out NEW\.safetensors$"):
            push(given, "# A card\n", "user/pets")
    assert not hub.repos


def test_weights_of_another_project_are_not_a_checkpoint(hub, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign")
    hub.put("user/foreign", "model.safetensors", (tmp_path / "foreign").read_bytes())
    with pytest.raises(
        CheckpointError, match=r"user/foreign does not hold a verydeep checkpoint: .*without an architecture"
    ):
        pull("user/foreign")


def test_a_broken_checkpoint_is_not_pushed(hub, logged_in, run):
    file = run / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="is broken"):
        push(run, "# A card\n", "user/pets")
    assert not hub.repos


def test_a_failed_upload_is_an_error(hub, logged_in, run):
    hub.takes_uploads = False
    with pytest.raises(HubError, match=r"answered 400 for user/pets\. Try again later"):
        push(run, "# A card\n", "user/pets")
    assert hub.repos == {"user/pets": {}}


def test_a_server_without_xet_is_an_error_with_the_next_step(hub, logged_in, run, monkeypatch):
    pytest.importorskip("hf_xet")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    with pytest.raises(HubError, match=r"was lost: .*404.*HF_HUB_DISABLE_XET=1"):
        push(run, "# A card\n", "user/pets")


def test_an_unreachable_hub_is_an_error_on_push(hub, run, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(HubError, match=r"http://127\.0\.0\.1:1 did not answer: .*refused"):
        push(run, "# A card\n", "user/pets")


def test_an_unreachable_hub_is_an_error_on_pull(hub, run, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)  # between its six tries
    with pytest.raises(HubError, match=r"Could not download user/pets from http://127\.0\.0\.1:1"):
        pull("user/pets")


def test_offline_mode_uses_the_cache(hub, logged_in, run, monkeypatch):
    push(run, "# A card\n", "user/pets")
    path = pull("user/pets")
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    hub.repos.clear()
    assert pull("user/pets") == path
    with pytest.raises(HubError, match=r"user/dogs .*VERYDEEP_OFFLINE is set, and it is not cached"):
        pull("user/dogs")
    with pytest.raises(HubError, match=r"user/pets is not pushed to .* because VERYDEEP_OFFLINE is set"):
        push(run, "# A card\n", "user/pets")


def test_without_huggingface_hub_the_extra_is_named(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubError, match=r"pip install 'verydeep\[hub\]'"):
        pull("user/pets")


def test_the_hub_reads_the_metadata_of_the_card(hub, logged_in, run):
    from huggingface_hub import ModelCard

    push(run, model_card(load(run), "user/pets", "mit"), "user/pets")
    card = ModelCard(hub.content("user/pets", "README.md").decode())
    assert card.data.license == "mit" and card.data.pipeline_tag == "image-classification"
