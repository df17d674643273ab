"""An encoder-decoder beside the decoder: T5's architecture, and the prefix language modelling that makes it.

Slide "Differences between FLAN and T0": "Authors use an encoder-decoder model (T5+LM) instead of
decoder-only". LM stands for this objective: the encoder reads the beginning of a text, the decoder goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Adafactor, T5Config, T5ForConditionalGeneration, set_seed

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from transformers import PreTrainedModel

SPLITS = (1 / 4, 1 / 2, 3 / 4)  # few, for a compiled graph holds for one length only


def new_t5(size: DictConfig, vocab_size: int, seed: int = 1) -> T5ForConditionalGeneration:
    """Build an untrained T5 (Raffel et al., 2020).

    Args:
        size: n_embd, n_layer (of the encoder, and of the decoder), n_head, n_ff (see `conf/size`).
        vocab_size: rows of the embedding, which is the output head too.
        seed: of the initial weights.

    Returns:
        The model in float32, without dropout: one pass over fresh text does not overfit.
    """
    set_seed(seed)
    shape = {"d_model": size.n_embd, "num_layers": size.n_layer, "num_heads": size.n_head, "d_ff": size.n_ff}
    special = {"pad_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
    config = T5Config(
        vocab_size=vocab_size,
        d_kv=size.n_embd // size.n_head,
        n_positions=size.n_positions,
        dropout_rate=0.0,
        **shape,
        **special,
    )
    return T5ForConditionalGeneration(config)


def t5_optimizer(model: PreTrainedModel, learning_rate: float) -> Adafactor:
    """Return the optimiser that T5 was trained with (Raffel et al., 2020, section 3.1.2).

    Its steps grow with what they change. T5 begins with embeddings a hundred times as large as some of its
    projections: at one step size for all, AdamW moves the one too little or the other too much, and the
    encoder ends by saying the same of every token.

    Args:
        model: a T5.
        learning_rate: relative to the size of a parameter; T5's was 0.01.
    """
    options = {"scale_parameter": True, "relative_step": False, "warmup_init": False}
    return Adafactor(model.parameters(), lr=learning_rate, **options)


def halve(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
    """Split blocks of text into what the encoder reads and what the decoder writes.

    Where a batch is split follows from its text, so that a run that goes on splits as it would have.

    Args:
        rows: `input_ids` each (time,).

    Returns:
        input_ids (batch, prefix) and labels (batch, time - prefix).
    """
    ids = torch.stack([torch.as_tensor(row["input_ids"]) for row in rows])
    prefix = int(ids.shape[1] * SPLITS[int(ids.sum()) % len(SPLITS)])
    return {"input_ids": ids[:, :prefix], "labels": ids[:, prefix:].contiguous()}


def second_half_losses(model: PreTrainedModel, blocks: Tensor) -> Tensor:
    """Return what the second half of each block costs a model that has read the first.

    The same for a decoder and an encoder-decoder: so they can be compared.

    Args:
        model: either.
        blocks: token ids (blocks, time).

    Returns:
        The mean negative log-probability of a token, in nats (blocks,).
    """
    half = blocks.shape[1] // 2
    first, second = blocks[:, :half], blocks[:, half:].contiguous()
    losses = []
    with torch.inference_mode():
        for a, b in zip(first.split(8), second.split(8), strict=True):
            a, b = a.to(model.device), b.to(model.device)
            if model.config.is_encoder_decoder:
                logits = model(input_ids=a, labels=b).logits
            else:
                logits = model(input_ids=torch.cat([a, b], 1)).logits[:, half - 1 : -1]
            each = F.cross_entropy(logits.float().transpose(1, 2), b, reduction="none")
            losses.append(each.mean(1).cpu())
    return torch.cat(losses)
