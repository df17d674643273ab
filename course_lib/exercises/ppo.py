"""Checks of seminar 6, "PPO from its formulas": masks, divergence, advantages, the clipped loss."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises import NotYet, close, compare, exercise
from course_lib.exercises.decoder_parts import draw
from course_lib.ppo import formulas

__all__ = [
    "advantages_and_returns",
    "clipped_loss",
    "gae",
    "kl_penalty",
    "response_mask",
    "token_rewards",
    "value_loss",
]
AXES = "(batch, time)"
MASK = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0]])

# 1. which tokens count


def _response_mask(responses: Tensor, eos_id: int) -> Tensor:
    is_end = (responses == eos_id).long()
    return (is_end.cumsum(1) - is_end == 0).long()


@exercise(_response_mask)
def response_mask(answer) -> str:
    """Judge `response_mask(responses, eos_id)`."""
    responses = torch.tensor([[5, 7, 0, 0, 0], [3, 4, 5, 6, 7], [0, 0, 0, 0, 0], [2, 2, 2, 2, 0]])
    right = _response_mask(responses, 0)
    got = answer(responses, 0)
    wrong = {
        "the end of text is left out: it is a token of the response, with a log-probability of its own": (
            responses != 0
        ).long(),
        "the mask is turned around: 1 where a token counts": 1 - right,
        "one token too many: nothing counts after the first end of text": torch.cat(
            [right[:, :1], right[:, :-1]], 1
        ),
        "padding is counted too: after the first end of text all is padding, though it has the same id": (
            torch.ones_like(right)
        ),
    }
    compare(got, right, AXES, wrong, "the mask")
    return "all tokens up to the first end of text, and that one"


# 2. the price of divergence


@exercise(lambda logprobs, ref_logprobs: formulas.kl_penalty(logprobs, ref_logprobs))
def kl_penalty(answer) -> str:
    """Judge `kl_penalty(logprobs, ref_logprobs)`."""
    logprobs, ref = -draw(3, 6).abs(), -draw(3, 6, seed=1).abs()
    difference = logprobs - ref
    wrong = {
        "this looks like the KL term with the opposite sign: log π − log π_ref": -difference,
        "this is the ratio, not its logarithm": difference.exp(),
        "this is k2, (log r)²/2: here the plain estimate is asked for": difference**2 / 2,
        "this is k3: here the plain estimate is asked for": formulas.kl_penalty(logprobs, ref, "k3"),
        "the probabilities weigh in twice: the tokens were sampled, which is the weighing": (
            logprobs.exp() * difference
        ),
        "this is the sum over a response: one number a token": difference.sum(1),
    }
    compare(answer(logprobs, ref), difference, AXES, wrong)
    return "log π − log π_ref of the sampled tokens"


# 3. rewards, token by token


def _token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, beta: float) -> Tensor:
    return formulas.token_rewards(scores, kl, mask, beta)


@exercise(_token_rewards)
def token_rewards(answer) -> str:
    """Judge `token_rewards(scores, kl, mask, beta)`."""
    scores, kl, beta = torch.tensor([2.0, -1.0, 0.5]), draw(3, 6), 0.3
    right = _token_rewards(scores, kl, MASK, beta)
    last = MASK.sum(1) - 1
    rows = torch.arange(3)

    def placed(at: Tensor, sign: float = -1.0, mask: Tensor = MASK) -> Tensor:
        rewards = sign * beta * kl * mask
        rewards[rows, at.clamp(max=5)] += scores
        return rewards

    wrong = {
        "the KL term has the opposite sign: divergence is paid for, −β·KL": placed(last, sign=1.0),
        "the score stands in the last column: that is padding where the response is shorter": placed(
            torch.full((3,), 5)
        ),
        "the score stands one place behind the last token: mask off by one": placed(last + 1),
        "the score stands one place before the last token: mask off by one": placed((last - 1).clamp(min=0)),
        "the score stands at the first token: it comes at the end": placed(torch.zeros(3, dtype=torch.long)),
        "every token gets the score: the answer as a whole is scored, once": (-beta * kl + scores[:, None])
        * MASK,
        "padding pays for divergence too: multiply by the mask": placed(last, mask=torch.ones_like(MASK)),
        "β is missing": -kl * MASK + torch.zeros(3, 6).scatter_add(1, last[:, None], scores[:, None]),
        "the score is missing": -beta * kl * MASK,
    }
    compare(answer(scores, kl, MASK, beta), right, AXES, wrong)
    return "−β·KL at every token, the score at the last"


# 4. advantages


@exercise(lambda rewards, values, mask, gamma, lam: formulas.gae(rewards, values, mask, gamma, lam)[0])
def gae(answer) -> str:
    """Judge `gae(rewards, values, mask, gamma, lam)`."""
    rewards, values, gamma, lam = draw(3, 6) * MASK, draw(3, 6, seed=1) + 1, 0.9, 0.8
    right = formulas.gae(rewards, values, MASK, gamma, lam)[0]
    whole = torch.ones_like(MASK)
    following = torch.cat([(values * MASK)[:, 1:], torch.zeros(3, 1)], 1)
    unmasked = torch.cat([values[:, 1:], torch.zeros(3, 1)], 1)
    delta = (rewards + gamma * following - values) * MASK
    wrong = {
        "the state after the end of the response is worth something: its value is 0, whatever stands in the "
        "padding": _backward((rewards + gamma * unmasked - values) * MASK, gamma * lam),
        "padding has advantages of its own, which the tokens before it take over": formulas.gae(
            rewards, values, whole, gamma, lam
        )[0]
        * MASK,
        "these are only the first terms δ: sum them with (γλ)^k": delta,
        "λ is missing: the weight of the term k steps on is (γλ)^k": formulas.gae(
            rewards, values, MASK, gamma, 1.0
        )[0],
        "γ is missing": formulas.gae(rewards, values, MASK, 1.0, lam)[0],
        "γ and λ are exchanged": formulas.gae(rewards, values, MASK, lam, gamma)[0],
        "these are the returns: they are advantages plus values": right + values * MASK,
        "the sum goes forward in time: an advantage sums what comes after": _forward(delta, gamma * lam),
        "the sign of the value is turned: δ = r + γV′ − V": formulas.gae(rewards, -values, MASK, gamma, lam)[
            0
        ],
    }
    compare(answer(rewards, values, MASK, gamma, lam), right, AXES, wrong)
    return "δ, and what follows with the weight γλ"


def _backward(delta: Tensor, weight: float) -> Tensor:
    return _forward(delta.flip(1), weight, MASK.flip(1)).flip(1)


def _forward(delta: Tensor, weight: float, mask: Tensor = MASK) -> Tensor:
    summed, total = torch.zeros_like(delta), torch.zeros(len(delta))
    for t in range(delta.shape[1]):
        total = (delta[:, t] + weight * total) * mask[:, t]
        summed[:, t] = total
    return summed


# 5. whitened advantages, and returns


def _advantages_and_returns(advantages: Tensor, values: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    return formulas.whiten(advantages, mask), (advantages + values) * mask


@exercise(_advantages_and_returns)
def advantages_and_returns(answer) -> str:
    """Judge `advantages_and_returns(advantages, values, mask)`."""
    advantages, values = (3 * draw(3, 6) + 2) * MASK, draw(3, 6, seed=1) + 1
    white, returns = _advantages_and_returns(advantages, values, MASK)
    got = answer(advantages, values, MASK)
    if not isinstance(got, tuple) or len(got) != 2:
        raise NotYet("return two tensors: the whitened advantages, and the returns.")
    compare(
        got[1],
        returns,
        AXES,
        {
            "the returns are computed from the whitened advantages: they are what the values are to be, and "
            "must keep their size": (white + values) * MASK,
            "these are the advantages: the returns are advantages plus values": advantages,
            "these are advantages minus values": (advantages - values) * MASK,
        },
        "the second tensor, the returns,",
    )
    whole = torch.ones_like(MASK)
    mean = formulas.masked_mean(advantages, MASK)
    rows = torch.stack(
        [
            formulas.whiten(a[None], m[None])[0] if m.sum() > 1 else a * 0
            for a, m in zip(advantages, MASK, strict=True)
        ]
    )
    compare(
        got[0],
        white,
        AXES,
        {
            "padding counts in the mean and the spread": formulas.whiten(advantages, whole) * MASK,
            "padding counts in the mean and the spread, and keeps a number": formulas.whiten(
                advantages, whole
            ),
            "every row is whitened by itself: take mean and spread over the batch": rows,
            "the mean is kept: that is for rewards": formulas.whiten(advantages, MASK, False),
            "the spread is kept: divide by it": (advantages - mean) * MASK,
            "nothing was whitened": advantages,
        },
        "the first tensor, the advantages,",
    )
    return "whitened over the tokens of the batch; the returns as they are"


# 6. the clipped loss


def _clipped_loss(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, mask: Tensor, epsilon: float
) -> Tensor:
    return formulas.ppo_loss(logprobs, old_logprobs, advantages, mask, epsilon)[0]


@exercise(_clipped_loss, with_grad=True)
def clipped_loss(answer) -> str:
    """Judge `clipped_loss(logprobs, old_logprobs, advantages, mask, epsilon)`."""
    old, advantages, epsilon = -draw(3, 6).abs(), draw(3, 6, seed=1) * MASK, 0.2
    logprobs = (old + 0.4 * draw(3, 6, seed=2)).requires_grad_()
    right = _clipped_loss(logprobs, old, advantages, MASK, epsilon)
    with torch.no_grad():
        ratio = (logprobs - old).exp()
        clipped = ratio.clamp(1 - epsilon, 1 + epsilon)

        def mean(each: Tensor) -> Tensor:
            return -formulas.masked_mean(each, MASK)

        a = advantages
        turned = (old - logprobs).exp()
        wrong = {
            "the sign: L^CLIP is to be made larger, a loss smaller": -right,
            "the larger of the two is taken: the clip must not help, so the smaller": mean(
                torch.max(ratio * a, clipped * a)
            ),
            "the ratio is upside down: π over π_old": mean(
                torch.min(turned * a, turned.clamp(1 - epsilon, 1 + epsilon) * a)
            ),
            "nothing is clipped": mean(ratio * a),
            "the clipped ratio alone: of clipped and unclipped, the smaller counts": mean(clipped * a),
            "this is the logarithm of the ratio: take exp": mean(
                torch.min((logprobs - old) * a, (logprobs - old).clamp(1 - epsilon, 1 + epsilon) * a)
            ),
            "the mean goes over padding too: divide by the number of tokens": -(
                torch.min(ratio * a, clipped * a) * MASK
            ).mean(),
            "this is the sum: take the mean over tokens": -(torch.min(ratio * a, clipped * a) * MASK).sum(),
        }
    got = answer(logprobs, old, advantages, MASK, epsilon)
    if isinstance(got, Tensor) and close(got.detach(), right.detach()):
        if not got.requires_grad:
            raise NotYet("the ratio is detached: the number is right, but nothing can be learned from it.")
        [slope] = torch.autograd.grad(got, logprobs)
        [expected] = torch.autograd.grad(right, logprobs)
        if not close(slope, expected):
            raise NotYet(
                "the number is right, its gradient is not: something that depends on the policy is detached."
            )
    compare(got.detach() if isinstance(got, Tensor) else got, right.detach(), "()", wrong, "the loss")
    return "the smaller of clipped and unclipped, over tokens, as a loss"


# 7. the values


def _value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, epsilon: float) -> Tensor:
    return formulas.value_loss(values, old_values, returns, mask, epsilon)


@exercise(_value_loss)
def value_loss(answer) -> str:
    """Judge `value_loss(values, old_values, returns, mask, epsilon)`."""
    old, returns, epsilon = draw(3, 6), draw(3, 6, seed=1), 0.2
    values = old + 0.5 * draw(3, 6, seed=2)
    clipped = torch.min(torch.max(values, old - epsilon), old + epsilon)
    plain, cut = (values - returns) ** 2, (clipped - returns) ** 2
    right = _value_loss(values, old, returns, MASK, epsilon)
    wrong = {
        "the smaller of the two is taken: of errors, the larger": 0.5
        * formulas.masked_mean(torch.min(plain, cut), MASK),
        "nothing is clipped": 0.5 * formulas.masked_mean(plain, MASK),
        "the clipped error alone": 0.5 * formulas.masked_mean(cut, MASK),
        "the half is missing: ½ of the squared error": 2 * right,
        "clipped around 1, as a ratio: a value may move by ε from where it was": 0.5
        * formulas.masked_mean(
            torch.max(plain, (values.clamp(1 - epsilon, 1 + epsilon) - returns) ** 2), MASK
        ),
        "the mean goes over padding too": 0.5 * torch.max(plain, cut).mean(),
    }
    compare(answer(values, old, returns, MASK, epsilon), right, "()", wrong, "the loss")
    return "half the larger squared error, over tokens"
