"""The checks of seminar 6: right answers pass, and each usual mistake is named.

The functions under test are the solved notebook's own; a mistake is a solution with a few words changed.
"""

import pytest

from course_lib import notebooks
from course_lib.exercises import ppo as checks
from tests.solved import changed, define, exercises, names_the_mistake, passes

SOLVED = notebooks.ROOT / "seminars" / "06_ppo.ipynb"
NAMES = checks.__all__
CELLS = exercises(SOLVED, NAMES)


def test_every_exercise_has_its_cell():
    assert sorted(CELLS) == sorted(NAMES) and len(NAMES) == 7


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("who", ["the solution", "the reference that stands in"])
def test_right_answers_pass_with_one_line(name, who, capsys):
    check = getattr(checks, name)
    passes(check, define(name, CELLS[name]) if who == "the solution" else check.reference, capsys)


# exercise, what the sentence must say, the words of the solution that change: old, new, old, new, ...
MISTAKES = [
    (
        "response_mask",
        "the end of text is left out",
        "return (is_end.cumsum(1) - is_end == 0).long()",
        "return (responses != eos_id).long()",
    ),
    ("response_mask", "the mask is turned around", "- is_end == 0", "- is_end != 0"),
    (
        "response_mask",
        "padding is counted too",
        "return (is_end.cumsum(1) - is_end == 0).long()",
        "return torch.ones_like(responses)",
    ),
    ("kl_penalty", "opposite sign", "logprobs - ref_logprobs", "ref_logprobs - logprobs"),
    (
        "kl_penalty",
        "this is the ratio",
        "return logprobs - ref_logprobs",
        "return (logprobs - ref_logprobs).exp()",
    ),
    ("kl_penalty", "k2", "return logprobs - ref_logprobs", "return (logprobs - ref_logprobs) ** 2 / 2"),
    (
        "kl_penalty",
        "k3",
        "return logprobs - ref_logprobs",
        "log_r = ref_logprobs - logprobs\n    return log_r.exp() - 1 - log_r",
    ),
    (
        "kl_penalty",
        "weigh in twice",
        "return logprobs - ref_logprobs",
        "return logprobs.exp() * (logprobs - ref_logprobs)",
    ),
    (
        "kl_penalty",
        "sum over a response",
        "return logprobs - ref_logprobs",
        "return (logprobs - ref_logprobs).sum(1)",
    ),
    ("token_rewards", "opposite sign", "(-beta * kl", "(beta * kl"),
    ("token_rewards", "in the last column", "mask.sum(1) - 1", "mask.sum(1) * 0 + mask.shape[1] - 1"),
    ("token_rewards", "one place behind", "mask.sum(1) - 1", "mask.sum(1).clamp(max=mask.shape[1] - 1)"),
    ("token_rewards", "one place before", "mask.sum(1) - 1", "(mask.sum(1) - 2).clamp(min=0)"),
    ("token_rewards", "at the first token", "mask.sum(1) - 1", "mask.sum(1) * 0"),
    (
        "token_rewards",
        "every token gets the score",
        "(-beta * kl * mask).scatter_add(1, last[:, None], scores[:, None])",
        "(-beta * kl + scores[:, None]) * mask",
    ),
    ("token_rewards", "padding pays", "kl * mask", "kl"),
    ("token_rewards", "β is missing", "-beta * kl", "-kl"),
    ("gae", "worth something", "values = values * mask", "values = values * 1"),
    ("gae", "first terms δ", "gamma * lam * advantage", "0 * advantage"),
    ("gae", "λ is missing", "gamma * lam", "gamma"),
    ("gae", "γ is missing", "gamma * following", "following", "gamma * lam", "lam"),
    ("gae", "γ and λ are exchanged", "gamma * following", "lam * following"),
    ("gae", "these are the returns", "return advantages", "return advantages + values"),
    (
        "gae",
        "padding has advantages",
        "values = values * mask",
        "values = 1 * values",
        "* mask[:, t]",
        "* 1",
        "return advantages",
        "return advantages * mask",
    ),
    (
        "gae",
        "forward in time",
        "reversed(range(values.shape[1]))",
        "range(values.shape[1])",
        "gamma * following",
        "gamma * (values[:, t + 1] if t + 1 < values.shape[1] else 0.0)",
    ),
    (
        "advantages_and_returns",
        "from the whitened advantages",
        "return (advantages - kept.mean()) / (kept.var() + 1e-8).sqrt() * mask, returns",
        "white = (advantages - kept.mean()) / (kept.var() + 1e-8).sqrt() * mask\n"
        "    return white, (white + values) * mask",
    ),
    ("advantages_and_returns", "these are the advantages", "(advantages + values) * mask", "advantages"),
    ("advantages_and_returns", "advantages minus values", "advantages + values", "advantages - values"),
    ("advantages_and_returns", "padding counts", "advantages[mask.bool()]", "advantages"),
    (
        "advantages_and_returns",
        "the mean is kept",
        "(advantages - kept.mean())",
        "(advantages - kept.mean() * (1 - (kept.var() + 1e-8).sqrt()))",
    ),
    ("advantages_and_returns", "the spread is kept", " / (kept.var() + 1e-8).sqrt()", ""),
    (
        "advantages_and_returns",
        "nothing was whitened",
        "return (advantages - kept.mean()) / (kept.var() + 1e-8).sqrt() * mask, returns",
        "return advantages, returns",
    ),
    ("advantages_and_returns", "return two tensors", "* mask, returns", "* mask"),
    ("clipped_loss", "the sign", "return -(smaller", "return (smaller"),
    ("clipped_loss", "the larger of the two", "torch.min", "torch.max"),
    ("clipped_loss", "upside down", "logprobs - old_logprobs", "old_logprobs - logprobs"),
    (
        "clipped_loss",
        "nothing is clipped",
        "ratio.clamp(1 - epsilon, 1 + epsilon) * advantages",
        "ratio * advantages",
    ),
    (
        "clipped_loss",
        "the clipped ratio alone",
        "torch.min(ratio * advantages, ratio.clamp(1 - epsilon, 1 + epsilon) * advantages)",
        "ratio.clamp(1 - epsilon, 1 + epsilon) * advantages",
    ),
    ("clipped_loss", "logarithm of the ratio", "(logprobs - old_logprobs).exp()", "logprobs - old_logprobs"),
    ("clipped_loss", "goes over padding", ".sum() / mask.sum()", ".mean()"),
    ("clipped_loss", "this is the sum", ".sum() / mask.sum()", ".sum()"),
    (
        "clipped_loss",
        "the ratio is detached",
        "(logprobs - old_logprobs).exp()",
        "(logprobs - old_logprobs).exp().detach()",
    ),
    (
        "clipped_loss",
        "its gradient is not",
        "torch.min(ratio * advantages",
        "torch.min(ratio.detach() * advantages",
    ),
    ("value_loss", "the smaller of the two", "torch.max", "torch.min"),
    ("value_loss", "nothing is clipped", ".clamp(-epsilon, epsilon)", ""),
    (
        "value_loss",
        "the clipped error alone",
        "torch.max((values - returns) ** 2, (clipped - returns) ** 2)",
        "(clipped - returns) ** 2",
    ),
    ("value_loss", "the half is missing", "0.5 * ", ""),
    (
        "value_loss",
        "clipped around 1",
        "old_values + (values - old_values).clamp(-epsilon, epsilon)",
        "values.clamp(1 - epsilon, 1 + epsilon)",
    ),
    ("value_loss", "goes over padding", "(larger * mask).sum() / mask.sum()", "larger.mean()"),
]


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: f"{case[0]}: {case[1]}"[:60])
def test_usual_mistakes_are_named(case):
    name, says, *words = case
    names_the_mistake(getattr(checks, name), define(name, changed(name, CELLS[name], words)), says)
