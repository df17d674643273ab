"""Reward models: one number at the last real token, one row a ranking, the loss of the paper and of TRL."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForSequenceClassification, GPT2Config, GPT2LMHeadModel

from course_lib.models import load_lm
from course_lib.rewards import (
    accuracy_by_distance,
    best_of_n,
    best_of_n_kl,
    calibration,
    encode,
    encode_ranking,
    normalise,
    pair_accuracy,
    ranked,
    ranking_loss,
    reward_model,
    rewards,
    score,
    token_values,
    train,
    trl_trainer,
)
from course_lib.rewards.training import answer_rewards, collate, tree_mask

pytestmark = pytest.mark.usefixtures("one_thread")
PROMPT = "Пользователь: Как подаёт голос корова?\nАссистент:"
ANSWERS = (" Мычит.", " Муу, пожалуйста!", " Корова живёт в лесу и поёт песни.", " Не знаю.")


@pytest.fixture(scope="module")
def policy():
    return load_lm("tiny-0.5m", dtype="float32")


@pytest.fixture(scope="module")
def judge(policy):
    return reward_model(policy[0], seed=2)


def rankings(n: int):
    return [ranked(PROMPT, ANSWERS, [(i + j * (1 + 2 * (i % 2))) % 4 for j in range(4)]) for i in range(n)]


def test_it_is_the_policy_with_another_head(policy, judge):
    body = policy[0].base_model.state_dict()
    assert all(torch.equal(each, body[name]) for name, each in judge.base_model.state_dict().items())
    width = judge.score.in_features
    assert judge.score.weight.std().item() == pytest.approx(1 / math.sqrt(width + 1), rel=0.25)
    assert not torch.equal(judge.score.weight, reward_model(policy[0], seed=3).score.weight)
    assert torch.equal(judge.score.weight, reward_model(policy[0], seed=2).score.weight)


@given(before=st.integers(0, 5), after=st.integers(0, 5), n=st.integers(1, 12), token=st.integers(0, 300))
def test_padding_on_either_side_changes_nothing(judge, before, after, n, token):
    ids = torch.randint(1, 300, (1, n), generator=torch.Generator().manual_seed(n))
    plain = rewards(judge, ids, torch.ones_like(ids))
    padding = torch.full((1, before), token), torch.full((1, after), token)
    wide = torch.cat([padding[0], ids, padding[1]], 1)
    mask = torch.cat([torch.zeros(1, before), torch.ones(1, n), torch.zeros(1, after)], 1).long()
    torch.testing.assert_close(rewards(judge, wide, mask), plain, rtol=0, atol=1e-5)


def test_the_last_token_may_be_the_padding_token(judge):
    ids = torch.tensor([[5, 6, 7, 0]])  # ends with the end of text, whose id is also the padding's
    ours = rewards(judge, ids, torch.ones_like(ids))
    assert torch.equal(ours, token_values(judge, ids, torch.ones_like(ids))[:, 3])
    with torch.no_grad():
        library = judge(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[:, 0]
        too_early = token_values(judge, ids, torch.ones_like(ids))[:, 2]
    torch.testing.assert_close(library, too_early, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="has no tokens"):
        rewards(judge, ids, torch.zeros_like(ids))


def test_a_row_of_answers_gives_the_rewards_of_texts_read_alone(policy, judge):
    _, tokenizer = policy
    some = [encode_ranking(tokenizer, each) for each in rankings(6)]
    with torch.no_grad():
        together = answer_rewards(judge, collate(some))
    alone = score(judge, [encode(tokenizer, PROMPT, answer) for _ in some for answer in ANSWERS])
    torch.testing.assert_close(together, alone, rtol=0, atol=2e-5)


def test_no_answer_sees_another():
    branches = torch.tensor([[0, 0, 1, 1, 2, -1]])
    allowed = tree_mask(branches)[0, 0].int().tolist()
    assert allowed == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0, 0],
        [1, 1, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]


@given(seed=st.integers(0, 10**6), k=st.integers(2, 9), smoothing=st.sampled_from((0.0, 0.1)))
def test_the_loss_is_the_papers(seed, k, smoothing):
    rng = np.random.default_rng(seed)
    reward, ranking = rng.normal(size=k), ranked("?", [str(i) for i in range(k)], rng.permutation(k))
    expected = 0.0
    for w, worse in ranking.pairs:
        odds = 1 / (1 + math.exp(-(reward[w] - reward[worse] - 0.5)))
        expected -= (1 - smoothing) * math.log(odds) + smoothing * math.log(1 - odds)
    better, worse = torch.tensor(ranking.pairs).T
    options = {"margin": 0.5, "label_smoothing": smoothing}
    ours = ranking_loss(torch.tensor(reward), better, worse, **options)
    assert float(ours) == pytest.approx(expected / math.comb(k, 2), abs=1e-6)


def test_the_loss_is_trls_on_pairs(policy, tmp_path):
    model, tokenizer = policy
    judge = reward_model(model, seed=4)
    trainer = trl_trainer(
        judge, tokenizer, rankings(3), tmp_path, per_device_train_batch_size=6, disable_tqdm=True
    )
    judge.eval()
    batch = dict(next(iter(trainer.get_train_dataloader())))
    judge.config.pad_token_id = 4095  # the library finds a text's end by it: no text has this one
    with torch.no_grad():
        each = rewards(judge, batch["input_ids"], batch["attention_mask"])
        places = torch.arange(len(each) // 2)
        ours = ranking_loss(each, places, places + len(places))
        batch["input_ids"] = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, 4095)
        theirs = trainer.compute_loss(judge, batch)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


def test_rankings_count_alike_however_many_answers_they_have(policy, judge):
    _, tokenizer = policy
    few, many = (encode_ranking(tokenizer, ranked(PROMPT, ANSWERS[:k], range(k))) for k in (2, 4))
    with torch.no_grad():
        losses = []
        for some in ([few], [many], [few, many]):
            batch = collate(some)
            pairs = (batch[name] for name in ("better", "worse", "weight"))
            losses.append(float(ranking_loss(answer_rewards(judge, batch), *pairs)))
    assert losses[2] == pytest.approx((losses[0] + losses[1]) / 2, abs=1e-5)


def test_it_learns_what_is_liked_and_its_mean_is_0_where_it_should_be(policy):
    model, tokenizer = policy
    polite = [ranked(f"{PROMPT} {i}", ANSWERS, (1, 3, 0, 1)) for i in range(24)]
    judge = reward_model(model)
    losses = train(
        judge, [encode_ranking(tokenizer, r) for r in polite], n_epochs=4, learning_rate=1e-3, progress=False
    )
    assert losses[-1] < losses[0] / 2
    texts = [encode(tokenizer, f"{PROMPT} {30 + i}", answer) for i in range(5) for answer in ANSWERS]
    found = score(judge, texts).view(5, 4)
    assert (found.argmax(1) == 1).all() and (found.argmin(1) == 2).all()
    mean = float(found.mean())
    assert normalise(judge, texts) == pytest.approx(mean, abs=1e-4)
    assert float(score(judge, texts).mean()) == pytest.approx(0, abs=1e-4)


def test_it_is_saved_and_loaded_as_any_model(policy, judge, tmp_path):
    _, tokenizer = policy
    other = copy.deepcopy(judge)
    texts = [encode(tokenizer, PROMPT, answer) for answer in (*ANSWERS, "")]
    normalise(other, texts)
    other.save_pretrained(tmp_path)
    again = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    torch.testing.assert_close(score(again.eval(), texts), score(other, texts))


def test_trouble_is_named(policy, judge):
    _, tokenizer = policy
    with pytest.raises(ValueError, match="no rankings to learn from"):
        train(judge, [])
    with pytest.raises(ValueError, match="has other tokens before one answer than before another"):
        encode_ranking(tokenizer, ranked("Ко", ("т спит.", " лето."), (1, 0)))
    broken = copy.deepcopy(judge)
    torch.nn.init.constant_(broken.score.weight, float("inf"))
    with pytest.raises(ValueError, match="The reward of text 0 is"):
        score(broken, [encode(tokenizer, PROMPT, ANSWERS[0])])
    with pytest.raises(ValueError, match="The loss of step 1 is"):
        train(broken, [encode_ranking(tokenizer, rankings(1)[0])], progress=False)


def test_an_answer_of_no_words_is_the_end_of_text(policy):
    _, tokenizer = policy
    assert encode(tokenizer, PROMPT, "") == (tokenizer(PROMPT)["input_ids"], [tokenizer.eos_token_id])


# measures


def test_accuracy_has_an_interval_over_rankings():
    some = [ranked("?", list("абвг"), scores) for scores in ((3, 2, 1, 0), (0, 1, 2, 3), (1, 0, 3, 2))]
    found = [np.array((3.0, 2, 1, 0)), np.array((3.0, 2, 1, 0)), np.array((1.0, 0, 3, 2))]
    accuracy, low, high = pair_accuracy(some, found)
    assert accuracy == pytest.approx(2 / 3) and low < accuracy < high
    assert pair_accuracy(some[:1], found[:1]) == (1.0, 1.0, 1.0)
    assert accuracy_by_distance(some[:2], found[:2]) == {1: (0.5, 6), 2: (0.5, 4), 3: (0.5, 2)}


def test_calibration_of_one_who_knows_the_odds():
    rng = np.random.default_rng(0)
    rewards_, some = [], []
    for _ in range(3000):
        reward = rng.normal(size=2)
        first_wins = rng.random() < 1 / (1 + math.exp(-(reward[0] - reward[1])))
        some.append(ranked("?", ["а", "б"], (1, 0) if first_wins else (0, 1)))
        rewards_.append(reward)
    sure, won = calibration(some, rewards_)
    assert len(sure) == 8 and np.abs(sure - won).max() < 0.07
    assert np.all(np.diff(sure) > 0)


def test_the_best_of_n_is_the_mean_over_all_choices():
    import itertools

    rng = np.random.default_rng(0)
    proxy, true = rng.normal(size=(3, 6)), rng.normal(size=(3, 6))
    for n in range(1, 7):
        chosen = [
            true[i, max(some, key=lambda j: proxy[i, j])]
            for i in range(3)
            for some in itertools.combinations(range(6), n)
        ]
        assert best_of_n(proxy, true, n) == pytest.approx(np.mean(chosen))
    with pytest.raises(ValueError, match="best of 7 cannot be found among 6"):
        best_of_n(proxy, true, 7)


def test_the_divergence_of_the_best_of_n():
    assert best_of_n_kl(1) == 0 and best_of_n_kl(4) == pytest.approx(math.log(4) - 3 / 4)
    # of many equally likely answers, it is exact
    n, many = 4, 10_000
    k = np.arange(1, many + 1)
    p = (k / many) ** n - ((k - 1) / many) ** n
    assert float((p * np.log(p * many)).sum()) == pytest.approx(best_of_n_kl(n), abs=1e-3)


def test_a_random_shape_has_a_head_too():
    config = GPT2Config(vocab_size=50, n_positions=16, n_embd=8, n_layer=1, n_head=1)
    config.pad_token_id = 0
    judge = reward_model(GPT2LMHeadModel(config))
    assert judge.config.num_labels == 1 and judge.config.reward_mean == 0
