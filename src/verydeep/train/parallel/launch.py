"""Start one process for each device of this machine, as ``torchrun --standalone`` does."""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from uuid import uuid4

from verydeep.errors import Interrupted, RankError, RecipeError
from verydeep.machine import usable_cores
from verydeep.torchrun import local_world_size, world_size

INTERRUPTED = 130
"""The exit code after Ctrl-C."""
TIME_TO_SAVE = ("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "600")
"""Seconds after Ctrl-C in which the ranks finish their step and save; torch kills them after 30 by itself."""
_interrupted_by: list[BaseException] = []
"""Keeps the frames of an interrupted launch until the process ends, and with them torch's heartbeat: its
thread would otherwise sometimes be the last to hold it, free it, wait for itself, and print a traceback."""


def launch(devices: int, arguments: Sequence[str]) -> int:
    """Run ``verydeep`` with these ``arguments`` in ``devices`` processes; their exit code.

    Raises:
        RankError: where a rank was killed, or this process is told to end.
        Interrupted: where Ctrl-C was pressed twice.
    """
    # Only this needs them: other trainings start sooner without.
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable()  # torchrun's own lines: the processes say what failed
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cores() // devices)))
    os.environ.setdefault(*TIME_TO_SAVE)
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=devices, run_id=uuid4().hex,
        rdzv_backend="c10d", rdzv_endpoint="localhost:0", max_restarts=0,
    )  # fmt: skip
    try:
        # -P: a random.py in the current folder is not what PyTorch imports.
        elastic_launch(config, sys.executable)("-P", "-m", "verydeep", *arguments)
    except SignalException as error:
        _interrupted_by.append(error)
        return _after_signal(error.sigval, is_second=isinstance(error.__context__, SignalException))
    except ChildFailedError as error:
        number, failure = error.get_first_failure()
        if failure.exitcode < 0:
            raise RankError(
                f"rank {number} was ended by {failure.signal_name()}, and the others were stopped. The same "
                "command resumes the run"
            ) from None
        return int(failure.exitcode)
    return 0


def _after_signal(number: signal.Signals, *, is_second: bool) -> int:
    if number != signal.SIGINT:
        raise RankError(
            f"ended by {number.name}, without saving this step. The same command resumes the run"
        ) from None
    if is_second:
        raise Interrupted(
            "stopped at once, without saving this step. The same command resumes the run"
        ) from None
    return INTERRUPTED  # the ranks have saved, and say how to resume


def require_one_device(devices: int | None) -> None:
    """Refuse several ``devices`` where the work of one is timed.

    Raises:
        RecipeError: where there are more, by ``devices`` or by torchrun.
    """
    if devices not in (None, 1) or world_size() > 1:
        raise RecipeError("--estimate times one device: leave --devices out, and run it without torchrun")


def require_as_launched(devices: int | None) -> None:
    """Refuse another number of ``devices`` than torchrun has started processes on this machine.

    Raises:
        RecipeError: where it differs.
    """
    started = local_world_size()
    if devices not in (None, started):
        raise RecipeError(
            f"--devices is {devices}, and torchrun has started {started} processes; leave it out"
        )
