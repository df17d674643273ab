"""Muon, for the matrices inside a model's blocks, with another optimiser for all the rest, as one.

A matrix's momentum is made orthogonal before each step, so that no direction is learnt at the cost of the
others (Jordan et al., 2024). Embeddings, norms and biases, which are no maps from hidden to hidden, stay with
AdamW (Loshchilov & Hutter, 2019), or with what the architecture's authors took.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch.nn import Parameter
    from transformers import PreTrainedModel


def divide(model: PreTrainedModel) -> tuple[list[Parameter], list[Parameter], list[Parameter]]:
    """Return the matrices of a model's blocks, its embeddings, and its vectors."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    weights = list(model.parameters())
    return (
        [weight for weight in weights if weight.dim() == 2 and id(weight) not in tables],
        [weight for weight in weights if id(weight) in tables],
        [weight for weight in weights if weight.dim() < 2],
    )


class MuonWith(torch.optim.Optimizer):
    """One optimiser of two, which share nothing but the schedule.

    Args:
        matrices: what Muon learns.
        rest: the optimiser of all else.
        learning_rate: of Muon, whose steps are as large as AdamW's at that rate (Liu et al., 2025).
        weight_decay: of Muon.
    """

    def __init__(
        self,
        matrices: list[Parameter],
        rest: torch.optim.Optimizer,
        learning_rate: float,
        weight_decay: float,
    ) -> None:
        muon = torch.optim.Muon(
            matrices, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        self.parts = (muon, rest)
        super().__init__(self._groups(), {})

    def _groups(self) -> list[dict[str, Any]]:
        """Return the groups of the parts; they are those of the whole too, which a schedule changes."""
        return [group for part in self.parts for group in part.param_groups]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step with each part."""
        loss = closure() if closure else None
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the parts."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the states of the parts."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = self._groups()


def muon_with_adamw(
    model: PreTrainedModel, learning_rate: float, weight_decay: float, beta2: float = 0.98
) -> MuonWith:
    """Return the optimiser of the course's decoders.

    Args:
        model: what to train.
        learning_rate: of both.
        weight_decay: of all that has two dimensions.
        beta2: AdamW's.
    """
    matrices, embeddings, vectors = divide(model)
    adamw = torch.optim.AdamW(
        [{"params": embeddings}, {"params": vectors, "weight_decay": 0.0}],
        lr=learning_rate,
        betas=(0.9, beta2),
        weight_decay=weight_decay,
    )
    return MuonWith(matrices, adamw, learning_rate, weight_decay)
