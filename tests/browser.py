"""Chromium for the tests of web pages, and packages of npm; what is missing skips the tests that need it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

PACKAGES = ("onnxruntime-web@1.30.0", "axe-core@4.14.1")
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
def npm_packages(request, tmp_path_factory):
    """The folder node_modules with the JavaScript that tests need: installed once, into pytest's cache."""
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("npm") if cache else tmp_path_factory.mktemp("npm")
    installed = folder / "_".join(PACKAGES) / "node_modules"
    with FileLock(folder / "lock"):  # of the test processes, one installs
        if not (installed / ".package-lock.json").is_file():  # written by npm at its end
            _npm_install(installed.parent)
    return installed


@pytest.fixture(scope="session")
def ort(request):
    """The folder dist of onnxruntime-web, which VERYDEEP_ORT may name."""
    if "VERYDEEP_ORT" in os.environ:
        return Path(os.environ["VERYDEEP_ORT"])
    return request.getfixturevalue("npm_packages") / "onnxruntime-web/dist"


@pytest.fixture
def accessibility_faults(browser, npm_packages):
    """A function that opens an address, acts there, and gives the rules of WCAG that axe finds broken."""
    axe = (npm_packages / "axe-core/axe.min.js").read_text(encoding="utf-8")

    def found(address, act, scheme):
        context = browser.new_context(bypass_csp=True, color_scheme=scheme)  # the page would not let axe in
        page = context.new_page()
        page.goto(address)
        act(page)
        page.evaluate(axe)
        faults = page.evaluate("axe.run().then(({ violations }) => violations.map(({ id }) => id))")
        context.close()
        return faults

    return found


def _npm_install(folder):
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"there is no npm to install {' and '.join(PACKAGES)}")
    # No package runs code of its own while it is installed; no retries, for a computer that is offline.
    flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--fetch-retries=0"]
    command = [npm, "install", "--prefix", str(folder), *flags, *PACKAGES]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm cannot install {PACKAGES}: {(error.stderr or b'no answer').decode()[-300:]}")
