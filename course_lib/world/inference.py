"""Sentence pairs: TERRa and LiDiRus from the schemas of `entailment`, RCB from verbs of knowing."""

from __future__ import annotations

import random
from dataclasses import dataclass

from course_lib.world.entailment import Schema, Slots, draw, fields, fill, schemas, swapped
from course_lib.world.sides import Record, Side, distinct

CATEGORIES = ("knowledge", "lexical-semantics", "logic", "predicate-argument-structure")
ENTAILMENT = ("entailment", "not_entailment")


def pair(rng: random.Random, side: Side, label: int) -> tuple[Schema, str, str]:
    """Make a premise and a hypothesis.

    Args:
        rng: source of chance.
        side: whose names are used.
        label: 0 if the hypothesis is to follow from the premise, else 1.

    Returns:
        The schema, the premise and the hypothesis.
    """
    while True:
        schema, slots = rng.choice(schemas()), draw(rng, side.world)
        template = rng.choice(schema.premises)
        premise = fill(template, slots)
        hypothesis = fill(rng.choice(schema.claims), swapped(schema, slots) if label else slots)
        if hypothesis == premise:
            continue
        other, more = rng.choice(schemas()), draw(rng, side.world)
        second = rng.choice(other.premises)
        if rng.random() < 0.3 and not named(template, slots) & named(second, more):
            sentences = [premise, fill(second, more)]
            rng.shuffle(sentences)
            premise = " ".join(sentences)
        return schema, premise, hypothesis


def named(template: str, slots: Slots) -> set[str]:
    """Return the names that a template uses."""
    used = {field.split(".")[0].split("_")[0] for field in fields(template)}
    return {str(slots[letter]) for letter in "abcmftu" if letter in used}


def terra(rng: random.Random, side: Side, n: int) -> list[Record]:
    """TERRa: does the hypothesis follow from the premise?"""

    def one(i: int) -> Record:
        _, premise, hypothesis = pair(rng, side, i % 2)
        return {"premise": premise, "hypothesis": hypothesis, "label": i % 2}

    return distinct(n, one, ("premise", "hypothesis"))


def lidirus(rng: random.Random, side: Side, n: int) -> list[Record]:
    """LiDiRus: as TERRa, with the phenomenon that decides."""

    def one(i: int) -> Record:
        schema, premise, hypothesis = pair(rng, side, i % 2)
        tags = dict.fromkeys(CATEGORIES, "") | {schema.column: schema.phenomenon}
        return {"sentence1": premise, "sentence2": hypothesis, **tags, "label": i % 2}

    return distinct(n, one, ("sentence1", "sentence2"))


@dataclass(frozen=True)
class Attitude:
    """A verb that embeds a clause; a `factive` one vouches for it even when negated (не забыл, что…)."""

    verb: str
    factive: bool
    plain: str
    negated: str


ATTITUDES = tuple(
    Attitude(verb, factive, plain, negated)
    for verb, factive, plain, negated in (
        ("знать", True, "{w} знает", "{w} не знает"),
        ("помнить", True, "{w} помнит", "{w} не помнит"),
        ("заметить", True, "{w} {w:~заметил}", "{w} не {w:~заметил}"),
        ("забыть", True, "{w} {w:~забыл}", "{w} не {w:~забыл}"),
        ("радоваться", True, "{w} радуется", "{w} не радуется"),
        ("жалеть", True, "{w} жалеет", "{w} не жалеет"),
        ("понять", True, "{w} {w:~понял}", "{w} не {w:~понял}"),
        ("удивиться", True, "{w} {w:~удивился}", "{w} не {w:~удивился}"),
        ("думать", False, "{w} думает", "{w} не думает"),
        ("считать", False, "{w} считает", "{w} не считает"),
        ("надеяться", False, "{w} надеется", "{w} не надеется"),
        ("верить", False, "{w} верит", "{w} не верит"),
        ("сомневаться", False, "{w} сомневается", "{w} не сомневается"),
        ("утверждать", False, "{w} утверждает", "{w} не утверждает"),
        ("сказать", False, "{w} {w:~сказал}", "{w} не {w:~сказал}"),
        ("бояться", False, "{w} боится", "{w} не боится"),
    )
)
JOINS = (", а ", "; ", ", при этом ")


def rcb(rng: random.Random, side: Side, n: int) -> list[Record]:
    """RCB: is the clause that somebody knows or believes true, false or open?

    A premise always holds one factive and one other verb, and either clause may be negative, so that no word
    tells the label; `verb` and `negation` describe the first verb.
    """

    def one(i: int) -> Record:
        label = i % 3
        slots = draw(rng, side.world)
        attitudes = [rng.choice([a for a in ATTITUDES if a.factive == factive]) for factive in (True, False)]
        clauses = [("{c} {c_d}", "{c} не {c_d}"), ("{c} {c_e}", "{c} не {c_e}")]
        turned = [rng.random() < 0.5 for _ in clauses]
        said = [clause[t] for clause, t in zip(clauses, turned, strict=True)]
        if label == 2:  # what is only believed stays open
            hypothesis = rng.choice(clauses[1])
        else:
            hypothesis = clauses[0][turned[0] ^ (label == 1)]
        order = rng.sample((0, 1), 2)
        negated = [rng.random() < 0.5 for _ in order]
        people = dict(zip(order, ("a", "b"), strict=True))
        parts = []
        for k in order:
            attitude = attitudes[k].negated if negated[k] else attitudes[k].plain
            parts.append(attitude.replace("{w", "{" + people[k]) + ", что " + said[k])
        return {
            "premise": fill(rng.choice(JOINS).join(parts) + ".", slots),
            "label": label,
            "hypothesis": fill(hypothesis + ".", slots),
            "verb": attitudes[order[0]].verb,
            "negation": "negation" if negated[order[0]] else "no_negation",
        }

    return distinct(n, one, ("premise", "hypothesis"))
