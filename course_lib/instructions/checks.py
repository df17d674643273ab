"""What may be wrong with a template: it does not fit, it tells the answer, it leaves the question open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jinja2 import meta

from course_lib.instructions.templates import SEPARATOR, InstructionTemplate, Row, parse

OTHER = "ъъъ"  # what no text has


def leaks(template: InstructionTemplate, rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose prompt tells the answer.

    A prompt tells it if it changes with the columns that the target is written from. That a passage holds
    the answer's words is no leak, for the passage is another column.

    Args:
        template: what is tested.
        rows: examples to test it on.

    Returns:
        Those whose prompt does not stay as it is when the target's columns take other values.
    """
    _, _, target = template.jinja.partition(SEPARATOR)
    columns = meta.find_undeclared_variables(parse(template.name, target)) - {"answer_choices", "options"}
    return [row for row in rows if _tells(template, row, columns)]


def _tells(template: InstructionTemplate, row: Row, columns: set[str]) -> bool:
    told = template.render(row)
    if told is None:
        return False
    for column in columns & row.keys():
        for value in _others(row[column], len(told.choices or ())):
            other = template.render({**row, column: value})
            if other is not None and other.prompt != told.prompt:
                return True
    return False


def _others(value: Any, n_choices: int) -> list[Any]:
    """Return values that a column might have had instead."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [other for other in range(max(n_choices, 2)) if other != value]
    if isinstance(value, (list, tuple)):
        return [[OTHER] * max(1, len(value))]
    return [OTHER] if isinstance(value, str) else []


def ambiguity(template: InstructionTemplate, rows: Sequence[Row]) -> float:
    """Return the share of rows whose prompt another row has too, with another answer.

    A template that is turned around may well be so («Напиши весёлый твит» has many answers); one that asks
    for the answer to an example may not.

    Args:
        template: what is tested.
        rows: examples to test it on.
    """
    told = [instruction for row in rows if (instruction := template.render(row)) is not None]
    targets: dict[str, set[str]] = {}
    for instruction in told:
        targets.setdefault(instruction.prompt, set()).add(instruction.target)
    return sum(len(targets[instruction.prompt]) > 1 for instruction in told) / max(1, len(told))


def check(template: InstructionTemplate, rows: Sequence[Row]) -> None:
    """Make sure that a template may be used for these rows.

    Args:
        template: what is tested.
        rows: examples to test it on.

    Raises:
        ValueError: no rows, an unknown variable, a prompt that tells the answer, an answer that is none of
            the choices.
    """
    if not rows:
        raise ValueError(f"There are no rows to test template '{template.name}' on.")
    if unknown := sorted(template.variables() - rows[0].keys()):
        raise ValueError(
            f"Template '{template.name}' asks for {unknown[0]!r}; the rows have {', '.join(rows[0])}."
        )
    for row in rows:
        told = template.render(row)
        if told and told.choices and template.original_task and told.target not in told.choices:
            raise ValueError(
                f"Template '{template.name}': the answer «{told.target}» is none of the choices "
                f"{', '.join(told.choices)}."
            )
    if leaking := leaks(template, rows):
        raise ValueError(
            f"Template '{template.name}' tells the answer: in {len(leaking)} of {len(rows)} rows the prompt "
            "changes when the answer does."
        )


def without_instructions(template: InstructionTemplate, columns: Sequence[str]) -> InstructionTemplate:
    """Return the control of FLAN's ablation: the same columns and the same answers, but no instruction.

    Args:
        template: whose target is kept.
        columns: what the prompt is made of, a line each.
    """
    _, _, target = template.jinja.partition(SEPARATOR)
    prompt = "\n".join(f"{{{{ {column} }}}}" for column in columns)
    jinja = f"{prompt} {SEPARATOR}{target}"
    return replace(template, name=f"{template.name}, no words", jinja=jinja, choices_in_prompt=False, id="")
