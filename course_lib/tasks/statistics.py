"""The deck's "Table 1: Cumulative task statistics", counted again for whatever data is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datasets import Dataset
    from pandas import DataFrame

    from course_lib.tasks import Task


@dataclass(frozen=True)
class DeckRow:
    """A row of the deck's table: the group, train/validation/test, sentences and tokens of all three."""

    group: str
    samples: str
    sentences: int
    tokens: int


# version 1.0 of the benchmark; that RWSD has only 1.5 tokens a sentence is the deck's own figure
DECK: dict[str, DeckRow] = {
    "lidirus": DeckRow("", "0/0/1104", 2210, 36_000),
    "russe": DeckRow("Common Sense", "19845/8508/12151", 90_862, 1_100_000),
    "parus": DeckRow("Common Sense", "500/100/400", 1000, 5400),
    "terra": DeckRow("NLI", "2616/307/3198", 13_706, 253_000),
    "rcb": DeckRow("NLI", "438/220/348", 2715, 37_000),
    "rwsd": DeckRow("Reasoning", "606/204/154", 1541, 2300),
    "muserc": DeckRow("Machine Reading", "500/100/322", 12_805, 253_000),
    "rucos": DeckRow("Machine Reading", "72193/4370/4147", 583_930, 12_000_000),
    "danetqa": DeckRow("World Knowledge", "392/295/295", 6231, 131_000),
}
SPLITS = ("train", "validation", "test")
TOKEN = re.compile(r"\w+|[^\w\s]")
SENTENCE_END = re.compile(r"[.!?…]+(?=\W*(?:\s|$))|\n")


def task_statistics(tasks: Iterable[Task]) -> DataFrame:
    """Count samples, sentences and tokens of tasks, beside the figures of the deck.

    Args:
        tasks: loaded tasks; those outside Russian SuperGLUE have no figures in the deck.

    Returns:
        A row per task, in the order given, under its title. `samples` is train/validation/test: passages for
        MuSeRC, queries for RuCoS, else rows. A token is a word or a punctuation mark. The deck does not say
        how it counted, so its sentences and tokens agree with these in size, not to the digit.
    """
    from pandas import DataFrame

    rows = {}
    for task in tasks:
        deck = DECK.get(task.name)
        texts = [text for split in task.data.values() for text in texts_of(task, split)]
        rows[task.title] = {
            "group": deck.group if deck else "",
            "samples": "/".join(str(samples(task, task.data.get(split))) for split in SPLITS),
            "deck samples": deck.samples if deck else "",
            "sentences": sum(map(count_sentences, texts)),
            "deck sentences": deck.sentences if deck else None,
            "tokens": sum(map(count_tokens, texts)),
            "deck tokens": deck.tokens if deck else None,
        }
    table = DataFrame.from_dict(rows, orient="index")
    return table.astype({"deck sentences": "Int64", "deck tokens": "Int64"})  # whole numbers, even with gaps


def samples(task: Task, split: Dataset | None) -> int:
    """Return the size of a split as the deck counts it."""
    if split is None:
        return 0
    if task.name == "muserc":
        return len({idx["paragraph"] for idx in split["idx"]})
    return len(split)


def texts_of(task: Task, split: Dataset) -> Iterable[str]:
    """Yield the texts of a split; MuSeRC repeats passage and question with every answer: each counts once."""
    if task.name != "muserc":
        for column in task.texts:
            yield from split[column]
        return
    for depth, column in enumerate(task.texts, 1):
        keys = [tuple(idx.values())[:depth] for idx in split["idx"]]
        yield from dict(zip(keys, split[column], strict=True)).values()


def count_sentences(text: str) -> int:
    """Return the number of sentences: stretches with a word in them, up to a full stop or a new line."""
    return sum(bool(re.search(r"\w", part)) for part in SENTENCE_END.split(text))


def count_tokens(text: str) -> int:
    """Return the number of words and punctuation marks."""
    return len(TOKEN.findall(text))
