"""The deck's table of results with its totals recomputed, and the zip that the leaderboard takes."""

from __future__ import annotations

import json
import operator
import os
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.tasks.metrics import total_score
from course_lib.tasks.specs import RUSSIAN_SUPER_GLUE, SPECS

if TYPE_CHECKING:
    from course_lib.tasks import Task


@dataclass(frozen=True)
class Result:
    """A row of the deck's slide "Results", in percent.

    Attributes:
        model: the backbone.
        approach: zero-shot, fine-tuning or prompt tuning.
        printed: the total score that the deck prints.
        scores: task → metric → value.
    """

    model: str
    approach: str
    printed: float
    scores: dict[str, dict[str, float]]

    @property
    def total(self) -> float:
        """The total score by its definition."""
        return total_score(self.scores)

    @property
    def agrees(self) -> bool:
        """Whether the total, rounded as the deck rounds, is the printed one."""
        return round(self.total, 1) == self.printed


def result(model: str, approach: str, printed: float, *figures: float | tuple[float, float]) -> Result:
    """Return a row of the deck; `figures` are its columns after the total."""
    scores = {}
    for name, figure in zip(RUSSIAN_SUPER_GLUE, figures, strict=True):
        values = figure if isinstance(figure, tuple) else (figure,)
        scores[name] = dict(zip(SPECS[name].metrics, values, strict=True))
    return Result(model, approach, printed, scores)


LARGE, XL = "RuGPT3-Large", "RuGPT3-13b"
# Two of the printed totals are not the mean of their row: 51.4 should be 51.9, and 57.0 should be 57.5.
RESULTS: tuple[Result, ...] = (
    result(
        *(LARGE, "Zero-Shot", 51.4),
        *(12.8, (30.4, 42.2), 63.0, (72.7, 52.2), 52.5, 57.1, 62.3, 57.0, (64.0, 63.5)),
    ),
    result(
        *(LARGE, "Fine-Tuning", 50.5),
        *(23.1, (41.7, 48.4), 58.4, (72.9, 33.3), 65.4, 64.7, 63.6, 60.4, (21.0, 20.2)),
    ),
    result(
        *(LARGE, "Prompt Tuning", 48.2),
        *(14.0, (17.6, 35.8), 47.2, (74.2, 38.3), 67.9, 62.8, 66.9, 60.7, (32.0, 31.4)),
    ),
    result(
        *(XL, "Zero-Shot", 51.0),
        *(-1.9, (21.7, 48.4), 71.6, (75.4, 56.8), 51.1, 53.8, 59.7, 59.5, (64.0, 64.1)),
    ),
    result(
        *(XL, "Prompt Tuning", 57.0),
        *(28.8, (40.5, 47.7), 54.4, (66.1, 25.8), 76.1, 64.7, 64.9, 74.8, (64.0, 63.6)),
    ),
)


def write_submission(
    path: str | Path, predictions: Mapping[str, Sequence[int | str]], tasks: Iterable[Task]
) -> Path:
    """Write the zip that russiansuperglue.com takes: nine files TASK.jsonl, whole or not at all.

    Args:
        path: the zip to write, or a folder, which then gets a `submission.zip`.
        predictions: task → for each row of its test split a class number or class name; for RuCoS a text.
        tasks: the nine tasks that were predicted.

    Returns:
        Where the zip is.

    Raises:
        ValueError: a task is missing, or has another number of predictions than rows, or a wrong label; the
            task is named, and nothing is written.
    """
    loaded = {task.name: task for task in tasks}
    for name in RUSSIAN_SUPER_GLUE:
        if name not in loaded or name not in predictions:
            lacks = "loaded task" if name not in loaded else "predictions"
            raise ValueError(f"{SPECS[name].title}: no {lacks}; the leaderboard wants all nine.")
    if unknown := sorted(set(predictions) - set(RUSSIAN_SUPER_GLUE)):
        raise ValueError(f"{', '.join(unknown)}: the leaderboard has no such task.")
    files = {
        f"{SPECS[name].title}.jsonl": lines(loaded[name], predictions[name]) for name in RUSSIAN_SUPER_GLUE
    }
    path = Path(path).expanduser()
    if path.suffix != ".zip":
        path = path / "submission.zip"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, work = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                # a fixed date, so that the same predictions give the same bytes
                info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(info, text)
        os.chmod(work, 0o644)
        os.replace(work, path)
    except BaseException:
        os.unlink(work)
        raise
    return path


def lines(task: Task, predictions: Sequence[int | str]) -> str:
    """Return the file of a task: one JSON object per line, sorted by `idx`."""
    places = task.data["test"]["idx"]
    if len(predictions) != len(places):
        raise ValueError(f"{task.title}: {len(predictions)} predictions for {len(places)} test rows.")
    written = [official_label(task, prediction) for prediction in predictions]
    if task.name == "muserc":
        objects = nested(places, written)
    else:
        if task.name == "rucos":
            places = [place["query"] for place in places]
        objects = [{"idx": idx, "label": label} for idx, label in zip(places, written, strict=True)]
    objects.sort(key=operator.itemgetter("idx"))
    return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in objects)


def official_label(task: Task, prediction: int | str) -> int | str:
    """Return a prediction as the leaderboard writes it: "true", "True" (RWSD), 0 or 1, or a class name."""
    if task.labels is None:
        if not isinstance(prediction, str):
            raise ValueError(f"{task.title}: a prediction must be a text, and one is {prediction!r}.")
        return prediction
    try:
        number = task.labels.index(prediction) if isinstance(prediction, str) else operator.index(prediction)
    except (ValueError, TypeError):
        number = -1
    if not 0 <= number < len(task.labels):
        raise ValueError(
            f"{task.title}: the label {prediction!r} is none of {', '.join(task.labels)} "
            f"(or 0 to {len(task.labels) - 1})."
        )
    if task.name in ("parus", "muserc"):
        return number
    name = task.labels[number]
    return name.lower() if task.name in ("russe", "danetqa") else name


def nested(places: Iterable[Mapping[str, int]], labels: Iterable[int | str]) -> list[dict[str, Any]]:
    """Return MuSeRC's predictions nested as its files are: passages, their questions, their answers."""
    passages: dict[int, dict[int, list[dict[str, Any]]]] = {}
    for place, label in zip(places, labels, strict=True):
        answers = passages.setdefault(place["paragraph"], {}).setdefault(place["question"], [])
        answers.append({"idx": place["answer"], "label": label})
    return [
        {
            "idx": passage,
            "passage": {"questions": [{"idx": i, "answers": found} for i, found in asked.items()]},
        }
        for passage, asked in passages.items()
    ]
