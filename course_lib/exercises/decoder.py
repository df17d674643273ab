"""Checks of seminar 1, "Build the decoder yourself": the first half, and from the block to greedy text."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises import NotYet, compare, exercise
from course_lib.exercises.decoder_parts import (
    SMALL,
    attention,
    block_weights,
    bpe_step,
    draw,
    embed,
    multi_head_attention,
    small_weights,
)
from course_lib.gpt import GPT, GPTConfig

__all__ = [
    "attention",
    "block",
    "bpe_step",
    "decoder",
    "embed",
    "generate",
    "multi_head_attention",
    "next_token_probs",
]

# 5. the block


def _norm(x: Tensor, w: dict[str, Tensor], name: str) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])


def _gelu(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


def _mlp(x: Tensor, w: dict[str, Tensor], gelu=_gelu) -> Tensor:
    up = gelu(x @ w["mlp.c_fc.weight"] + w["mlp.c_fc.bias"])
    return up @ w["mlp.c_proj.weight"] + w["mlp.c_proj.bias"]


def _block(x: Tensor, w: dict[str, Tensor], n_head: int, mlp=_mlp) -> Tensor:
    x = x + multi_head_attention.reference(_norm(x, w, "ln_1"), w, n_head)
    return x + mlp(_norm(x, w, "ln_2"), w)


@exercise(_block)
def block(answer) -> str:
    """Judge `block(x, w, n_head)`."""
    x, w, n_head = draw(2, 5, 24, seed=9), block_weights(small_weights(), 0), SMALL.n_head
    attend, n1, n2 = (
        partial(multi_head_attention.reference, w=w, n_head=n_head),
        partial(_norm, w=w, name="ln_1"),
        partial(_norm, w=w, name="ln_2"),
    )
    half, post = x + attend(n1(x)), n1(x + attend(x))
    bare, thought = x + attend(x), x + _mlp(n2(x), w)
    gelu = {
        "exact GELU instead of tanh: F.gelu(x, approximate='tanh')": F.gelu,
        "ReLU instead of GELU": F.relu,
        "SiLU instead of GELU": F.silu,
        "the MLP lacks its GELU": lambda up: up,
    }
    no_bias = {
        "both biases of the MLP are missing": ("c_fc", "c_proj"),
        "the bias of the MLP's c_fc is missing": ("c_fc",),
        "the bias of the MLP's c_proj is missing": ("c_proj",),
    }
    zeros = {
        mistake: {f"mlp.{name}.bias": torch.zeros_like(w[f"mlp.{name}.bias"]) for name in names}
        for mistake, names in no_bias.items()
    }
    wrong = {mistake: _block(x, w, n_head, partial(_mlp, gelu=f)) for mistake, f in gelu.items()}
    wrong |= {mistake: _block(x, w | lost, n_head) for mistake, lost in zeros.items()} | {
        "post-norm instead of pre-norm: normalise what enters a layer, not what leaves it": n2(
            post + _mlp(post, w)
        ),
        "the residual stream got normalised: add to x itself, not to its layer norm": n2(
            n1(x) + attend(n1(x))
        )
        + _mlp(n2(n1(x) + attend(n1(x))), w),
        "both residual connections are missing: x + attention, then x + MLP": _mlp(n2(attend(n1(x))), w),
        "the residual connection around the attention is missing": attend(n1(x)) + _mlp(n2(attend(n1(x))), w),
        "the residual connection around the MLP is missing": _mlp(n2(half), w),
        "both layer norms are missing": bare + _mlp(bare, w),
        "the layer norm before the attention is missing": bare + _mlp(n2(bare), w),
        "the layer norm before the MLP is missing": half + _mlp(half, w),
        "both layer norms are ln_1: the MLP has its own, ln_2": half + _mlp(n1(half), w),
        "the MLP read the block's input: it comes after the attention, not beside it": half + _mlp(n2(x), w),
        "the MLP came before the attention": thought + attend(n1(thought)),
    }
    compare(answer(x, w, n_head), _block(x, w, n_head), "(batch, time, n_embd)", wrong)
    return "look around, think, and add both to the stream"


# 6. the whole decoder


def _decoder(ids: Tensor, weights: dict[str, Tensor], n_layer: int, n_head: int) -> Tensor:
    shape = (*weights["wte.weight"].shape, len(weights["wpe.weight"]))
    return GPT(GPTConfig(shape[0], shape[2], shape[1], n_layer, n_head), weights)(ids)


def _stack(ids: Tensor, weights: dict[str, Tensor], layers, *, embed=embed.reference, last=_norm) -> Tensor:
    x = embed(ids, weights["wte.weight"], weights["wpe.weight"])
    for layer in layers:
        x = _block(x, block_weights(weights, layer), SMALL.n_head)
    return last(x, weights, "ln_f") @ weights["wte.weight"].mT


@exercise(_decoder)
def decoder(answer, weights: dict[str, Tensor], model) -> str:
    """Judge `decoder(ids, weights, n_layer, n_head)`, on small random weights and on the real model.

    Args:
        weights: the model's weights by GPT-2's names, in float32.
        model: the transformers model, in float32.
    """
    small, axes = small_weights(), "(batch, time, vocab)"
    ids = torch.tensor([[3, 1, 4, 1, 5, 9, 2], [6, 5, 3, 5, 8, 9, 7]])
    variant = partial(_stack, ids, small)
    right = _decoder(ids, small, SMALL.n_layer, SMALL.n_head)
    wrong = {
        "the last layer norm, ln_f, is missing": variant((0, 1, 2), last=lambda x, *_: x),
        "you forgot the position embeddings": variant((0, 1, 2), embed=lambda ids, wte, _: wte[ids]),
        "the blocks ran from the last to the first": variant((2, 1, 0)),
        "every block used the weights of block 0": variant((0, 0, 0)),
        "the last block did not run": variant((0, 1)),
        "block 0 did not run": variant((1, 2)),
        "only block 0 ran": variant((0,)),
        "no block ran": variant(()),
        "these are probabilities: return the logits, before any softmax": right.softmax(-1),
        "these are log-probabilities: return the logits, before any softmax": right.log_softmax(-1),
        "these are the logits of the last position: return those of all positions": right[:, -1],
    }
    compare(answer(ids, small, SMALL.n_layer, SMALL.n_head), right, axes, wrong)
    c = model.config
    ids = torch.randint(c.vocab_size, (2, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        right = model(ids).logits
    try:
        compare(answer(ids, weights, c.n_layer, c.n_head), right, axes)
    except NotYet as error:
        raise NotYet(
            f"small random weights are fine, the real ones are not (is a size written as a number?): {error}"
        ) from None
    return "the logits agree with transformers within 1e-4"


# 7. text


def _generate(
    next_logits, ids: Tensor, n_new: int, *, pick=lambda x: x[:, -1:].argmax(-1), read=lambda x: x, put=None
):
    for _ in range(n_new):
        new = pick(next_logits(read(ids)))
        ids = torch.cat([new, ids] if put == "in front" else [ids, new], dim=1)
    return ids


@exercise(_generate)
def generate(answer, next_logits, model, ids: Tensor) -> str:
    """Judge `generate(next_logits, ids, n_new)`, on a small model and on the student's own decoder.

    Args:
        next_logits: the student's decoder with the real weights, as a function of ids alone.
        model: the transformers model whose text must be the same.
        ids: a prompt (1, time).
    """
    small = GPT(SMALL, small_weights())
    prompt = torch.tensor([[3, 1, 4, 1], [5, 9, 2, 6], [5, 3, 5, 8]])
    variant = partial(_generate, small, prompt, 6)
    right = variant()
    wrong = {
        "argmax over the wrong position: the last one predicts the next token": variant(
            pick=lambda x: x[:, :1].argmax(-1)
        ),
        "argmax over the position before the last: the last one predicts the next token": variant(
            pick=lambda x: x[:, -2:-1].argmax(-1)
        ),
        "argmax over time: the vocabulary is the last dimension": variant(pick=lambda x: x.argmax(1)[:, -1:]),
        "argmin took the least likely token": variant(pick=lambda x: x[:, -1:].argmin(-1)),
        "every text got the first one's token: keep the batch dimension": variant(
            pick=lambda x: x[:1, -1:].argmax(-1).expand(3, 1)
        ),
        "the decoder read the newest token only: give it the whole text so far": variant(
            read=lambda x: x[:, -1:]
        ),
        "the decoder read the prompt every time: give it the whole text so far": variant(
            read=lambda x: x[:, :4]
        ),
        "new tokens went in front: the text grows to the right": variant(put="in front"),
        "the prompt is missing: return it with its continuation": right[:, 4:],
        "one token is missing: add n_new of them": right[:, :-1],
        "there is one token too many: add n_new of them": _generate(small, prompt, 7),
    }
    compare(answer(small, prompt, 6), right, "(batch, time + n_new)", wrong)
    right = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, do_sample=False)
    mine = answer(next_logits, ids, 20)[:, : right.shape[1]]  # transformers stops at the end of the text
    if not torch.equal(mine, right):
        raise NotYet(
            "with your decoder the text differs from transformers': run the check of exercise 6 again."
        )
    return "the same greedy text as transformers"


# bonus


def _next_token_probs(
    logits, temperature: float, top_k: int, *, hidden=-torch.inf, largest=True, dim=-1
) -> Tensor:
    dropped = torch.ones_like(logits).scatter(-1, logits.topk(top_k, largest=largest).indices, 0).bool()
    return (logits.masked_fill(dropped, hidden) / temperature).softmax(dim)


@exercise(_next_token_probs)
def next_token_probs(answer) -> str:
    """Judge `next_token_probs(logits, temperature, top_k)`."""
    logits, t, k = draw(3, 8, scale=2.0), 0.7, 3
    variant = partial(_next_token_probs, logits)
    kept, right = variant(1.0, k), variant(t, k)
    late = (logits / t).masked_fill(logits / t < logits.topk(k).values[:, -1:], -torch.inf).softmax(-1)
    wrong = {
        "you multiplied by the temperature: divide, so that 0.7 makes the model bolder": variant(1 / t, k),
        "the temperature does nothing": kept,
        "the k-th logit is raw, and what you compare with it is divided already: drop first": late,
        "the temperature came after the softmax: divide the logits": kept / t,
        "top_k does nothing": variant(t, 8),
        "the least likely tokens were kept": variant(t, k, largest=False),
        "one token too few was kept: `<` the k-th, not `<=`": variant(t, k - 1),
        "one token too many was kept": variant(t, k + 1),
        "logits of dropped tokens became 0, and exp(0) is 1: put -infinity there": variant(t, k, hidden=0.0),
        "what is left does not sum to 1: drop tokens before the softmax": variant(t, 8) * (kept > 0),
        "softmax over the batch: the vocabulary is the last dimension": variant(t, k, dim=0),
    }
    compare(answer(logits, t, k), right, "(batch, vocab)", wrong)
    compare(
        answer(100 * logits, t, k),
        _next_token_probs(100 * logits, t, k),
        "(batch, vocab)",
        what="with logits 100 times larger the result",
    )
    return "the k likeliest tokens, as bold as the temperature says"
