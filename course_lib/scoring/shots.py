"""Which solved examples stand in the prompt, in which order, and how many fit.

Slide "How to solve tasks with the few-/zero-shot?": the result "depends of the few-shot choice".
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

from course_lib.scoring.templates import Example, Template, check_rows


def random_shots(pool: Sequence[Example], n: int, seed: int = 0) -> list[Example]:
    """Draw `n` different examples, in random order.

    Raises:
        ValueError: the pool is smaller than that, or no list of rows.
    """
    _enough(pool, n)
    return [pool[i] for i in random.Random(seed).sample(range(len(pool)), n)]


def balanced_shots(pool: Sequence[Example], n: int, seed: int = 0, field: str = "label") -> list[Example]:
    """Draw `n` different examples, of each label as many as possible alike, in random order.

    Args:
        pool: solved examples.
        n: how many; where the labels do not divide it, chance decides which have one more.
        seed: of the draw and of the order.
        field: the label's column.

    Raises:
        ValueError: the pool, or one label of it, has too few; no such column.
    """
    _enough(pool, n)
    if n == 0:
        return []
    rng = random.Random(seed)
    by_label: dict[object, list[Example]] = defaultdict(list)
    for example, label in zip(pool, _column(pool, field), strict=True):
        by_label[label].append(example)
    labels = sorted(by_label, key=str)
    more = set(rng.sample(range(len(labels)), n % len(labels)))
    drawn: list[Example] = []
    for i, label in enumerate(labels):
        wanted = n // len(labels) + (i in more)
        if wanted > len(by_label[label]):
            raise ValueError(f"The pool has {len(by_label[label])} of label {label!r}: {wanted} are asked.")
        drawn += rng.sample(by_label[label], wanted)
    rng.shuffle(drawn)
    return drawn


def nearest_shots(
    pool: Sequence[Example], examples: Sequence[Example], n: int, field: str
) -> list[list[Example]]:
    """Choose for each example the `n` of the pool whose texts are most like its own (Liu et al., 2022).

    Likeness is the cosine of TF-IDF vectors of letter triples, which see through Russian endings.

    Args:
        pool: solved examples.
        examples: those that get the shots.
        n: shots each.
        field: the text's column.

    Returns:
        For each example its shots, the nearest last, beside the query.

    Raises:
        ValueError: the pool is smaller than `n`; no such column.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    _enough(pool, n)
    check_rows(examples, "examples")
    if n == 0 or not len(examples):
        return [[] for _ in examples]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3))
    known = vectors.fit_transform(_column(pool, field))
    likeness = vectors.transform(_column(examples, field)) @ known.T
    order = (-likeness.toarray()).argsort(axis=1, kind="stable")[:, :n]
    return [[pool[i] for i in row[::-1]] for row in order]


def that_fit(
    shots: Sequence[Example], template: Template, longest: str, count: Callable[[str], int], window: int
) -> list[Example]:
    """Keep as many of the last shots as the context window holds beside the longest request.

    Args:
        shots: in their order; the first are given up first, being the farthest from the query.
        template: how a shot is written.
        longest: prompt and completion, without shots, of the longest request.
        count: tokens of a text.
        window: tokens that the model can read at once; where not even the request fits, no shot does.
    """
    free = window - count(template.head() + longest)
    kept: list[Example] = []
    for shot in reversed(shots):
        free -= count(template.instance(shot) + template.completion(shot) + template.separator)
        if free < 0:
            break
        kept.insert(0, shot)
    return kept


def _column(rows: Sequence[Example], field: str) -> list[Any]:
    if field not in rows[0]:
        raise ValueError(f"There is no column {field!r} to choose shots by, only {', '.join(rows[0])}.")
    return [row[field] for row in rows]


def _enough(pool: Sequence[Example], n: int) -> None:
    check_rows(pool, "pool")
    if not isinstance(n, Integral) or n < 0:
        raise ValueError(f"The number of shots must be 0, 1, 2, …, and is {n!r}.")
    if n > len(pool):
        raise ValueError(f"{n} shots are asked of a pool of {len(pool)}.")
