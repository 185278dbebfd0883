"""The machine: processor, usable cores, memory, operating system. Needs no torch."""

import math
import os
import platform
from pathlib import Path
from typing import Literal

Device = Literal["auto", "cpu", "cuda", "mps"]
"""Where torch computes; ``auto`` takes a GPU where there is one."""
Parallel = Literal["data", "hybrid"]
"""How several devices share a training: the images alone, or also the weights of hidden layers."""
InferencePrecision = Literal["fp32", "bf16"]
WantedPrecision = Literal["auto", "fp32", "bf16"]
"""``auto`` is bf16 where the device has it."""

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""The processor time of a container, as ``MICROSECONDS PERIOD`` or ``max PERIOD``."""
_LIMIT = Path("/sys/fs/cgroup/memory.max")
"""The memory of a container in bytes, or ``max``."""


def processor_name() -> str:
    """Such as ``AMD EPYC``; the architecture where the system does not tell."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def computes_bf16() -> bool:
    """Whether the processor multiplies bf16 matrices in hardware."""
    flags = _cpuinfo().get("flags", "").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def usable_cores() -> int:
    """The cores that this process may use; fewer than the machine has in a container or after ``taskset``."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _first_line(_QUOTA).partition(" ")
    if quota.isdecimal() and period.isdecimal():
        allowed = min(allowed, max(1, math.ceil(int(quota) / int(period))))
    return allowed


def memory_bytes() -> int | None:
    """The memory of the machine in bytes; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):
        return None


def usable_memory_bytes() -> int | None:
    """As ``memory_bytes``, or the limit of the container."""
    limit, memory = _first_line(_LIMIT), memory_bytes()
    if not limit.isdecimal():
        return memory
    return int(limit) if memory is None else min(int(limit), memory)


def system_name() -> str:
    """Such as ``Debian GNU/Linux 12 (bookworm), Linux-6.1-x86_64``; never the name of the machine."""
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {platform.platform()}"
    except (OSError, KeyError):  # another system than Linux
        return platform.platform()


def _cpuinfo() -> dict[str, str]:
    """The first processor of /proc/cpuinfo; empty where the system has no such file."""
    file = Path("/proc/cpuinfo")
    if not file.exists():
        return {}
    first = file.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").split("\n")[0].strip()
    except (OSError, ValueError):  # a system without containers
        return ""
