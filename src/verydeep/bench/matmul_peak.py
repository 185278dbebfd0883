"""The multiply-adds per second of a large matrix multiplication on this machine: a practical peak."""

import time

import torch

SIDE = 2048
REPEATS = 7


def matmul_peak(threads: int | None = None) -> float:
    """Multiply-adds per second of the fastest of some products of fp32 matrices, by torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        first, second = torch.ones(SIDE, SIDE), torch.ones(SIDE, SIDE)
        return SIDE**3 / min(_seconds(first, second) for _ in range(REPEATS))
    finally:
        torch.set_num_threads(before)


def _seconds(first: torch.Tensor, second: torch.Tensor) -> float:
    start = time.perf_counter()
    torch.mm(first, second)
    return time.perf_counter() - start
