"""How much memory a side takes, in a process of its own: what the other has freed would hide its need."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor

Sides = Mapping[str, Callable[[], object]]


def peaks(sides: Callable[[str], Sides], name: str) -> dict[str, float]:
    """Returns the most memory (MB) that each side takes beyond what its process has before it begins.

    Args:
        sides: makes the sides "ours" and "peer" of a benchmark's case; a function of a module.
        name: the case.
    """
    found = {}
    for side in ("peer", "ours"):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            found[side] = alone.submit(_peak, sides, name, side).result()
    return found


def _peak(sides: Callable[[str], Sides], name: str, side: str) -> float:
    import psutil

    work, process, done = sides(name)[side], psutil.Process(), threading.Event()
    before = most = process.memory_info().rss

    def watch() -> None:
        nonlocal most
        while not done.wait(0.002):
            most = max(most, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return (most - before) / 1e6
