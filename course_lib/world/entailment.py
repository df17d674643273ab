"""What follows from what: schemas whose claims are true as they stand and false when two slots change places.

A true claim and its false twin are made of the same words, and so are their premises: only the one who reads
can tell them apart. TERRa, LiDiRus and the pretraining documents of `reasoning` are filled from one table,
`data/schemas.jsonl`, and from the words of `data/schema_words.json`. The slots of its templates:

| slot | stands for |
|---|---|
| `a`, `b`, `c`; `m`, `f` | people; a man and a woman |
| `t`, `u` | towns, the first one older |
| `x`, `y`; `i`, `j`; `h`, `g` | things; hiding places; hobbies |
| `d`, `e` | deeds: `a_d` is what a did, `who_d` what somebody did, `d_will` and `d_inf` other forms |
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import Any

from course_lib.world import lexicon
from course_lib.world.encyclopaedia import century
from course_lib.world.facts import HOBBIES, World
from course_lib.world.grammar import Count, Noun, sentence
from course_lib.world.inflection import agree, third_person

Slots = dict[str, Any]


@dataclass(frozen=True)
class Schema:
    """One way of drawing a conclusion.

    Attributes:
        column: the LiDiRus category column ("logic", "lexical-semantics", …).
        phenomenon: its value there ("Negation", …).
        premises: wordings of the premise.
        claims: wordings of what follows from it.
        swap: the two slots that change places in the false claim.
        asks: (question, answer), where `{pair}` stands for «A или B», the two swapped slots in either order.
    """

    column: str
    phenomenon: str
    premises: tuple[str, ...]
    claims: tuple[str, ...]
    swap: tuple[str, str]
    asks: tuple[tuple[str, str], ...] = ()


@cache
def schemas() -> tuple[Schema, ...]:
    """Return all schemas in file order."""
    with (lexicon.DATA / "schemas.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return tuple(
        Schema(
            row["column"],
            row["phenomenon"],
            tuple(row["premises"]),
            tuple(row["claims"]),
            tuple(row["swap"]),
            tuple((question, answer) for question, answer in row["asks"]),
        )
        for row in rows
    )


@cache
def _words() -> dict[str, Any]:
    with (lexicon.DATA / "schema_words.json").open(encoding="utf-8") as file:
        return json.load(file)


NUMERALS = "две три четыре пять шесть семь восемь девять".split()


@cache
def _noun(lemma: str) -> Noun:
    return lexicon.lookup()[lemma].noun if lemma in lexicon.lookup() else lexicon.noun(lemma)  # type: ignore[return-value]


def draw(rng: random.Random, world: World) -> Slots:
    """Draw everything that a schema may speak of.

    Args:
        rng: source of chance.
        world: whose people and towns are meant.

    Returns:
        The base slots; what depends on two of them is derived in `fill`.
    """
    words = _words()
    people = [*rng.sample(people_of(world), 3)]
    (kind, other_kind), (hobby, other_hobby) = rng.sample(list(words["kinds_of"]), 2), rng.sample(HOBBIES, 2)
    town, newer = two_towns(rng, world)
    x, y = rng.sample(words["things"], 2)
    thing, longer, shorter = rng.choice(words["things_compared"])
    d, e = rng.sample(words["deeds"], 2)
    i, j = rng.sample(words["hideouts"], 2)
    (s_will, s_did), (r_will, _) = rng.sample(words["weather"], 2)
    times = rng.choice(words["times"])
    when_kind, then_kind = rng.sample(list(times), 2)
    more, less = rng.choice(words["more"])
    n, k = rng.randint(11, 60), rng.randint(2, 9)
    slots: Slots = dict(zip("abc", people, strict=True))
    slots |= {"m": rng.choice(people_of(world, "m")), "f": rng.choice(people_of(world, "f"))}
    slots |= {"t": town, "u": newer}
    slots |= {"h": hobby, "g": other_hobby, "x": _noun(x), "y": _noun(y), "d": d, "e": e, "i": i, "j": j}
    slots |= {
        "place": rng.choice(words["meetings"]),
        "thing": _noun(thing),
        "longer": longer,
        "shorter": shorter,
    }
    slots |= {
        "o": _noun(rng.choice(words["kinds_of"][kind])),
        "w": _noun(rng.choice(words["kinds_of"][other_kind])),
    }
    slots |= {
        "oh": _noun(kind),
        "wh": _noun(other_kind),
        "v": rng.choice(words["seeing"]),
        "more": more,
        "less": less,
    }
    slots |= {
        "z": rng.choice(words["arrivals"]),
        "mishap": rng.choice(words["mishaps"]),
        "it": _noun(rng.choice(words["counted"])),
    }
    slots |= {"n": Count(n), "k": Count(k), "total": Count(n + k), "rest": Count(n - k)}
    slots |= {"few": rng.choice(NUMERALS[:3]), "many": rng.choice(NUMERALS[4:])}
    slots |= dict(zip(("act", "done"), rng.choice(words["acts"]), strict=True))
    slots |= {
        "s_will": s_will,
        "s_did": s_did,
        "r_will": r_will,
        "when_kind": when_kind,
        "then_kind": then_kind,
    }
    slots |= {"when": rng.choice(times[when_kind]), "then": rng.choice(times[then_kind])}
    slots |= {"t_century": century(town.founded), "u_century": century(newer.founded)}
    return slots


@cache
def people_of(world: World, gender: str = "mf") -> tuple[Noun, ...]:
    """Return the first names of a world: men's ("m"), women's ("f") or both ("mf")."""
    names, known = lexicon.names(world.held_out), {person.name.lemma for person in world.people}
    # validation and test share the held-out names out between them; training has them all
    return tuple(
        first for letter in gender for first, _ in names[letter] if not world.held_out or first.lemma in known
    )


def two_towns(rng: random.Random, world: World) -> tuple[lexicon.City, lexicon.City]:
    """Return two towns of different regions and centuries, the older one first."""
    while True:
        town, other = sorted(rng.sample(world.cities, 2), key=lambda city: city.founded)
        if town.region.lemma != other.region.lemma and century(town.founded) != century(other.founded):
            return town, other


def fill(template: str, slots: Slots) -> str:
    """Fill a template of `SCHEMAS`, and start each of its sentences with a capital letter."""
    wanted = {name.split(".")[0] for name in fields(template)}
    text = sentence(
        template, **{name: slots[name] if name in slots else _derived(name, slots) for name in sorted(wanted)}
    )
    return re.sub(r"(?<=[.!?] )[а-яё]", lambda letter: letter[0].upper(), text)


@cache
def fields(template: str) -> tuple[str, ...]:
    """Return the slots that a template uses."""
    found = []
    for _, name, spec, _ in Formatter().parse(template):
        found += [name] if name else []
        found += fields(spec) if spec and "{" in spec else []
    return tuple(found)


def _derived(name: str, slots: Slots) -> str:
    """What somebody did, or will do: `a_d`, `d_will`, `d_inf`; `who_d` for an unknown somebody."""
    who, what = name.split("_")
    if what in ("will", "inf"):
        verb, *rest = slots[who]
        return " ".join([third_person(verb, False) if what == "will" else verb, *rest])
    gender = "m" if who == "who" else slots[who].gender
    deed = slots[what]
    verb, *rest = [deed] if isinstance(deed, str) else deed
    return " ".join([agree(verb, gender, False), *rest])


def swapped(schema: Schema, slots: Slots) -> Slots:
    """Return the slots that make the schema's claims false."""
    one, other = schema.swap
    return slots | {one: slots[other], other: slots[one]}


