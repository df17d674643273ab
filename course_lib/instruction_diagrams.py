"""The pictures of instruction tuning: clusters of tasks, and an example told in several ways."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from course_lib.diagrams import MINT, PAPER, SAND, SKY, STONE, arrow, box, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def clusters(groups: Mapping[str, Sequence[str]], held_out: Collection[str] = ()) -> Figure:
    """Draw clusters of tasks (slide "Data for Instruction Tuning"), those held out in another shade.

    Args:
        groups: cluster -> its tasks.
        held_out: the clusters that nothing is trained on.
    """
    n_columns, width, step = 4, 3.2, 0.52
    n_rows = -(-len(groups) // n_columns)
    tallest = max(map(len, groups.values()))
    height = 0.75 + step * tallest
    figure, ax = canvas(n_columns * (width + 0.2), n_rows * (height + 0.2) + 0.1, 0.72)
    for i, (name, tasks) in enumerate(groups.items()):
        row, column = divmod(i, n_columns)
        x = column * (width + 0.2) + width / 2 + 0.1
        top = (n_rows - row) * (height + 0.2)
        kept = name in held_out
        box(ax, x, top - height / 2, width, height, "", STONE if kept else PAPER)
        title = f"{name} (held out)" if kept else name
        ax.text(x, top - 0.3, title, ha="center", va="center", fontsize=9.5, fontweight="bold")
        for j, task in enumerate(tasks):
            box(ax, x, top - 0.75 - step * j, width - 0.5, 0.42, task, SAND if kept else SKY, fontsize=8.5)
    return figure


def told(example: Mapping[str, str], templates: Mapping[str, str]) -> Figure:
    """Draw one example and the ways in which it is told (slide "Data for Instruction Tuning").

    Args:
        example: part -> text, wrapped already.
        templates: name -> the text that the model reads, wrapped already.
    """
    left = "\n\n".join(f"{part}\n{text}" for part, text in example.items())
    heights = [0.5 + 0.26 * text.count("\n") + 0.3 for text in templates.values()]
    height = max(sum(heights) + 0.25 * len(heights), 0.6 + 0.26 * left.count("\n"))
    figure, ax = canvas(12, height + 0.3, 0.78)
    box(ax, 2.4, height / 2, 4.4, 0.6 + 0.26 * left.count("\n"), left, MINT, fontsize=8.5)
    top = height
    for (name, text), tall in zip(templates.items(), heights, strict=True):
        y = top - tall / 2
        box(ax, 8.9, y, 6.0, tall, f"{name}\n{text}", SKY, fontsize=8)
        arrow(ax, (4.65, height / 2), (5.85, y))
        top -= tall + 0.25
    return figure
