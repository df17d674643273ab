"""The decoder from scratch: the GPT that lecture 1 reads aloud (slide "Transformer decoder!").

A GPT is a stack of equal blocks between an embedding and a head; this file is that sentence spelled out.
Text is made by asking for one more token until there are enough. The weights have GPT-2's names and layout:
a checkpoint of that shape (GPT-2, ruGPT-3, the course's own) fits, and the logits agree with `transformers`.

GPT-3 adds `attention_window`: every second layer sees only its nearest neighbours (Brown et al., 2020,
section 2.1: "alternating dense and locally banded sparse attention patterns").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.gpt_weights import BLOCK_TENSORS, expected_shapes, read_checkpoint


@dataclass(frozen=True)
class GPTConfig:
    """The numbers that fix a GPT's shape; `attention_window=None` is dense attention, as in GPT-2."""

    vocab_size: int
    n_positions: int
    n_embd: int
    n_layer: int
    n_head: int
    attention_window: int | None = None
    layer_norm_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd={self.n_embd} does not split into n_head={self.n_head} equal heads.")
        if self.attention_window is not None and self.attention_window < 1:
            raise ValueError(f"attention_window={self.attention_window}: a token must see at least itself.")


def is_banded(window: int | None, layer: int) -> bool:
    """Tells whether a layer is one of GPT-3's sparse ones: every second layer, once a window is set."""
    return window is not None and layer % 2 == 1


def attention_mask(time: int, window: int | None = None, layer: int = 0) -> Tensor:
    """Draws who may look at whom: row = the token that looks, column = the token that is seen.

    Args:
        time: number of tokens.
        window: how many tokens, itself included, a token of a banded layer sees; None for dense attention.
        layer: index of the layer, since dense (even) and banded (odd) layers alternate.

    Returns:
        True where looking is allowed (time, time).
    """
    mask = torch.ones(time, time, dtype=torch.bool).tril()
    return mask.triu(1 - window) if is_banded(window, layer) else mask


