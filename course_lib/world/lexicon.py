"""The micro-world's vocabulary: words with glosses, people, towns, rivers, pets, and the hand-written texts.

Everything is read from `course_lib/world/data`; what is marked `held_out` there is kept for test splits and
never enters pretraining text or training splits.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from course_lib.world.grammar import Noun, Phrase
from course_lib.world.inflection import CASES, agree

DATA = files("course_lib.world") / "data"


def read_table(name: str) -> list[dict[str, str]]:
    """Read one tab-separated table of the world's data.

    Args:
        name: the table's name without its ending, e.g. "cities".

    Returns:
        One dict a row, keyed by the header.

    Raises:
        FileNotFoundError: if there is no such table.
    """
    with (DATA / f"{name}.tsv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@cache
def texts(name: str, split: str) -> tuple[dict[str, Any], ...]:
    """Read one file of hand-written texts.

    Args:
        name: "proverbs", "jokes", "news", "detox", "qa", "dialogues", "tweets" or "causes".
        split: "train" or "held_out".

    Returns:
        The records of that split in file order.
    """
    with (DATA / f"{name}.jsonl").open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines if line.strip()]
    return tuple(record for record in records if record["split"] == split)


@cache
def _irregular() -> dict[str, dict[tuple[str, bool], str]]:
    """Forms that the analyser gets wrong, by lemma."""
    forms: dict[str, dict[tuple[str, bool], str]] = {}
    for table in ("irregular", "irregular_words"):
        for row in read_table(table):
            plural = row["number"] == "plur"
            known = {(case, plural): row[case] for case in CASES if row[case] and row[case] != "-"}
            forms.setdefault(row["lemma"], {}).update(known)
    return forms


def noun(lemma: str, **known: Any) -> Noun:
    """Build a `Noun`, or a phrase of adjectives and a noun, with the irregular forms of the data."""
    *adjectives, head = lemma.split(" ")
    if adjectives and lemma not in _irregular():
        return Phrase(
            *(a if a.islower() else agree(a.lower(), "m", False).capitalize() for a in adjectives),
            noun(head, **known),
        )
    return Noun(lemma, forms=_irregular().get(lemma), **known)


@cache
def known_noun(lemma: str) -> Noun:
    """Return the noun of the lexicon, which knows which homonym is meant (кабан: an animal), or build it."""
    word = lookup().get(lemma)
    return word.noun if word is not None and word.noun is not None else noun(lemma)


@cache
def trade_of_women(lemma: str) -> Noun:
    """Return the feminine name of a profession (учительница)."""
    return noun(lemma, gender="f", animate=True)


@dataclass(frozen=True)
class Word:
    """A word of the lexicon.

    Attributes:
        lemma: dictionary form.
        pos: "noun", "adj", "verb" or "adv".
        category: semantic class (animal, profession, …).
        en: English gloss.
        fr: French gloss.
        attrs: facts about the thing (home, taste, used, opp, pf, …).
        noun: the inflecting noun, for nouns.
    """

    lemma: str
    pos: str
    category: str
    en: str
    fr: str
    attrs: dict[str, str] = field(hash=False, compare=False)
    noun: Noun | None = field(default=None, hash=False, compare=False)

    def __str__(self) -> str:
        return self.lemma

    def __format__(self, spec: str) -> str:
        return format(self.noun or self.lemma, spec)


@dataclass(frozen=True)
class City:
    """A town and what the encyclopaedia says of it.

    Attributes:
        name: the inflecting name.
        founded: year of foundation.
        river: the river it stands on.
        region: the region it belongs to.
        known_for: what it is known for (nominative).
        sights: what visitors go to see (nominative).
        founder: who founded it, or None.
        population: inhabitants.
        held_out: kept for test splits.
    """

    name: Noun
    founded: int
    river: Noun
    region: Noun
    known_for: str
    sights: tuple[str, ...]
    founder: Noun | None
    population: int
    held_out: bool

    def __format__(self, spec: str) -> str:
        return format(self.name, spec)


@cache
def words() -> tuple[Word, ...]:
    """Return the whole lexicon."""
    found = []
    for row in read_table("words"):
        attrs = dict(pair.split("=", 1) for pair in row["attrs"].split(";") if "=" in pair)
        inflecting = None
        if row["pos"] == "noun":
            animate = {"1": True, "0": False}.get(attrs.get("anim", ""))
            if animate is None and row["category"] in ("animal", "profession", "kin"):
                animate = True
            inflecting = noun(
                row["lemma"], gender=attrs.get("g"), animate=animate, plural=attrs.get("pl") == "1"
            )
        found.append(Word(row["lemma"], row["pos"], row["category"], row["en"], row["fr"], attrs, inflecting))
    return tuple(found)


@cache
def by_category() -> dict[str, tuple[Word, ...]]:
    """Return the nouns of the lexicon by category, other words under "adj:…", "verb:…", "adv:…"."""
    groups: dict[str, list[Word]] = {}
    for word in words():
        key = word.category if word.pos == "noun" else f"{word.pos}:{word.category}"
        groups.setdefault(key, []).append(word)
    return {key: tuple(group) for key, group in groups.items()}


@cache
def lookup() -> dict[str, Word]:
    """Return the lexicon by lemma (the first of homonyms)."""
    table: dict[str, Word] = {}
    for word in words():
        table.setdefault(word.lemma, word)
    return table


@cache
def names(held_out: bool = False) -> dict[str, tuple[tuple[Noun, Noun], ...] | tuple[Noun, ...]]:
    """Return the people's names of one side of the split.

    Args:
        held_out: the names kept for test splits, else the training ones.

    Returns:
        "m" and "f": pairs (first name, diminutive); "m_last" and "f_last": surnames.
    """
    wanted = "held_out" if held_out else "train"
    table: dict[str, list[Any]] = {"m": [], "f": [], "m_last": [], "f_last": []}
    for row in read_table("people"):
        if row["split"] != wanted:
            continue
        gender = row["gender"]
        if row["kind"] == "first":
            first = noun(row["name"], gender=gender, animate=True, proper="Name")
            table[gender].append((first, noun(row["diminutive"], gender=gender, animate=True, proper="Name")))
        else:
            table[f"{gender}_last"].append(noun(row["name"], gender=gender, animate=True, proper="Surn"))
    return {key: tuple(group) for key, group in table.items()}


@cache
def cities(held_out: bool = False) -> tuple[City, ...]:
    """Return the towns of one side of the split."""
    rivers = {
        row["name"]: noun(row["name"], gender=row["gender"], animate=False) for row in read_table("rivers")
    }
    regions = {
        row["name"]: noun(row["name"], gender=row["gender"], animate=False) for row in read_table("regions")
    }
    women = {row["name"] for row in read_table("people") if row["gender"] == "f"}
    return tuple(
        City(
            name=noun(row["name"], gender=row["gender"], animate=False, proper="Geox"),
            founded=int(row["founded"]),
            river=rivers[row["river"]],
            region=regions[row["region"]],
            known_for=row["known_for"],
            sights=tuple(row["sights"].split("|")),
            founder=noun(row["founder"], gender="f" if row["founder"] in women else "m")
            if row["founder"]
            else None,
            population=int(row["population"]),
            held_out=row["split"] == "held_out",
        )
        for row in read_table("cities")
        if (row["split"] == "held_out") == held_out
    )


@cache
def pets(held_out: bool = False) -> tuple[tuple[Noun, str], ...]:
    """Return pets' names with their species, of one side of the split."""
    return tuple(
        (noun(row["name"], gender=row["gender"], animate=True), row["species"])
        for row in read_table("pets")
        if (row["split"] == "held_out") == held_out
    )


def entity_names(held_out: bool) -> tuple[str, ...]:
    """Return every proper name of one side of the split in its dictionary form."""
    wanted = "held_out" if held_out else "train"
    found = [
        row[column]
        for table, column in [
            ("people", "name"),
            ("people", "diminutive"),
            ("cities", "name"),
            ("rivers", "name"),
            ("regions", "name"),
            ("pets", "name"),
            ("books", "title"),
        ]
        for row in read_table(table)
        if row["split"] == wanted and row.get(column)
    ]
    return tuple(dict.fromkeys(found))
