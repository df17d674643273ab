"""What README.md and CONTRIBUTING.md say: their scoreboard, links and commands are those of the course."""

import re
from importlib.util import find_spec

import pytest

from course_lib import report

PAGES = (
    *("README.md", "CONTRIBUTING.md", "course_lib/world/DATASHEET.md"),
    *(f"course_lib/checkpoints/{name}/README.md" for name in ("tiny", "tiny-2m", "tiny-0.5m", "tiny-t5-2m")),
)


def test_the_scoreboard_is_that_of_the_stored_lectures(root):
    readme = (root / "README.md").read_text(encoding="utf-8")
    table = report.markdown(report.stored(sorted((root / "lectures").glob("*.ipynb"))))
    stale = "README.md's scoreboard is stale: python -m course_lib.report --stored --readme"
    assert readme == report.fill(readme, "scoreboard", table), stale


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(root, page):
    path = root / page
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES[:2])
def test_modules_that_one_is_told_to_run_are_there(root, page):
    modules = set(re.findall(r"python -m ([\w.]+)", (root / page).read_text(encoding="utf-8")))
    assert modules
    for module in modules - {"venv", "pip", "ruff"}:
        assert find_spec(module), module


def test_without_make_the_tests_are_those_of_make(root):
    readme = (root / "README.md").read_text(encoding="utf-8")
    makefile = (root / "Makefile").read_text(encoding="utf-8").replace("$(PY) ", ".venv/bin/python ")
    for line in re.findall(r"^\t(\.venv/bin/python -m ruff .*)$", makefile, re.MULTILINE):
        assert f"\n{line}\n" in readme
    (command,) = re.findall(r"^\.venv/bin/python -m pytest (.*)$", readme, re.MULTILINE)
    parallel = makefile.split(" -m pytest ")[1].splitlines()[0]
    notebooks = makefile.split("\t$(PARALLEL)")[1].split(" tests $")[0]
    flags = re.findall(r"\s(--[\w-]+)", parallel + notebooks)
    assert len(flags) == 7 and set(flags) <= set(re.findall(r"--[\w-]+", command))
    # what the Makefile lists as notebooks: the student's versions are exercises, and fail
    assert command.endswith(" --ignore=seminars/student tests lectures seminars")
