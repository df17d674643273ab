"""List-shaped documents: the same pattern again and again, as on the web.

In-context learning grows from exactly these (deck, "Few-shot"): bursty lists, where items and label words
recur within a document and change between documents; first plain copying, then pairs, then labels whose
meaning holds for one document only.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from course_lib.world import lexicon
from course_lib.world.documents import Generator
from course_lib.world.facts import World
from course_lib.world.few_shot import (
    COUNTABLE,
    categories,
    contrasts,
    countable,
    question_list,
    rude_or_polite,
    sentiments,
    topics,
)
from course_lib.world.grammar import Count
from course_lib.world.handbook import habitat, where
from course_lib.world.layouts import PREFIXES, Pair, bursty, write_list
from course_lib.world.tables import city_facts, diminutives, numbers, people_table, yes_or_no

HEADERS = {
    ("ru", "en"): (
        "Переведи с русского на английский:",
        "Русско-английский словарь",
        "Translate Russian to English:",
    ),
    ("en", "ru"): (
        "Переведи с английского на русский:",
        "Англо-русский словарь",
        "Translate English to Russian:",
    ),
    ("en", "fr"): (
        "Translate English to French:",
        "English to French",
        "Переведи с английского на французский:",
    ),
    ("fr", "en"): (
        "Translate French to English:",
        "French to English",
        "Переведи с французского на английский:",
    ),
    ("ru", "fr"): (
        "Переведи с русского на французский:",
        "Русско-французский словарь",
        "Translate Russian to French:",
    ),
}


LANGUAGES = {"ru": ("Русский", "Russian"), "en": ("Английский", "English"), "fr": ("Французский", "French")}
# the examples of the deck's few-shot slide ("cheese =>")
DECK = tuple(lexicon.lookup()[lemma] for lemma in ("калан", "перечная мята", "плюшевый жираф", "сыр"))


def translations(rng: random.Random, world: World) -> str:
    """A bilingual word list, in the deck's `sea otter => loutre de mer` shape among others."""
    source, target = rng.choice(list(HEADERS))
    words = rng.sample(lexicon.words(), 34) + rng.sample(lexicon.by_category()["phrase"], 3) + list(DECK)
    pool = [tuple({"ru": w.lemma, "en": w.en, "fr": w.fr}[side] for side in (source, target)) for w in words]
    if rng.random() < 0.3:
        lines = [f"{item} => {answer}" for item, answer in bursty(rng, pool)]
        return "\n".join([HEADERS[source, target][0], *lines])
    names = tuple(f"{LANGUAGES[side][target != 'ru']}: " for side in (source, target))
    return write_list(
        rng, bursty(rng, pool), rng.choice(("", *HEADERS[source, target])), (*PREFIXES[:4], names, names)
    )


def copying(rng: random.Random, world: World) -> str:
    """Words repeated as they are: the easiest pattern, and the first that a small model learns in context."""
    words = [word.lemma for word in rng.sample(lexicon.words(), 30)]
    names = [rng.choice(world.people).full.lemma for _ in range(8)]
    items = rng.sample(words + names, 38)
    style = rng.random()
    if style < 0.25:
        return write_list(rng, bursty(rng, [(item, item) for item in items]))
    n_items = rng.randint(2, 7) if style < 0.5 else rng.randint(8, 38)
    n_times = rng.randint(3, 7) if style < 0.5 else rng.randint(2, 3)
    joint = rng.choice((", ", "\n", " ", "; ", " - "))
    return rng.choice((joint, "\n")).join([joint.join(items[:n_items])] * n_times)


def random_pairs(rng: random.Random, world: World) -> str:
    """A made-up dictionary: pairs that hold in this document only, each seen at least twice."""
    words = rng.sample(lexicon.words(), 24)
    n = rng.randint(3, 8)
    pool = [(words[i].lemma, words[i + 12].lemma) for i in range(n)]
    lines: list[Pair] = []
    for _ in range(rng.randint(2, 4)):
        lines += rng.sample(pool, n)
    return write_list(rng, lines)


