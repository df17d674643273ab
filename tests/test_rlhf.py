"""InstructGPT's three steps in small: questions in the deck's proportions, rankings, a run of the study."""

from collections import Counter

import pytest
import torch

from course_lib import rlhf, rlhf_study, study
from course_lib.models import load_lm
from course_lib.rewards import LABELERS, PPO_PROMPTS, RANKED_PROMPTS, pair_accuracy
from course_lib.rewards.labeler import Labeler
from course_lib.world.demonstrations import USE_CASES

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def small():
    return load_lm("tiny-0.5m", dtype="float32")


def test_questions_have_the_decks_sizes_sources_and_use_cases():
    rows = {part: rlhf.questions(RANKED_PROMPTS, part, 0.05) for part in ("train", "validation")}
    for part, some in rows.items():
        sources = Counter(row["source"] for row in some)
        assert all(sources[who] == round(0.05 * RANKED_PROMPTS[part, who]) for who in ("labeler", "customer"))
        assert len({row["prompt"] for row in some}) == len(some)
    shares = Counter(row["category"] for row in rows["train"])
    for category, percent in USE_CASES.items():
        # no prompt comes twice, so that what is mostly asked in the same words comes less often
        assert abs(100 * shares[category] / len(rows["train"]) - percent) < 6, category
    assert rlhf.questions(RANKED_PROMPTS, "train", 0.05) == rows["train"]
    ppo = rlhf.questions(PPO_PROMPTS, "train", 0.02, seed=1)
    assert {row["source"] for row in ppo} == {"customer"} and len(ppo) == round(0.02 * 31_144)
    known = {row["prompt"] for row in rows["train"]}
    assert sum(row["prompt"] in known for row in ppo) < 0.35 * len(ppo)  # short ones come again
    with pytest.raises(ValueError, match="are no question"):
        rlhf.questions(PPO_PROMPTS, "train", 1e-6)


def test_answers_differ_and_are_ranked_by_one_labeler_each(small):
    model, tokenizer = small
    rows = rlhf.questions(RANKED_PROMPTS, "train", 0.001)
    answered = rlhf.answers(model, tokenizer, rows, seed=3)
    assert all(len(set(texts)) == len(texts) <= 9 for texts in answered)
    assert rlhf.answers(model, tokenizer, rows, seed=3) == answered
    rankings = rlhf.compared(rows, answered, LABELERS, seed=3)
    assert 0.8 * len(rows) < len(rankings) <= len(rows)
    assert {ranking.labeler for ranking in rankings} == {labeler.name for labeler in LABELERS}
    read = rlhf.as_read(rankings[0])
    assert read.prompt == f"Пользователь: {rankings[0].prompt}\nАссистент:"
    assert read.order == rankings[0].order and all(text.startswith(" ") for text in read.responses)


def test_a_reward_model_of_a_labeler_who_wants_short_answers_likes_them(small):
    model, tokenizer = small
    rows = rlhf.questions(RANKED_PROMPTS, "train", 0.003)
    answered = rlhf.answers(model, tokenizer, rows, seed=3)
    brief = [Labeler("Глеб", politeness=0, truth=0, brevity=3, noise=0.0)]
    rankings = rlhf.compared(rows, answered, brief, seed=3)
    train, held_out = rankings[:-25], rankings[-25:]
    reward = rlhf.trained_reward(model, tokenizer, train, n_epochs=2, learning_rate=1e-3, progress=False)
    accuracy, low, _ = pair_accuracy(held_out, rlhf.ranking_rewards(reward, tokenizer, held_out))
    assert low > 0.5 and accuracy > 0.6


