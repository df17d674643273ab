"""Few-shot lists: words and texts with the label of their class, as in a prompt with examples."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from course_lib.world import lexicon
from course_lib.world.facts import World
from course_lib.world.layouts import LABELLING, LABELS, SENTIMENT_LABELS, bursty, labelled, write_list


def categories(rng: random.Random, world: World) -> str:
    """Words sorted into two or three classes: by their own names, or by labels that say nothing of them."""
    groups = {
        name: [word.lemma for word in words]
        for name, words in lexicon.by_category().items()
        if len(words) >= 15 and name in CLASS_NAMES
    }
    chosen = rng.sample(list(groups), rng.choice((2, 2, 2, 3)))
    if len(chosen) == 2 and rng.random() < 0.65:
        labels = arbitrary_labels(rng)
    else:
        labels = tuple(CLASS_NAMES[name] for name in chosen)
    return sorted_items(rng, [groups[name] for name in chosen], labels)


def contrasts(rng: random.Random, world: World) -> str:
    """Words sorted by what one sees or hears in them: language, part of speech, number, name or not."""
    return sorted_items(rng, rng.sample(rng.choice(_contrasts(world)), 2), arbitrary_labels(rng))


@cache
def _contrasts(world: World) -> tuple[tuple[list[str], list[str]], ...]:
    words = [word for word in lexicon.words() if word.noun is not None]
    nouns = [word.lemma for word in words]
    english, french = [word.en for word in words], [word.fr for word in words]
    groups = lexicon.by_category()
    one, many = ([w.noun.form("nom", plural) for w in countable(COUNTABLE)] for plural in (False, True))
    verbs, adjectives, adverbs = (
        [word.lemma for name in groups if name.startswith(part) for word in groups[name]]
        for part in ("verb:", "adj:", "adv:")
    )
    return (
        (nouns, english),
        (nouns, french),
        (english, french),
        (verbs, nouns),
        (verbs, adjectives),
        (nouns, adjectives),
        (adverbs, verbs),
        (adverbs, adjectives),
        (one, many),
        (nouns, [noun.capitalize() for noun in nouns]),
        (nouns, [person.full.lemma for person in world.people]),
        (nouns, [city.name.lemma for city in world.cities]),
        (nouns, [str(number) for number in range(10, 1000)]),
    )


def countable(names: Sequence[str]) -> list[lexicon.Word]:
    """Return the words of some of `COUNTABLE` that have both numbers."""
    groups = lexicon.by_category()
    return [word for name in names for word in groups[name] if not {"pl", "sg"} & set(word.attrs)]


def arbitrary_labels(rng: random.Random) -> tuple[str, str]:
    """Return two labels that mean nothing within their document: the usual ones, or any two words."""
    if rng.random() < 0.6:
        one, other = rng.sample(rng.choice(LABELS), 2)
    else:
        one, other = rng.sample(_label_words(), 2)
    return one, other


@cache
def _label_words() -> list[str]:
    nouns = [word.lemma for word in lexicon.words() if word.noun is not None and " " not in word.lemma]
    return [noun for noun in nouns if noun not in CLASS_NAMES.values()]  # which would mean something


def sorted_items(rng: random.Random, classes: Sequence[Sequence[str]], labels: Sequence[str]) -> str:
    """Write items of some classes with their labels: a few that return, or many that do not."""
    # to be copied, or to be understood: what an item has in common with those before it
    returning = rng.random() < 0.35
    n = 12 if returning else rng.randint(6, 18)
    pairs = [
        (item, label)
        for items, label in zip(classes, labels, strict=True)
        for item in rng.sample(items, min(n, len(items)))
    ]
    if returning:
        pairs = bursty(rng, pairs, 8, 30)
    else:
        rng.shuffle(pairs)
    if rng.random() < 0.3:
        return "\n".join(f"{item} => {label}" for item, label in pairs)
    return write_list(rng, pairs, prefixes=LABELLING)


# kinds of things that come one by one and in numbers
COUNTABLE = ("animal", "profession", "furniture", "tool", "toy", "vehicle", "building", "fruit")
CLASS_NAMES = {
    "animal": "животное",
    "profession": "профессия",
    "food": "еда",
    "dish": "блюдо",
    "drink": "напиток",
    "clothing": "одежда",
    "furniture": "мебель",
    "tool": "инструмент",
    "toy": "игрушка",
    "vehicle": "транспорт",
    "plant": "растение",
    "fruit": "фрукт",
    "vegetable": "овощ",
    "tree": "дерево",
    "flower": "цветок",
    "building": "здание",
    "room": "комната",
    "place": "место",
    "nature": "природа",
    "weather": "погода",
    "event": "событие",
    "feeling": "чувство",
    "body": "тело",
    "material": "материал",
    "music": "музыка",
    "sport": "спорт",
    "school": "школа",
    "subject": "предмет",
    "time": "время",
    "kitchen": "кухня",
    "kin": "человек",
}


def sentiments(rng: random.Random, world: World) -> str:
    """Tweets with the label of their mood; the label words change between documents."""
    labels = rng.choice(SENTIMENT_LABELS + LABELS)
    if labels in LABELS and rng.random() < 0.5:  # only labels that mean nothing may change sides
        labels = labels[::-1]
    from course_lib.world.remarks import make_tweet

    pool = world.texts("tweets")
    written = rng.sample(pool, min(len(pool), rng.randint(0, 4)))
    made = [make_tweet(rng, world, rng.choice(("positive", "negative"))) for _ in range(rng.randint(4, 7))]
    tweets = rng.sample(written + made, len(written + made))
    pairs = [(t["text"].rstrip("."), labels[t["label"] == "negative"]) for t in tweets]
    style = rng.random()
    if style < 0.5:
        return labelled(rng, pairs, rng.choice(("Какое настроение?", "Весёлый твит или грустный?")))
    if labels[0].endswith("ый"):
        return "\n".join(f"{label.capitalize()} твит: {text}" for text, label in pairs)
    return "\n\n".join(f"Твит: {text}\nНастроение: {label}" for text, label in pairs)


def topics(rng: random.Random, world: World) -> str:
    """Proverbs with the name of their subject."""
    pool = world.texts("proverbs")
    chosen = rng.sample(sorted({p["topic"] for p in pool}), rng.randint(2, 3))
    few = [(p["text"], p["topic"]) for p in pool if p["topic"] in chosen]
    pairs = rng.sample(few, min(len(few), rng.randint(4, 9)))
    return labelled(rng, pairs, "О чём пословица?")


def rude_or_polite(rng: random.Random, world: World) -> str:
    """Remarks with a label: rude or polite, by these words or by words that mean nothing elsewhere."""
    labels = rng.choice(
        (("грубо", "вежливо"), ("грубый", "вежливый"), ("невежливо", "вежливо"), *LABELS[1:8])
    )
    from course_lib.world.remarks import make_detox

    pool = world.texts("detox")
    written = rng.sample(pool, min(len(pool), rng.randint(0, 3)))
    made = [make_detox(rng, world) for _ in range(rng.randint(4, 6))]
    records = rng.sample(written + made, len(written + made))
    pairs = [(r["toxic"], labels[0]) if rng.random() < 0.5 else (r["polite"], labels[1]) for r in records]
    return labelled(rng, pairs, "Грубо или вежливо?")


def question_list(rng: random.Random, world: World) -> str:
    """Everyday questions with short answers."""
    pool = [q for q in world.texts("qa") if not q.get("context")]
    return write_list(
        rng, [(q["question"], q["answer"]) for q in rng.sample(pool, min(len(pool), rng.randint(3, 10)))]
    )
