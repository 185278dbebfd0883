"""Full disks: a command runs on a file system without room, then again once there is room (Linux, as root).

The file system is a tmpfs of its own, in which a ballast leaves a random part of what the command needs. Its
error must be one line with exit code 2, and the files that were there must be as before. After the ballast is
deleted, the same command must give the same as on an empty disk, and leave nothing else.
"""

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from accidents.small_commands import COMMANDS, Ended, content, differences, message_problem, prepare, run

MORE = {
    "plot": "show vgg11 --plot cost.png",
    "diagram": "show vgg11 --diagram network.svg",
    "recipe": "recipes copy fast recipe.toml",
    "check": "data check images --out check.html",
    "evaluate": "evaluate tiny.safetensors images --part all --out evaluation.html",
    "explain": "explain tiny.safetensors images/circle/00.png --out explained",
    "similar": "similar tiny.safetensors images images/circle/00.png --out similar.png",
}
"""Commands that write a file, and need not be resumed."""
PAGE = 4096
"""Bytes that tmpfs gives at once."""


@contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """A file system of ``size`` bytes of its own."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], check=True)
        try:
            yield Path(folder).resolve()
        finally:
            subprocess.run(["umount", folder], check=True)


def fill(folder: Path, left: int) -> Path:
    """Write a file that leaves ``left`` bytes of room, and return it."""
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(max(0, shutil.disk_usage(folder).free - left)))
    return ballast


def problem(command: str, before: dict[str, object], expected: dict[str, object], disk: Path) -> str | None:
    """What is wrong with how ``command`` takes a full disk, and with what it does once there is room."""
    ended = run(command, disk / "work")
    (disk / "ballast").unlink()
    if wrong := error_problem(ended):
        return wrong
    after = content(disk / "work")
    if changed := [file for file in before if after.get(file) != before[file]]:
        return f"changed: {', '.join(changed[:4])}"
    again = run(command, disk / "work") if ended.code else ended
    if again.code:
        return f"once there is room: exit code {again.code}, {again.messages.splitlines()[-1:]}"
    different = differences(expected, disk / "work")
    return f"different: {', '.join(different[:4])}" if different else None


def error_problem(ended: Ended) -> str | None:
    """What is wrong with the error of a command."""
    return message_problem(ended) or (f"exit code {ended.code}" if ended.code not in (0, 2) else None)


def try_command(name: str, command: str, start: Path, tries: int) -> str:
    """A row of the table."""
    before = content(start)
    problems, full = 0, 0
    with small_disk(64 << 20) as disk:
        shutil.copytree(start, disk / "work")
        free = shutil.disk_usage(disk).free
        reference = run(command, disk / "work")
        assert reference.code == 0, reference.messages
        needed = free - shutil.disk_usage(disk).free
        expected = content(disk / "work")
        for number in range(tries):
            shutil.rmtree(disk / "work")
            shutil.copytree(start, disk / "work")
            left = 0 if not number else random.randrange(0, needed + needed // 2 + PAGE)
            fill(disk, left)
            full += shutil.disk_usage(disk).free < needed
            if wrong := problem(command, before, expected, disk):
                problems += 1
                print(f"  {name} with {left:,} bytes left: {wrong}", file=sys.stderr)
    return f"| `{name}` | {needed:,} | {tries} | {full} | {problems} |"


def main() -> None:
    """Print a table: tries, how many of them had less room than the result needs, and how many were wrong."""
    commands = COMMANDS | MORE
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "commands", nargs="*", default=list(commands), metavar="COMMAND", help=", ".join(commands)
    )
    parser.add_argument("--tries", type=int, default=10, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    print("| command | bytes needed | tries | too little room | wrong |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder).resolve() / "start"
        start.mkdir()
        prepare(start)
        for name in options.commands:
            print(try_command(name, commands[name], start, options.tries), flush=True)


if __name__ == "__main__":
    main()
