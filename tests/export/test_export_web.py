"""The folder that `export --to web` writes; tests/web_page opens it in a browser."""

import json
from pathlib import Path

import pytest

from verydeep.cli.main import main
from verydeep.export.ort_files import ORT_FILES, ORT_PACKAGE
from verydeep.web_page.page_files import page_files
from verydeep.weight_files.checkpoint_file import save

from ..browser import PACKAGES
from ..web_page.conftest import CLASSES, checkpoint, photograph


@pytest.fixture
def fake_ort(tmp_path):
    """A folder with the names of onnxruntime-web's files, for tests that run no browser."""
    folder = tmp_path / "dist"
    folder.mkdir()
    for name in ORT_FILES:
        (folder / name).write_text("of another project")
    return folder


@pytest.mark.slow
def test_the_command_writes_a_folder_of_static_files(fake_ort, tmp_path, capsys):
    save(checkpoint(), run := tmp_path / "model.safetensors")
    page = tmp_path / "page"
    command = ["export", str(run), "--to", "web", "--ort", str(fake_ort), "--out", str(page), "--json"]
    assert main(command) == 0
    values = json.loads(capsys.readouterr().out)
    written = [path for path in page.rglob("*") if path.is_file()]
    assert (values["format"], values["bytes"]) == ("web", sum(path.stat().st_size for path in written))
    assert {str(path.relative_to(page)) for path in written} == {
        *page_files("browser"), "network.json", "model.onnx",
        *(f"ort/{name}" for name in ORT_FILES),
    }  # fmt: skip
    description = json.loads((page / "network.json").read_text())
    assert tuple(description["classes"]) == CLASSES
    assert description["temperature"] == 0.7
    photograph().convert("RGB").save(photo := tmp_path / "photo.png")
    assert main(["predict", str(page / "model.onnx"), str(photo)]) == 0
    for command in (
        ["predict", str(page), str(photo)],
        ["serve", str(page), "--port", "0"],
        ["bench", str(page)],
    ):
        capsys.readouterr()
        assert main(command) == 2
        assert f"give the network in it, {page / 'model.onnx'}" in capsys.readouterr().err
    assert main(["export", str(page), "--to", "onnx"]) == 2
    assert f"{page} is an exported network; give the run" in capsys.readouterr().err


def test_without_onnxruntime_web_the_message_says_how_to_get_it(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "not-read-yet.safetensors", "--to", "web", "--out", "page"]) == 2
    assert f"npm install {ORT_PACKAGE}" in " ".join(capsys.readouterr().err.split())
    assert not Path("page").exists()
    assert ORT_PACKAGE in PACKAGES


def test_bf16_is_refused_for_the_page_with_every_target(fake_ort, tmp_path, capsys):
    save(checkpoint(), run := tmp_path / "model.safetensors")
    arguments = ["export", str(run), "--to", "web", "--bf16", "--ort", str(fake_ort)]
    assert main([*arguments, "--out", str(tmp_path / "page")]) == 2
    error = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "web has no bf16. What there is: onnx: fp32, int8; openvino: fp32, bf16, int8; " in error
    assert "ncnn: fp32, bf16; torch: fp32; web: fp32, int8" in error


def test_ort_is_for_the_page_only(fake_ort, tmp_path, capsys):
    save(checkpoint(), run := tmp_path / "model.safetensors")
    assert main(["export", str(run), "--to", "onnx", "--ort", str(fake_ort)]) == 2
    assert "--ort is for --to web" in " ".join(capsys.readouterr().err.split())
