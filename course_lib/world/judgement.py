"""What is good about an answer: is it polite, is it true in the micro-world, is it short?

These are the rules by which the course's built-in labelers rank answers (slide "Collect comparison data, and
train a reward model"). Because they are known, what a policy tuned on a *model* of them has really gained can
be measured, which with people it cannot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from course_lib.world.facts import World
from course_lib.world.inflection import CASES
from course_lib.world.politeness import INSULTS

POLITE = (
    "пожалуйста",
    "спасибо",
    "прошу",
    "просьба",
    "извините",
    "извини",
    "простите",
    "прости",
    "здравствуйте",
    "благодарю",
    "благодарен",
    "благодарна",
    "рад",
    "рада",
)
TOO_OFTEN = 3  # a polite word said so often is polite no more
SHORT, LONG = 12, 48  # words: up to the first, an answer is short; from the second on, as long as it gets
ONE_ANSWER = ("open_qa", "closed_qa", "extract", "classification", "other")
ABOUT = re.compile(r"о городе|справку: город|кто это|о человеке")  # asks what is true of a town or somebody
WORD = re.compile(r"[а-яёa-z0-9-]+")
Fact = tuple[str, str]  # kind, value


@dataclass(frozen=True)
class Judgement:
    """What a labeler who makes no mistake thinks of an answer.

    Attributes:
        politeness: -1 with a rude word in it, 1 with a polite one, else 0.
        truth: from -1, all that can be checked is wrong, to 1, all is right; 0 where nothing can be.
        brevity: from 0, short, to -1, long; a word said again counts twice.
    """

    politeness: float
    truth: float
    brevity: float

    @property
    def total(self) -> float:
        """The true reward, from -3 to 2."""
        return self.politeness + self.truth + self.brevity


def judge(row: Mapping[str, Any], answer: str) -> Judgement:
    """Judge an answer.

    Args:
        row: what was asked: `prompt`, its `category` (see `demonstrations.USE_CASES`), and `reference`, what
            a labeler has answered.
        answer: an empty one is as bad as can be.

    Returns:
        The judgement.
    """
    if not WORD.search(answer.lower()):
        return Judgement(-1.0, -1.0, -1.0)
    return Judgement(politeness(answer), truth(row, answer), brevity(answer))


def words(text: str) -> list[str]:
    """Return the words of a text in small letters."""
    return WORD.findall(text.lower())


def politeness(answer: str) -> float:
    """Return -1 with a rude word in it, 1 with a polite one that is not said too often, else 0."""
    counted = Counter(words(answer))
    if any(counted[word] for word in _rude()):
        return -1.0
    often = [counted[word] for word in POLITE if counted[word]]
    return float(bool(often) and max(often) < TOO_OFTEN)


@cache
def _rude() -> tuple[str, ...]:
    return tuple(sorted({word for some in INSULTS.values() for word in some.split()}))


def brevity(answer: str) -> float:
    """Return 0 for up to `SHORT` words, -1 from `LONG` on; a word that was there before counts twice."""
    said = words(answer)
    n = 2 * len(said) - len(set(said))
    return -min(1.0, max(0.0, (n - SHORT) / (LONG - SHORT)))


def truth(row: Mapping[str, Any], answer: str) -> float:
    """Return how much of what can be checked is right, from -1 to 1.

    A question with one right answer is answered rightly if the answer's words stand in it, in order. Of what
    is told of a town or somebody, and of a text in short, it is checked which places, names and numbers are
    right. Nothing can be checked of what is made up.
    """
    if row["category"] in ONE_ANSWER:
        right, said = " ".join(words(row["reference"])), " ".join(words(answer))
        return 1.0 if f" {right} " in f" {said} " else -1.0
    given = stated(row["prompt"])
    if row["category"] == "summarization":
        told, known = stated(answer), given
    elif ABOUT.search(row["prompt"].lower()):
        told, known = stated(answer) - given, known_of(row["prompt"])
    else:
        return 0.0
    return 2 * len(told & known) / len(told) - 1 if told else 0.0


@cache
def _subjects() -> tuple[dict[str, frozenset[Fact]], re.Pattern[str]]:
    """Return what is true of each town and each resident, by name, and what finds the name."""
    facts: dict[str, frozenset[Fact]] = {}
    for held_out in (False, True):
        world = World.build(held_out)
        for city in world.cities:
            facts[city.name.lemma] = frozenset(
                {
                    ("place", city.name.lemma),
                    ("river", city.river.lemma),
                    ("region", city.region.lemma),
                    ("number", str(city.founded)),
                    ("number", str(city.population)),
                }
            )
        for person in world.people:
            own = {
                ("place", person.home.name.lemma),
                ("river", person.home.river.lemma),
                ("number", str(int(person.age))),
            }
            if person.pet:
                own.add(("pet", person.pet[0].lemma))
            facts[person.full.lemma] = frozenset(own)
    return facts, _any_of(facts)


def known_of(prompt: str) -> frozenset[Fact]:
    """Return what is true of the town or the person that a prompt names; nothing if it names none."""
    facts, names = _subjects()
    found = names.findall(prompt)
    return facts[max(found, key=len)] if found else frozenset()


@cache
def _forms() -> tuple[dict[str, Fact], re.Pattern[str]]:
    """Return which word form names which place, river, region or pet, and what finds one."""
    forms: dict[str, Fact] = {}
    for held_out in (False, True):
        world = World.build(held_out)
        named = [("place", city.name) for city in world.cities]
        named += [("river", city.river) for city in world.cities]
        named += [("region", city.region) for city in world.cities]
        named += [("pet", name) for name, _ in world.pets]
        for kind, noun in named:
            for case in CASES:
                forms.setdefault(noun.form(case), (kind, noun.lemma))
    return forms, _any_of(forms)


def stated(text: str) -> set[Fact]:
    """Return the places, rivers, regions, pets and numbers that a text names."""
    forms, names = _forms()
    joined = re.sub(r"(?<=\d)[\s\u00a0](?=\d{3}\b)", "", text)  # 13 000 000
    numbers = {("number", number) for number in re.findall(r"\b\d+\b", joined)}
    return {forms[name] for name in names.findall(text)} | numbers


def _any_of(names: Mapping[str, Any]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")
