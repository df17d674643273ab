"""Tasks of FLAN's and T0's clusters that Russian SuperGLUE lacks: paraphrase, closed-book QA, translation."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from course_lib.world import lexicon
from course_lib.world.encyclopaedia import century
from course_lib.world.grammar import sentence
from course_lib.world.reading import PERSON, TOWN, differing, told
from course_lib.world.sides import Record, Side, distinct

SAME = ("different", "same")
# asked of a town `c`, and the answer in words that the pretraining text uses too
TOWN_QUESTIONS = (
    ("Когда был основан город {c}?", "в {c.founded} году"),
    ("В каком веке основан город {c}?", "в {century} веке"),
    ("На какой реке стоит {c}?", "{c.river:на loc}"),
    ("В каком регионе находится {c}?", "{c.region}"),
    ("Чем известен город {c}?", "{known:ins}"),
)
# asked of an animal `a` whose facts `home`, `food`, `sound` and `legs` are known
ANIMAL_QUESTIONS = {
    "home": "Где живёт {a}?",
    "food": "Какая любимая еда у {a:gen}?",
    "sound": "Как подаёт голос {a}?",
    "legs": "Сколько ног у {a:gen}?",
}
NOTHING = ("", "0", "молчит")  # facts that make no good question
SHARES = {"train": (0.0, 0.6), "validation": (0.6, 0.7), "test": (0.7, 1.0)}  # of what all sides know


def paraphrase(rng: random.Random, side: Side, n: int) -> list[Record]:
    """Two sentences about one person or town, in different words: do they say the same?"""

    def one(i: int) -> Record:
        towns = rng.random() < 0.4
        table, letter = (TOWN, "c") if towns else (PERSON, "p")
        first, second = differing(rng, side, towns)
        fact = rng.choice(sorted(table))
        meant = first if i % 2 else replace(first, **{fact: getattr(second, fact)})
        wordings = rng.sample(table[fact][0], 2)
        return {
            "sentence1": told(rng, {fact: ([wordings[0]],)}, fact, **{letter: first}),
            "sentence2": told(rng, {fact: ([wordings[1]],)}, fact, **{letter: meant}),
            "label": i % 2,
        }

    return distinct(n, one, ("sentence1", "sentence2"))


def of_side(side: Side, items: Sequence[Record]) -> list[Record]:
    """Return a side's share of what cannot be held out, for it is asked what the pretraining text told."""
    mixed = random.Random("knowledge").sample(items, len(items))
    low, high = (int(share * len(mixed)) for share in SHARES[side.part])
    return mixed[low:high]


def facts(rng: random.Random, side: Side, n: int) -> list[Record]:
    """Questions about the training towns and about animals, to be answered from memory."""
    return rng.sample(of_side(side, questions()), n)


@cache
def questions() -> tuple[Record, ...]:
    """Return every closed-book question with its answer."""
    return tuple(_asked())


def _asked() -> Iterator[Record]:
    for city in lexicon.cities():
        slots = {"c": city, "century": century(city.founded), "known": lexicon.noun(city.known_for)}
        for question, answer in TOWN_QUESTIONS:
            yield {"question": sentence(question, **slots), "answer": answer.format(**slots)}
    for animal in lexicon.by_category()["animal"]:
        for fact, question in ANIMAL_QUESTIONS.items():
            answer = animal.attrs.get(fact, "")
            if answer in NOTHING:
                continue
            if fact == "home":
                place = lexicon.lookup()[answer]
                answer = format(place, f"{place.attrs.get('prep', 'в')} loc")
            yield {"question": sentence(question, a=animal), "answer": answer}


def translation(rng: random.Random, side: Side, n: int) -> list[Record]:
    """Russian words and their English translations."""
    words = {word.lemma: word.en for word in lexicon.words() if word.en}
    return rng.sample(of_side(side, [{"ru": ru, "en": en} for ru, en in words.items()]), n)
