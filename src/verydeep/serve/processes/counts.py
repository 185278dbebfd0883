"""Named numbers of several processes in shared memory: each process writes its own, and all read the sums."""

import ctypes
import multiprocessing
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

ENTRIES = 1024
"""Numbers that a process can have: a few hundred are in use."""
_ENTRY = np.dtype([("name", "S120"), ("value", np.float64)])


def shared_counts(processes: int) -> Any:
    """Memory for the numbers of ``processes``; it can be given to a process that is being started."""
    size = processes * ENTRIES * _ENTRY.itemsize
    return multiprocessing.get_context("spawn").RawArray(ctypes.c_char, size)


class Counts:
    """The numbers of the process ``number``, which only it may change, and the sums over all processes.

    A process that takes the place of one that died goes on with its numbers, so that no sum goes back. Only
    one object at a time may change the numbers of a process.

    Args:
        memory: by ``shared_counts``; None for a process without others.
        number: from 0.
    """

    def __init__(self, memory: Any = None, number: int = 0) -> None:
        memory = bytearray(ENTRIES * _ENTRY.itemsize) if memory is None else memory
        self._rows = np.frombuffer(memory, _ENTRY).reshape(-1, ENTRIES)
        self._names, self._values = self._rows[number]["name"], self._rows[number]["value"]
        self._entries = {name.decode(): entry for entry, name in enumerate(self._names) if name}

    @property
    def processes(self) -> int:
        """How many there are."""
        return len(self._rows)

    def add(self, name: str, amount: float | int = 1) -> None:
        """Add ``amount`` to the number ``name``, which is 0 at first; of one thread at a time."""
        self._values[self._entry(name)] += amount

    def set(self, name: str, value: float | int) -> None:
        """Set the number ``name``."""
        self._values[self._entry(name)] = value

    def value(self, name: str) -> float:
        """The number ``name`` of this process."""
        return float(self._values[self._entries[name]]) if name in self._entries else 0.0

    def sums(self) -> Mapping[str, float]:
        """Each number, added up over the processes; 0 for a name that none has."""
        sums: defaultdict[str, float] = defaultdict(float)
        for row in self._rows:
            used = row[row["name"] != b""]
            for name, value in zip(used["name"].tolist(), used["value"].tolist(), strict=True):
                sums[name.decode()] += value
        return sums

    def _entry(self, name: str) -> int:
        entry = self._entries.get(name)
        if entry is None:
            entry = len(self._entries)
            self._names[entry] = name.encode()
            self._entries[name] = entry
        return entry
