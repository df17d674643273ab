"""Generative classification: the label whose words are likeliest after the prompt (slide of that name)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_lib.prompts.prompt import Prompt
from course_lib.scoring.reading import run
from course_lib.scoring.tree import Encoded

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def choice_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    rows: Sequence[Mapping[str, Any]],
    choices: Sequence[Sequence[str]],
    *,
    max_tokens: int | None = None,
    truncate: str | None = None,
) -> list[np.ndarray]:
    """Score what may follow the prompt of each row.

    Args:
        model: with the prompt attached.
        tokenizer: its tokenizer.
        prompt: the prompt.
        rows: the instances (rows,).
        choices: for each of them the texts to choose from, their white space included.
        max_tokens, truncate: see `encoding.encode`.

    Returns:
        For each row the log-probability of each of its texts (choices,), in nats.

    Raises:
        ValueError: the prompt is not attached, a field is missing, or a prompt is too long.
    """
    options = {"end": False, "max_tokens": max_tokens, "truncate": truncate}
    requests = []
    for row, texts in zip(rows, choices, strict=True):
        for text in texts:
            encoded = prompt.encode(tokenizer, row, text, **options)
            requests.append(Encoded(tuple(encoded.ids), encoded.n_target))
    values = iter(run(model, requests, share=True, by_length=True, batch_tokens=None))
    return [np.array([next(values)[0].sum() for _ in texts]) for texts in choices]
