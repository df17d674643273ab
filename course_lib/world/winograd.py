"""Winograd schemas: one sentence, two endings, and the pronoun changes its noun with the ending."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache

from course_lib.world.entailment import people_of
from course_lib.world.facts import World
from course_lib.world.grammar import Noun, sentence
from course_lib.world.lexicon import DATA, noun


@dataclass(frozen=True)
class Winograd:
    """A pair of sentences that differ in their endings.

    Attributes:
        start: up to the pronoun; `{a}` and `{b}` are of one gender, `{p}` is either of them.
        ends_a: ending with which the pronoun means `{a}`; `ends_b`: with which it means `{b}`.
        nouns: pairs of common nouns for a and b, or () for people.
    """

    start: str
    ends_a: str
    ends_b: str
    nouns: tuple[tuple[str, str], ...] = ()


@cache
def winograds(split: str) -> tuple[Winograd, ...]:
    """Return the schemas of one split, "train", "validation" or "test"."""
    with (DATA / "winograd.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return tuple(
        Winograd(row["start"], row["ends_a"], row["ends_b"], tuple((a, b) for a, b in row["nouns"]))
        for row in rows
        if row["split"] == split
    )


def instance(rng: random.Random, world: World, schema: Winograd) -> tuple[Noun, Noun, str, str]:
    """Fill a schema.

    Args:
        rng: source of chance.
        world: whose people are meant.
        schema: the schema.

    Returns:
        The nouns a and b, the sentence in which the pronoun means a, and the one in which it means b.
    """
    if schema.nouns:
        a, b = (noun(lemma) for lemma in rng.choice(schema.nouns))
    else:
        a = rng.choice(people_of(world))
        b = rng.choice(
            [person for person in people_of(world) if person.gender == a.gender and person is not a]
        )
    sentences = [
        sentence(f"{schema.start} {ending}.", a=a, b=b, p=who)
        for who, ending in ((a, schema.ends_a), (b, schema.ends_b))
    ]
    return a, b, sentences[0], sentences[1]
