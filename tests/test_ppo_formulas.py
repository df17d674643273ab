"""PPO's formulas: against loops in float64, against what TRL 1.12.0 computed, and at their limits."""

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.ppo import formulas

GOLDEN = json.loads((Path(__file__).parent / "golden" / "trl_ppo.json").read_text(encoding="utf-8"))
CASES = list(GOLDEN["cases"])
pytestmark = pytest.mark.usefixtures("one_thread")


def drawn(seed: int, batch: int = 4, time: int = 6, dtype=torch.float32) -> dict[str, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, time + 1, (batch,), generator=source)
    names = ("logprobs", "old", "ref", "values", "old_values", "rewards", "advantages", "returns")
    some = {name: torch.randn(batch, time, generator=source, dtype=dtype) for name in names}
    some["mask"] = (torch.arange(time) < lengths[:, None]).long()
    some["scores"] = torch.randn(batch, generator=source, dtype=dtype)
    return some


def same(ours: torch.Tensor, theirs, atol: float = 1e-6) -> None:
    theirs = torch.as_tensor(theirs, dtype=torch.float64)
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-6, atol=atol)


# against loops over plain numbers


@given(seed=st.integers(0, 10**6), gamma=st.sampled_from((1.0, 0.9)), lam=st.sampled_from((0.0, 0.95, 1.0)))
def test_gae_is_the_sum_it_stands_for(seed, gamma, lam):
    some = drawn(seed)
    rewards, values, mask = (some[name].tolist() for name in ("rewards", "values", "mask"))
    expected = []
    for r, v, m in zip(rewards, values, mask, strict=True):
        n = sum(m)
        delta = [r[t] + gamma * (v[t + 1] if t + 1 < n else 0.0) - v[t] for t in range(n)]
        row = [sum((gamma * lam) ** k * delta[t + k] for k in range(n - t)) for t in range(n)]
        expected.append(row + [0.0] * (len(m) - n))
    advantages, returns = formulas.gae(some["rewards"], some["values"], some["mask"], gamma, lam)
    same(advantages, expected, 1e-5)
    same(returns, ((torch.tensor(expected) + some["values"]) * some["mask"]).tolist(), 1e-5)


@given(seed=st.integers(0, 10**6))
def test_with_lambda_1_the_return_is_what_was_gained(seed):
    some = drawn(seed)
    _, returns = formulas.gae(some["rewards"], some["values"], some["mask"], 1.0, 1.0)
    gained = (some["rewards"] * some["mask"]).flip(1).cumsum(1).flip(1) * some["mask"]
    torch.testing.assert_close(returns, gained, rtol=1e-5, atol=1e-5)


@given(seed=st.integers(0, 10**6))
def test_losses_are_the_sums_they_stand_for(seed):
    some = drawn(seed)
    policy, value, n = 0.0, 0.0, 0
    for i in range(4):
        for t in range(int(some["mask"][i].sum())):
            ratio = math.exp(float(some["logprobs"][i, t] - some["old"][i, t]))
            advantage = float(some["advantages"][i, t])
            policy -= min(ratio * advantage, min(max(ratio, 0.8), 1.2) * advantage)
            v, old, aim = (float(some[name][i, t]) for name in ("values", "old_values", "returns"))
            clipped = min(max(v, old - 0.2), old + 0.2)
            value += 0.5 * max((v - aim) ** 2, (clipped - aim) ** 2)
            n += 1
    loss, watched = formulas.ppo_loss(some["logprobs"], some["old"], some["advantages"], some["mask"])
    same(loss, policy / n, 1e-5)
    same(
        formulas.value_loss(some["values"], some["old_values"], some["returns"], some["mask"]),
        value / n,
        1e-5,
    )
    assert 0 <= watched["clip_fraction"] <= 1 and watched["approx_kl"] >= 0


@given(seed=st.integers(0, 10**6))
def test_padding_changes_nothing(seed):
    some = drawn(seed)
    spoilt = {
        name: torch.where(some["mask"].bool(), each, 1e3) if each.ndim == 2 and name != "mask" else each
        for name, each in some.items()
    }
    for each in (some, spoilt):
        kl = formulas.kl_penalty(each["logprobs"], each["ref"]).clamp(-50, 50)
        rewards = formulas.token_rewards(each["scores"], kl, each["mask"], 0.1)
        each["out"] = [
            rewards,
            *formulas.gae(each["rewards"], each["values"], each["mask"]),
            formulas.whiten(each["advantages"], each["mask"]),
            formulas.ppo_loss(each["logprobs"], each["old"], each["advantages"], each["mask"])[0],
            formulas.value_loss(each["values"], each["old_values"], each["returns"], each["mask"]),
        ]
    for ours, theirs in zip(some["out"], spoilt["out"], strict=True):
        torch.testing.assert_close(ours, theirs)


