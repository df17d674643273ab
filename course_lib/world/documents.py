"""The pretraining text: an endless, seeded stream of documents of many kinds."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.world.facts import World

if TYPE_CHECKING:
    from datasets import Dataset

N_CHARACTERS = 84_000_000  # what the course's models are trained on (conf/pretrain.yaml)
# Copying comes early and often: a small model finds it much sooner so, and in-context learning grows from it.
EARLY = {"list: copying": 0.5, "list: random pairs": 0.25}  # added to their shares at first, then ever less
N_EARLY = 25_000  # documents over which the addition falls to nothing
# Labels that hold for one document only can be learnt once words are known: such lists come late and often.
LATE = {
    "list: categories": 0.1,
    "list: contrasts": 0.1,
    "list: sentiments": 0.03,
    "list: rude or polite": 0.015,
}
N_LATE = 100_000  # documents over which the addition grows from nothing to these shares
Generator = Callable[[random.Random, World], str]


@cache
def kinds() -> dict[str, tuple[float, Generator]]:
    """Return every kind of document as `name: (share of documents, generator)`."""
    from course_lib.world import (
        conversations,
        diaries,
        encyclopaedia,
        handbook,
        lists,
        notices,
        press,
        reasoning,
        remarks,
        senses,
        stories,
        talk,
    )

    return {
        **stories.KINDS,
        **encyclopaedia.KINDS,
        **handbook.KINDS,
        **talk.KINDS,
        **lists.KINDS,
        **press.KINDS,
        **remarks.KINDS,
        **diaries.KINDS,
        **conversations.KINDS,
        **notices.KINDS,
        **reasoning.KINDS,
        **senses.KINDS,
    }


def added(kind: str, n_drawn: int) -> float:
    """Return what a kind's share is increased by when so many documents have been drawn."""
    early, late = max(0.0, 1 - n_drawn / N_EARLY), min(1.0, n_drawn / N_LATE)
    return early * EARLY.get(kind, 0.0) + late * LATE.get(kind, 0.0)


def documents(seed: int = 0, split: str = "train") -> Iterator[dict[str, str]]:
    """Stream documents for ever, none of them twice.

    Args:
        seed: same seed, same documents.
        split: "train", or "validation": the same world in other documents, with
            hand-written texts never trained on.

    Yields:
        `{"kind": …, "text": …}`.
    """
    rng = random.Random(f"documents-{split}-{seed}")
    world = World.build(held_out_texts=split == "validation")
    table = kinds()
    seen: set[int] = set()
    for n_drawn in itertools.count(0, 1000):
        weights = [
            share + (added(kind, n_drawn) if split == "train" else 0.0) for kind, (share, _) in table.items()
        ]
        for kind in rng.choices(list(table), weights, k=1000):
            text = table[kind][1](rng, world)
            key = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
            if key not in seen:
                seen.add(key)
                yield {"kind": kind, "text": text}


def pretraining_text(n_characters: int = N_CHARACTERS, seed: int = 0, split: str = "train") -> Dataset:
    """Return the pretraining text as a dataset, made document by document.

    Args:
        n_characters: stop after the document that reaches this many characters.
        seed: same seed, same text.
        split: "train" or "validation".

    Returns:
        A dataset with the columns `kind` and `text`.

    Raises:
        ValueError: if `n_characters` is not positive.
    """
    from datasets import Dataset

    if n_characters <= 0:
        raise ValueError(f"n_characters must be positive, not {n_characters}.")

    def stream(n_characters: int, seed: int, split: str) -> Iterator[dict[str, str]]:
        written = 0
        for document in documents(seed, split):
            yield document
            written += len(document["text"])
            if written >= n_characters:
                return

    options = {"n_characters": n_characters, "seed": seed, "split": split}
    # by default the cache would know the generator by its own few lines only, and not see another template
    fingerprint = hashlib.sha256(f"{options} {source_hash()}".encode()).hexdigest()[:32]
    return Dataset.from_generator(stream, gen_kwargs=options, fingerprint=fingerprint)


@cache
def source_hash() -> str:
    """Return a hash of the micro-world's code and data: the same hash, the same text."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".py", ".tsv", ".txt", ".json", ".jsonl"):
            digest.update(path.relative_to(Path(__file__).parent).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
