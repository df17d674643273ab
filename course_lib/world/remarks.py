"""Remarks of everyday life: tweets, rude and polite words, causes and effects, reading passages.

The sentence tables are `data/frames/*.txt` (see `frames`). Every maker returns a record; the documents are
written from records, and so are the labelled splits of the course's tasks.
"""

from __future__ import annotations

import random
import re
from functools import cache
from itertools import accumulate

from course_lib.world.documents import Generator
from course_lib.world.facts import World
from course_lib.world.frames import Text, frames, sentences, world_slots
from course_lib.world.grammar import decide, sentence
from course_lib.world.politeness import INSULTS, make_detox
from course_lib.world.talk import (
    BACKWARD,
    BULLETS,
    FORWARD,
    JOINTS,
    MANNERS,
    MOODS,
    PRONOUN,
    lesson,
    smiley,
    uncapitalised,
)

__all__ = ["INSULTS", "KINDS", "make_cause", "make_detox", "make_reading", "make_tweet"]

Record = dict[str, str]
MIN_WORDS, MAX_WORDS = 6, 25

SLOT = re.compile(r"\{\w+")
# ends that suit either mood
TAILS = (
    ". {day:~такой} вот [сегодня|у меня] {day}.",
    ". [Такие|Вот такие] дела {town:в loc}.",
    ". [Такие|Вот такие|Вот и все] новости из {town:gen}.",
    ". [Расскажу|Напишу] об этом {name:dat}.",
    ". [Кто бы мог подумать|Никогда не угадаешь|Бывает же такое].",
    ". {name}, ты [представляешь|веришь]?",
    ". [Это|Всё это|Дело] было {town:в loc}, [утром|днём|вечером].",
)


def make_tweet(rng: random.Random, world: World, label: str) -> Record:
    """Make a tweet of one mood; what happens decides it, the beginning would suit either mood.

    Args:
        rng: source of chance.
        world: whose names it mentions.
        label: "positive" or "negative".

    Returns:
        `text` (6 to 25 words, no smiley) and `label`.

    Raises:
        ValueError: if the label is neither.
    """
    if label not in MOODS:
        raise ValueError(f"label must be 'positive' or 'negative', not {label!r}.")
    while True:
        sign = "+" if label == "positive" else "-"
        frame = rng.choices(frames("tweets"), cum_weights=_tweet_weights(sign))[0]
        end = frame.pick(rng, sign)
        template = frame.pick(rng, "s") + ("" if end[0] in ",.:" else " ") + end.replace(" .", ".")
        if rng.random() < 0.5:
            tail = decide(rng, rng.choice(TAILS))
            if not any(slot in template for slot in SLOT.findall(tail)):
                template += tail
        if template[-1] not in ".!?" and rng.random() < 0.5:
            template += "."
        text = sentences(template, **world_slots(rng, world), **frame.draw(rng))
        if MIN_WORDS <= len(re.findall(r"\w+", text)) <= MAX_WORDS:
            return {"text": text, "label": label}


def make_cause(rng: random.Random, world: World) -> Record:
    """Make a cause, its effect, and another cause and effect that have nothing to do with them.

    Right and wrong sentences come from one list, so none is right more often than wrong.

    Args:
        rng: source of chance.
        world: whose names it mentions.

    Returns:
        `cause`, `effect`, `distractor_cause`, `distractor_effect`.
    """
    frame = rng.choice(frames("causes"))
    slots = {**world_slots(rng, world), **frame.draw(rng)}
    halves = [decide(rng, pair).split(" => ") for pair in rng.sample(frame.templates["p"], 2)]
    (cause, effect), (other_cause, other_effect) = (
        [sentence(half, **slots) for half in pair] for pair in halves
    )
    return {
        "cause": cause,
        "effect": effect,
        "distractor_cause": other_cause,
        "distractor_effect": other_effect,
    }


def make_reading(rng: random.Random, world: World) -> Record:
    """Make a passage with a question that is answered in the words of the passage.

    Args:
        rng: source of chance.
        world: whose names it mentions.

    Returns:
        `context`, `question` and `answer`, a span of the context.
    """
    frame = rng.choice(frames("reading"))
    slots = {**world_slots(rng, world), **frame.draw(rng)}
    question, answer = frame.pick(rng, "q").split(" => ")
    return {
        "context": sentences(frame.pick(rng, "c"), **slots),
        "question": sentence(question, **slots),
        "answer": answer.format(**slots),
    }


@cache
def _tweet_weights(end: str) -> tuple[float, ...]:
    return tuple(accumulate((frame.ways("s") * frame.ways(end)) ** 0.22 for frame in frames("tweets")))


def some_tweets(
    rng: random.Random, world: World, low: int, high: int, mood: str | None = None
) -> list[Record]:
    """Make between `low` and `high` tweets, of one mood or mixed."""
    return [
        make_tweet(rng, world, mood or rng.choice(("positive", "negative")))
        for _ in range(rng.randint(low, high))
    ]


