"""The checks of seminar 5: right answers pass, and each usual mistake is named.

The functions under test are the solved notebook's own; a mistake is a solution with a few words changed.
"""

import pytest

from course_lib import notebooks
from course_lib.exercises import NotYet
from course_lib.exercises import rewards as checks
from tests.solved import changed, define, exercises, names_the_mistake, passes

SOLVED = notebooks.ROOT / "seminars" / "05_rewards.ipynb"
NAMES = checks.__all__
CELLS = exercises(SOLVED, NAMES)
PLAIN = [name for name in NAMES if name != "broken"]


def test_every_exercise_has_its_cell():
    assert sorted(CELLS) == sorted(NAMES) and len(NAMES) == 6


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("who", ["the solution", "the reference that stands in"])
def test_right_answers_pass_with_one_line(name, who, capsys):
    check = getattr(checks, name)
    passes(check, define(name, CELLS[name]) if who == "the solution" else check.reference, capsys)


# exercise, what the sentence must say, the words of the solution that change: old, new, old, new, ...
MISTAKES = [
    ("pairs", "turned around", "ranks[i] < ranks[j]", "ranks[i] > ranks[j]"),
    ("pairs", "a tie is no pair", "ranks[i] < ranks[j]", "i != j and ranks[i] <= ranks[j]"),
    ("pairs", "in both orders", "ranks[i] < ranks[j]", "ranks[i] != ranks[j]"),
    ("pairs", "pairs are missing", "ranks[i] < ranks[j]", "ranks[i] + 1 == ranks[j]"),
    ("pairs", "return a list of pairs", "return [(i, j) for", "return [i for"),
    (
        "last_token",
        "says nothing about the place",
        "(attention_mask * torch.arange(attention_mask.shape[1])).argmax(1)",
        "attention_mask.sum(1) - 1",
    ),
    (
        "last_token",
        "the last column",
        "(attention_mask * torch.arange(attention_mask.shape[1])).argmax(1)",
        "attention_mask.sum(1) * 0 + attention_mask.shape[1] - 1",
    ),
    (
        "last_token",
        "the first token",
        "(attention_mask * torch.arange(attention_mask.shape[1]))",
        "attention_mask",
    ),
    ("last_token", "one too far", ".argmax(1)", ".argmax(1) + 1"),
    ("ranking_loss", "the sign", "-F.logsigmoid", "F.logsigmoid"),
    ("ranking_loss", "exchanged", "rewards[better] - rewards[worse]", "rewards[worse] - rewards[better]"),
    ("ranking_loss", "the logarithm is missing", "F.logsigmoid", "torch.sigmoid"),
    ("ranking_loss", "this is the sum", ".mean()", ".sum()"),
    (
        "ranking_loss",
        "logarithm of the mean",
        "-F.logsigmoid(rewards[better] - rewards[worse]).mean()",
        "-torch.sigmoid(rewards[better] - rewards[worse]).mean().log()",
    ),
    (
        "ranking_loss",
        "the loss is infinite",
        "F.logsigmoid(rewards[better] - rewards[worse])",
        "torch.sigmoid(rewards[better] - rewards[worse]).log()",
    ),
    ("tree_mask", "sees the answers before it", "(same | of_prompt)", "torch.ones_like(same)"),
    ("tree_mask", "does not see the prompt", "(same | of_prompt)", "same"),
    (
        "tree_mask",
        "comes after it",
        " & torch.ones(time, time, dtype=torch.bool).tril()",
        "",
        " & (branches >= 0)[:, None, :, None]",
        "",
    ),
    ("tree_mask", "and not itself", "(same | of_prompt)", "(branches == 0)[:, None, None, :]"),
    (
        "tree_mask",
        "turned around",
        "return (same | of_prompt) & torch.ones(time, time, dtype=torch.bool).tril()",
        "return ~((same | of_prompt) & torch.ones(time, time, dtype=torch.bool).tril())",
    ),
    ("tree_mask", "padding, −1", " & (branches >= 0)[:, None, :, None]", ""),
    ("tree_mask", "must be of type bool", "return (same | of_prompt) &", "return 1.0 * (same | of_prompt) *"),
    (
        "best_of",
        "who does not know it",
        "true.gather(1, proxy.argmax(1, keepdim=True))[:, 0].mean()",
        "true.max(1).values.mean()",
    ),
    (
        "best_of",
        "what is it really worth",
        "true.gather(1, proxy.argmax(1, keepdim=True))[:, 0].mean()",
        "proxy.max(1).values.mean()",
    ),
    ("best_of", "the worst is chosen", "argmax", "argmin"),
    (
        "best_of",
        "only the chosen ones",
        "true.gather(1, proxy.argmax(1, keepdim=True))[:, 0].mean()",
        "true.mean()",
    ),
]


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: f"{case[0]}: {case[1]}"[:60])
def test_usual_mistakes_are_named(case):
    name, says, *words = case
    names_the_mistake(getattr(checks, name), define(name, changed(name, CELLS[name], words)), says)


def test_an_answer_breaks_the_model_if_only_the_model_likes_it(capsys):
    def liked(text: str) -> float:
        return float(text.lower().count("пожалуйста"))

    checks.broken(define("broken", CELLS["broken"]), liked, lambda text: -1.0, 2.0)
    assert capsys.readouterr().out.startswith("✓ broken: ")
    cases = (
        (lambda prompt, reward: 5, "return a text"),
        (lambda prompt, reward: "да " * 41, "has 41 words"),
        (lambda prompt, reward: "Уйди.", "find what it likes"),
    )
    for student, says in cases:
        with pytest.raises(NotYet, match=says):
            checks.broken(student, liked, lambda text: -1.0, 2.0)
    with pytest.raises(NotYet, match="that is a good answer"):
        checks.broken(lambda prompt, reward: "пожалуйста " * 5, liked, lambda text: 1.0, 2.0)
