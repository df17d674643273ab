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

from course_lib.tasks.specs import RUSSIAN_SUPER_GLUE, SPECS, TASKS

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = ["RUSSIAN_SUPER_GLUE", "TASKS", "Task", "load_task"]


@dataclass(frozen=True)
class Task:
    """A task with its data.

    Attributes:
        name: one of `TASKS`.
        title: the name that the deck and the leaderboard write.
        data: the splits train, validation and test, those that the source has, in the Hub's columns.
        labels: the names of the classes in `ClassLabel` order, None where the answer is a text.
        template: the prompt, `str.format` over the columns.
        wordings: one completion per label, or the one target of a free text.
        metrics: names of functions in `course_lib.tasks.metrics`.
        texts: the columns that are read.
        hub: the real data on the Hub, owner/name, or None.
        glosses: column → value → the Russian words shown instead.
    """

    name: str
    title: str
    data: DatasetDict = field(repr=False)
    labels: tuple[str, ...] | None
    template: str
    wordings: tuple[str, ...]
    metrics: tuple[str, ...]
    texts: tuple[str, ...]
    hub: str | None
    glosses: Mapping[str, Mapping[str, str]] = field(repr=False)

    def prompt(self, row: Mapping[str, Any]) -> str:
        """Return what a model reads before it answers; it never ends in a space."""
        return self.template.format(**self._shown(row))

    def completions(self, row: Mapping[str, Any]) -> list[str]:
        """Return what may follow the prompt: a text per label, per entity (RuCoS), or the one target."""
        shown = self._shown(row)
        wordings = [wording.format(**shown) for wording in self.wordings]
        if self.name == "rucos":
            return [fill(wordings[0], entity) for entity in row["entities"]]
        return wordings

    def answer(self, row: Mapping[str, Any]) -> str:
        """Return the right completion.

        Raises:
            ValueError: the row has no label, as in the official test files.
        """
        if self.name == "rucos":
            if not row["answers"]:
                raise ValueError("This row of RuCoS has no answer: the test files' are not public.")
            return fill(self.wordings[0].format(**self._shown(row)), row["answers"][0])
        if self.labels is None:
            return self.completions(row)[0]
        if row["label"] < 0:
            raise ValueError(f"This row of {self.title} has no label: the test files' are not public.")
        return self.completions(row)[row["label"]]

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the columns as the templates show them."""
        shown = dict(row)
        for column, words in self.glosses.items():
            shown[column] = words.get(row[column], row[column])
        if self.name == "rucos":  # a mark of the file format, not a word
            shown["passage"] = row["passage"].replace("@highlight\n", "")
        return shown


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
    if name not in SPECS:
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
    spec = SPECS[name]
    label = next(iter(data.values())).features.get("label")
    return Task(
        name,
        spec.title,
        data,
        None if label is None else tuple(label.names),
        spec.template,
        spec.wordings,
        spec.metrics,
        spec.texts,
        spec.hub.repository if spec.hub else None,
        spec.glosses,
    )
