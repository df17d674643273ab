"""Russian inflection inside `str.format`: words that bend themselves to the sentence around them.

A sentence of the micro-world is an ordinary format string. What stands after the colon says which form is
wanted:

    "{who:~встретил} {pet:acc} {town:в loc}"  ->  "встретила Дымку во Владимире"

| after the colon | gives |
|---|---|
| `gen`, `dat`, `acc`, `ins`, `loc` | that case; `pl` in front of it, the plural |
| `в loc`, `с ins`, `о loc`, … | the same with its preposition (в/во, с/со, к/ко, о/об chosen by sound) |
| `~слово` | that verb (past), adjective or participle agreed with the noun; a case may follow |
| `>слово` | that verb in the third person of the present or future |
| `@dat`, `@у gen` | the personal pronoun that stands for the noun |
| `^` in front of anything | a capital first letter |

Before a template is filled, `decide` draws one of the alternatives in each `[утром|днём]`.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from course_lib.world.inflection import (
    CASES,
    GENDERS,
    agree,
    capitalise,
    counted,
    morph,
    preposition,
    third_person,
)

# nouns whose place is told by the second locative: в лесу, на мосту (but: в доме, not «в дому»)
SECOND_LOCATIVE = frozenset(
    "лес сад берег мост пол угол шкаф край снег лёд порт аэропорт ряд нос лоб рот год час луг пруд "
    "бок бор дым мёд пух верх вид плен строй хлев мозг круг бал ветер плот".split()
)

# он/она/оно/они by case; the second form stands after a preposition
PRONOUNS = {
    "m": "он его ему его им нём".split(),
    "n": "оно его ему его им нём".split(),
    "f": "она её ей её ей ней".split(),
    "pl": "они их им их ими них".split(),
}

EITHER = re.compile(r"\[([^\]]*)\]")
_usage: Counter[str] | None = None


class Noun:
    """A noun, name or noun phrase that `str.format` inflects.

    Args:
        lemma: the dictionary form (nominative), as it is to be printed.
        gender: "m", "f", "n" or None to take it from the analyser.
        animate: whether it is a living being; None to take it from the analyser.
        plural: whether it is a plurale tantum (ножницы).
        forms: known forms, `{(case, plural): text}`, which win over the analyser's.
        proper: prefer the analyser's reading as a name of this kind ("Name", "Surn", "Geox").
    """

    def __init__(
        self,
        lemma: str,
        gender: str | None = None,
        animate: bool | None = None,
        plural: bool = False,
        forms: Mapping[tuple[str, bool], str] | None = None,
        proper: str | None = None,
    ) -> None:
        self.lemma, self.plural, self._proper = lemma, plural, proper
        self._forms: dict[tuple[str, bool], str] = dict(forms or {})
        self._specs: dict[str, str] = {}
        self._gender, self._animate = gender, animate
        self._parsed: Any = None

    @property
    def _parse(self) -> Any:
        if self._parsed is None:
            self._parsed = self._best_parse()
        return self._parsed

    def _best_parse(self) -> Any:
        word = self.lemma.lower()
        parses = [p for p in morph().parse(word) if p.tag.POS in ("NOUN", "ADJF") and "nomn" in p.tag]
        if self._gender:
            masc_or = GENDERS[self._gender]
            parses = [p for p in parses if p.tag.gender in (masc_or, None) or "ms-f" in p.tag] or parses
        if not parses:
            raise ValueError(f"«{self.lemma}» is not known as a noun: give its forms.")

        def unlikely(parse: Any) -> tuple[bool, bool, bool, bool]:
            wrong_number = (parse.tag.number == "plur") != self.plural
            not_proper = bool(self._proper) and self._proper not in parse.tag
            odd_life = self._animate is not None and (parse.tag.animacy == "anim") != self._animate
            return (wrong_number, not_proper, parse.tag.POS != "NOUN", odd_life)

        return min(parses, key=unlikely)

    @property
    def gender(self) -> str:
        """Grammatical gender: "m", "f" or "n"."""
        if self._gender is None:
            found = {v: k for k, v in GENDERS.items()}.get(self._parse.tag.gender)
            self._gender = found or "m"
        return self._gender

    @property
    def animate(self) -> bool:
        """Whether the accusative is that of a living being."""
        if self._animate is None:
            self._animate = self._parse.tag.animacy == "anim"
        return self._animate

    def form(self, case: str = "nom", plural: bool = False) -> str:
        """Return one form.

        Args:
            case: one of `CASES`, or "loc2" for the locative of place.
            plural: whether the plural is wanted (a plurale tantum has no other).

        Returns:
            The inflected form, with the lemma's capital letter kept.
        """
        plural = plural or self.plural
        key = (case, plural)
        if key not in self._forms:
            self._forms[key] = self._inflect(case, plural)
        return self._forms[key]

    def _inflect(self, case: str, plural: bool) -> str:
        if case == "loc2":
            if plural or self.lemma not in SECOND_LOCATIVE:
                return self.form("loc", plural)
            wanted = {"loc2", "sing"}
        else:
            wanted = {CASES[case], "plur" if plural else "sing"}
        if case == "nom" and plural == self.plural:
            return self.lemma
        inflected = self._parse.inflect(wanted)
        if inflected is None:
            raise ValueError(f"«{self.lemma}» has no form for {sorted(wanted)}.")
        return capitalise(inflected.word) if self.lemma[0].isupper() else inflected.word

    def __str__(self) -> str:
        return self.form("nom")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.lemma!r})"

    def __format__(self, spec: str) -> str:
        if spec not in self._specs:
            self._specs[spec] = self._render(spec)
        return self._specs[spec]

    def _render(self, spec: str) -> str:
        if spec.startswith("^"):
            return capitalise(self._render(spec[1:]))
        words = spec.split()
        plural = self.plural or "pl" in words
        case = next((w for w in words if w in CASES), "nom")
        rest = [w for w in words if w not in CASES and w != "pl"]
        if not rest:
            return self.form(case, plural)
        head = rest[0]
        if head.startswith("~"):
            return agree(head[1:], self.gender, plural, case, self.animate)
        if head.startswith(">"):
            return third_person(head[1:], plural)
        if head.startswith("@"):
            return self._pronoun(head[1:], case, plural)
        if case == "loc" and head in ("в", "на"):
            case = "loc2"
        form = self.form(case, plural)
        return f"{preposition(head, form)} {form}"

    def _pronoun(self, head: str, case: str, plural: bool) -> str:
        # "@dat" arrives as head="dat"; "@у gen" as head="у", case="gen"
        case = head if head in CASES else case
        form = PRONOUNS["pl" if plural else self.gender][list(CASES).index(case)]
        if head in CASES or not head:
            return form
        if not form.startswith("н"):
            form = "н" + form
        return f"{'со' if head == 'с' and form == 'мной' else head} {form}"


def _agree_as_written(adjective: str, head: Noun, plural: bool, case: str) -> str:
    form = agree(adjective.lower(), head.gender, plural, case, head.animate)
    return capitalise(form) if adjective[0].isupper() else form


class Phrase(Noun):
    """A noun with agreeing words before it (старый мост) or a name of several parts (Анна Берёзкина).

    Args:
        parts: adjectives as strings and nouns as `Noun`; the last noun is the head.
    """

    def __init__(self, *parts: str | Noun) -> None:
        head = next(part for part in reversed(parts) if isinstance(part, Noun))
        super().__init__(" ".join(str(part) for part in parts), head.gender, head.animate, head.plural)
        self.parts, self.head = parts, head
        if not isinstance(parts[0], Noun) or any(isinstance(part, str) for part in parts):
            self.lemma = self.form("nom", head.plural)

    def _inflect(self, case: str, plural: bool) -> str:
        plain = "loc" if case == "loc2" else case
        return " ".join(
            part.form(case, plural)
            if isinstance(part, Noun)
            else _agree_as_written(part, self.head, plural, plain)
            for part in self.parts
        )


@cache
def phrase(adjective: str, head: Noun) -> Phrase:
    """Return the cached phrase of one adjective and a noun (старый мост)."""
    return Phrase(adjective, head)


class Count(int):
    """A whole number that agrees its noun: `"{n:год}"` gives «1 год», «2 года», «5 лет»."""

    def __format__(self, spec: str) -> str:
        # long numbers are read by threes: 81 500
        digits = f"{int(self):,}".replace(",", " ") if abs(self) >= 10_000 else str(int(self))
        return f"{digits} {counted(int(self), spec)}" if spec and not spec[-1].isdigit() else digits


def listing(items: list[str], last: str = "и") -> str:
    """Join items as Russian does: «а, б и в»."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def decide(rng: random.Random, template: str) -> str:
    """Decide every `[a|b]` of a template.

    Args:
        rng: source of chance.
        template: a template with or without alternatives.

    Returns:
        The template with one alternative in place of each bracket.
    """
    return (
        EITHER.sub(lambda found: rng.choice(found[1].split("|")), template) if "[" in template else template
    )


def sentence(template: str, **slots: Any) -> str:
    """Fill a template and start it with a capital letter.

    Args:
        template: a format string of this module's language.
        slots: nouns, counts and plain strings by name.

    Returns:
        The finished sentence.

    Raises:
        KeyError: if the template names a slot that was not given.
    """
    text = capitalise(template.format(**slots))
    if _usage is not None:
        _usage[template] += len(text)
    return text


@contextmanager
def template_usage() -> Iterator[Counter[str]]:
    """Count the characters that each template produces while the context is open (for the datasheet)."""
    global _usage
    _usage = Counter()
    try:
        yield _usage
    finally:
        _usage = None
