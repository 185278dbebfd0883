"""The scripts that build the site, and a site that they built, without gallery and live page."""

import functools
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from filelock import FileLock

from ..pages import ROOT


@pytest.fixture
def scripts(monkeypatch):
    """The modules of ``docs/site`` can be imported, as they import each other."""
    monkeypatch.syspath_prepend(ROOT / "docs/site")


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """The folder of the site; of the test processes, one builds it."""
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "docs" / "site"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.parent / "lock"):
        if not (folder / "index.html").exists():
            command = [sys.executable, ROOT / "docs/site/build_site.py", "--text-only", folder]
            built = subprocess.run(command, capture_output=True, text=True)
            assert (built.returncode, built.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def address(site):
    """The site on a server of this machine."""
    handler = functools.partial(Quiet, directory=site)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
