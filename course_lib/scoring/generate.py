"""Solve by continuing: generation, where to stop, and which strategy.

Slide "How to solve tasks with the few-/zero-shot?", text generation and its problems: the model "does not
stop after generating the answer => needs manual postprocessing", and it is "difficult to select optimal
generation strategy".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from course_lib.scoring.reading import NOT_NUMBERS

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# names of the field -> arguments of `generate`
STRATEGIES: dict[str, dict] = {
    "greedy": {"do_sample": False},
    "beam 4": {"do_sample": False, "num_beams": 4},
    "temperature 0.7": {"do_sample": True, "temperature": 0.7, "top_k": 0},
    "temperature 1": {"do_sample": True, "temperature": 1.0, "top_k": 0},
    "top-k 20": {"do_sample": True, "top_k": 20},
    "nucleus 0.9": {"do_sample": True, "top_p": 0.9, "top_k": 0},
    "greedy, repetition penalty 1.3": {"do_sample": False, "repetition_penalty": 1.3},
}


def continuations(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    max_new_tokens: int = 32,
    strategy: str | Mapping = "greedy",
    stop: str | Sequence[str] = (),
    batch_size: int = 16,
    seed: int = 0,
) -> list[str]:
    """Let the model continue prompts.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        prompts: what is continued; too long ones lose their beginning.
        max_new_tokens: at most so many tokens each.
        strategy: a name of `STRATEGIES`, or arguments of `generate`.
        stop: a text that has written (one of) these, or ended, is continued no further.
        batch_size: prompts at once.
        seed: of the samples.

    Returns:
        The continuations alone, in the prompts' order, stop sequence included.

    Raises:
        ValueError: an unknown strategy, prompts that are no texts, an empty prompt or stop sequence, no
            room for a prompt in the context window, or logits that are no numbers.
    """
    import torch
    from transformers import LogitsProcessorList, set_seed

    from course_lib.scoring.logprobs import beginning, context_window

    if isinstance(strategy, str) and strategy not in STRATEGIES:
        raise ValueError(f"strategy='{strategy}' must be one of {', '.join(STRATEGIES)}, or arguments.")
    if isinstance(prompts, str) or not all(isinstance(prompt, str) for prompt in prompts):
        raise ValueError("The prompts must be a list of texts: ['…'].")
    if not all(prompts):
        raise ValueError("An empty prompt cannot be continued: begin with a word, or with end-of-text.")
    room = context_window(model) - max_new_tokens
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size} must be at least 1.")
    if room < 1:
        raise ValueError(f"max_new_tokens={max_new_tokens} leaves no room for a prompt in the window.")
    settings = dict(STRATEGIES[strategy] if isinstance(strategy, str) else strategy)
    settings |= {"max_new_tokens": max_new_tokens, "pad_token_id": tokenizer.pad_token_id}
    settings["logits_processor"] = LogitsProcessorList([_refuse_nan])
    if marks := stop_sequences(stop):
        settings |= {"stop_strings": marks, "tokenizer": tokenizer}
    set_seed(seed)
    texts = [""] * len(prompts)
    own = beginning(tokenizer)
    encoded = [(own + tokenizer(p, add_special_tokens=False)["input_ids"])[-room:] for p in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(encoded[i]))
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            some = order[start : start + batch_size]
            inputs = tokenizer.pad(
                {"input_ids": [encoded[i] for i in some]}, padding_side="left", return_tensors="pt"
            ).to(model.device)
            ids = model.generate(**inputs, **settings)[:, inputs["input_ids"].shape[1] :]
            for i, text in zip(some, tokenizer.batch_decode(ids, skip_special_tokens=True), strict=True):
                texts[i] = text
    return texts


def _refuse_nan(ids: Tensor, scores: Tensor) -> Tensor:
    """Raise where a logit is no number: greedy decoding would write on as if nothing were wrong."""
    if scores.isnan().any():
        raise ValueError(NOT_NUMBERS)
    return scores


def stop_sequences(stop: str | Sequence[str]) -> list[str]:
    """Return stop sequences as a list; a single text is one of them, not one for each of its letters.

    Raises:
        ValueError: an empty one, which is written before anything else.
    """
    marks = [stop] if isinstance(stop, str) else list(stop)
    if not all(marks):
        raise ValueError("An empty stop sequence would stop every text before its first word.")
    return marks


def answer(continuation: str, stop: str | Sequence[str] = ("\n",)) -> str:
    """Cut the answer out of a continuation: up to the first stop sequence, without white space about it.

    A continuation may begin with white space, new lines too: an answer is not empty while there is a word.
    """
    text = continuation.lstrip()
    ends = [place for mark in stop_sequences(stop) if (place := text.find(mark)) >= 0]
    return text[: min(ends, default=len(text))].strip()


def runs_on(continuation: str, stop: str | Sequence[str] = ("\n",)) -> bool:
    """Tell whether a continuation goes on after its answer."""
    rest = continuation.lstrip()[len(answer(continuation, stop)) :]
    return bool(rest.strip())


def repetition(text: str) -> float:
    """Return the share of a text's pairs of neighbouring words that it has written before, from 0 to 1."""
    pairs = list(pairwise(text.split()))
    return 1 - len(set(pairs)) / len(pairs) if pairs else 0.0
