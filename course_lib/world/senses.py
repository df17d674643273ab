"""Words with several senses: example sentences, dictionary entries for the pretraining text, pairs for RUSSE.

`data/senses.jsonl` holds one sense a line; in its sentences the word stands in square brackets.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from functools import cache

from course_lib.world.documents import Generator
from course_lib.world.facts import World
from course_lib.world.lexicon import DATA


@dataclass(frozen=True)
class Example:
    """A sentence in which a word has one of its senses.

    Attributes:
        text: the sentence.
        start: where the word begins in it; `end`: where it ends (exclusive), in characters.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Sense:
    """One sense of a word.

    Attributes:
        word: dictionary form.
        number: 1 for the first sense of the word.
        gloss: what it means.
        split: "train", or "held_out" for words that are kept whole for test splits.
        train: sentences for training; `held_out`: sentences for test splits.
    """

    word: str
    number: int
    gloss: str
    split: str
    train: tuple[Example, ...]
    held_out: tuple[Example, ...]


def example(marked: str) -> Example:
    """Read a sentence with its word in square brackets."""
    found = re.search(r"\[([^]]+)]", marked)
    if found is None:
        raise ValueError(f"No word is marked in «{marked}».")
    text = marked.replace("[", "").replace("]", "")
    return Example(text, found.start(), found.start() + len(found.group(1)))


@cache
def senses() -> tuple[Sense, ...]:
    """Return all senses in file order."""
    found: list[Sense] = []
    with (DATA / "senses.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            number = 1 + sum(sense.word == row["word"] for sense in found)
            train, held_out = (tuple(example(text) for text in row[side]) for side in ("train", "held_out"))
            found.append(Sense(row["word"], number, row["gloss"], row["split"], train, held_out))
    return tuple(found)


@cache
def by_word(split: str) -> dict[str, tuple[Sense, ...]]:
    """Return the senses by word, of the words of one split."""
    table: dict[str, list[Sense]] = {}
    for sense in senses():
        if sense.split == split:
            table.setdefault(sense.word, []).append(sense)
    return {word: tuple(found) for word, found in table.items()}


def pool(sense: Sense, world: World) -> tuple[Example, ...]:
    """Return the sentences of a sense that this side of the pretraining text may use."""
    return sense.held_out if world.held_out_texts else sense.train


def quoted(text: str) -> str:
    """Set an example in quotation marks, after which its full stop stands."""
    return f"«{text[:-1]}»." if text.endswith(".") else f"«{text}»"


def dictionary(rng: random.Random, world: World) -> str:
    """Entries of an explanatory dictionary: the senses of a word, each with examples."""
    layout = rng.choice(("{0}. {1}: {2}", "{0}) {1}. {2}", "{0}. {1} — {2}"))
    entries = []
    for word, found in rng.sample(sorted(by_word("train").items()), rng.randint(1, 3)):
        body = []
        for number, sense in enumerate(rng.sample(found, len(found)), 1):
            examples = rng.sample(pool(sense, world), rng.randint(1, 2))
            body.append(layout.format(number, sense.gloss, " ".join(quoted(e.text) for e in examples)))
        head = rng.choice((word.capitalize() + ".", word.upper()))
        entries.append(head + rng.choice((" ", "\n")).join(["", *body]))
    return rng.choice(("", "", "Толковый словарь\n\n")) + "\n\n".join(entries)


def meanings(rng: random.Random, world: World) -> str:
    """Sentences with the meaning of one word in each."""
    layout = rng.choice(
        ("{0} Здесь «{1}» — это {2}.", "{0} («{1}»: {2})", "{0} => {1}: {2}", "{0} Что такое «{1}»? Это {2}.")
    )
    lines = []
    for word, found in rng.sample(sorted(by_word("train").items()), rng.randint(2, 4)):
        for sense in rng.sample(found, rng.randint(1, len(found))):
            lines.append(layout.format(rng.choice(pool(sense, world)).text, word, sense.gloss))
    rng.shuffle(lines)
    return "\n".join(lines)


def same_or_not(rng: random.Random, world: World) -> str:
    """Two sentences with one word: is it the same sense?"""
    yes, no = rng.choice(
        (("да", "нет"), ("одно значение", "разные значения"), ("верно", "неверно"), ("то же", "другое"))
    )
    lines = []
    for word, found in rng.sample(sorted(by_word("train").items()), rng.randint(3, 6)):
        sense, other = rng.sample(found, 2)
        same = rng.random() < 0.5
        first, second = rng.sample(pool(sense, world), 2)
        if not same:
            second = rng.choice(pool(other, world))
        lines.append(f"{word}: {first.text} {second.text} {(yes if same else no).capitalize()}.")
    return rng.choice(("", "Одно ли это значение?\n", "Слово в двух предложениях\n")) + "\n".join(lines)


KINDS: dict[str, tuple[float, Generator]] = {
    "senses: dictionary": (0.012, dictionary),
    "senses: meanings": (0.009, meanings),
    "senses: same or not": (0.009, same_or_not),
}
