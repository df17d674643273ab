"""Tune a prompt from the command line: `python -m course_lib.tune task=danetqa backbone=tiny provider=lstm`.

Slide "ruPrompts Framework": "CLI and configuration system powered by Hydra". `--help` tells what can be
chosen.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from course_lib.models import OWN, PROFILES, RUGPT3
from course_lib.prompts.tasks import FORMATS, choices, fields, truncated
from course_lib.saving import write_whole
from course_lib.tune_checks import check, earlier, quoted

if TYPE_CHECKING:
    from course_lib.prompts.methods import Method
    from course_lib.prompts.tuning import History

BACKBONES = {
    name.split("/")[-1].removesuffix("_based_on_gpt2"): name for name in (*OWN, *RUGPT3, PROFILES["gpu"])
}
NEW_TOKENS = 48  # that a free answer may have
FAILED: list[str] = []  # runs of a sweep
store = ConfigStore.instance()
for task, template in FORMATS.items():
    store.store(name=task, group="task", node={"name": task, "format": template, "max_tokens": 384})
for short, name in BACKBONES.items():
    store.store(name=short, group="backbone", node={"name": name, "dtype": None})


def run(config: DictConfig, folder: str | Path) -> dict[str, Any]:
    """Tune a prompt as a configuration says, and leave everything about the run in a folder.

    Args:
        config: see `conf/tune.yaml`.
        folder: for config.yaml, log.json, curve.png, predictions.jsonl, prompt/ and the checkpoints.

    Returns:
        What log.json says. A run that has already ended is not run again.

    Raises:
        ValueError: anything in the configuration that cannot be done, or the folder has another run.
        OSError: the disk is full; what was saved before is as it was.
    """
    from transformers import set_seed

    from course_lib.models import lm_name, load_lm
    from course_lib.prompts.files import save_pretrained
    from course_lib.prompts.methods import prepare
    from course_lib.tasks import load_task

    folder = Path(folder)
    if config.resume and (finished := earlier(folder, config)):
        return finished
    task = load_task(config.task.name, config.source)
    rows = {split: data.to_list() for split, data in task.data.items()}
    check(config, task, rows)
    if config.train_examples is not None:
        rows["train"] = random.Random(config.seed).sample(rows["train"], config.train_examples)
    model, tokenizer = load_lm(config.backbone.name, dtype=config.backbone.dtype)
    room = getattr(model.config, "max_position_embeddings", None) or sys.maxsize
    room -= NEW_TOKENS if task.is_free else 0
    if (config.max_tokens or 0) > room:
        raise ValueError(f"max_tokens={config.max_tokens}: '{lm_name(model)}' has room for {room} here.")
    set_seed(config.seed)
    method = prepare(
        f"prompt, {config.provider.name}",
        task,
        model,
        tokenizer,
        template=config.format,
        init=config.init,
        max_tokens=config.max_tokens or room,
        **config.provider.settings,
    )
    for row in rows.get("test", ()):  # too long a one must not be found after the training
        longest = None if task.is_free else max(choices(task, row), key=len)
        method.prompt.encode(tokenizer, fields(task, row), longest, end=False, **limits(method))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.json").unlink(missing_ok=True)  # of a run that is replaced
    if not config.resume:
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    write_whole(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))
    arguments = {
        key: value
        for group in (config.training, config.optimiser, config.scheduler)
        for key, value in OmegaConf.to_container(group, resolve=True).items()
    }
    history = method.tune(
        rows["train"],
        rows.get("validation", ()),
        over_labels=config.loss == "label_words",
        folder=folder / "checkpoints",
        learning_rate=config.learning_rate,
        seed=config.seed,
        resume=config.resume,
        **arguments,
    )
    draw(history, folder / "curve.png", f"{task.title}, {lm_name(model)}")
    log = {
        "task": task.name,
        "backbone": lm_name(model),
        "provider": config.provider.name,
        "format": str(method.prompt.form),
        "seed": config.seed,
        "n_train": len(rows["train"]),
        "n_trained": method.n_trained,
        "n_served": method.n_served,
        "history": asdict(history),
        "metrics": {},
    }
    with (folder / "predictions.jsonl").open("w", encoding="utf-8") as file:
        for split in ("validation", "test"):
            if split in rows:
                predictions, log["metrics"][split] = judge(method, rows[split], split)
                for row, prediction in zip(rows[split], predictions, strict=True):
                    line = {
                        "split": split,
                        "idx": row.get("idx"),
                        "prediction": prediction,
                        "answer": right(task, row),
                    }
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
    found = "; ".join(f"{split}: {scores}" for split, scores in log["metrics"].items())
    save_pretrained(
        method.prompt, folder / "prompt", f"Trained on {task.title} ({len(rows['train'])} examples); {found}."
    )
    write_whole(folder / "log.json", json.dumps(log, indent=1, ensure_ascii=False))
    method.close()
    return log


def limits(method: Method) -> dict[str, Any]:
    """Return how long a prompt may be, and what makes it shorter."""
    return {"max_tokens": method.max_tokens, "truncate": truncated(method.task, method.prompt)}


def judge(method: Method, rows: list[dict], split: str) -> tuple[list, dict[str, Any]]:
    """Answer a split and score the answers; where one answer is right, with its accuracy's interval."""
    import numpy as np

    from course_lib.accuracy import interval
    from course_lib.prompts import generate
    from course_lib.tasks.metrics import evaluate

    task = method.task
    if task.is_free:
        shown = [fields(task, row) for row in rows]
        texts = generate(method.reader, method.tokenizer, method.prompt, shown, NEW_TOKENS, **limits(method))
        predictions: list[Any] = [text.strip() for text in texts]
        return predictions, evaluate(task, predictions, split) if task.metrics else {}
    predictions = method.answers(rows)
    true = [right(task, row) for row in rows]
    if None in true:  # official test files have no answers
        return predictions, {}
    hits = np.array(
        [p in t if isinstance(t, list) else p == t for p, t in zip(predictions, true, strict=True)]
    )
    accuracy, low, high = (round(value, 4) for value in interval(hits))
    return predictions, {**evaluate(task, predictions, split), "hits": accuracy, "interval": [low, high]}


