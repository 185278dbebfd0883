"""How many processes serve a network, where the user does not say."""

import sys

from verydeep.analyze.macs_at import macs_at
from verydeep.machine import usable_cores
from verydeep.runtime.bundle import Bundle

SMALL_MACS = 100_000_000
"""An image. The border itself is not measured: on two cores, two processes answer 1.7 times as many images as
one with 7 million, and one reaches 97 % of offline batches with 2,800 million (docs/log.md)."""
MAX_PROCESSES = 4


def default_processes(bundle: Bundle) -> int:
    """One for each core, at most 4, for a small network; 1 for others, and on other systems than Linux.

    A process takes at most one core for HTTP. A larger network fills the cores from one
    process, and each process would hold its weights.
    """
    if sys.platform != "linux" or macs_at(bundle.description) > SMALL_MACS:
        return 1
    return min(usable_cores(), MAX_PROCESSES)
