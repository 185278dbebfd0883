"""A folder whose files are not those that were exported is refused before a runtime reads them."""

import json
import shutil
from hashlib import sha256

import pytest
from PIL import Image

from verydeep.cli.main import main
from verydeep.errors import CheckpointError
from verydeep.export.export_bundle import ExportRequest, export_bundle
from verydeep.runtime import file_checksum
from verydeep.runtime.bundle import DESCRIPTION
from verydeep.runtime.exported_network import load_exported

from ..export.networks import NETWORKS, SIZE


@pytest.fixture(scope="module", params=["openvino", "ncnn"])
def exported(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("exported") / "bundle"
    export_bundle(NETWORKS["gap"](3), folder, ExportRequest(format=request.param, size=SIZE))
    return folder


@pytest.fixture
def bundle(exported, tmp_path):
    """A copy to damage, and the file of its weights."""
    folder = shutil.copytree(exported, tmp_path / "bundle")
    (weights,) = folder.glob("*.bin")
    return folder, weights


def changed(content):
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


def test_the_description_has_the_checksum_of_each_file(exported):
    files = json.loads((exported / DESCRIPTION).read_text(encoding="utf-8"))["export"]["files"]
    assert files.keys() | {DESCRIPTION} == {file.name for file in exported.iterdir()}
    for name, checksum in files.items():
        content = (exported / name).read_bytes()
        assert (checksum["bytes"], checksum["sha256"]) == (len(content), sha256(content).hexdigest())


@pytest.mark.parametrize("whole", [64_000_000, 0])  # all of the files, or some blocks of them
@pytest.mark.parametrize("what", [".bin", "layers"])
def test_a_changed_file_is_found(bundle, monkeypatch, whole, what):
    monkeypatch.setattr(file_checksum, "WHOLE_BYTES", whole)
    folder, weights = bundle
    load_exported(folder)
    layers = next(file for file in folder.iterdir() if file.suffix in (".xml", ".param"))
    file = weights if what == ".bin" else layers
    file.write_bytes(changed(file.read_bytes()))
    with pytest.raises(CheckpointError, match=rf"{file.name} is not the file that was exported"):
        load_exported(folder)


def test_a_truncated_and_a_missing_file_are_one_line_and_exit_code_2(bundle, tmp_path, capsys):
    folder, weights = bundle
    Image.new("RGB", (30, 30)).save(tmp_path / "a.png")
    weights.write_bytes(weights.read_bytes()[:-4])
    for words in ("it is incomplete", "is missing"):
        assert main(["predict", str(folder), str(tmp_path / "a.png")]) == 2
        error = " ".join(capsys.readouterr().err.replace("│", " ").split())
        assert weights.name in error and words in error and "Traceback" not in error
        weights.unlink(missing_ok=True)


def test_blocks_cover_the_start_and_the_end_of_a_large_file(tmp_path):
    file, block = tmp_path / "weights", file_checksum.BLOCK_BYTES
    content = bytearray(200 * block)
    checksums = set()
    for place in (None, 0, len(content) - 1, len(content) // 2):
        other = bytearray(content)
        if place is not None:
            end = min(len(content), place + 4 * block)
            other[place:end] = b"\x01" * (end - place)
        file.write_bytes(other)
        checksums.add(file_checksum.blocks_checksum(file))
    file.write_bytes(content + b"\x00")
    assert len(checksums | {file_checksum.blocks_checksum(file)}) == 5
