"""What this process can do at best: multiply matrices, read memory. The benchmarks say how near they come."""

from __future__ import annotations

import time
from collections.abc import Callable


def matmul_ceiling(size: int = 1024, repeats: int = 10, dtype=None) -> float:
    """Measures the best rate, in GFLOP/s, of a large matrix product in this process.

    Args:
        size: rows and columns of the two square matrices.
        repeats: the fastest counts.
        dtype: of the matrices; None is float32.
    """
    import torch

    a = torch.randn(size, size).to(dtype or torch.float32)
    return 2 * size**3 / _best(lambda: a @ a, repeats) / 1e9


def read_ceiling(megabytes: int = 64, repeats: int = 10) -> float:
    """Measures the best rate, in GB/s, at which this process reads memory: the limit of a single sequence."""
    import torch

    a = torch.ones(megabytes * 250_000)
    return megabytes / 1e3 / _best(a.sum, repeats)


def _best(work: Callable, repeats: int) -> float:
    """Returns the seconds of the fastest of several runs."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)
