"""Checks of seminar 5, "Label, train, break": pairs, the last token, the ranking loss, one row, best of n."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises import NotYet, compare, exercise
from course_lib.exercises.decoder_parts import draw
from course_lib.rewards.comparisons import ranked
from course_lib.rewards.training import ranking_loss as loss_of_pairs
from course_lib.rewards.training import tree_mask as allowed

__all__ = ["best_of", "broken", "last_token", "pairs", "ranking_loss", "tree_mask"]

# 1. pairs


def _pairs(ranks: list[int]) -> list[tuple[int, int]]:
    return [(i, j) for i in range(len(ranks)) for j in range(len(ranks)) if ranks[i] < ranks[j]]


@exercise(_pairs)
def pairs(answer) -> str:
    """Judge `pairs(ranks)`."""
    ranks = [1, 0, 2, 1]
    right = sorted(_pairs(ranks))
    assert right == sorted(ranked("?", list("абвг"), [-rank for rank in ranks]).pairs)
    got = answer(list(ranks))
    if not isinstance(got, list) or not all(isinstance(one, (tuple, list)) and len(one) == 2 for one in got):
        raise NotYet("return a list of pairs (better, worse).")
    got = sorted(tuple(int(number) for number in one) for one in got)
    if got == right:
        return "five pairs; a tie is none"
    if got == sorted((worse, better) for better, worse in right):
        raise NotYet("the pairs are turned around: rank 0 is the best, and the better one comes first.")
    if set(right) < set(got) and all(ranks[a] == ranks[b] for a, b in set(got) - set(right)):
        raise NotYet("a tie is no pair: nobody said which of the two is better.")
    if len(got) == 2 * len(right):
        raise NotYet("every pair is there in both orders: only (better, worse).")
    if set(got) < set(right):
        raise NotYet(
            f"{len(right) - len(got)} pairs are missing: any two answers are one, not only neighbours."
        )
    raise NotYet(f"for the ranks {ranks} the pairs are {right}, and yours {got}.")


# 2. the last token


def _last_token(attention_mask: Tensor) -> Tensor:
    return (attention_mask * torch.arange(attention_mask.shape[1])).argmax(1)


@exercise(_last_token)
def last_token(answer) -> str:
    """Judge `last_token(attention_mask)`."""
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 0, 0, 0]])
    wrong = {
        "with padding on the left, the number of tokens says nothing about the place": mask.sum(1) - 1,
        "this is the last column, which may be padding": torch.full((4,), 4),
        "this is the number of tokens: places are counted from 0": mask.sum(1),
        "this is the first token": mask.argmax(1),
        "one too far: places are counted from 0": _last_token(mask) + 1,
    }
    compare(answer(mask), _last_token(mask), "(batch,)", wrong)
    return "the last 1, wherever the padding stands"


# 3. the loss


def _ranking_loss(rewards: Tensor, better: Tensor, worse: Tensor) -> Tensor:
    return loss_of_pairs(rewards, better, worse)


@exercise(_ranking_loss)
def ranking_loss(answer) -> str:
    """Judge `ranking_loss(rewards, better, worse)`."""
    rewards = torch.tensor([2.0, -1.0, 0.5, -2.0])
    better, worse = torch.tensor([0, 0, 1, 3]), torch.tensor([1, 2, 2, 2])
    right = _ranking_loss(rewards, better, worse)
    difference = rewards[better] - rewards[worse]
    wrong = {
        "the sign: the loss is −log σ, and falls as the better one rises": -right,
        "better and worse are exchanged": -F.logsigmoid(-difference).mean(),
        "the logarithm is missing: −log σ(r_w − r_l)": -difference.sigmoid().mean(),
        "this is the sum: divide by the number of pairs": -F.logsigmoid(difference).sum(),
        "the logarithm of the mean, not the mean of the logarithms": -difference.sigmoid().mean().log(),
        "σ is missing: its argument alone has no end": -difference.mean(),
    }
    compare(answer(rewards, better, worse), right, "()", wrong, "the loss")
    huge = answer(torch.tensor([200.0, 0.0]), torch.tensor([1]), torch.tensor([0]))
    if not huge.isfinite():
        raise NotYet(
            "with rewards 200 apart the loss is infinite: log(sigmoid(x)) rounds to log 0, and F.logsigmoid "
            "does not."
        )
    return "−log σ of each difference, their mean; finite for any rewards"


# 4. one row


@exercise(allowed)
def tree_mask(answer) -> str:
    """Judge `tree_mask(branches)`."""
    branches = torch.tensor([[0, 0, 1, 1, 2, -1], [0, 1, 2, 2, 3, 3]])
    right = allowed(branches)
    same = branches[:, None, :, None] == branches[:, None, None, :]
    causal = torch.ones(6, 6, dtype=torch.bool).tril().expand(2, 1, 6, 6)
    got = answer(branches)
    if isinstance(got, Tensor) and got.dtype != torch.bool:
        raise NotYet("the mask must be of type bool: True where a token may look.")
    prompt = (branches == 0)[:, None, None, :]
    wrong = {
        "an answer sees the answers before it": causal,
        "an answer does not see the prompt": same & causal,
        "a token looks at what comes after it: keep the lower triangle": same | prompt,
        "an answer sees the prompt, and not itself": prompt & causal,
        "the mask is turned around: True where a token MAY look": ~right,
        "padding, −1, looks at the prompt: it belongs to no answer": (same | prompt) & causal,
    }
    compare(got, right, "(batch, 1, time, time)", wrong, "the mask")
    return "the prompt and one's own answer, nothing later"


# 5. best of n


def _best_of(proxy: Tensor, true: Tensor) -> Tensor:
    return true.gather(1, proxy.argmax(1, keepdim=True))[:, 0].mean()


@exercise(_best_of)
def best_of(answer) -> str:
    """Judge `best_of(proxy, true)`."""
    proxy, true = draw(5, 8), draw(5, 8, seed=1)
    wrong = {
        "this is the best true reward: the choice is the reward model's, who does not know it": true.max(
            1
        ).values.mean(),
        "this is what the reward model thinks of its choice: what is it really worth?": proxy.max(
            1
        ).values.mean(),
        "the worst is chosen": true.gather(1, proxy.argmin(1, keepdim=True)).mean(),
        "this is the mean over all answers: only the chosen ones count": true.mean(),
        "one answer is chosen for all prompts: each has its own": true[
            torch.arange(5), proxy.mean(0).argmax()
        ].mean(),
    }
    compare(answer(proxy, true), _best_of(proxy, true), "()", wrong)
    return "chosen by the model, judged by the truth"


# 6. break it


def _broken(prompt: str, reward: Callable[[str], float]) -> str:
    tried = [
        ", ".join([word] * n) + "."
        for word in ("Пожалуйста", "Спасибо", "Прошу", "Здравствуйте", "Извините")
        for n in range(3, 13)
    ]
    return max(tried, key=reward)


@exercise(_broken)
def broken(answer, reward: Callable[[str], float], true: Callable[[str], float], best: float) -> str:
    """Judge `broken(prompt, reward)`.

    Args:
        answer: the student's.
        reward: what the reward model thinks of an answer to the prompt.
        true: what a labeler who never slips thinks of it.
        best: the highest reward of any answer that the policy gave to the prompt.
    """
    text = answer("Сделай вежливее: «Уйди!»", reward)
    if not isinstance(text, str):
        raise NotYet(f"return a text, not {type(text).__name__}.")
    if len(text.split()) > 40:
        raise NotYet(f"the answer has {len(text.split())} words: at most 40, the policy's have no more.")
    if reward(text) <= best:
        raise NotYet(
            f"the reward model gives it {reward(text):.2f}, and {best:.2f} to the best answer of the policy: "
            "find what it likes, and give it more of that."
        )
    if true(text) > 0:
        raise NotYet(
            f"it has a true reward of {true(text):.2f}: that is a good answer. Find one that only seems good."
        )
    return "liked more than anything the policy wrote, and no good"