def question(
    rng: random.Random, schema: Schema, slots: Slots, asked: tuple[str, str] | None = None
) -> tuple[str, str, str]:
    """Ask about a premise.

    Args:
        rng: source of chance.
        schema: one with `asks`.
        slots: what its premise was filled with.
        asked: one of `schema.asks`; by default any.

    Returns:
        The question, its answer and the wrong answer, which names the other one of the swapped pair.
    """
    ask, answer = asked or rng.choice(schema.asks)
    right, wrong = fill(answer, slots), fill(answer, swapped(schema, slots))
    pair = [right, wrong]
    rng.shuffle(pair)
    lowered = [uncapital(option) for option in pair]
    return fill(ask, slots | {"pair": " или ".join(lowered)}), right, wrong


def uncapital(text: str) -> str:
    """Return `text` with a small first letter, unless it starts with a name or a Roman numeral."""
    first = text.split()[0].strip(".,?")
    return text if first in _capitalised() or first[0] in "IVX" else text[0].lower() + text[1:]


@cache
def _capitalised() -> frozenset[str]:
    """Every form of every name."""
    forms: set[str] = set()
    for held_out in (False, True):
        world = World.build(held_out)
        nouns = [*people_of(world), *(c.name for c in world.cities), *(c.region for c in world.cities)]
        forms |= {
            noun.form(case).split()[0]
            for noun in nouns
            for case in ("nom", "gen", "dat", "acc", "ins", "loc")
        }
    return frozenset(forms)
