"""Several examples in one row, none of which sees another.

Answers are short and prompts of all lengths: padded to the longest, most of a batch would be padding. Packed,
every place has a token. What must not happen is that an example reads the one before it: attention stays
within an example, and positions begin anew with each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from course_lib.instructions.supervised import Encoded
from course_lib.padding import added_mask, padded

IGNORED = -100  # the label of a place that has no loss


def packed(examples: Sequence[Encoded], max_length: int) -> list[list[Encoded]]:
    """Distribute examples over rows, the longest first, each into the row that it fills best.

    Best-fit decreasing, which TRL calls "bfd": at most a few places of most rows are left.

    Args:
        examples: none longer than `max_length`.
        max_length: tokens in a row.

    Returns:
        Rows of examples.

    Raises:
        ValueError: an example that is too long.
    """
    rows: list[list[Encoded]] = []
    with_room: dict[int, list[int]] = {}  # places left -> rows
    for example in sorted(examples, key=lambda one: -len(one.ids)):
        size = len(example.ids)
        if size > max_length:
            raise ValueError(f"An example has {size} tokens, and a row {max_length}: leave it out first.")
        room = min((left for left, some in with_room.items() if some and left >= size), default=None)
        if room is None:
            rows.append([])
            place, room = len(rows) - 1, max_length
        else:
            place = with_room[room].pop()
        rows[place].append(example)
        with_room.setdefault(room - size, []).append(place)
    return rows


def packing_mask(segments: Tensor) -> Tensor:
    """Say which place may look at which: an earlier one, or itself, of the same example.

    Args:
        segments: number of the example that each place belongs to (batch, time).

    Returns:
        True where a place (row) may look at another (column): (batch, 1, time, time).
    """
    time = segments.shape[1]
    same = segments[:, None, :, None] == segments[:, None, None, :]
    return same & torch.ones(time, time, dtype=torch.bool, device=segments.device).tril()


def collate(rows: Sequence[Sequence[Encoded]], pad_id: int) -> dict[str, Tensor]:
    """Put packed rows below one another. A batch without packing is one of rows with a single example.

    Args:
        rows: from `packed`.
        pad_id: what stands where a row is shorter than the longest.

    Returns:
        input_ids, labels and position_ids (batch, time); and the attention mask of `packing_mask` as what is
        added to the scores, 0 or next to minus infinity (batch, 1, time, time), which all architectures
        understand. Padding is an example of its own.
    """
    time = max(sum(len(one.ids) for one in row) for row in rows)
    batch = {"input_ids": [], "labels": [], "position_ids": [], "segments": []}
    for row in rows:
        padding = time - sum(len(one.ids) for one in row)
        parts = [*row, Encoded([pad_id] * padding, padding)]
        batch["input_ids"].append([token for one in parts for token in one.ids])
        batch["labels"].append(
            [label for one in parts for label in [IGNORED] * one.n_prompt + one.ids[one.n_prompt :]]
        )
        batch["position_ids"].append([place for one in parts for place in range(len(one.ids))])
        batch["segments"].append([number for number, one in enumerate(parts) for _ in one.ids])
    tensors = {name: torch.tensor(values) for name, values in batch.items()}
    return {"attention_mask": added_mask(packing_mask(tensors.pop("segments"))), **tensors}


def collate_pairs(pairs: Sequence[tuple[list[int], list[int]]], pad_id: int) -> dict[str, Tensor]:
    """Put what an encoder reads and a decoder writes below one another, padded on the right.

    Returns:
        input_ids and attention_mask (batch, prompt), labels (batch, completion).
    """
    prompts = [prompt for prompt, _ in pairs]
    return {
        "input_ids": padded(prompts, pad_id),
        "attention_mask": padded([[1] * len(prompt) for prompt in prompts], 0),
        "labels": padded([completion for _, completion in pairs], IGNORED),
    }


def batches(
    rows: Sequence[Sequence[Encoded]], batch_size: int, pad_id: int, seed: int = 0
) -> Iterator[dict[str, Tensor]]:
    """Yield packed rows in chance order, for ever; every row once before one comes again.

    Args:
        rows: from `packed`.
        batch_size: rows in a batch; the last of a pass may have fewer.
        pad_id: see `collate`.
        seed: of the order.
    """
    order = torch.Generator().manual_seed(seed)
    while True:
        places = torch.randperm(len(rows), generator=order).tolist()
        for start in range(0, len(rows), batch_size):
            yield collate([rows[i] for i in places[start : start + batch_size]], pad_id)
