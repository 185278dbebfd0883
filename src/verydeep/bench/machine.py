"""What the times depend on besides the network: processor, cores, versions, and the peak of the machine."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from verydeep.bench.candidate import BenchRuntime
from verydeep.machine import computes_bf16, processor_name, system_name, usable_cores


def bench_machine(runtimes: Sequence[BenchRuntime], threads: int | None, peak: float) -> dict[str, str]:
    """Facts for people, by name.

    Args:
        runtimes: those that were timed; their versions are given.
        threads: of each runtime; None for as many as there are cores.
        peak: multiply-adds per second of a matrix multiplication in fp32.
    """
    versions: dict[str, str] = {name: _version(name) for name in dict.fromkeys(runtimes)}
    cores = usable_cores()
    return {
        "processor": processor_name(),
        "cores": f"{cores}, {'with' if computes_bf16() else 'without'} bf16 in hardware",
        "threads": str(threads or cores),
        "matrix multiplication": f"{peak / 1e9:,.0f} billion multiply-adds per second in fp32",
        "system": system_name(),
        **versions,
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # installed under another name, such as onnxruntime-gpu
        return "unknown version"
