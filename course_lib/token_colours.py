"""How surprised a model is by each token, as the colour of the text itself: live in a widget, or a picture.

Slides "How to solve tasks with the few-/zero-shot?": what is compared there, the loss of a whole text, is a
sum, and here one sees its terms.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import exp
from typing import TYPE_CHECKING, Any

from course_lib.tokens import token_labels

if TYPE_CHECKING:
    from IPython.display import Image
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

DEEPEST = 10.0  # nats from which on a token is as dark as can be; one scale, so that pictures can be compared
LIGHT, DARK = (255, 255, 255), (8, 29, 88)  # ends of a ramp that is the same ramp in greyscale
THICKEST = 4  # pixels of the underline, which says the same without any colour
LINE, FONT_SIZE = 84, 11  # of the picture: letters in a line, points
VIEW = "application/vnd.jupyter.widget-view+json"
MONO = "font-family:'DejaVu Sans Mono',Menlo,Consolas,monospace"


@dataclass(frozen=True)
class Reading:
    """What a model makes of one token of a text.

    Attributes:
        label: the token to look at: a space is `·`, a part of a letter its bytes in hex.
        logprob: its natural log-probability after all that stands before it; None where the model gave none.
        likeliest: (label, probability) of the tokens that the model thought likeliest there.
    """

    label: str
    logprob: float | None = None
    likeliest: tuple[tuple[str, float], ...] = ()


def read(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, text: str, n_likeliest: int = 3
) -> list[Reading]:
    """Let a model read a text, and note what it thought of each token.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer, a byte-level one.
        text: any text.
        n_likeliest: how many of the likeliest tokens to note.

    Returns:
        One reading a token. The first token is scored after the token that begins a text (BOS), and has no
        log-probability where the tokenizer has none; nor have tokens beyond the context window.
    """
    import torch

    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    if not ids:
        return []
    labels = token_labels(tokenizer, ids)
    bos = tokenizer.bos_token_id
    window = getattr(model.config, "max_position_embeddings", None) or len(ids) + 1
    seen = ([] if bos is None else [bos]) + ids
    with torch.inference_mode():
        # the last token is predicted, and never read
        inputs = torch.tensor([seen[:-1][:window] or seen], device=model.device)
        logits = model(inputs, attention_mask=torch.ones_like(inputs)).logits[0]  # (time, vocab)
        logprobs = logits.float().log_softmax(-1)
    targets = torch.tensor(seen[1 : window + 1], dtype=torch.long, device=model.device)
    own = logprobs[: len(targets)].gather(1, targets[:, None])[:, 0].tolist()
    best = logprobs[: len(targets)].exp().topk(n_likeliest)
    likeliest = [
        tuple(zip(token_labels(tokenizer, row), probs, strict=True))
        for row, probs in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    first = [] if bos is not None else [Reading(labels[0])]
    scored = [Reading(*parts) for parts in zip(labels[len(first) :], own, likeliest, strict=False)]
    readings = first + scored
    return readings + [Reading(label) for label in labels[len(readings) :]]


def shade(logprob: float | None) -> tuple[str, str, int]:
    """Return how a token looks: background, colour of the letters, pixels of the underline.

    Args:
        logprob: natural log-probability; None for a token that was not scored.
    """
    depth = 0.0 if logprob is None else min(max(-logprob / DEEPEST, 0.0), 1.0)
    rgb = [round(a + (b - a) * depth) for a, b in zip(LIGHT, DARK, strict=True)]
    ink = "#000000" if luminance(rgb) > 0.179 else "#ffffff"  # where both are equally legible (WCAG 2)
    return "#{:02x}{:02x}{:02x}".format(*rgb), ink, round(THICKEST * depth)


def luminance(rgb: Sequence[int]) -> float:
    """Return how light a colour is to the eye, from 0 to 1 (WCAG 2)."""
    linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def to_html(readings: Sequence[Reading]) -> str:
    """Write a text as coloured HTML; hovering over a token tells the rest.

    Args:
        readings: from `read`.

    Returns:
        HTML in which the text's own `<`, `&` and quotes are harmless.
    """
    spans = "".join(_span(reading) for reading in readings) or "<em>Type a text above.</em>"
    legend = "".join(_span(Reading(f" {minus(nats)} ", -nats)) for nats in (0, 2.5, 5, 7.5, DEEPEST))
    scored = [reading.logprob for reading in readings if reading.logprob is not None]
    total = f"{len(readings)} tokens, log-probability {minus(-sum(scored))} nats" if scored else ""
    return (
        '<div style="background:#fff;color:#000;padding:8px;font-family:sans-serif">'
        f'<div style="{MONO};font-size:16px;white-space:pre-wrap">'
        f"{spans}</div>"
        f'<div style="font-size:12px;margin-top:6px">{total}<br>log-probability of a token, in nats: '
        f'<span style="{MONO};white-space:pre">{legend}</span> and below</div></div>'
    )


def _span(reading: Reading) -> str:
    background, ink, line = shade(reading.logprob)
    border = "1px dashed #555" if reading.logprob is None else f"{line}px solid #000"
    style = f"background:{background};color:{ink};border-bottom:{border}"
    return (
        f'<span title="{html.escape(describe(reading))}" style="{style};display:inline-block;'
        f'margin:1px 1px 5px 0">{html.escape(reading.label)}</span>'
        + ("<br>" if reading.label.endswith("↵") else "")
    )


def minus(nats: float) -> str:
    """Return a loss as a log-probability with one digit and a proper minus sign."""
    return f"−{nats:.1f}" if round(nats, 1) > 0 else "0.0"


def describe(reading: Reading) -> str:
    """Return what hovering over a token tells, in up to three lines."""
    if reading.logprob is None:
        return f"«{reading.label}»\nnot scored"
    said = f"«{reading.label}»\nlog-probability {reading.logprob:.2f}, probability {exp(reading.logprob):.2g}"
    if not reading.likeliest:
        return said
    return said + "\nlikeliest: " + ", ".join(f"«{label}» {p:.1%}" for label, p in reading.likeliest)


def to_png(texts: Mapping[str, Sequence[Reading]]) -> bytes:
    """Draw coloured texts below one another, the log-probability of each token under it.

    Args:
        texts: title, which may be empty -> readings, from `read`.

    Returns:
        A PNG file.
    """
    import warnings

    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    boxes, titles, height = _lay_out(texts)
    letter = 0.602 * FONT_SIZE / 72  # inches: DejaVu Sans Mono is 0.602 of its size wide
    size = (LINE * letter + 0.2, (height + 0.2) * 0.2)
    small, plain = FONT_SIZE - 4, {"parse_math": False}  # a $ is a $
    file = BytesIO()
    with rc_context({"font.family": "DejaVu Sans Mono", "figure.constrained_layout.use": False}):
        figure = Figure(size, dpi=110, facecolor="white")
        ax = figure.add_axes((0.1 / size[0], 0, 1 - 0.2 / size[0], 1))
        ax.set(xlim=(0, LINE), ylim=(height + 0.1, -0.1))
        ax.axis("off")
        note = "under each token: its log-probability, in nats"
        ax.text(LINE, height, note, color="#555555", ha="right", va="bottom", size=small)
        for y, title in titles:
            ax.text(0, y + 0.5, title, va="center", size=FONT_SIZE - 1, weight="bold", **plain)
        for x, y, width, reading in boxes:
            background, ink, line = shade(reading.logprob)
            ax.add_patch(Rectangle((x, y), width, 1.05, facecolor=background, edgecolor="#999999", lw=0.5))
            ax.add_patch(Rectangle((x, y + 1.05), width, 0.05 * line, facecolor="black"))
            middle = {"x": x + width / 2, "ha": "center", "va": "center", **plain}
            ax.text(y=y + 0.52, s=reading.label, color=ink, size=FONT_SIZE, **middle)
            number = "–" if reading.logprob is None else minus(-reading.logprob)
            ax.text(y=y + 1.6, s=number, color="#333333", size=small, **middle)
        with warnings.catch_warnings():  # a letter that the font lacks is drawn as a box
            warnings.filterwarnings("ignore", "Glyph", UserWarning)
            figure.savefig(file, format="png")
    return file.getvalue()


def _lay_out(texts: Mapping[str, Sequence[Reading]]) -> tuple[list[tuple], list[tuple[float, str]], float]:
    """Find every token its place, in letters to the right and in lines down.

    Returns:
        (x, y, width, reading) of each token, (y, title) of each title, and the height of all.
    """
    boxes: list[tuple[float, float, float, Reading]] = []
    titles: list[tuple[float, str]] = []
    y = 0.0
    for title, readings in texts.items():
        if title:
            titles.append((y, title))
            y += 1.0
        x = 0.0
        for reading in readings:
            width = max(len(reading.label) + 0.7, 3.8)  # the number below needs its room, too
            if x and x + width > LINE:
                x, y = 0.0, y + 2.1
            boxes.append((x, y, width, reading))
            x = x + width + 0.25 if not reading.label.endswith("↵") else float(LINE)
        y += 2.3
    return boxes, titles, y + 0.5


def picture(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Mapping[str, str] | str
) -> Image:
    """Draw how surprised a model is by texts.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        texts: title -> text, or one text.

    Returns:
        What a notebook shows as a picture.
    """
    from IPython.display import Image

    titled = {"": texts} if isinstance(texts, str) else texts
    return Image(to_png({title: read(model, tokenizer, text) for title, text in titled.items()}))


class Live:
    """A box to type in, and below it what was typed, coloured at each key: the last line of a cell shows it.

    Where no widgets are (ipywidgets is missing, a page on GitHub), a picture of the first text takes its
    place: one output carries both, and the front end shows the liveliest that it can.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, text: str):
        self.model, self.tokenizer, self.first, self.widget = model, tokenizer, text, None
        try:
            import ipywidgets
        except ImportError:
            return
        wide = ipywidgets.Layout(width="98%")
        self.box = ipywidgets.Text(value=text, placeholder="any text", layout=wide)
        self.view = ipywidgets.HTML(layout=wide)
        self.box.observe(self.refresh, names="value")
        self.widget = ipywidgets.VBox([self.box, self.view])
        self.refresh()

    def refresh(self, _change: Any = None) -> None:
        """Colour what stands in the box now."""
        self.view.value = to_html(read(self.model, self.tokenizer, self.box.value))

    def _repr_mimebundle_(self, **_) -> dict[str, Any]:  # IPython asks an object how to show itself
        first = read(self.model, self.tokenizer, self.first)
        bundle = {"text/plain": f"token colours: {self.first}", "image/png": to_png({"": first})}
        if self.widget is not None:
            bundle[VIEW] = {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id}
        return bundle