@given(seed=st.integers(0, 10**6))
def test_the_rewards_of_a_response_add_up_to_the_objective(seed):
    some = drawn(seed)
    kl = formulas.kl_penalty(some["logprobs"], some["ref"])
    rewards = formulas.token_rewards(some["scores"], kl, some["mask"], 0.3)
    torch.testing.assert_close(rewards.sum(1), some["scores"] - 0.3 * (kl * some["mask"]).sum(1))
    last = some["mask"].sum(1) - 1
    without = formulas.token_rewards(torch.zeros(4), kl, some["mask"], 0.3)
    given_at = (rewards - without).abs() > 1e-6
    assert all(given_at[i].nonzero().tolist() in ([[int(t)]], []) for i, t in enumerate(last))


def test_whitened_numbers_have_mean_0_and_variance_1_or_keep_their_mean():
    some = drawn(1, 8, 20)
    kept = some["mask"].bool()
    values = 3 * some["values"] + 5
    white, shifted = (formulas.whiten(values, some["mask"], shift) for shift in (True, False))
    assert white[kept].mean().abs() < 1e-5 and (white[kept].var() - 1).abs() < 1e-4
    torch.testing.assert_close(shifted[kept].mean(), values[kept].mean())
    assert formulas.whiten(torch.ones(1, 1), torch.ones(1, 1)).isfinite().all()


def test_estimators_have_the_divergence_as_their_mean():
    source = torch.Generator().manual_seed(0)
    p = torch.randn(5, generator=source).log_softmax(0)
    q = (p + 0.3 * torch.randn(5, generator=source)).log_softmax(0)
    exact = float((p.exp() * (p - q)).sum())
    means = {name: float((p.exp() * formulas.kl_penalty(p, q, name)).sum()) for name in formulas.ESTIMATORS}
    assert means["k1"] == pytest.approx(exact, abs=1e-6) and means["k3"] == pytest.approx(exact, abs=1e-6)
    assert means["k2"] == pytest.approx(exact, rel=0.2)
    assert (formulas.kl_penalty(p, q, "k2") >= 0).all() and (formulas.kl_penalty(p, q, "k3") >= 0).all()
    with pytest.raises(ValueError, match="no estimator 'k4': choose one of k1, k2, k3"):
        formulas.kl_penalty(p, q, "k4")


def test_gradients():
    some = drawn(2, 3, 4, torch.float64)
    old = some["logprobs"] + 0.05 * some["old"]
    policy = some["logprobs"].clone().requires_grad_()
    value = some["values"].clone().requires_grad_()

    def policy_loss(logprobs):
        return formulas.ppo_loss(logprobs, old, some["advantages"], some["mask"])[0]

    def value_loss(values):
        return formulas.value_loss(values, some["old_values"], some["returns"], some["mask"])

    assert torch.autograd.gradcheck(policy_loss, policy) and torch.autograd.gradcheck(value_loss, value)


def test_a_ratio_beyond_the_clip_has_no_gradient_where_it_would_go_on():
    logprobs = torch.tensor([[0.5, -0.5, 0.5, -0.5]], requires_grad=True)
    advantages = torch.tensor([[1.0, -1.0, -1.0, 1.0]])
    loss, watched = formulas.ppo_loss(logprobs, torch.zeros(1, 4), advantages, torch.ones(1, 4))
    loss.backward()
    assert (logprobs.grad[0, :2] == 0).all() and (logprobs.grad[0, 2:] != 0).all()
    assert watched["clip_fraction"] == 0.5


def test_logits_a_hundred_times_as_large_give_no_nan():
    logits = 100 * torch.randn(3, 5, 300, generator=torch.Generator().manual_seed(0))
    tokens = logits.argmin(-1)  # the unlikeliest
    logits.requires_grad_()
    logprobs = logits.log_softmax(-1).gather(2, tokens[..., None])[..., 0]
    mask = torch.ones(3, 5)
    kl = formulas.kl_penalty(logprobs.detach(), torch.zeros(3, 5))
    rewards = formulas.token_rewards(torch.ones(3), kl, mask, 0.1)
    advantages, _ = formulas.gae(rewards, torch.zeros(3, 5), mask)
    loss, _ = formulas.ppo_loss(logprobs, logprobs.detach(), formulas.whiten(advantages, mask), mask)
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()
    assert formulas.entropy(logits.detach()).isfinite().all()
    assert (formulas.entropy(logits.detach()) >= 0).all()


