"""The micro-world's tasks for EleutherAI's lm-eval: same texts, same answers, same accuracy.

A choice is answered by the likeliest completion, everything else that has a right answer by writing.

    lm_eval --model hf --model_args pretrained=course_lib/checkpoints/tiny,dtype=float32 \\
        --include_path course_lib/tasks/lm_eval --tasks course_tweets,course_russian_super_glue

`--metadata '{"source": "FOLDER"}'` reads the official files instead of the micro-world. A text with an empty
prompt (tweets) begins with the tokenizer's beginning-of-text token in lm-eval as in `scoring.score`.
The YAML files beside this module name its functions; those without `process_results` let lm-eval judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.tasks import load_task, metrics

if TYPE_CHECKING:
    from datasets import DatasetDict

FOLDER = Path(__file__).parent  # lm-eval's `include_path`
Results = Sequence[tuple[float, bool]]  # log-probability, whether greedy decoding would write it


def load(task: str, source: str = "world", **_) -> DatasetDict:
    """Load a task with its texts written out (`custom_dataset`).

    Args:
        task: a name of `course_lib.tasks.TASKS`.
        source: see `load_task`.
        **_: what else lm-eval knows of the run, such as the arguments of the model.

    Returns:
        The splits; a row has its `prompt`, and its `completions` with the number of the `right` one, -1 where
        the answer is not public; or, where it is to be written, the `completion`.

    Raises:
        ValueError, FileNotFoundError: as `load_task`.
    """
    loaded = load_task(task, source)

    def right(row: Mapping[str, Any]) -> int:
        if task != "rucos":
            return row["label"]
        return next((i for i, entity in enumerate(row["entities"]) if entity in row["answers"]), -1)

    data, written = loaded.data, {"prompt": loaded.prompt}
    if loaded.is_free:
        written["completion"] = loaded.answer
    else:
        written |= {"completions": loaded.completions, "right": right}
    for split in data:
        for column, write in written.items():
            data[split] = data[split].add_column(column, [write(row) for row in data[split]])
    return data


def written_results(row: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Judge an answer that was written (`process_results`)."""
    text, answers = results[0].strip(), [row["completion"].strip()]
    return {"token_f1": metrics.token_f1(text, answers), "exact_match": metrics.exact_match(text, answers)}


def likeliest(results: Results) -> int:
    """Return the number of the completion with the largest log-probability, the first of equals."""
    logprobs = [logprob for logprob, _ in results]
    return logprobs.index(max(logprobs))


def muserc_results(row: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """Judge an answer of MuSeRC, which counts by itself and for its question (`process_results`)."""
    prediction, label = likeliest(results), row["label"]
    question = row["idx"]["paragraph"], row["idx"]["question"]
    return {
        "acc": float(prediction == label),
        "f1a": (label, prediction),
        "exact_match": (prediction, label, question),
    }


def rucos_results(row: Mapping[str, Any], results: Results) -> dict[str, float]:
    """Judge an entity of RuCoS, of which several may be right (`process_results`)."""
    entity, answers = row["entities"][likeliest(results)], row["answers"]
    return {
        "acc": float(entity in answers),
        "token_f1": metrics.token_f1(entity, answers),
        "exact_match": metrics.exact_match(entity, answers),
    }


def of_pairs(metric: Callable[[list[int], list[int]], float]) -> Callable[[Sequence], float]:
    """Return a metric that takes what lm-eval collects, pairs (label, prediction)."""
    return lambda pairs: metric([prediction for _, prediction in pairs], [label for label, _ in pairs])


matthews, macro_f1, f1a = map(of_pairs, (metrics.matthews, metrics.macro_f1, metrics.f1a))


def exact_match(triples: Sequence[tuple[int, int, tuple]]) -> float:
    """Return MuSeRC's exact match of triples (prediction, label, question)."""
    return metrics.exact_match_by_question(*zip(*triples, strict=True))
