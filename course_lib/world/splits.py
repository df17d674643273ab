"""The labelled splits of the micro-world: Russian SuperGLUE in the Hub's columns, and the shorter tasks.

Labels follow from the world's facts or from how a sentence is built, the classes are equally frequent, and a
true example and its false twin are made of the same words. Training examples speak of the training people and
towns; validation and test each have names, texts and words of their own.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Any

from course_lib.world import choices, inference, knowledge, reading, shorts
from course_lib.world.sides import PARTS, Record, Side, side

if TYPE_CHECKING:
    from datasets import DatasetDict, Features

Maker = Callable[[random.Random, Side, int], list[Record]]
BOOLEAN = ("False", "True")


@dataclass(frozen=True)
class Labelled:
    """One labelled task.

    Attributes:
        make: makes so many examples of one side.
        columns: the columns in the Hub's order, with "string", "int32", "strings", or the label names.
        sizes: examples in train, validation and test; 0 for a split that the task does not have.
    """

    make: Maker
    columns: dict[str, str | tuple[str, ...] | dict[str, str]]
    sizes: tuple[int, int, int]

    def features(self) -> Features:
        """Return the columns as `datasets` wants them."""
        from datasets import ClassLabel, Features, List, Value

        def feature(kind: str | tuple[str, ...] | dict[str, str]) -> Any:
            if isinstance(kind, tuple):
                return ClassLabel(names=list(kind))
            if isinstance(kind, dict):
                return {name: feature(inner) for name, inner in kind.items()}
            return List(Value("string")) if kind == "strings" else Value(kind)

        return Features({name: feature(kind) for name, kind in self.columns.items()})


def columns(*names: str, **special: str | tuple[str, ...] | dict[str, str]) -> dict:
    """Return columns of strings, then those with another type."""
    return dict.fromkeys(names, "string") | special


TASKS: dict[str, Labelled] = {
    "tweets": Labelled(shorts.tweets, columns("text", label=("negative", "positive")), (1000, 200, 400)),
    "lidirus": Labelled(
        inference.lidirus,
        columns("sentence1", "sentence2", *inference.CATEGORIES, idx="int32", label=inference.ENTAILMENT),
        (0, 0, 500),
    ),
    "rcb": Labelled(
        inference.rcb,
        {
            "premise": "string",
            "label": ("entailment", "contradiction", "neutral"),
            **columns("hypothesis", "verb", "negation"),
            "idx": "int32",
        },
        (600, 150, 300),
    ),
    "parus": Labelled(
        choices.parus,
        columns("premise", "choice1", "choice2", "question", label=("choice1", "choice2"), idx="int32"),
        (600, 150, 300),
    ),
    "muserc": Labelled(
        reading.muserc,
        {
            "idx": dict.fromkeys(("paragraph", "question", "answer"), "int32"),
            **columns("paragraph", "question", "answer"),
            "label": BOOLEAN,
        },
        (100, 20, 40),  # passages; each has three questions with three or four answers
    ),
    "terra": Labelled(
        inference.terra,
        columns("premise", "hypothesis", label=inference.ENTAILMENT, idx="int32"),
        (1000, 200, 400),
    ),
    "russe": Labelled(
        choices.russe,
        columns("word", "sentence1", "sentence2")
        | dict.fromkeys(("start1", "end1", "start2", "end2", "gold_sense1", "gold_sense2", "idx"), "int32")
        | {"label": BOOLEAN},
        (1000, 200, 400),
    ),
    "rwsd": Labelled(
        choices.rwsd,
        columns("text", span1_index="int32", span2_index="int32", span1_text="string", span2_text="string")
        | {"idx": "int32", "label": BOOLEAN},
        (600, 150, 300),
    ),
    "danetqa": Labelled(
        reading.danetqa, columns("question", "passage", label=BOOLEAN, idx="int32"), (1000, 200, 400)
    ),
    "rucos": Labelled(
        reading.rucos,
        columns("passage", "query", entities="strings", answers="strings")
        | {"idx": dict.fromkeys(("passage", "query"), "int32")},
        (600, 150, 300),
    ),
    "proverbs": Labelled(shorts.proverbs, columns("text"), (250, 30, 30)),
    "jokes": Labelled(shorts.jokes, columns("text"), (250, 30, 30)),
    "summaries": Labelled(shorts.summaries, columns("text", "summary"), (600, 150, 300)),
    "titles": Labelled(shorts.titles, columns("text", "title"), (600, 150, 300)),
    "qa": Labelled(shorts.qa, columns("context", "question", "answer"), (600, 150, 300)),
    "detox": Labelled(shorts.detox, columns("toxic", "polite"), (600, 150, 300)),
    "paraphrase": Labelled(
        knowledge.paraphrase, columns("sentence1", "sentence2", label=knowledge.SAME), (1000, 200, 400)
    ),
    "facts": Labelled(knowledge.facts, columns("question", "answer"), (400, 60, 200)),
    "translation": Labelled(knowledge.translation, columns("ru", "en"), (1000, 200, 400)),
}
LABELLED: tuple[str, ...] = tuple(TASKS)


def labelled(name: str, seed: int = 0) -> DatasetDict:
    """Return one labelled task of the micro-world.

    Args:
        name: one of `LABELLED`.
        seed: same seed, same examples.

    Returns:
        A `DatasetDict` with the splits train, validation and test (LiDiRus: test alone).

    Raises:
        ValueError: if there is no such task.
    """
    if name not in TASKS:
        near = get_close_matches(str(name).lower(), LABELLED, n=1, cutoff=0.0)
        raise ValueError(
            f"There is no task {name!r}. Did you mean {near[0]!r}? All tasks: {', '.join(LABELLED)}."
        )
    from datasets import Dataset, DatasetDict

    features = TASKS[name].features()
    return DatasetDict(
        {
            part: Dataset.from_list(list(rows), features=features)
            for part, rows in _examples(name, seed).items()
        }
    )


@cache
def _examples(name: str, seed: int) -> dict[str, tuple[Record, ...]]:
    """Make all examples of a task, in chance order, with their `idx`."""
    task, made = TASKS[name], {}
    for part, size in zip(PARTS, task.sizes, strict=True):
        if size == 0:
            continue
        rng = random.Random(f"labelled-{name}-{part}-{seed}")
        rows = task.make(rng, side(part), size)
        if name != "muserc":  # the answers to one question stay together, and carry their idx already
            rng.shuffle(rows)
            kind = task.columns.get("idx")
            for i, row in enumerate(rows):
                if kind is not None:
                    row["idx"] = {"passage": i, "query": i} if isinstance(kind, dict) else i
        made[part] = tuple({column: row[column] for column in task.columns} for row in rows)
    return made
