"""Shared work: what requests have in common is read once.

Two things are shared. A *prefix* with which many requests begin (instructions and few-shot examples) is
read once and its keys and values are kept. And requests with the same prompt (one text, many labels) become
one *row*: a tree whose trunk is the prompt and whose branches are the completions, with an attention mask
that lets each token see its own ancestors only.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Cache, PreTrainedModel

    from course_lib.scoring.logprobs import Encoded

MIN_PREFIX, MIN_FAMILY = 16, 4  # tokens and requests from which on a prefix is worth a pass of its own
Result = tuple[np.ndarray, bool]
log = logging.getLogger(__name__)


@dataclass
class Row:
    """Requests with one prompt, as a tree of tokens in the order in which the model reads them.

    Attributes:
        tokens: ids (nodes,); the first `n_trunk` are the prompt, one after the other.
        parents: index of the token before each (nodes,); -1 before the first.
        n_trunk: tokens of the prompt.
        targets: request -> (node, token that it is to predict) for each token of its completion.
    """

    tokens: list[int]
    parents: list[int]
    n_trunk: int
    targets: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, trunk: Sequence[int], completions: dict[int, Sequence[int]]) -> Row:
        """Grow the branches: completions that begin alike share their beginning."""
        row = cls(list(trunk), list(range(-1, len(trunk) - 1)), len(trunk))
        children: dict[tuple[int, int], int] = {}
        for request, completion in completions.items():
            node, row.targets[request] = len(trunk) - 1, []
            for token in completion:
                row.targets[request].append((node, token))
                if len(row.targets[request]) == len(completion):
                    break  # the last token is predicted, and never read
                if (node, token) not in children:
                    children[node, token] = len(row.tokens)
                    row.tokens.append(token)
                    row.parents.append(node)
                node = children[node, token]
        return row

    @property
    def n_kept(self) -> int:
        """How many tokens at the end predict something: the prompt's last one and the branches."""
        return len(self.tokens) - self.n_trunk + 1

    def depths(self) -> np.ndarray:
        """Return how many tokens stand before each (nodes,)."""
        depths = np.arange(len(self.tokens))
        for node in range(self.n_trunk, len(self.tokens)):
            depths[node] = depths[self.parents[node]] + 1
        return depths

    def mask(self) -> np.ndarray:
        """Return who may look at whom (nodes, nodes): a token at itself and its ancestors."""
        seen = np.tri(len(self.tokens), dtype=bool)
        for node in range(self.n_trunk, len(self.tokens)):
            seen[node] = seen[self.parents[node]]
            seen[node, node] = True
        return seen


def run(
    model: PreTrainedModel, encoded: Sequence[Encoded], share: bool, by_length: bool, batch_tokens: int
) -> list[Result]:
    """Score encoded requests (see `logprobs.score`).

    Returns:
        For each request its tokens' log-probabilities, and whether each token is the likeliest.
    """
    import torch

    results: dict[int, Result] = {}
    with torch.inference_mode():
        for prefix, members in families(encoded, share):
            cache = read_prefix(model, prefix) if prefix else None
            rows = grow(encoded, members, len(prefix), share)
            if by_length:
                rows.sort(key=lambda row: len(row.tokens), reverse=True)
            for batch in batches(rows, batch_tokens):
                results |= read(model, batch, cache, len(prefix))
    return [results[i] for i in range(len(encoded))]


def read_prefix(model: PreTrainedModel, prefix: Sequence[int]) -> Cache:
    """Return the keys and values of a prefix, read once."""
    import torch

    ids = torch.tensor([prefix], device=model.device)
    output = model(input_ids=ids, attention_mask=torch.ones_like(ids), logits_to_keep=1, use_cache=True)
    return output.past_key_values


def families(encoded: Sequence[Encoded], share: bool) -> Iterator[tuple[tuple[int, ...], list[int]]]:
    """Sort requests into families that begin alike, and one of all that have no relatives.

    Yields:
        (what all members begin with, the members' indices).
    """
    rest = []
    order = range(len(encoded))
    if share:
        order = sorted(order, key=lambda i: encoded[i].ids)  # relatives side by side
        for _, group in groupby(order, key=lambda i: encoded[i].ids[:MIN_PREFIX]):
            members = list(group)
            first, last = encoded[members[0]].ids, encoded[members[-1]].ids  # the least alike of all
            alike = next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
            # the prompt's last token stays in the row, for it predicts the completion's first
            length = min(alike, *(len(encoded[i].ids) - encoded[i].n_scored - 1 for i in members))
            if len(members) >= MIN_FAMILY and length >= MIN_PREFIX:
                yield first[:length], members
            else:
                rest += members
        order = sorted(rest)
    if order:
        yield (), list(order)


