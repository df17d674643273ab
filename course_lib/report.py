"""The scoreboard: every claim of the deck beside its measurement, as one page and as a table for the README.

python -m course_lib.report --readme             # write the last run's scoreboard into README.md
python -m course_lib.report --stored --readme    # the scoreboard of the outputs that the lectures store
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from course_lib import claims as claims_module
from course_lib.claims import Claim

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
# what `Claim.line` prints
LINE = re.compile(
    r"^(✓ holds|✗ does not hold) \| deck: (.*?) \| here: (.*?)(?: \| (?:because|though) (.*))?$", re.MULTILINE
)


@dataclass(frozen=True)
class Page:
    """One executed notebook of the report."""

    name: str
    title: str
    link: str
    seconds: float
    failure: str | None = None


def page(executed: Path, seconds: float, failure: str | None = None) -> Page:
    """Convert an executed notebook to one HTML file beside it, pictures inside.

    Args:
        executed: the executed notebook.
        seconds: how long it ran.
        failure: what went wrong, None when all is well.

    Returns:
        the page's name, title and link.
    """
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(executed, as_version=4)
    strip_widgets(notebook)
    # formulas are typeset where there is a network, and stay TeX where there is none; nothing else is fetched
    exporter = HTMLExporter(embed_images=True, require_js_url="", jquery_url="")
    title = _title(notebook) or executed.stem
    resources = {"metadata": {"name": title, "path": str(executed.parent)}}
    body, _ = exporter.from_notebook_node(notebook, resources)
    html = executed.with_suffix(".html")
    html.write_text(body, encoding="utf-8")
    return Page(executed.stem, title, html.name, seconds, failure)


def build(claims: Sequence[Claim], pages: Sequence[Page], folder: Path) -> Path:
    """Write `index.html`, a page that needs nothing but itself.

    Args:
        claims: what was measured.
        pages: the executed notebooks in order; claims of other notebooks come after them, without a link.
        folder: where the page goes.

    Returns:
        the path of the page.
    """
    from jinja2 import Environment, PackageLoader

    groups = [(p, [c for c in claims if c.notebook == p.name]) for p in pages]
    names = {p.name for p in pages}
    others = sorted({c.notebook for c in claims} - names)
    groups += [
        (Page(name, name or "other", "", 0.0), [c for c in claims if c.notebook == name]) for name in others
    ]
    environment = Environment(
        loader=PackageLoader("course_lib"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    html = environment.get_template("report.html").render(
        groups=groups,
        n_hold=sum(c.holds for c in claims),
        n_fail=sum(not c.holds for c in claims),
        n_failures=sum(p.failure is not None for p in pages),
        seconds=sum(p.seconds for p in pages),
        made=datetime.now().strftime("%d %B %Y, %H:%M"),
        machine=machine(),
    )
    index = folder / "index.html"
    index.write_text(html, encoding="utf-8")
    return index


def stored(notebooks: Sequence[Path]) -> list[Claim]:
    """Read the claims that the stored outputs of notebooks print: all but their slides, seeds and details.

    Args:
        notebooks: in the order of the scoreboard.
    """
    import nbformat

    found = []
    for path in notebooks:
        cells = nbformat.read(path, as_version=4).cells
        texts = [output.get("text", "") for cell in cells for output in cell.get("outputs", ())]
        for verdict, deck, measured, why in LINE.findall("\n".join(texts)):
            holds = verdict == "✓ holds"
            found.append(Claim(deck, deck, measured, holds, "", why=why or None, notebook=path.stem))
    return found


def headline(claims: Sequence[Claim]) -> str:
    """Return the scoreboard in one line."""
    n_hold = sum(c.holds for c in claims)
    return f"{len(claims)} claims of the deck: {n_hold} hold here, {len(claims) - n_hold} do not"


def markdown(claims: Sequence[Claim]) -> str:
    """Return the scoreboard as a Markdown table, for the README."""
    rows = [
        f"**{headline(claims)}.**",
        "",
        "| lecture | the deck says | measured here | verdict |",
        "|---|---|---|---|",
    ]
    for c in claims:
        verdict = "✓ holds" if c.holds else "✗ does not hold"
        reason = f": {c.why}" if c.why else ""
        lecture = f"[{c.notebook.split('_')[0]}](lectures/{c.notebook}.ipynb)" if c.notebook else ""
        cells = (lecture, c.deck, c.measured, verdict + reason)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def fill(text: str, marker: str, content: str) -> str:
    """Replace what stands between `<!-- marker -->` and `<!-- /marker -->`.

    Raises:
        ValueError: the text does not have the two marks.
    """
    pattern = re.compile(rf"(<!-- {re.escape(marker)} -->).*?(<!-- /{re.escape(marker)} -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the text has no <!-- {marker} --> … <!-- /{marker} --> to fill")
    return pattern.sub(lambda found: f"{found[1]}\n{content}\n{found[2]}", text, count=1)


def strip_widgets(notebook) -> None:
    """Drop the widgets' state, which GitHub cannot show; a progress bar keeps the text that stands for it."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET_VIEW, None)


def machine() -> str:
    """Return the machine and the versions that a measurement depends on, in one line."""
    import os
    import platform
    from importlib.metadata import version

    parts = (f"{name} {version(name)}" for name in ("torch", "transformers"))
    system = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return " · ".join((f"Python {platform.python_version()}", *parts, system))


def _title(notebook) -> str:
    """Return the first heading of the notebook, empty where there is none."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := re.search(r"^# +(.+)$", cell.source, re.MULTILINE)):
            return found[1].strip()
    return ""


def main() -> None:
    """Print the scoreboard of the last run or of the stored lectures, or write it into the README."""
    parser = argparse.ArgumentParser(prog="python -m course_lib.report", description=__doc__.splitlines()[0])
    parser.add_argument("--claims", type=Path, default=Path("build/report/claims.jsonl"))
    parser.add_argument("--stored", action="store_true", help="the claims in the stored outputs of lectures/")
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    options = parser.parse_args()
    lectures = sorted(Path("lectures").glob("*.ipynb"))
    table = markdown(stored(lectures) if options.stored else claims_module.load(options.claims))
    if options.readme:
        readme = Path("README.md")
        readme.write_text(fill(readme.read_text(encoding="utf-8"), "scoreboard", table), encoding="utf-8")
    else:
        print(table)


if __name__ == "__main__":
    main()
