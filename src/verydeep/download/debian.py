"""Data sets that Debian ships as packages: unpacked by an ordinary user, with nothing installed."""

import os
import shutil
import subprocess
from pathlib import Path

from verydeep.errors import DownloadError

_LIMIT = 600  # seconds for one command

# No root is needed where apt neither changes its user nor runs the machine's hooks.
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
    """The root of the files of Debian's ``package``, downloaded and unpacked below the empty ``folder``.

    The machine's package lists are used where they know the package, else lists are fetched into
    ``folder``. No root is needed, and the system stays as it was. apt checks Debian's signatures.

    Raises:
        DownloadError: where there is no apt, or it reaches no such package.
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
    except DownloadError:  # lists that are empty or out of date
        apt += ["-o", f"Dir::State::Lists={folder / 'lists'}"]
        _run([*apt, "update"], folder)
        _run([*apt, "download", package], folder)
    _run(["dpkg-deb", "-x", *map(str, folder.glob("*.deb")), "root"], folder)
    return folder / "root"


def _run(command: list[str], folder: Path) -> None:
    name = " ".join(part for part in command if not part.startswith(("-", "/", "Dir::")))
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        raise DownloadError(f"`{name}` was not done after {_LIMIT} s") from error
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no message"]
        raise DownloadError(f"`{name}` failed: {words[-1]}")
