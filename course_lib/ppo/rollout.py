"""Rollouts: responses sampled from the policy, with the log-probabilities that they were sampled with.

The same as `generate` with sampling, and faster for this purpose: a response that has ended leaves the batch
(`generate` pads it to the end of the longest), and log-probabilities are kept as they come instead of being
computed once more. Chance is one number a token, drawn before: so neither the size of a batch nor the number
of processes changes what is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from course_lib.padding import padded

CROWDED = 0.75  # a batch is made smaller when no more of it than that goes on: to copy the cache costs too


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
        batch_size: prompts read at once, those of like length together.

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
    longest = max(map(len, prompts))
    # padded on the left, so that all go on at the same place; positions count real tokens only
    ids = torch.tensor([[eos_id] * (longest - len(p)) + list(p) for p in prompts], device=model.device)
    seen = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    positions = (seen.cumsum(1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    going_on = torch.ones(len(prompts), dtype=torch.bool, device=model.device)
    for step in range(chance.shape[1]):
        inputs = {"input_ids": ids, "attention_mask": seen, "position_ids": positions}
        logits = model(**inputs, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
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
        if n_left == 0:
            return
        if n_left <= CROWDED * len(rows):  # what has ended leaves the batch
            kept = going_on.nonzero()[:, 0]
            cache.batch_select_indices(kept)
            rows, chance, ids, going_on = rows[kept], chance[kept], ids[kept], going_on[kept]
            seen, positions = seen[kept], positions[kept]
        seen = torch.cat([seen, torch.ones_like(ids)], 1)
        positions = positions[:, -1:] + 1