def grow(encoded: Sequence[Encoded], members: Sequence[int], start: int, share: bool) -> list[Row]:
    """Put requests with the same prompt into one row, each its own where nothing is to be shared."""
    rows: dict[tuple, dict[int, Sequence[int]]] = {}
    for i in members:
        ids, n = encoded[i].ids, encoded[i].n_scored
        key = (ids[start:-n], None if share else i)
        rows.setdefault(key, {})[i] = ids[-n:]
    return [Row.of(trunk, completions) for (trunk, _), completions in rows.items()]


def batches(rows: Sequence[Row], batch_tokens: int) -> Iterator[list[Row]]:
    """Cut rows into batches of so many tokens, padding included, but at least one row."""
    batch: list[Row] = []
    longest = 0
    for row in rows:
        if batch and max(longest, len(row.tokens)) * (len(batch) + 1) > batch_tokens:
            yield batch
            batch, longest = [], 0
        batch.append(row)
        longest = max(longest, len(row.tokens))
    if batch:
        yield batch


def read(
    model: PreTrainedModel, rows: Sequence[Row], cache: Cache | None, n_prefix: int
) -> dict[int, Result]:
    """Let the model read a batch of rows; where memory does not suffice, half of them at a time."""
    import torch

    try:
        return _read(model, rows, cache, n_prefix)
    except RuntimeError as error:  # a processor's has no kind of its own
        no_memory = isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)
        if not no_memory or len(rows) == 1:
            raise
    half = len(rows) // 2
    log.warning("out of memory with %d texts at once: going on with %d", len(rows), half)
    return read(model, rows[:half], cache, n_prefix) | read(model, rows[half:], cache, n_prefix)


def _read(
    model: PreTrainedModel, rows: Sequence[Row], cache: Cache | None, n_prefix: int
) -> dict[int, Result]:
    import torch

    inputs = pad(rows, n_prefix, model.device, model.dtype)
    if cache is not None:
        inputs["past_key_values"] = widen(cache, len(rows))
    n_kept = max(row.n_kept for row in rows)
    logits = model(**inputs, logits_to_keep=n_kept, use_cache=cache is not None).logits
    # where each target's predictor stands among the kept logits, which end where the row ends
    places = [
        (b, node - len(row.tokens) + n_kept, token)
        for b, row in enumerate(rows)
        for targets in row.targets.values()
        for node, token in targets
    ]
    b, t, token = torch.tensor(places, device=logits.device).T
    picked = logits[b, t].float()
    chosen = picked.gather(1, token[:, None])[:, 0]
    values = (chosen - picked.logsumexp(1)).cpu().numpy().astype(float)
    greedy = (picked.argmax(1) == token).cpu().numpy()
    if not np.isfinite(values).all():
        raise ValueError("The model's logits are not all numbers (NaN or infinite): load it in float32.")
    results, start = {}, 0
    for row in rows:
        for request, targets in row.targets.items():
            end = start + len(targets)
            results[request] = (values[start:end], bool(greedy[start:end].all()))
            start = end
    return results


def pad(rows: Sequence[Row], n_prefix: int, device, dtype) -> dict[str, Tensor]:
    """Write rows below one another, each ending at the right edge.

    Returns:
        input_ids (rows, time), position_ids (rows, time), and attention_mask: (rows, time), or, where a tree
        or a prefix asks for it, (rows, 1, time, n_prefix + time), added to the scores.
    """
    import torch

    time = max(len(row.tokens) for row in rows)
    ids = np.zeros((len(rows), time), dtype=np.int64)
    positions, there = np.zeros_like(ids), np.zeros_like(ids)
    for b, row in enumerate(rows):
        n = len(row.tokens)
        ids[b, -n:], positions[b, -n:], there[b, -n:] = row.tokens, n_prefix + row.depths(), 1
    mask = torch.from_numpy(there)
    if n_prefix or any(row.n_kept > 1 and len(row.targets) > 1 for row in rows):
        seen = np.zeros((len(rows), 1, time, n_prefix + time), dtype=bool)
        seen[..., :n_prefix] = True
        # padding sees itself, for the softmax of nothing is no number
        seen[:, 0, range(time), range(n_prefix, n_prefix + time)] = True
        for b, row in enumerate(rows):
            n = len(row.tokens)
            seen[b, 0, -n:, -n:] = row.mask()
        hidden = torch.from_numpy(~seen)
        mask = torch.zeros(seen.shape, dtype=dtype).masked_fill_(hidden, torch.finfo(dtype).min)
    tensors = {"input_ids": torch.from_numpy(ids), "position_ids": torch.from_numpy(positions)}
    return {name: tensor.to(device) for name, tensor in (tensors | {"attention_mask": mask}).items()}


def widen(cache: Cache, n_rows: int) -> Cache:
    """Return the keys and values of one text as those of many, without copying them yet."""
    from transformers import DynamicCache

    layers = [(layer.keys, layer.values) for layer in cache.layers]
    return DynamicCache([tuple(x.expand(n_rows, -1, -1, -1) for x in layer) for layer in layers])
