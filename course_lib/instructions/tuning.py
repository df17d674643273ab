"""Supervised tuning on instructions: a loop to read, and TRL's trainer, which does the same.

Slide "Finetuned Language Net": "Let's format many tasks in this manner and finetune on the resulting data!"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm
from transformers import get_cosine_schedule_with_warmup

from course_lib.instructions.packing import IGNORED
from course_lib.logits import logits_at
from course_lib.trl_settings import trl_config

if TYPE_CHECKING:
    from pathlib import Path

    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import SFTTrainer


def completion_loss(model: PreTrainedModel, batch: Mapping[str, Tensor]) -> Tensor:
    """Return the mean negative log-probability of the completions' tokens, in nats.

    A decoder's logits are computed only where a completion's token is predicted: most places are prompt.

    Args:
        model: a causal language model, or an encoder-decoder.
        batch: from `packing.collate`, or `packing.collate_pairs`.

    Raises:
        ValueError: no completion in the batch.
    """
    batch = {name: values.to(model.device) for name, values in batch.items()}
    labels = batch.pop("labels")
    if model.config.is_encoder_decoder:
        logits = model(**batch, labels=labels).logits
        return F.cross_entropy(logits.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED)
    batch["attention_mask"] = batch["attention_mask"].to(model.dtype)
    following = F.pad(labels[:, 1:], (0, 1), value=IGNORED)  # a place predicts the next one's token
    predicted = following != IGNORED
    if not predicted.any():
        raise ValueError("This batch has no completion: there is nothing to learn from it.")
    logits = logits_at(model, predicted, **batch, use_cache=False)
    return F.cross_entropy(logits, following[predicted])


def tune(
    model: PreTrainedModel,
    batches: Iterable[Mapping[str, Tensor]],
    n_steps: int,
    *,
    learning_rate: float = 5e-4,
    warmup: float = 0.1,
    weight_decay: float = 0.01,
    max_norm: float = 1.0,
    dtype: torch.dtype | None = None,
    progress: bool = True,
) -> list[float]:
    """Train all weights of a model on completions.

    Args:
        model: is changed.
        batches: at least `n_steps` of them.
        n_steps: updates.
        learning_rate: after warm-up; it falls along a cosine to 0.
        warmup: share of the steps in which it rises.
        weight_decay: of AdamW.
        max_norm: to which gradients are clipped.
        dtype: of the products, where not that of the weights: bfloat16 is faster on many machines.
        progress: whether a bar is shown.

    Returns:
        The loss of every step, in nats a token.

    Raises:
        ValueError: too few batches, or a loss that is no number.
    """
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=weight_decay)
    schedule = get_cosine_schedule_with_warmup(optimizer, int(warmup * n_steps), n_steps)
    losses: list[float] = []
    model.train()
    for batch in tqdm(islice(batches, n_steps), "tuning", n_steps, leave=False, disable=not progress):
        with torch.autocast(model.device.type, dtype, enabled=dtype is not None):
            loss = completion_loss(model, batch)
        if not loss.isfinite():
            raise ValueError(f"The loss of step {len(losses) + 1} is {loss.item()}: lower the learning rate.")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.eval()
    if len(losses) < n_steps:
        raise ValueError(f"There were {len(losses)} batches for {n_steps} steps.")
    return losses


def sft_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset,
    folder: str | Path,
    **settings: Any,
) -> SFTTrainer:
    """Return TRL's trainer for the same rows and the same loss.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        rows: `prompt` and `completion`, or `messages`.
        folder: for its checkpoints.
        **settings: of `trl.SFTConfig`.

    Returns:
        The trainer; call `.train()`.
    """
    from trl import SFTConfig, SFTTrainer

    learned = {
        "completion_only_loss": "prompt" in rows.column_names,
        "assistant_only_loss": "messages" in rows.column_names,
    }
    return SFTTrainer(
        model=model,
        args=trl_config(SFTConfig, folder, model, **{**learned, **settings}),
        train_dataset=rows,
        processing_class=tokenizer,
    )
