"""A tiny network whose exported page is open in Chromium, served as static files."""

import functools
import io
import os
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.export.export_bundle import ExportRequest
from verydeep.export.export_web import export_web
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint

CLASSES = ("<img src=x onerror=document.title='broken'>", "カ", "9", "d", "0", "f")
"""Texts that would be code, or the first of an object's names, if the page used them so."""


def checkpoint(architecture="4 M 8 | gap", **preprocess):
    torch.manual_seed(0)
    values = {"size": 16, "resize": 18, "channels": 3} | preprocess
    channels, size = values["channels"], values["size"]
    values = {"mean": (0.4, 0.5, 0.6)[:channels], "std": (0.3, 0.2, 0.25)[:channels]} | values
    built = Architecture.from_string(architecture, classes=len(CLASSES), input=(channels, size, size))
    return Checkpoint(build(built).eval(), Preprocess(**values), CLASSES, {"temperature": 0.7})


def photograph(size=(57, 83), seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (*size, 4), dtype=np.uint8)
    return Image.fromarray(values)


def png(image, **options):
    image.save(file := io.BytesIO(), "PNG", **options)
    return file.getvalue()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def export(tmp_path_factory, ort):
    """A function that exports the network with such settings, once for all tests."""

    @functools.cache
    def exported(**settings):
        folder, network = tmp_path_factory.mktemp("exported") / "page", checkpoint(**settings)
        export_web(network, folder, ExportRequest(format="onnx", size=network.preprocess.size), ort=ort)
        return folder

    return exported


@pytest.fixture
def folder(export, tmp_path):
    """The exported page of the network, for one test."""
    return shutil.copytree(export(), tmp_path / "page", copy_function=link_large)


def link_large(source, target):
    """Copy a file; one of megabytes, which no test changes, is linked."""
    (os.link if Path(source).stat().st_size > 1e6 else shutil.copyfile)(source, target)


@pytest.fixture
def address(folder):
    """Of the folder, which a server of static files serves."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def page(browser, address):
    """An empty tab; what is opened in it asks this server only, and breaks no rule of its policy."""
    page = browser.new_page()
    page.set_default_timeout(60_000)  # on a busy computer
    problems, requested = [], []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: requested.append(request.url))
    yield page
    page.close()
    assert not problems
    assert all(url.startswith((address, f"blob:{address}", "data:")) for url in requested)


@pytest.fixture
def opened(page, address):
    """The tab with the page, ready for images."""
    page.goto(address)
    page.wait_for_selector("#files:enabled", state="attached")
    return page
