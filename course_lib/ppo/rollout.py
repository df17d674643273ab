"""Rollouts: responses sampled from the policy, with the log-probabilities that they were sampled with.

The same as `generate` with sampling, and faster for this purpose: prompts of like length are read together
and a response that has ended leaves the batch (`generate` pads both to the longest), the cache has room
instead of being copied at every token, and log-probabilities are kept as they come. Chance is one number a
token, drawn before: so neither the size of a batch nor the number of processes changes what is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from course_lib.padding import counted_positions, left_padded, padded

# prompts are read in groups of eight, and more of those that are no longer than 1.25 times the shortest
GROUP, LIKE = 8, 1.25
CROWDED = 0.75  # a batch is made smaller when no more of it than that goes on: to copy the cache costs too


class RoomyLayer(DynamicLayer):
    """Keys and values with room for those to come: the library's layer copies all of them at every token."""

    def __init__(self, groups: Sequence[DynamicLayer], room: int) -> None:
        """Take over what groups of rows have read, below one another and flush right.

        Args:
            groups: layers of the library's cache.
            room: tokens to come.
        """
        super().__init__()
        self.lazy_initialization(groups[0].keys, groups[0].values)
        self.length = max(group.get_seq_length() for group in groups)
        self.whole = []
        for read in ([group.keys for group in groups], [group.values for group in groups]):
            n_rows, (_, heads, _, width) = sum(map(len, read)), read[0].shape
            whole = read[0].new_zeros(n_rows, heads, self.length + room, width)
            for rows, some in zip(whole.split([len(some) for some in read]), read, strict=True):
                rows[:, :, self.length - some.shape[2] : self.length] = some
            self.whole.append(whole)
        self._show()

    def _show(self) -> None:
        self.keys, self.values = (whole[:, :, : self.length] for whole in self.whole)

    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Write new keys and values behind the others; return all (rows, heads, time, width)."""
        begin, self.length = self.length, self.length + key_states.shape[2]
        for whole, states in zip(self.whole, (key_states, value_states), strict=True):
            whole[:, :, begin : self.length] = states
        self._show()
        return self.keys, self.values

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep some rows."""
        self.whole = [whole[indices] for whole in self.whole]
        self._show()


@dataclass
class Rollout:
    """A batch of responses to prompts.

    Attributes:
        input_ids: prompt and response, padded on the right (batch, time).
        attention_mask: (batch, time).
        n_prompt: tokens of each prompt (batch,).
        responses: ids of the responses alone (batch, response).
        mask: 1 where there is a token of a response, the end of text included (batch, response).
        logprobs: of the sampled tokens (batch, response).
        ended: whether a response ended by itself (batch,).
    """

    input_ids: Tensor
    attention_mask: Tensor
    n_prompt: Tensor
    responses: Tensor
    mask: Tensor
    logprobs: Tensor
    ended: Tensor

    def examples(self) -> list[tuple[list[int], list[int]]]:
        """Return ids of prompt and response for each row, without padding."""
        lengths = self.mask.sum(1).tolist()
        return [
            (self.input_ids[i, :n].tolist(), self.responses[i, : int(length)].tolist())
            for i, (n, length) in enumerate(zip(self.n_prompt.tolist(), lengths, strict=True))
        ]