def right(task, row: dict) -> Any:
    """Return the right answer: a class, the right entities, or a text; None where it is not public."""
    if task.name == "rucos":
        return row["answers"] or None
    if task.labels is not None:
        return None if row["label"] in (None, -1) else row["label"]
    return task.answer(row).strip()


def draw(history: History, path: Path, title: str) -> None:
    """Draw the losses of a run."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from course_lib.plots import curves, style

    style()
    series = {"training": (history.steps, history.losses)}
    if history.eval_steps:
        series["held out"] = (history.eval_steps, history.eval_losses)
    axes = curves(series, "step", "loss, nats a target token", title=title)
    axes.figure.savefig(path)
    plt.close(axes.figure)


@hydra.main(version_base=None, config_path="conf", config_name="tune")
def main(config: DictConfig) -> None:
    """Command line: tune, then print what came out."""
    folder = HydraConfig.get().runtime.output_dir
    try:
        log = run(config, folder)
    except (ValueError, OSError, OmegaConfBaseException) as error:
        if HydraConfig.get().mode is not RunMode.MULTIRUN:
            sys.exit(f"tune: {error}")
        FAILED.append(folder)  # the others of the sweep go on
        print(f"tune: {error}", file=sys.stderr)
        return
    for split, scores in log["metrics"].items():
        if scores:
            print(f"{split}: " + ", ".join(f"{name} {value}" for name, value in scores.items()))
    print(f"the prompt, its log and its predictions are in {folder}")


if __name__ == "__main__":
    sys.argv = [quoted(argument) for argument in sys.argv]
    main()
    if FAILED:
        sys.exit(f"tune: {len(FAILED)} of the sweep's runs failed.")
