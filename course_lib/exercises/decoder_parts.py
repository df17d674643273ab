"""Checks of seminar 1, "Build the decoder yourself", first half: from bytes to multi-head attention.

Beside each right answer stand the mistakes that people make; the inputs are seeded, and such that every
mistake gives another answer. What is not found among them gets a sentence that says what differs.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from course_lib.exercises import NotYet, close, compare, exercise
from course_lib.gpt import GPTConfig
from course_lib.gpt_weights import BLOCK_TENSORS, expected_shapes

SMALL = GPTConfig(vocab_size=40, n_positions=16, n_embd=24, n_layer=3, n_head=4)
HEADS = "(batch, head, time, d_head)"


def draw(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    """Draw a seeded normal tensor."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def small_weights(c: GPTConfig = SMALL) -> dict[str, Tensor]:
    """Draw weights by GPT-2's names, large enough for every mistake to show."""
    shapes = expected_shapes(c.vocab_size, c.n_positions, c.n_embd, c.n_layer)
    return {name: draw(*shape, seed=seed, scale=0.4) for seed, (name, shape) in enumerate(shapes.items())}


def block_weights(weights: dict[str, Tensor], layer: int) -> dict[str, Tensor]:
    """Take the weights of one block, their names without the prefix `h.0.`."""
    return {name: weights[f"h.{layer}.{name}"] for name in BLOCK_TENSORS}


# 1. byte-pair encoding


def _merge(ids: list[int], pair: tuple[int, int], new: int) -> list[int]:
    merged: list[int] = []
    for token in ids:
        if merged and (merged[-1], token) == pair:
            merged[-1] = new
        else:
            merged.append(token)
    return merged


def _bpe_step(ids: list[int], new_id: int) -> tuple[tuple[int, int], list[int]]:
    pair = Counter(pairwise(ids)).most_common(1)[0][0]
    return pair, _merge(ids, pair, new_id)


@exercise(_bpe_step)
def bpe_step(answer) -> str:
    """Judge `bpe_step(ids, new_id)`: one merge."""

    def pair_and_ids(*inputs) -> tuple:
        got = answer(*inputs)
        if not (isinstance(got, tuple) and [type(part) for part in got] == [tuple, list]):
            raise NotYet("return the pair, a tuple of two ids, and the new list: `return pair, merged`.")
        return got

    ids = [5, 1, 2, 5, 5, 6, 5, 6, 3, 1, 2, 9, 9, 1, 2, 4, 2, 1, 5, 1, 2, 8]
    pair, merged = pair_and_ids(list(ids), 100)
    best, (_, right) = (1, 2), _bpe_step(ids, 100)
    counts = Counter(pairwise(ids))
    halves = Counter(zip(ids[::2], ids[1::2], strict=True))
    pairs = {
        min(counts, key=counts.get): "this is the rarest pair: take the most frequent one",
        max(counts): "this is the pair with the largest ids: compare counts, max(counts, key=counts.get)",
        max(halves, key=halves.get): "you looked at every second pair only: neighbours overlap",
    }
    if pair != best:
        raise NotYet(f"{pairs.get(pair, f'the most frequent pair is {best}, yours is {pair}')}.")
    first = ids.index(1)
    both_there = [100 if two == best else two[0] for two in pairwise([*ids, 0])]
    lists = {
        "you replaced the first occurrence only": [*ids[:first], 100, *ids[first + 2 :]],
        "the second half of each pair is still there: step over both tokens": both_there,
        "the second half of each pair is still there, and the last token got lost: walk by index, and step "
        "over both tokens of a pair": both_there[:-1],
        "the last token got lost: the loop must reach the end of the list": right[:-1],
        "you merged (2, 1) as well: the order in a pair matters": _merge(right, (2, 1), 100),
    }
    for mistake, wrong in lists.items():
        if merged == wrong:
            raise NotYet(f"{mistake}.")
    if merged != right:
        raise NotYet(f"from {ids} it should make {right}, yours is {merged}.")
    if (got := pair_and_ids([5, 5, 5, 5, 5, 8], 9)[1]) != [9, 9, 5, 8]:
        raise NotYet(f"merges cannot overlap: [5, 5, 5, 5, 5, 8] gives [9, 9, 5, 8], yours is {got}.")
    if (got := pair_and_ids([3, 1, 2, 4], 9)[0]) != (3, 1):
        raise NotYet(f"of equally frequent pairs the first wins: in [3, 1, 2, 4] it is (3, 1), not {got}.")
    return "the most frequent pair has become one token"


