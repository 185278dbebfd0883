"""``verydeep info`` and ``verydeep cache`` as a user calls them."""

import io
import json
import subprocess
import sys

import pytest

from verydeep.number_format import SPACE

from ..cache.conftest import NETWORK, root

__all__ = ["root"]


def test_the_information_is_text_or_json(here):
    text, values = here("info"), here("info", "--json")
    assert text.returncode == values.returncode == 0
    assert {"verydeep:", "Python:", "PyTorch:", "GPU:", "cache:"} <= set(text.stdout.split())
    assert json.loads(values.stdout)["torch"].startswith("2.")


def test_nothing_that_computes_is_imported():
    code = (
        "import sys; from verydeep.info import accelerator; accelerator.CPU_BUILD = ''; "  # every version
        "from verydeep.cli.main import main; assert main(['info']) == 0; "
        "assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.fixture
def cache(here, root, monkeypatch):
    """``verydeep cache`` on the folder ``root``."""
    monkeypatch.setenv("VERYDEEP_CACHE", str(root))
    return lambda *arguments: here("cache", *arguments)


def test_the_list_has_what_size_and_last_use(cache, root):
    lines = cache("list").stdout.replace(SPACE, " ").splitlines()
    assert lines[0].split() == ["Cache", str(root)]
    (row,) = [line.split() for line in lines if "cifar10" in line]
    assert row[:4] == ["data", "cifar10", "3.00", "kB"] and len(row[4]) == len("2026-01-01")
    assert any("fashion-mnist" in line and "unfinished download" in line for line in lines)
    assert "4 files or links, 26 bytes, that are not from verydeep" in " ".join(" ".join(lines).split())


def test_the_list_as_json(cache):
    values = json.loads(cache("list", "--json").stdout)
    assert values["bytes"] == 5690 and values["others"] == {"files": 4, "bytes": 26}
    (weights,) = [entry for entry in values["entries"] if entry["kind"] == "weights"]
    assert (weights["name"], weights["bytes"], weights["files"]) == ("vgg16.imagenet1k_v1", 2100, 2)


def test_without_a_terminal_nothing_is_removed_unless_yes_is_given(cache, root, monkeypatch):
    refused = cache("clear", "weights")
    assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1 and "--yes" in refused.stderr
    assert (root / "weights/vgg16.imagenet1k_v1/vgg16-397923af.pth").exists()
    done = cache("clear", "weights", "--yes")
    assert done.returncode == 0 and done.stdout.replace(SPACE, " ").startswith("Freed 2.10 kB in ")
    assert cache("clear", "weights", "--yes").stderr.startswith("Nothing to remove in ")


@pytest.mark.parametrize(
    ("answer", "is_removed"), [("y\n", True), ("Yes\n", True), ("\n", False), ("", False)]
)
def test_on_a_terminal_the_question_says_what_is_removed(cache, root, monkeypatch, answer, is_removed):
    stdin = io.StringIO(answer)
    stdin.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", stdin)
    done = cache("clear", "features", "leftovers")
    asked = done.stderr.replace(SPACE, " ")
    assert f"features {NETWORK}: 500 bytes" in asked and "Remove 2 entries, 540 bytes, from " in asked
    assert done.returncode == 0
    assert (root / "features" / NETWORK).exists() is not is_removed


def test_a_mistake_is_one_line(cache):
    for arguments in (["nonsense"], ["--older-than", "30"]):
        done = cache("clear", *arguments)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_removing_as_json(cache):
    values = json.loads(cache("clear", "cifar10", "--yes", "--json").stdout)
    assert values["freed_bytes"] == 3000 and values["kept"] == []
    assert [entry["name"] for entry in values["removed"]] == ["cifar10"]


def test_an_empty_cache_is_said_to_be_empty(here):
    assert here("cache", "list").stderr.rstrip().endswith("is empty")
