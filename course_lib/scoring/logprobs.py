"""Log-probabilities of completions given prompts: exactly what the model gives, at the price it must cost.

Slide "How to solve tasks with the few-/zero-shot?": "for each example compare loss (or perplexity) for each
template". `encode` says what is scored, `tree.py` how requests that begin alike share their work, and
`reading.py` lets the model read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from course_lib.scoring.tree import Encoded, common_length

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Request = tuple[str, str]  # prompt, completion


@dataclass(frozen=True)
class Scored:
    """What a model makes of a completion.

    Attributes:
        token_ids: the completion's tokens (tokens,).
        token_logprobs: natural log-probability of each (tokens,).
        greedy: whether each token is the likeliest one, so that greedy decoding would write the completion.
        n_bytes: length of the completion in UTF-8.
    """

    token_ids: tuple[int, ...]
    token_logprobs: np.ndarray
    greedy: bool
    n_bytes: int

    @property
    def logprob(self) -> float:
        """Log-probability of the whole completion, in nats."""
        return float(self.token_logprobs.sum())

    @property
    def perplexity(self) -> float:
        """The deck's perplexity: e to the mean loss of a token."""
        return float(np.exp(-self.token_logprobs.mean()))


def logprob(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompt: str, completion: str
) -> float:
    """Return the natural log-probability of one completion given its prompt (see `score`)."""
    return score(model, tokenizer, [(prompt, completion)])[0].logprob


def score(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    requests: Sequence[Request],
    *,
    bos: bool | None = None,
    share: bool = True,
    by_length: bool = True,
    batch_tokens: int | None = None,
) -> list[Scored]:
    """Score completions given prompts.

    Args:
        model: a `transformers` causal language model.
        tokenizer: its tokenizer.
        requests: pairs (prompt, completion); an empty prompt stands for the beginning of a text.
        bos: whether every text begins with the beginning-of-text token; None: as the tokenizer does by
            itself, and always where the prompt is empty, for something must come first.
        share: read once what several requests begin with.
        by_length: put what is of similar length into one batch.
        batch_tokens: tokens in a batch, padding included; None: 768 on a processor, which is no faster with
            more, else 4096. A batch that does not fit into memory is halved.

    Returns:
        One result a request, in their order.

    Raises:
        ValueError: an empty completion, one longer than the context window, or logits that are no numbers.
    """
    from course_lib.scoring.reading import run

    encoded = encode(tokenizer, requests, context_window(model), bos)
    results = run(model, encoded, share=share, by_length=by_length, batch_tokens=batch_tokens)
    return [
        Scored(e.ids[-e.n_scored :], values, greedy, len(completion.encode()))
        for e, (values, greedy), (_, completion) in zip(encoded, results, requests, strict=True)
    ]


def encode(
    tokenizer: PreTrainedTokenizerBase, requests: Sequence[Request], limit: int, bos: bool | None = None
) -> list[Encoded]:
    """Turn requests into tokens, prompt and completion together, as the model met them in training.

    The completion begins at the first token that the prompt alone would not have: a token that holds the
    end of the prompt and the beginning of the completion counts to the completion. A text that does not fit
    loses tokens of the prompt, from the left, and never of the completion.

    Args:
        tokenizer: the model's.
        requests: what is given, and what is scored.
        limit: tokens that the model can read at once.
        bos: see `score`.

    Returns:
        For each at most limit + 1 tokens, for the last one is only predicted, never read.

    Raises:
        ValueError: no pair of texts, an empty completion, one longer than the context window, or no token to
            begin with.
    """
    for request in requests:
        if not (
            isinstance(request, (tuple, list))
            and len(request) == 2
            and all(isinstance(t, str) for t in request)
        ):
            raise ValueError(
                f"A request is a pair of texts, prompt and completion, and this one is {request!r}."
            )
        prompt, completion = request
        if not completion:
            raise ValueError(
                f"The completion of prompt «…{prompt[-40:]}» is empty: there is nothing to score."
            )
    wholes = [prompt + completion for prompt, completion in requests]
    texts = list(dict.fromkeys([prompt for prompt, _ in requests if prompt] + wholes))
    ids = dict(
        zip(texts, tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else [], strict=True)
    )
    own = beginning(tokenizer)
    first = own or [i for i in (tokenizer.bos_token_id, tokenizer.eos_token_id) if i is not None][:1]
    encoded = []
    for (prompt, completion), text in zip(requests, wholes, strict=True):
        start = common_length(ids[prompt], ids[text]) if prompt else 0
        if (bos or not start) and not first:
            raise ValueError("This tokenizer has no token that begins a text: give a prompt.")
        head = first if bos or not start else own if bos is None else []
        whole = [*head, *ids[text]]
        n_scored = len(ids[text]) - start
        if n_scored > limit:
            raise ValueError(
                f"The completion «{completion[:40]}…» has {n_scored} tokens, and the context window {limit}: "
                "shorten it."
            )
        encoded.append(Encoded(tuple(whole[-(limit + 1) :]), n_scored))
    return encoded


def beginning(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Return the tokens that a tokenizer by itself puts in front of every text: none, or most often one.

    What it puts *after* one, as T5's does, would say that the text has ended, and has no place in a prompt.
    """
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    dressed = tokenizer("a")["input_ids"]
    return dressed[: next(i for i in range(len(dressed)) if dressed[i : i + len(bare)] == bare)]


def context_window(model: PreTrainedModel) -> int:
    """Return how many tokens a model can read at once."""
    config = model.config
    for name in ("n_positions", "max_position_embeddings", "n_ctx"):
        if getattr(config, name, None):
            return getattr(config, name)
    raise ValueError(f"The configuration of {config.model_type} does not say how long its context window is.")
