"""The metrics of Russian SuperGLUE by their official definitions, all as fractions of 1.

Matthews correlation, F1 and accuracy are scikit-learn's; what it does not have is here: MuSeRC's exact match
by question, RuCoS's token F1 and exact match, and the total score.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from course_lib.tasks import Task

MAJORITY = "majority_share"  # stands beside the metrics of a classification, and does not count as one


def evaluate(task: Task, predictions: Sequence, split: str = "validation") -> dict[str, float]:
    """Score predictions with the metrics of their task.

    Args:
        task: from `load_task`.
        predictions: for each row of the split a class number, or a text where the task has no classes.
        split: "train", "validation" or "test".

    Returns:
        Metric → value. A classification's `majority_share` stands beside its metrics: what always
        answering the most frequent class would get right.

    Raises:
        ValueError: no such split, another number of predictions than rows, labels that are not public, or a
            task whose answers are neither right nor wrong.
    """
    if split not in task.data:
        raise ValueError(f"{task.title} has no split {split!r}, only {', '.join(task.data)}.")
    rows = task.data[split]
    if len(predictions) != len(rows):
        raise ValueError(
            f"{task.title} {split} has {len(rows)} rows, and there are {len(predictions)} predictions."
        )
    if not task.metrics:
        raise ValueError(f"{task.title} has no right answers to compare with: read the texts.")
    if task.labels is None:
        answers = rows["answers"] if task.name == "rucos" else [[task.answer(row)] for row in rows]
        if not all(answers):
            raise ValueError(f"The answers of {task.title} {split} are not public: use 'validation'.")
        if wrong := [prediction for prediction in predictions if not isinstance(prediction, str)]:
            raise ValueError(f"{task.title}: the prediction {wrong[0]!r} is no text.")
        each = {"token_f1": token_f1, "exact_match": exact_match}
        return {
            name: fmean(each[name](*pair) for pair in zip(predictions, answers, strict=True))
            for name in task.metrics
        }
    labels, classes = list(rows["label"]), range(len(task.labels))
    if wrong := [prediction for prediction in predictions if prediction not in classes]:
        raise ValueError(f"{task.title}: the prediction {wrong[0]!r} is no class from 0 to {classes[-1]}.")
    predictions = [int(prediction) for prediction in predictions]
    if min(labels) < 0:
        raise ValueError(f"The labels of {task.title} {split} are not public: use 'validation'.")
    scores = {}
    for name in task.metrics:
        if name == "exact_match":
            questions = [(idx["paragraph"], idx["question"]) for idx in rows["idx"]]
            scores[name] = exact_match_by_question(predictions, labels, questions)
        else:
            scores[name] = CLASSIFICATION[name](predictions, labels)
    return scores | {MAJORITY: majority_share(labels)}


def matthews(predictions: Sequence[int], labels: Sequence[int]) -> float:
    """Return Matthews correlation, from -1 to 1; 0 where everything is of one class (LiDiRus)."""
    from sklearn.metrics import matthews_corrcoef

    if len({*predictions, *labels}) == 1:  # no correlation is defined
        return 0.0
    return float(matthews_corrcoef(labels, predictions))


def accuracy(predictions: Sequence[int], labels: Sequence[int]) -> float:
    """Return the share of right predictions."""
    from sklearn.metrics import accuracy_score

    return float(accuracy_score(labels, predictions))


def macro_f1(predictions: Sequence[int], labels: Sequence[int]) -> float:
    """Return the mean of the classes' F1, over the classes that occur (RCB)."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="macro", zero_division=0.0))


def f1a(predictions: Sequence[int], labels: Sequence[int]) -> float:
    """Return the F1 of "this answer is right" over all answers, whatever their question (MuSeRC)."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, zero_division=1.0))  # nothing to find, nothing found


CLASSIFICATION = {"matthews": matthews, "accuracy": accuracy, "macro_f1": macro_f1, "f1a": f1a}


def exact_match_by_question(
    predictions: Sequence[int], labels: Sequence[int], questions: Sequence[Hashable]
) -> float:
    """Return the share of questions with all their answers judged right (MuSeRC).

    Args:
        predictions: 0 or 1 per answer.
        labels: 0 or 1 per answer.
        questions: which question each answer belongs to.
    """
    right: dict[Hashable, bool] = {}
    for prediction, label, question in zip(predictions, labels, questions, strict=True):
        right[question] = right.get(question, True) and prediction == label
    return fmean(right.values())


def normalised(text: str) -> str:
    """Return a text in lower case, without ASCII punctuation, with single spaces: so RuCoS compares."""
    return " ".join(text.lower().translate(str.maketrans("", "", string.punctuation)).split())


def token_f1(prediction: str, answers: Sequence[str]) -> float:
    """Return the F1 of the common words, best over the answers (RuCoS; for one answer this is ROUGE-1)."""
    found = Counter(normalised(prediction).split())
    best = 0.0
    for answer in answers:
        wanted = Counter(normalised(answer).split())
        common = (found & wanted).total()
        if common:
            best = max(best, 2 * common / (found.total() + wanted.total()))
    return best


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """Return 1 if the prediction is one of the answers, else 0 (RuCoS)."""
    return float(normalised(prediction) in map(normalised, answers))


def majority_share(labels: Sequence[int]) -> float:
    """Return the share of the most frequent class: what an accuracy has to beat."""
    return max(Counter(labels).values()) / len(labels)


def one_answer(task: Task, split: str = "validation") -> list[int | str]:
    """Return the best answers that need no reading: always one class, for RuCoS the entity that stands first.

    Args:
        task: with a choice of answers.
        split: "train", "validation" or "test"; its labels say which class is best.

    Returns:
        For each row what `evaluate` takes.
    """
    rows = task.data[split]
    if task.name == "rucos":
        return [entities[0] for entities in rows["entities"]]
    constant = [[label] * len(rows) for label in range(len(task.labels))]
    return max(
        constant, key=lambda answers: sum(evaluate(task, answers, split)[metric] for metric in task.metrics)
    )


def total_score(scores: Mapping[str, Mapping[str, float]]) -> float:
    """Return the leaderboard's total: the mean over tasks, a task with two metrics counting their mean.

    Args:
        scores: task → metric → value, as from `evaluate`; `majority_share` is passed over.

    Raises:
        ValueError: there are no scores.
    """
    if not scores or not all(scores.values()):
        raise ValueError("There is nothing to take the mean of: every task needs its scores.")
    return fmean(
        fmean(value for metric, value in task.items() if metric != MAJORITY) for task in scores.values()
    )