def tweet_feed(rng: random.Random, world: World) -> str:
    """A feed of tweets, most of them with a smiley; now and then the feed has one mood."""
    mood = rng.choice((None, None, None, "positive", "negative"))
    header = rng.choice(MOODS[mood]) + "\n" if mood and rng.random() < 0.6 else ""
    space, bullet = rng.choice(("", " ")), rng.choice(BULLETS)
    smile = 0.0 if header and rng.random() < 0.3 else 0.85
    lines = [
        bullet + t["text"].rstrip(".") + (space + smiley(rng, t["label"]) if rng.random() < smile else "")
        for t in some_tweets(rng, world, 2, 7, mood)
    ]
    return header + rng.choice(("\n", "\n\n")).join(lines)


LABELLED = (
    "{mood} твит {text}{smile}",
    "{mood} твит: {text}{smile}",
    "{mood} твит: {text}{smile}",
    "{text}{smile} Настроение: {tone}.",
    "{text}{smile} Это {mood_l} твит.",
    "Твит: {text}{smile} Настроение {tone}.",
    "{text}{smile} => {mood_l}",
)


def labelled_tweets(rng: random.Random, world: World) -> str:
    """Tweets with the name of their mood in front or behind, in one layout or each in its own."""
    layout = rng.choice(LABELLED)
    mixed = rng.random() < 0.4
    lines = []
    for tweet in some_tweets(rng, world, 1, 6):
        happy = tweet["label"] == "positive"
        mood, tone = ("Весёлый", "весёлое") if happy else ("Грустный", "грустное")
        end = smiley(rng, tweet["label"]) if rng.random() < 0.4 else ""
        text = tweet["text"].rstrip(".") if end else tweet["text"]
        if not end and text[-1] not in ".!?":
            text += "."
        shown = rng.choice(LABELLED) if mixed else layout
        lines.append(shown.format(mood=mood, mood_l=mood.lower(), tone=tone, text=text, smile=end))
    return rng.choice(("\n", "\n", "\n\n")).join(lines)


def polite_lessons(rng: random.Random, world: World) -> str:
    """Rude remarks and how they are said politely."""
    names, joint = rng.choice(MANNERS), rng.choice(JOINTS)
    pairs = [make_detox(rng, world) for _ in range(rng.randint(2, 6))]
    if rng.random() < 0.15:
        return "\n".join(
            f"{'Вежливо' if nice else 'Грубо'}: {p['polite' if nice else 'toxic']}"
            for p in pairs
            for nice in (rng.random() < 0.5,)
        )
    return lesson(rng, pairs, names, joint)


@cache
def _name_forms(world: World) -> frozenset[str]:
    """Every form that a name may begin a sentence in: these keep their capital letter."""
    nouns = [p.name for p in world.people] + [pet for pet, _ in world.pets]
    forms = {noun.form(case) for noun in nouns for case in ("nom", "gen", "dat", "acc")}
    return frozenset(forms | {str(city) for city in world.cities})


def why(rng: random.Random, world: World) -> str:
    """What led to what, told or chosen between two answers."""
    names = _name_forms(world)
    lines = []
    for _ in range(rng.randint(1, 5)):
        pair = make_cause(rng, world)
        if rng.random() < 0.25:
            forward = rng.random() < 0.5
            premise, right, wrong = (
                (pair["cause"], pair["effect"], pair["distractor_effect"])
                if forward
                else (pair["effect"], pair["cause"], pair["distractor_cause"])
            )
            first, second = (right, wrong) if rng.random() < 0.5 else (wrong, right)
            ask = "Что было потом?" if forward else "Почему?"
            lines.append(f"{premise} {ask} 1) {first} 2) {second} Ответ: {1 if first is right else 2}.")
            continue
        lines.append(
            sentence(
                rng.choice(FORWARD if PRONOUN.search(pair["effect"]) else FORWARD + BACKWARD),
                cause=pair["cause"],
                effect_c=pair["effect"],
                cause_l=uncapitalised(pair["cause"], names),
                effect=uncapitalised(pair["effect"], names),
            )
        )
    return "\n".join(lines)


def read_and_answer(rng: random.Random, world: World) -> str:
    """Passages with their questions and answers."""
    layout = rng.choice(
        (
            "{context}\nВопрос: {question}\nОтвет: {answer}",
            "{context}\n{question} {answer:^}.",
            "Текст: {context}\n\nВопрос: {question}\n\nОтвет: {answer}.",
            "— {question}\n— {answer:^}. {context}",
            "{context} Вопрос: {question} Ответ: {answer}.",
        )
    )
    passages = [make_reading(rng, world) for _ in range(rng.randint(1, 3))]
    return "\n\n".join(layout.format(**{k: Text(v) for k, v in passage.items()}) for passage in passages)


KINDS: dict[str, tuple[float, Generator]] = {
    "remarks: tweets": (0.05, tweet_feed),
    "remarks: labelled tweets": (0.035, labelled_tweets),
    "remarks: polite": (0.03, polite_lessons),
    "remarks: causes": (0.025, why),
    "remarks: reading": (0.03, read_and_answer),
}
