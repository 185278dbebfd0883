"""The distribution without torch is the same package, with a part of the same dependencies."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def project(folder):
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_runtime_has_the_version_and_the_ranges_of_the_package():
    package, runtime = project("."), project("packaging/runtime")
    assert runtime["version"] == package["version"]
    assert runtime["requires-python"] == package["requires-python"]
    assert set(runtime["dependencies"]) < set(package["dependencies"])
    for extra, libraries in runtime["optional-dependencies"].items():
        assert set(libraries) <= set(package["optional-dependencies"][extra])


def test_the_runtime_leaves_out_torch():
    assert not any(
        each.startswith(("torch", "lightning")) for each in project("packaging/runtime")["dependencies"]
    )


def test_the_description_is_for_readers_of_the_package_index():
    for folder in (".", "packaging/runtime"):
        text = (ROOT / folder / project(folder)["readme"]).read_text(encoding="utf-8")
        assert "pip install 'verydeep" in text and "not on PyPI" not in text
        assert all(target.startswith("https://") for target in re.findall(r"\]\((.*?)\)", text))


def test_both_distributions_have_the_license():
    assert project(".")["license-files"] == project("packaging/runtime")["license-files"] == ["LICENSE"]
    assert (ROOT / "packaging/runtime/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
