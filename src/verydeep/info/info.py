"""What a bug report needs: versions, machine, precision, cache and language; no names and no secrets."""

import locale
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from verydeep.cache.files import folder_size
from verydeep.distribution import distribution_name
from verydeep.download.sources import cache_root
from verydeep.info.accelerator import Accelerator, find_accelerator
from verydeep.info.private_text import public_path
from verydeep.info.versions import Library, installed_version, libraries
from verydeep.machine import processor_name, system_name, usable_cores, usable_memory_bytes

SHOWN_VARIABLES = (
    "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "VERYDEEP_OFFLINE", "HF_HUB_OFFLINE", "LC_ALL", "LC_CTYPE",
    "LANG", "PYTHONIOENCODING", "PYTHONUTF8", "COLUMNS", "NO_COLOR", "TERM",
)  # fmt: skip
"""Environment variables that change what happens, and hold nothing private."""


@dataclass(frozen=True, kw_only=True)
class Info:
    """The installation, on its machine."""

    distribution: str | None
    """verydeep, or verydeep-runtime without PyTorch; None where neither is installed."""
    verydeep: str | None
    """The version; None where it is run from its source without being installed."""
    installed_in: str
    python: str
    torch: str | None
    libraries: tuple[Library, ...]
    system: str
    processor: str
    cores: int
    """That this process may use."""
    cores_of_machine: int | None
    memory: int | None
    """Bytes that this process may use at most."""
    accelerator: Accelerator
    cache: str
    cache_bytes: int
    locale: str
    output_encoding: str
    """Of stdout."""
    file_name_encoding: str
    variables: Mapping[str, str]

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def read_info() -> Info:
    """The information of this process."""
    distribution = distribution_name()
    return Info(
        distribution=distribution,
        verydeep=installed_version(distribution) if distribution else None,
        installed_in=public_path(Path(__file__).resolve().parents[1]),
        python=f"{platform.python_version()} ({platform.python_implementation()})",
        torch=installed_version("torch"),
        libraries=libraries(),
        system=system_name(),
        processor=processor_name(),
        cores=usable_cores(),
        cores_of_machine=os.cpu_count(),
        memory=usable_memory_bytes(),
        accelerator=find_accelerator(),
        cache=public_path(cache_root().absolute()),
        cache_bytes=folder_size(cache_root()),
        locale=locale.setlocale(locale.LC_CTYPE),
        output_encoding=getattr(sys.stdout, "encoding", None) or "unknown",
        file_name_encoding=sys.getfilesystemencoding(),
        variables={name: os.environ[name] for name in SHOWN_VARIABLES if name in os.environ},
    )
