"""Solve a task with a frozen model: ask, compare, answer (slide "RuGPT3 baselines", zero-shot).

"Handcrafted prompt formats, perplexity-based classification approach": every completion that a row allows is
scored after the row's prompt, and the best one is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_lib.scoring.classify import norm_of
from course_lib.scoring.logprobs import score
from course_lib.scoring.templates import check_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from course_lib.tasks import Task


def solve(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: Task,
    rows: Sequence[Mapping[str, Any]],
    norm: str = "sum",
    **options,
) -> list[int | str]:
    """Answer the rows of a task without any example.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        task: with a choice of completions: not one whose answers are free texts.
        rows: of one of its splits.
        norm: of the completions' log-probabilities, see `label_scores`.
        **options: those of `score`.

    Returns:
        For each row what `tasks.metrics.evaluate` takes: the number of a class, for RuCoS the entity.

    Raises:
        ValueError: a task that leaves nothing to choose, rows of another task, an unknown norm.
    """
    check_rows(rows, "rows")
    value = norm_of(norm)
    if task.is_free:
        raise ValueError(f"{task.title} is answered by writing: let the model continue its prompts.")
    choices = [task.completions(row) for row in rows]
    requests = [(task.prompt(row), text) for row, texts in zip(rows, choices, strict=True) for text in texts]
    values = iter([value(one) for one in score(model, tokenizer, requests, **options)])
    answers: list[int | str] = []
    for row, texts in zip(rows, choices, strict=True):
        scores = [next(values) for _ in texts]
        best = scores.index(max(scores))
        answers.append(row["entities"][best] if task.name == "rucos" else best)
    return answers
