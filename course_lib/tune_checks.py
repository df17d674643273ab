"""What `course_lib.tune` makes sure of before a run begins: a mistake is one sentence, and costs no time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from course_lib.prompts.encoding import value
from course_lib.prompts.format import PromptFormat
from course_lib.prompts.syntax import Shots
from course_lib.prompts.tasks import FORMATS, fields

if TYPE_CHECKING:
    from course_lib.tasks import Task

LOSSES = ("language_model", "label_words")
WHOLE = ("seed", "training.max_steps", "training.eval_steps", "training.logging_steps")
WHOLE_OR_NULL = ("train_examples", "max_tokens", "training.patience")


def earlier(folder: Path, config: DictConfig) -> dict[str, Any] | None:
    """Return the log of the run that has ended in a folder, None if none has.

    Raises:
        ValueError: the folder has a run of other settings: to go on with it would mix the two.
    """
    log = folder / "log.json"
    begun = log.exists() or any((folder / "checkpoints").glob("checkpoint-*"))
    if not begun or not (folder / "config.yaml").exists():
        return None
    there = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml"))
    asked = OmegaConf.to_container(config, resolve=True)
    other = {key for key in there.keys() | asked.keys() if there.get(key) != asked.get(key)}
    if other := sorted(other - {"folder", "resume"}):
        what = f"'{folder}' has a run with other settings ({', '.join(other)})"
        raise ValueError(f"{what}: choose another folder, or resume=false to replace it.")
    return json.loads(log.read_text(encoding="utf-8")) if log.exists() else None


def check(config: DictConfig, task: Task, rows: dict[str, list[dict]]) -> None:
    """Make sure that a run can begin, before a model is loaded.

    Raises:
        ValueError: says what is wrong.
    """
    if config.loss not in LOSSES:
        raise ValueError(f"loss='{config.loss}' must be one of {', '.join(LOSSES)}.")
    if config.loss == "label_words" and task.is_free:
        raise ValueError(f"{task.title} is answered by writing, so it has no label words.")
    for key in (*WHOLE, *WHOLE_OR_NULL):
        given = OmegaConf.select(config, key)
        if not isinstance(given, int) and (given is not None or key in WHOLE):
            raise ValueError(f"{key}={given} must be a whole number.")
    if not isinstance(config.learning_rate, int | float):
        raise ValueError(f"learning_rate={config.learning_rate} must be a number.")
    if "train" not in rows:
        raise ValueError(f"{task.title} has no training examples here: tune TERRa's prompt for LiDiRus.")
    if empty := [split for split, some in rows.items() if not some]:
        raise ValueError(f"{task.title} has nothing in its split {empty[0]}: look at source={config.source}.")
    n = len(rows["train"])
    if config.train_examples is not None and not 0 < config.train_examples <= n:
        raise ValueError(f"train_examples={config.train_examples} must be from 1 to {n}, all that there are.")
    form = PromptFormat.parse(FORMATS[task.name] if config.format is None else config.format)
    if not form.soft:
        raise ValueError(f"The format '{form}' has no soft token, nothing to train: put <P> into it.")
    if any(isinstance(part, Shots) for part in form.parts):
        raise ValueError("The format has <shots>, and a run no solved examples to put there: leave them out.")
    secret = {"label", "answers", *(PromptFormat.parse(task.wordings[0]).fields if task.is_free else ())}
    for name in form.fields:
        value(fields(task, rows["train"][0]), name)
        if name in secret:
            raise ValueError(f"The format shows {{{name}}}, which is the answer: leave it out.")


def quoted(argument: str) -> str:
    """Put a format into the quotes that Hydra's own grammar asks for, unless it has them."""
    key, _, given = argument.partition("=")
    if key != "format" or given in ("", "null") or given.startswith("${"):
        return argument
    if given[0] in "'\"":
        try:
            OverridesParser.create().parse_override(argument)
            return argument
        except HydraException:  # a format that begins with a quotation mark
            pass
    escaped = re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), given)
    return f"{key}='{escaped}'"
