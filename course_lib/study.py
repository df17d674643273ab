"""Long comparisons for the lectures: `python -m course_lib.study methods` writes
`course_lib/results/methods.json`.

A study is a grid of runs. Each is trained and judged by itself and kept as soon as it is done, so that a
study that was stopped goes on, and a notebook can repeat any one of them live and compare.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib import instruction_study, rlhf_study
from course_lib.instruction_study import InstructionRun
from course_lib.models import OWN_SEQ2SEQ, SIZES
from course_lib.rlhf_study import RLHFRun
from course_lib.tasks import RUSSIAN_SUPER_GLUE

if TYPE_CHECKING:
    from course_lib.prompts.methods import Method

RESULTS = Path(__file__).parent / "results"
SEEDS = (1, 2, 3)


@dataclass(frozen=True)
class Run:
    """One run of a study.

    Attributes:
        task: one of `course_lib.tasks.TASKS`.
        backbone: a name that `load_lm` takes.
        method: one of `course_lib.prompts.methods.METHODS`.
        n_train: training examples, drawn by the seed; None takes all.
        seed: of the examples, what is trained, and their order.
        steps: of training.
        template: the prompt's format, None for the task's own.
        learning_rate: None takes the method's.
        over_labels: whether the loss compares the label words alone.
    """

    task: str
    backbone: str
    method: str
    n_train: int | None = None
    seed: int = 1
    steps: int = 100
    template: str | None = None
    learning_rate: float | None = None
    over_labels: bool = False


def grid(**values: Iterable[Any]) -> Iterator[Run]:
    """Yield the runs of a grid; a single run of a method that trains nothing."""
    for some in product(*values.values()):
        run = Run(**dict(zip(values, some, strict=True)))
        if run.method != "zero-shot" or (run.seed == SEEDS[0] and run.n_train is None):
            yield run


TINY = SIZES["tiny"]  # what is stored is of the course's own models, whatever the profile
TRAINED = tuple(name for name in RUSSIAN_SUPER_GLUE if name != "lidirus")  # deck: 0/0/1104 examples
WRITTEN = ("detox", "qa", "titles", "summaries", "proverbs", "jokes")
N_WRITTEN = 100  # texts a run
# the measures that methods are compared by, text by text
COMPARED = ("bits_per_byte", "joint", "rougeL", "token_f1")
RIVALS = (
    "prompt, tensor",
    "prompt, lstm",
    "prompt tuning",
    "p-tuning",
    "prefix-tuning",
    "lora",
    "fine-tuning",
)
STUDIES: dict[str, list[Run] | list[InstructionRun] | list[RLHFRun]] = {
    # lecture 3: accuracy against data for all methods
    "methods": [
        *grid(task=["tweets"], backbone=["tiny"], method=["zero-shot"]),
        *grid(task=["tweets"], backbone=["tiny"], method=RIVALS, n_train=(16, None), seed=SEEDS),
        *grid(task=["tweets"], backbone=["tiny"], method=RIVALS, n_train=[128], seed=SEEDS),
    ],
    # lecture 4: providers that begin with nothing, and the two losses
    "providers": [
        *grid(
            task=["tweets"],
            backbone=["tiny"],
            method=[f"prompt, {name}" for name in ("tensor", "lstm", "mlp")],
            n_train=[None],
            seed=SEEDS,
            steps=[150],
            template=["<P*10>{text}"],
        ),
        *grid(
            task=["tweets"],
            backbone=["tiny"],
            method=["prompt, tensor"],
            n_train=[None],
            seed=SEEDS,
            steps=[150],
            template=["<P*10>{text}"],
            learning_rate=[None],
            over_labels=[True],
        ),
    ],
    # lecture 5: Russian SuperGLUE; a seed is whole before the next begins
    "russian_super_glue": [
        *grid(
            seed=SEEDS,
            method=["zero-shot", "prompt, tensor", "fine-tuning"],
            backbone=TINY,
            task=TRAINED,
            steps=[80],
        ),
    ],
    # lecture 5: how many soft tokens
    "soft_tokens": [
        *grid(
            seed=SEEDS,
            task=["tweets"],
            backbone=["tiny"],
            method=["prompt, tensor"],
            template=[f"<P*{n}>{{text}}" for n in (1, 3, 10, 30, 100)],
        ),
    ],
    # lecture 6: tasks whose answer is a text
    "text2text": [
        *grid(
            seed=SEEDS, method=["zero-shot", "prompt, tensor", "fine-tuning"], backbone=["tiny"], task=WRITTEN
        ),
    ],
    # lecture 7: before and after tuning on instructions, by size, and for an encoder-decoder
    "instructions": [
        *instruction_study.grid(n_examples=[0], backbone=(*TINY, *OWN_SEQ2SEQ)),
        *instruction_study.grid(seed=SEEDS, backbone=(*TINY, *OWN_SEQ2SEQ)),
    ],
    # lecture 7: by number of clusters, by number of wordings, and without words
    "instruction_variants": [
        run
        for seed in SEEDS
        for run in (
            *instruction_study.grid(backbone=["tiny"], seed=[seed], n_clusters=(1, 3, 5)),
            *instruction_study.grid(backbone=["tiny"], seed=[seed], n_templates=(1, 4)),
            *instruction_study.grid(backbone=["tiny"], seed=[seed], words=[False]),
        )
    ],
    # lecture 9: a seed is whole before the next begins, for it makes a supervised policy and a reward model
    "rlhf": [
        run
        for seed in SEEDS
        for run in (
            *rlhf_study.grid(backbone=["tiny-0.5m"], seed=[seed], method=["sft"]),
            *rlhf_study.grid(backbone=["tiny-0.5m"], seed=[seed], beta=(0.02, 0.1, 0.3)),
            *rlhf_study.grid(backbone=["tiny-0.5m"], seed=[seed], beta=[0.1], ptx=[1.0]),
            *rlhf_study.grid(backbone=["tiny-0.5m"], seed=[seed], beta=[0.1], value_from_reward=[False]),
            *rlhf_study.grid(backbone=["tiny-0.5m"], seed=[seed], method=("dpo", "rloo", "grpo"), beta=[0.1]),
        )
    ],
}


def key(run: Run | InstructionRun | RLHFRun) -> str:
    """Return what tells a run from all others."""
    return json.dumps(
        {name: value for name, value in asdict(run).items() if value is not None}, sort_keys=True
    )


def carry_out(run: Run | InstructionRun | RLHFRun) -> dict[str, Any]:
    """Train and judge one run (for those of instructions and RLHF, see their own modules).

    Returns:
        What `judged` or `written` return, for LiDiRus too where the task was TERRa; the best step and the
        held-out losses; the numbers trained and to be kept for the task; seconds of training.

    Raises:
        ValueError: as what it calls.
    """
    if isinstance(run, InstructionRun):
        return instruction_study.carry_out(run)
    if isinstance(run, RLHFRun):
        return rlhf_study.carry_out(run)
    from transformers import set_seed

    from course_lib.models import load_lm
    from course_lib.prompts.methods import prepare
    from course_lib.tasks import load_task

    task = load_task(run.task)
    model, tokenizer = load_lm(run.backbone)
    train = task.data["train"].to_list()
    if run.n_train is not None:
        train = random.Random(run.seed).sample(train, run.n_train)
    set_seed(run.seed)
    method = prepare(run.method, task, model, tokenizer, template=run.template, max_tokens=384)
    options = {"max_steps": run.steps, "eval_steps": run.steps // 5, "seed": run.seed}
    if run.learning_rate is not None:
        options["learning_rate"] = run.learning_rate
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        options |= {"folder": folder, "save_only_model": True, "over_labels": run.over_labels}
        history = method.tune(train, task.data["validation"].to_list(), **options)
    seconds = time.perf_counter() - start
    found = (written(method, run.seed) if task.is_free else judged(method)) | {
        "n_trained": method.n_trained,
        "n_served": method.n_served,
        "best_step": history and history.best_step,
        "held_out": history and [round(loss, 4) for loss in history.eval_losses],
        "seconds": round(seconds, 1),
    }
    if run.task == "terra":  # deck: LiDiRus has no examples to train on
        found["lidirus"] = judged(replace(method, task=load_task("lidirus")))
    method.close()
    return found


def judged(method: Method) -> dict[str, Any]:
    """Let a method choose.

    Returns:
        `metrics` on the test split of its task, and `hits`, a 0 or 1 for each example.
    """
    from course_lib.tasks.metrics import evaluate

    rows = method.task.data["test"].to_list()
    answers = method.answers(rows)
    true = [row["answers"] if method.task.name == "rucos" else [row["label"]] for row in rows]
    return {
        "metrics": {name: round(value, 4) for name, value in evaluate(method.task, answers, "test").items()},
        "hits": "".join(str(int(a in t)) for a, t in zip(answers, true, strict=True)),
    }


def written(method: Method, seed: int) -> dict[str, Any]:
    """Let a method write, and measure the texts in all ways that fit the task.

    Where the answer follows from the example, up to `N_WRITTEN` test examples are answered with the likeliest
    words. Proverbs and jokes have no right answer: they are sampled, and how likely the unseen ones are tells
    how well the method knows the kind.

    Returns:
        `metrics`, means; `values`, for the measures of `COMPARED` a value a text; `texts`, of the first seed.
    """
    import numpy as np

    from course_lib.prompts.tasks import BEGUN
    from course_lib.tasks.text_metrics import (
        against_references,
        copied,
        detoxified,
        distinct,
        style_classifier,
    )

    task = method.task
    test = task.data["test"].to_list()
    right = [task.answer(row) for row in test]
    bits = [-scores[0] / np.log(2) for scores in method.scores(test)]
    values = {"bits_per_byte": np.array(bits) / [len(text.encode()) for text in right]}
    metrics = {}
    if task.name in BEGUN:
        sampling = {"do_sample": True, "top_p": 0.9, "temperature": 0.8, "seed": seed}
        end = "\n" if task.name == "proverbs" else "\n\n"  # a joke may have lines
        texts = [text.strip().split(end)[0] for text in method.write(test[:1] * N_WRITTEN, 64, **sampling)]
        values["copied"] = copied(texts, [task.answer(row) for row in task.data["train"]])
        metrics["distinct"] = distinct(texts)
    else:
        some = test[:N_WRITTEN]
        texts = [text.strip().split("\n")[0] for text in method.write(some, 64)]
        values |= against_references(texts, [text.strip() for text in right[:N_WRITTEN]])
    if task.name == "detox":
        polite = detoxified(style_classifier(task), [row["toxic"] for row in some], texts)
        values |= {"style": polite.style, "content": polite.content, "joint": polite.joint}
    metrics |= {name: each.mean() for name, each in values.items()}
    return {
        "metrics": {name: round(float(value), 4) for name, value in metrics.items()},
        "values": {
            name: [round(float(value), 3) for value in values[name]] for name in COMPARED if name in values
        },
        **({"texts": texts} if seed == SEEDS[0] else {}),
    }


def load(name: str) -> list[tuple[Any, dict[str, Any]]]:
    """Return a study's runs that have been carried out, and what they found.

    Raises:
        ValueError: no such study.
        FileNotFoundError: it has not been carried out.
    """
    if name not in STUDIES:
        raise ValueError(f"There is no study {name!r}: {', '.join(STUDIES)}.")
    path = RESULTS / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"This study has not been carried out: python -m course_lib.study {name}")
    found = json.loads(path.read_text(encoding="utf-8"))["runs"]
    return [(run, found[key(run)]) for run in STUDIES[name] if key(run) in found]


def main() -> None:
    """Carry out what is left of a study; several processes may share one, a seed each."""
    from tqdm.auto import tqdm

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--seed", type=int, choices=SEEDS, help="the runs of one seed alone")
    arguments = parser.parse_args()
    name, path = arguments.study, RESULTS / f"{arguments.study}.json"

    def stored() -> dict[str, Any]:
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
        return {"command": f"python -m course_lib.study {name}", "runs": {}}

    mine = [run for run in STUDIES[name] if arguments.seed in (None, run.seed)]
    left = [run for run in mine if key(run) not in stored()["runs"]]
    for run in tqdm(left, desc=name, disable=not sys.stderr.isatty()):
        found = carry_out(run) | {"date": str(date.today())}
        study = stored()  # another process may have written meanwhile
        study["runs"][key(run)] = found
        half = path.with_suffix(f".half{os.getpid()}")
        half.write_text(json.dumps(study, indent=0, ensure_ascii=False), encoding="utf-8")
        half.replace(path)


if __name__ == "__main__":
    main()
