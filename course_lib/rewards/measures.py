"""What a reward model is worth: does it order answers as labelers do, and is it sure where it is right?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from course_lib.rewards.comparisons import Ranking


def pair_hits(rankings: Sequence[Ranking], rewards: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Tell for each pair whether the better answer has the higher reward.

    Args:
        rankings: by labelers.
        rewards: of the answers of each (answers,).

    Returns:
        For each ranking, True or False for each of its pairs (pairs,).
    """
    return [
        np.array([reward[better] > reward[worse] for better, worse in ranking.pairs])
        for ranking, reward in zip(rankings, rewards, strict=True)
    ]


def pair_accuracy(
    rankings: Sequence[Ranking], rewards: Sequence[np.ndarray], confidence: float = 0.95, seed: int = 0
) -> tuple[float, float, float]:
    """Return how many pairs are ordered as the labeler ordered them, every ranking counting alike.

    The pairs of one ranking are no independent sample; rankings are. So the interval is the bootstrap's over
    rankings.

    Args:
        rankings, rewards: see `pair_hits`.
        confidence: how often such an interval holds the true accuracy.
        seed: of the bootstrap.

    Returns:
        The accuracy, and the interval's ends.
    """
    from scipy.stats import bootstrap

    each = np.array([hits.mean() for hits in pair_hits(rankings, rewards)])
    if np.ptp(each) == 0 or len(each) < 2:
        return (float(each.mean()),) * 3
    found = bootstrap((each,), np.mean, confidence_level=confidence, method="percentile", rng=seed)
    return float(each.mean()), *map(float, found.confidence_interval)


def accuracy_by_distance(
    rankings: Sequence[Ranking], rewards: Sequence[np.ndarray]
) -> dict[int, tuple[float, int]]:
    """Return the accuracy on pairs so many ranks apart, and how many pairs these are."""
    hits = np.concatenate(pair_hits(rankings, rewards))
    apart = np.array([r.ranks[worse] - r.ranks[better] for r in rankings for better, worse in r.pairs])
    return {
        int(n): (float(hits[apart == n].mean()), int((apart == n).sum())) for n in sorted(set(apart.tolist()))
    }


def calibration(
    rankings: Sequence[Ranking], rewards: Sequence[np.ndarray], n_bins: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Return how sure the model is of a pair's order, and how often it is right then.

    The model says that the first answer is better with probability σ(r₁ − r₂). Which of two is called first
    is chance: here, the one that comes first in the ranking's list.

    Args:
        rankings, rewards: see `pair_hits`.
        n_bins: groups of as many pairs each.

    Returns:
        In each group the mean probability, and the share of pairs in which the first was better (bins,).
    """
    from sklearn.calibration import calibration_curve

    said, first_won = [], []
    for ranking, reward in zip(rankings, rewards, strict=True):
        for better, worse in ranking.pairs:
            first, second = sorted((better, worse))
            said.append(1 / (1 + math.exp(-(reward[first] - reward[second]))))
            first_won.append(first == better)
    won, sure = calibration_curve(first_won, said, n_bins=n_bins, strategy="quantile")
    return sure, won


def best_of_n(proxy: np.ndarray, true: np.ndarray, n: int) -> float:
    """Return the mean true reward of the best of n answers by a proxy, without sampling any again.

    All choices of n from the N answers to a prompt are averaged over: the answer with the k-th lowest proxy
    is the best of (k−1 choose n−1) of the (N choose n) choices (Nakano et al., 2021, appendix I).

    Args:
        proxy: the rewards that choose (prompts, N).
        true: the rewards that count (prompts, N).
        n: at most N.

    Raises:
        ValueError: n is not among 1 … N.
    """
    total = proxy.shape[1]
    if not 1 <= n <= total:
        raise ValueError(f"The best of {n} cannot be found among {total} answers.")
    chosen = np.array([math.comb(k, n - 1) for k in range(total)]) / math.comb(total, n)
    in_order = np.take_along_axis(true, proxy.argsort(1, kind="stable"), 1)
    return float((in_order * chosen).sum(1).mean())


def best_of_n_kl(n: float) -> float:
    """Return how far the best of n is from the policy: log n − (n−1)/n nats (Stiennon et al., 2020).

    It is less where answers may be the same.
    """
    return math.log(n) - (n - 1) / n
