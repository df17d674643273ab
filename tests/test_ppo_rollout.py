"""Rollouts: what is sampled is what the model says, and its log-probabilities are the model's."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from course_lib.models import load_lm
from course_lib.ppo.experience import Response, collate, spread
from course_lib.ppo.rollout import sample, uniforms
from course_lib.ppo.trainer import response_logprobs

pytestmark = pytest.mark.usefixtures("one_thread")
PROMPTS = ["Кот", "Пользователь: Как подаёт голос корова?\nАссистент:", "Однажды утром Нина", "В лесу живёт"]
TEMPERATURE = 0.7


@pytest.fixture(scope="module")
def small():
    return load_lm("tiny-0.5m", dtype="float32")


@pytest.fixture(scope="module")
def rollout(small):
    model, tokenizer = small
    prompts = tokenizer(PROMPTS * 8)["input_ids"]
    return sample(model, prompts, uniforms(32, 24, 1), eos_id=0, temperature=TEMPERATURE), prompts


def test_log_probabilities_are_those_of_a_pass_without_cache(small, rollout):
    model, _ = small
    found, _ = rollout
    none = torch.zeros(0)
    rows = [Response(p, t, none, none, none, 0.0, True) for p, t in found.examples()]
    for each in rows:
        each.logprobs = each.ref_logprobs = each.values = torch.zeros(len(each.tokens))
    batch = collate(rows, 0)
    with torch.no_grad():
        again, entropies = response_logprobs(model, batch, TEMPERATURE)
    assert torch.equal(batch.mask, found.mask) and torch.equal(batch.input_ids, found.input_ids)
    torch.testing.assert_close(spread(again, batch.mask), found.logprobs * found.mask, rtol=0, atol=5e-5)
    for prompt, tokens in found.examples()[:4]:  # one by one, without padding
        with torch.no_grad():
            logits = model(torch.tensor([prompt + tokens])).logits[0, len(prompt) - 1 : -1] / TEMPERATURE
        each = logits.log_softmax(-1).gather(1, torch.tensor(tokens)[:, None])[:, 0]
        row = found.examples().index((prompt, tokens))
        torch.testing.assert_close(each, found.logprobs[row, : len(tokens)], rtol=0, atol=5e-5)
    assert (entropies > 0).all()


def test_neither_batches_nor_order_change_what_is_sampled(small, rollout):
    model, _ = small
    found, prompts = rollout
    chance = uniforms(32, 24, 1)
    for batch_size in (1, 5):
        again = sample(model, prompts, chance, eos_id=0, temperature=TEMPERATURE, batch_size=batch_size)
        assert again.examples() == found.examples()
    backwards = sample(model, prompts[::-1], chance.flip(0), eos_id=0, temperature=TEMPERATURE)
    assert backwards.examples() == found.examples()[::-1]


def test_a_response_ends_with_the_end_of_text_or_at_its_longest(rollout):
    found, prompts = rollout
    for i, (prompt, tokens) in enumerate(found.examples()):
        assert prompt == prompts[i] and 1 <= len(tokens) <= 24
        assert 0 not in tokens[:-1]
        assert bool(found.ended[i]) == (tokens[-1] == 0)
        assert found.ended[i] or len(tokens) == 24
    assert found.ended.any() and not found.ended.all()


def test_tokens_come_as_often_as_the_model_says(small):
    model, tokenizer = small
    [prompt] = tokenizer(["Погода была"])["input_ids"]
    found = sample(model, [prompt] * 4000, uniforms(4000, 1, 3), eos_id=0, batch_size=1000)
    with torch.no_grad():
        expected = 4000 * model(torch.tensor([prompt])).logits[0, -1].softmax(-1).double().numpy()
    drawn = np.bincount(found.responses[:, 0], minlength=len(expected))
    often = expected >= 5
    seen = np.array([*drawn[often], drawn[~often].sum()])
    law = np.array([*expected[often], expected[~often].sum()])
    assert chisquare(seen, law * seen.sum() / law.sum()).pvalue > 1e-3


def test_sharp_logits_give_numbers(small):
    model, tokenizer = small
    prompts = tokenizer(PROMPTS)["input_ids"]
    found = sample(model, prompts, uniforms(4, 8, 1), eos_id=0, temperature=0.01)
    assert found.logprobs.isfinite().all()
    greedy = model.generate(torch.tensor([prompts[0]]), max_new_tokens=8, do_sample=False, pad_token_id=0)
    assert found.examples()[0][1] == greedy[0, len(prompts[0]) :].tolist()[: len(found.examples()[0][1])]


def test_prompts_that_cannot_be_answered_are_named(small):
    model, _ = small
    with pytest.raises(
        ValueError, match="Prompt 1 has 0 tokens: with 4 of the response it must have 1 to 512"
    ):
        sample(model, [[5], []], uniforms(2, 4, 1), eos_id=0)
    with pytest.raises(ValueError, match="Prompt 0 has 510 tokens"):
        sample(model, [[5] * 510], uniforms(1, 4, 1), eos_id=0)
