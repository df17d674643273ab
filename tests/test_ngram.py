"""The n-gram baselines: probabilities, the formula by hand, and that more context helps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.ngram import NGram


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_probabilities_sum_to_one_after_every_history(data):
    vocab_size = data.draw(st.integers(1, 7))
    order = data.draw(st.integers(1, 5))
    token = st.integers(0, vocab_size - 1)
    ids = data.draw(st.lists(token, min_size=order, max_size=60))
    history = data.draw(st.lists(token, min_size=1, max_size=6))  # seen or not
    rows = np.array([[*history, w] for w in range(vocab_size)])
    logprobs = NGram(np.array(ids), vocab_size, order).logprobs(rows)
    assert logprobs.shape == (vocab_size, len(history))
    np.testing.assert_allclose(np.exp(logprobs[:, -1]).sum(), 1, rtol=1e-12)
    assert np.isfinite(logprobs).all()


def test_unigram_by_hand():
    ids = np.array([0, 0, 0, 1, 1, 2])  # counts 3, 2, 1: one token seen once, one seen twice
    d = 1 / (1 + 2 * 1)
    expected = [(c - d + d * 3 / 4) / 6 for c in (3, 2, 1)] + [d * 3 / 4 / 6]
    rows = np.array([[0, w] for w in range(4)])
    np.testing.assert_allclose(np.exp(NGram(ids, 4, order=1).logprobs(rows))[:, 0], expected, rtol=1e-12)


def test_bigram_by_hand():
    ids = np.array([0, 1, 0, 1, 0, 2])  # bigrams 01 ×2, 10 ×2, 02 ×1
    d = 1 / (1 + 2 * 2)
    lower = [(1 - 0.5 + 0.5) / 3] * 3  # 0, 1 and 2 each end one kind of bigram: no count of 2, so d = 0.5
    after_0 = [d * 2 * lower[0] / 3, (2 - d + d * 2 * lower[1]) / 3, (1 - d + d * 2 * lower[2]) / 3]
    rows = np.array([[0, w] for w in range(3)])
    np.testing.assert_allclose(np.exp(NGram(ids, 3, order=2).logprobs(rows))[:, 0], after_0, rtol=1e-12)
    after_2 = NGram(ids, 3, order=2).logprobs(np.array([[2, 1]]))  # 2 was followed by nothing
    np.testing.assert_allclose(np.exp(after_2[0, 0]), lower[1], rtol=1e-12)


def test_context_helps_on_text():
    from itertools import islice

    from course_lib.world.documents import documents

    def letters(split: str) -> np.ndarray:
        text = "\n".join(document["text"] for document in islice(documents(0, split), 150))
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.int64)

    train, held_out = letters("train"), letters("validation")[None, :20_000]
    losses = [-NGram(train, 256, order).logprobs(held_out).mean() for order in (1, 2, 3, 5)]
    assert losses == sorted(losses, reverse=True)
    assert losses[3] < 0.6 * losses[0]


def test_what_cannot_be_counted():
    with pytest.raises(ValueError, match="no 5-gram"):
        NGram(np.array([1, 2, 3]), 4)
    with pytest.raises(ValueError, match="do not fit into 64 bits"):
        NGram(np.arange(10), 50_257)
