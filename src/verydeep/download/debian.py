"""Downloads and unpacks a Debian package, without root and without installing it."""

import os
import shutil
import subprocess
from pathlib import Path

from verydeep.errors import DownloadError

_TIMEOUT = 600  # seconds for one command

# apt needs no root if it does not change its user and does not run the machine's hooks.
_CONFIGURATION = """
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "0";
Acquire::http::Timeout "10";
Acquire::https::Timeout "10";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


def unpack_package(package: str, folder: Path) -> Path:
    """The root folder of Debian's ``package``, downloaded and unpacked in the empty ``folder``.

    The machine's package lists are used if they contain the package; else lists are downloaded into
    ``folder``. It needs no root and does not change the system. apt verifies Debian's signatures.

    Raises:
        DownloadError: if there is no apt, or apt cannot download the package.
    """
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise DownloadError(f"this machine has no {tool}")
    configuration = folder / "apt.conf"
    configuration.write_text(_CONFIGURATION)
    (folder / "lists" / "partial").mkdir(parents=True)
    apt = ["apt-get", "-q", "-c", str(configuration), "-o", f"Dir::Cache={folder / 'cache'}"]
    try:
        _run([*apt, "download", package], folder)
    except DownloadError:  # the lists are empty or out of date
        apt += ["-o", f"Dir::State::Lists={folder / 'lists'}"]
        _run([*apt, "update"], folder)
        _run([*apt, "download", package], folder)
    _run(["dpkg-deb", "-x", *map(str, folder.glob("*.deb")), "root"], folder)
    return folder / "root"


def _run(command: list[str], folder: Path) -> None:
    name = " ".join(part for part in command if not part.startswith(("-", "/", "Dir::")))
    try:
        process = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise DownloadError(f"`{name}` timed out after {_TIMEOUT} s") from error
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["no message"]
        raise DownloadError(f"`{name}` failed: {lines[-1]}")
