"""The folder of the live page: what is in it, and what it refuses."""

import json
import re
import subprocess
import sys
import zipfile

import pytest

from .modules import LIVE, build


@pytest.mark.network
def test_the_folder_has_all_modules_and_the_license_of_each(live_folder):
    with zipfile.ZipFile(live_folder / "app.zip") as archive:
        names = archive.namelist()
    folders = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert folders == {"jinja2", "live_page.py", "markupsafe", "rich", "verydeep"}
    assert not [name for name in names if name.endswith((".so", ".pyc"))]
    licenses = {file.stem for file in (live_folder / "licenses").iterdir() if file.stat().st_size > 1000}
    assert licenses == {"jinja2", "markupsafe", "pyodide", "python", "rich", "verydeep"}


@pytest.mark.network
def test_the_sizes_on_the_page_are_those_of_the_files(live_folder):
    started = json.loads((live_folder / "start.json").read_text())
    assert started["python"].startswith(build.PYTHON) and started["pyodide"] == build.PYODIDE
    assert started["fetched"] == sum((live_folder / name).stat().st_size for name in build.FETCHED)
    assert (
        started["compressed"]
        < started["bytes"]
        == started["fetched"]
        + sum((live_folder / name).stat().st_size for name in build.RUNTIME if name not in build.FETCHED)
    )


@pytest.mark.network
def test_the_sizes_in_the_docs_are_those_of_the_files(live_folder):
    page = (LIVE.parent / "live.md").read_text("utf-8")
    rows = re.findall(r"^\| ([^|]*`[^|]*) \| ([\d.]+) \|", page, re.MULTILINE)
    assert len(rows) == 4
    for files, megabytes in rows:
        size = sum((live_folder / name).stat().st_size for name in re.findall(r"`([\w.-]+)`", files))
        assert size / 1e6 == pytest.approx(float(megabytes), abs=0.05), files


@pytest.mark.network
def test_two_builds_are_equal_and_the_second_replaces_the_first(live_folder, downloads, tmp_path):
    (tmp_path / "start.json").write_text("{}")
    (tmp_path / "old.js").write_text("")
    build.build(tmp_path, downloads)
    files = [{file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
             for folder in (live_folder, tmp_path)]  # fmt: skip
    assert files[0] == files[1]


def test_a_folder_with_other_files_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years")
    arguments = [sys.executable, str(LIVE / "build.py"), str(tmp_path)]
    failed = subprocess.run(arguments, capture_output=True, text=True)
    assert failed.returncode == 1
    assert (
        failed.stderr
        == f"Error: {tmp_path} holds other files than a live page; name an empty or a new folder\n"
    )
    assert (tmp_path / "thesis.txt").exists()


def test_a_download_with_another_hash_is_refused_and_deleted(tmp_path):
    (package := tmp_path / f"pyodide-{build.PYODIDE}.tgz").write_bytes(b"another package")
    with pytest.raises(build.BuildError, match="another hash"):
        build.pyodide_package(tmp_path)
    assert not package.exists()


def test_without_npm_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(build.MissingDownload, match=r"there is no npm, .* install Node\.js"):
        build.pyodide_package(tmp_path / "cache")