def _forms() -> dict[str, Callable[[lexicon.Word], str]]:
    return {
        "Один и много:": lambda w: w.noun.form("nom", True),
        "Кого нет?": lambda w: w.noun.form("gen"),
        "С кем? С чем?": lambda w: format(w.noun, "с ins"),
        "О ком? О чём?": lambda w: format(w.noun, "о loc"),
        "Два:": lambda w: f"{Count(2):{w.lemma}}",
        "Пять:": lambda w: f"{Count(5):{w.lemma}}",
        "Он, она, оно:": lambda w: w.noun._pronoun("nom", "nom", False),
        "Заглавная буква:": lambda w: w.lemma.capitalize(),
        "Первая буква:": lambda w: w.lemma[0],
        "Последняя буква:": lambda w: w.lemma[-1],
    }


def word_forms(rng: random.Random, world: World) -> str:
    """A rule of grammar or spelling carried out on word after word."""
    pool = countable(rng.sample(COUNTABLE, 3))
    header, rule = rng.choice(list(_forms().items()))
    words = [w for w in rng.sample(pool, min(24, len(pool))) if " " not in w.lemma]
    return write_list(rng, bursty(rng, [(w.lemma, rule(w)) for w in words]), rng.choice(("", header)))


def _value(attribute: str) -> Callable[[lexicon.Word], str]:
    return lambda word: word.attrs[attribute]


# category, header, attribute, how its value is told
ATTRIBUTES: tuple[tuple[str, str, str, Callable[[lexicon.Word], str]], ...] = (
    ("animal", "Где живёт?", "home", habitat),
    ("animal", "Где живёт?", "home", habitat),
    ("animal", "Какой звук?", "sound", _value("sound")),
    ("animal", "Сколько ног?", "legs", _value("legs")),
    ("profession", "Где работает?", "place", lambda w: where(w.attrs["place"])),
    ("profession", "Место работы", "place", _value("place")),
    ("profession", "С чем работает?", "tool", lambda w: format(lexicon.lookup()[w.attrs["tool"]], "с ins")),
    ("profession", "Рабочий предмет", "tool", _value("tool")),
    ("profession", "Что делает?", "does", _value("does")),
    ("profession", "Кто это?", "does", _value("does")),
    ("fruit", "Цвет", "color", _value("color")),
    ("fruit", "Вкус", "taste", _value("taste")),
    ("vegetable", "Вкус", "taste", _value("taste")),
    ("tool", "Для чего это нужно?", "used", _value("used")),
    ("kitchen", "Для чего это нужно?", "used", _value("used")),
    ("vehicle", "Где движется?", "moves", _value("moves")),
    ("clothing", "Где носят?", "worn", _value("worn")),
    ("clothing", "Время года", "season", _value("season")),
    ("weather", "Время года", "season", _value("season")),
)


def attributes(rng: random.Random, world: World) -> str:
    """What is known of things of one kind, one attribute a document."""
    category, header, attribute, told = rng.choice(ATTRIBUTES)
    known = [(w.lemma, told(w)) for w in lexicon.by_category()[category] if attribute in w.attrs]
    if header == "Кто это?":
        known = [(answer, item) for item, answer in known]
    return write_list(rng, bursty(rng, known), rng.choice(("", header)))


def opposites(rng: random.Random, world: World) -> str:
    """Opposites, or imperfective verbs with their perfective partners."""
    attribute, header = rng.choice((("opp", "Наоборот:"), ("pf", "Что делать? Что сделать?")))
    pool = [(w.lemma, w.attrs[attribute]) for w in lexicon.words() if attribute in w.attrs]
    return write_list(rng, bursty(rng, rng.sample(pool, min(30, len(pool)))), rng.choice(("", header)))


KINDS: dict[str, tuple[float, Generator]] = {
    "list: translations": (0.06, translations),
    "list: copying": (0.05, copying),
    "list: random pairs": (0.05, random_pairs),
    "list: word forms": (0.025, word_forms),
    "list: attributes": (0.02, attributes),
    "list: opposites": (0.01, opposites),
    "list: categories": (0.05, categories),
    "list: contrasts": (0.03, contrasts),
    "list: sentiments": (0.03, sentiments),
    "list: towns": (0.02, city_facts),
    "list: yes or no": (0.03, yes_or_no),
    "list: people": (0.02, people_table),
    "list: diminutives": (0.008, diminutives),
    "list: numbers": (0.015, numbers),
    "list: questions": (0.01, question_list),
    "list: topics": (0.01, topics),
    "list: rude or polite": (0.015, rude_or_polite),
}
