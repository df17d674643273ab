"""Run every benchmark and print one table of ratios.

    python -m tests.benchmarks             # print
    python -m tests.benchmarks --readme    # and write the table into README.md

Each `bench_*.py` has a `run()` that returns rows with the keys `name`, `ours` and `peer` (rates in `unit`),
`ratio`, `goal` (or None), `equal` (both gave the same result), and where it makes sense `of_matmul_ceiling`
and `of_memory_ceiling`, the fraction of what this process can multiply or read that ours reaches, and
`memory_mb` and `peer_memory_mb`, the most that each side takes beyond what the process has. Both sides of a
benchmark are timed in one process, and each benchmark has one of its own; see `memory.py` for the peaks.
"""

import argparse
import importlib
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from course_lib.report import fill


def table(rows: list[dict], absolute: bool = False) -> str:
    """Return the rows as a Markdown table of ratios.

    Args:
        rows: what the benchmarks returned.
        absolute: also show the two rates, which mean something on this machine only.
    """
    heads = ["benchmark", "ratio", "goal", "same result", "of the matmul ceiling", "of the memory ceiling"]
    heads.append("peak memory")
    lines = [heads + ["ours", "peer"] * absolute, ["---"] * (len(heads) + 2 * absolute)]
    for row in rows:
        goal = "" if row["goal"] is None else f"≥ {row['goal']:g}×"
        below = " (below)" if row["goal"] is not None and row["ratio"] < row["goal"] else ""
        shares = [
            f"{row[key]:.0%}" if key in row else "" for key in ("of_matmul_ceiling", "of_memory_ceiling")
        ]
        memory = (
            f"{row['memory_mb']:.0f} MB against {row['peer_memory_mb']:.0f} MB" if "memory_mb" in row else ""
        )
        rates = [f"{row[side]:,.0f} {row.get('unit', '')}".strip() for side in ("ours", "peer")] * absolute
        equal = "yes" if row["equal"] else "NO"
        lines.append([row["name"], f"{row['ratio']:.2f}×{below}", goal, equal, *shares, memory, *rates])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks; return 1 where two results were not equal."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    options = parser.parse_args(arguments)
    rows = []
    for path in sorted(Path(__file__).parent.glob("bench_*.py")):
        print(f"{path.stem} …", file=sys.stderr, flush=True)
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            run = importlib.import_module(f"tests.benchmarks.{path.stem}").run
            rows += alone.submit(run).result()
    print(table(rows, absolute=True))
    if options.readme:
        readme = Path("README.md")
        readme.write_text(fill(readme.read_text(encoding="utf-8"), "bench", table(rows)), encoding="utf-8")
    return 0 if all(row["equal"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
