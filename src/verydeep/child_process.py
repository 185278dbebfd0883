"""What a process that another one has started does about its parent."""

import multiprocessing
import os
import signal
import threading


def end_with_parent() -> None:
    """Stop this process as by SIGTERM where its parent was killed, so that none is left alone.

    A thread waits for the end of the parent; ``multiprocessing`` has started this process.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