def test_entropy_and_explained_variance_know_their_ends():
    assert formulas.entropy(torch.zeros(2, 8)).tolist() == pytest.approx([math.log(8)] * 2)
    mask, returns = torch.tensor([[1, 1, 1, 0]]), torch.tensor([[1.0, 2.0, 3.0, 9.0]])
    assert formulas.explained_variance(returns, returns, mask) == 1
    assert formulas.explained_variance(torch.full((1, 4), 2.0), returns, mask) == 0
    assert math.isnan(formulas.explained_variance(returns, torch.ones(1, 4), mask))


def test_beta_follows_the_divergence():
    assert formulas.adapted_beta(0.1, kl=12, target=6, n_samples=1000) == pytest.approx(0.1 * 1.02)
    assert formulas.adapted_beta(0.1, kl=1, target=6, n_samples=1000) == pytest.approx(0.1 * 0.98)
    assert formulas.adapted_beta(0.1, kl=6, target=6, n_samples=1000) == 0.1


# against TRL 1.12.0


def tensors(case: str) -> tuple[dict, dict]:
    found = GOLDEN["cases"][case]
    facts = {name: torch.tensor(each) for name, each in found.items() if name not in ("settings", "steps")}
    facts["mask"] = facts["mask"].long()
    # theirs has one place more: the score and a last value stand behind the end of the text
    width = facts["mask"].shape[1]
    facts["longer"] = (torch.arange(width) <= facts["mask"].sum(1, keepdim=True)).long()
    return found["settings"], facts


def rewards_like_theirs(settings: dict, facts: dict) -> torch.Tensor:
    scores = facts["scores"] - settings["missing_eos_penalty"] * (facts["responses"] != 0).all(1).float()
    kl = (
        formulas.kl_penalty(facts["logprobs"], facts["ref_logprobs"], settings["kl_estimator"])
        * facts["mask"]
    )
    rewards = formulas.token_rewards(scores, kl, facts["longer"], settings["kl_coef"])
    return formulas.whiten(rewards, facts["longer"], False) if settings["whiten_rewards"] else rewards


@pytest.mark.parametrize("case", CASES)
def test_rewards_and_advantages_are_trls(case):
    settings, facts = tensors(case)
    rewards = rewards_like_theirs(settings, facts)
    advantages, _ = formulas.gae(
        rewards, facts["values"], facts["longer"], settings["gamma"], settings["lam"]
    )
    # where there is a token: theirs are not masked before they are whitened
    same(advantages * facts["mask"], (facts["advantages"] * facts["mask"]).tolist())


@pytest.mark.parametrize("case", CASES)
def test_whitening_is_trls(case):
    _, facts = tensors(case)
    white = formulas.whiten(facts["advantages"], facts["mask"])
    same(white, (facts["whitened"] * facts["mask"]).tolist())


@pytest.mark.parametrize("case", CASES)
def test_losses_are_trls(case):
    settings, facts = tensors(case)
    rewards = rewards_like_theirs(settings, facts)
    values = facts["values"] * facts["longer"]
    _, returns = formulas.gae(rewards, values, facts["longer"], settings["gamma"], settings["lam"])
    white = facts["whitened"] * facts["mask"]
    assert len(GOLDEN["cases"][case]["steps"]) == 4
    for step in GOLDEN["cases"][case]["steps"]:
        rows = step["rows"]
        mask, longer = facts["mask"][rows], facts["longer"][rows]
        value_loss, value_clipped, policy_loss, policy_clipped = step["means"]
        loss, watched = formulas.ppo_loss(
            torch.tensor(step["logprobs"]), facts["logprobs"][rows], white[rows], mask, settings["cliprange"]
        )
        same(loss, policy_loss)
        same(watched["clip_fraction"], policy_clipped)
        ours = formulas.value_loss(torch.tensor(step["values"]), values[rows], returns[rows], longer)
        same(ours, 0.5 * value_loss)
        assert 0 <= value_clipped <= 1
