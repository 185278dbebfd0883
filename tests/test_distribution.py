"""The distribution that is installed: found by its metadata, and named in what is to be installed."""

import sys

import pytest

import verydeep
from verydeep.distribution import distribution_name, install_command
from verydeep.info.versions import Library, libraries


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An environment with the metadata of the distribution ``name`` alone."""

    def installed(name):
        folder = tmp_path / f"{name.replace('-', '_')}-0.1.0.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 0.1.0"]
        extra = 'Requires-Dist: onnxruntime>=1.20; extra == "onnx"'
        (folder / "METADATA").write_text("\n".join([*lines, "Requires-Dist: numpy>=2.0", extra, ""]))

    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return installed


@pytest.mark.parametrize("name", ["verydeep", "verydeep-runtime"])
def test_the_installed_one_is_named(installed, name):
    installed(name)
    assert distribution_name() == name
    assert install_command("serve") == f"pip install '{name}[serve]'"
    assert verydeep.__version__ == "0.1.0"
    assert libraries() == (Library("numpy", None), Library("onnxruntime", None, "onnx"))


def test_the_whole_package_goes_before_the_one_without_torch(installed):
    installed("verydeep-runtime")
    installed("verydeep")
    assert distribution_name() == "verydeep"


def test_a_package_that_is_run_from_its_source_has_no_distribution(installed):
    assert distribution_name() is None
    assert install_command("serve") == "pip install 'verydeep[serve]'"
    assert libraries() == ()
