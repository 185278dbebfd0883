"""A process that decodes images for a training, until the training ends: the counterpart of ``processes.py``.

It imports no torch: it starts in half a second, and takes 26 MB.
"""

import logging
import mmap
import os
import sys
from multiprocessing.connection import Connection

import numpy as np

from verydeep.decoding.work import Work, decode_into
from verydeep.malloc import keep_freed_memory

FIRST = "first"
"""The last argument of one of the processes, which logs for all."""


def main() -> None:
    """Decode what arrives at a connection into shared memory; both are open files of these numbers."""
    connection, memory = Connection(int(sys.argv[1])), int(sys.argv[2])
    if sys.argv[-1] != FIRST:
        logging.getLogger("verydeep").setLevel(logging.ERROR)
    keep_freed_memory()
    try:
        work: Work = connection.recv()
        shared = mmap.mmap(memory, 0)
        os.close(memory)
        pixels = np.frombuffer(shared, np.uint8).reshape(work.shape)
        while True:
            connection.send(decode_into(pixels, connection.recv(), work))
    except (EOFError, ConnectionError):  # the training has ended, in whatever way
        return


if __name__ == "__main__":
    main()
