"""Measures of written texts: known values, agreement with the libraries, and how they can be fooled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu import sentence_chrf

from course_lib.tasks import load_task
from course_lib.tasks.metrics import token_f1
from course_lib.tasks.text_metrics import (
    against_references,
    chrf,
    copied,
    detoxified,
    distinct,
    rouge,
    style_classifier,
)

russian = st.text("абвгд ", min_size=1, max_size=30).filter(str.strip)
english = st.text("abcde ", min_size=1, max_size=30).filter(str.strip)


def test_rouge_reads_russian():
    title = "В зоопарке родился слонёнок"
    assert RougeScorer(["rougeL"]).score(title, title)["rougeL"].fmeasure == 0  # the trap
    assert rouge([title], [title]) == pytest.approx([1])
    # three of four words, in order; two of three pairs
    other = "В зоопарке родился жираф"
    assert rouge([title], [other], "rougeL") == pytest.approx([3 / 4])
    assert rouge([title], [other], "rouge2") == pytest.approx([2 / 3])
    assert rouge(["Слоненок!"], ["слонёнок"]) == pytest.approx([1])  # ё and е, case, punctuation


@given(english, english)
def test_rouge_is_the_librarys_where_its_tokenizer_can_read(text, reference):
    for kind in ("rouge1", "rouge2", "rougeL"):
        theirs = RougeScorer([kind]).score(reference, text)[kind].fmeasure
        assert rouge([text], [reference], kind) == pytest.approx([theirs])


@given(russian, russian)
def test_rouge_1_is_the_token_f1_of_rucos(text, reference):
    assert rouge([text], [reference], "rouge1") == pytest.approx([token_f1(text, [reference])])


@given(russian, russian)
def test_chrf_is_the_librarys(text, reference):
    assert chrf([text], [reference]) == pytest.approx([sentence_chrf(text, [reference]).score / 100])


def test_every_measure_has_a_value_a_text():
    found = against_references(["кот спит", "пёс"], ["кот спит", "кот"])
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(found, (2,))
    assert all(values[0] == pytest.approx(1) for values in found.values()) and found["exact_match"][1] == 0


def test_style_and_content_are_each_easy_and_together_are_not():
    task = load_task("detox")
    rows = task.data["test"]
    classifier = style_classifier(task)
    rude, polite = list(rows["toxic"]), list(rows["polite"])
    copy, thanks, person = (
        detoxified(classifier, rude, texts) for texts in (rude, ["Спасибо, пожалуйста."] * len(rude), polite)
    )
    assert copy.content.mean() == pytest.approx(1) and copy.style.mean() < 0.1
    assert thanks.style.mean() == 1 and thanks.content.mean() < 0.15
    assert person.style.mean() > 0.9
    assert person.joint.mean() > max(copy.joint.mean(), thanks.joint.mean())


def test_who_says_nothing_is_not_polite():
    task = load_task("detox")
    assert detoxified(style_classifier(task), ["Отстань!"], [" "]).joint == pytest.approx([0])


def test_recited_and_repeated_texts_are_told():
    known = ["Чем легче рюкзак, тем веселее песня."]
    assert copied(["чем легче рюкзак тем веселее песня", "Тише едешь."], known).tolist() == [1, 0]
    assert distinct(["раз два раз два раз"]) == pytest.approx(2 / 4)
    assert distinct(["раз два три", "четыре пять"]) == 1 and distinct(["раз", ""]) == 0


@given(st.lists(russian, min_size=1, max_size=5))
def test_repeating_a_set_of_texts_halves_how_many_runs_are_different(texts):
    assert distinct(texts * 2) == pytest.approx(distinct(texts) / 2)
    assert np.all(copied(texts, texts) == 1)
