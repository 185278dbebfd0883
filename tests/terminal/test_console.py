"""Whether messages are written as to a terminal."""

import os
import subprocess
import sys


def test_a_notebook_that_forces_colors_gets_no_bars():  # Jupyter sets FORCE_COLOR
    code = "from verydeep.terminal.console import err, out; print(err().is_terminal, out().is_terminal)"
    environment = {**os.environ, "FORCE_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
