"""Logits where they are needed and nowhere else: with a large vocabulary, the head is the dear part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def logits_at(model: PreTrainedModel, places: Tensor, **inputs: Any) -> Tensor:
    """Return a model's logits at some places only.

    The model is called as it is and whole, with whatever it does to logits; only its head reads less.

    Args:
        model: a causal language model.
        places: True where logits are wanted; there has to be one (batch, time).
        **inputs: of the model, the token ids among them; what they put in front of the ids (soft tokens of
            PEFT's) has no place.

    Returns:
        (places, vocab), row by row, in float32.
    """

    def pick(_: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        in_front = args[0].shape[1] - places.shape[1]
        return (args[0][F.pad(places, (in_front, 0)).to(args[0].device)][None],)

    with model.get_output_embeddings().register_forward_pre_hook(pick):
        return model(**inputs).logits[0].float()
