"""The pictures that are drawn rather than plotted: the main idea, models, the decoder, tokens, attention.

They take names, numbers and matrices and know no models; the look is that of `plots.style()`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from course_lib.plots import HEAT

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from course_lib.registry import ModelCard

# fills light enough for black letters, each told from the others by its lightness
PAPER, SKY, SAND, MINT, STONE = "#ffffff", "#cfe6f5", "#fbe3b3", "#b9e2d3", "#d9d9d9"
EDGE = "#333333"


def canvas(width: float, height: float, scale: float = 1.0) -> tuple[Figure, Axes]:
    """Return an empty drawing board of `width` x `height` units, `scale` inches a unit."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(width * scale, height * scale))
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return figure, ax


def box(ax: Axes, x: float, y: float, width: float, height: float, text: str, fill: str, **font) -> None:
    """Draw a rounded box with its text; (x, y) is the middle."""
    from matplotlib.patches import FancyBboxPatch

    corner = (x - width / 2, y - height / 2)
    style = "round,pad=0,rounding_size=0.08"
    ax.add_patch(FancyBboxPatch(corner, width, height, style, facecolor=fill, edgecolor=EDGE, linewidth=1))
    ax.text(x, y, text, ha="center", va="center", **{"fontsize": 9.5, **font})


def arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], bend: float = 0.0) -> None:
    """Draw an arrow, straight or bent."""
    look = {"arrowstyle": "-|>", "color": EDGE, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", end, start, arrowprops={**look, "connectionstyle": f"arc3,rad={bend}"})


def main_idea(steps: Sequence[tuple[str, str, str]]) -> Figure:
    """Draw the lecture's road from left to right (slide "The main idea").

    Args:
        steps: (heading, what happens, an example) of each step.
    """
    gap, width = 0.6, 3.4
    figure, ax = canvas(len(steps) * (width + gap) - gap + 0.1, 2.5, 0.86)
    for i, ((heading, what, example), fill) in enumerate(zip(steps, (SKY, SAND, MINT, STONE), strict=False)):
        x = i * (width + gap) + width / 2 + 0.05
        box(ax, x, 1.25, width, 2.4, "", fill)
        ax.text(x, 2.13, heading, ha="center", va="center", fontsize=11, fontweight="bold")
        ax.text(x, 1.52, what, ha="center", va="center", fontsize=9)
        box(ax, x, 0.62, width - 0.3, 0.86, example, PAPER, family="DejaVu Sans Mono", fontsize=8)
        if i:
            arrow(ax, (x - width / 2 - gap + 0.06, 1.25), (x - width / 2 - 0.06, 1.25))
    return figure


def timeline(models: Sequence[ModelCard]) -> Figure:
    """Draw the deck's GPT-like models in columns, a year each, those with open weights filled.

    Args:
        models: lines of the registry (slide "GPT-like models").
    """
    from itertools import groupby

    by_year = {
        year: sorted(of_year, key=lambda model: (model.n_params is None, model.n_params))
        for year, of_year in groupby(sorted(models, key=lambda model: model.year), lambda model: model.year)
    }
    width, height, tallest = 3.1, 0.72, max(map(len, by_year.values()))
    figure, ax = canvas(len(by_year) * width + 0.2, tallest * height + 1.05, 0.86)
    arrow(ax, (0.05, 0.62), (len(by_year) * width + 0.15, 0.62))
    for i, (year, of_year) in enumerate(by_year.items()):
        x = (i + 0.5) * width + 0.05
        ax.text(x, 0.3, str(year), ha="center", va="center", fontsize=11, fontweight="bold")
        for j, model in enumerate(of_year):
            y = 0.62 + (j + 0.65) * height
            box(ax, x, y, width - 0.2, height - 0.12, "", SKY if model.open else PAPER)
            ax.text(x, y + 0.13, model.name, ha="center", va="center", fontsize=9.5, fontweight="bold")
            about = f"{model.owner} · {model.size} · {model.language}"
            ax.text(x, y - 0.14, about, ha="center", va="center", fontsize=7.5)
    ax.text(0.05, tallest * height + 0.95, "filled: open weights", va="center", fontsize=9)
    return figure


def decoder(
    n_layer: int,
    n_embd: int,
    n_head: int,
    vocab_size: int,
    n_positions: int,
    name: str,
    tokens: Sequence[str],
) -> Figure:
    """Draw the decoder with the shapes of one model written in (slide "Transformer decoder!").

    Args:
        n_layer, n_embd, n_head, vocab_size, n_positions: the model's shape.
        name: the model's name.
        tokens: a few tokens that go in, and as the last one the token that comes out.
    """
    from matplotlib.patches import Circle

    figure, ax = canvas(9.4, 10.4, 0.78)
    middle, wide, d, right = 3.1, 3.7, n_embd, 5.75

    def layer(y: float, text: str, fill: str, shape: str = "", note: str = "", height: float = 0.55) -> None:
        box(ax, middle, y, wide, height, text, fill)
        ax.text(right, y + (0.13 if note else 0), shape, va="center", fontsize=9, family="DejaVu Sans Mono")
        ax.text(right, y - 0.17, note, va="center", fontsize=8, color="#444444")

    def add(y: float, start: float, side: float) -> None:
        """Draw the plus and the road round a sublayer."""
        road = [middle, side, side], [start, start, y]
        ax.plot(*road, color=EDGE, linewidth=1.2, linestyle="-", marker="")
        arrow(ax, (side, y), (middle - 0.17, y))
        ax.text(middle, y, "+", ha="center", va="center", fontsize=11, zorder=3)
        ax.add_patch(Circle((middle, y), 0.17, facecolor=PAPER, edgecolor=EDGE, zorder=2))

    *context, following = tokens
    step = wide / len(context)
    for i, token in enumerate(context):
        box(ax, middle - wide / 2 + (i + 0.5) * step, 0.3, step * 0.94, 0.5, token, PAPER, fontsize=8.5)
    ax.text(right, 0.3, f"T ≤ {n_positions} tokens", va="center", fontsize=9, family="DejaVu Sans Mono")
    layer(
        1.25,
        "token embedding  +  position",
        SKY,
        f"{vocab_size} × {d}  +  {n_positions} × {d}",
        "look-up tables",
    )
    bottom, top = 2.0, 7.55
    box(ax, middle, (bottom + top) / 2, wide + 1.25, top - bottom, "", "#f6f6f6")
    ax.text(
        middle + wide / 2 + 0.52,
        top - 0.25,
        f"× {n_layer} layers",
        ha="right",
        va="center",
        fontsize=13,
        fontweight="bold",
    )
    side = middle - wide / 2 - 0.36
    layer(2.85, "layer norm", STONE, height=0.42)
    layer(
        3.65, "masked multi-head attention", SAND, f"{n_head} heads × {d // n_head} = {d}", "only to the left"
    )
    layer(5.35, "layer norm", STONE, height=0.42)
    layer(6.15, "MLP (GELU)", MINT, f"{d} → {4 * d} → {d}", "each token by itself")
    layer(8.2, "layer norm", STONE, height=0.42)
    layer(9.05, "head = token embedding again", SKY, f"{d} × {vocab_size}", "logits of the next token")
    for start, end in ((0.58, 0.96), (1.54, 2.62), (3.08, 3.36), (3.94, 4.28), (4.62, 5.12), (5.58, 5.86)):
        arrow(ax, (middle, start), (middle, end))
    for start, end in ((6.44, 6.83), (7.17, 7.97), (8.43, 8.76), (9.34, 9.72)):
        arrow(ax, (middle, start), (middle, end))
    add(4.45, 2.3, side)
    add(7.0, 4.85, side)
    box(ax, middle, 10.0, step * 0.94, 0.5, following, PAPER, fontsize=8.5)
    ax.text(right, 10.0, "the likeliest, or a sample", va="center", fontsize=8, color="#444444")
    ax.text(right, 4.85, f"the stream:  T × {d}", va="center", fontsize=9, family="DejaVu Sans Mono")
    ax.set_title(f"The decoder of {name}, with its shapes")
    return figure


def token_strips(rows: Mapping[str, Sequence[str]], width: float = 12.0) -> Figure:
    """Draw texts cut into tokens, one box a token, with the number of tokens behind the name.

    Args:
        rows: name of the text -> the labels of its tokens (`tokens.token_labels`).
        width: of the picture, in letters' units; long texts go on in a new line.
    """
    letter, pad, high, room = 0.102, 0.14, 0.42, 2.1
    placed, y = [], 0.0
    for name, labels in rows.items():
        placed.append((None, name, len(labels), y))
        x = room
        for i, label in enumerate(labels):
            wide = letter * len(label) + pad
            if x + wide > width:
                x, y = room, y + high + 0.08
            placed.append((x, label, i, y))
            x += wide + 0.03
        y += high + 0.3
    figure, ax = canvas(width, y - 0.1, 0.84)
    for x, text, i, down in placed:
        middle = y - 0.15 - high / 2 - down
        if x is None:
            ax.text(0, middle + 0.09, text, va="center", fontsize=9.5, fontweight="bold")
            ax.text(0, middle - 0.13, f"{i} tokens", va="center", fontsize=8, color="#444444")
        else:
            wide = letter * len(text) + pad
            fill = (SKY, SAND)[i % 2]
            box(ax, x + wide / 2, middle, wide, high, text, fill, family="DejaVu Sans Mono", fontsize=8)
    return figure


def attention_overview(maps: Sequence[np.ndarray]) -> Figure:
    """Draw the maps of all heads as small pictures, a row a layer.

    Args:
        maps: of each layer, who looks at whom (head, time, time).
    """
    import matplotlib.pyplot as plt

    layers, heads = len(maps), len(maps[0])
    size = min(1.1, 9 / heads)
    figure, axes = plt.subplots(
        layers, heads, figsize=(heads * size + 0.5, layers * size + 0.4), squeeze=False
    )
    for layer, row in enumerate(axes):
        for head, ax in enumerate(row):
            image = ax.imshow(maps[layer][head], cmap=HEAT, vmin=0, vmax=1, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            if layer == 0:
                ax.set_title(
                    f"head {head}" if size > 0.9 else f"{head}", fontsize=8.5, loc="center", weight="normal"
                )
        row[0].set_ylabel(f"layer {layer}" if size > 0.9 else f"{layer}", fontsize=8.5)
    figure.colorbar(image, ax=axes, label="share of attention", shrink=0.6)
    return figure


def attention_heads(maps: Mapping[str, np.ndarray], tokens: Sequence[str]) -> Figure:
    """Draw a few attention maps large enough to read, with the tokens along both sides.

    Args:
        maps: title -> who (row) looks at whom (column), (time, time).
        tokens: labels of the tokens (time,).
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(maps), figsize=(3.9 * len(maps), 4.3), sharey=True, squeeze=False)
    fontsize = min(8, 175 / len(tokens))
    for ax, (title, values) in zip(axes[0], maps.items(), strict=True):
        image = ax.imshow(values, cmap=HEAT, vmin=0, vmax=1, interpolation="nearest")
        ax.set_xticks(range(len(tokens)), tokens, rotation=90, fontsize=fontsize)
        ax.set_yticks(range(len(tokens)), tokens, fontsize=fontsize)
        ax.set_title(title, fontsize=10)
        ax.set_xlabel("token looked at")
        ax.grid(visible=False)
    axes[0][0].set_ylabel("token that looks")
    figure.colorbar(image, ax=axes[0], label="share of attention", shrink=0.75)
    return figure


def masks(pictures: Mapping[str, np.ndarray]) -> Figure:
    """Draw attention masks side by side: dark where a token (row) may look at another (column).

    Args:
        pictures: title -> mask (time, time).
    """
    import matplotlib.pyplot as plt
    from matplotlib.colors import ListedColormap

    figure, axes = plt.subplots(1, len(pictures), figsize=(3.1 * len(pictures), 3.5), squeeze=False)
    for ax, (title, mask) in zip(axes[0], pictures.items(), strict=True):
        time = len(mask)
        ax.imshow(mask, cmap=ListedColormap(["#f2f2f2", "#0072B2"]), vmin=0, vmax=1, interpolation="nearest")
        ax.set_xticks([i - 0.5 for i in range(time + 1)], minor=True)
        ax.set_yticks([i - 0.5 for i in range(time + 1)], minor=True)
        ax.grid(visible=False)
        ax.grid(which="minor", color="white", linewidth=math.sqrt(12 / time))
        ax.tick_params(which="both", length=0)
        ax.set(xlabel="token looked at", ylabel="token that looks")
        ax.set_title(title, fontsize=10)
    return figure