def test_the_true_reward_is_that_of_the_rules(small):
    _, tokenizer = small
    rows = [
        {"prompt": "Сколько будет 2 + 3?", "category": "other", "reference": "5."},
        {"prompt": "Скажи вежливо: «Уйди!»", "category": "rewrite", "reference": "Отойди, пожалуйста."},
    ]
    first, second = rlhf.prompt_ids(tokenizer, rows)
    said = [tokenizer(text)["input_ids"] for text in (" 5.", " 6.", " Отойди, пожалуйста.")]
    reward = rlhf.true_reward(tokenizer, rows)
    found = reward([(first, said[0]), (first, said[1]), (second, [*said[2], tokenizer.eos_token_id])])
    assert found.tolist() == [1.0, -1.0, 1.0]


@pytest.mark.slow
def test_a_run_of_the_study_is_the_same_again_and_others_leave_no_marks(monkeypatch):
    for name, value in {"RANKED": 0.002, "ASKED": 0.005, "N_JUDGED": 8, "N_TEXT": 4, "N_TAXED": 4}.items():
        monkeypatch.setattr(rlhf_study, name, value)
    rlhf_study.prepared.cache_clear()
    runs = [
        rlhf_study.RLHFRun("tiny-0.5m", method, n_iterations=2, ptx=ptx)
        for method, ptx in (("ppo", 1.0), ("sft", 0.0), ("ppo", 1.0))
    ]
    first, untuned, again = (study.carry_out(run) for run in runs)
    assert {**first, "seconds": 0} == {**again, "seconds": 0}
    assert untuned["judged"]["kl"] == pytest.approx(0, abs=1e-4) and first["judged"]["kl"] != 0
    assert len(first["curve"]["true"]) == len(first["curve"]["score"]) == 2
    assert len(first["judged"]["true"]) == 8 and set(first["judged"]["tax"]) == set(rlhf_study.TAXED)
    rlhf_study.prepared.cache_clear()
    with pytest.raises(ValueError, match="no method 'reinforce': sft, ppo, dpo"):
        rlhf_study.carry_out(rlhf_study.RLHFRun("tiny-0.5m", "reinforce"))


def test_logits_at_places_are_those_of_the_whole(small):
    from course_lib.logits import logits_at

    model, tokenizer = small
    ids = tokenizer(["Кошка спит на печи.", "Пёс бежит по дороге"], padding=True, return_tensors="pt")
    inputs = {name: ids[name] for name in ("input_ids", "attention_mask")}
    places = torch.rand(inputs["input_ids"].shape, generator=torch.Generator().manual_seed(0)) > 0.5
    with torch.no_grad():
        whole = model(**inputs).logits[places]
        torch.testing.assert_close(logits_at(model, places, **inputs), whole)
        torch.testing.assert_close(model(**inputs).logits[places], whole)  # the head is as it was


def test_positions_that_count_padding_are_mended(small):
    from course_lib.padding import left_padded
    from course_lib.trl_settings import count_positions

    _, tokenizer = small
    model, _ = load_lm("tiny-0.5m", dtype="float32")
    rows = tokenizer(["Кошка спит на печи.", "Пёс"])["input_ids"]
    inputs = {
        "input_ids": left_padded(rows, 0),
        "attention_mask": left_padded([[1] * len(row) for row in rows], 0),
    }
    with torch.no_grad():
        alone = [model(torch.tensor([row])).logits[0, -1] for row in rows]
        assert (model(**inputs).logits[1, -1] - alone[1]).abs().max() > 0.1  # the library's own
        count_positions(model)
        for found, expected in zip(model(**inputs).logits[:, -1], alone, strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_a_response_that_was_cut_off_is_closed_before_it_is_scored(small):
    from course_lib.rewards.model import closed, reward_model, score

    policy, tokenizer = small
    model, end = reward_model(policy), tokenizer.eos_token_id
    cut, whole = ([5, 6], [7, 8]), ([5, 6], [7, 8, end])
    assert closed([cut, whole, ([5], [])], end) == [whole, whole, ([5], [end])]
    reward = rlhf.learned_reward(model, tokenizer)([cut, whole])
    assert reward[0] == pytest.approx(float(reward[1]))
    assert abs(float(score(model, [cut])) - float(reward[0])) > 1e-3
