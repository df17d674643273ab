"""Answers of a tuned model: the likeliest of the choices, or what it writes.

FLAN and T0 judge a task with choices by rank classification: each choice is scored as the completion of the
prompt, and the likeliest is the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from course_lib.instructions.packing import IGNORED, collate_pairs
from course_lib.instructions.supervised import SPEAKERS, as_columns, asked, encode_pairs
from course_lib.instructions.templates import Instruction
from course_lib.scoring import score

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BATCH = 32


def choose(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, instructions: Sequence[Instruction]
) -> np.ndarray:
    """Tell whether the likeliest choice is the right one.

    Args:
        model: a causal language model, or an encoder-decoder.
        tokenizer: its tokenizer.
        instructions: with choices, the right one among them.

    Returns:
        True where it is (instructions,).

    Raises:
        ValueError: an instruction without choices, or whose answer is none of them.
    """
    for instruction in instructions:
        if not instruction.choices or instruction.target not in instruction.choices:
            raise ValueError(f"«{instruction.target}» is none of the choices {instruction.choices}.")
    rows = [
        as_columns(Instruction(instruction.prompt, choice))
        for instruction in instructions
        for choice in instruction.choices or ()
    ]
    scores = completion_scores(model, tokenizer, rows)
    ends = [0, *accumulate(len(instruction.choices or ()) for instruction in instructions)]
    best = [int(scores[start:end].argmax()) for start, end in pairwise(ends)]
    right = [(each.choices or ()).index(each.target) for each in instructions]
    return np.array(best) == np.array(right)


def completion_scores(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict[str, str]]
) -> np.ndarray:
    """Return the log-probability of each completion, the end of text not counted.

    Args:
        model: a causal language model, or an encoder-decoder.
        tokenizer: its tokenizer.
        rows: `prompt` and `completion` each.

    Returns:
        In nats (rows,).
    """
    if model.config.is_encoder_decoder:
        return pair_scores(model, tokenizer, rows)
    requests = [(row["prompt"], row["completion"]) for row in rows]
    return np.array([one.logprob for one in score(model, tokenizer, requests)])


def pair_scores(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict[str, str]]
) -> np.ndarray:
    """Do what `completion_scores` does, for an encoder-decoder."""
    pairs = encode_pairs(tokenizer, rows)
    scores = np.zeros(len(rows))
    order = sorted(range(len(rows)), key=lambda i: len(pairs[i][0]))
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            batch = collate_pairs([(pairs[i][0], pairs[i][1][:-1]) for i in some], tokenizer.pad_token_id)
            batch = {name: values.to(model.device) for name, values in batch.items()}
            each = model(**batch).logits.float().log_softmax(-1)
            labels = batch["labels"]
            told = each.gather(2, labels.clamp(min=0)[..., None])[..., 0]
            scores[some] = (told * (labels != IGNORED)).sum(1).cpu().numpy()
    return scores


def write(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    max_new_tokens: int = 80,
    **strategy,
) -> list[str]:
    """Let a model answer in its own words, until the end of its turn.

    Args:
        model: a causal language model, or an encoder-decoder.
        tokenizer: its tokenizer.
        prompts: what it is told.
        max_new_tokens: an answer is no longer.
        **strategy: of `generate`; the likeliest words without.

    Returns:
        The answers; what a model writes of the user's next turn is cut off.
    """
    answers = []
    settings = {"do_sample": False, **strategy, "max_new_tokens": max_new_tokens}
    for start in range(0, len(prompts), BATCH):
        texts = [asked(prompt) for prompt in prompts[start : start + BATCH]]
        inputs = tokenizer(texts, padding=True, padding_side="left", return_tensors="pt").to(model.device)
        inputs.pop("token_type_ids", None)
        with torch.inference_mode():
            ids = model.generate(**inputs, **settings, pad_token_id=tokenizer.pad_token_id)
        if not model.config.is_encoder_decoder:
            ids = ids[:, inputs["input_ids"].shape[1] :]
        answers += tokenizer.batch_decode(ids, skip_special_tokens=True)
    return [turn(answer) for answer in answers]


def turn(answer: str) -> str:
    """Cut what a model wrote of the next turn, and the white space about its answer."""
    for mark in SPEAKERS.values():
        answer = answer.split(mark)[0]
    return answer.strip()
