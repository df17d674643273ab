"""Comparisons: rankings, the pairs they stand for, files of them, and labelers who agree or not."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.rewards import (
    LABELERS,
    Labeler,
    Ranking,
    agreement,
    as_columns,
    from_columns,
    ranked,
    read_jsonl,
    write_jsonl,
)
from course_lib.world.demonstrations import make
from course_lib.world.judgement import brevity, judge, politeness

ANSWERS = ("Муу.", "Гав.", "Мяу.", "Ква.")


@st.composite
def rankings(draw) -> Ranking:
    k = draw(st.integers(2, 9))
    scores = draw(st.lists(st.integers(0, 4), min_size=k, max_size=k).filter(lambda s: len(set(s)) > 1))
    return ranked(draw(st.text(max_size=9)), [f"ответ {i}" for i in range(k)], scores, "Анна")


@given(ranking=rankings())
def test_pairs_are_all_that_are_not_tied(ranking):
    k, tied = len(ranking.responses), sum(len(g) * (len(g) - 1) // 2 for g in ranking.order)
    assert len(ranking.pairs) == k * (k - 1) // 2 - tied
    assert all(ranking.ranks[better] < ranking.ranks[worse] for better, worse in ranking.pairs)


def test_nine_answers_are_thirty_six_pairs():
    assert len(ranked("?", [str(i) for i in range(9)], range(9)).pairs) == 36


@given(ranking=rankings())
def test_columns_and_back(ranking):
    rows = as_columns([ranking])
    [again] = from_columns(random.Random(0).sample(rows, len(rows)))
    assert dict(zip(again.responses, again.ranks, strict=True)) == dict(
        zip(ranking.responses, ranking.ranks, strict=True)
    )
    assert (again.prompt, again.labeler) == (ranking.prompt, ranking.labeler)


def test_pairs_that_are_no_ranking_stay_pairs():
    circle = [{"prompt": "?", "chosen": a, "rejected": b} for a, b in (("а", "б"), ("б", "в"), ("в", "а"))]
    assert [r.responses for r in from_columns(circle)] == [("а", "б"), ("б", "в"), ("в", "а")]
    part = [{"prompt": "?", "chosen": a, "rejected": b} for a, b in (("а", "б"), ("в", "г"))]
    assert len(from_columns(part)) == 2
    with pytest.raises(ValueError, match="lacks the column 'rejected'; it has prompt, chosen"):
        from_columns([{"prompt": "?", "chosen": "а"}])


@pytest.mark.parametrize(
    ("responses", "order", "message"),
    [
        (ANSWERS[:1], ((0,),), "has 1 answer: there is nothing to compare"),
        (("Муу.", "Муу."), ((0,), (1,)), "has the answer «Муу.» twice"),
        (ANSWERS[:3], ((0,), (2,)), "does not rank answer 1"),
        (ANSWERS[:2], ((0,), (1,), (0,)), "ranks answer 0 more than once"),
        (ANSWERS[:2], ((0,), (1,), (2,)), "ranks answer 2, and there are only 2"),
        (ANSWERS, ((0, 1, 2, 3),), "ties all answers: it says nothing"),
    ],
)
def test_bad_rankings_are_refused(responses, order, message):
    with pytest.raises(ValueError, match=message) as told:
        Ranking("Как подаёт голос корова?", responses, order)
    assert "Как подаёт голос корова?" in str(told.value)


def test_a_file_is_written_as_one_goes_and_read_as_far_as_it_can_be(tmp_path):
    path = tmp_path / "mine.jsonl"
    first, second = (ranked("?", ANSWERS, scores, "я") for scores in ((3, 2, 1, 0), (0, 0, 1, 2)))
    write_jsonl([first], path)
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"prompt": "половина\n\n{"prompt": "?", "responses": ["а"], "order": [[0]]}\n{"a": 1}\n')
    write_jsonl([second], path)
    found, problems = read_jsonl(path)
    assert found == [first, second]
    assert [problem.split(" is no ranking")[0].split(", ")[1] for problem in problems] == [
        "line 2",
        "line 4",
        "line 5",
    ]
    assert "has 1 answer" in problems[1]
    with pytest.raises(FileNotFoundError):
        read_jsonl(tmp_path / "nowhere.jsonl")


def test_agreement_counts_pairs_that_both_have_ordered():
    a = ranked("?", ANSWERS, (3, 2, 1, 0), "Анна")
    same, turned, tied = (
        ranked("?", ANSWERS, scores, "Борис") for scores in ((3, 2, 1, 0), (0, 1, 2, 3), (1, 1, 0, 0))
    )
    assert agreement([a, same]) == (1.0, 6)
    assert agreement([a, turned]) == (0.0, 6)
    assert agreement([a, tied]) == (1.0, 4)
    with pytest.raises(ValueError, match="nothing to agree about"):
        agreement([a, ranked("!", ANSWERS, (3, 2, 1, 0), "Борис")])


# what is good about an answer


def row(category: str, number: int = 0, part: str = "train") -> dict:
    asked, answered = (m["content"] for m in make(category, part, number)["messages"])
    return {"prompt": asked, "category": category, "reference": answered}


def test_labelers_own_answers_are_true():
    for category in ("open_qa", "closed_qa", "extract", "classification", "other", "summarization"):
        for number in range(40):
            for part in ("train", "validation"):
                some = row(category, number, part)
                assert judge(some, some["reference"]).truth >= 0, some
    told = [row("generation", number) for number in range(300)]
    about = [r for r in told if r["prompt"].startswith(("Расскажи", "Напиши справку", "Сочините"))]
    assert len(about) > 20 and all(judge(r, r["reference"]).truth >= 0 for r in about)
    assert sum(judge(r, r["reference"]).truth == 1 for r in about) > 0.5 * len(about)


def test_what_is_false_is_noticed():
    town = {"prompt": "Расскажи о городе Ярославль.", "category": "generation", "reference": ""}
    assert judge(town, "Ярославль стоит на Волге и основан в 1010 году.").truth == 1
    assert judge(town, "Ярославль стоит на Оке и основан в 1812 году.").truth == -1
    assert judge(town, "Ярославль стоит на Волге и основан в 1812 году.").truth == 0
    assert judge(town, "Очень красивый город.").truth == 0
    asked = {"prompt": "Как подаёт голос корова?", "category": "open_qa", "reference": "Мычит."}
    assert judge(asked, "Корова мычит.").truth == 1 and judge(asked, "Корова молчит.").truth == -1


def test_politeness_and_brevity_have_their_limits():
    assert politeness("Закройте дверь, пожалуйста.") == 1 and politeness("Закрой дверь, балбес.") == -1
    assert politeness("Закрой дверь.") == 0
    assert politeness("Пожалуйста, пожалуйста, пожалуйста!") == 0  # said too often
    assert brevity("Да.") == 0 and brevity("да " * 60) == -1
    words = [f"слово{i}" for i in range(30)]
    assert brevity(" ".join(words)) > brevity(" ".join(words[:15] * 2))
    assert judge(row("chat"), " … ").total == -3


def test_a_labeler_is_the_same_every_time_and_slips_as_often_as_said():
    some = {"prompt": "Сделай вежливее: Уйди!", "category": "rewrite", "reference": ""}
    answers = ["Отойдите, пожалуйста.", "Уйди, балбес.", "Уйди."]
    exact = Labeler("точная", noise=0)
    assert exact.rank(some, answers).ranks == (0, 2, 1)
    assert exact.rank(some, ["Уйди.", "Иди."]) is None
    slips = [Labeler("усталая", noise=2).rank(some, answers, seed) for seed in range(200)]
    right = sum(r.ranks[0] < r.ranks[1] for r in slips) / 200
    assert 0.6 < right < 0.9
    assert [Labeler("усталая", noise=2).rank(some, answers, seed) for seed in range(200)] == slips
    assert len({labeler.name for labeler in LABELERS}) == len(LABELERS) == 5