# 2. embeddings


def _embed(ids: Tensor, wte: Tensor, wpe: Tensor) -> Tensor:
    return wte[ids] + wpe[: ids.shape[1]]


@exercise(_embed)
def embed(answer) -> str:
    """Judge `embed(ids, wte, wpe)`."""
    wte, wpe, ids = draw(9, 6), draw(9, 6, seed=1), torch.tensor([[3, 1, 3, 7], [0, 2, 8, 5], [1, 1, 6, 4]])
    wrong = {
        "you forgot the position embeddings: a token looks the same wherever it stands": wte[ids],
        "you forgot the token embeddings": wpe[:4].expand(3, 4, 6),
        "positions start at 1: the first token takes row 0 of wpe": wte[ids] + wpe[1:5],
        "you looked positions up by token id: a position is the place in the text": wte[ids] + wpe[ids],
        "positions count from the end: the first token takes row 0 of wpe": wte[ids] + wpe[:4].flip(0),
        "all tokens of a text got the same position": wte[ids] + wpe[:3, None],
        "token and position were multiplied: add them": wte[ids] * wpe[:4],
        "token and position stand side by side: add them": torch.cat([wte[ids], wpe[:4].expand(3, 4, 6)], -1),
    }
    compare(answer(ids, wte, wpe), _embed(ids, wte, wpe), "(batch, time, n_embd)", wrong)
    return "every token knows what it is and where it stands"


# 3. one head


def _attention(q, k, v, *, keep=torch.tril, scale=None, dim=-1, hidden=-torch.inf, mask_late=False):
    allowed = keep(q.new_ones(q.shape[-2], q.shape[-2])).bool()
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if mask_late:
        weights = scores.softmax(dim) * allowed
    else:
        weights = scores.masked_fill(~allowed, hidden).softmax(dim)
    return weights @ v, weights


@exercise(_attention)
def attention(answer) -> str:
    """Judge `attention(q, k, v)`, which returns the mix of values and the weights."""

    def two(*inputs: Tensor) -> tuple:
        got = answer(*inputs)
        if not (isinstance(got, tuple | list) and len(got) == 2):
            raise NotYet(f"return two tensors, `return mixed, weights`, not one {type(got).__name__}.")
        return tuple(got)

    q, k, v = (draw(2, 5, 6, seed=seed, scale=1.5) for seed in range(3))  # 6 / 2 is not its root
    variant, axes = partial(_attention, q, k, v), "(batch, time that looks, time that is seen)"
    right_mixed, right = variant()
    wrong = {
        "the mask is upside down: token 0 sees the future": variant(keep=torch.triu),
        "there is no mask: token 0 sees the future": variant(keep=torch.ones_like),
        "a token must see itself too: the mask keeps the diagonal": variant(keep=lambda m: m.tril(-1)),
        "the mask is inside out: masked_fill fills where it is True": variant(keep=lambda m: m.triu(1)),
        "hidden scores became 0, and exp(0) is 1: put -infinity there": variant(hidden=0.0),
        "the mask came after the softmax, so rows do not sum to 1: mask the scores": variant(mask_late=True),
        "you divided by d_head instead of its square root": variant(scale=1 / 6),
        "you multiplied by the square root of d_head: divide": variant(scale=6**0.5),
        "`d ** 1 / 2` is half of d: the square root is d ** 0.5": variant(scale=1 / 3),
        "`/ d ** 1 / 2` divides by d, and then by 2: the square root is d ** 0.5": variant(scale=1 / 12),
        "there is no mask, and no division by the square root of d_head": variant(
            keep=torch.ones_like, scale=1.0
        ),
        "the mask is upside down, and the division by the square root of d_head is missing": variant(
            keep=torch.triu, scale=1.0
        ),
        "you forgot to divide by the square root of d_head": variant(scale=1.0),
        "softmax over the wrong axis: all that one token sees sums to 1, dim=-1": variant(dim=-2),
        "queries and keys changed places: row i belongs to query i, q @ k transposed": _attention(k, q, v),
    }
    mixed, weights = two(q, k, v)
    if isinstance(mixed, Tensor) and close(mixed, right):
        raise NotYet("the two results changed places: `return mixed, weights`.")
    compare(weights, right, axes, {mistake: w for mistake, (_, w) in wrong.items()}, "the tensor of weights")
    wrong = {
        "the weights got transposed before the mix: weights @ v": right.mT @ v,
        "this is a mix of keys: what a token takes home are values": right @ k,
        "this is a mix of queries: what a token takes home are values": right @ q,
    }
    compare(mixed, right_mixed, "(batch, time, d_head)", wrong, "the mix")
    _, large = two(10 * q, 10 * k, v)
    if not large.isfinite().all():
        raise NotYet("scores 100 times larger give NaN: exp overflows, torch.softmax takes care of that.")
    if large.triu(1).max() > 0:
        raise NotYet("scores 100 times larger let the future through: hide it with -infinity, float('-inf').")
    try:
        heads = [draw(2, 3, 5, 4, seed=seed) for seed in range(3)]
        compare(two(*heads)[0], _attention(*heads)[0], HEADS, what="the mix")
    except NotYet as error:
        raise NotYet(
            f"one head is right; for several, {HEADS}, count dimensions from the end: {error}"
        ) from None
    return "causal, scaled, rows sum to 1, no NaN when scores are 100 times larger"


