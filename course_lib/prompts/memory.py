"""What a training step keeps in memory (slide "Prompt-tuning: motivation": "computationally hard")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from course_lib.prompts.loss import collate, language_model_loss
from course_lib.prompts.methods import Method

COPIES = 3  # a gradient and Adam's two running means, in float32


def training_bytes(method: Method, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count what one step of a method on a batch keeps in memory.

    Args:
        method: made ready by `methods.prepare`.
        rows: the batch.

    Returns:
        Bytes of the `weights` that read, of `gradients and Adam` for what is trained, and of `activations`:
        what the forward pass saves for the backward pass, weights left out.
    """
    model = method.reader
    needed = {parameter: parameter.requires_grad for parameter in model.parameters()}
    if method.trained is method.prompt:  # as `tune` does
        model.requires_grad_(False)
    parameters = (*model.parameters(), *method.trained.parameters())
    weights = {parameter.untyped_storage().data_ptr() for parameter in parameters}
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    batch = collate(method.examples(rows), method.tokenizer.pad_token_id)
    batch = {key: value.to(model.device) for key, value in batch.items()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = language_model_loss(model, batch)  # what was saved lives as long as the loss
    counted = {
        "weights": sum(parameter.numel() * parameter.element_size() for parameter in needed),
        "gradients and Adam": method.n_trained * 4 * COPIES,
        "activations": sum(saved.values()),
    }
    del loss
    for parameter, flag in needed.items():
        parameter.requires_grad_(flag)
    return counted
