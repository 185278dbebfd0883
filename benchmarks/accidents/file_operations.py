"""Ends a process before, or halfway through, one of its file operations: by Linux's ptrace.

What the interpreter and every library do is seen, as it is the system calls that are counted. Of a write that
the process is ended halfway through, the first half of the bytes is in the file.
"""

import ctypes
import os
import platform
import signal
import struct
from pathlib import Path
from typing import NamedTuple

_TRACEME, _SYSCALL, _SET_OPTIONS, _SYSCALL_INFO = 0, 24, 0x4200, 0x420E
_MARK_SYSCALLS, _FOLLOW_THREADS, _EXIT_WITH_US = 1, 8, 0x100000
_ANY_THREAD = 0x40000000
_ENTRY = 1

_WRITES, _ON_DESCRIPTORS, _OPENS, _ON_PATHS = {
    "x86_64": ((1, 18), (20, 40, 74, 75, 77, 91, 285, 296), (257,), (
        76, 82, 83, 84, 85, 86, 87, 88, 90, 258, 263, 264, 265, 266, 268, 316)),
    "aarch64": ((64, 68), (66, 70, 71, 46, 47, 52, 82, 83), (56,), (34, 35, 36, 37, 38, 45, 53, 276)),
}[platform.machine()]  # fmt: skip
"""Numbers of system calls: write and pwrite; writev, sendfile, fsync, truncate, ...; openat; rename, ..."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class _Call(NamedTuple):
    """A system call that begins."""

    number: int
    arguments: tuple[int, ...]


def wait_to_be_traced() -> None:
    """In the process: stop until ``end_at`` runs it."""
    _libc.ptrace(_TRACEME, 0, None, None)
    os.kill(os.getpid(), signal.SIGSTOP)


def end_at(child: int, number: int, folder: Path) -> tuple[int, int]:
    """Run ``child``, and end it at its file operation of that number.

    Writes are counted in ``folder``; opening for writing, renaming and deleting anywhere.

    Returns:
        Its exit code, and how many operations there were.
    """
    count, thread, status = 0, child, os.waitpid(child, 0)[1]
    _libc.ptrace(_SET_OPTIONS, child, None, _MARK_SYSCALLS | _FOLLOW_THREADS | _EXIT_WITH_US)
    while not (thread == child and (os.WIFEXITED(status) or os.WIFSIGNALED(status))):
        forward = 0
        if os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP | 0x80:
            if call := _entered(thread):
                before, count = count, count + _points(thread, call, folder)
                if before + 1 < number <= count:
                    _write_half(thread, call)
                if before < number <= count:
                    os.kill(child, signal.SIGKILL)
        elif os.WIFSTOPPED(status) and os.WSTOPSIG(status) not in (signal.SIGTRAP, signal.SIGSTOP):
            forward = os.WSTOPSIG(status)
        if os.WIFSTOPPED(status):
            _libc.ptrace(_SYSCALL, thread, None, forward)
        thread, status = os.waitpid(-1, _ANY_THREAD)
    return os.waitstatus_to_exitcode(status), count


def _entered(thread: int) -> _Call | None:
    """The system call that ``thread`` has stopped at the entry of."""
    info = ctypes.create_string_buffer(88)  # struct ptrace_syscall_info
    if _libc.ptrace(_SYSCALL_INFO, thread, len(info), ctypes.addressof(info)) <= 0 or info.raw[0] != _ENTRY:
        return None
    number, *arguments = struct.unpack_from("7Q", info.raw, 24)
    return _Call(number, tuple(arguments))


def _points(thread: int, call: _Call, folder: Path) -> int:
    """At how many points of a system call a process can be ended: 2 of a write, 0 of what changes no file."""
    if call.number in _OPENS:
        return int(bool(call.arguments[2] & (os.O_WRONLY | os.O_RDWR)))
    if call.number in _ON_PATHS:
        return 1
    if call.number in (*_WRITES, *_ON_DESCRIPTORS) and _file(thread, call).startswith(f"{folder}/"):
        return 2 if call.number in _WRITES and call.arguments[2] > 1 else 1
    return 0


def _file(thread: int, call: _Call) -> str:
    return str(Path(f"/proc/{thread}/fd/{call.arguments[0]}").readlink())


def _write_half(thread: int, call: _Call) -> None:
    """What the system would have written when it is stopped halfway."""
    descriptor, address, size, offset, *_ = call.arguments
    information = Path(f"/proc/{thread}/fdinfo/{descriptor}").read_text().split()
    flags, position = int(information[3], 8), int(information[1])
    with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        half = memory.read(size // 2)
    with Path(f"/proc/{thread}/fd/{descriptor}").open("rb+") as file:
        if flags & os.O_APPEND:
            file.seek(0, os.SEEK_END)
        else:
            file.seek(offset if call.number == _WRITES[1] else position)
        file.write(half)
