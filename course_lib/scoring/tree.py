"""Shared work: what requests have in common is read once.

Sorted by their tokens, texts that begin alike stand side by side. Two things are shared. A *prefix* with
which many texts begin (instructions and few-shot examples) is read once and its keys and values are kept. And
what goes on alike after it (one text, many labels) becomes one *row*: a tree, each token of which is read
once and may look at its own ancestors only. `reading.py` lets a model read the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

MIN_PREFIX = 16  # tokens from which on a prefix within a family is worth looking for
MIN_SAVED = 64  # tokens that a pass for a prefix must save


@dataclass(frozen=True)
class Encoded:
    """A request in tokens: the model reads `ids` but the last one, and is scored on the last `n_scored`."""

    ids: tuple[int, ...]
    n_scored: int


@dataclass(frozen=True)
class Row:
    """Texts that go on alike after a prefix, as a tree: its nodes are tokens, each after its parent.

    Attributes:
        requests: which texts they are.
        n_scored: how many tokens of each are scored (requests,).
        ids: the tokens, in an order in which the model can read them (nodes,).
        depths: how many tokens stand before each in its text (nodes,).
        seen: who may look at whom (nodes, nodes): a token at itself and its ancestors.
        predictors: the node that predicts each token that is scored (scored,).
        targets: the tokens that are scored (scored,).
    """

    requests: list[int]
    n_scored: list[int]
    ids: np.ndarray
    depths: np.ndarray
    seen: np.ndarray
    predictors: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_chain(self) -> bool:
        """Whether the tokens simply follow one another."""
        return len(self.requests) == 1

    @classmethod
    def grow(cls, texts: Sequence[Encoded], requests: list[int], n_prefix: int) -> Row:
        """Make one tree of sorted texts, all of which begin with the same n_prefix tokens."""
        ids, depths, predictors, targets, path = [], [], [], [], np.arange(0)
        seen = np.tri(n_new(texts, requests, n_prefix), dtype=bool)
        for i, read, n in branches(texts, requests, n_prefix):
            start, end = len(ids), len(ids) + len(read) - n
            ancestors = path[: n - n_prefix]
            seen[start:end, :start] = False
            seen[start:end, ancestors] = True
            path = np.concatenate([ancestors, np.arange(start, end)])
            ids += read[n:]
            depths += range(n, len(read))
            predictors.append(path[-texts[i].n_scored :])
            targets += texts[i].ids[-texts[i].n_scored :]
        return cls(
            requests,
            [texts[i].n_scored for i in requests],
            np.array(ids),
            np.array(depths),
            seen,
            np.concatenate(predictors),
            np.array(targets),
        )


def families(
    texts: Sequence[Encoded], order: Sequence[int], length: int, start: int = 0
) -> Iterator[tuple[tuple[int, ...], list[int]]]:
    """Sort texts into families that begin alike, and families within them.

    Args:
        texts: encoded requests.
        order: which of them, sorted by their tokens.
        length: tokens of a line; what fits into one needs no pass for its prefix.
        start: tokens with which all are known to begin.

    Yields:
        (what all members begin with, the members' indices, sorted).
    """
    n = shared(texts, order, start)
    rest = []
    for _, group in groupby(order, key=lambda i: texts[i].ids[n : n + 1]):
        members = list(group)
        more = shared(texts, members, n)
        if more >= n + MIN_PREFIX and n_new(texts, members, more) > length:
            yield from families(texts, members, length, more)
        else:
            rest += members
    if rest:
        worth_a_pass = n * (len(rest) - 1) >= MIN_SAVED and n_new(texts, rest, n) > length
        yield texts[rest[0]].ids[: n if worth_a_pass else 0], rest


def shared(texts: Sequence[Encoded], order: Sequence[int], start: int) -> int:
    """Return with how many tokens sorted texts begin alike, known to be `start` at least.

    The last token of each prompt is not counted: it predicts, so that it has to be in the row.
    """
    first, last = texts[order[0]].ids, texts[order[-1]].ids  # the least alike of all
    prompts = min(len(texts[i].ids) - texts[i].n_scored for i in order)
    return min(common_length(first, last, start), prompts - 1)


def branches(
    texts: Sequence[Encoded], order: Sequence[int], start: int
) -> Iterator[tuple[int, tuple[int, ...], int]]:
    """Yield each text, what the model reads of it, and how much of that the text before has in common.

    All begin with the same `start` tokens; the first one has nothing else in common.
    """
    before = texts[order[0]].ids[:start]
    for i in order:
        read = texts[i].ids[:-1]  # the last token is predicted, and never read
        yield i, read, common_length(before, read, start)
        before = read


def n_new(texts: Sequence[Encoded], order: Sequence[int], start: int) -> int:
    """Return how many tokens there are to read after the first `start`, those in common counted once."""
    return sum(len(read) - alike for _, read, alike in branches(texts, order, start))


def rows(
    texts: Sequence[Encoded], order: Sequence[int], n_prefix: int, width: int, length: int, longest: int
) -> Iterator[Row]:
    """Put sorted texts into one tree as long as that saves work.

    In a row that is longer than a line, each token that a text adds looks at all the others and they at it,
    needed or not. A token's own work is as much as looking at 6 times the model's width.

    Args:
        texts: encoded requests.
        order: which of them, sorted by their tokens.
        n_prefix: tokens with which all begin, and which the rows do not have.
        width: of the model.
        length: tokens of a line.
        longest: tokens that may be added to the first text of a row.
    """
    members: list[int] = []
    size = added = 0
    for i, read, alike in branches(texts, order, n_prefix):
        saved, new = alike - n_prefix, len(read) - alike
        too_long = size + new > length and saved * 6 * width <= 2 * new * size
        if members and (too_long or added + new > longest):
            yield Row.grow(texts, members, n_prefix)
            members = []
        size, added = (size + new, added + new) if members else (len(read) - n_prefix, 0)
        members.append(i)
    yield Row.grow(texts, members, n_prefix)


def common_length(a: Sequence[int], b: Sequence[int], start: int = 0) -> int:
    """Return with how many tokens two sequences begin alike, known to be `start` at least."""
    n = min(len(a), len(b))
    return n if a[:n] == b[:n] else next(i for i in range(start, n) if a[i] != b[i])
