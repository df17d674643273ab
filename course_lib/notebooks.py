"""What all notebooks share: the setup cell, the Colab badge, and the student's versions.

python -m course_lib.notebooks setup                  # write the setup cell and badge into every notebook
python -m course_lib.notebooks publish owner/name     # the same, after choosing the public address
python -m course_lib.notebooks student [NOTEBOOK...]  # generate the student's versions
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("lectures", "seminars", "seminars/student")
BADGE = "<!-- badge -->"  # its line in the first cell is the badge's place
IGNORE_OUTPUT = "nbval-ignore-output"  # versions and devices differ between machines
SOLUTION_CELL = "solution"  # tag of a whole cell that the student does not get

# The one setup cell. In Colab the package comes without touching what is preinstalled: torch and its company
# are held at the versions found there, before anything is imported.
SETUP = """\
# Setup: the same cell in every notebook. PROFILE "colab" runs all of it on ruGPT-3, "gpu" on ruGPT-3.5-13B.
PROFILE, REPO = "", "{repo}"  # PROFILE "" is tiny, or what COURSE_PROFILE says

import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

if not find_spec("course_lib"):  # in Colab: install it, holding what is preinstalled where it is
    if not REPO and not Path("course.zip").exists():
        raise ModuleNotFoundError("no course_lib: run `make lab`; in Colab, upload course.zip (see README)")
    preinstalled = ("torch", "transformers", "numpy", "pandas", "tokenizers")
    held = [f"{{name}}=={{version(name)}}" for name in preinstalled if find_spec(name)]
    Path("held.txt").write_text("\\n".join(held))
    source = f"git+https://github.com/{{REPO}}" if REPO else "course.zip"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", "held.txt", source], check=True)

from course_lib.models import load_lm, profile
from course_lib.notebooks import about

os.environ["COURSE_PROFILE"] = PROFILE or os.environ.get("COURSE_PROFILE", "")
model, tokenizer = load_lm(profile())
print(about(model))"""


def about(model) -> str:
    """Return where the notebook runs: device, dtype, model and versions, for the setup cell to print.

    Args:
        model: a transformers model.
    """
    import platform
    from importlib.metadata import version

    n_params = sum(p.numel() for p in model.parameters())
    dtype = str(model.dtype).removeprefix("torch.")
    name = Path(model.config.name_or_path).name or model.config.model_type
    versions = " · ".join(f"{package} {version(package)}" for package in ("torch", "transformers"))
    return (
        f"device {model.device} · dtype {dtype} · model {name}, {n_params / 1e6:.1f}M parameters\n"
        f"Python {platform.python_version()} · {versions}"
    )


def address(root: Path = ROOT) -> str:
    """Return the course's public address, `owner/name`, empty until published; pyproject.toml has it."""
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["course"]["repo"]


def setup_cell(repo: str) -> str:
    """Return the source of the setup cell."""
    return SETUP.format(repo=repo)


def badge(repo: str, path: str) -> str:
    """Return the badge line of a notebook's first cell: only the mark until the course has an address."""
    if not repo:
        return BADGE
    colab = "https://colab.research.google.com"
    return (
        f"{BADGE} [![Open in Colab]({colab}/assets/colab-badge.svg)]({colab}/github/{repo}/blob/main/{path})"
    )


def all_notebooks(root: Path = ROOT) -> list[Path]:
    """Return the course's notebooks in order."""
    return [path for folder in FOLDERS for path in sorted((root / folder).glob("*.ipynb"))]


def write_setup(root: Path = ROOT) -> list[Path]:
    """Write the setup cell and the badge into every notebook, leaving stored outputs as they are.

    Returns:
        the notebooks that changed.

    Raises:
        ValueError: a notebook whose first two cells are not the title with its badge mark and the setup cell.
    """
    import nbformat

    repo, changed = address(root), []
    for path in all_notebooks(root):
        notebook = nbformat.read(path, as_version=4)
        before = nbformat.writes(notebook)
        name = path.relative_to(root).as_posix()
        title, setup = [*notebook.cells, None, None][:2]
        if title is None or title.cell_type != "markdown" or BADGE not in title.source:
            raise ValueError(f"{name}: cell 1 must be the title, with a line {BADGE}")
        if setup is None or setup.cell_type != "code" or not setup.source.startswith("# Setup"):
            raise ValueError(f"{name}: cell 2 must be the setup cell, which starts with '# Setup'")
        title.source = re.sub(rf"^{BADGE}.*$", lambda _: badge(repo, name), title.source, flags=re.MULTILINE)  # noqa: B023
        setup.source = setup_cell(repo)
        setup.metadata.tags = sorted({*setup.metadata.get("tags", []), IGNORE_OUTPUT})
        if nbformat.writes(notebook) != before:
            nbformat.write(notebook, path)
            changed.append(path)
    return changed


