"""What PPO learns from: sampled responses with all that was known of them when they were sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

Example = tuple[list[int], list[int]]  # ids of a prompt, ids of a response


@dataclass
class Response:
    """A response to a prompt; all tensors are (tokens,) of the response.

    Attributes:
        prompt, tokens: ids.
        logprobs, ref_logprobs: of its tokens by the policy that sampled it, and by the reference.
        values: of the state before each token.
        score: its reward.
        ended: whether it ended by itself.
    """

    prompt: list[int]
    tokens: list[int]
    logprobs: Tensor
    ref_logprobs: Tensor
    values: Tensor
    score: float
    ended: bool


@dataclass
class Experience:
    """Responses below one another; tensors without a note are (batch, response).

    Attributes:
        input_ids, attention_mask: prompt and response, padded on the right (batch, time).
        predictors: True at the token before each token of the response (batch, time).
        tokens: ids of the response.
        mask: 1 where there is a token of the response.
        logprobs, ref_logprobs, values: see `Response`.
        scores: (batch,).
        advantages, returns: from `formulas.gae`.
    """

    input_ids: Tensor
    attention_mask: Tensor
    predictors: Tensor
    tokens: Tensor
    mask: Tensor
    logprobs: Tensor
    ref_logprobs: Tensor
    values: Tensor
    scores: Tensor
    advantages: Tensor
    returns: Tensor

    def rows(self, some: Tensor) -> Experience:
        """Return some rows, without the columns that only others need."""
        part = {field.name: getattr(self, field.name)[some] for field in fields(self)}
        time, steps = int(part["attention_mask"].sum(1).max()), int(part["mask"].sum(1).max())
        whole = ("input_ids", "attention_mask", "predictors")
        return Experience(
            **{
                name: each if each.ndim == 1 else each[:, : time if name in whole else steps]
                for name, each in part.items()
            }
        )


def collate(responses: Sequence[Response], pad_id: int, device: torch.device | str = "cpu") -> Experience:
    """Put responses below one another; advantages and returns are still to come."""
    ids = [torch.tensor([*each.prompt, *each.tokens]) for each in responses]
    n_prompt = torch.tensor([len(each.prompt) for each in responses])
    lengths = torch.tensor([len(each.tokens) for each in responses])

    def padded(rows: list[Tensor], fill: float = 0) -> Tensor:
        return pad_sequence(rows, batch_first=True, padding_value=fill).to(device)

    input_ids = padded(ids, pad_id)
    places = torch.arange(input_ids.shape[1])
    # token t of a response is predicted one place before it stands
    predictors = (places >= n_prompt[:, None] - 1) & (places < (n_prompt + lengths)[:, None] - 1)
    mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long().to(device)
    nothing = torch.zeros(mask.shape, device=device)
    return Experience(
        input_ids,
        padded([torch.ones(len(row), dtype=torch.long) for row in ids]),
        predictors.to(device),
        padded([torch.tensor(each.tokens) for each in responses], pad_id),
        mask,
        padded([each.logprobs for each in responses]),
        padded([each.ref_logprobs for each in responses]),
        padded([each.values for each in responses]),
        torch.tensor([each.score for each in responses], device=device),
        nothing,
        nothing.clone(),
    )


def spread(values: Tensor, mask: Tensor) -> Tensor:
    """Put values of tokens, row by row (tokens,), where the mask is 1 (batch, response)."""
    return torch.zeros(mask.shape, dtype=values.dtype, device=values.device).masked_scatter(
        mask.bool(), values
    )
