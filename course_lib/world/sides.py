"""The three sides of the micro-world: training, and what is held out, shared by validation and test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from course_lib.world import lexicon
from course_lib.world.facts import World
from course_lib.world.inflection import CASES

PARTS = ("train", "validation", "test")
Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Side:
    """What the examples of one split are made of.

    Attributes:
        part: "train", "validation" or "test".
        world: its people, towns and pets; sides share no first name, town or pet.
    """

    part: str
    world: World

    def share(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return this side's part of held-out items: validation and test take every second one."""
        return items if self.part == "train" else items[PARTS.index(self.part) - 1 :: 2]

    def texts(self, name: str) -> tuple[Record, ...]:
        """Return this side's hand-written texts (see `lexicon.texts`)."""
        return self.share(self.world.texts(name))

    @cache  # noqa: B019 - there are three sides, and they live as long as the program
    def _names(self) -> re.Pattern[str]:
        world = self.world
        nouns = [noun for p in world.people for noun in (p.name, p.short, p.last)]
        nouns += [c.name for c in world.cities] + [pet for pet, _ in world.pets]
        forms = {noun.form(case) for noun in nouns for case in CASES}
        return re.compile(rf"\b(?:{'|'.join(sorted(forms))})\b")

    def mentions(self, text: str) -> bool:
        """Return whether a text names somebody or some place of this side."""
        return self._names().search(text) is not None


@cache
def side(part: str) -> Side:
    """Return one side of the micro-world.

    Args:
        part: "train", "validation" or "test".

    Returns:
        The side, the same at every call.
    """
    if part == "train":
        return Side(part, World.build())
    whole, names = World.build(held_out=True), lexicon.names(held_out=True)
    half = Side(part, whole)
    mine = {first.lemma for gender in "mf" for first, _ in half.share(names[gender])}
    people = tuple(person for person in whole.people if person.name.lemma in mine)
    return Side(
        part, replace(whole, people=people, cities=half.share(whole.cities), pets=half.share(whole.pets))
    )


def distinct(n: int, draw: Callable[[int], Record], keys: tuple[str, ...]) -> list[Record]:
    """Draw records until there are `n` different ones.

    Args:
        n: how many.
        draw: makes a record; its argument counts the records found so far, so that labels can take turns.
        keys: the fields by which records are told apart.

    Returns:
        The records.

    Raises:
        RuntimeError: if new ones stop coming.
    """
    found: dict[str, Record] = {}
    for _ in range(200 * n):
        if len(found) == n:
            break
        record = draw(len(found))
        found.setdefault(json.dumps([record[key] for key in keys], ensure_ascii=False), record)
    else:
        raise RuntimeError(f"Only {len(found)} of {n} different examples could be made.")
    return list(found.values())
