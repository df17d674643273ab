"""How big and how dear a GPT is, by formula: parameters, operations per token, bytes of key-value cache.

Plain arithmetic on the slide "Details of GPT implementation" (Table 2.1 of Brown et al., 2020), so that a
printed size can be recomputed by hand and a misprint gives itself away. Needs no torch.
"""

from __future__ import annotations

from dataclasses import dataclass

GPT3_VOCAB, GPT3_CONTEXT = 50257, 2048  # byte-level BPE of GPT-2; "Context window of 2048 tokens"


@dataclass(frozen=True)
class Size:
    """One row of Table 2.1 as the deck prints it; `batch_size` is in tokens, `n_params` the printed total."""

    name: str
    n_params: float
    n_layers: int
    d_model: int
    n_heads: int
    d_head: int
    batch_size: float
    learning_rate: float

    @property
    def computed(self) -> int:
        """The number of parameters that the printed layers and width make."""
        return n_parameters(self.n_layers, self.d_model)

    @property
    def error(self) -> float:
        """How far the computed size is from the printed one, as a fraction of the printed."""
        return self.computed / self.n_params - 1


TABLE_2_1 = (
    Size("GPT-3 Small", 125e6, 12, 768, 12, 64, 0.5e6, 6.0e-4),
    Size("GPT-3 Medium", 350e6, 24, 1024, 16, 64, 0.5e6, 3.0e-4),
    Size("GPT-3 Large", 760e6, 24, 1536, 16, 96, 0.5e6, 2.5e-4),
    Size("GPT-3 XL", 1.3e9, 24, 2048, 24, 128, 1e6, 2.0e-4),
    Size("GPT-3 2.7B", 2.7e9, 32, 2560, 32, 80, 1e6, 1.6e-4),
    Size("GPT-3 6.7B", 6.7e9, 32, 4096, 32, 128, 2e6, 1.2e-4),
    Size("GPT-3 13B", 13.0e9, 40, 5140, 40, 128, 2e6, 1.0e-4),
    Size('GPT-3 175B or "GPT-3"', 175.0e9, 96, 12288, 96, 128, 3.2e6, 0.6e-4),
)


def parameter_table(
    n_layers: int, d_model: int, vocab_size: int = GPT3_VOCAB, n_positions: int = GPT3_CONTEXT
) -> dict[str, int]:
    """Counts the parameters of a GPT part by part; the head is the token embedding again and costs nothing.

    Args:
        n_layers: number of blocks.
        d_model: width of the stream between the blocks.
        vocab_size: number of tokens known.
        n_positions: length of the context window.

    Returns:
        Part of the model to number of parameters.
    """
    d = d_model
    return {
        "token embeddings (= head)": vocab_size * d,
        "position embeddings": n_positions * d,
        "attention": n_layers * (4 * d * d + 4 * d),  # queries, keys, values, output: weights and biases
        "MLP": n_layers * (8 * d * d + 5 * d),  # to 4 d and back: weights and biases
        "layer norms": (2 * n_layers + 1) * 2 * d,  # two in each block and a final one: scale and shift
    }


def n_parameters(
    n_layers: int, d_model: int, vocab_size: int = GPT3_VOCAB, n_positions: int = GPT3_CONTEXT
) -> int:
    """Counts all parameters of a GPT; arguments as in `parameter_table`."""
    return sum(parameter_table(n_layers, d_model, vocab_size, n_positions).values())


def contradictions(rows: tuple[Size, ...] = TABLE_2_1, tolerance: float = 0.10) -> dict[str, list[str]]:
    """Finds rows whose printed numbers contradict each other: heads times their width, or the size itself.

    Args:
        rows: rows to check.
        tolerance: how far, as a fraction, a computed size may be from the printed one.

    Returns:
        Name of the row to sentences that say what does not fit; rows without contradiction are left out.
    """
    found: dict[str, list[str]] = {}
    for row in rows:
        product = row.n_heads * row.d_head
        if product != row.d_model:
            found.setdefault(row.name, []).append(
                f"{row.n_heads} heads x {row.d_head} = {product}, but d_model is printed as {row.d_model}"
            )
        if abs(row.error) > tolerance:
            found.setdefault(row.name, []).append(
                f"{row.n_layers} layers of width {row.d_model} make {row.computed / 1e9:.2f}B parameters, "
                f"{row.error:+.0%} of the printed {row.n_params / 1e9:.2f}B"
            )
    return found


def forward_flops(n_layers: int, d_model: int, context: int, vocab_size: int = GPT3_VOCAB) -> int:
    """Counts the operations of one token's way through the model.

    Every weight of a matrix is used in one multiplication and one addition (the "2 N" of Kaplan et al.,
    2020, section 2.1, with the head counted and the look-up tables not); on top of it each layer compares
    the query with `context` keys and sums as many values.

    Args:
        n_layers: number of blocks.
        d_model: width.
        context: number of tokens looked at, itself included.
        vocab_size: number of rows of the head.
    """
    weights = 12 * n_layers * d_model**2 + vocab_size * d_model
    return 2 * weights + 4 * n_layers * context * d_model


def training_flops(n_layers: int, d_model: int, context: int, vocab_size: int = GPT3_VOCAB) -> int:
    """Counts the operations of training on one token: forward, and twice as much backward."""
    return 3 * forward_flops(n_layers, d_model, context, vocab_size)


def kv_cache_bytes(
    n_layers: int, d_model: int, tokens: int, batch: int = 1, bytes_per_number: int = 2
) -> int:
    """Counts the bytes of the keys and values of `tokens` tokens of `batch` sequences (2 bytes: float16)."""
    return 2 * n_layers * d_model * tokens * batch * bytes_per_number
