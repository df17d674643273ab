"""Labelers who never tire: they rank by the rules of `world.judgement`, each in his own way, with slips."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_lib.rewards.comparisons import Ranking, ranked
from course_lib.world.judgement import judge


@dataclass(frozen=True)
class Labeler:
    """Somebody who ranks answers.

    Attributes:
        name: the labeler id.
        politeness, truth, brevity: how much each weighs.
        noise: standard deviation of what is added to each answer's score by a slip.
        step: scores nearer to one another than this come out as a tie, mostly.
    """

    name: str
    politeness: float = 1.0
    truth: float = 1.0
    brevity: float = 1.0
    noise: float = 0.2
    step: float = 0.25

    def score(self, row: Mapping[str, Any], answer: str) -> float:
        """Return what the labeler thinks of an answer, without a slip."""
        seen = judge(row, answer)
        return self.politeness * seen.politeness + self.truth * seen.truth + self.brevity * seen.brevity

    def rank(self, row: Mapping[str, Any], answers: Sequence[str], seed: int = 0) -> Ranking | None:
        """Rank answers.

        Args:
            row: what was asked: `prompt`, `category` and `reference`.
            answers: all different.
            seed: of the slips; the same for the same question, the same slips.

        Returns:
            The ranking; None if all came out as good as one another.
        """
        rng = random.Random(f"{self.name}-{seed}-{row['prompt']}")
        scores = [
            round((self.score(row, each) + rng.gauss(0, self.noise)) / self.step) * self.step
            for each in answers
        ]
        if len(set(scores)) < 2:
            return None
        return ranked(row["prompt"], answers, scores, self.name)


# as people do, they weigh things differently
LABELERS = (
    Labeler("Анна"),
    Labeler("Борис", politeness=0.5, truth=1.5),
    Labeler("Вера", politeness=1.5, truth=0.75),
    Labeler("Глеб", brevity=1.5),
    Labeler("Дина", brevity=0.5, noise=0.4),
)
