"""The metrics by their official definitions: cases counted by hand, and what holds for all predictions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.tasks import RUSSIAN_SUPER_GLUE, TASKS, load_task
from course_lib.tasks.metrics import (
    accuracy,
    evaluate,
    exact_match,
    exact_match_by_question,
    f1a,
    macro_f1,
    majority_share,
    matthews,
    normalised,
    one_answer,
    token_f1,
    total_score,
)

BITS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30)
TEXTS = st.text("абвё ,.-«»A1", max_size=20)


def test_matthews_by_hand():
    # 3 true positives, 1 false positive, 2 false negatives, 4 true negatives
    predictions, labels = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
    assert matthews(predictions, labels) == pytest.approx((3 * 4 - 1 * 2) / math.sqrt(4 * 5 * 5 * 6))


@settings(deadline=None)  # the first call imports scikit-learn
@given(BITS)
def test_matthews_is_a_correlation(pairs):
    predictions, labels = map(list, zip(*pairs, strict=True))
    value = matthews(predictions, labels)
    assert -1 - 1e-9 <= value <= 1 + 1e-9
    assert matthews(labels, predictions) == pytest.approx(value)
    assert matthews([1 - p for p in predictions], labels) == pytest.approx(-value)
    assert matthews(labels, labels) == pytest.approx(float(len(set(labels)) == 2))


def test_macro_f1_by_hand_counts_rare_classes_as_much_as_frequent_ones():
    # class 0: 2 of 2 found, 3 predicted: F1 0.8; class 1: F1 2/3; class 2: missed
    predictions, labels = [0, 0, 1, 0], [0, 0, 1, 2]
    assert macro_f1(predictions, labels) == pytest.approx((0.8 + 1.0 + 0.0) / 3)
    assert accuracy(predictions, labels) == 0.75


def test_f1a_and_exact_match_of_muserc_by_hand():
    labels = [1, 0, 1, 0, 1]
    predictions = [1, 0, 0, 1, 1]
    questions = [(0, 0), (0, 0), (0, 1), (0, 1), (1, 1)]
    assert f1a(predictions, labels) == pytest.approx(2 / 3)  # precision and recall are both 2/3
    assert exact_match_by_question(predictions, labels, questions) == pytest.approx(2 / 3)


def test_f1a_at_its_ends():
    assert f1a([0, 0], [0, 0]) == 1.0
    assert f1a([1, 0], [0, 0]) == 0.0
    assert f1a([0, 0], [1, 0]) == 0.0


@given(BITS, st.integers(1, 4))
def test_a_question_is_right_only_if_all_its_answers_are(pairs, size):
    predictions, labels = map(list, zip(*pairs, strict=True))
    questions = [i // size for i in range(len(pairs))]
    value = exact_match_by_question(predictions, labels, questions)
    assert 0 <= value <= 1
    assert (value == 1) == (predictions == labels)
    if size == 1:
        assert value == pytest.approx(accuracy(predictions, labels))


def test_token_f1_by_hand_takes_the_best_answer():
    assert token_f1("Новый Арбат", ["Арбат"]) == pytest.approx(2 / 3)  # precision 1/2, recall 1
    assert token_f1("Новый Арбат", ["Тверская", "новый арбат."]) == 1.0
    assert token_f1("да да", ["да"]) == pytest.approx(2 / 3)  # a word counts as often as it stands there
    assert token_f1("Москва", []) == token_f1("", ["Москва"]) == 0.0


def test_answers_are_compared_without_case_and_punctuation():
    assert normalised('  "Санкт-Петербург", ООН ') == "санктпетербург оон"
    assert exact_match("ООН.", ["США", "оон"]) == 1.0
    assert exact_match("Оон и США", ["США", "оон"]) == 0.0


@given(TEXTS, st.lists(TEXTS, max_size=4))
def test_a_token_score_never_falls_with_more_answers(prediction, answers):
    value = token_f1(prediction, answers)
    assert 0 <= value <= 1
    assert token_f1(prediction, [*answers, "ещё"]) >= value
    if normalised(prediction):
        assert token_f1(prediction, [*answers, prediction]) == exact_match(prediction, [prediction]) == 1.0
        assert exact_match(prediction, answers) <= value


@given(TEXTS)
def test_normalising_twice_changes_nothing(text):
    assert normalised(normalised(text)) == normalised(text)


@settings(deadline=None)  # the first call imports scikit-learn
@given(st.lists(st.integers(0, 2), min_size=1))
def test_the_majority_share_is_the_best_constant_answer(labels):
    assert majority_share(labels) == pytest.approx(max(accuracy([c] * len(labels), labels) for c in range(3)))


def test_total_score_counts_a_task_with_two_metrics_once():
    scores = {"rcb": {"macro_f1": 0.2, "accuracy": 0.4, "majority_share": 0.9}, "terra": {"accuracy": 0.7}}
    assert total_score(scores) == pytest.approx(0.5)
    for nothing in ({}, {"terra": {}}):
        with pytest.raises(ValueError, match="nothing to take the mean of"):
            total_score(nothing)


@pytest.mark.parametrize("name", [name for name in TASKS if name not in ("proverbs", "jokes")])
def test_the_right_answers_score_one_in_every_metric(name):
    task = load_task(name)
    rows = task.data["test"]
    if task.labels:
        right = list(rows["label"])
    elif name == "rucos":
        right = [answers[-1] for answers in rows["answers"]]
    else:
        right = [task.answer(row) for row in rows]
    scores = evaluate(task, right, "test")
    share = scores.pop("majority_share", None)
    assert scores == dict.fromkeys(task.metrics, pytest.approx(1.0))
    assert (share is None) == (task.labels is None)
    assert share is None or 1 / len(task.labels) <= share < 0.6


def test_one_answer_for_all_scores_the_majority_share():
    task = load_task("danetqa")
    scores = evaluate(task, np.ones(200, dtype=np.int64))
    assert scores == {"accuracy": 0.5, "majority_share": 0.5}


@pytest.mark.parametrize("name", RUSSIAN_SUPER_GLUE)
def test_one_answer_is_the_best_that_needs_no_reading(name):
    task = load_task(name)
    answers = one_answer(task, "test")
    scores = evaluate(task, answers, "test")
    if name == "rucos":
        assert answers == [row["entities"][0] for row in task.data["test"]]
    else:
        assert len(set(answers)) == 1
        others = [evaluate(task, [i] * len(answers), "test") for i in range(len(task.labels))]
        assert all(sum(scores.values()) >= sum(other.values()) for other in others)


def test_wrong_predictions_are_refused_in_one_sentence():
    task = load_task("terra")
    with pytest.raises(ValueError, match=r"TERRa validation has 200 rows, and there are 3 predictions"):
        evaluate(task, [0, 1, 0])
    with pytest.raises(ValueError, match=r"TERRa: the prediction 2 is no class from 0 to 1"):
        evaluate(task, [0] * 199 + [2])
    with pytest.raises(ValueError, match=r"TERRa: the prediction 'да' is no class"):
        evaluate(task, ["да"] * 200)
    rucos = load_task("rucos")
    with pytest.raises(ValueError, match=r"RuCoS: the prediction 0 is no text"):
        evaluate(rucos, [0] * len(rucos.data["validation"]))
    with pytest.raises(ValueError, match=r"TERRa has no split 'dev', only train, validation, test"):
        evaluate(task, [0], "dev")
    with pytest.raises(ValueError, match=r"Jokes has no right answers"):
        evaluate(load_task("jokes"), [""] * 26, "test")


def test_hidden_labels_can_not_be_scored():
    task = load_task("terra")
    task.data["test"] = task.data["test"].map(lambda row: {"label": -1})
    with pytest.raises(ValueError, match=r"labels of TERRa test are not public"):
        evaluate(task, [0] * 400, "test")
    task = load_task("rucos")
    task.data["test"] = task.data["test"].map(lambda row: {"answers": row["answers"][:0]})
    with pytest.raises(ValueError, match=r"answers of RuCoS test are not public"):
        evaluate(task, [""] * 300, "test")
