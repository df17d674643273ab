"""The notebooks: one setup cell, clean stored outputs, student's versions that are the generated ones."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib import notebooks
from course_lib.notebooks import BADGE, IGNORE_OUTPUT, ROOT, blank, setup_cell

ALL = notebooks.all_notebooks()
SOLVED = [path for path in ALL if path.parent.name != "student"]
SEMINARS = [path for path in SOLVED if path.parent.name == "seminars"]
PATHS = re.compile(r"(?<![\w.:/])/(?:work|root|home|Users|tmp|usr|content|mnt|opt|var)/|[A-Z]:\\\\Users")
MOST_LINES, LONG_CELLS_ALLOWED, MOST_BYTES = 25, 3, 2_000_000


def read(path: Path):
    return nbformat.read(path, as_version=4)


def code(path: Path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def texts(cell):
    """Yield everything a cell's stored outputs show as text."""
    for output in cell.outputs:
        yield from (output.get("text", ""), "\n".join(output.get("traceback", ())))
        yield from (v for k, v in output.get("data", {}).items() if not k.startswith("image/p"))


# the notebooks themselves


@pytest.mark.parametrize("path", ALL, ids=names)
def test_starts_with_title_and_the_one_setup_cell(path):
    title, setup = read(path).cells[:2]
    assert title.cell_type == "markdown" and title.source.startswith("# ")
    repo = notebooks.address()
    badges = [line for line in title.source.splitlines() if line.startswith(BADGE)]
    assert badges == [notebooks.badge(repo, names(path))], "run python -m course_lib.notebooks setup"
    assert setup.source == setup_cell(repo), "run python -m course_lib.notebooks setup"
    assert IGNORE_OUTPUT in setup.metadata.tags


