"""An encoder-decoder beside the decoder: T5's architecture, and the two objectives that make it.

Slide "Differences between FLAN and T0": "Authors use an encoder-decoder model (T5+LM) instead of
decoder-only". T5 fills gaps (Raffel et al., 2020, section 3.1.4); LM stands for going on with a text whose
beginning the encoder has read (Lester et al., 2021). Here every second batch or so is of the one kind, as in
UL2 (Tay et al., 2023). With the second alone, a small decoder learns to do without its encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Adafactor, T5Config, T5ForConditionalGeneration, set_seed

from course_lib.muon import MuonWith, divide

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from transformers import PreTrainedModel

SPLITS = (1 / 4, 1 / 2, 3 / 4)  # few, for a compiled graph holds for one length only
SPAN, CORRUPTED = 3, 0.15  # T5's: the length of a gap in tokens, and the share of a text that is in gaps
N_SENTINELS = 8  # tokens that stand for a gap; as in T5, the last ones of the vocabulary, counted backwards
# Blocks are cut into pieces first. Before a decoder has found out where to look, it looks everywhere alike,
# and what it could learn from is thinned by as many tokens as there are.
GAPS_PIECE, SPLIT_PIECE = 64, 128
ADAFACTOR_RATE = 0.01  # T5's, relative to the size of a parameter


def new_t5(size: DictConfig, vocab_size: int, seed: int = 1) -> T5ForConditionalGeneration:
    """Build an untrained T5 (Raffel et al., 2020).

    Args:
        size: n_embd, n_layer (of the encoder, and of the decoder), n_head, n_ff (see `conf/size`).
        vocab_size: of the tokenizer; the embedding, which is the output head too, has `N_SENTINELS` more.
        seed: of the initial weights.

    Returns:
        The model in float32, without dropout: one pass over fresh text does not overfit.
    """
    set_seed(seed)
    shape = {"d_model": size.n_embd, "num_layers": size.n_layer, "num_heads": size.n_head, "d_ff": size.n_ff}
    special = {"pad_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0}
    config = T5Config(
        vocab_size=vocab_size + N_SENTINELS,
        d_kv=size.n_embd // size.n_head,
        n_positions=size.n_positions,
        dropout_rate=0.0,
        **shape,
        **special,
    )
    return T5ForConditionalGeneration(config)


def t5_optimizer(model: PreTrainedModel, learning_rate: float, weight_decay: float) -> MuonWith:
    """Return Muon for the matrices, and for the rest what T5 was trained with (Raffel et al., 2020, 3.1.2).

    Both make steps that fit what they change: Adafactor's grow with it. T5 begins with embeddings a hundred
    times as large as some of its projections: at one step size for all, AdamW moves the one too little or the
    other too much, and the encoder ends by saying the same of every token.

    Args:
        model: a T5.
        learning_rate: of Muon.
        weight_decay: of Muon.
    """
    matrices, embeddings, vectors = divide(model)
    options = {"scale_parameter": True, "relative_step": False, "warmup_init": False}
    rest = Adafactor([*embeddings, *vectors], lr=ADAFACTOR_RATE, **options)
    return MuonWith(matrices, rest, learning_rate, weight_decay)


def seq2seq_batch(rows: list[dict[str, Any]], vocab_size: int) -> dict[str, Tensor]:
    """Make of blocks of text what the encoder reads and what the decoder writes: gaps, or how it goes on.

    Which of them follows from the text, so that a run that goes on does as it would have done.

    Args:
        rows: `input_ids` each (time,).
        vocab_size: of the model, sentinels included.

    Returns:
        input_ids and labels, both (batch, ...).
    """
    ids = torch.stack([torch.as_tensor(row["input_ids"]) for row in rows])
    kind = int(ids.sum()) % (2 * len(SPLITS))
    if kind < len(SPLITS):
        return split(pieces(ids, SPLIT_PIECE), SPLITS[kind])
    return with_gaps(pieces(ids, GAPS_PIECE), vocab_size)


def pieces(ids: Tensor, length: int) -> Tensor:
    """Cut blocks (batch, time) into pieces (more, length); what is left at a block's end is dropped."""
    length = min(length, ids.shape[1])
    return ids[:, : ids.shape[1] // length * length].reshape(-1, length)


def split(ids: Tensor, share: float) -> dict[str, Tensor]:
    """Let the encoder read a share of each block, and the decoder write the rest.

    Args:
        ids: blocks of text (batch, time).
        share: that the encoder reads.

    Returns:
        input_ids (batch, share of time) and labels (batch, the rest).
    """
    prefix = int(ids.shape[1] * share)
    return {"input_ids": ids[:, :prefix], "labels": ids[:, prefix:].contiguous()}


def with_gaps(ids: Tensor, vocab_size: int) -> dict[str, Tensor]:
    """Put a sentinel for each of some spans; the decoder writes the sentinels, and each one's span after it.

    Args:
        ids: blocks of text, with gaps in the same places (batch, time).
        vocab_size: of the model, sentinels included.

    Returns:
        input_ids (batch, time without the gaps) and labels (batch, gaps).
    """
    batch, time = ids.shape
    n = max(1, round(CORRUPTED * time / SPAN))
    drawn = torch.randperm(time - n * (SPAN + 1), generator=torch.Generator().manual_seed(int(ids.sum())))
    starts = drawn[:n].sort().values + torch.arange(n) * (SPAN + 1)  # no two spans touch
    sentinels = (vocab_size - 1 - torch.arange(n)).expand(batch, n)
    gaps = starts[:, None] + torch.arange(SPAN)
    kept = torch.ones(time, dtype=torch.bool)
    kept[gaps[:, 1:].flatten()] = False
    marked = ids.clone()
    marked[:, starts] = sentinels
    return {
        "input_ids": marked[:, kept],
        "labels": torch.cat([sentinels[..., None], ids[:, gaps]], 2).flatten(1),
    }


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
            read = a if model.config.is_encoder_decoder else torch.cat([a, b], 1)
            # nothing is padding, though end-of-text and padding share an id
            inputs = {"input_ids": read, "attention_mask": torch.ones_like(read)}
            if model.config.is_encoder_decoder:
                logits = model(**inputs, labels=b).logits
            else:
                logits = model(**inputs).logits[:, half - 1 : -1]
            each = F.cross_entropy(logits.float().transpose(1, 2), b, reduction="none")
            losses.append(each.mean(1).cpu())
    return torch.cat(losses)
