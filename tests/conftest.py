"""Real servers on this machine, one with the faults that networks have, one that is a hub; and real files."""

import base64
import hashlib
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from .browser import accessibility_faults, browser, npm_packages, ort

__all__ = ["accessibility_faults", "browser", "npm_packages", "ort"]  # fixtures

# Containers often set it: each of hundreds of processes would compile all modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported: a process has one core, and one thread
    # While jaxtyping imports a module of ours, Python finds no byte code of others: torch and what belongs to
    # it, two thousand modules, would be compiled each time.
    import_module("lightning_fabric")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core that this container may use; none where single files are asked for.

    Tests of a file then run in this process: it prints and stops at breakpoints, and starts at once.
    """
    from verydeep.machine import usable_cores

    return 0 if all(".py" in argument for argument in config.args) else usable_cores()


SLOW_FIXTURES = {
    "bench": {"bundle"},
    "cli": {"exported", "train", "tune", "verydeep"},
    "live": {"browser", "live_folder"},
    "runtime": {"bundles", "exported"},
    "serve": {"browser"},
    "tune": {"continued", "finished", "resume", "run"},
    "web_page": {"browser", "export"},
}
"""By folder: fixtures that train or export a network, or start a browser or a process that imports torch."""


SLOW_FILES = (
    "cli/test_compress.py",
    "cli/test_data_pack.py",
    "cli/test_train_images.py",
    "cli/test_train_pretrained.py",
    "compress/test_journal.py",
    "decoding/test_processes.py",
    "docs/site/test_pages.py",
    "download/test_hostile_servers.py",
    "inputs/test_streamed_images.py",
    "report/test_tune_heat_maps.py",
    "saved_runs/test_event_files.py",
    "serve/processes/test_counts.py",
    "serve/test_memory.py",
    "serve/test_occlusion.py",
    "serve/test_openapi.py",
    "study/test_run_compression.py",
    "study/test_run_trial.py",
    "study/test_study_data.py",
    "train/test_streamed_training.py",
    "tune/test_warnings.py",
    "weights/test_export.py",
    "weights/test_real_features.py",
)
"""Files whose tests take more than a fifth of a second in the mean."""
TESTS = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = SLOW_FIXTURES.get(item.path.parent.name, set())
        if item.path.relative_to(TESTS).as_posix() in SLOW_FILES or fixtures.intersection(item.fixturenames):
            item.add_marker("slow")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.fixture
def brief_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The speed by which `tune` plans is measured for a twentieth of a second instead of a whole one."""
    monkeypatch.setattr("verydeep.tune.budget.SPEED_SECONDS", 0.05)


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch computes in one thread, as the ranks of a test do: the bits and the memory of two threads differ.

    Tiny networks are no faster on two, and much slower while another job runs.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def as_rank(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Sets the variables that torchrun gives a process, one of ``ranks`` on this host."""

    def set_rank(rank: int, ranks: int) -> None:
        for name, value in {
            "TORCHELASTIC_RUN_ID": "test", "TORCHELASTIC_RESTART_COUNT": 0, "RANK": rank, "WORLD_SIZE": ranks,
            "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": ranks,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, str(value))

    return set_rank


@pytest.fixture(scope="session")
def real_features():
    """VGG16's convolutions as Simonyan and Zisserman trained them: 59 MB that the project does not carry."""
    return _shared("weights", "vgg16-imagenet-features.safetensors")


@pytest.fixture(scope="session")
def cell_photographs():
    """Photographs of blood cells, a folder a class; the project does not carry them either."""
    return _shared("data", "blood-cells")


def _shared(*place):
    path = Path(os.environ.get("VERYDEEP_SHARED") or Path(__file__).parents[2] / "shared").joinpath(*place)
    if not path.exists():
        pytest.skip(f"there is no {path}; VERYDEEP_SHARED may name the folder that holds {place[0]}/")
    return path


@dataclass
class Page:
    """What is served at one path, and what goes wrong there."""

    content: bytes = b""
    status: int = 200
    location: str | None = None
    """Where a redirect leads."""
    ranges: bool = True
    """Whether Range is understood."""
    range_start: int | None = None
    """The first byte of every range, whatever was asked for."""
    announced: int | str | None = None
    """Content-Length, where it is a lie."""
    headers: dict[str, str] = field(default_factory=dict)
    """What else the server states."""
    breaks_off: list[int] = field(default_factory=list)
    """How many bytes each connection gives before it is dropped; further ones give all."""


@dataclass
class Site:
    """Pages by path, the address they are served at, and what was asked of them."""

    address: str
    pages: dict[str, Page] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""

    def serve(self, path: str, content: bytes = b"", **faults: object) -> None:
        self.pages[path] = Page(content, **faults)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for variable in ("VERYDEEP_OFFLINE", "HF_HUB_OFFLINE", "VERYDEEP_MIRROR"):
        monkeypatch.delenv(variable, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.site = Site(f"http://127.0.0.1:{server.server_port}/")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.site
    server.shutdown()
    thread.join()
    server.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server.site
        asked = self.headers["Range"]
        site.requests.append((self.path, asked))
        page = site.pages.get(self.path, Page(status=404))
        start = 0
        if asked and page.ranges and page.status == 200:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            start = start if page.range_start is None else page.range_start
        if start and start >= len(page.content):
            self.send_error(416)
            return
        self.send_response(206 if start else page.status)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(page.content) - 1}/{len(page.content)}")
        for name, value in page.headers.items():
            self.send_header(name, value)
        if page.location:
            self.send_header("Location", page.location)
        body = page.content[start:]
        self.send_header("Content-Length", str(len(body) if page.announced is None else page.announced))
        self.end_headers()
        if page.breaks_off:
            body = body[: page.breaks_off.pop(0)]
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Hub:
    """As much of Hugging Face's hub as pushing and pulling a model takes, and what it was given."""

    address: str
    token: str = "hf_of_user"
    owner: str = "user"
    repos: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of each repository, the SHA-256 of its files by name."""
    private: set[str] = field(default_factory=set)
    blobs: dict[str, bytes] = field(default_factory=dict)
    """Contents by their SHA-256."""
    takes_uploads: bool = True

    @property
    def storage(self) -> str:
        """Where large files lie: another host, as on the hub."""
        return self.address.replace("127.0.0.1", "localhost")

    def put(self, repo: str, name: str, content: bytes) -> None:
        digest = hashlib.sha256(content).hexdigest()
        self.blobs[digest] = content
        self.repos.setdefault(repo, {})[name] = digest

    def content(self, repo: str, name: str) -> bytes:
        return self.blobs[self.repos[repo][name]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The stand-in, as the hub of this process; nobody is logged in, and nothing is cached."""
    pytest.importorskip("huggingface_hub")
    server = ThreadingHTTPServer(("127.0.0.1", 0), HubHandler)
    server.hub = Hub(f"http://127.0.0.1:{server.server_port}")
    for variable in ("VERYDEEP_OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_ENDPOINT", server.hub.address)
    # Made of HF_ENDPOINT when the library is imported, which another test may have done before.
    monkeypatch.setattr("huggingface_hub.constants.HF_URL_HOSTS", frozenset({"127.0.0.1", "localhost"}))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # large files by git's LFS
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.hub
    server.shutdown()
    thread.join()
    server.server_close()


class HubHandler(BaseHTTPRequestHandler):
    """The endpoints that huggingface_hub 2.4 calls: create, preupload, LFS, commit, resolve."""

    commit = "b8d8aa2dd860af9233c8c67385a8097fd6c35d3f"  # of every push: nobody here asks for an older one

    def do_POST(self) -> None:
        hub, body = self.server.hub, self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/api/validate-yaml":
            self.answer({"errors": [], "warnings": []})
        elif self.headers["Authorization"] != f"Bearer {hub.token}":
            self.answer({"error": "Invalid username or password."}, 401)
        elif self.path == "/api/repos/create":
            self.create(hub, json.loads(body))
        elif match := re.fullmatch(r"/api/models/(.+)/preupload/main", self.path):
            files = json.loads(body)["files"]
            modes = {True: "lfs", False: "regular"}  # as the hub's .gitattributes have it
            self.answer({"files": [
                {"path": file["path"], "uploadMode": modes[file["path"].endswith(".safetensors")],
                 "shouldIgnore": False} for file in files
            ]})  # fmt: skip
        elif self.path.endswith(".git/info/lfs/objects/batch"):
            objects = json.loads(body)["objects"]
            actions = [{"upload": {"href": f"{hub.address}/lfs/{item['oid']}"}} for item in objects]
            self.answer({
                "objects": [item | {"actions": action} for item, action in zip(objects, actions, strict=True)]
            })  # fmt: skip
        elif match := re.fullmatch(r"/api/models/(.+)/commit/main", self.path):
            self.take_commit(hub, match[1], [json.loads(line) for line in body.splitlines()])

    def create(self, hub: Hub, wish: dict[str, Any]) -> None:
        repo = f"{wish.get('organization') or hub.owner}/{wish['name']}"
        if repo.split("/")[0] != hub.owner:
            self.answer({"error": "You don't have the rights to create a model under this namespace"}, 403)
        elif repo in hub.repos:
            self.answer({"error": "You already created this model repo", "url": f"{hub.address}/{repo}"}, 409)
        else:
            hub.repos[repo] = {}
            hub.private |= {repo} if wish.get("visibility") == "private" else set()
            self.answer({"url": f"{hub.address}/{repo}"})

    def take_commit(self, hub: Hub, repo: str, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                hub.put(repo, value["path"], base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                assert len(hub.blobs[value["oid"]]) == value["size"]
                hub.repos[repo][value["path"]] = value["oid"]
        url = f"{hub.address}/{repo}/commit/{self.commit}"
        self.answer({"success": True, "commitOid": self.commit, "commitUrl": url, "hookOutput": ""})

    def do_PUT(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        digest = hashlib.sha256(content).hexdigest()
        self.server.hub.blobs[digest] = content
        is_right = self.path == f"/lfs/{digest}" and self.server.hub.takes_uploads
        self.answer({}, 200 if is_right else 400)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub = self.server.hub
        if self.path.startswith("/lfs/"):
            self.send(hub.blobs[self.path.removeprefix("/lfs/")])
            return
        if self.path.startswith("/api/models/"):
            repo = self.path.removeprefix("/api/models/")
            found = {"id": repo, "private": repo in hub.private}
            self.answer(found, 200 if repo in hub.repos else 404)
            return
        match = re.fullmatch(r"/(.+?/.+?)/resolve/([^/]+)/(.+)", self.path)
        repo, revision, name = match.groups() if match else ("", "", "")
        is_known = self.headers["Authorization"] == f"Bearer {hub.token}"
        if repo not in hub.repos or (repo in hub.private and not is_known):
            headers = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
            self.send(b"", 404 if is_known else 401, headers)
        elif revision not in ("main", self.commit):
            self.send(b"", 404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
        elif name not in hub.repos[repo]:
            self.send(b"", 404, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        else:
            digest = hub.repos[repo][name]
            headers = {
                "X-Repo-Commit": self.commit, "X-Linked-Etag": f'"{digest}"',
                "X-Linked-Size": str(len(hub.blobs[digest])), "Location": f"{hub.storage}/lfs/{digest}",
            }  # fmt: skip
            self.send(b"", 302, headers)

    def answer(self, values: dict[str, Any], status: int = 200) -> None:
        self.send(json.dumps(values).encode(), status, {"Content-Type": "application/json"})

    def send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