def uniforms(n: int, max_new_tokens: int, seed: int) -> Tensor:
    """Return the chance of n responses: a number from 0 to 1 for each of their tokens (n, max_new_tokens)."""
    return torch.rand(n, max_new_tokens, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def sample(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    chance: Tensor,
    *,
    eos_id: int,
    pad_id: int = 0,
    temperature: float = 1.0,
    batch_size: int = 64,
) -> Rollout:
    """Sample a response to each prompt.

    Args:
        model: a causal language model.
        prompts: ids, none of them empty.
        chance: from `uniforms` (prompts, max_new_tokens).
        eos_id: the token that ends a response.
        pad_id: what fills shorter rows.
        temperature: that logits are divided by; the log-probabilities kept are those after division.
        batch_size: prompts answered at once, those of like length together.

    Returns:
        The rollout, on the model's device.

    Raises:
        ValueError: an empty prompt, or one that leaves no room for a response.
    """
    window = getattr(model.config, "max_position_embeddings", None) or 10**9
    for i, prompt in enumerate(prompts):
        if not 0 < len(prompt) <= window - chance.shape[1]:
            raise ValueError(
                f"Prompt {i} has {len(prompt)} tokens: with {chance.shape[1]} of the response it must have "
                f"1 to {window}."
            )
    n, longest = chance.shape
    responses = torch.full((n, longest), pad_id, device=model.device)
    logprobs = torch.zeros(n, longest, device=model.device)
    lengths = torch.zeros(n, dtype=torch.long, device=model.device)
    order = sorted(range(n), key=lambda i: len(prompts[i]))
    for start in range(0, n, batch_size):
        some = torch.tensor(order[start : start + batch_size])
        _continue(
            model,
            [prompts[i] for i in some.tolist()],
            chance[some].to(model.device),
            eos_id,
            temperature,
            (responses, logprobs, lengths),
            some.to(model.device),
        )
    steps = int(lengths.max())
    mask = (torch.arange(steps, device=model.device) < lengths[:, None]).long()
    responses, logprobs = responses[:, :steps], logprobs[:, :steps]
    last = responses.gather(1, lengths[:, None] - 1)[:, 0]
    rows = [
        [*prompt, *response[:length]]
        for prompt, response, length in zip(prompts, responses.tolist(), lengths.tolist(), strict=True)
    ]
    return Rollout(
        padded(rows, pad_id).to(model.device),
        padded([[1] * len(row) for row in rows], 0).to(model.device),
        torch.tensor([len(prompt) for prompt in prompts], device=model.device),
        responses,
        mask,
        logprobs,
        last == eos_id,
    )


def _continue(
    model: PreTrainedModel,
    prompts: list[Sequence[int]],
    chance: Tensor,
    eos_id: int,
    temperature: float,
    found: tuple[Tensor, Tensor, Tensor],
    rows: Tensor,
) -> None:
    """Sample responses to prompts of like length; write them into the given rows of what is found."""
    responses, logprobs, lengths = found
    cache, seen, logits = _read(model, prompts, eos_id, chance.shape[1])
    positions = seen.sum(1, keepdim=True)
    going_on = torch.ones(len(prompts), dtype=torch.bool, device=model.device)
    for step in range(chance.shape[1]):
        each = (logits.float() / temperature).log_softmax(-1)
        # the first token up to which the probabilities add up to the number drawn
        reached = each.exp().cumsum(-1)
        drawn = torch.searchsorted(reached, chance[:, step, None] * reached[:, -1:])
        ids = drawn.clamp(max=each.shape[-1] - 1)
        written = rows[going_on]
        responses[written, step] = ids[going_on, 0]
        logprobs[written, step] = each.gather(1, ids)[going_on, 0]
        lengths[written] = step + 1
        going_on &= ids[:, 0] != eos_id
        n_left = int(going_on.sum())
        if n_left == 0 or step + 1 == chance.shape[1]:
            return
        if n_left <= CROWDED * len(rows):  # what has ended leaves the batch
            kept = going_on.nonzero()[:, 0]
            cache.batch_select_indices(kept)
            rows, chance, ids, going_on = rows[kept], chance[kept], ids[kept], going_on[kept]
            seen, positions = seen[kept], positions[kept]
        seen = torch.cat([seen, torch.ones_like(ids)], 1)
        inputs = {"input_ids": ids, "attention_mask": seen, "position_ids": positions}
        logits = model(**inputs, past_key_values=cache, use_cache=True).logits[:, -1]
        positions = positions + 1


def _alike(prompts: list[Sequence[int]]) -> list[list[Sequence[int]]]:
    """Divide prompts, the shortest first, into groups that little padding makes equal."""
    groups: list[list[Sequence[int]]] = [[]]
    for prompt in prompts:
        if len(groups[-1]) >= GROUP and len(prompt) > LIKE * len(groups[-1][0]):
            groups.append([])
        groups[-1].append(prompt)
    return groups


def _read(
    model: PreTrainedModel, prompts: list[Sequence[int]], pad_id: int, room: int
) -> tuple[Cache, Tensor, Tensor]:
    """Read prompts, those of like length together.

    Returns:
        The cache, with room for so many tokens a row; where there is a token in it (prompts, longest); the
        logits behind each prompt (prompts, vocab).
    """
    plain = all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)
    caches, logits = [], []
    for some in _alike(prompts) if plain else [prompts]:
        # padded on the left, so that all go on at the same place; positions count real tokens only
        ids, seen = left_padded(some, pad_id), left_padded([[1] * len(prompt) for prompt in some], 0)
        inputs = {"input_ids": ids, "attention_mask": seen, "position_ids": counted_positions(seen)}
        inputs = {name: values.to(model.device) for name, values in inputs.items()}
        caches.append(DynamicCache(config=model.config))
        options = {"past_key_values": caches[-1], "use_cache": True, "logits_to_keep": 1}
        logits.append(model(**inputs, **options).logits[:, -1])
    seen = left_padded([[1] * len(prompt) for prompt in prompts], 0).to(model.device)
    layers = zip(*(cache.layers for cache in caches), strict=True)
    cache = Cache([RoomyLayer(groups, room) for groups in layers]) if plain else caches[0]
    return cache, seen, torch.cat(logits)
