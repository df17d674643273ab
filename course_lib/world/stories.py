"""Short stories and fairy tales: plots told each time with other heroes, things, places and words.

The plots stand in `course_lib/world/data/plots.txt`: blocks of lines with an empty line between them.

| a block that begins with | is |
|---|---|
| `# ` | a remark |
| `list NAME` | nouns that inflect, separated by a bar |
| `text NAME` | ready-made expressions; `в парк/в парке` makes a pair: `{go0}` and `{go1}` |
| `beat NAME` | a step that many plots share; a plot calls it by a block `@NAME` |
| `plot KIND` | a plot; the next line says who and what takes part: `a=child b=friend t=trifle*colour` |
| `= `, `! ` | titles and morals of the plot |
| anything else | a step of the plot: one of its lines is told; with `? ` in front, told half of the time |

Inside a line `[one|two]` is a choice, ` / ` starts a new line, and slots speak the language of `grammar`.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from typing import Any

from course_lib.world import lexicon
from course_lib.world.documents import Generator
from course_lib.world.facts import Person, World
from course_lib.world.grammar import Noun, decide, phrase, sentence

ADULT = 18
ROLES = ("child", "adult", "anyone", "owner", "cat_owner", "dog_owner", "worker")
# texts that every plot may use
ALWAYS = ("weekday", "evening")
SPECIES = {"cat_owner": ("кот", "кошка"), "dog_owner": ("пёс", "собака")}


@dataclass
class Plot:
    """One plot.

    Attributes:
        cast: (slot, what fills it) in order.
        titles: lines one of which may stand on top.
        morals: lines one of which may stand at the end.
        beats: (told always, lines to choose from) in order.
    """

    cast: tuple[tuple[str, str], ...]
    titles: list[str] = field(default_factory=list)
    morals: list[str] = field(default_factory=list)
    beats: list[tuple[bool, list[str]]] = field(default_factory=list)


@dataclass(frozen=True)
class Plots:
    """Everything that `plots.txt` holds: word lists by name and plots by kind."""

    lists: dict[str, tuple[Any, ...]]
    plots: dict[str, list[Plot]]


def _items(rows: list[str]) -> list[str]:
    return [item.strip() for row in rows for item in row.split("|") if item.strip()]


@cache
def read_plots() -> Plots:
    """Read `plots.txt`.

    Returns:
        The word lists and the plots.

    Raises:
        KeyError: if a plot calls a beat that is not there.
    """
    blocks = (lexicon.DATA / "plots.txt").read_text(encoding="utf-8").strip().split("\n\n")
    lists: dict[str, tuple[Any, ...]] = {}
    shared: dict[str, list[str]] = {}
    plots: dict[str, list[Plot]] = {}
    plot = Plot(())
    for block in blocks:
        first, *rows = block.strip().splitlines()
        word, _, name = first.partition(" ")
        if word == "#":
            continue
        if word == "list":
            lists[name] = tuple(lexicon.known_noun(item) for item in _items(rows))
        elif word == "text":
            lists[name] = tuple(tuple(i.split("/")) if "/" in i else i for i in _items(rows))
        elif word == "beat":
            shared[name] = rows
        elif word == "plot":
            plot = Plot(tuple(re.findall(r"(\w+)=(\S+)", rows[0])))
            plots.setdefault(name, []).append(plot)
        elif word in "=!":
            lines = [row.removeprefix(word + " ") for row in (first, *rows)]
            (plot.titles if word == "=" else plot.morals).extend(lines)
        elif word.startswith("@"):
            plot.beats.append((not word.endswith("?"), shared[word.strip("@?")]))
        else:
            plot.beats.append((word != "?", [first.removeprefix("? "), *rows]))
    return Plots(lists, plots)


@cache
def residents(people: tuple[Person, ...]) -> dict[str, tuple[Person, ...]]:
    """Return the residents who can play each role."""

    def fits(person: Person, role: str) -> bool:
        if role in SPECIES:
            return person.pet is not None and person.pet[1] in SPECIES[role]
        return {
            "child": person.age < ADULT,
            "adult": person.age >= ADULT,
            "owner": person.pet is not None,
            "worker": person.job is not None,
        }.get(role, True)

    return {role: tuple(p for p in people if fits(p, role)) for role in ROLES}


@cache
def peers(people: tuple[Person, ...]) -> dict[tuple[str, bool], tuple[Person, ...]]:
    """Return the residents by town and by whether they are grown up."""
    groups: dict[tuple[str, bool], list[Person]] = {}
    for person in people:
        groups.setdefault((person.home.name.lemma, person.age >= ADULT), []).append(person)
    return {key: tuple(group) for key, group in groups.items()}


@cache
def trade(person: Person) -> dict[str, Any]:
    """Return what can be said of a resident's work: its name, place and content."""
    assert person.job is not None
    attrs = person.job.attrs
    place = lexicon.lookup()[attrs["place"]]
    return {
        "job": person.trade,
        "does": attrs["does"],
        "work": format(place, f"{place.attrs.get('prep', 'в')} loc"),
    }


