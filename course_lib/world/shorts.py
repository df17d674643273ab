"""Tweets, proverbs, jokes, news with titles and summaries, questions, manners: hand-written and generated."""

from __future__ import annotations

import random
from collections.abc import Callable

from course_lib.world.politeness import make_detox
from course_lib.world.press import make_news
from course_lib.world.remarks import make_reading, make_tweet
from course_lib.world.sides import Record, Side, distinct

MOODS = ("negative", "positive")


def fresh(side: Side, make: Callable[[], Record], keys: tuple[str, ...]) -> Record:
    """Make a record; on the held-out sides each of its `keys` names somebody or some place, and so is new."""
    while True:
        record = make()
        if side.part == "train" or all(side.mentions(record[key]) for key in keys):
            return record


def mixed(
    rng: random.Random, written: list[Record], n: int, make: Callable[[int], Record], keys: tuple[str, ...]
) -> list[Record]:
    """Take the hand-written records (at most half of `n`), and make the rest."""
    chosen = rng.sample(written, min(len(written), n // 2))

    def one(i: int) -> Record:
        return chosen.pop() if chosen else make(i)

    return distinct(n, one, keys)


def tweets(rng: random.Random, side: Side, n: int) -> list[Record]:
    """Tweets without their smileys, and their mood."""
    rows: list[Record] = []
    for mood in MOODS:
        written = [t for t in side.texts("tweets") if t["label"] == mood]
        rows += mixed(
            rng,
            [{"text": t["text"], "label": mood} for t in written],
            n // 2,
            lambda i, mood=mood: fresh(side, lambda: make_tweet(rng, side.world, mood), ("text",)),
            ("text",),
        )
    return rows


def texts(name: str) -> Callable[[random.Random, Side, int], list[Record]]:
    """Return a maker that takes the hand-written texts of one kind."""

    def make(rng: random.Random, side: Side, n: int) -> list[Record]:
        return [
            {"text": record["text"]} for record in rng.sample(side.texts(name), min(n, len(side.texts(name))))
        ]

    return make


proverbs, jokes = texts("proverbs"), texts("jokes")


def news(rng: random.Random, side: Side, n: int) -> list[Record]:
    """News items with `headline`, `text` and `summary`."""

    def one(i: int) -> Record:
        return fresh(side, lambda: make_news(rng, side.world), ("text", "headline", "summary"))

    return mixed(rng, list(side.texts("news")), n, one, ("text",))


def summaries(rng: random.Random, side: Side, n: int) -> list[Record]:
    """News and their summaries."""
    return [{"text": item["text"], "summary": item["summary"]} for item in news(rng, side, n)]


def titles(rng: random.Random, side: Side, n: int) -> list[Record]:
    """News and their headlines."""
    return [{"text": item["text"], "title": item["headline"]} for item in news(rng, side, n)]


def qa(rng: random.Random, side: Side, n: int) -> list[Record]:
    """Passages with a question and the answer in the passage's words."""
    written = [
        {key: record[key] for key in ("context", "question", "answer")}
        for record in side.texts("qa")
        if record.get("context")
    ]

    def one(i: int) -> Record:
        return fresh(side, lambda: make_reading(rng, side.world), ("context",))

    return mixed(rng, written, n, one, ("context", "question"))


def detox(rng: random.Random, side: Side, n: int) -> list[Record]:
    """Rude remarks and the same said politely."""
    written = [{key: record[key] for key in ("toxic", "polite")} for record in side.texts("detox")]

    def one(i: int) -> Record:
        return fresh(side, lambda: make_detox(rng, side.world), ("toxic", "polite"))

    return mixed(rng, written, n, one, ("toxic",))