class Block(NamedTuple):
    """One layer: look around (attention), then think (MLP), each added to the stream that flows past.

    Rows of `x` are tokens, all sequences of the batch one below the other: (batch * time, n_embd).
    The fields stand in the order, and matrices in the layout (inputs, outputs), of a GPT-2 checkpoint.
    """

    ln_1_weight: Tensor
    ln_1_bias: Tensor
    qkv_weight: Tensor
    qkv_bias: Tensor
    out_weight: Tensor
    out_bias: Tensor
    ln_2_weight: Tensor
    ln_2_bias: Tensor
    up_weight: Tensor
    up_bias: Tensor
    down_weight: Tensor
    down_bias: Tensor

    def attention(self, x: Tensor, batch: int, c: GPTConfig, layer: int, memory=None, maps=None) -> Tensor:
        """Masked multi-head attention: a token asks (query), compares (keys), takes home a mix (values)."""
        x = torch.layer_norm(x, (c.n_embd,), self.ln_1_weight, self.ln_1_bias, c.layer_norm_epsilon)
        qkv = torch.addmm(self.qkv_bias, x, self.qkv_weight)
        qkv = qkv.view(batch, -1, 3, c.n_head, c.n_embd // c.n_head).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind()  # each (batch, head, time, d_head)
        if memory is not None:  # (room for the new keys and values, all keys and values so far)
            memory[0].copy_(qkv[1:])
            k, v = memory[1].unbind()
        mixed = look(q, k, v, c.attention_window, layer, maps)
        mixed = mixed.transpose(1, 2).reshape(x.shape)  # the heads side by side again
        return torch.addmm(self.out_bias, mixed, self.out_weight)

    def mlp(self, x: Tensor, c: GPTConfig) -> Tensor:
        """Four times wider, a soft switch (GELU), and back."""
        x = torch.layer_norm(x, (c.n_embd,), self.ln_2_weight, self.ln_2_bias, c.layer_norm_epsilon)
        x = F.gelu(torch.addmm(self.up_bias, x, self.up_weight), approximate="tanh")
        return torch.addmm(self.down_bias, x, self.down_weight)


def look(q: Tensor, k: Tensor, v: Tensor, window: int | None, layer: int, maps: list | None) -> Tensor:
    """Mixes values by how well queries (those of the last tokens) and keys agree (batch, head, time, d)."""
    new, seen = q.shape[2], k.shape[2]
    if new == 1 and maps is None:  # the newest token may see all, or the last `window`: cut instead of mask
        if is_banded(window, layer):
            k, v = k[:, :, -window:], v[:, :, -window:]
        return F.scaled_dot_product_attention(q, k, v)
    if new == seen and maps is None and not is_banded(window, layer):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    mask = attention_mask(seen, window, layer)[seen - new :].to(q.device)
    if maps is None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
    maps.append(scores.masked_fill(~mask, -math.inf).softmax(-1))
    return maps[-1] @ v


class Cache:
    """Keys and values of the tokens already read, so that none is computed twice; allocated once."""

    def __init__(self, model: GPT, batch: int, size: int):
        c, like = model.config, model.weights["wte.weight"]
        self.length = 0
        self.data = like.new_empty(c.n_layer, 2, batch, c.n_head, size, c.n_embd // c.n_head)

    def advance(self, time: int) -> list[tuple[Tensor, Tensor]]:
        """Opens room for `time` tokens; returns, for each layer, that room and everything up to its end."""
        start, self.length = self.length, self.length + time
        room, seen = self.data[..., start : self.length, :], self.data[..., : self.length, :]
        return list(zip(room.unbind(), seen.unbind(), strict=True))


class GPT:
    """A decoder-only transformer: embeddings, blocks, a final layer norm, the embedding again as the head."""

    def __init__(self, config: GPTConfig, weights: dict[str, Tensor] | None = None):
        """Takes weights by name, or draws random ones as GPT-2 did."""
        shapes = expected_shapes(config.vocab_size, config.n_positions, config.n_embd, config.n_layer)
        self.config = config
        self.weights = w = weights or {
            name: torch.randn(shape) * 0.02 if len(shape) == 2 else torch.full(shape, float("weight" in name))
            for name, shape in shapes.items()
        }
        self.blocks = [Block(*(w[f"h.{i}.{name}"] for name in BLOCK_TENSORS)) for i in range(config.n_layer)]

    @classmethod
    def from_pretrained(cls, source, attention_window: int | None = None) -> GPT:
        """Copies, in float32, the weights of a GPT2LMHeadModel or of a folder (see `read_checkpoint`)."""
        settings, weights = read_checkpoint(source)
        shape = (settings[key] for key in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"))
        return cls(GPTConfig(*shape, attention_window, settings.get("layer_norm_epsilon", 1e-5)), weights)

    def forward(self, ids: Tensor, cache: Cache | None = None, return_attention=False, last_only=False):
        """Computes the logits of the token that follows each position.

        Args:
            ids: token ids (batch, time).
            cache: keys and values of the tokens already read; `ids` then continue them.
            return_attention: also return who looked at whom, one (batch, head, time, seen) tensor a layer.
            last_only: logits of the last position alone, which is all that generation needs.

        Returns:
            Logits (batch, time or 1, vocab); with `return_attention` a pair (logits, list of weights).
        """
        (batch, time), c, w = ids.shape, self.config, self.weights
        start = cache.length if cache else 0
        self.check_fits(start + time)
        memory = cache.advance(time) if cache else [None] * c.n_layer
        maps = [] if return_attention else None

        x = F.embedding(ids, w["wte.weight"]) + w["wpe.weight"][start : start + time]
        x = x.view(batch * time, c.n_embd)
        for layer, block in enumerate(self.blocks):
            x = x + block.attention(x, batch, c, layer, memory[layer], maps)
            x = x + block.mlp(x, c)
        x = x.view(batch, time, c.n_embd)
        if last_only:
            x = x[:, -1:]
        x = torch.layer_norm(x, (c.n_embd,), w["ln_f.weight"], w["ln_f.bias"], c.layer_norm_epsilon)
        logits = F.linear(x, w["wte.weight"])
        return (logits, maps) if return_attention else logits

    __call__ = forward

    def check_fits(self, time: int) -> None:
        """Raises a ValueError where a text is longer than the context window."""
        if time > (limit := self.config.n_positions):
            raise ValueError(
                f"{time} tokens do not fit into the context window of {limit}: shorten the text."
            )

    @torch.inference_mode()
    def generate(
        self,
        ids: Tensor,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_k: int | None = None,
        generator: torch.Generator | None = None,
        eos_token_id: int | None = None,
    ) -> Tensor:
        """Continues every sequence of a batch, one token after the other.

        Args:
            ids: prompts of equal length (batch, time).
            max_new_tokens: how many tokens to add at most.
            temperature: 0 takes the likeliest token (greedy); 1 samples as the model believes.
            top_k: sample among the k likeliest tokens only.
            generator: source of randomness, for repeatable samples.
            eos_token_id: a sequence that has produced it is filled with it; when all have, generation ends.

        Returns:
            Prompts and continuations (batch, time + at most max_new_tokens).

        Raises:
            ValueError: an empty prompt, or more tokens than the context window holds.
        """
        batch, time = ids.shape
        if time == 0:
            raise ValueError("The prompt is empty: give at least one token, for instance end-of-text.")
        if temperature < 0 or (top_k is not None and top_k < 1):
            raise ValueError(f"temperature={temperature} must be at least 0, and top_k={top_k} at least 1.")
        self.check_fits(time + max_new_tokens)
        text = torch.cat([ids, ids.new_zeros(batch, max_new_tokens)], dim=1)
        cache = Cache(self, batch, time + max_new_tokens)
        new, done = ids, ids.new_zeros(batch, 1, dtype=torch.bool)
        for end in range(time, time + max_new_tokens):
            logits = self.forward(new, cache, last_only=True)[:, -1]
            new = choose(logits, temperature, top_k, generator)
            if eos_token_id is not None:
                new = new.masked_fill(done, eos_token_id)
                done |= new == eos_token_id
            text[:, end : end + 1] = new
            if eos_token_id is not None and done.all():
                return text[:, : end + 1]
        return text


def choose(logits: Tensor, temperature: float, top_k: int | None, generator) -> Tensor:
    """Picks the next token of each sequence (batch, 1) from the logits (batch, vocab)."""
    if temperature == 0:
        return logits.argmax(-1, keepdim=True)
    if top_k is not None and top_k < logits.shape[-1]:
        logits = logits.masked_fill(logits < logits.topk(top_k).values[:, -1:], -math.inf)
    return torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
