"""The elements of a prompt: task instructions and context, instance context and queries, targets.

Slides "CPT: Idea" (the generic few-shot format and its five elements) and "How to solve tasks with the
few-/zero-shot?". A template writes text only; what a model makes of the text is `logprobs.py`.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

Example = Mapping[str, Any]
Words = str | Mapping[str, str]  # of a label


@dataclass(frozen=True)
class Template:
    """A prompt in the deck's elements; `{field}` stands for a column of the example.

    With shots it writes

        instructions
        task_context
        instance_context query target   (each shot)
        instance_context query          (the example itself: the model goes on with the target)

    Attributes:
        query: what is asked about the instance; may be empty for a target that stands alone.
        target: what the model is to write, with the white space before it: " {label}".
        instructions: what the task is, said once, at the head, and so without fields.
        task_context: what holds for all instances, said once, after the instructions, without fields too.
        instance_context: what is told of each instance before its query.
        separator: stands between shots, and after the head.
    """

    query: str
    target: str = " {label}"
    instructions: str = ""
    task_context: str = ""
    instance_context: str = ""
    separator: str = "\n"

    def prompt(self, example: Example, shots: Iterable[Example] = ()) -> str:
        """Write the prompt of one example: all but its own target.

        Args:
            example: columns of the instance.
            shots: solved instances, whose targets are written out.

        Returns:
            The text that a model is to continue.

        Raises:
            ValueError: a field that an example does not have.
        """
        return self.head(shots) + self.instance(example)

    def head(self, shots: Iterable[Example] = ()) -> str:
        """Write what stands before the instance: instructions, task context and shots, if there are any."""
        said = [said_once(part) for part in (self.instructions, self.task_context) if part]
        solved = [self.instance(shot) + self.completion(shot) for shot in shots]
        return "".join(part + self.separator for part in (*said, *solved))

    def instance(self, example: Example) -> str:
        """Write one instance, context and query, without its target."""
        return fill(self.instance_context, example) + fill(self.query, example)

    def completion(self, example: Example) -> str:
        """Write the target of one example."""
        return fill(self.target, example)

    def fields(self) -> set[str]:
        """Return the names of all fields that the template asks for."""
        return set().union(*(field_names(part) for part in (self.instance_context, self.query, self.target)))

    def check(self, columns: Iterable[str], filled: Iterable[str] = ("label",)) -> None:
        """Make sure that examples with these columns can be written.

        Args:
            columns: what the examples have.
            filled: fields that are filled in label by label, whether or not the examples have them.

        Raises:
            ValueError: fields that the examples do not have, or no field at all.
        """
        columns, filled = set(columns), set(filled)
        self.head()  # what is said once has no fields
        if unknown := sorted(self.fields() - columns - filled):
            raise ValueError(_no_field(unknown[0], columns))
        if not self.fields() - filled:
            has = ", ".join(sorted(columns))
            raise ValueError(f"The template names no field of the example: write one of {has} in braces.")


@cache
def field_names(template: str) -> frozenset[str]:
    """Return the fields that a format string names, each without what stands after a dot or bracket.

    Raises:
        ValueError: a brace without its partner, or a field without a name.
    """
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise ValueError(f"Template {template!r}: {error}; write {{{{ for a brace that is text.") from None
    if "" in names:
        raise ValueError(f"Template {template!r} has braces without a name: write {{name}}.")
    return frozenset(name.split(".")[0].split("[")[0] for name in names)


def fill(template: str, example: Example) -> str:
    """Put an example's columns into the fields of a format string.

    Raises:
        ValueError: a field that the example does not have, named with its nearest neighbour, one that is
            None, which would be written as a word, or one that cannot be written as the template wants.
    """
    for name in field_names(template):
        if name not in example:
            raise ValueError(_no_field(name, example))
        if example[name] is None:
            raise ValueError(f"The template asks for {{{name}}}, which is None in this example.")
    try:
        return template.format(**example)
    except (AttributeError, LookupError, TypeError, ValueError) as error:  # {text.size}, {text:d}
        raise ValueError(f"Template {template!r} does not fit this example: {error}.") from None


def said_once(part: str) -> str:
    """Write what is said once for all examples.

    Raises:
        ValueError: it has a field, which no one example could fill.
    """
    for name in field_names(part):
        raise ValueError(
            f"Instructions and task context are said once, and {{{name}}} cannot be filled there."
        )
    return part.format()


def check_rows(rows: Any, name: str) -> None:
    """Make sure that something is a list of rows, and not one row, a `DatasetDict` or a column.

    Args:
        rows: what was given.
        name: what it is called.

    Raises:
        ValueError: it is something else.
    """
    if not hasattr(rows, "__len__") or not isinstance(next(iter(rows), {}), Mapping):
        raise ValueError(
            f"The {name} must be a list of rows, each a dictionary, or one split of a task's data; "
            f"this {type(rows).__name__} is neither."
        )


def _no_field(name: str, columns: Iterable[str]) -> str:
    near = get_close_matches(name, columns, n=1)
    hint = f": did you mean {{{near[0]}}}?" if near else f"; it has {', '.join(sorted(columns))}."
    return f"The template asks for {{{name}}}, which the example does not have{hint}"


def with_labels(example: Example, labels: Sequence[Words]) -> list[dict[str, Any]]:
    """Return the example once for each label, with the label's words.

    Args:
        example: columns of the instance.
        labels: the words of each label, for the field `label`; or several fields with their words, where a
            template says a label in more than one place («Весёлый твит: … )))»).

    Raises:
        ValueError: fewer than two labels, one without words, or two with the same words.
    """
    if len(labels) < 2:
        raise ValueError(f"{len(labels)} label leaves nothing to choose: give at least two.")
    fields = [label_fields(words) for words in labels]
    bare = [[str(word).strip() for word in words.values()] for words in fields]
    if doubled := [words for i, words in enumerate(bare) if words in bare[:i]]:
        words = ", ".join(doubled[0])
        raise ValueError(f"Two labels have the same words «{words}»: no model could tell them apart.")
    return [{**example, **words} for words in fields]


def label_fields(words: Words) -> dict[str, str]:
    """Return the fields that a label fills: `label` alone, unless it names others.

    Raises:
        ValueError: no words, or none but white space.
    """
    fields = {"label": words} if isinstance(words, str) else words
    if not isinstance(fields, Mapping) or not "".join(map(str, fields.values())).strip():
        raise ValueError(f"A label's words must be a text that is not blank, and are {words!r}.")
    return dict(fields)
