"""Prompt providers: where the embeddings of the soft tokens come from.

Slide "CPT: Idea": "Produce trainable embeddings with Prompt provider". A provider is a module that returns a
tensor (soft tokens, embedding): one free number for each entry, or the output of a small network, which moves
all entries together and is thrown away after training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PromptProvider(nn.Module):
    """What all providers are.

    Attributes:
        n_tokens: soft tokens.
        dim: width of an embedding.
    """

    def __init__(self, n_tokens: int, dim: int) -> None:
        super().__init__()
        if n_tokens < 1:
            raise ValueError("A prompt without soft tokens has nothing to train: put <P> into its format.")
        self.n_tokens, self.dim = n_tokens, dim
        self.settings: dict[str, int] = {}  # what else it was made with

    def forward(self) -> Tensor:
        """Return the embeddings (n_tokens, dim)."""
        raise NotImplementedError

    def begin_as(self, rows: Tensor) -> None:
        """Make the provider return these embeddings (n_tokens, dim) until it is trained."""
        raise NotImplementedError

    @property
    def n_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.parameters())


class TensorProvider(PromptProvider):
    """The embeddings themselves are the parameters (Lester et al., 2021)."""

    def __init__(self, n_tokens: int, dim: int) -> None:
        super().__init__(n_tokens, dim)
        self.rows = nn.Parameter(torch.randn(n_tokens, dim))

    def forward(self) -> Tensor:
        return self.rows

    def begin_as(self, rows: Tensor) -> None:
        with torch.no_grad():
            self.rows.copy_(rows)


class Reparametrised(PromptProvider):
    """A network whose last layer gives the embeddings, added to those that it was told to begin as."""

    def __init__(self, n_tokens: int, dim: int, width: int, out: int) -> None:
        super().__init__(n_tokens, dim)
        self.inputs = nn.Parameter(torch.rand(n_tokens, width))
        self.last = nn.Linear(out, dim)
        self.register_buffer("start", torch.zeros(n_tokens, dim))

    def hidden(self) -> Tensor:
        """Return what the last layer reads (n_tokens, out)."""
        raise NotImplementedError

    def forward(self) -> Tensor:
        return self.start + self.last(self.hidden())

    def begin_as(self, rows: Tensor) -> None:
        """As for all; the last layer begins with zeros, so that the network adds nothing at first."""
        self.start.copy_(rows)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)


class LSTMProvider(Reparametrised):
    """A bidirectional LSTM over trained inputs, then an MLP (P-Tuning, Liu et al., 2021; ruPrompts).

    Args:
        n_tokens, dim: see `PromptProvider`.
        width: of the inputs.
        hidden: of the LSTM in each direction, and of the MLP.
        n_layers: of the LSTM.
    """

    def __init__(
        self, n_tokens: int, dim: int, width: int = 256, hidden: int = 256, n_layers: int = 2
    ) -> None:
        super().__init__(n_tokens, dim, width, hidden)
        self.settings = {"width": width, "hidden": hidden, "n_layers": n_layers}
        self.lstm = nn.LSTM(width, hidden, n_layers, bidirectional=True, batch_first=True)
        self.first = nn.Linear(2 * hidden, hidden)

    def hidden(self) -> Tensor:
        states, _ = self.lstm(self.inputs[None])
        return self.first(states[0]).relu()


class MLPProvider(Reparametrised):
    """An MLP over trained inputs (the re-parametrisation of Prefix-Tuning, Li & Liang, 2021)."""

    def __init__(self, n_tokens: int, dim: int, width: int = 256, hidden: int = 256) -> None:
        super().__init__(n_tokens, dim, width, hidden)
        self.settings = {"width": width, "hidden": hidden}
        self.first = nn.Linear(width, hidden)

    def hidden(self) -> Tensor:
        return self.first(self.inputs).tanh()


PROVIDERS: dict[str, type[PromptProvider]] = {
    "tensor": TensorProvider,
    "lstm": LSTMProvider,
    "mlp": MLPProvider,
}


def tensor_parameters(n_tokens: int, dim: int) -> int:
    """Return how many parameters a tensor provider has, by formula (slide "Trainable parameters")."""
    return n_tokens * dim


def lstm_parameters(n_tokens: int, dim: int, width: int = 256, hidden: int = 256, n_layers: int = 2) -> int:
    """Return how many parameters a BiLSTM + MLP provider has, by formula (slide "Trainable parameters")."""
    first = 8 * hidden * (width + hidden + 2)  # two directions, four gates, two biases
    others = (n_layers - 1) * 8 * hidden * (3 * hidden + 2)
    mlp = 2 * hidden**2 + hidden + hidden * dim + dim
    return n_tokens * width + first + others + mlp


def mlp_parameters(n_tokens: int, dim: int, width: int = 256, hidden: int = 256) -> int:
    """Return how many parameters an MLP provider has, by formula."""
    return n_tokens * width + width * hidden + hidden + hidden * dim + dim
