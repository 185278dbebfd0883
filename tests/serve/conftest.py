"""A tiny exported network, real servers of it in a thread or a process, and a client that reads problems."""

import base64
import http.client
import io
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.export.graph import ExportGraph
from verydeep.export.to_onnx import set_description, write_onnx
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.runtime.bundle import ExportInfo, bundle_json
from verydeep.runtime.exported_network import load_exported
from verydeep.serve.limits import Limits
from verydeep.serve.logs import LOGGER
from verydeep.serve.processes.listeners import listen
from verydeep.serve.run import server
from verydeep.serve.served import served_from_exported
from verydeep.weight_files.checkpoint_file import save


@pytest.fixture(autouse=True)
def own_loggers():
    """What `serve` changes in the loggers ends with its test: its log goes to the stdout of that test."""
    loggers = (LOGGER, logging.getLogger("uvicorn.error"))
    before = [(logger, logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture(scope="session")
def checkpoint():
    torch.manual_seed(0)
    model = build(Architecture.from_string("8 M 16 M | gap", classes=3, input=(3, 16, 16))).eval()
    preprocess = Preprocess(size=16, mean=(0.5,) * 3, std=(0.2,) * 3)
    return Checkpoint(model, preprocess, ("cat", "dog", "newt"), {"temperature": 0.5})


@pytest.fixture(scope="session")
def bundle(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "tiny.onnx"
    graph = ExportGraph(checkpoint.model)
    export = ExportInfo(format="onnx", precision="fp32", size=None, outputs=graph.outputs)
    write_onnx(graph, None, path)
    set_description(path, bundle_json(checkpoint.description, export))
    return path


@pytest.fixture(scope="session")
def run_file(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "model.safetensors"
    save(checkpoint, path)
    return path


@pytest.fixture(scope="session")
def served(bundle):
    return served_from_exported(load_exported(bundle, threads=1))


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        """The status and the detail, of a problem in the form of RFC 9457."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.json["status"] == self.status and self.json["title"] and self.json["type"]
        return self.status, self.json["detail"]


@dataclass(frozen=True)
class Client:
    """Sends requests to a server on this machine."""

    port: int
    source: str = "127.0.0.1"

    def send(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, 20, source_address=(self.source, 0))
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            return read(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.send("GET", path, **headers)

    def image(self, content, query="", **headers):
        """Predict one image, as the raw body."""
        return self.send("POST", f"/v1/predict{query}", content, content_type="image/png", **headers)

    def form(self, files, path="/v1/predict"):
        body, kind = form_of(files)
        return self.send("POST", path, body, content_type=kind)


def read(response):
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def opacity(heat_map):
    """The heat in the PNG of an answer, from 0 to 1."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(heat_map["png"]))))[..., 3] / 255


def form_of(files, field="file"):
    """``(name, content)`` of each as multipart/form-data, with its content type."""
    parts = [
        b'--limit\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n\r\n%s\r\n'
        % (field.encode(), name.encode(), content)
        for name, content in files
    ]
    return b"".join([*parts, b"--limit--\r\n"]), "multipart/form-data; boundary=limit"


@contextmanager
def serving(served, token=None, counts=None, **limits):
    """A server with ``limits``, in a thread; it must end within seconds."""
    with listen("127.0.0.1", 0) as listener:
        running = server(served, Limits(**{"max_wait_ms": 1.0, "stop_seconds": 5.0} | limits), token, counts)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: running.started)
            yield Client(listener.getsockname()[1])
        finally:
            running.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


CODE = """
import sys
from verydeep.cli.main import main
code = main(sys.argv[1:])
print("torch" in sys.modules, file=sys.stderr)
sys.exit(code)
"""


@contextmanager
def started(*arguments, processes=1):
    """The process of ``verydeep serve`` once it listens, and a client of it."""
    flags = ["--port", "0", "--threads", "1", "--processes", str(processes)]
    command = [sys.executable, "-c", CODE, "serve", *map(str, arguments), *flags]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, "COLUMNS": "100"}, **pipes) as process:
        try:
            line = next(line for line in process.stderr if line.startswith("Serving"))
            yield process, Client(int(re.search(r"http://127.0.0.1:(\d+)/", line)[1]))
        finally:
            process.kill()


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def connect(client):
    connection = socket.create_connection(("127.0.0.1", client.port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def received(connection):
    """Everything until the server closes."""
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def post(length, extra=b""):
    return (
        b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: %d\r\n%s\r\n"
        % (length, extra)
    )


@pytest.fixture(scope="module")
def client(served):
    with serving(served) as client:
        yield client
        assert client.get("/healthz").body == b"ok\n"


def encoded(width=40, height=30, kind="PNG", mode="RGB", **options):
    """A random image in a file of the format ``kind``."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def png():
    return encoded()


@pytest.fixture
def page(browser, client):
    """The page, which asks this server only and breaks no rule of its Content-Security-Policy."""
    page = browser.new_page()
    asked, logged = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: logged.append(message.text))
    page.on("pageerror", lambda error: logged.append(str(error)))
    page.goto(f"http://127.0.0.1:{client.port}/")
    page.wait_for_selector("#facts:has-text('3 classes')")
    yield page
    own = f"http://127.0.0.1:{client.port}/"
    assert all(url.startswith((own, "data:", f"blob:{own}")) for url in asked)
    assert not [text for text in logged if "Content Security" in text or "Error:" in text]
    page.close()


def choose(page, *files):
    """Choose files of ``(name, content)`` on the page."""
    page.set_input_files("#files", [{"name": n, "mimeType": "image/png", "buffer": c} for n, c in files])
