"""Rows of unlike length below one another, and masks in the form that is added to attention's scores."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """Put rows of numbers below one another, filled on the right up to the longest (rows, longest)."""
    longest = max(map(len, rows))
    return torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])


def left_padded(rows: Sequence[Sequence[int]], fill: int) -> Tensor:
    """Put rows of numbers below one another, filled on the left up to the longest (rows, longest)."""
    return padded([row[::-1] for row in rows], fill).flip(1)


def counted_positions(attention_mask: Tensor) -> Tensor:
    """Number the real tokens of each row from 0, wherever the padding stands (batch, time)."""
    return (attention_mask.cumsum(1) - 1).clamp(min=0)


def added_mask(allowed: Tensor) -> Tensor:
    """Return what is added to attention's scores: 0 where a place may be looked at, else next to −∞.

    Args:
        allowed: True where a place (row) may look at another (column): (batch, 1, time, time).

    Returns:
        In float32, of the same shape.
    """
    lowest = torch.finfo(torch.float32).min
    return torch.zeros(allowed.shape).masked_fill(~allowed, lowest)
