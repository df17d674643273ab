"""PPO in formulas, each a function of tensors: no model, no loop, nothing that is remembered.

Slides "Quick recap: PPO" and "InstructGPT training". All tensors are (batch, time): one row a response, one
column a token of it; `mask` is 1 where there is a token, and what stands elsewhere changes nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

ESTIMATORS = ("k1", "k2", "k3")


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the values where the mask is 1: a number."""
    return (values * mask).sum() / mask.sum()


def whiten(values: Tensor, mask: Tensor, shift_mean: bool = True) -> Tensor:
    """Give values the variance 1, and the mean 0.

    Args:
        values: (batch, time).
        mask: (batch, time).
        shift_mean: False keeps the mean as it was: for rewards, whose sign means something.

    Returns:
        (batch, time), 0 where the mask is.
    """
    mean = masked_mean(values, mask)
    n = mask.sum()
    variance = masked_mean((values - mean) ** 2, mask) * n / (n - 1).clamp(min=1)
    whitened = (values - mean) * torch.rsqrt(variance + 1e-8)
    return (whitened if shift_mean else whitened + mean) * mask


def kl_penalty(logprobs: Tensor, ref_logprobs: Tensor, estimator: str = "k1") -> Tensor:
    """Estimate the divergence of the policy from the reference, token by token.

    With log r = log π_ref − log π (Schulman, 2020, "Approximating KL divergence"): k1 = −log r, without bias;
    k2 = (log r)²/2, never negative, a little biased; k3 = r − 1 − log r, without bias and never negative.

    Args:
        logprobs: of the tokens that the policy sampled (batch, time).
        ref_logprobs: of the same tokens by the reference (batch, time).
        estimator: one of `ESTIMATORS`.

    Returns:
        In nats (batch, time).

    Raises:
        ValueError: no such estimator.
    """
    log_ratio = ref_logprobs - logprobs
    if estimator == "k1":
        return -log_ratio
    if estimator == "k2":
        return log_ratio**2 / 2
    if estimator == "k3":
        return torch.expm1(log_ratio) - log_ratio
    raise ValueError(f"There is no estimator {estimator!r}: choose one of {', '.join(ESTIMATORS)}.")


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, beta: float) -> Tensor:
    """Spread the reward over tokens: −β·KL at each, and the score at the last.

    The sum over a response is what the deck's objective has in brackets:

        r_θ(x, y) − β log(π_RL(y|x) / π_SFT(y|x))

    Args:
        scores: r_θ of each response (batch,).
        kl: from `kl_penalty` (batch, time).
        mask: (batch, time); the last token is the last 1, which is the end of text where there is one.
        beta: weight of the penalty.

    Returns:
        (batch, time).
    """
    rewards = -beta * kl * mask
    last = mask.long().cumsum(1).argmax(1)  # the first place at which all ones have been counted
    return rewards.scatter_add(1, last[:, None], scores[:, None].to(rewards))


def gae(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float = 1.0, lam: float = 0.95
) -> tuple[Tensor, Tensor]:
    """Estimate how much better each token was than expected (Schulman et al., 2016, equation 16).

        δ_t = r_t + γ V(s_{t+1}) − V(s_t),    Â_t = δ_t + γλ Â_{t+1}

    After the last token comes nothing: V = 0.

    Args:
        rewards: (batch, time).
        values: of the state before each token (batch, time).
        mask: (batch, time).
        gamma: discount.
        lam: 0 trusts the values, 1 what was really gained.

    Returns:
        advantages Â and returns Â + V (batch, time), 0 where the mask is.
    """
    rewards, values = rewards * mask, values * mask
    advantage = torch.zeros_like(values[:, 0])
    advantages = torch.zeros_like(values)
    for t in reversed(range(values.shape[1])):
        following = values[:, t + 1] if t + 1 < values.shape[1] else 0.0
        delta = rewards[:, t] + gamma * following - values[:, t]
        advantage = (delta + gamma * lam * advantage) * mask[:, t]
        advantages[:, t] = advantage
    return advantages, (advantages + values) * mask


def ppo_loss(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, mask: Tensor, epsilon: float = 0.2
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the clipped surrogate, to be minimised.

        L^CLIP(θ) = Ê_t[ min(r_t(θ) Â_t, clip(r_t(θ), 1 − ε, 1 + ε) Â_t) ]
        r_t(θ) = π_θ(a_t|s_t) / π_old(a_t|s_t)

    Args:
        logprobs: log π_θ of the sampled tokens, with gradient (batch, time).
        old_logprobs: log π_old, kept since they were sampled (batch, time).
        advantages: Â (batch, time).
        mask: (batch, time).
        epsilon: ε ≈ 0.2.

    Returns:
        −L^CLIP, and what is to be watched: `clip_fraction`, the share of tokens whose gradient is cut;
        `approx_kl`, k3 of π_old from π_θ; `ratio`, the mean of r.
    """
    log_ratio = (logprobs - old_logprobs) * mask
    ratio = log_ratio.exp()
    unclipped = ratio * advantages
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon) * advantages
    loss = -masked_mean(torch.min(unclipped, clipped), mask)
    with torch.no_grad():
        watched = {
            "clip_fraction": masked_mean((clipped < unclipped).float(), mask),
            "approx_kl": masked_mean(ratio - 1 - log_ratio, mask),
            "ratio": masked_mean(ratio, mask),
        }
    return loss, watched


def value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, epsilon: float = 0.2
) -> Tensor:
    """Return half the squared error of the values, the larger one of clipped and unclipped.

    A value may move from where it was at sampling by ε; beyond, it has no gradient towards its aim.

    Args:
        values: V_θ, with gradient (batch, time).
        old_values: V at sampling (batch, time).
        returns: what V should have been (batch, time).
        mask: (batch, time).
        epsilon: how far a value may move.
    """
    clipped = torch.min(torch.max(values, old_values - epsilon), old_values + epsilon)
    larger = torch.max((values - returns) ** 2, (clipped - returns) ** 2)
    return 0.5 * masked_mean(larger, mask)


def entropy(logits: Tensor) -> Tensor:
    """Return the entropy of the next token, in nats, for logits (..., vocab)."""
    logprobs = logits.log_softmax(-1)
    return -(logprobs.exp() * logprobs).nan_to_num(0.0).sum(-1)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """Return 1 − Var(returns − values) / Var(returns): 1 foresees all, 0 no more than the mean would."""
    kept = mask.bool()
    spread = returns[kept].var(correction=0)
    if spread == 0:
        return float("nan")
    return float(1 - (returns - values)[kept].var(correction=0) / spread)


def adapted_beta(beta: float, kl: float, target: float, n_samples: int, horizon: int = 10_000) -> float:
    """Return β for the next step, larger if the divergence was (Ziegler et al., 2019, section 2.2).

    Args:
        beta: the last one.
        kl: mean divergence of a response, in nats.
        target: what it should be.
        n_samples: responses since the last change.
        horizon: so many responses change β by the factor 1 + (at most) 0.2.
    """
    error = min(max(kl / target - 1, -0.2), 0.2)
    return beta * (1 + error * n_samples / horizon)
