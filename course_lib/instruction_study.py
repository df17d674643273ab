"""The long comparisons of lecture 7: what tuning on instructions does to tasks that it never saw.

As T0, a model is tuned on some clusters of tasks and judged on others, in all wordings. `course_lib.study`
carries the runs out and keeps them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from course_lib.grids import grid_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

HELD_OUT = ("entailment", "common sense", "coreference", "sentiment")
# trained on, in the order in which fewer of them are taken
TRAINED = (
    "reading",
    "style",
    "paraphrase",
    "summarisation",
    "closed-book QA",
    "word sense",
    "translation",
)
SHORT = ("terra", "rcb", "rwsd", "tweets")  # held-out tasks whose choices are a word or two
N_TEST, N_FOLLOWED = 100, 25  # test examples of a task: to choose an answer to, to write one
N_WORDINGS, N_KEPT = 5, 2  # of a held-out task; of a trained one, kept from training
# what the models are asked side by side; the first two are the deck's
PROMPTS = (
    "Назови пять идей, как вернуть интерес к своей работе.",
    "Напиши короткий рассказ о том, как медведь пошёл на пляж, подружился с тюленем и вернулся домой.",
    "Перепиши вежливо: «Хватит болтать, растяпа!»",
    "Кто живёт в лесу и любит мёд?",
    "Придумай три клички для кота.",
    "Привет! Меня зовут Ольга.",
    "Определи настроение: «Опоздал на поезд, промок и потерял ключи».",
    "Напиши поздравление с днём рождения. Имя: Анна.",
)


@dataclass(frozen=True)
class InstructionRun:
    """One run: a model tuned on a mixture, judged on what was held out.

    Attributes:
        backbone: a name that `load_lm` takes.
        seed: of the mixture and the order of its examples.
        n_examples: that it is tuned on; 0 leaves it as it is.
        n_clusters: the first so many of `TRAINED` are mixed.
        n_templates: so many wordings of each task are used.
        words: whether the tasks are told in words; without, a prompt is but the example's columns.
        learning_rate: of the tuning.
    """

    backbone: str
    seed: int = 1
    n_examples: int = 2000
    n_clusters: int = len(TRAINED)
    n_templates: int = 10
    words: bool = True
    learning_rate: float = 5e-4


grid = partial(grid_of, InstructionRun)


def carry_out(run: InstructionRun) -> dict[str, Any]:
    """Tune and judge one model.

    Returns:
        `hits`: task -> wording -> a 0 or 1 for each example, of held-out clusters, and of trained ones in
        wordings that were not; `follows`: task -> share of answers that are one of the choices, when the
        model writes; `bits_per_byte` of each held-out demonstration's answer; `texts`, what it answers to
        `PROMPTS`; losses, tokens and seconds of the tuning, and how many examples were too long for it.
    """
    from course_lib.instructions.answers import write
    from course_lib.models import load_lm

    model, tokenizer = load_lm(run.backbone)
    found = tuned(run, model, tokenizer) if run.n_examples else {}
    return {
        "hits": judged(model, tokenizer),
        "follows": {task: followed(model, tokenizer, task) for task in SHORT},
        "bits_per_byte": [round(float(bits), 3) for bits in demonstrated(model, tokenizer)],
        "texts": write(model, tokenizer, PROMPTS),
        **found,
    }


def tuned(run: InstructionRun, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Tune a model, which is changed; return what is to be kept of it."""
    import torch
    from transformers import set_seed

    from course_lib.instructions.checks import without_instructions
    from course_lib.instructions.mixture import Mixture, Source, sources
    from course_lib.instructions.packing import batches, collate_pairs, packed
    from course_lib.instructions.supervised import as_columns, encode_all, encode_pairs
    from course_lib.instructions.tuning import tune
    from course_lib.scoring.logprobs import context_window
    from course_lib.tasks import load_task

    tasks = sources(TRAINED[: run.n_clusters], n_templates=run.n_templates, held_out=N_KEPT)
    if not run.words:
        tasks = [
            Source(
                source.task,
                source.rows,
                [
                    without_instructions(template, load_task(source.task).texts)
                    for template in source.templates
                    if template.original_task
                ],
            )
            for source in tasks
        ]
    rows = [as_columns(told.instruction) for told in Mixture(tasks, seed=run.seed).take(run.n_examples)]
    encoded, too_long = encode_all(tokenizer, rows, context_window(model))
    packs = packed(encoded, context_window(model))
    n_steps = len(packs) // 4
    set_seed(run.seed)
    if model.config.is_encoder_decoder:
        pairs = encode_pairs(tokenizer, rows)
        order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(run.seed))
        some = order.tensor_split(n_steps)  # as many steps as the decoder takes
        ready = (collate_pairs([pairs[i] for i in each], tokenizer.pad_token_id) for each in some)
    else:
        ready = batches(packs, 4, tokenizer.pad_token_id, run.seed)
    start = time.perf_counter()
    losses = tune(
        model, ready, n_steps, learning_rate=run.learning_rate, dtype=torch.bfloat16, progress=False
    )
    return {
        "losses": [round(loss, 3) for loss in losses[:: max(1, n_steps // 50)]],
        "n_tokens": sum(len(one.ids) for one in encoded),
        "n_too_long": len(too_long),
        "seconds": round(time.perf_counter() - start, 1),
    }


def judged(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> dict[str, dict[str, str]]:
    """Let a model choose: held-out tasks in some wordings, trained ones in those that were kept back."""
    from course_lib.instructions.answers import choose
    from course_lib.instructions.mixture import CLUSTERS
    from course_lib.instructions.templates import task_templates
    from course_lib.tasks import load_task

    hits: dict[str, dict[str, str]] = {}
    tasks = [(task, N_WORDINGS) for cluster in HELD_OUT for task in CLUSTERS[cluster]]
    for task, n_wordings in [*tasks, *((task, N_KEPT) for task in ("paraphrase", "danetqa", "russe"))]:
        rows = load_task(task).data["test"].to_list()[:N_TEST]
        asking = [template for template in task_templates(task) if template.original_task]
        hits[task] = {}
        for template in asking[-n_wordings:]:
            told = [template.render(row) for row in rows]
            right = choose(model, tokenizer, [each for each in told if each is not None])
            hits[task][template.name] = "".join(str(int(hit)) for hit in right)
    return hits


def followed(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, task: str) -> float:
    """Return how often a model that may write anything writes one of the choices."""
    from course_lib.instructions.answers import write
    from course_lib.instructions.templates import task_templates
    from course_lib.tasks import load_task

    rows = load_task(task).data["test"].to_list()[:N_FOLLOWED]
    asking = [template for template in task_templates(task) if template.original_task][:N_WORDINGS]
    told = [each for template in asking for row in rows if (each := template.render(row)) is not None]
    texts = write(model, tokenizer, [each.prompt for each in told], 12)
    return round(
        sum(is_one_of(text, each.choices or ()) for text, each in zip(texts, told, strict=True)) / len(told),
        4,
    )


def is_one_of(text: str, choices: Sequence[str]) -> bool:
    """Tell whether a text is one of the choices, whatever its capital letter and full stop."""
    return text.strip().rstrip(".").lower() in [choice.lower() for choice in choices]


def demonstrated(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Any:
    """Return the bits a byte that the held-out demonstrations' answers cost a model (demonstrations,)."""
    import numpy as np

    from course_lib.instructions.answers import completion_scores
    from course_lib.instructions.use_cases import chats

    rows = chats("validation", tokenizer.eos_token)
    nats = completion_scores(model, tokenizer, rows)
    return -nats / np.log(2) / [len(row["completion"].encode()) for row in rows]
