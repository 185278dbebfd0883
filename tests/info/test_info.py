"""What a bug report says of the installation, and what it must not say of its user."""

import json
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from verydeep import distribution
from verydeep.info import accelerator, info, private_text, versions
from verydeep.info.accelerator import Accelerator, find_accelerator
from verydeep.info.info import read_info
from verydeep.info.private_text import public_path
from verydeep.info.versions import Library, libraries
from verydeep.number_format import SPACE
from verydeep.tables.info_table import info_text


@pytest.fixture
def installed(monkeypatch):
    """Metadata of the given packages, and of no others."""

    def installed(packages, requirements=()):
        def version(name):
            if name not in packages:
                raise PackageNotFoundError(name)
            return packages[name]

        monkeypatch.setattr(versions, "version", version)
        monkeypatch.setattr(versions, "requires", lambda name: list(requirements))

    return installed


def test_each_library_has_its_version_or_is_absent_and_those_of_developers_are_left_out(installed):
    installed(
        {"numpy": "2.1.0", "h5py": "3.16.0"},
        ["numpy>=2.0", "h5py>=3.10; extra == 'weights'", 'onnx>=1.17; extra == "weights"',
         "pytest>=8.2; extra == 'test'", "keras<4,>=3.8; extra == 'parity'"],
    )  # fmt: skip
    assert libraries() == (
        Library("numpy", "2.1.0"),
        Library("h5py", "3.16.0", "weights"),
        Library("onnx", None, "weights"),
    )


def test_it_runs_from_a_source_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(distribution, "NAMES", ())
    assert "verydeep:  not installed, in " in info_text(read_info())
    assert read_info().libraries == ()


def test_the_distribution_without_torch_is_named(monkeypatch):
    shown = replace(read_info(), distribution="verydeep-runtime", verydeep="0.1.0")
    assert "verydeep-runtime: 0.1.0, in " in info_text(shown)


def test_a_torch_for_the_cpu_is_not_imported(installed, monkeypatch):
    installed({"torch": "2.13.0+cpu"})
    monkeypatch.setattr(accelerator, "_accelerator_of_torch", lambda: pytest.fail("torch is imported"))
    monkeypatch.setattr(accelerator, "computes_bf16", lambda: True)
    assert find_accelerator() == Accelerator(device="cpu", bf16=True)


def test_a_torch_that_cannot_be_imported_is_stated(installed, monkeypatch):
    installed({"torch": "2.13.0"})
    monkeypatch.setitem(sys.modules, "torch", None)
    found = find_accelerator()
    assert found.device == "cpu" and found.problem.startswith("ModuleNotFoundError: ")
    monkeypatch.setattr(info, "find_accelerator", lambda: found)
    assert found.problem in info_text(read_info())


def test_the_reason_of_a_broken_torch_does_not_name_the_user(installed, monkeypatch, tmp_path):
    home = tmp_path / "anna"
    (home / "lib" / "torch").mkdir(parents=True)
    message = f"{home}/lib/torch/libtorch.so: no /data/anna/libc.so of anna."
    (home / "lib" / "torch" / "__init__.py").write_text(f"raise ImportError({message!r})")
    installed({"torch": "2.13.0"})
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(private_text, "getuser", lambda: "anna")
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.syspath_prepend(home / "lib")
    assert find_accelerator().problem == (
        "ImportError: ~/lib/torch/libtorch.so: no /data/USER/libc.so of USER."
    )


def test_a_gpu_is_named_with_its_memory_and_cuda(installed, monkeypatch):
    installed({"torch": "2.13.0+cu130"})
    gpu = type("Properties", (), {"name": "NVIDIA H100", "total_memory": 80 * 10**9})
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda *, including_emulation: True)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda device: gpu)
    monkeypatch.setattr("torch.version.cuda", "13.0")
    found = find_accelerator()
    assert found == Accelerator(
        device="cuda", gpu="NVIDIA H100", gpu_memory=80 * 10**9, cuda="13.0", bf16=True
    )
    monkeypatch.setattr(info, "find_accelerator", lambda: found)
    text = info_text(read_info()).replace(SPACE, " ")
    assert "NVIDIA H100, 80.0 GB" in text and "2.13.0+cu130, built with CUDA 13.0" in text


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/home/anna/.cache/verydeep", "~/.cache/verydeep"),
        ("/home/anna", "~"),
        ("/data/anna/cache", "/data/USER/cache"),
        ("/scratch/annabel/cache", "/scratch/annabel/cache"),
        ("/data/cache", "/data/cache"),
    ],
)
def test_a_path_does_not_name_its_user(monkeypatch, path, shown):
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setattr(private_text, "getuser", lambda: "anna")
    assert public_path(Path(path)) == shown


def test_nothing_private_is_in_the_text_or_in_json(monkeypatch, tmp_path):
    home = tmp_path / "home" / "anna"
    (home / ".cache/verydeep/data").mkdir(parents=True)
    (home / ".cache/verydeep/data/file").write_bytes(bytes(2000))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "anna")
    monkeypatch.delenv("VERYDEEP_CACHE", raising=False)
    for name in ("HF_TOKEN", "VERYDEEP_MIRROR", "https_proxy", "HF_ENDPOINT"):
        monkeypatch.setenv(name, "http://user:secret@host")
    found = read_info()
    text, values = info_text(found), json.dumps(found.values)
    for shown in (text, values):
        assert "anna" not in shown and "secret" not in shown
    assert f"~/.cache/verydeep, 2.00{SPACE}kB" in text
    assert found.values["cache_bytes"] == 2000
