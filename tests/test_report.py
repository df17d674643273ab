"""The scoreboard shows every claim, escapes what it shows, and a run that fails says where."""

import os
from dataclasses import replace
from html.parser import HTMLParser

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib import report, run
from course_lib.claims import Claim

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
DRAW = f"from IPython.display import Image\nImage(data=__import__('base64').b64decode('{PIXEL}'))"
CHECK = "from course_lib.claims import check\ncheck('size', '13.0B', '12.9B', True, slide='Table 2.1', n=8)"
HOLDS = Claim("vocabulary", "~50K", "50,257", True, "Details", notebook="01_recap")
FAILS = Claim("d_model", "5140", "5120", False, "Table 2.1", 0, 8, "40 × 128 | 5120", "<b>x</b>", "01_recap")


class Page(HTMLParser):
    """Collects the visible text and the addresses of a page."""

    def __init__(self, html: str):
        super().__init__()
        self.text, self.links, self.loaded = [], [], []
        self.feed(html)

    def handle_data(self, data):
        self.text.append(data)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "a":
            self.links.append(attrs["href"])
        elif "src" in attrs or tag == "link":
            self.loaded.append(attrs.get("src") or attrs.get("href"))


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Return a function that writes a notebook into a small course and stays in its root."""
    monkeypatch.chdir(tmp_path)
    for name in ("COURSE_CLAIMS", "COURSE_NOTEBOOK"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    (tmp_path / "lectures").mkdir()

    def write(name, *cells, title="# Recap: GPT & <more>"):
        notebook = new_notebook(cells=[new_markdown_cell(title), *map(new_code_cell, cells)], metadata=KERNEL)
        path = tmp_path / "lectures" / f"{name}.ipynb"
        nbformat.write(notebook, str(path))
        return path

    return write


def test_the_page_shows_counts_reason_seed_and_link_and_loads_nothing(tmp_path):
    pages = [report.Page("01_recap", "Recap: GPT & more", "01_recap.html", 3.2)]
    page = Page(report.build([HOLDS, FAILS], pages, tmp_path).read_text(encoding="utf-8"))
    text = " ".join(" ".join(page.text).split())
    for shown in (
        "1 claim holds",
        "1 does not hold here",
        "40 × 128 | 5120",
        "seed 0 · n = 8",
        "Recap: GPT & more",
    ):
        assert shown in text
    assert "<b>x</b>" in text  # shown as text, not as markup
    assert page.links == ["01_recap.html", "01_recap.html"]
    assert page.loaded == []


def test_claims_of_a_notebook_that_is_not_in_the_report_are_shown_too(tmp_path):
    page = Page(report.build([HOLDS], [], tmp_path).read_text(encoding="utf-8"))
    assert "01_recap" in " ".join(page.text)
    assert page.links == []


def test_markdown_has_one_row_a_claim_and_escapes_bars():
    table = report.markdown([HOLDS, FAILS])
    assert "**2 claims of the deck: 1 hold here, 1 do not.**" in table
    assert table.count("\n| [01](lectures/01_recap.ipynb) |") == 2
    assert "40 × 128 \\| 5120" in table


def test_markdown_gives_the_reason_of_a_claim_that_holds_too():
    assert report.markdown([replace(HOLDS, why="not on detox")]).endswith(
        "| 50,257 | ✓ holds: not on detox |"
    )
    assert report.markdown([HOLDS]).endswith("| 50,257 | ✓ holds |")


def test_claims_are_read_back_from_what_a_notebook_printed(course):
    claims = [HOLDS, replace(HOLDS, why="so it is"), replace(FAILS, why="x | y")]
    path = course("01_recap", "x")
    notebook = nbformat.read(path, as_version=4)
    text = "before\n" + "".join(f"{claim.line()}\n" for claim in claims)
    notebook.cells[1].outputs = [new_output("stream", text=text)]
    nbformat.write(notebook, path)
    assert report.markdown(report.stored([path])) == report.markdown(claims)


def test_fill_replaces_what_stands_between_the_marks_only():
    text = "a\n<!-- bench -->\nold\n<!-- /bench -->\nb"
    once = report.fill(text, "bench", r"new \1")
    assert once == "a\n<!-- bench -->\nnew \\1\n<!-- /bench -->\nb"
    assert report.fill(once, "bench", r"new \1") == once
    with pytest.raises(ValueError, match="scoreboard"):
        report.fill(text, "scoreboard", "")


def test_a_run_executes_collects_and_links(course, tmp_path, capsys):
    course("01_recap", DRAW, CHECK)
    assert run.main([]) == 0
    out = tmp_path / "build" / "report"
    assert "1 claims of the deck: 1 hold here" in capsys.readouterr().out
    page = Page((out / "index.html").read_text(encoding="utf-8"))
    assert page.links == ["01_recap.html"] * 2
    executed = (out / "01_recap.html").read_text(encoding="utf-8")
    assert f"data:image/png;base64,{PIXEL}" in executed.replace("\n", "")
    assert "Recap: GPT &amp; &lt;more&gt;" in executed
    assert os.environ.get("COURSE_NOTEBOOK") is None


def test_a_failing_cell_stands_in_the_last_lines_and_the_others_still_run(course, tmp_path, capsys):
    course("01_bad", "x = 1", "# divide\ny = x / 0")
    course("02_good", CHECK)
    assert run.main([]) == 1
    last = capsys.readouterr().err.strip().splitlines()[-4:]
    assert last == [
        f"FAILED: {os.path.join('lectures', '01_bad.ipynb')}, cell 3",
        "    # divide",
        "    y = x / 0",
        "ZeroDivisionError: division by zero",
    ]
    page = " ".join(Page((tmp_path / "build/report/index.html").read_text(encoding="utf-8")).text)
    assert "1 notebook stopped with an error" in page and "12.9B" in page


def test_a_dead_kernel_is_one_sentence(course, capsys):
    course("01_dead", "import os\nos._exit(9)", "print(1)")
    assert run.main([]) == 1
    last = capsys.readouterr().err.strip().splitlines()
    assert last[-1] == "the kernel died: most often the machine ran out of memory"
    assert last[-4].endswith("cell 2")


def test_a_cell_without_end_is_one_sentence(course, capsys, monkeypatch):
    monkeypatch.setattr(run, "CELL_TIMEOUT_S", 1)
    course("01_slow", "import time\ntime.sleep(60)", "print(1)")
    assert run.main([]) == 1
    last = capsys.readouterr().err.strip().splitlines()
    assert last[-1] == "the cell took longer than 1 s"
    assert last[-4].endswith("cell 2")


def test_store_keeps_outputs_and_nothing_of_the_runner(course):
    path = course("01_recap", "from tqdm.auto import tqdm\nfor _ in tqdm(range(2)): pass\nprint('да')")
    assert run.main(["--store", str(path)]) == 0
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[1].execution_count == 1
    assert any(output.get("text") == "да\n" for output in notebook.cells[1].outputs)
    assert not notebook.cells[1].metadata and set(notebook.metadata) == {"kernelspec", "language_info"}


def test_store_leaves_a_failing_notebook_as_it_was(course):
    path = course("01_bad", "1 / 0")
    before = path.read_bytes()
    assert run.main(["--store", str(path)]) == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"), [([], "no notebook in lectures/"), (["x.ipynb"], "x.ipynb")]
)
def test_nothing_to_run_is_one_sentence(course, capsys, arguments, message):
    assert run.main(arguments) == 1
    assert message in capsys.readouterr().err
