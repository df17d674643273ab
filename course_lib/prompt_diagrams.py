"""The pictures of prompt tuning: four methods, the format slides, and how data flows.

They take texts and know no models; the look is that of `diagrams`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course_lib.diagrams import EDGE, MINT, PAPER, SAND, SKY, STONE, arrow, box, canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINED = {"facecolor": SAND, "edgecolor": EDGE, "hatch": "////"}  # a hatch too: greyscale tells it as well
SOFT = "<P>"  # how a soft token is written in a drawing
# the deck's elements of a prompt -> fill
ELEMENTS = {
    "task instruction": SAND,
    "instance query": SKY,
    "target": MINT,
    "task context": STONE,
    "instance context": "#e6d5ea",
    "soft tokens": SAND,
}
# name, paper, tokens, where trained vectors enter, what they come from
METHODS: tuple[tuple[str, str, tuple[str, ...], str, str], ...] = (
    ("Prefix-Tuning", "Li & Liang, Jan 2021", ("Москва", "основана", "…"), "layers", "MLP while training"),
    ("P-Tuning", "Liu et al., Mar 2021", (SOFT, "Москва", SOFT, "основана", SOFT), "input", "BiLSTM + MLP"),
    ("Prompt Tuning", "Lester et al., Apr 2021", (SOFT, SOFT, SOFT, "Москва", "основана"), "input", "tensor"),
    (
        "CPT, ruPrompts",
        "Konodyuk & Tikhonova, Dec 2021",
        (SOFT, "Москва", SOFT, SOFT, "основана"),
        "input",
        "tensor or BiLSTM + MLP",
    ),
)


def trained_box(ax: Axes, x: float, y: float, width: float, height: float, text: str = "") -> None:
    """Draw a box of what is trained; (x, y) is the middle."""
    from matplotlib.patches import FancyBboxPatch

    style = "round,pad=0,rounding_size=0.08"
    corner = (x - width / 2, y - height / 2)
    ax.add_patch(FancyBboxPatch(corner, width, height, style, linewidth=1, gid="trained", **TRAINED))
    if text:
        plate = {"facecolor": SAND, "edgecolor": "none", "pad": 1.5}
        ax.text(x, y, text, ha="center", va="center", fontsize=9, bbox=plate)


def tuning_method(
    ax: Axes,
    name: str,
    paper: str,
    tokens: Sequence[str],
    enters: str,
    source: str,
    n_layers: int = 3,
    n_prefix: int = 2,
) -> None:
    """Draw one method of tuning prompts: what is trained, and where it enters the frozen model.

    Args:
        ax: an empty board.
        name, paper: the heading.
        tokens: of the input, a soft one written `<P>`.
        enters: "input", at the soft tokens, or "layers", as keys and values in front in every layer.
        source: what the trained vectors come from.
        n_layers: frozen layers to draw.
        n_prefix: vectors in front, where they enter the layers.
    """
    ax.set(xlim=(0, 7.2), ylim=(0, 5.6), aspect="equal")
    ax.axis("off")
    ax.text(0.1, 5.4, name, fontsize=12, fontweight="bold", va="center")
    ax.text(0.1, 5.0, paper, fontsize=9, va="center")
    width, first = 1.3, 0.1 + (n_prefix * 0.75 if enters == "layers" else 0)
    places = [first + (i + 0.5) * (width + 0.08) for i in range(len(tokens))]
    middle, whole = first + len(tokens) * (width + 0.08) / 2, len(tokens) * (width + 0.08) - 0.08
    for layer in range(n_layers):
        y = 3.0 + layer * 0.72
        box(ax, middle, y, whole, 0.5, f"layer {layer + 1}, frozen", STONE)
        if enters == "layers":
            for i in range(n_prefix):
                trained_box(ax, 0.1 + i * 0.75 + 0.35, y, 0.62, 0.5, "k, v")
    for x, token in zip(places, tokens, strict=True):
        soft = token == SOFT
        if soft:
            trained_box(ax, x, 2.05, width, 0.5, "p")
        else:
            box(ax, x, 2.05, width, 0.5, "e", PAPER)
        arrow(ax, (x, 2.3), (x, 2.74))
        box(ax, x, 1.2, width, 0.5, token, SAND if soft else SKY, fontsize=8.5)
        arrow(ax, (x, 1.45), (x, 1.79))
    trained_box(ax, 1.0, 0.3, 1.8, 0.45, "trained")
    ax.text(2.1, 0.3, f"from: {source}", fontsize=9.5, va="center")


def four_methods() -> Figure:
    """Draw Prefix-, P-, Prompt Tuning and CPT side by side (slide "Training Prompt by Gradient Descent")."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(10, 7.4))
    for ax, method in zip(axes.flat, METHODS, strict=True):
        tuning_method(ax, *method)
    return figure


