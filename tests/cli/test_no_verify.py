"""``--no-verify`` in each command that uses a checkpoint: altered tensors are refused without it."""

import shlex
from dataclasses import replace

import pytest

from verydeep.cli.main import app
from verydeep.weight_files.checkpoint_file import load, save

COMMANDS = {
    "predict": "predict {file} {image}",
    "evaluate": "evaluate {file} {folder}",
    "explain": "explain {file} {image} --out {out}",
    "embed": "embed {file} {image} --out {out}/vectors.npz",
    "similar": "similar {file} {folder} {image}",
    "weights import": "weights import {file} --out {out}/new.safetensors",
    "weights export": "weights export {file} --as torchvision --out {out}/new.pth",
}


@pytest.fixture(scope="module")
def altered(tiny, shapes, tmp_path_factory):
    """A checkpoint for the classes of ``shapes`` with one bit of a tensor changed since it was saved."""
    path = tmp_path_factory.mktemp("altered") / "altered network.safetensors"
    save(replace(load(tiny), classes=tuple(sorted(folder.name for folder in shapes.iterdir()))), path)
    content = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    content[(start + len(content)) // 2 // 4 * 4] ^= 1
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_altered_tensors_are_refused_unless_no_verify_is_given(here, altered, shapes, tmp_path, command):
    image = next(shapes.rglob("*.png"))
    values = {"file": altered, "image": image, "folder": shapes, "out": tmp_path / "out"}
    arguments = [part.format(**values) for part in command.split()]
    refused = here(*arguments)
    assert refused.returncode == 2 and "the bytes of its tensors are not those" in refused.stderr
    accepted = here(*arguments, "--no-verify")
    if "export" in command:  # no other project has the network
        assert "the bytes of its tensors" not in accepted.stderr and "torchvision has" in accepted.stderr
    else:
        assert accepted.returncode == 0, accepted.stderr


def test_an_imported_file_has_the_checksum_of_the_changed_tensors(here, altered, tmp_path):
    refused = here("evaluate", altered, "synthetic")
    command = ["verydeep", "weights", "import", str(altered), "--no-verify", "--out", "NEW.safetensors"]
    assert shlex.join(command) in refused.stderr
    here("weights", "import", altered, "--no-verify", "--out", tmp_path / "new.safetensors")
    new = load(tmp_path / "new.safetensors").model.state_dict()
    assert all(
        (new[name] == value).all() for name, value in load(altered, verify=False).model.state_dict().items()
    )


def test_the_flag_is_one_and_the_same():
    helps = set()
    for command in COMMANDS:
        parsed = app
        for name in command.split():
            parsed = parsed[name]
        arguments = parsed.assemble_argument_collection(parse_docstring=True)
        (flag,) = [each for each in arguments if each.name == "--no-verify"]
        helps.add(flag.parameter.help)
    assert len(helps) == 1
