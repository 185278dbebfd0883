"""Chromium for the tests of web pages, and onnxruntime-web; what is missing skips the tests that need it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

ORT_DIST = Path("node_modules/onnxruntime-web/dist")
ORT_PACKAGE = "onnxruntime-web@1.30.0"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser():
    """A Chromium of the system, with a camera that films a test pattern; none is downloaded."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium in PATH")
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *camera])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def ort(request, tmp_path_factory):
    """The folder dist of onnxruntime-web: VERYDEEP_ORT, or installed by npm once, into pytest's cache."""
    if "VERYDEEP_ORT" in os.environ:
        return Path(os.environ["VERYDEEP_ORT"])
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("onnxruntime-web") if cache else tmp_path_factory.mktemp("onnxruntime-web")
    installed = folder / ORT_PACKAGE
    with FileLock(folder / "lock"):  # of the test processes, one installs
        if not (installed / "node_modules/.package-lock.json").is_file():  # written by npm at its end
            _npm_install(installed)
    return installed / ORT_DIST


def _npm_install(folder):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm to install onnxruntime-web; VERYDEEP_ORT may name its folder dist")
    # No package runs code of its own while it is installed; no retries, for a computer that is offline.
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--fetch-retries=0"]
    command = [npm, "install", "--prefix", str(folder), *flags, ORT_PACKAGE]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm cannot install {ORT_PACKAGE}: {(error.stderr or b'no answer').decode()[-300:]}")
