"""What a language model must beat: n-gram counts, smoothed as was best before neural networks.

Interpolated Kneser–Ney (Kneser & Ney, 1995; Chen & Goodman, 1999, section 4.1.6) with one discount an order.
"""

from __future__ import annotations

import numpy as np


class NGram:
    """An interpolated Kneser–Ney model over token ids; of order 1 it is a smoothed unigram.

    A token w after the history h, seen c(hw) times, gets

        p(w | h) = (max(c(hw) - d, 0) + d N(h) p(w | h without its first token)) / c(h)

    where N(h) is the number of different tokens seen after h, c(h) the sum of their counts, and d a discount.
    Below the longest n-grams, c is in how many contexts an n-gram was seen, not how often. Below the unigram
    lies 1 / vocab_size, so that no token is impossible.
    """

    def __init__(self, ids: np.ndarray, vocab_size: int, order: int = 5):
        """Counts.

        Args:
            ids: the training text, one long sequence (time,).
            vocab_size: number of tokens there are.
            order: tokens an n-gram has, the predicted one included.

        Raises:
            ValueError: a text shorter than one n-gram, or n-grams that do not fit an integer of 64 bits.
        """
        if len(ids) < order or order < 1:
            raise ValueError(f"A text of {len(ids)} tokens has no {order}-gram.")
        if vocab_size**order >= 2**63:
            raise ValueError(f"{order}-grams of {vocab_size} tokens do not fit into 64 bits: take fewer.")
        self.vocab_size, self.order = vocab_size, order
        keys, counts = np.unique(self._keys(np.asarray(ids), order), return_counts=True)
        self.tables = []
        for n in range(order, 0, -1):
            self.tables.insert(0, _Table(keys, counts, vocab_size))
            # drop the first token: each different n-gram counts once for the shorter one it ends in
            keys, counts = np.unique(keys % vocab_size ** (n - 1), return_counts=True)

    def _keys(self, ids: np.ndarray, n: int) -> np.ndarray:
        """Write each n-gram (…, time) as one number in base vocab_size: (…, time - n + 1)."""
        length = ids.shape[-1] - n + 1
        keys = np.zeros((*ids.shape[:-1], length), dtype=np.int64)
        for i in range(n):
            keys = keys * self.vocab_size + ids[..., i : i + length]
        return keys

    def logprobs(self, ids: np.ndarray) -> np.ndarray:
        """Return the natural log-probability of every token but the first, given those before it in its row.

        Args:
            ids: token ids (rows, time).

        Returns:
            Log-probabilities (rows, time - 1), the targets of a language model on the same rows.
        """
        ids = np.asarray(ids)
        p = np.full(ids.shape, 1 / self.vocab_size)
        for n, table in enumerate(self.tables, start=1):
            if ids.shape[-1] >= n:  # the first n - 1 tokens of a row have no history this long
                p[:, n - 1 :] = table.interpolate(self._keys(ids, n), p[:, n - 1 :])
        return np.log(p[:, 1:])


class _Table:
    """The n-grams of one length: their counts, and for each history its total and its number of followers."""

    def __init__(self, keys: np.ndarray, counts: np.ndarray, vocab_size: int):
        self.keys, self.counts, self.vocab_size = keys, counts, vocab_size
        self.histories, first = np.unique(keys // vocab_size, return_index=True)
        self.totals = np.add.reduceat(counts, first)
        self.followers = np.diff(np.append(first, len(keys)))
        once, twice = (counts == 1).sum(), (counts == 2).sum()
        self.discount = once / (once + 2 * twice) if once and twice else 0.5  # Ney, Essen & Kneser, 1994

    def interpolate(self, keys: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Return p(w | h) of n-grams from the probabilities `lower` of the shorter ones (same shape)."""
        count = _look_up(self.keys, self.counts, keys)
        histories = keys // self.vocab_size
        total = _look_up(self.histories, self.totals, histories)
        followers = _look_up(self.histories, self.followers, histories)
        seen = np.maximum(count - self.discount, 0) + self.discount * followers * lower
        return np.where(total > 0, seen / np.maximum(total, 1), lower)


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the values of the wanted keys, 0 where a key is not there; `keys` are sorted."""
    place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[place] == wanted, values[place], 0)
