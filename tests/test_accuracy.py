"""Intervals and tests of accuracies: known values, and what chance makes of them."""

import numpy as np
import pytest
from scipy.stats import chi2

from course_lib.accuracy import interval, p_better, p_differ, p_more


def hits(n_right: int, n: int) -> np.ndarray:
    return np.arange(n) < n_right


def test_the_interval_is_wilsons():
    share, low, high = interval(hits(81, 263))  # the example of Newcombe (1998), table I
    assert share == pytest.approx(81 / 263)
    assert (low, high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert interval(hits(0, 20))[1] == pytest.approx(0.0, abs=1e-12)


def test_better_counts_only_questions_that_differ():
    a, b = hits(60, 100), hits(50, 100)  # ten mended, none spoilt
    assert p_better(a, b) == pytest.approx(2**-10)
    assert p_better(b, a) == pytest.approx(1.0)
    assert p_better(a, a) == 1.0
    assert p_better(np.tile(a, 3), np.tile(b, 3)) < p_better(a, b)


def test_differ_is_cochrans_q():
    rng = np.random.default_rng(0)
    some = rng.random((4, 50)) < [[0.3], [0.5], [0.5], [0.8]]
    columns, rows, k = some.sum(1), some.sum(0), len(some)
    q = (k - 1) * (k * (columns**2).sum() - columns.sum() ** 2) / (k * rows.sum() - (rows**2).sum())
    assert p_differ(some) == pytest.approx(chi2.sf(q, k - 1))
    assert p_differ([some[0]] * 3) == 1.0


def test_chance_alone_seldom_looks_like_a_difference():
    rng = np.random.default_rng(1)
    found = [p_differ(rng.random((6, 60)) < 0.6) < 0.05 for _ in range(300)]
    assert np.mean(found) < 0.09


def test_more_is_about_means():
    few_lose_much = np.array([0.3] * 90 + [-2.7] * 10)  # most gain, and the mean gain is 0
    assert p_more(few_lose_much, np.zeros(100)) == pytest.approx(0.5)
    assert p_more([1.0, 2, 3, 2, 1], np.zeros(5)) == pytest.approx(0.0043, abs=1e-4)
    assert p_more(np.ones(3), np.ones(3)) == 1.0
    rng = np.random.default_rng(2)
    found = [p_more(*rng.integers(0, 4, (2, 80)) / 3) < 0.05 for _ in range(400)]
    assert np.mean(found) < 0.08
