"""One schema for every task: the micro-world's, the official files, or the Hub's.

`load_task(name, source)` returns a `Task`: a `DatasetDict` in the Hub's columns, the templates that turn a
row into text, and the names of its metrics. `metrics` scores, `leaderboard` has the deck's results and the
zip to submit, `statistics` the deck's table of sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.tasks.specs import RUSSIAN_SUPER_GLUE, SPECS, TASKS, Spec

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["RUSSIAN_SUPER_GLUE", "TASKS", "Task", "load_task"]


@dataclass(frozen=True, kw_only=True)
class Task(Spec):
    """What is known of a task, and its data.

    Attributes:
        name: one of `TASKS`.
        data: the splits train, validation and test, those that the source has, in the Hub's columns.
        labels: the names of the classes in `ClassLabel` order, None where the answer is a text.
    """

    name: str
    data: DatasetDict = field(repr=False)
    labels: tuple[str, ...] | None

    @property
    def is_free(self) -> bool:
        """Whether it is answered by writing, not by choosing."""
        return self.labels is None and self.name != "rucos"

    def prompt(self, row: Mapping[str, Any]) -> str:
        """Return what a model reads before it answers; it never ends in a space.

        Raises:
            ValueError: the row is of another task, or one of its texts is missing.
        """
        return self._written(self.template, row)

    def completions(self, row: Mapping[str, Any]) -> list[str]:
        """Return what may follow the prompt: a text per label, per entity (RuCoS), or the one target.

        Raises:
            ValueError: as `prompt`, or RuCoS without entities.
        """
        wordings = [self._written(wording, row) for wording in self.wordings]
        if self.name != "rucos":
            return wordings
        if not row.get("entities"):
            raise ValueError("This row of RuCoS has no entities: there is nothing to choose.")
        return [fill(wordings[0], entity) for entity in row["entities"]]

    def answer(self, row: Mapping[str, Any]) -> str:
        """Return the right completion.

        Raises:
            ValueError: as `prompt`, or the row has no label, as in the official test files, or a wrong one.
        """
        if self.name == "rucos":
            if not row.get("answers"):
                raise ValueError("This row of RuCoS has no answer: the test files' are not public.")
            return fill(self._written(self.wordings[0], row), row["answers"][0])
        if self.labels is None:
            return self.completions(row)[0]
        label = row.get("label")
        if label in (None, -1):
            raise ValueError(f"This row of {self.title} has no label: the test files' are not public.")
        if label not in range(len(self.labels)):
            last = len(self.labels) - 1
            raise ValueError(f"This row of {self.title} has the label {label!r}, no class from 0 to {last}.")
        return self.completions(row)[label]

    def shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns as a model is to read them: words for codes, no marks of a file format."""
        shown = {column: value for column, value in row.items() if value is not None}
        for column in self.glosses.keys() & shown.keys():
            shown[column] = self.glosses[column].get(shown[column], shown[column])
        if self.name == "rucos" and "passage" in shown:  # a mark of the file format, not a word
            shown["passage"] = shown["passage"].replace("@highlight\n", "")
        return shown

    def _written(self, template: str, row: Mapping[str, Any]) -> str:
        """Fill the columns into a template, as it shows them."""
        try:
            return template.format(**self.shown(row))
        except KeyError as error:
            raise ValueError(f"This row has no {error}, which {self.title} asks for.") from None


def fill(query: str, entity: str) -> str:
    """Return a query of RuCoS with the entity in its place."""
    return query.replace("@placeholder", entity)


def load_task(name: str, source: str | Path = "world") -> Task:
    """Load a task; wherever it comes from, its columns and their types are the same.

    Args:
        name: one of `TASKS`.
        source: "world" (the course's own data, nothing to download), "hub" (the real data), or a folder with
            the official files of Russian SuperGLUE.

    Returns:
        The task. LiDiRus has a test split alone; a set on the Hub has the splits that its authors made.

    Raises:
        ValueError: no such task or source, a damaged file, or the Hub is out of reach.
        FileNotFoundError: the folder or a file in it is missing.
    """
    if name not in TASKS:
        near = get_close_matches(str(name).lower(), TASKS, n=1, cutoff=0.0)
        raise ValueError(f"There is no task {name!r}. Did you mean {near[0]!r}? All: {', '.join(TASKS)}.")
    if source == "world":
        from course_lib.world import labelled

        data = labelled(name)
    elif source == "hub":
        from course_lib.tasks.hub import load_hub

        data = load_hub(name)
    else:
        from course_lib.tasks.files import load_files

        data = load_files(name, source)
    label = next(iter(data.values())).features.get("label")
    labels = None if label is None else tuple(label.names)
    return Task(**vars(SPECS[name]), name=name, data=data, labels=labels)
