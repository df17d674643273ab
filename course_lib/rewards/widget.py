"""Human feedback in the notebook: read a prompt and several answers to it, and rank them.

Keyboard first: type the answers' numbers from best to worst, `2 1=3 4` for "2 is best, 1 and 3 are as good as
one another, 4 is worst", and press Enter; or click. Every ranking is in the file before the next question
comes, so that nothing is lost, and what is in the file is not asked again.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from course_lib.rewards.comparisons import Ranking, agreement, read_jsonl, write_jsonl
from course_lib.rewards.labeler import LABELERS, Labeler

HELP = "numbers from best to worst, = for a tie: 2 1=3 4, then Enter"
PRE = "white-space: pre-wrap"  # lines as the policy broke them


def parse_order(text: str, n_answers: int) -> tuple[tuple[int, ...], ...]:
    """Return the order that somebody typed.

    Args:
        text: such as `2 1=3 4`; with less than ten answers, `21=34` says the same.
        n_answers: how many there are, at most 9.

    Returns:
        Groups of numbers, from 0, from best to worst.

    Raises:
        ValueError: something else than numbers, spaces and =, or an = without a number on each side.
    """
    if strange := re.sub(r"[\d\s=]", "", text):
        raise ValueError(f"Type numbers and = only: '{strange[0]}' is neither.")
    joined = re.sub(r"\s*=\s*", "=", text.strip())
    if joined.startswith("=") or joined.endswith("=") or "==" in joined:
        raise ValueError("A number is missing beside =.")
    groups = [tuple(int(digit) - 1 for digit in re.findall(r"\d", group)) for group in _groups(joined)]
    if wrong := [number for group in groups for number in group if not 0 <= number < n_answers]:
        raise ValueError(f"There is no answer {wrong[0] + 1}: they are 1 to {n_answers}.")
    return tuple(groups)


def _groups(joined: str) -> list[str]:
    return re.findall(r"\d(?:=\d)*", joined)


class RankingWidget:
    """A form that shows answers and takes rankings; put `.box` at the end of a cell.

    Args:
        rows: what is asked: `prompt`, `category` and `reference` (see `rlhf.questions`).
        respond: gives the answers to a row: two to nine, all different; it is called when the row's turn
            comes, so that the answers are those of the policy as it is then.
        path: the JSONL file that rankings are added to; what this labeler has ranked there is not asked.
        labeler: who ranks.
        builtin: whose rankings of the same answers are compared with.

    Raises:
        ValueError: fewer than two answers to a row, or more than nine.
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        respond: Callable[[Mapping[str, Any]], Sequence[str]],
        path: str | Path,
        labeler: str = "student",
        builtin: Labeler = LABELERS[0],
    ) -> None:
        self.path, self.labeler, self.builtin, self.respond = Path(path), labeler, builtin, respond
        self.rankings: list[Ranking] = []
        if self.path.exists():
            found, self.problems = read_jsonl(self.path)
            self.rankings = [each for each in found if each.labeler == labeler]
        else:
            self.problems = []
        done = {each.prompt for each in self.rankings}
        self.rows = {row["prompt"]: row for row in rows}
        self.left = [row for prompt, row in self.rows.items() if prompt not in done]
        self.n_skipped = 0
        self.answers: Sequence[str] = ()
        self._shown = widgets.HTML()
        self._entry = widgets.Text(placeholder=HELP, continuous_update=False)
        self._entry.layout.width = "28em"
        self._entry.observe(self._typed, "value")
        self._numbers = widgets.HBox()
        undo, skip, submit = (widgets.Button(description=name) for name in ("Clear", "Skip", "Submit"))
        undo.on_click(lambda _: self._write(""))
        skip.on_click(lambda _: self._skip())
        submit.on_click(lambda _: self.submit())
        self._told = widgets.HTML()
        self.box = widgets.VBox(
            [self._shown, self._numbers, widgets.HBox([self._entry, submit, undo, skip]), self._told]
        )
        self._next()

    @property
    def row(self) -> Mapping[str, Any] | None:
        """The row whose answers are shown; None when all are done."""
        return self.left[0] if self.left else None

    def submit(self) -> bool:
        """Take the ranking that is in the entry.

        Returns:
            Whether it was one; otherwise the form says what is wrong.
        """
        if self.row is None:
            return False
        try:
            order = parse_order(self._entry.value, len(self.answers))
            ranking = Ranking(self.row["prompt"], tuple(self.answers), order, self.labeler)
        except ValueError as error:
            self._told.value = f"<b style='color:#B00020'>{html.escape(_in_ones(str(error)))}</b>"
            return False
        write_jsonl([ranking], self.path)
        self.rankings.append(ranking)
        self.left.pop(0)
        self._next()
        return True

    def agreement(self) -> tuple[float, int] | None:
        """Return how often the built-in labeler, who makes no slip, orders two of the answers alike, and of
        how many; None if there is nothing to compare yet."""
        both = []
        for ranking in self.rankings:
            row = self.rows.get(ranking.prompt)
            other = row and self._exact.rank(row, ranking.responses)
            both += [ranking, other] if other else []
        try:
            return agreement(both)
        except ValueError:
            return None

    @property
    def _exact(self) -> Labeler:
        return replace(self.builtin, name=f"{self.builtin.name} (built in)", noise=0.0, step=0.01)

    def _typed(self, change: Mapping[str, Any]) -> None:
        digits = set(re.findall(r"\d", change["new"]))
        # the frontend sends a value on Enter, and when the entry is left: half a ranking waits
        if len(digits) == len(self.answers):
            self.submit()

    def _write(self, text: str) -> None:
        self._entry.unobserve(self._typed, "value")
        self._entry.value = text
        self._entry.observe(self._typed, "value")

    def _skip(self) -> None:
        if self.left:
            self.left.append(self.left.pop(0))
            self.n_skipped += 1
            self._next()

    def _next(self) -> None:
        self._write("")
        agreed = self.agreement()
        n_left = len(self.left)
        parts = [f"{len(self.rankings)} ranked, {n_left} left"]
        if agreed:
            parts.append(f"the built-in labeler agrees on {agreed[0]:.0%} of {agreed[1]} pairs")
        parts += [f"not read: {html.escape(problem)}" for problem in self.problems]
        self._told.value = " · ".join(parts)
        if self.row is None:
            self._shown.value = f"<b>All are ranked.</b> They are in {html.escape(self.path.name)}."
            self._numbers.children = ()
            return
        self.answers = list(self.respond(self.row))
        if not 2 <= len(self.answers) <= 9:
            raise ValueError(
                f"There are {len(self.answers)} answers to «{self.row['prompt'][:40]}»: give 2 to 9 to rank."
            )
        listed = "".join(
            f"<li style='margin:0.3em 0; {PRE}'>{html.escape(answer) or '<i>(nothing)</i>'}</li>"
            for answer in self.answers
        )
        self._shown.value = (
            f"<div style='line-height:1.35'><b style='{PRE}'>{html.escape(self.row['prompt'])}</b>"
            f"<ol>{listed}</ol></div>"
        )
        buttons = []
        for number in range(1, len(self.answers) + 1):
            button = widgets.Button(description=str(number), tooltip=f"the next best is answer {number}")
            button.layout.width = "3em"
            button.on_click(lambda _, number=number: self._write(f"{self._entry.value} {number}".strip()))
            buttons.append(button)
        tie = widgets.Button(description="=", tooltip="as good as the one before")
        tie.layout.width = "3em"
        tie.on_click(lambda _: self._write(f"{self._entry.value}="))
        self._numbers.children = (*buttons, tie)


def _in_ones(message: str) -> str:
    """Number answers from one, as the form shows them."""
    return re.sub(r"answer (\d+)", lambda found: f"answer {int(found[1]) + 1}", message)
