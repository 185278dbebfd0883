"""The live page, built once a process and served as static files, and what the command prints."""

import functools
import shlex
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from filelock import FileLock

from verydeep.cli.main import main

from .modules import build


@pytest.fixture(scope="session")
def downloads(request, tmp_path_factory):
    """The folder of the downloads, in pytest's cache: Pyodide and wheels."""
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("live") if cache else tmp_path_factory.mktemp("live")
    with FileLock(folder / "lock"):  # of the test processes, one downloads
        try:
            build.pyodide_package(folder)
            build.pinned_wheels(folder)
        except build.MissingDownload as error:
            pytest.skip(str(error))
    return folder


@pytest.fixture(scope="session")
def live_folder(downloads, tmp_path_factory):
    """The built page."""
    folder = tmp_path_factory.mktemp("site") / "live"
    build.build(folder, downloads)
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def serve():
    """A function that serves a folder as static files until the tests end, and gives its address."""
    servers = []

    def started(folder):
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def address(serve, live_folder):
    return serve(live_folder)


@pytest.fixture
def command(capsys):
    """Runs a line such as ``verydeep show vgg16`` in this process; gives its stdout and stderr."""

    def run(line):
        capsys.readouterr()
        main(shlex.split(line)[1:])
        return capsys.readouterr()

    return run
