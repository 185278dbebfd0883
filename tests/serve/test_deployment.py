"""The Dockerfile, the systemd unit and the nginx configuration: their linters, and the commands in them."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from verydeep.cli.main import app
from verydeep.serve.limits import Limits

from .conftest import wait_until

ROOT = Path(__file__).parents[2]
DOCKERFILE, UNIT, NGINX = (
    ROOT / "packaging/serve" / name for name in ("Dockerfile", "verydeep.service", "nginx.conf")
)
COMMAND = "/opt/verydeep/bin/verydeep"


def program(name):
    """The path of a linter, in PATH or beside Python."""
    path = shutil.which(name) or shutil.which(name, path=Path(sys.executable).parent)
    return path or pytest.skip(f"{name} is not installed")


def run(*arguments):
    done = subprocess.run(arguments, text=True, capture_output=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_hadolint_accepts_the_dockerfile():
    assert run(program("hadolint"), DOCKERFILE) == (0, "")


@pytest.fixture
def unit(tmp_path):
    """The unit with a program that exists on this machine."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace(COMMAND, sys.executable))
    return path


def test_systemd_accepts_the_unit(unit):
    assert run(program("systemd-analyze"), "verify", unit) == (0, "")


def test_systemd_finds_the_unit_hardened(unit):
    """From 0, closed, to 10; the threshold is in tenths."""
    code, text = run(program("systemd-analyze"), "security", "--offline=true", "--threshold=15", unit)
    assert code == 0, text


def test_nginx_accepts_the_configuration(tmp_path):
    nginx = program("nginx")
    (tmp_path / "verydeep.conf").write_text(NGINX.read_text().replace("listen 80;", "listen 8080;"))
    paths = "".join(
        f"{name}_temp_path temp; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = f"pid pid; events {{}} http {{ access_log off; {paths} include verydeep.conf; }}"
    (tmp_path / "nginx.conf").write_text(main)
    code, text = run(nginx, "-t", "-e", "stderr", "-p", tmp_path, "-c", tmp_path / "nginx.conf")
    assert code == 0, text


def instruction(name):
    """The last instruction ``name`` of the Dockerfile, a list in JSON."""
    (*_, found) = re.findall(rf"^{name} (?:.*\\\n *CMD )?(\[.*\])$", DOCKERFILE.read_text(), re.MULTILINE)
    return json.loads(found)


def test_the_commands_are_valid():
    (line,) = re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE)
    run_line = (ROOT / "docs/deploy.md").read_text().partition("verydeep-serve-openvino /")[2]
    folder = shlex.split("/" + run_line.partition("\n")[0])
    entry = instruction("ENTRYPOINT")
    for command in (entry + instruction("CMD"), entry + folder, shlex.split(line)):
        assert command[0] == COMMAND
        app.parse_args(command[1:], exit_on_error=False, print_error=False)


def test_the_health_check_finds_a_server_and_its_end(client):
    _, flag, code = instruction("HEALTHCHECK")
    for port, expected in ((client.port, 0), (9, 1)):
        assert run(sys.executable, flag, code.replace("8000", str(port)))[0] == expected


def test_what_the_dockerfile_copies_exists_and_is_not_ignored():
    copied = re.findall(r"^COPY (?!--)(\S+)", DOCKERFILE.read_text(), re.MULTILINE)
    kept = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(copied) == sorted(kept)
    assert all((ROOT / each).exists() for each in copied)


def logged_client(caplog, client, forwarded):
    """The address in the log, of a request with this X-Forwarded-For."""
    caplog.clear()
    client.get("/v1/model", x_forwarded_for=forwarded)
    wait_until(lambda: "verydeep.serve" in [record.name for record in caplog.records])  # after the answer
    (record,) = [record for record in caplog.records if record.name == "verydeep.serve"]
    return record.fields["client"]


def test_the_log_has_the_client_of_a_proxy_on_this_machine_only(client, caplog):
    caplog.set_level("INFO", "verydeep.serve")
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in NGINX.read_text()
    assert logged_client(caplog, client, "192.0.2.7") == "192.0.2.7"
    assert logged_client(caplog, client, "192.0.2.8, 192.0.2.7") == "192.0.2.7"  # the first is hearsay
    other = replace(client, source="127.0.0.2")
    assert logged_client(caplog, other, "192.0.2.7") == "127.0.0.2"


def test_nginx_passes_as_large_bodies_as_the_server_takes():
    (megabytes,) = re.findall(r"client_max_body_size (\d+)m;", NGINX.read_text())
    assert int(megabytes) * 2**20 >= Limits.max_bytes
