"""The micro-world against its limit: all the pretraining text and every labelled split in a minute."""

from __future__ import annotations

import time

LIMIT_S = 60.0


def run() -> list[dict]:
    """Generate everything once, as from a fresh clone, without the cache of `datasets`.

    Returns:
        One row: `ours` is the rate in characters a second, `peer` the rate that just meets the limit,
        `equal` whether the same seed gave the same text again.
    """
    from itertools import islice

    from course_lib.world import LABELLED, labelled
    from course_lib.world.documents import N_CHARACTERS, documents

    characters = 0
    start = time.perf_counter()
    for document in documents():
        characters += len(document["text"])
        if characters >= N_CHARACTERS:
            break
    for name in LABELLED:
        labelled(name)
    seconds = time.perf_counter() - start
    first, again = (list(islice(documents(), 200)) for _ in range(2))
    return [
        {
            "name": "micro-world: all text and all splits, against one minute",
            "ours": characters / seconds,
            "peer": characters / LIMIT_S,
            "unit": "characters/s",
            "ratio": LIMIT_S / seconds,
            "goal": 1.0,
            "equal": first == again,
        }
    ]
