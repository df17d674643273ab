"""All seminars: a blank notebook fails each check kindly and nothing else; each exercise says its effort."""

import re

import nbformat
import pytest

from course_lib import notebooks

SEMINARS = sorted((notebooks.ROOT / "seminars").glob("*.ipynb"))


def checked(cells) -> list[str]:
    """Return which functions the notebook's cells check, in order."""
    found = (re.search(r"^checks\.(\w+)\(", cell.source, re.M) for cell in cells if cell.cell_type == "code")
    return [check[1] for check in found if check]


@pytest.mark.parametrize("solved", SEMINARS, ids=lambda path: path.stem)
def test_the_blank_notebook_fails_each_check_kindly_and_nothing_else(solved):
    from nbclient import NotebookClient

    student = solved.parent / "student" / solved.name
    notebook = nbformat.read(student, as_version=4)
    folder = {"metadata": {"path": str(student.parent)}}
    client = NotebookClient(notebook, timeout=180, kernel_name="python3", allow_errors=True, resources=folder)
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        errors = [output for output in cell.outputs if output.output_type == "error"]
        assert all(output.get("name") != "stderr" for output in cell.outputs), cell.source
        if not (names := checked([cell])):
            assert errors == [], f"{cell.source}\n{errors}"
            continue
        (error,), (name,) = errors, names
        assert error.ename == "NotYet"
        assert error.traceback == [
            f"✗ {name}: not written yet: complete the function above, run its cell, then run this cell again."
        ]
    names = checked(nbformat.read(solved, as_version=4).cells)
    assert checked(notebook.cells) == names and len(names) >= 5


@pytest.mark.parametrize("solved", SEMINARS, ids=lambda path: path.stem)
def test_each_exercise_says_how_hard_important_and_long_it_is(solved):
    cells = nbformat.read(solved, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    marks = re.findall(r"^🔴+⚪* difficulty · 🔵+⚪* importance · \d+ minutes$", text, re.M)
    assert len(marks) == len(checked(cells))
