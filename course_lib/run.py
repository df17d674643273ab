"""Run the course: execute the lectures in order, each with a progress bar, then build the scoreboard.

python -m course_lib.run                        # every lecture -> build/report/index.html
python -m course_lib.run lectures/01_*.ipynb    # only these
python -m course_lib.run --store NOTEBOOK...    # execute and keep the outputs in the notebooks themselves
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from course_lib import claims, report

KERNEL = "python3"  # resolves to the interpreter that runs this module, whatever other kernels are installed
CELL_TIMEOUT_S = 600


@dataclass(frozen=True)
class Failure:
    """A cell that raised, or a kernel that died."""

    notebook: Path
    cell: int | None
    source: str
    error: str

    def __str__(self) -> str:
        where = "" if self.cell is None else f", cell {self.cell}"
        lines = self.source.strip().splitlines()
        shown = "".join(f"    {line}\n" for line in lines[:6]) + ("    …\n" if len(lines) > 6 else "")
        return f"FAILED: {self.notebook}{where}\n{shown}{self.error}"


def execute(notebook: Path, output: Path) -> Failure | None:
    """Execute one notebook with papermill and write the executed copy, whole up to the cell that failed.

    Args:
        notebook: the notebook to execute, in its own folder.
        output: where the executed copy goes.

    Returns:
        what failed, or None.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError, strip_color

    os.environ[claims.NOTEBOOK] = notebook.stem
    try:
        papermill.execute_notebook(
            str(notebook),
            str(output),
            kernel_name=KERNEL,
            cwd=str(notebook.parent),
            execution_timeout=CELL_TIMEOUT_S,
            extra_arguments=[
                "--IPKernelApp.log_level=40"
            ],  # errors only: its remarks would cut the progress bar
        )
    except PapermillExecutionError as error:
        return Failure(
            notebook, error.cell_index + 1, error.source, f"{error.ename}: {strip_color(error.evalue)}"
        )
    except CellTimeoutError:
        cell, source = _interrupted(output)
        return Failure(notebook, cell, source, f"the cell took longer than {CELL_TIMEOUT_S} s")
    except DeadKernelError:
        cell, source = _interrupted(output)
        return Failure(notebook, cell, source, "the kernel died: most often the machine ran out of memory")
    finally:
        os.environ.pop(claims.NOTEBOOK)
    return None


def run(notebooks: list[Path], folder: Path) -> list[Failure]:
    """Execute the notebooks in order, going on after one that fails, and build the scoreboard.

    Args:
        notebooks: the notebooks to execute.
        folder: where executed copies, their HTML, `claims.jsonl` and `index.html` go.

    Returns:
        the failures, empty when all is well.
    """
    folder.mkdir(parents=True, exist_ok=True)
    collected = folder.resolve() / "claims.jsonl"
    collected.unlink(missing_ok=True)
    os.environ[claims.CLAIMS_FILE] = str(collected)
    failures, pages = [], []
    for number, notebook in enumerate(notebooks, 1):
        print(f"[{number}/{len(notebooks)}] {notebook}", flush=True)
        output, start = folder / notebook.name, time.perf_counter()
        failure = execute(notebook, output)
        if failure:
            failures.append(failure)
        pages.append(report.page(output, time.perf_counter() - start, str(failure) if failure else None))
    index = report.build(claims.load(collected), pages, folder)
    print(f"\n{report.headline(claims.load(collected))}\nscoreboard: {index}", flush=True)
    return failures


def store(notebooks: list[Path], folder: Path) -> list[Failure]:
    """Execute the notebooks and keep their outputs in place, without the runner's and the widgets' metadata.

    A notebook that fails stays as it was.
    """
    import nbformat

    folder.mkdir(parents=True, exist_ok=True)
    os.environ.pop(claims.CLAIMS_FILE, None)
    failures = []
    for notebook in notebooks:
        failure = execute(notebook, folder / notebook.name)
        if failure:
            failures.append(failure)
            continue
        done = nbformat.read(folder / notebook.name, as_version=4)
        report.strip_widgets(done)
        for part in (done, *done.cells):
            part.metadata.pop("papermill", None)
            part.metadata.pop("execution", None)
        done.metadata.get("language_info", {}).pop(
            "version", None
        )  # the author's Python is nobody's business
        for cell in done.cells:
            if cell.metadata.get("tags") == []:
                del cell.metadata["tags"]
        nbformat.write(done, notebook)
    return failures


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 when a notebook failed, with the reason in the last lines."""
    parser = argparse.ArgumentParser(prog="python -m course_lib.run", description=__doc__.splitlines()[0])
    parser.add_argument(
        "notebooks", nargs="*", type=Path, help="by default every notebook of lectures/, in order"
    )
    parser.add_argument("--out", type=Path, default=Path("build/report"), help="folder of the report")
    parser.add_argument(
        "--store", action="store_true", help="keep the outputs in the notebooks; build no report"
    )
    options = parser.parse_args(arguments)
    notebooks = options.notebooks or sorted(Path("lectures").glob("*.ipynb"))
    missing = [str(path) for path in notebooks if not path.is_file()]
    if missing or not notebooks:
        what = f"no such notebook: {', '.join(missing)}" if missing else "no notebook in lectures/"
        print(f"{what}; start from the root of the course", file=sys.stderr)
        return 1
    # a kernel of the same name in the user's home would run another Python: prefer this environment's own
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    failures = (store if options.store else run)(notebooks, options.out)
    for failure in failures:
        print(f"\n{failure}", file=sys.stderr)
    return 1 if failures else 0


def _interrupted(output: Path) -> tuple[int | None, str]:
    """Return number and source of the cell that was running when the kernel went away."""
    import nbformat

    cells = enumerate(nbformat.read(output, as_version=4).cells, 1)
    begun = [(n, cell.source) for n, cell in cells if cell.metadata.get("papermill", {}).get("start_time")]
    return begun[-1] if begun else (None, "")


if __name__ == "__main__":
    sys.exit(main())