def call(person: Person) -> Noun:
    """Return the name that a story uses: the diminutive for children."""
    return person.short if person.age < ADULT else person.name


def choose_person(rng: random.Random, world: World, role: str, taken: list[Person]) -> Person:
    """Choose a resident whose first name nobody else in the story bears.

    Args:
        rng: source of chance.
        world: who there is.
        role: one of `ROLES`, "friend" (of the first person's age and, if there is one, from the same town),
            "opposite" (a friend of the other gender, so that «он» and «она» are clear) or "stranger"
            (of the first person's age, from another town).
        taken: who takes part already.

    Returns:
        The resident.
    """
    if role in ("friend", "opposite"):
        hero = taken[0]
        pool = peers(world.people)[hero.home.name.lemma, hero.age >= ADULT]
        clash = {p.name.lemma for p in taken}

        def fits(p: Person) -> bool:
            return p.name.lemma not in clash and (role == "friend" or p.gender != hero.gender)

        found = [p for p in pool if fits(p)]
        if found:
            return rng.choice(found)
        role = "child" if hero.age < ADULT else "adult"
        pool = residents(world.people)[role]
        while not fits(person := rng.choice(pool)):
            pass
        return person
    if role == "stranger":
        away = "child" if taken[0].age < ADULT else "adult"
        pool = tuple(p for p in residents(world.people)[away] if p.home is not taken[0].home)
    else:
        pool = residents(world.people)[role]
    while (person := rng.choice(pool)).name.lemma in [p.name.lemma for p in taken]:
        pass
    return person


def cast(rng: random.Random, world: World, plot: Plot, lists: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
    """Fill the slots of a plot.

    Args:
        rng: source of chance.
        world: the residents and towns.
        plot: whose slots.
        lists: the word lists.

    Returns:
        The slots: for a person `a` also `A` (all facts), `pet` and `species` if the role asks for a pet, the
        trade of a worker; for `t=things*adjectives` also `tt`, the noun with its adjective.
    """
    slots: dict[str, Any] = {name: rng.choice(lists[name]) for name in ALWAYS}
    taken: list[Person] = []
    for slot, filler in plot.cast:
        if filler in ROLES or filler in ("friend", "opposite", "stranger"):
            person = choose_person(rng, world, filler, taken)
            taken.append(person)
            slots[slot], slots[slot.upper()] = call(person), person
            slots.setdefault("sight", rng.choice(person.home.sights))
            if filler.endswith("owner") and person.pet is not None:
                slots["pet"], slots["species"] = person.pet[0], lexicon.known_noun(person.pet[1])
            if filler == "worker":
                slots.update(trade(person))
        elif filler.startswith("home_"):
            slots[slot] = slots[filler.removeprefix("home_").upper()].home
        elif filler == "city":
            while (city := rng.choice(world.cities)) is (taken[0].home if taken else None):
                pass
            slots[slot], slots["csight"] = city, rng.choice(city.sights)
        else:
            things, _, adjectives = filler.partition("*")
            while (thing := rng.choice(lists[things])) in slots.values():
                pass
            slots[slot] = thing
            if isinstance(thing, tuple):
                slots.update({f"{slot}{i}": text for i, text in enumerate(thing)})
            if adjectives:
                slots[slot * 2] = phrase(rng.choice(lists[adjectives]), thing)
    return slots


def fill(rng: random.Random, line: str, slots: dict[str, Any]) -> str:
    """Make the choices of a line and fill its slots."""
    return "\n".join(sentence(decide(rng, printed), **slots) for printed in line.split(" / "))


def tell(rng: random.Random, world: World, kind: str) -> str:
    """Tell one story.

    Args:
        rng: source of chance.
        world: the residents and towns it may speak of.
        kind: a key of `KINDS`.

    Returns:
        The story, sometimes with a title or a moral.
    """
    book = read_plots()
    plot = rng.choice(book.plots[kind])
    slots = cast(rng, world, plot, book.lists)
    told = [
        fill(rng, rng.choice(lines), slots) for always, lines in plot.beats if always or rng.random() < 0.5
    ]
    if plot.morals and rng.random() < 0.4:
        told.append(fill(rng, rng.choice(plot.morals), slots))
    story = told[0]
    for before, beat in pairwise(told):
        # a speech stands on a line of its own
        speech = beat.startswith("—") or before.rpartition("\n")[2].startswith("—")
        story += ("\n" if speech else " ") + beat
    if plot.titles and rng.random() < 0.35:
        story = fill(rng, rng.choice(plot.titles), slots) + "\n\n" + story
    return story


SHARES = {
    "story: lost and found": 0.03,
    "story: help": 0.03,
    "story: pets": 0.02,
    "story: day in the town": 0.02,
    "story: weather": 0.02,
    "story: journey": 0.02,
    "story: quarrel and peace": 0.02,
    "story: work": 0.02,
    "story: feast": 0.02,
    "story: causes": 0.02,
    "fairy tale: animals": 0.03,
    "fairy tale: magic": 0.015,
}
KINDS: dict[str, tuple[float, Generator]] = {
    kind: (share, partial(tell, kind=kind)) for kind, share in SHARES.items()
}
