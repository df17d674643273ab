"""Checks of seminar 3, "Soft prompts", first half: the embedding, and where its rows come from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.exercises import NotYet, close, compare, exercise
from course_lib.exercises.decoder_parts import draw
from course_lib.prompts.providers import LSTMProvider, lstm_parameters

# 1. the embedding


def _soft_embedding(words: Tensor, rows: Tensor, ids: Tensor) -> Tensor:
    return torch.cat([words, rows])[ids]


@exercise(_soft_embedding)
def soft_embedding(answer) -> str:
    """Judge `soft_embedding(words, rows, ids)`."""
    words, rows = draw(7, 4), draw(3, 4, seed=1)
    ids = torch.tensor([[8, 2, 7, 9, 0], [5, 9, 6, 7, 7]])  # soft tokens in another order, and one twice
    right = _soft_embedding(words, rows, ids)
    is_soft = ids >= len(words)
    in_order = words[ids.masked_fill(is_soft, 0)].clone()
    in_order[is_soft] = rows.repeat(2, 1)
    wrong = {
        "soft tokens were given the rows in the order in which they stand: "
        "row k belongs to the id len(words) + k, wherever that is": in_order,
        "one row too far: the id len(words) is row 0": torch.cat([words, rows.roll(1, 0)])[ids],
        "soft tokens got the embedding of word 0: put the rows there": words[ids.masked_fill(is_soft, 0)],
        "soft tokens became zeros: put the rows there": right * ~is_soft[..., None],
        "the words became zeros: only soft tokens are replaced": right * is_soft[..., None],
        "the rows were added to word 0's embedding: they take its place": right
        + is_soft[..., None] * words[0],
    }
    compare(answer(words, rows, ids), right, "(batch, time, dim)", wrong)
    plain = torch.tensor([[1, 2, 3]])
    compare(
        answer(words, rows, plain),
        words[plain],
        "(batch, time, dim)",
        what="without any soft token the result",
    )
    return "words from the table, soft tokens from the prompt, in any order"


# 2. and 3. providers


def _start_rows(words: Tensor, ids: Tensor) -> nn.Parameter:
    return nn.Parameter(words[ids].detach().float().clone())


@exercise(_start_rows)
def start_rows(answer) -> str:
    """Judge `start_rows(words, ids)`."""
    words, ids = nn.Parameter(draw(7, 4)), torch.tensor([3, 0, 3])
    got = answer(words, ids)
    wrong = {"these are the first rows of the table: take those of the ids": words[: len(ids)].detach()}
    compare(got.detach() if isinstance(got, Tensor) else got, words[ids].detach(), "(n_soft, dim)", wrong)
    if not isinstance(got, nn.Parameter):
        raise NotYet("the numbers are right, but an optimiser trains an nn.Parameter: wrap them in one.")
    if not got.requires_grad:
        raise NotYet("this parameter asks for no gradient: requires_grad must be True.")
    half = answer(nn.Parameter(draw(7, 4).half()), ids)
    if half.dtype != torch.float32:
        raise NotYet(
            "in a half-precision model the prompt must stay in float32, or small steps are lost: .float()."
        )
    with torch.no_grad():
        got.add_(1.0)
    if not close(words.detach(), draw(7, 4)):
        raise NotYet("training these rows would change the model's own table: take a copy, .clone().")
    return "a float32 copy of the words' rows, ready to be trained"


def _provide(inputs: Tensor, lstm: nn.LSTM, first: nn.Linear, last: nn.Linear) -> Tensor:
    return last(first(lstm(inputs[None])[0][0]).relu())


@exercise(_provide)
def provide(answer) -> str:
    """Judge `provide(inputs, lstm, first, last)`."""
    torch.manual_seed(0)
    made = LSTMProvider(5, 6, width=4, hidden=3)
    inputs, lstm, first, last = made.inputs.detach(), made.lstm, made.first, made.last
    for parameter in made.parameters():
        parameter.requires_grad_(False)
    for layer in (first, last):
        layer.weight.mul_(3)
    states = lstm(inputs[None])[0][0]
    backwards = states.roll(3, 1)
    alone = torch.stack([last(first(lstm(row[None, None])[0][0, 0]).relu()) for row in inputs])
    wrong = {
        "the ReLU between the two linear layers is missing": last(first(states)),
        "this is a tanh between the linear layers: ruPrompts has a ReLU": last(first(states).tanh()),
        "each soft token went through the LSTM alone: they are one sequence, inputs[None]": alone,
        "the ReLU stands behind the last layer: embeddings may be negative": last(first(states)).relu(),
        "forward and backward states are exchanged": last(first(backwards).relu()),
    }
    compare(answer(inputs, lstm, first, last), _provide(inputs, lstm, first, last), "(n_soft, dim)", wrong)
    return "BiLSTM over the soft tokens, then two linear layers with a ReLU"


def _count_parameters(n: int, dim: int, width: int, hidden: int) -> int:
    return lstm_parameters(n, dim, width, hidden, 2)


@exercise(_count_parameters)
def count_parameters(answer) -> str:
    """Judge `count_parameters(n, dim, width, hidden)`."""
    n, dim, width, hidden = 9, 1536, 256, 256
    for sizes in ((n, dim, width, hidden), (3, 20, 5, 7)):
        n, dim, width, hidden = sizes
        right = _count_parameters(*sizes)
        first = 4 * hidden * (width + hidden)
        second = 4 * hidden * (2 * hidden + hidden)
        head = 2 * hidden**2 + hidden + hidden * dim + dim
        mistakes = {
            right
            - 2 * 4 * hidden * 2: "one bias a gate is missing: PyTorch's LSTM has two, bias_ih and bias_hh",
            right - n * width: "the trained inputs are missing: n times width",
            right - hidden - dim: "the two linear layers have biases too",
            n * width + first + second + 16 * hidden + head: "both layers have two directions: twice as many",
            right
            - 8
            * hidden
            * hidden: "the second layer reads both directions of the first: its input is 2 hidden wide",
            right - (n * width) + n * dim: "the inputs are `width` wide, not `dim`",
            right - 2 * hidden**2 + hidden**2: "the first linear layer reads both directions: 2 hidden wide",
        }
        got = answer(*sizes)
        if got == right:
            continue
        if got in mistakes:
            raise NotYet(f"{mistakes[got]}.")
        raise NotYet(
            f"for n={n}, dim={dim}, width={width}, hidden={hidden} it is {right:,}, and you count {got}."
        )
    return f"{_count_parameters(9, 1536, 256, 256):,} for ruGPT-3 Large: the deck's 3.2M"
