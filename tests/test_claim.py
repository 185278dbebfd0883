"""Two processes do not write to one place; a claim ends with its process."""

import signal
import subprocess
import sys

import pytest

from verydeep.claim import claim_file, claim_folder, is_in_use, remove_dead_claims
from verydeep.errors import InUseError

HOLDS = """
import pathlib, sys, time
from verydeep import claim
with getattr(claim, f"claim_{sys.argv[1]}")(pathlib.Path(sys.argv[2])):
    print("claimed", flush=True)
    time.sleep(60)
"""


def claim(kind, path):
    return claim_folder(path) if kind == "folder" else claim_file(path)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_claim_holds_until_its_process_is_killed(tmp_path, kind):
    path = tmp_path / "out"
    with subprocess.Popen([sys.executable, "-c", HOLDS, kind, path], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"claimed\n"
        with pytest.raises(InUseError, match=f"another process is writing to {path}"), claim(kind, path):
            pass
        process.send_signal(signal.SIGKILL)
    with claim(kind, path):
        pass
    assert [file.name for file in tmp_path.iterdir()] == (["out"] if kind == "folder" else [])


def test_claims_of_killed_processes_are_removed_and_others_stay(tmp_path):
    command = [sys.executable, "-c", HOLDS, "file"]
    with subprocess.Popen([*command, tmp_path / "dead"], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    (tmp_path / ".hidden").touch()
    with claim_file(tmp_path / "held"), claim_folder(tmp_path):
        remove_dead_claims(tmp_path)
        assert {file.name for file in tmp_path.iterdir()} == {".held.lock", ".hidden", ".lock"}


def test_a_claim_leaves_only_what_was_written(tmp_path):
    with claim_folder(tmp_path / "new" / "run"):
        assert is_in_use(tmp_path / "new" / "run")
    with claim_file(tmp_path / "new" / "file.csv"):
        pass
    assert not list(tmp_path.iterdir())
    with claim_folder(tmp_path / "new" / "run"):
        (tmp_path / "new" / "run" / "file").touch()
    assert [file.name for file in (tmp_path / "new" / "run").iterdir()] == ["file"]
    assert not is_in_use(tmp_path / "new" / "run")


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as caught, claim_folder(tmp_path / "file" / "run"):
        pass
    assert caught.value.filename == str(tmp_path / "file" / "run")
