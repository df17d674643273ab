"""Checks of seminar 4, "Instructions": templates, leaks, mixing, the loss of the answer, packing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises import NotYet, compare, exercise
from course_lib.exercises.decoder_parts import draw
from course_lib.instructions import InstructionTemplate
from course_lib.instructions.checks import ambiguity, check
from course_lib.instructions.checks import leaks as leaking
from course_lib.instructions.mixture import rates
from course_lib.instructions.packing import packing_mask as allowed

__all__ = [
    "answer_loss",
    "leaks",
    "mixing_rates",
    "options_block",
    "packing_mask",
    "restarted_positions",
    "ten_templates",
]
IGNORED = -100
# a task without templates: is a remark polite?
ROWS = [
    {"text": text, "label": label}
    for text, label in (
        ("Пётр, дай пройти, растяпа!", 0),
        ("Пётр, разреши, пожалуйста, пройти.", 1),
        ("Хватит шуметь, балбесы!", 0),
        ("Друзья, говорите, пожалуйста, тише.", 1),
        ("Опять ты всё забыл, голова дырявая!", 0),
        ("Не забудь, пожалуйста, в следующий раз.", 1),
        ("Какого лешего вы тут встали?", 0),
        ("Извините, можно мне пройти?", 1),
    )
]

# 1. the options


def _options_block(choices: list[str]) -> str:
    return "\n".join(["Варианты:", *(f"- {choice}" for choice in choices)])


@exercise(_options_block)
def options_block(answer) -> str:
    """Judge `options_block(choices)`."""
    choices = ["да", "нет", "возможно"]
    right, got = _options_block(choices), answer(choices)
    if not isinstance(got, str):
        raise NotYet(f"return a text, not {type(got).__name__}.")
    if got == right:
        return "FLAN's block of options"
    if got.strip() == right and got != right:
        raise NotYet("there is white space before or after the block: a template brings its own.")
    if got == right.replace("Варианты:\n", ""):
        raise NotYet("the line «Варианты:» is missing.")
    if got == "Варианты:\n" + "\n".join(choices):
        raise NotYet("each choice has a line of its own that begins with «- ».")
    if got == right.replace("\n", " "):
        raise NotYet("a new line is missing between the choices.")
    raise NotYet(f"for {choices} the block is {right!r}, and yours {got!r}.")


# 2. ten templates

REFERENCE_TEMPLATES = [
    InstructionTemplate(name, jinja + " ||| {{ answer_choices[label] }}", choices)
    for name, jinja, choices in (
        ("вежливо ли", "{{ text }}\nВежливо ли это сказано?\n{{ options }}", "нет ||| да"),
        ("определи тон", "Определи тон: {{ text }}\n{{ options }}", "грубый ||| вежливый"),
        ("можно ли так", "Можно ли так говорить с учителем: {{ text }}\n{{ options }}", "нельзя ||| можно"),
        (
            "кто говорит",
            "Кто это сказал, грубиян или вежливый человек? {{ text }}",
            "грубиян ||| вежливый человек",
        ),
        ("обидно ли", "{{ text }}\nОбидно ли такое слышать?\n{{ options }}", "обидно ||| не обидно"),
        ("хвалить ли", "Ребёнок сказал: {{ text }}\nХвалить его за это или ругать?", "ругать ||| хвалить"),
        (
            "исправлять ли",
            "Редактор читает письмо: {{ text }}\nИсправить тон или оставить?",
            "исправить ||| оставить",
        ),
        ("груб ли", "Груб ли тот, кто говорит так? {{ text }}\n{{ options }}", "да ||| нет"),
    )
] + [
    InstructionTemplate(name, jinja + " ||| {{ text }}", original_task=False)
    for name, jinja in (
        ("придумай", "Придумай {% if label == 0 %}грубую{% else %}вежливую{% endif %} фразу."),
        (
            "пример",
            "Приведи пример: так говорит {% if label == 0 %}грубиян{% else %}вежливый человек{% endif %}.",
        ),
    )
]


def _ten_templates() -> list[InstructionTemplate]:
    return list(REFERENCE_TEMPLATES)


@exercise(_ten_templates)
def ten_templates(answer) -> str:
    """Judge `ten_templates()`."""
    got = answer()
    if not isinstance(got, (list, tuple)) or not all(isinstance(one, InstructionTemplate) for one in got):
        raise NotYet("return a list of InstructionTemplate(name, jinja, answer_choices).")
    if len(got) != 10:
        raise NotYet(f"these are {len(got)} templates: FLAN has ten a task.")
    names = [one.name for one in got]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise NotYet(f"two templates have the name '{repeated[0]}'.")
    turned = sum(not one.original_task for one in got)
    if turned > 3:
        raise NotYet(f"{turned} templates are turned around: FLAN has up to three of ten.")
    prompts: dict[str, str] = {}
    for template in got:
        try:
            check(template, ROWS)
            prompt = template.render(ROWS[0]).prompt
        except ValueError as error:
            raise NotYet(str(error)) from None
        if template.original_task and ambiguity(template, ROWS):
            raise NotYet(
                f"template '{template.name}' leaves the question open: the same prompt has two right answers."
            )
        if prompt in prompts:
            raise NotYet(f"'{template.name}' and '{prompts[prompt]}' say the same words.")
        prompts[prompt] = template.name
    return f"ten wordings, {turned} of them turned around; no leak, no open question"


# 3. leaks


def _leaks(template: InstructionTemplate, row: dict, column: str, other: object) -> bool:
    return template.render(row).prompt != template.render({**row, column: other}).prompt


@exercise(_leaks)
def leaks(answer) -> str:
    """Judge `leaks(template, row, column, other)`."""
    row = {"context": "Кот спит на печи.", "question": "Где спит кот?", "answer": "на печи"}
    cases = (
        (
            "{{ context }}\n{{ question }} ||| {{ answer }}",
            False,
            "a passage that has the answer's words is no leak: the prompt stays when the column changes",
        ),
        (
            "{{ context }} {{ question }} Ответ: {{ answer }} ||| {{ answer }}",
            True,
            "the answer is written out",
        ),
        (
            "{{ question }} ({{ answer | length }} букв) ||| {{ answer }}",
            True,
            "the prompt tells how long the answer is, not the answer: but it changes with it",
        ),
    )
    for jinja, right, why in cases:
        got = answer(InstructionTemplate("t", jinja), dict(row), "answer", "под крышей дома")
        if not isinstance(got, bool):
            raise NotYet(f"return True or False, not {type(got).__name__}.")
        if got != right:
            raise NotYet(f"«{jinja}» {'leaks' if right else 'does not leak'}: {why}.")
    assert leaking(InstructionTemplate("t", cases[1][0]), [row]) == [row]
    return "a prompt leaks if it changes with the answer"


# 4. mixing


def _mixing_rates(sizes: Tensor, cap: int) -> Tensor:
    capped = sizes.clamp(max=cap).double()
    return capped / capped.sum()


@exercise(_mixing_rates)
def mixing_rates(answer) -> str:
    """Judge `mixing_rates(sizes, cap)`."""
    sizes, cap = torch.tensor([30_000, 600, 3_000, 9_000]), 3_000
    named = {str(i): int(size) for i, size in enumerate(sizes)}
    right = torch.tensor(list(rates(named, cap).values()), dtype=torch.float64)
    share = sizes.double() / sizes.sum()
    wrong = {
        "the cap is not there: no set counts for more than `cap` examples": share,
        "these are numbers of examples: shares sum to 1": sizes.clamp(max=cap),
        "the shares were capped, not the numbers of examples: min(n, cap) first, then divide": share.clamp(
            max=cap / int(sizes.sum())
        ),
        "all sets have the same share: proportional up to the cap": torch.full((4,), 0.25),
        "the cap is a floor here: min, not max": sizes.clamp(min=cap).double() / sizes.clamp(min=cap).sum(),
    }
    compare(answer(sizes, cap), right, "(sets,)", wrong)
    return "in proportion, none counting for more than the cap"


# 5. the loss of the answer


def _answer_loss(logits: Tensor, ids: Tensor, n_prompt: Tensor) -> Tensor:
    places = torch.arange(ids.shape[1])
    labels = ids.masked_fill(places < n_prompt[:, None], IGNORED)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


@exercise(_answer_loss)
def answer_loss(answer) -> str:
    """Judge `answer_loss(logits, ids, n_prompt)`."""
    logits, ids = draw(2, 6, 9, scale=3.0), torch.tensor([[3, 1, 4, 1, 5, 0], [2, 7, 1, 8, 2, 0]])
    n_prompt = torch.tensor([4, 2])
    each = F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), reduction="none").view(2, 5)
    counted = torch.arange(1, 6) >= n_prompt[:, None]
    wrong = {
        "the prompt is in the loss too: only the completion is learned": each.mean(),
        "one token too few: the completion's first token is predicted at the prompt's last place": each[
            torch.arange(1, 6) > n_prompt[:, None]
        ].mean(),
        "one token too many: the prompt's last token is no part of the completion": each[
            torch.arange(1, 6) >= n_prompt[:, None] - 1
        ].mean(),
        "not shifted: the logits at t predict token t + 1": F.cross_entropy(
            logits.flatten(0, 1), ids.masked_fill(torch.arange(6) < n_prompt[:, None], IGNORED).flatten()
        ),
        "this is the loss of the prompt": each[~counted].mean(),
        "this is the sum: take the mean over the completions' tokens": each[counted].sum(),
        "the mean goes over all places: only those of completions count": each[counted].sum() / each.numel(),
    }
    compare(answer(logits, ids, n_prompt), _answer_loss(logits, ids, n_prompt), "()", wrong)
    return "the mean over the completions' tokens alone"


# 6. packing


@exercise(allowed)
def packing_mask(answer) -> str:
    """Judge `packing_mask(segments)`."""
    segments = torch.tensor([[0, 0, 0, 1, 1, 2], [0, 1, 1, 1, 2, 2]])
    right = allowed(segments)
    same = segments[:, None, :, None] == segments[:, None, None, :]
    causal = torch.ones(6, 6, dtype=torch.bool).tril().expand(2, 1, 6, 6)
    got = answer(segments)
    if isinstance(got, Tensor) and got.dtype != torch.bool:
        raise NotYet("the mask must be of type bool: True where a place may look.")
    wrong = {
        "examples see the ones before them: compare the segments": causal,
        "a place looks at what comes after it: keep the lower triangle": same,
        "the mask is turned around: True where a place MAY look": ~right,
        "the triangle is the upper one: a place looks at earlier ones": same & causal.transpose(2, 3),
        "a place must look at itself too": same & torch.ones(6, 6, dtype=torch.bool).tril(-1),
    }
    if isinstance(got, Tensor) and got.shape == (2, 6, 6) and bool((got == right[:, 0]).all()):
        raise NotYet("the numbers are right; the heads share one mask: (batch, 1, time, time).")
    compare(got, right, "(batch, 1, time, time)", wrong, "the mask")
    return "an earlier place of the same example, or itself"


# 7. positions


def _restarted_positions(segments: Tensor) -> Tensor:
    places = torch.arange(segments.shape[1]).expand_as(segments)
    begins = F.pad(segments[:, 1:] != segments[:, :-1], (1, 0))
    return places - (places * begins).cummax(1).values


@exercise(_restarted_positions)
def restarted_positions(answer) -> str:
    """Judge `restarted_positions(segments)`."""
    segments = torch.tensor([[0, 0, 0, 1, 1, 2], [0, 1, 1, 1, 2, 2]])
    right = _restarted_positions(segments)
    wrong = {
        "the positions go on through the row: they begin anew with each example": torch.arange(6).expand(
            2, 6
        ),
        "they begin at 1: the first position is 0": right + 1,
        "these are the numbers of the examples, not of the places in them": segments,
    }
    compare(answer(segments), right, "(batch, time)", wrong, "the positions")
    return "0, 1, 2, … anew for each example"
