"""How sure an accuracy is: its interval, and whether answers to the same questions differ beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def interval(hits: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return an accuracy with its confidence interval (Wilson, 1927).

    Args:
        hits: whether each answer is right (questions,).
        confidence: how often such an interval holds the true accuracy.

    Returns:
        The share of right answers, and the interval's ends.
    """
    from scipy.stats import binomtest

    low, high = binomtest(int(hits.sum()), len(hits)).proportion_ci(confidence, "wilson")
    return float(hits.mean()), float(low), float(high)


def p_better(hits: np.ndarray, others: np.ndarray) -> float:
    """Return how probable it is that chance alone makes some answers better than others to that degree.

    McNemar's exact test, one-sided: only questions that one side gets right and the other wrong can tell.

    Args:
        hits: whether each answer is right (questions,).
        others: the same of the other side, to the same questions (questions,).
    """
    from scipy.stats import binomtest

    mended, spoilt = int((hits & ~others).sum()), int((others & ~hits).sum())
    if not mended + spoilt:
        return 1.0
    return float(binomtest(mended, mended + spoilt, alternative="greater").pvalue)


def p_more(values: Sequence[float] | np.ndarray, others: Sequence[float] | np.ndarray) -> float:
    """Return how probable it is that chance alone makes some values larger on average to that degree.

    The paired t-test, one-sided: unlike a test of ranks, it is about the means that one reads off a table.

    Args:
        values: a number for each question, such as the share of seeds that get it right (questions,).
        others: the same of the other side, for the same questions (questions,).
    """
    import numpy as np
    from scipy.stats import ttest_rel

    if np.array_equal(values, others):
        return 1.0
    return float(ttest_rel(values, others, alternative="greater").pvalue)


def p_differ(hits: Sequence[np.ndarray]) -> float:
    """Return how probable it is that chance alone makes several prompts differ to that degree.

    Friedman's test, which on right and wrong is Cochran's Q.

    Args:
        hits: for each of three or more prompts, whether its answers to the same questions are right
            (prompts, questions).
    """
    import numpy as np
    from scipy.stats import friedmanchisquare

    some = np.asarray(hits)
    if (some == some[0]).all():
        return 1.0
    return float(friedmanchisquare(*some).pvalue)
