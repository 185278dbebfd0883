"""Checkpoints to a hub and back, through the real huggingface_hub and a server that speaks its language."""

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
from verydeep.weights.checkpoint_file import load, save
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


def test_what_was_pushed_is_pulled(hub, logged_in, run):
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


def test_a_private_repository_is_for_those_logged_in(hub, logged_in, run, monkeypatch):
    assert push(run, "# A card\n", "user/pets", private=True).private
    assert hub.private == {"user/pets"}
    assert pull("user/pets").is_file()
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(
        HubError, match=r"does not know you, or there is no user/pets\. Log in by `hf auth login`"
    ):
        push(run, "# A card\n", "user/pets")


def test_what_is_to_be_private_does_not_go_where_all_may_see_it(hub, logged_in, run):
    push(run, "# A card\n", "user/pets")
    with pytest.raises(HubError, match="user/pets is public already"):
        push(run, "# A secret\n", "user/pets", private=True)
    assert hub.content("user/pets", "README.md") == b"# A card\n"


def test_what_a_hub_refuses_is_told_with_the_next_step(hub, logged_in, run, monkeypatch):
    with pytest.raises(HubError, match=r"you may not use other/pets\. Give a repository of your own"):
        push(run, "# A card\n", "other/pets")
    with pytest.raises(HubError, match=r"has no user/nothing with a model\.safetensors"):
        pull("user/nothing")
    hub.put("user/words", "README.md", b"no tensors")
    with pytest.raises(HubError, match=r"has no user/words with a model\.safetensors"):
        pull("user/words")
    with pytest.raises(HubError, match="is no repository; expected user/name"):
        pull("a/b/c")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="does not know you"):
        pull("user/nothing")


def test_tensors_of_others_are_no_checkpoint(hub, tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "foreign")
    hub.put("user/foreign", "model.safetensors", (tmp_path / "foreign").read_bytes())
    with pytest.raises(
        CheckpointError, match=r"user/foreign holds no verydeep checkpoint: .*did not write it"
    ):
        pull("user/foreign")


def test_nothing_broken_is_pushed(hub, logged_in, run):
    file = run / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="is broken"):
        push(run, "# A card\n", "user/pets")
    assert not hub.repos


def test_an_upload_that_fails_is_told(hub, logged_in, run):
    hub.takes_uploads = False
    with pytest.raises(HubError, match=r"answered 400 for user/pets\. Try again later"):
        push(run, "# A card\n", "user/pets")
    assert hub.repos == {"user/pets": {}}


def test_a_server_that_knows_no_xet_is_told_with_the_next_step(hub, logged_in, run, monkeypatch):
    pytest.importorskip("hf_xet")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", False)
    with pytest.raises(HubError, match=r"broke off: .*404.*HF_HUB_DISABLE_XET=1"):
        push(run, "# A card\n", "user/pets")


def test_a_hub_that_is_not_there_is_told(hub, run, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(HubError, match=r"http://127\.0\.0\.1:1 gave no answer: .*refused"):
        push(run, "# A card\n", "user/pets")


@pytest.mark.slow  # huggingface_hub tries six times in 23 s
def test_a_hub_that_is_not_there_when_pulling_is_told(hub, run, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(HubError, match=r"user/pets could not be had from http://127\.0\.0\.1:1"):
        pull("user/pets")


def test_offline_the_hub_is_not_asked_and_the_cache_serves(hub, logged_in, run, monkeypatch):
    push(run, "# A card\n", "user/pets")
    path = pull("user/pets")
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    hub.repos.clear()
    assert pull("user/pets") == path
    with pytest.raises(HubError, match=r"user/dogs .*VERYDEEP_OFFLINE is set, and it is not cached"):
        pull("user/dogs")
    with pytest.raises(HubError, match="is not asked to take user/pets, because VERYDEEP_OFFLINE is set"):
        push(run, "# A card\n", "user/pets")


def test_without_the_library_its_extra_is_named(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubError, match=r"pip install 'verydeep\[hub\]'"):
        pull("user/pets")


def test_the_hub_finds_no_fault_in_the_head_of_the_card(hub, logged_in, run):
    from huggingface_hub import ModelCard

    push(run, model_card(load(run), "user/pets", "mit"), "user/pets")
    card = ModelCard(hub.content("user/pets", "README.md").decode())
    assert card.data.license == "mit" and card.data.pipeline_tag == "image-classification"