def publish(repo: str, root: Path = ROOT) -> list[Path]:
    """Write the course's public address in its one place, and from there into every notebook.

    Args:
        repo: `owner/name` on GitHub.

    Returns:
        the notebooks that changed.

    Raises:
        ValueError: the address is not of that shape.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]+/[\w.-]+", repo):
        raise ValueError(f"the address must be owner/name, got {repo!r}: make publish REPO=owner/name")
    project = root / "pyproject.toml"
    text, n = re.subn(r'(?m)^repo = ".*"$', f'repo = "{repo}"', project.read_text(encoding="utf-8"))
    if n != 1:
        raise ValueError('pyproject.toml must have exactly one line repo = "…", under [tool.course]')
    project.write_text(text, encoding="utf-8")
    return write_setup(root)


_BLOCK = re.compile(
    r"^(?P<indent>[ \t]*)#+ BEGIN SOLUTION(?P<hint>[^\n]*)\n.*?^[ \t]*#+ END SOLUTION[ \t]*$", re.M | re.S
)


def blank(source: str) -> str:
    """Replace each solution in a cell by a line that says what to do.

    Args:
        source: a cell; a solution stands between `# BEGIN SOLUTION`, with an optional hint behind it, and
            `# END SOLUTION`.

    Raises:
        ValueError: a mark without its partner.
    """

    def placeholder(found: re.Match) -> str:
        indent, hint = found["indent"], found["hint"].strip(" :")
        note = f"your code here: {hint}" if hint else "your code here"
        return (
            f'{indent}# {note}\n{indent}raise NotImplementedError("write your code here, then run the check")'
        )

    blanked = _BLOCK.sub(placeholder, source)
    if "BEGIN SOLUTION" in blanked or "END SOLUTION" in blanked:
        raise ValueError("a BEGIN SOLUTION without its END SOLUTION, or the other way round")
    return blanked


def student_version(solved: Path) -> str:
    """Return the text of the student's notebook: solutions blanked, outputs cleared, nothing else changed.

    Args:
        solved: the solved notebook.

    Raises:
        ValueError: a cell with unpaired solution marks, named by its number.
    """
    import nbformat

    notebook = nbformat.read(solved, as_version=4)
    notebook.cells = [c for c in notebook.cells if SOLUTION_CELL not in c.metadata.get("tags", [])]
    for number, cell in enumerate(notebook.cells, 1):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            try:
                cell.source = blank(cell.source)
            except ValueError as error:
                raise ValueError(f"{solved.name}, cell {number}: {error}") from None
    repo, name = address(), f"seminars/student/{solved.name}"
    first = notebook.cells[0]
    first.source = re.sub(rf"^{BADGE}.*$", lambda _: badge(repo, name), first.source, flags=re.MULTILINE)
    return nbformat.writes(notebook) + "\n"


def write_students(solved: list[Path]) -> list[Path]:
    """Write the student's version of each solved notebook into the folder `student` beside it."""
    written = []
    for path in solved:
        target = path.parent / "student" / path.name
        text = student_version(path)
        target.parent.mkdir(exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m course_lib.notebooks", description=__doc__.splitlines()[0]
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="write the setup cell and the badge into every notebook")
    commands.add_parser("publish", help="choose the public address").add_argument(
        "repo", metavar="owner/name"
    )
    student = commands.add_parser("student", help="generate the student's versions")
    student.add_argument("notebooks", nargs="*", type=Path, help="solved notebooks; by default all seminars")
    options = parser.parse_args(arguments)
    try:
        if options.command == "student":
            changed = write_students(options.notebooks or sorted((ROOT / "seminars").glob("*.ipynb")))
        else:
            changed = publish(options.repo) if options.command == "publish" else write_setup()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(f"wrote {path}" for path in changed) or "nothing to change")
    return 0


if __name__ == "__main__":
    sys.exit(main())
