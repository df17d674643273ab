"""From a format and an example to token ids: words get the vocabulary's, soft tokens the ids behind it.

Soft token k has the id first_id + k, where first_id is the size of the model's vocabulary (with several
prompts in one model, larger): no table has a row for it but the prompt's. What a field holds is never read as
syntax.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from course_lib.prompts.format import PromptFormat
from course_lib.prompts.syntax import Field, Shots, Soft, Text

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]


@dataclass(frozen=True)
class EncodedPrompt:
    """A filled prompt in tokens, and its target.

    Attributes:
        ids: token ids (tokens,), the target's at the end.
        n_target: how many tokens of the target there are.
        text: the words of prompt and target before any truncation, soft tokens left out.
        characters: field -> where it stands in `text`, as (start, end), once for each time it occurs.
        tokens: field -> where it stands in `ids`, likewise; a token that it shares with a neighbour is in
            both.
    """

    ids: list[int]
    n_target: int
    text: str
    characters: dict[str, list[Span]]
    tokens: dict[str, list[Span]]

    @property
    def labels(self) -> list[int]:
        """The ids with -100 at every place that no loss is taken of (tokens,)."""
        n = len(self.ids) - self.n_target
        return [-100] * n + self.ids[n:]


@dataclass
class Run:
    """Words between two soft tokens, which are tokenised together, and where the fields are in them."""

    text: str = ""
    spans: list[tuple[str, Span]] = field(default_factory=list)

    def add(self, text: str, name: str | None = None) -> None:
        """Write a text to the end, under the name of its field."""
        if name is not None:
            self.spans.append((name, (len(self.text), len(self.text) + len(text))))
        self.text += text


TARGET = ""  # no field can have this name


def encode(
    form: PromptFormat,
    tokenizer: PreTrainedTokenizerBase,
    fields: Mapping[str, Any],
    first_id: int,
    target: str | None = None,
    *,
    end: bool = True,
    max_tokens: int | None = None,
    truncate: str | None = None,
) -> EncodedPrompt:
    """Fill a format and turn it into tokens.

    Args:
        form: counted (see `PromptFormat.count`).
        tokenizer: a fast one; if it puts a token before every text, that comes first here too.
        fields: the example's columns, more than needed do no harm; `shots` is a list of such examples, where
            the format repeats a part for each.
        first_id: the id of the first soft token.
        target: what is to be written, or None for a prompt alone. It is tokenised together with words that
            it follows directly, and begins with the first token that holds a letter of it.
        end: whether the end-of-text token follows the target.
        max_tokens: how many there may be in all.
        truncate: the field that loses its end when there are more. Soft tokens, the target, and the words of
            the format stay.

    Raises:
        ValueError: a field that the example does not have, or that is None; an empty target; too many tokens,
            and no field to truncate, or one that is too short.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError("Only a fast tokenizer tells where a field is: load one with use_fast=True.")
    if truncate is not None and truncate not in form.fields:
        raise ValueError(f"truncate='{truncate}' is no field of the format: {', '.join(form.fields)} are.")
    pieces = fill(form, fields)
    if target is not None:
        if not pieces or isinstance(pieces[-1], range):
            pieces.append(Run())
        pieces[-1].add(target, TARGET)
    ids = tokenizer("")["input_ids"][:1]
    text, n_target, may_go = "", 0, []
    characters: dict[str, list[Span]] = {}
    tokens: dict[str, list[Span]] = {}
    for piece in pieces:
        if isinstance(piece, range):
            ids += [first_id + k for k in piece]
            continue
        words = tokenizer(piece.text, add_special_tokens=False, return_offsets_mapping=True)
        for name, (start, stop) in piece.spans:
            places = [i for i, (a, b) in enumerate(words["offset_mapping"]) if a < stop and b > start]
            before = sum(b <= start for _, b in words["offset_mapping"])  # where an empty field is
            first, last = (places[0], places[-1] + 1) if places else (before, before)
            span = (len(ids) + first, len(ids) + last)
            if name == TARGET:
                if not places:
                    raise ValueError(f"The target is empty to the tokenizer: {target!r} has no token.")
                n_target = len(words["input_ids"]) - places[0]
                may_go = [i for i in may_go if i < span[0]]
                continue
            characters.setdefault(name, []).append((len(text) + start, len(text) + stop))
            tokens.setdefault(name, []).append(span)
            if name == truncate:  # not a token that holds letters of what stands beside it
                inside = [i for i in places if _within(words["offset_mapping"][i], start, stop)]
                may_go += [len(ids) + i for i in inside]
        if max(words["input_ids"], default=0) >= first_id:
            raise ValueError("The tokenizer has more words than the model: they do not belong together.")
        ids += words["input_ids"]
        text += piece.text
    if target is not None and end:
        ids.append(tokenizer.eos_token_id)
        n_target += 1
    excess = max(0, len(ids) - max_tokens) if max_tokens is not None else 0
    if excess > len(may_go):
        what = f"the field {{{truncate}}} can lose {len(may_go)}" if truncate else "no field may be truncated"
        raise ValueError(
            f"The prompt has {len(ids)} tokens, {excess} too many, and {what}: allow more than "
            f"{max_tokens}, or name a longer field to truncate."
        )
    gone = set(may_go[len(may_go) - excess :])
    kept = [i not in gone for i in range(len(ids))]
    new = [0, *accumulate(kept)]
    return EncodedPrompt(
        [i for i, keep in zip(ids, kept, strict=True) if keep],
        n_target,
        text,
        characters,
        {name: [(new[a], new[b]) for a, b in spans] for name, spans in tokens.items()},
    )


def _within(offsets: Span, start: int, stop: int) -> bool:
    return start <= offsets[0] and offsets[1] <= stop


def fill(form: PromptFormat, fields: Mapping[str, Any]) -> list[Run | range]:
    """Put an example's columns into a format.

    Returns:
        Runs of words and ranges of soft tokens' numbers, in turn.

    Raises:
        ValueError: a field that the example does not have, or that is None.
    """
    pieces: list[Run | range] = []
    row = 0

    def add(part: Text | Field | Soft, values: Mapping[str, Any], row: int) -> int:
        if isinstance(part, Soft):
            pieces.append(range(row, row + part.n))
            return row + part.n
        if not pieces or isinstance(pieces[-1], range):
            pieces.append(Run())
        if isinstance(part, Text):
            pieces[-1].add(part.text)
        else:
            pieces[-1].add(value(values, part.name), part.name)
        return row

    for part in form.parts:
        if not isinstance(part, Shots):
            row = add(part, fields, row)
            continue
        first = row
        row += sum(inside.n for inside in part.parts if isinstance(inside, Soft))
        for shot in fields.get("shots") or ():
            at = first
            for inside in part.parts:
                at = add(inside, shot, at)
    return pieces


def value(fields: Mapping[str, Any], name: str) -> str:
    """Return a field as text.

    Raises:
        ValueError: there is none, or it is None.
    """
    if name not in fields:
        there = sorted(map(str, fields))
        near = get_close_matches(name, there, n=1)
        hint = f"did you mean {{{near[0]}}}? It" if near else "it"
        raise ValueError(
            f"The format asks for {{{name}}}, which the example does not have: {hint} has "
            f"{', '.join(there) or 'no fields'}."
        )
    if fields[name] is None:
        raise ValueError(f"The format asks for {{{name}}}, which is None in this example.")
    return str(fields[name])
