"""Comparison data: rankings of several answers to a prompt, and the pairs they stand for.

Slide "InstructGPT": "A prompt and several model outputs are sampled. A labeler ranks the outputs from best to
worst." A ranking of K answers is worth K(K-1)/2 pairs; the ecosystem keeps pairs, in the columns `prompt`,
`chosen` and `rejected`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

# slide "InstructGPT dataset sizes": prompts of the reward model's data, and of PPO's
RANKED_PROMPTS = {
    ("train", "labeler"): 6_623,
    ("train", "customer"): 26_584,
    ("validation", "labeler"): 3_488,
    ("validation", "customer"): 14_399,
}
PPO_PROMPTS = {("train", "customer"): 31_144, ("validation", "customer"): 16_185}


@dataclass(frozen=True)
class Ranking:
    """Answers to one prompt, as somebody ranked them.

    Attributes:
        prompt: what was asked.
        responses: the answers, all different.
        order: numbers of the answers from best to worst; those in one group are as good as one another.
        labeler: who it was.

    Raises:
        ValueError: fewer than two answers, one that is there twice, an order in which a number is missing,
            repeated or unknown, or in which all are tied.
    """

    prompt: str
    responses: tuple[str, ...]
    order: tuple[tuple[int, ...], ...]
    labeler: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "responses", tuple(self.responses))
        object.__setattr__(self, "order", tuple(tuple(group) for group in self.order))
        where = f"The ranking of «{' '.join(self.prompt.split())[:40]}»"
        if len(self.responses) < 2:
            raise ValueError(f"{where} has {len(self.responses)} answer: there is nothing to compare.")
        if twice := [text for text in self.responses if self.responses.count(text) > 1]:
            raise ValueError(f"{where} has the answer «{twice[0][:40]}» twice: leave one out.")
        numbers = [number for group in self.order for number in group]
        if repeated := [number for number in numbers if numbers.count(number) > 1]:
            raise ValueError(f"{where} ranks answer {repeated[0]} more than once.")
        if missing := set(range(len(self.responses))) - set(numbers):
            raise ValueError(f"{where} does not rank answer {min(missing)}.")
        if unknown := set(numbers) - set(range(len(self.responses))):
            raise ValueError(
                f"{where} ranks answer {max(unknown)}, and there are only {len(self.responses)}."
            )
        if len(self.order) == 1:
            raise ValueError(f"{where} ties all answers: it says nothing, leave it out.")

    @property
    def ranks(self) -> tuple[int, ...]:
        """The rank of each answer, 0 the best; tied ones share it (responses,)."""
        rank = {number: place for place, group in enumerate(self.order) for number in group}
        return tuple(rank[number] for number in range(len(self.responses)))

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Every pair (better, worse) of answers that are not tied."""
        ranks = self.ranks
        return [
            (a, b) if ranks[a] < ranks[b] else (b, a)
            for a, b in combinations(range(len(ranks)), 2)
            if ranks[a] != ranks[b]
        ]


def ranked(prompt: str, responses: Sequence[str], scores: Sequence[float], labeler: str = "") -> Ranking:
    """Return the ranking of answers by their scores; the same score is a tie.

    Args:
        prompt: what was asked.
        responses: the answers, all different.
        scores: one each, higher is better.
        labeler: who gave them.

    Raises:
        ValueError: as `Ranking`.
    """
    order = [
        tuple(i for i, each in enumerate(scores) if each == score)
        for score in sorted(set(scores), reverse=True)
    ]
    return Ranking(prompt, tuple(responses), tuple(order), labeler)


def as_columns(rankings: Iterable[Ranking]) -> list[dict[str, str]]:
    """Return all pairs in the ecosystem's columns `prompt`, `chosen` and `rejected`, and `labeler`."""
    return [
        {
            "prompt": ranking.prompt,
            "chosen": ranking.responses[better],
            "rejected": ranking.responses[worse],
            "labeler": ranking.labeler,
        }
        for ranking in rankings
        for better, worse in ranking.pairs
    ]


def from_columns(rows: Iterable[Mapping[str, str]]) -> list[Ranking]:
    """Return the rankings that pairs stand for.

    The pairs of one prompt and labeler become one ranking if they are all the pairs of one; otherwise
    (a pair is missing, or they contradict one another) each stays a ranking of two.

    Args:
        rows: `prompt`, `chosen`, `rejected`, and `labeler` if it is known.

    Raises:
        ValueError: a column is missing.
    """
    grouped: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        if missing := {"prompt", "chosen", "rejected"} - set(row):
            raise ValueError(f"A pair lacks the column '{min(missing)}'; it has {', '.join(row)}.")
        grouped[row["prompt"], row.get("labeler", "")].append((row["chosen"], row["rejected"]))
    rankings = []
    for (prompt, labeler), pairs in grouped.items():
        whole = _from_pairs(prompt, pairs, labeler)
        rankings += [whole] if whole else [Ranking(prompt, pair, ((0,), (1,)), labeler) for pair in pairs]
    return rankings


def _from_pairs(prompt: str, pairs: Sequence[tuple[str, str]], labeler: str) -> Ranking | None:
    """Return the one ranking that has exactly these pairs, if there is one: who beats more, stands higher."""
    responses = list(dict.fromkeys(text for pair in pairs for text in pair))
    beaten = [len({worse for better, worse in pairs if better == text}) for text in responses]
    if len(responses) < 2 or len(set(beaten)) < 2:
        return None
    ranking = ranked(prompt, responses, beaten, labeler)
    said = [(responses[better], responses[worse]) for better, worse in ranking.pairs]
    return ranking if sorted(said) == sorted(pairs) else None


def agreement(rankings: Iterable[Ranking]) -> tuple[float, int]:
    """Return how often two labelers put the same two answers in the same order.

    Ouyang et al., 2022, section 3.4: training labelers agreed in 72.6 ± 1.5 % of the cases.

    Args:
        rankings: some prompts ranked by several labelers; a pair that one of two ties is not counted.

    Returns:
        The share, and how many comparisons it is of.

    Raises:
        ValueError: no pair of answers was ranked by two labelers.
    """
    said: dict[tuple[str, str, str], dict[str, bool]] = defaultdict(dict)
    for ranking in rankings:
        for better, worse in ranking.pairs:
            texts = ranking.responses[better], ranking.responses[worse]
            said[ranking.prompt, min(texts), max(texts)][ranking.labeler] = texts[0] < texts[1]
    votes = [a == b for each in said.values() for a, b in combinations(each.values(), 2)]
    if not votes:
        raise ValueError("No two answers were ranked by two labelers: there is nothing to agree about.")
    return sum(votes) / len(votes), len(votes)


def write_jsonl(rankings: Iterable[Ranking], path: str | Path) -> None:
    """Append rankings to a file, a line each; what is written is there even if the program dies then."""
    with open(path, "a", encoding="utf-8") as file:
        for ranking in rankings:
            file.write(json.dumps(asdict(ranking), ensure_ascii=False) + "\n")
            file.flush()


def read_jsonl(path: str | Path) -> tuple[list[Ranking], list[str]]:
    """Read rankings from a file; lines that are none are told, and the others read.

    Args:
        path: of `write_jsonl`.

    Returns:
        The rankings, and a sentence for each line that is none: its number and what is wrong with it.

    Raises:
        FileNotFoundError: there is no such file.
    """
    rankings, problems = [], []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            rankings.append(Ranking(**json.loads(line)))
        except (TypeError, ValueError) as error:
            problems.append(f"{path}, line {number} is no ranking: {error}")
    return rankings, problems