@pytest.mark.parametrize("path", ALL, ids=names)
def test_is_a_clean_file(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert path.stat().st_size < MOST_BYTES
    assert notebook.metadata.kernelspec.name == "python3"
    assert not {"widgets", "colab", "accelerator", "papermill"} & set(notebook.metadata)
    for cell in notebook.cells:
        assert not {"colab", "executionInfo", "papermill", "execution", "outputId"} & set(cell.metadata)
    long = [cell.source for cell in code(path) if len(cell.source.splitlines()) > MOST_LINES]
    assert len(long) <= LONG_CELLS_ALLOWED, f"{len(long)} cells are longer than {MOST_LINES} lines: {long}"
    assert not PATHS.search("\n".join(cell.source for cell in notebook.cells))


@pytest.mark.parametrize("path", SOLVED, ids=names)
def test_outputs_are_stored_whole_and_in_order(path):
    cells = [cell for cell in code(path) if cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run it top to bottom"
    assert cells[0].outputs, "the setup cell prints where the notebook ran"
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr", cell.source
        shown = "\n".join(map(str, texts(cell)))
        assert "Warning" not in shown and "Traceback" not in shown, shown
        assert not PATHS.search(shown), shown


@pytest.mark.parametrize("path", SOLVED, ids=names)
def test_a_cell_that_checks_a_claim_is_always_compared(path):
    for cell in code(path):
        if re.search(r"\bclaims\.check\(|(?<![\w.])check\(", cell.source):
            assert IGNORE_OUTPUT not in cell.metadata.get("tags", ())
            assert "NBVAL_IGNORE_OUTPUT" not in cell.source and "NBVAL_SKIP" not in cell.source


def test_lectures_check_claims():
    for path in SOLVED:
        if path.parent.name == "lectures":
            assert any("claims.check(" in cell.source for cell in code(path)), names(path)


@pytest.mark.parametrize("path", SEMINARS, ids=names)
def test_the_committed_students_version_is_the_generated_one(path):
    student = path.parent / "student" / path.name
    assert student.exists(), "run python -m course_lib.notebooks student"
    assert student.read_text(encoding="utf-8") == notebooks.student_version(path), "generate it again"
    assert "SOLUTION" not in student.read_text(encoding="utf-8")


def test_no_students_version_without_its_seminar():
    students = {path.name for path in ALL if path.parent.name == "student"}
    assert students == {path.name for path in SEMINARS}


# the setup cell


def test_the_setup_cell_is_short_and_in_the_house_style():
    source = setup_cell("owner/name")
    assert len(source.splitlines()) <= MOST_LINES
    ruff = [sys.executable, "-m", "ruff", "format", "--diff", "--stdin-filename", "x.py", "-"]
    assert subprocess.run(ruff, input=source + "\n", text=True, capture_output=True).returncode == 0


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Return a function that runs the setup cell where course_lib is not installed; pip only takes notes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_PROFILE", "")
    model = SimpleNamespace(
        parameters=list,
        dtype="torch.float32",
        device="cpu",
        config=SimpleNamespace(name_or_path="tiny", model_type="gpt2"),
    )
    stub = ModuleType("course_lib.models")
    stub.load_lm, stub.profile = (lambda name: (model, name)), (lambda: "tiny")
    monkeypatch.setitem(sys.modules, "course_lib.models", stub)
    find, calls = __import__("importlib.util").util.find_spec, []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "course_lib" else find(name))
    monkeypatch.setattr("subprocess.run", lambda command, check: calls.append(command))

    def start(repo: str):
        exec(setup_cell(repo), {})
        return calls, Path("held.txt").read_text()

    return start


def test_in_colab_the_preinstalled_stack_is_held(fresh, capsys):
    (command,), held = fresh("owner/name")
    assert command[1:] == [
        "-m",
        "pip",
        "install",
        "-q",
        "-c",
        "held.txt",
        "git+https://github.com/owner/name",
    ]
    assert [line.split("==")[0] for line in held.splitlines()] == [
        "torch",
        "transformers",
        "numpy",
        "pandas",
        "tokenizers",
    ]
    assert "device cpu · dtype float32 · model tiny" in capsys.readouterr().out


def test_unpublished_it_installs_the_uploaded_course(fresh, tmp_path):
    with pytest.raises(ModuleNotFoundError, match=r"upload course\.zip"):
        fresh("")
    (tmp_path / "course.zip").touch()
    (command,), _ = fresh("")
    assert command[-1] == "course.zip"


# publishing


@pytest.fixture
def course(tmp_path):
    """Return a small unpublished course with one lecture."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    notebooks_project = tmp_path / "pyproject.toml"
    text = re.sub(r'(?m)^repo = ".*"$', 'repo = ""', notebooks_project.read_text(encoding="utf-8"))
    notebooks_project.write_text(text, encoding="utf-8")
    (tmp_path / "lectures").mkdir()
    output = nbformat.v4.new_output("stream", text="device cpu\n")
    cells = [
        new_markdown_cell(f"# T\n\n{BADGE}\n\nmore"),
        new_code_cell("# Setup", outputs=[output]),
        new_code_cell("1"),
    ]
    nbformat.write(new_notebook(cells=cells), str(tmp_path / "lectures" / "01_recap.ipynb"))
    return tmp_path


def test_until_published_there_is_no_link(course):
    assert notebooks.write_setup(course) == [course / "lectures" / "01_recap.ipynb"]
    assert notebooks.write_setup(course) == []
    text = (course / "lectures" / "01_recap.ipynb").read_text()
    assert "colab.research" not in text and 'PROFILE, REPO = \\"\\", \\"\\"' in text


def test_publish_writes_the_address_in_one_place_and_from_there_everywhere(course):
    path = course / "lectures" / "01_recap.ipynb"
    for repo in ("someone/first", "owner/name"):
        assert notebooks.publish(repo, course) == [path]
        assert notebooks.address(course) == repo
        notebook = nbformat.read(path, as_version=4)
        title, setup, rest = notebook.cells
        assert title.source == f"# T\n\n{notebooks.badge(repo, 'lectures/01_recap.ipynb')}\n\nmore"
        assert f"/github/{repo}/blob/main/lectures/01_recap.ipynb)" in title.source
        assert (
            setup.source == setup_cell(repo)
            and setup.outputs[0].text == "device cpu\n"
            and rest.source == "1"
        )
    assert notebooks.publish("owner/name", course) == []


@pytest.mark.parametrize(
    "repo", ["", "owner", "owner/name/more", "https://github.com/owner/name", 'o/n" x', "o/n\n"]
)
def test_publish_refuses_what_is_no_address(course, repo):
    before = (course / "pyproject.toml").read_bytes()
    with pytest.raises(ValueError, match="the address must be owner/name"):
        notebooks.publish(repo, course)
    assert (course / "pyproject.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([], "cell 1 must be the title"),
        ([new_markdown_cell("# T")], "cell 1 must be the title"),
        ([new_markdown_cell(f"# T\n{BADGE}"), new_code_cell("1")], "cell 2 must be the setup cell"),
    ],
)
def test_a_notebook_of_another_shape_is_named(course, cells, message):
    nbformat.write(new_notebook(cells=cells), str(course / "lectures" / "02_x.ipynb"))
    with pytest.raises(ValueError, match=rf"lectures/02_x\.ipynb: {message}"):
        notebooks.write_setup(course)


# the student's versions


def test_a_solution_becomes_a_line_that_says_what_to_do():
    source = (
        "def f(x):\n    # BEGIN SOLUTION two lines\n    y = x\n\n    return y\n    # END SOLUTION\n\n"
        "### BEGIN SOLUTION\nz = 1\n### END SOLUTION\nf(z)"
    )
    stub = 'raise NotImplementedError("write your code here, then run the check")'
    assert blank(source) == (
        f"def f(x):\n    # your code here: two lines\n    {stub}\n\n# your code here\n{stub}\nf(z)"
    )
    assert blank("x = 1") == "x = 1"


@pytest.mark.parametrize(
    "source", ["# BEGIN SOLUTION\nx = 1", "x = 1\n# END SOLUTION", "# END SOLUTION\n# BEGIN SOLUTION"]
)
def test_unpaired_marks_are_refused_with_the_cell(tmp_path, source):
    path = tmp_path / "01_x.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# T"), new_code_cell(source)]), str(path))
    with pytest.raises(ValueError, match=r"01_x\.ipynb, cell 2: a BEGIN SOLUTION without"):
        notebooks.student_version(path)


def test_the_students_version_has_no_outputs_and_no_solution_cells(tmp_path):
    solution = new_markdown_cell("the answer", metadata={"tags": ["solution"]})
    output = nbformat.v4.new_output("stream", text="forty-two\n")
    solved = new_code_cell("# BEGIN SOLUTION\nx = 42\n# END SOLUTION", outputs=[output], execution_count=1)
    path = tmp_path / "01_x.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# T"), solved, solution]), str(path))
    before = path.read_bytes()
    (student,) = notebooks.write_students([path])
    assert student == tmp_path / "student" / "01_x.ipynb" and path.read_bytes() == before
    # no bare number: a cell's random id may hold any two digits
    assert not any(text in student.read_text() for text in ("forty-two", "x = 42", "the answer"))
    assert json.loads(student.read_text())["cells"][1]["execution_count"] is None
    assert student.read_text() == notebooks.student_version(path)  # the same each time
