"""The official files of Russian SuperGLUE, read as they are into the Hub's columns.

Every task is a folder of JSON lines. MuSeRC becomes one row per answer and RuCoS one row per query, as on the
Hub; a missing label becomes -1, as `datasets` writes it. Texts are kept to the character, doubled quotes
included, because the offsets count them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.tasks.repairs import Row, repaired
from course_lib.tasks.specs import RUSSIAN_SUPER_GLUE, SPECS

if TYPE_CHECKING:
    from datasets import DatasetDict, Features

FILES = {"train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl"}
# fields that a line may lack: categories that do not apply, and senses that the test file keeps secret
DEFAULTS: dict[str, Any] = dict.fromkeys(
    ("knowledge", "lexical-semantics", "logic", "predicate-argument-structure", "verb", "negation"), ""
) | {"gold_sense1": -1, "gold_sense2": -1}


def load_files(name: str, source: str | Path) -> DatasetDict:
    """Read a task from the official files.

    Args:
        name: a task of Russian SuperGLUE.
        source: the folder that holds the task's folder (TERRa, RCB, ...), or that folder itself.

    Returns:
        The splits, with the columns and types of the bundled task.

    Raises:
        FileNotFoundError: the folder, or the file of a split, is missing.
        ValueError: the task has no official files, or a file is damaged; its line is named.
    """
    from datasets import Dataset, DatasetDict

    from course_lib.world.splits import TASKS

    if name not in RUSSIAN_SUPER_GLUE:
        raise ValueError(f"{name!r} is no task of Russian SuperGLUE: load it from 'world' or 'hub'.")
    folder = task_folder(SPECS[name].title, Path(str(source)).expanduser())
    features = TASKS[name].features()
    files = {"test": "LiDiRus.jsonl"} if name == "lidirus" else FILES
    missing = [file for file in files.values() if not (folder / file).is_file()]
    if missing:
        raise FileNotFoundError(f"The folder '{folder}' has no {', '.join(missing)}: unpack the whole zip.")
    return DatasetDict(
        {
            split: Dataset.from_list(read_split(name, folder / file, split, features), features=features)
            for split, file in files.items()
        }
    )


def task_folder(title: str, source: Path) -> Path:
    """Return the folder of a task: `source` itself, or the one in it."""
    if source.suffix == ".zip" and source.is_file():
        raise ValueError(f"'{source}' is still packed: unzip it, and give the folder.")
    if not source.is_dir():
        raise FileNotFoundError(
            f"There is no folder '{source}'. A source is 'world', 'hub', or a folder with the official files."
        )
    for folder in (source / title, source):
        if folder.is_dir() and folder.name == title:
            return folder
    raise FileNotFoundError(f"The folder '{source}' has no folder {title}: unzip {title}.zip there.")


def read_split(name: str, path: Path, split: str, features: Features) -> list[Row]:
    """Return the rows of a file, and name the line of whatever is wrong with it."""
    rows = []
    for number, record in records(path):
        try:
            rows += [repaired(name, row) for row in to_rows(name, record, features, split != "test")]
        except KeyError as error:
            raise ValueError(f"{path}, line {number}: the field {error} is missing.") from None
        except (TypeError, AttributeError, OverflowError):
            raise ValueError(
                f"{path}, line {number}: a field is not of the type that {SPECS[name].title} has there."
            ) from None
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    if not rows:
        raise ValueError(f"{path} holds no examples: unpack or download it again.")
    return rows


def records(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield the number and the object of every line; byte order marks and empty lines are passed over."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                text = line.decode("utf-8-sig").strip()
                record = json.loads(text) if text else None
            except UnicodeDecodeError:
                raise ValueError(
                    f"{path}, line {number} is not UTF-8 (is it cp1251?): convert the file once with "
                    f"`iconv -f cp1251 -t utf-8 {path.name} > new.jsonl`."
                ) from None
            except (json.JSONDecodeError, RecursionError) as error:
                raise ValueError(f"{path}, line {number} is not JSON ({error}).") from None
            if text and not isinstance(record, dict):
                raise ValueError(f"{path}, line {number} is not a JSON object.")
            if text:
                yield number, record


def to_rows(name: str, record: Row, features: Features, labelled: bool) -> list[Row]:
    """Return the rows that one line of a file stands for.

    Args:
        name: the task.
        record: the line.
        features: the columns.
        labelled: whether a label must be there (train and validation).
    """
    if name == "rucos":
        return list(rucos_rows(record, labelled))
    if name == "muserc":
        return [row | {"label": label(name, row, features, labelled)} for row in muserc_rows(record)]
    if name == "rwsd":
        record = record | record["target"]
    row = {}
    for column, kind in features.items():
        if column != "label":
            value = record.get(column)
            if value is None:
                if column not in DEFAULTS:
                    raise KeyError(column)
                value = DEFAULTS[column]
            row[column] = as_text(column, value) if kind.dtype == "string" else int(value)
    return [row | {"label": label(name, record, features, labelled)}]


def muserc_rows(record: Row) -> Iterator[Row]:
    """Yield a row per answer, with the answer's label where it has one."""
    for question in record["passage"]["questions"]:
        for answer in question["answers"]:
            yield {
                "idx": {
                    "paragraph": int(record["idx"]),
                    "question": int(question["idx"]),
                    "answer": int(answer["idx"]),
                },
                "paragraph": as_text("text", record["passage"]["text"]),
                "question": as_text("question", question["question"]),
                "answer": as_text("text", answer["text"]),
                "label": answer.get("label"),
            }


def rucos_rows(record: Row, labelled: bool) -> Iterator[Row]:
    """Yield a row per query; entities and answers are sorted and each once, as on the Hub."""
    passage = as_text("text", record["passage"]["text"])
    entities = {passage[span["start"] : span["end"]] for span in record["passage"]["entities"]}
    for query in record["qas"]:
        answers = query["answers"] if labelled else query.get("answers", [])
        yield {
            "passage": passage,
            "query": as_text("query", query["query"]),
            "entities": sorted(entities - {""}),
            "answers": sorted({as_text("text", answer["text"]) for answer in answers}),
            "idx": {"passage": int(record["idx"]), "query": int(query["idx"])},
        }


def as_text(field: str, value: Any) -> str:
    """Return a string, and refuse everything else (ValueError)."""
    if not isinstance(value, str):
        raise ValueError(f"the field {field!r} must be a text, and is {value!r}.")
    value.encode()  # a ValueError for half an emoji, which JSON can write and no tokenizer reads
    return value


def label(name: str, record: Row, features: Features, labelled: bool) -> int:
    """Return the class of a label, written as true or "true", as 0 or 1, or by name; -1 if there is none."""
    value = record.get("label")
    if value is None:
        if labelled:
            raise KeyError("label")
        return -1
    names = features["label"].names
    known = ["0", "1"] if name in ("parus", "muserc") else [name.lower() for name in names]
    if str(value).lower() not in known:
        raise ValueError(f"the label {value!r} is none of {', '.join(known)}.")
    return known.index(str(value).lower())
