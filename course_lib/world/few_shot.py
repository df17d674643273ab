"""Few-shot lists: words and texts with the label of their class, as in a prompt with examples."""

from __future__ import annotations

import random

from course_lib.world import lexicon
from course_lib.world.facts import World
from course_lib.world.layouts import LABELLING, LABELS, SENTIMENT_LABELS, bursty, labelled, write_list


def categories(rng: random.Random, world: World) -> str:
    """Words sorted into two or three classes: by their own names, or by meaningless labels."""
    groups = {
        name: words
        for name, words in lexicon.by_category().items()
        if len(words) >= 15 and name in CLASS_NAMES
    }
    chosen = rng.sample(list(groups), rng.choice((2, 2, 2, 3)))
    if len(chosen) == 2 and rng.random() < 0.65:
        labels = list(rng.choice(LABELS))
        rng.shuffle(labels)
    else:
        labels = [CLASS_NAMES.get(name, name) for name in chosen]
    pool = [
        (w.lemma, label)
        for name, label in zip(chosen, labels, strict=True)
        for w in rng.sample(groups[name], 12)
    ]
    return write_list(rng, bursty(rng, pool, 8, 30), prefixes=LABELLING)


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
