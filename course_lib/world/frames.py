"""Frames: small text tables from which `press` and `remarks` make their records.

A file `data/frames/NAME.txt` holds blocks separated by blank lines; `#` starts a comment. In a block

    v = автобус, поезд        a slot filled with one of these nouns (`v` in a template, see `grammar`)
    how := быстро; тихо       a slot filled with one of these texts
    n : 2-30                  a slot filled with a number that needs no singular (2–30 without 21)
    key> template             a template; equal keys collect; `[a|b]` inside stands for either
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from course_lib.world import lexicon
from course_lib.world.facts import WEEKDAYS, World
from course_lib.world.grammar import EITHER, Count, Noun, decide, sentence
from course_lib.world.inflection import capitalise

LINE = re.compile(r"(\S+?)\s*(>|:=|=|:)\s*(.*)")
SLOT = re.compile(r"\{(\w+)")


class Text(str):
    """Fixed text in a slot; `{slot:^}` starts it with a capital letter."""

    def __format__(self, spec: str) -> str:
        return capitalise(self) if spec == "^" else str(self)


@dataclass(frozen=True, eq=False)
class Frame:
    """One block of a frame file.

    Attributes:
        templates: templates by key.
        slots: what each of the block's own slots may be filled with.
    """

    templates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    slots: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def draw(self, rng: random.Random) -> dict[str, Any]:
        """Fill the block's own slots."""
        return {name: rng.choice(values) for name, values in self.slots.items()}

    def ways(self, key: str) -> int:
        """Count, roughly, in how many ways a key's templates can come out; the world's slots count as ten."""
        total = 0
        for template in self.templates[key]:
            ways = 1
            for found in EITHER.findall(template):
                ways *= found.count("|") + 1
            for slot in set(SLOT.findall(template)):
                ways *= len(self.slots.get(slot, range(10)))
            total += ways
        return total

    def pick(self, rng: random.Random, key: str) -> str:
        """Choose one template of a key, with its alternatives decided."""
        return decide(rng, rng.choice(self.templates[key]))


def _values(kind: str, text: str) -> tuple[Any, ...]:
    if kind == "=":
        return tuple(lexicon.known_noun(lemma.strip()) for lemma in text.split(","))
    if kind == ":=":
        return tuple(Text(value.strip()) for value in text.split(";"))
    low, high = map(int, text.split("-"))
    return tuple(Count(n) for n in range(low, high + 1) if n % 10 != 1 or n == 11)


@cache
def frames(name: str) -> tuple[Frame, ...]:
    """Read the frames of one kind.

    Args:
        name: the file's name without its ending, e.g. "tweets".

    Returns:
        The blocks in file order.

    Raises:
        ValueError: if a line is none of the four kinds of line.
    """
    blocks = []
    text = (lexicon.DATA / "frames" / f"{name}.txt").read_text(encoding="utf-8")
    for block in re.split(r"\n\s*\n", text.strip()):
        frame = Frame()
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            match = LINE.fullmatch(line.strip())
            if match is None:
                raise ValueError(f"{name}.txt: «{line}» is neither a slot nor a template.")
            key, kind, rest = match.groups()
            if kind == ">":
                frame.templates[key] = (*frame.templates.get(key, ()), rest)
            else:
                frame.slots[key] = _values(kind, rest)
        if frame.templates:
            blocks.append(frame)
    return tuple(blocks)


KIN = "брат сестра мама папа бабушка дедушка друг подруга тётя дядя сосед соседка племянник".split()


@cache
def _nouns(kind: str) -> tuple[Noun, ...]:
    return tuple(lexicon.noun(lemma) for lemma in {"kin": KIN, "week": WEEKDAYS}[kind])


@cache
def _me() -> tuple[Noun, Noun]:
    return tuple(Noun("я", gender=gender, animate=True) for gender in "mf")


@cache
def _species(lemma: str) -> Noun:
    return lexicon.noun(lemma, animate=True)


@cache
def _house_pets(world: World) -> tuple[tuple[Noun, str], ...]:
    """Cats and dogs: what is said of pets here (they sleep in the house) would not suit a horse."""
    return tuple(pet for pet in world.pets if pet[1] in ("кот", "кошка", "пёс", "собака"))


def world_slots(rng: random.Random, world: World) -> dict[str, Any]:
    """Draw what the sentences of all frames may name.

    Args:
        rng: source of chance.
        world: whose residents, towns and pets.

    Returns:
        The slots `who`, `who2` and `name` (first names), `me`, `kin`, `day`, `town`, `pet` and `kind`.
    """
    who = rng.choice(world.people).name
    other = rng.choice(world.people).name
    while other is who:
        other = rng.choice(world.people).name
    pet, species = rng.choice(_house_pets(world))
    return {
        "who": who,
        "who2": other,
        "name": other,
        "me": rng.choice(_me()),
        "kin": rng.choice(_nouns("kin")),
        "day": rng.choice(_nouns("week")),
        "town": rng.choice(world.cities),
        "pet": pet,
        "kind": _species(species),
    }


def sentences(template: str, **slots: Any) -> str:
    """Fill a template of several sentences and start each of them with a capital letter."""
    return " ".join(sentence(part, **slots) for part in re.split(r"(?<=[.!?]) ", template))
