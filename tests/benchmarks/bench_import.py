"""Importing the package and its light modules in a fresh interpreter, against the time it may take."""

from __future__ import annotations

import statistics
import subprocess
import sys

LIMIT_S = 0.2
CLOCK = """
import time
start = time.perf_counter()
import course_lib
from course_lib import claims, models, plots, sizes, world
print(time.perf_counter() - start)
"""


def run(repeats: int = 5) -> list[dict]:
    """Times the import.

    Args:
        repeats: fresh interpreters; the median counts.

    Returns:
        One row: name, ours and peer (imports/s, the peer's being what the limit allows), ratio, goal, equal
        (always True: there is nothing to compare).
    """
    runs = [
        subprocess.run([sys.executable, "-c", CLOCK], capture_output=True, text=True) for _ in range(repeats)
    ]
    median = statistics.median(float(done.stdout) for done in runs)
    return [
        {
            "name": f"import course_lib and its light modules, against {LIMIT_S:g} s",
            "ours": 1 / median,
            "peer": 1 / LIMIT_S,
            "unit": "imports/s",
            "ratio": LIMIT_S / median,
            "goal": 1.0,
            "equal": True,
        }
    ]