# 4. many heads


def _split(x: Tensor, n_head: int) -> Tensor:
    return x.view(*x.shape[:2], n_head, -1).transpose(1, 2)


def _join(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


def _multi_head_attention(
    x, w, n_head, *, bias=1, bias_out=1, order=(0, 1, 2), split=_split, join=_join, **head
):
    parts = (x @ w["attn.c_attn.weight"] + bias * w["attn.c_attn.bias"]).chunk(3, -1)
    mixed, _ = _attention(*(split(parts[i], n_head) for i in order), **head)
    return join(mixed) @ w["attn.c_proj.weight"] + bias_out * w["attn.c_proj.bias"]


@exercise(_multi_head_attention)
def multi_head_attention(answer) -> str:
    """Judge `multi_head_attention(x, w, n_head)`, with `w` the weights of one block."""
    x, w, n_head, d = draw(2, 5, 24, seed=9), block_weights(small_weights(), 0), SMALL.n_head, 6
    variant, out = partial(_multi_head_attention, x, w, n_head), "attn.c_proj.weight"
    across, inside_out = w | {out: w[out].mT}, lambda t, n: t.view(2, 5, d, n).permute(0, 3, 1, 2)
    no_out = partial(_multi_head_attention, x, w | {out: torch.eye(24)}, n_head, bias_out=0)
    wrong = {
        "heads were mixed: view before transpose, as (batch, time, head, d_head)": variant(
            split=lambda t, n: t.reshape(2, n, 5, d)
        ),
        "heads were mixed: of a token's n_embd numbers the first d_head are head 0": variant(
            split=inside_out
        ),
        "the heads were joined without transposing back": variant(join=lambda m: m.reshape(2, 5, 24)),
        "all heads act as one: split n_embd into n_head parts": variant(split=lambda t, n: _split(t, 1)),
        "the order is queries, keys, values; queries and keys changed places": variant(order=(1, 0, 2)),
        "the order is queries, keys, values; yours is queries, values, keys": variant(order=(0, 2, 1)),
        "the order is queries, keys, values; yours is values, keys, queries": variant(order=(2, 1, 0)),
        "scores were divided by the root of n_embd: one head is d_head wide": variant(scale=24**-0.5),
        "there is no mask: token 0 sees the future": variant(keep=torch.ones_like),
        "both biases are missing, that of c_attn and that of c_proj": variant(bias=0, bias_out=0),
        "the bias of c_attn is missing": variant(bias=0),
        "the bias of c_proj is missing": variant(bias_out=0),
        "the output projection, c_proj, is missing": no_out(),
        "c_proj is transposed: it is (inputs, outputs), x @ weight": _multi_head_attention(x, across, n_head),
    }
    compare(answer(x, w, n_head), variant(), "(batch, time, n_embd)", wrong)
    return "split, attend, join, project"
