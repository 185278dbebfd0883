"""Kills: a command is killed, or may write no more; then the same command runs again.

What comes out must be the same as of a run that nothing happened to, with its report, and nothing else may be
left. Kills are by SIGKILL after a random time or, with ``--every``, before each file operation in turn and
halfway through each write (on Linux). With ``--full``, no file may grow beyond a random size, and each error
must be one line.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from accidents import file_operations
from accidents.small_commands import COMMANDS, Ended, content, differences, message_problem, prepare, run

Trial = Callable[[Path], Ended]
"""Runs a command in a folder, and lets something happen to it."""


def kill_after(command: str, seconds: float, folder: Path) -> Ended:
    """Kill the command after this time."""

    def wait(child: int) -> int:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return run(command, folder, wait=wait)


def kill_at(command: str, number: int, folder: Path) -> Ended:
    """Kill the command at its file operation of that number."""
    return run(
        command,
        folder,
        before=file_operations.wait_to_be_traced,
        wait=lambda child: file_operations.end_at(child, number, folder)[0],
    )


def count_operations(command: str, folder: Path) -> int:
    """How many file operations the command has."""
    count = 0

    def wait(child: int) -> int:
        nonlocal count
        code, count = file_operations.end_at(child, sys.maxsize, folder)
        return code

    run(command, folder, before=file_operations.wait_to_be_traced, wait=wait)
    return count


def limit_files(command: str, size: int, folder: Path) -> Ended:
    """Let no file grow beyond ``size`` bytes."""
    limits = size, resource.RLIM_INFINITY
    return run(command, folder, before=partial(resource.setrlimit, resource.RLIMIT_FSIZE, limits))


@contextmanager
def fresh(start: Path) -> Iterator[Path]:
    """A copy of ``start``, always at the same path, as some files have paths in them."""
    folder = start.with_name("work")
    shutil.copytree(start, folder)
    yield folder
    shutil.rmtree(folder)


def trials(command: str, start: Path, largest: int, options: argparse.Namespace) -> list[Trial]:
    """What is to happen to ``command``, whose largest file has so many bytes."""
    tries: int = options.tries
    if options.full:
        return [partial(limit_files, command, random.randrange(2 * largest)) for _ in range(tries)]
    with fresh(start) as folder:
        if options.every:
            operations = count_operations(command, folder)
            tries = min(tries, operations)
            return [partial(kill_at, command, 1 + index * operations // tries) for index in range(tries)]
        seconds = run(command, folder).seconds
    return [partial(kill_after, command, random.uniform(0, 1.1 * seconds)) for _ in range(tries)]


def problem(command: str, expected: dict[str, object], ended: Ended, folder: Path) -> str | None:
    """What is wrong after an accident; the same command is run again before that is judged."""
    if wrong := message_problem(ended):
        return wrong
    again = run(command, folder)
    different = differences(expected, folder)
    if again.code and different:
        return f"the same command again: exit code {again.code}, {again.messages.splitlines()[-1:]}"
    return f"different: {', '.join(different[:4])}" if different else None


def try_command(name: str, start: Path, options: argparse.Namespace) -> str:
    """A row of the table."""
    command, early, problems = COMMANDS[name], 0, 0
    with fresh(start) as folder:
        reference = run(command, folder)
        assert reference.code == 0, reference.messages
        expected = content(folder)
        largest = max(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    todo = trials(command, start, largest, options)
    for number, trial in enumerate(todo, 1):
        with fresh(start) as folder:
            ended = trial(folder)
            early += ended.code != 0
            if wrong := problem(command, expected, ended, folder):
                problems += 1
                print(f"  {name} {number}: {wrong}", file=sys.stderr)
    return f"| `{name}` | {len(todo)} | {early} | {problems} |"


def main() -> None:
    """Print a table: tries, how many of them ended the command early, and how many were wrong afterwards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "commands", nargs="*", default=list(COMMANDS), metavar="COMMAND", help=", ".join(COMMANDS)
    )
    parser.add_argument("--tries", type=int, default=40, help="of each command")
    parser.add_argument(
        "--every",
        action="store_true",
        help="kill at each file operation, or at --tries of them",
    )
    parser.add_argument("--full", action="store_true", help="limit the size of files instead of killing")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    print("| command | tries | ended early | wrong afterwards |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder).resolve() / "start"
        start.mkdir()
        prepare(start)
        for name in options.commands:
            print(try_command(name, start, options), flush=True)


if __name__ == "__main__":
    main()
