"""The functions of a solved seminar: its cells, run by themselves, or with words of the solution changed."""

import linecache
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch
import torch.nn.functional as F

from course_lib.exercises import Exercise, NotYet


def functions(path: Path) -> dict[str, str]:
    """Return the notebook's cells that define a function, by the function's name."""
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return {found[1]: source for source in cells if (found := re.match(r"def (\w+)\(", source))}


def exercises(path: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the cells that define the functions of a seminar's exercises, by the function's name."""
    return {name: source for name, source in functions(path).items() if name in names}


def define(name: str, source: str, **more: Any) -> Callable:
    """Run a cell that defines a function, and return the function.

    Args:
        name: of the function.
        source: of the cell.
        **more: names that it uses besides torch, Tensor and F.
    """
    space = {"torch": torch, "Tensor": torch.Tensor, "F": F, **more}
    run(name, source, space)
    return space[name]


def run(name: str, source: str, space: dict) -> None:
    """Run the cell that defines a function; an error in it shows its lines, as in IPython."""
    file = f"<cell {name}>"
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    exec(compile(source, file, "exec"), space)


def changed(name: str, source: str, words: Sequence[str]) -> str:
    """Return a cell with some words of its solution changed (old, new, ...); the docstring stays as it is."""
    doc, body = source.split("# BEGIN SOLUTION")
    for old, new in zip(words[::2], words[1::2], strict=True):
        assert old in body, f"the solution of {name} no longer says {old!r}"
        body = body.replace(old, new)
    return doc + "# BEGIN SOLUTION" + body


def passes(check: Exercise, student: Callable, capsys) -> None:
    """Assert that a check passes a right answer with one line, and goes on with it."""
    check(student)
    printed = capsys.readouterr().out
    assert printed.startswith(f"✓ {check.__name__}: ") and printed.count("\n") == 1
    assert check.working(student) is student


def names_the_mistake(check: Exercise, student: Callable, says: str) -> str:
    """Assert that a check refuses a wrong answer and says what is wrong; return its sentence."""
    with pytest.raises(NotYet) as wrong:
        check(student)
    assert says in str(wrong.value) and str(wrong.value).startswith(f"✗ {check.__name__}: ")
    return str(wrong.value)
