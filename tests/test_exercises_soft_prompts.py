"""The checks of seminar 3: right answers pass, and each usual mistake is named.

The functions under test are the solved notebook's own; a mistake is a solution with a few words changed.
"""

# ruff: noqa: E501 (one mistake a line)

import json
from functools import partial
from pathlib import Path

import pytest
from torch import nn

from course_lib import notebooks
from course_lib.exercises import soft_prompts as checks
from tests import solved
from tests.solved import changed, exercises, names_the_mistake, passes

SOLVED = notebooks.ROOT / "seminars" / "03_soft_prompts.ipynb"
NAMES = checks.__all__
CELLS = exercises(SOLVED, NAMES)
define = partial(solved.define, nn=nn, json=json, Path=Path)


def test_every_exercise_has_its_cell():
    assert sorted(CELLS) == sorted(NAMES) and len(NAMES) == 8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("who", ["the solution", "the reference that stands in"])
def test_right_answers_pass_with_one_line(name, who, capsys):
    check = getattr(checks, name)
    student = define(name, CELLS[name]) if who == "the solution" else check.reference
    passes(check, student, capsys)


# exercise, what the sentence must say, the words of the solution that change: old, new, old, new, ...
MISTAKES = [
    ("soft_embedding", "one row too far", "torch.cat([words, rows])", "torch.cat([words, rows.roll(1, 0)])"),
    (
        "soft_embedding",
        "in the order in which they stand",
        "return torch.cat([words, rows])[ids]",
        "e = words[ids.clamp(max=len(words) - 1)].clone(); e[ids >= len(words)] = torch.cat([rows, rows]); return e",
    ),
    (
        "soft_embedding",
        "embedding of word 0",
        "torch.cat([words, rows])[ids]",
        "words[ids * (ids < len(words))]",
    ),
    (
        "soft_embedding",
        "became zeros: put the rows",
        "torch.cat([words, rows])",
        "torch.cat([words, 0 * rows])",
    ),
    ("soft_embedding", "the words became zeros", "torch.cat([words, rows])", "torch.cat([0 * words, rows])"),
    (
        "soft_embedding",
        "they take its place",
        "torch.cat([words, rows])",
        "torch.cat([words, rows + words[0]])",
    ),
    ("start_rows", "first rows of the table", "words[ids]", "words[:len(ids)]"),
    (
        "start_rows",
        "an optimiser trains an nn.Parameter",
        "nn.Parameter(words[ids].detach().float().clone())",
        "words[ids].detach().float().clone()",
    ),
    ("start_rows", "asks for no gradient", ".clone())", ".clone(), requires_grad=False)"),
    ("start_rows", "must stay in float32", ".float()", ""),
    ("provide", "the ReLU between", ".relu()", ""),
    ("provide", "ruPrompts has a ReLU", ".relu()", ".tanh()"),
    ("provide", "they are one sequence", "inputs[None]", "inputs[:, None]", "states[0]", "states[:, 0]"),
    (
        "provide",
        "embeddings may be negative",
        "last(first(states[0]).relu())",
        "last(first(states[0])).relu()",
    ),
    ("provide", "are exchanged", "states[0]", "states[0].roll(3, 1)"),
    ("count_parameters", "one bias a gate is missing", "hidden + 2", "hidden + 1"),
    ("count_parameters", "inputs are missing", "n * width + layers", "layers"),
    ("count_parameters", "have biases too", "+ hidden + hidden * dim + dim", "+ hidden * dim"),
    ("count_parameters", "its input is 2 hidden wide", "(width, 2 * hidden)", "(width, hidden)"),
    ("count_parameters", "`width` wide, not `dim`", "n * width", "n * dim"),
    (
        "count_parameters",
        "reads both directions: 2 hidden wide",
        "2 * hidden * hidden + hidden +",
        "hidden * hidden + hidden +",
    ),
    ("target_loss", "not shifted", "logits[:, :-1]", "logits", "labels[:, 1:]", "labels"),
    ("target_loss", "the wrong way", "logits[:, :-1]", "logits[:, 1:]", "labels[:, 1:]", "labels[:, :-1]"),
    ("target_loss", "this is the sum", "ignore_index=-100", 'ignore_index=-100, reduction="sum"'),
    ("target_loss", "as if they were token 0", "labels[:, 1:]", "labels[:, 1:].clamp(min=0)"),
    ("target_loss", "the sign is turned", "F.cross_entropy", "-F.cross_entropy"),
    (
        "classify",
        "the last column, which is padding",
        "logits[torch.arange(len(logits)), last]",
        "logits[:, -1]",
    ),
    ("classify", "one place too early", "mask.sum(1) - 1", "mask.sum(1) - 2"),
    (
        "classify",
        "return the number of the label",
        "at_last[:, label_ids].argmax(1)",
        "label_ids[at_last[:, label_ids].argmax(1)]",
    ),
    ("classify", "likeliest of all words", "at_last[:, label_ids].argmax(1)", "at_last.argmax(1)"),
    ("classify", "least likely", "argmax", "argmin"),
    ("load_rows", "this is `template`", '"compiled_template"', '"template"'),
    ("load_rows", "its code ran", "weights_only=True", "weights_only=False"),
    ("load_rows", "return two things", 'config["format"]["compiled_template"], rows', "rows"),
    (
        "join_prompts",
        "words' ids were moved too",
        "torch.where(one >= n_words, one + start, one)",
        "one + start",
    ),
    ("join_prompts", "nothing was moved", "one + start", "one"),
    ("join_prompts", "by its own length", "one + start", "one + len(own)"),
    ("join_prompts", "second's length alone", "start += len(own)", "start = len(own)"),
]


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: f"{case[0]}: {case[1]}")
def test_usual_mistakes_are_named(case):
    name, says, *words = case
    assert "\n" not in names_the_mistake(
        getattr(checks, name), define(name, changed(name, CELLS[name], words)), says
    )


def test_a_trap_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checks.load_rows(checks.load_rows.reference)
    assert list(tmp_path.iterdir()) == []
