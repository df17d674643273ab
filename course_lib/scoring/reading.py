"""A model reads rows of tokens and is asked how likely their texts are.

Rows are laid out in *lines*, and a batch is some lines below one another. Several short rows share a line:
little is padded so, and a prefix, which has to be copied for each line, is copied less often. But lines must
not be long, for each token of a line looks at all others, whether the mask lets it see them or not.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from course_lib.scoring.tree import Encoded, Row, families, rows

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache, PreTrainedModel

Line = list[Row]
Result = tuple[np.ndarray, bool]
COPY = 64  # copying the keys and values of a token costs as much as looking at so many
LOOK_BACK = 64  # lines in which room is looked for
NOT_NUMBERS = "The model's logits are not all numbers (NaN or infinite): load it in float32."
log = logging.getLogger(__name__)


def run(
    model: PreTrainedModel, texts: Sequence[Encoded], share: bool, by_length: bool, batch_tokens: int | None
) -> list[Result]:
    """Score encoded requests (see `logprobs.score`).

    Returns:
        For each request its tokens' log-probabilities, and whether each token is the likeliest.
    """
    import torch

    if not texts:
        return []
    results: dict[int, Result] = {}
    batch_tokens = batch_tokens or (768 if model.device.type == "cpu" else 4096)
    with torch.inference_mode():
        for prefix, lines in plan(texts, share, by_length, batch_tokens, model.config.hidden_size):
            cache = read_prefix(model, prefix) if prefix else None
            for batch in batches(lines, batch_tokens):
                results |= read(model, batch, cache, len(prefix))
    return [results[i] for i in range(len(texts))]


def plan(
    texts: Sequence[Encoded], share: bool, by_length: bool, batch_tokens: int, width: int
) -> Iterator[tuple[Sequence[int], list[Line]]]:
    """Say what a model of some width has to read.

    Yields:
        (a prefix, which may be empty; lines of rows that go on from it).
    """
    order: list[int] = sorted(range(len(texts)), key=lambda i: texts[i].ids)
    length = min(width // 2, batch_tokens) if share else 0
    for prefix, members in families(texts, order, length) if share else [((), range(len(texts)))]:
        n = len(prefix)
        if share:
            some = list(rows(texts, members, n, width, length, batch_tokens))
        else:
            some = [Row.grow(texts, [i], n) for i in members]
        if by_length:
            some.sort(key=len, reverse=True)
        # as long as copying the prefix for a line costs no more than looking over its rows
        yield prefix, fill(some, max(length, int(sqrt(COPY * n))))


def fill(some: Sequence[Row], length: int) -> list[Line]:
    """Put each row into one of the last lines that has room for it; one that is longer fills its own."""
    lines: list[Line] = []
    room: list[int] = []
    for row in some:
        last = range(max(0, len(lines) - LOOK_BACK), len(lines))
        at = next((k for k in last if len(row) <= room[k]), len(lines))
        if at == len(lines):
            lines.append([])
            room.append(length)
        lines[at].append(row)
        room[at] -= len(row)
    return lines


def batches(lines: Sequence[Line], batch_tokens: int) -> Iterator[list[Line]]:
    """Cut lines into batches of so many tokens, padding included, but at least one line."""
    batch: list[Line] = []
    longest = 0
    for line in lines:
        longest = max(longest, sum(map(len, line)))
        if batch and longest * (len(batch) + 1) > batch_tokens:
            yield batch
            batch, longest = [], sum(map(len, line))
        batch.append(line)
    if batch:
        yield batch


def read_prefix(model: PreTrainedModel, prefix: Sequence[int]) -> Cache:
    """Return the keys and values of a prefix, read once."""
    import torch
    from transformers import DynamicCache

    ids = torch.tensor([prefix], device=model.device)
    ones, cache = torch.ones_like(ids), DynamicCache()
    model(input_ids=ids, attention_mask=ones, past_key_values=cache, logits_to_keep=1, use_cache=True)
    return cache


def read(
    model: PreTrainedModel, lines: Sequence[Line], cache: Cache | None, n_prefix: int
) -> dict[int, Result]:
    """Let the model read a batch of lines; where memory does not suffice, half of them at a time."""
    import torch

    try:
        return _read(model, lines, cache, n_prefix)
    except RuntimeError as error:  # a processor's has no kind of its own
        no_memory = isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
        if not no_memory or len(lines) == 1:
            raise
    half = len(lines) // 2
    log.warning("out of memory with %d lines at once: going on with %d", len(lines), half)
    return read(model, lines[:half], cache, n_prefix) | read(model, lines[half:], cache, n_prefix)


def _read(
    model: PreTrainedModel, lines: Sequence[Line], cache: Cache | None, n_prefix: int
) -> dict[int, Result]:
    import torch

    inputs, predictors = lay(lines, n_prefix, model.device, model.dtype)
    kept, predictors = np.unique(predictors, return_inverse=True)
    kept = torch.from_numpy(kept).to(model.device)
    if cache is not None:
        inputs["past_key_values"] = widen(cache, len(lines))
    # the head, dear where the vocabulary is large, sees the predictors only
    with model.get_output_embeddings().register_forward_pre_hook(
        lambda _, args: (args[0].flatten(0, 1)[None, kept.to(args[0].device)],)
    ):
        logits = model(**inputs, use_cache=cache is not None).logits[0]
    together = [row for line in lines for row in line]
    targets = torch.from_numpy(np.concatenate([row.targets for row in together])).to(logits.device)
    at = torch.from_numpy(predictors).to(logits.device)
    # the largest logit itself, for on a processor argmax takes ten times as long
    greedy = (logits[at, targets] == logits.amax(-1)[at]).cpu().numpy()
    values = logits.float().log_softmax(-1)[at, targets].cpu().numpy().astype(float)
    if not np.isfinite(values).all():
        raise ValueError(NOT_NUMBERS)
    results, start = {}, 0
    for row in together:
        for request, n in zip(row.requests, row.n_scored, strict=True):
            results[request] = (values[start : start + n], bool(greedy[start : start + n].all()))
            start += n
    return results


def lay(lines: Sequence[Line], n_prefix: int, device, dtype) -> tuple[dict[str, Tensor], np.ndarray]:
    """Write lines below one another, each ending at the right edge.

    Returns:
        The model's inputs: input_ids (lines, time), position_ids (lines, time), and attention_mask:
        (lines, time), or, where a tree or a prefix asks for it, (lines, 1, time, n_prefix + time), added to
        the scores. And where the predictors stand, counted line by line (scored,).
    """
    import torch

    time = max(sum(map(len, line)) for line in lines)
    ids = np.zeros((len(lines), time), dtype=np.int64)
    positions, there, predictors = np.zeros_like(ids), np.zeros_like(ids), []
    plain = not n_prefix and all(len(line) == 1 and line[0].is_chain for line in lines)
    seen = np.zeros((len(lines), 1, time, 0 if plain else n_prefix + time), dtype=bool)
    if not plain:
        seen[..., :n_prefix] = True
        # padding sees itself, for the softmax of nothing is no number
        seen[:, 0, range(time), range(n_prefix, n_prefix + time)] = True
    for b, line in enumerate(lines):
        start = time - sum(map(len, line))
        for row in line:
            at = slice(start, start + len(row))
            ids[b, at], positions[b, at], there[b, at] = row.ids, row.depths, 1
            if not plain:
                seen[b, 0, at, n_prefix + start : n_prefix + at.stop] = row.seen
            predictors.append(b * time + start + row.predictors)
            start = at.stop
    mask = torch.from_numpy(there)
    if not plain:
        hidden = torch.from_numpy(~seen)
        mask = torch.zeros(seen.shape, dtype=dtype).masked_fill_(hidden, torch.finfo(dtype).min)
    inputs = {
        "input_ids": torch.from_numpy(ids),
        "position_ids": torch.from_numpy(positions),
        "attention_mask": mask,
    }
    return {name: tensor.to(device) for name, tensor in inputs.items()}, np.concatenate(predictors)


def widen(cache: Cache, n_lines: int) -> Cache:
    """Return the keys and values of one text as those of many, without copying them yet."""
    from transformers import DynamicCache

    layers = [(layer.keys, layer.values) for layer in cache.layers]
    return DynamicCache([tuple(x.expand(n_lines, -1, -1, -1) for x in layer) for layer in layers])
