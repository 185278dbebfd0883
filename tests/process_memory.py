"""How much memory a process takes at its peak, by /proc of Linux."""

import re
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def growth_below(megabytes, process="self"):
    """A block in which the peak of the memory of ``process``, a pid, may grow by so many ``megabytes``."""
    Path(f"/proc/{process}/clear_refs").write_text("5")  # the peak begins at the present memory
    before = memory(process, "VmRSS")
    yield
    grown = memory(process, "VmHWM") - before
    assert grown < megabytes


def memory(process, field):
    """In MB."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1e3
