"""The checks of seminar 4: right answers pass, and each usual mistake is named.

The functions under test are the solved notebook's own; a mistake is a solution with a few words changed.
"""

from functools import partial

import pytest

from course_lib import notebooks
from course_lib.exercises import instructions as checks
from course_lib.instructions import InstructionTemplate
from tests import solved
from tests.solved import changed, exercises, names_the_mistake, passes

SOLVED = notebooks.ROOT / "seminars" / "04_instructions.ipynb"
NAMES = checks.__all__
CELLS = exercises(SOLVED, NAMES)
define = partial(solved.define, InstructionTemplate=InstructionTemplate)


def test_every_exercise_has_its_cell():
    assert sorted(CELLS) == sorted(NAMES) and len(NAMES) == 7


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("who", ["the solution", "the reference that stands in"])
def test_right_answers_pass_with_one_line(name, who, capsys):
    check = getattr(checks, name)
    student = define(name, CELLS[name]) if who == "the solution" else check.reference
    passes(check, student, capsys)


# exercise, what the sentence must say, the words of the solution that change: old, new, old, new, ...
MISTAKES = [
    (
        "options_block",
        "«Варианты:» is missing",
        '["Варианты:", *(f"- {choice}" for choice in choices)]',
        '[f"- {choice}" for choice in choices]',
    ),
    ("options_block", "begins with «- »", 'f"- {choice}"', "choice"),
    ("options_block", "white space before or after", "    return ", '    return "\\n" + '),
    ("options_block", "a new line is missing", '"\\n".join', '" ".join'),
    (
        "ten_templates",
        "these are 9 templates",
        '        "оценка": ("Поставь оценку за вежливость, 2 или 5.\\n{{ text }}", "2 ||| 5"),\n',
        "",
    ),
    (
        "ten_templates",
        "tells the answer",
        "Какой тон у этих слов? {{ text }}",
        "Какой тон у этих слов? {{ text }} {{ label }}",
    ),
    ("ten_templates", "asks for 'txt'", "Вежливо ли это сказано?", "Вежливо ли это сказано? {{ txt }}"),
    (
        "ten_templates",
        "leaves the question open",
        "Какой тон у этих слов? {{ text }}",
        "Какой тон у этих слов?",
    ),
    (
        "ten_templates",
        "say the same words",
        "Как говорит {% if label == 0 %}грубиян{% else %}вежливый человек{% endif %}? Приведи пример.",
        "Придумай {% if label == 0 %}грубое{% else %}вежливое{% endif %} замечание.",
    ),
    ("leaks", "«{{ context }}\n{{ question }} ||| {{ answer }}» does not leak", "!=", "=="),
    (
        "leaks",
        "but it changes with it",
        "template.render(row).prompt != template.render({**row, column: other}).prompt",
        "str(row[column]) in template.render(row).prompt.replace(row['context'], '')",
    ),
    ("mixing_rates", "the cap is not there", "sizes.clamp(max=cap).double()", "sizes.double()"),
    ("mixing_rates", "shares sum to 1", "capped / capped.sum()", "capped"),
    ("mixing_rates", "a floor here", "clamp(max=cap)", "clamp(min=cap)"),
    (
        "answer_loss",
        "the prompt is in the loss",
        "places < n_prompt[:, None]",
        "places < 0 * n_prompt[:, None]",
    ),
    ("answer_loss", "one token too few", "places < n_prompt[:, None]", "places < n_prompt[:, None] + 1"),
    ("answer_loss", "one token too many", "places < n_prompt[:, None]", "places < n_prompt[:, None] - 1"),
    ("answer_loss", "not shifted", "logits[:, :-1]", "logits", "labels[:, 1:]", "labels"),
    ("answer_loss", "the loss of the prompt", "places < n_prompt[:, None]", "places >= n_prompt[:, None]"),
    ("packing_mask", "see the ones before them", "same & torch", "torch.ones_like(same) & torch"),
    (
        "packing_mask",
        "keep the lower triangle",
        "same & torch.ones(time, time, dtype=torch.bool).tril()",
        "same",
    ),
    (
        "packing_mask",
        "the mask is turned around",
        "return same & torch.ones(time, time, dtype=torch.bool).tril()",
        "return ~(same & torch.ones(time, time, dtype=torch.bool).tril())",
    ),
    ("packing_mask", "the upper one", "tril", "triu"),
    ("packing_mask", "look at itself", "tril()", "tril(-1)"),
    ("packing_mask", "must be of type bool", "return same &", "return 1.0 * same *"),
    (
        "packing_mask",
        "the heads share one mask",
        "segments[:, None, :, None] == segments[:, None, None, :]",
        "segments[:, :, None] == segments[:, None, :]",
    ),
    ("restarted_positions", "go on through the row", "places - (places * begins).cummax(1).values", "places"),
    ("restarted_positions", "begin at 1", "return places", "return 1 + places"),
    (
        "restarted_positions",
        "numbers of the examples",
        "return places - (places * begins).cummax(1).values",
        "return segments",
    ),
]


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: f"{case[0]}: {case[1]}"[:60])
def test_usual_mistakes_are_named(case):
    name, says, *words = case
    names_the_mistake(getattr(checks, name), define(name, changed(name, CELLS[name], words)), says)