def prompt_strips(prompts: Mapping[str, Sequence[tuple[str, str]]], width: float = 11.5) -> Figure:
    """Draw prompts as strips of coloured parts (slides "CPT: Idea").

    Args:
        prompts: heading -> parts of the prompt as (element, text), the elements being those of `ELEMENTS`; a
            text "\\n" begins a new line.
        width: units a line.

    Raises:
        ValueError: an element that the deck does not have.
    """
    lines: list[tuple[str, list[tuple[str, str]]]] = []
    for heading, parts in prompts.items():
        lines.append((heading, []))
        for element, text in parts:
            if element not in ELEMENTS:
                raise ValueError(f"There is no element {element!r}: {', '.join(ELEMENTS)}.")
            if text == "\n":
                lines.append(("", []))
            else:
                lines[-1][1].append((element, text))
    headings = sum(bool(heading) for heading, _ in lines)
    height = len(lines) * 0.5 + headings * 0.55 + 0.6
    figure, ax = canvas(width, height, 10 / width)
    y = height - 0.1
    for heading, parts in lines:
        if heading:
            ax.text(0.05, y - 0.3, heading, fontsize=11, fontweight="bold", va="center")
            y -= 0.55
        x = 0.05
        for element, text in parts:
            wide = 0.098 * len(text) + 0.28
            if element == "soft tokens":
                trained_box(ax, x + wide / 2, y - 0.25, wide, 0.4, text)
            else:
                box(ax, x + wide / 2, y - 0.25, wide, 0.4, text, ELEMENTS[element], fontsize=9)
            x += wide + 0.05
        y -= 0.5
    x = 0.05
    used = {element for _, parts in lines for element, _ in parts}
    for element in (element for element in ELEMENTS if element in used):
        if element == "soft tokens":
            trained_box(ax, x + 0.18, 0.25, 0.36, 0.26)
        else:
            box(ax, x + 0.18, 0.25, 0.36, 0.26, "", ELEMENTS[element])
        ax.text(x + 0.45, 0.25, element, fontsize=9, va="center")
        x += 0.1 * len(element) + 0.85
    return figure


def flow(tokens: Sequence[str], answer: Mapping[str, float], written: Sequence[str] = ()) -> Figure:
    """Draw how a prompt flows through the model (slides "CPT: Internals", "Generative Classification").

    Args:
        tokens: of the prompt, soft ones written `<P>`.
        answer: label words with their probabilities, the only ones compared; empty for text generation.
        written: tokens that are written one by one; empty for classification.
    """
    step, wide = 1.28, 1.14
    columns = [*tokens, *written]
    width = step * len(columns) + (3.2 if answer else 0.3)
    figure, ax = canvas(width, 5.3, min(1.0, 10 / width))
    places = [0.72 + i * step for i in range(len(columns))]
    middle = (places[0] + places[-1]) / 2
    box(ax, middle, 3.4, len(columns) * step - 0.1, 0.8, "frozen language model", STONE)
    for i, (x, token) in enumerate(zip(places, columns, strict=True)):
        soft = token == SOFT
        box(ax, x, 0.35, wide, 0.5, token, SAND if soft else SKY if i < len(tokens) else MINT, fontsize=8.5)
        if soft:
            arrow(ax, (x, 0.6), (x, 1.13))
            trained_box(ax, x, 1.35, wide, 0.44, "provider")
            arrow(ax, (x, 1.57), (x, 2.08))
            trained_box(ax, x, 2.35, wide, 0.5, "p")
        else:
            arrow(ax, (x, 0.6), (x, 2.08))
            box(ax, x, 2.35, wide, 0.5, "e", PAPER)
        arrow(ax, (x, 2.6), (x, 2.98))
    end = places[len(tokens) - 1]
    if answer:
        arrow(ax, (end, 3.8), (end, 4.2))
        box(ax, end, 4.5, 1.14, 0.55, "logits", PAPER)
        for i, (word, probability) in enumerate(answer.items()):
            y = 4.95 - 0.62 * i
            box(ax, end + 2.2, y, 1.7, 0.5, f"{word}   {probability:.2f}", MINT)
            arrow(ax, (end + 0.58, 4.5), (end + 1.33, y))
        ax.text(end + 1.3, 3.5, "only the label words\nare compared", fontsize=9, va="center")
        look = {"arrowstyle": "-|>", "linestyle": "--", "color": EDGE}
        last = max(x for x, token in zip(places, tokens, strict=False) if token == SOFT)
        ax.annotate("gradient", (last + 0.6, 1.35), (end + 1.5, 2.2), fontsize=9.5, arrowprops=look)
    else:
        for x, token in zip(places[len(tokens) - 1 :], [*written, "<end>"], strict=True):
            arrow(ax, (x, 3.8), (x, 4.2))
            box(ax, x, 4.45, wide, 0.5, token, MINT, fontsize=8.5)
        note = "what is written is read next; keys and values of all before it are kept"
        ax.text(places[-1] + wide / 2, 5.05, note, fontsize=9, ha="right", va="center")
    return figure
