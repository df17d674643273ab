"""The loss of a target after a prompt, computed for no more than it needs.

Logits, dear where the vocabulary is large, are computed only where a target token is predicted. Weights that
do not train get no gradient. And what stands before the first soft token of a batch never changes: it is read
without gradient, and its keys and values are given to the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.logits import logits_at
from course_lib.padding import padded

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MIN_FROZEN = 16  # tokens from which on reading the beginning apart is worth a second pass


def collate(rows: Sequence[tuple[list[int], list[int]]], pad_id: int) -> dict[str, Tensor]:
    """Put rows of ids and labels below one another, padded on the right.

    Returns:
        input_ids, labels and attention_mask (batch, time); labels are -100 where there is no target.
    """
    return {
        "input_ids": padded([ids for ids, _ in rows], pad_id),
        "labels": padded([labels for _, labels in rows], -100),
        "attention_mask": padded([[1] * len(ids) for ids, _ in rows], 0),
    }


def target_logits(
    model: PreTrainedModel, input_ids: Tensor, labels: Tensor, attention_mask: Tensor, first_soft: int = 0
) -> tuple[Tensor, Tensor]:
    """Return the logits that predict target tokens, and these tokens.

    Args:
        model: a causal language model, with prompts attached or not.
        input_ids, labels, attention_mask: from `collate` (batch, time).
        first_soft: before this column nothing is trained.

    Returns:
        Logits (targets, vocab) in float32 and token ids (targets,), row by row.
    """
    options: dict = {"use_cache": False}
    if first_soft >= MIN_FROZEN:
        with torch.no_grad():
            begin = {"input_ids": input_ids[:, :first_soft], "attention_mask": attention_mask[:, :first_soft]}
            cache = model(**begin, use_cache=True, logits_to_keep=1).past_key_values
        options = {"past_key_values": cache, "use_cache": True}
        input_ids, labels = input_ids[:, first_soft:], labels[:, first_soft:]
    predicted = F.pad(labels[:, 1:], (0, 1), value=-100) != -100  # a place predicts the next one's token
    logits = logits_at(model, predicted, input_ids=input_ids, attention_mask=attention_mask, **options)
    return logits, labels[:, 1:][labels[:, 1:] != -100].to(logits.device)


def first_soft_column(input_ids: Tensor, n_words: int) -> int:
    """Return the first column in which a row has a soft token; 0 if none has."""
    columns = (input_ids >= n_words).any(0).nonzero()
    return int(columns[0]) if len(columns) else 0


def frozen_columns(model: PreTrainedModel, batch: dict[str, Tensor]) -> int:
    """Return how many columns may be read apart: nothing before them is trained, nor predicts a target."""
    first = first_soft_column(batch["input_ids"], model.get_input_embeddings().num_embeddings)
    if first < MIN_FROZEN or any(parameter.requires_grad for parameter in model.parameters()):
        return 0
    if any(m.training and getattr(m, "gradient_checkpointing", False) for m in model.modules()):
        return 0  # it allows no cache
    targets = (batch["labels"] != -100).any(0).nonzero()  # of rows that have no soft token
    return min(first, int(targets[0]) - 1) if len(targets) else first


def language_model_loss(model: PreTrainedModel, batch: dict[str, Tensor]) -> Tensor:
    """Return the mean negative log-probability of the target tokens of a batch, in nats."""
    logits, targets = target_logits(model, **batch, first_soft=frozen_columns(model, batch))
    return F.cross_entropy(logits, targets)


def label_word_loss(model: PreTrainedModel, batch: dict[str, Tensor], n_labels: int) -> Tensor:
    """Return the cross-entropy of the right label among all labels, in nats.

    Args:
        model: as above.
        batch: every example `n_labels` times in a row, with one label's words each, the right one first.
        n_labels: how many there are.
    """
    logits, targets = target_logits(model, **batch, first_soft=frozen_columns(model, batch))
    each = -F.cross_entropy(logits, targets, reduction="none")
    row = (batch["labels"][:, 1:] != -100).nonzero()[:, 0].to(each.device)
    scores = each.new_zeros(len(batch["labels"])).index_add(0, row, each).view(-1, n_labels)
    return F.cross_entropy(scores, scores.new_zeros(len(scores), dtype=torch.long))
