"""Commands killed at their file operations: the same command again completes them and leaves nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

KILL = Path(__file__).parents[2] / "benchmarks" / "kill.py"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("commands", "tries"), [(("import", "embed", "predict", "parquet"), 4), (("tune",), 2)]
)
def test_a_command_killed_at_its_file_operations_is_completed_by_the_same_command(commands, tries):
    done = subprocess.run(
        [sys.executable, KILL, *commands, "--every", "--tries", str(tries)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    rows = [f"| `{command}` | {tries} | {tries} | 0 |" for command in commands]
    assert done.stdout.splitlines()[2:] == rows, done.stderr
