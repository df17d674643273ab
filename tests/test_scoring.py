"""Log-probabilities are the model's own, with and without every shortcut; boundaries, windows, bad input."""

import logging
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.models import load_lm
from course_lib.scoring import logprob, logprobs, reading, score

TEXT = st.text("аб вт\nго", max_size=30)
COMPLETION = st.text("аб вт\nго", min_size=1, max_size=12)


@pytest.fixture(scope="module")
def tokenizer():
    return load_lm("tiny-0.5m")[1]


@pytest.fixture(scope="module")
def model(tokenizer):
    """A small model with a short window and weights far enough from zero for mistakes to show."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    shape = {"vocab_size": len(tokenizer), "n_positions": 48, "n_embd": 32, "n_layer": 2, "n_head": 4}
    config = GPT2Config(**shape, bos_token_id=0, eos_token_id=0, pad_token_id=0, initializer_range=0.2)
    return GPT2LMHeadModel(config).eval()


def encode(tokenizer, prompt, completion, limit, bos=None):
    [encoded] = logprobs.encode(tokenizer, [(prompt, completion)], limit, bos)
    return encoded


def by_hand(model, ids, n_scored):
    """Score one sequence in the plainest way."""
    with torch.no_grad():
        all_of_them = model(torch.tensor([ids[:-1]])).logits[0].float().log_softmax(-1)
    predicted = all_of_them.gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    return predicted[-n_scored:].numpy()


def test_score_is_the_models_own_logprob_token_by_token(model, tokenizer):
    prompt, completion = "Вопрос: где живёт рыба?\nОтвет:", " в реке"
    n_prompt = len(tokenizer(prompt)["input_ids"])
    ids = tokenizer(prompt + completion)["input_ids"]
    [scored] = score(model, tokenizer, [(prompt, completion)])
    expected = by_hand(model, ids, len(ids) - n_prompt)
    np.testing.assert_allclose(scored.token_logprobs, expected, atol=1e-5)
    assert list(scored.token_ids) == ids[n_prompt:]
    assert scored.logprob == pytest.approx(expected.sum(), abs=1e-4)
    assert scored.perplexity == pytest.approx(np.exp(-expected.mean()), rel=1e-4)
    assert scored.n_bytes == len(completion.encode())
    assert logprob(model, tokenizer, prompt, completion) == scored.logprob


@contextmanager
def memory_for(most_lines):
    """A machine whose memory ends where a batch has more lines."""
    read = reading._read

    def small_machine(model, lines, *rest):
        if len(lines) > most_lines:
            raise torch.OutOfMemoryError("out of memory")
        return read(model, lines, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_read", small_machine)
        yield


@settings(max_examples=40, deadline=None)
@given(
    head=TEXT,
    prompts=st.lists(TEXT, min_size=1, max_size=5),
    completions=st.lists(COMPLETION, min_size=1, max_size=4, unique=True),
    batch_tokens=st.sampled_from([1, 64, 4096]),
    bos=st.sampled_from([None, True, False]),
    most_lines=st.sampled_from([1, 2, 99]),
)
def test_every_shortcut_gives_the_same_numbers(
    model, tokenizer, head, prompts, completions, batch_tokens, bos, most_lines
):
    # a head that all share, long enough for its own pass; some texts outgrow the window of 48 tokens
    requests = [(head + "абвго " * 5 + p, c) for p in prompts for c in completions] + [("", completions[0])]
    encoded = logprobs.encode(tokenizer, requests, 48, bos)
    plain = [by_hand(model, e.ids, e.n_scored) for e in encoded]
    for options in ({}, {"share": False}, {"by_length": False}, {"share": False, "by_length": False}):
        with memory_for(most_lines):
            fast = score(model, tokenizer, requests, bos=bos, batch_tokens=batch_tokens, **options)
        for one, expected in zip(fast, plain, strict=True):
            np.testing.assert_allclose(one.token_logprobs, expected, atol=1e-4)


def test_greedy_says_what_greedy_decoding_would_write(model, tokenizer):
    for prompt in ("Кот сидит на", "Утром", "Вопрос:", "Маша", "В городе", "Пять", "Река", "Зимой"):
        ids = tokenizer(prompt, return_tensors="pt")
        written = model.generate(**ids, max_new_tokens=3, do_sample=False)[0, ids["input_ids"].shape[1] :]
        continuation = tokenizer.decode(written)
        if tokenizer(prompt + continuation)["input_ids"] == [
            *ids["input_ids"][0].tolist(),
            *written.tolist(),
        ]:
            break  # else the text reads back as other tokens, and proves nothing
    else:
        pytest.fail("no greedy text of this model reads back as the tokens that it was written in")
    likeliest, other = score(model, tokenizer, [(prompt, continuation), (prompt, continuation + " стол")])
    assert likeliest.greedy and not other.greedy


@pytest.fixture
def shapes(model):
    """What the model has read: (rows, time) of each pass."""
    seen = []
    hook = model.transformer.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(tuple((args[0] if args else kwargs["input_ids"]).shape)),
        with_kwargs=True,
    )
    yield seen
    hook.remove()


def test_a_shared_prefix_is_read_once(model, tokenizer, shapes):
    head = "Раз, два, три, четыре, пять, вышел зайчик погулять. Вдруг охотник выбегает."
    requests = [(head + f" {word}", f" {answer}") for word in "абвгд" for answer in ("да", "нет")]
    score(model, tokenizer, requests)
    after = sum(rows * time for rows, time in shapes) - len(tokenizer(head)["input_ids"])
    assert 0 < after < 5 * 6  # five prompts, two labels to each
    shapes.clear()
    score(model, tokenizer, requests, batch_tokens=4)  # too few for all in one line
    assert shapes[0] == (1, len(tokenizer(head)["input_ids"]))
    assert sum(rows * time for rows, time in shapes[1:]) < 5 * 6


@pytest.mark.parametrize("prompt", ["", "Твит:"])
def test_many_texts_that_have_little_in_common_cost_less_than_each_by_itself(
    model, tokenizer, shapes, prompt
):
    def work():
        """Each token's own work, and its look at the others of its line."""
        total = sum(rows * time * (6 * model.config.hidden_size + time) for rows, time in shapes)
        shapes.clear()
        return total

    words = ("дом", "кот и пёс", "река, река", "лес", "в саду", "утром", "мы")
    requests = [(prompt, f" {a} {b} {c} и всё") for a in words for b in words for c in words]
    together = score(model, tokenizer, requests)
    work_together = work()
    alone = score(model, tokenizer, requests, share=False)
    assert work_together < work()
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.token_logprobs, other.token_logprobs, atol=1e-4)


def architectures(vocab_size):
    """Small decoders that treat positions and masks in different ways."""
    from transformers import GPTNeoXConfig, LlamaConfig, XGLMConfig

    small = {"vocab_size": vocab_size, "initializer_range": 0.2, "pad_token_id": 0, "eos_token_id": 0}
    wide = small | {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4}
    return {
        "xglm": XGLMConfig(**small, d_model=32, ffn_dim=64, num_layers=2, attention_heads=4, init_std=0.2),
        "gpt-neox": GPTNeoXConfig(**wide, **heads, rotary_pct=0.5),
        "llama": LlamaConfig(**wide, **heads, num_key_value_heads=2),
        "llama, eager": LlamaConfig(**wide, **heads, attn_implementation="eager"),
    }


@pytest.mark.parametrize("name", ["xglm", "gpt-neox", "llama", "llama, eager"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_decoders_and_half_precision(tokenizer, name, dtype):
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    other = AutoModelForCausalLM.from_config(architectures(len(tokenizer))[name]).eval().to(dtype)
    head = "Раз, два, три, четыре, пять, вышел зайчик погулять. "
    requests = [
        (head + word, f" {answer}") for word in ("кот", "дом и сад", "а") for answer in ("да", "нет, нет")
    ]
    requests += [("", "да"), ("кот", " спит")]
    plain = [by_hand(other, e.ids, e.n_scored) for e in logprobs.encode(tokenizer, requests, 200)]
    for options in ({}, {"share": False}, {"batch_tokens": 8}):
        for one, expected in zip(score(other, tokenizer, requests, **options), plain, strict=True):
            tolerance = 1e-4 if dtype == torch.float32 else 0.1
            np.testing.assert_allclose(one.token_logprobs, expected, atol=tolerance)


@given(prompt=TEXT, completion=COMPLETION)
@settings(max_examples=50, deadline=None)
def test_the_scored_tokens_hold_the_completion(tokenizer, prompt, completion):
    encoded = encode(tokenizer, prompt, completion, limit=200)
    scored = tokenizer.decode(encoded.ids[-encoded.n_scored :])
    assert scored.endswith(completion)
    given = tokenizer.decode(encoded.ids[: -encoded.n_scored]).removeprefix("<|endoftext|>")
    assert given + scored == prompt + completion
    assert prompt.startswith(given)


def test_a_token_across_the_boundary_counts_to_the_completion(tokenizer):
    whole = tokenizer("Настроение: хорошее")["input_ids"]
    encoded = encode(tokenizer, "Настроение: ", "хорошее", limit=50)  # the space belongs to the word's token
    assert list(encoded.ids) == whole
    assert tokenizer.decode(encoded.ids[-encoded.n_scored :]) == " хорошее"


def test_the_window_cuts_the_prompt_from_the_left_and_never_the_completion(model, tokenizer):
    completion = " да, конечно"
    encoded = encode(tokenizer, "слово " * 100, completion, limit=48)
    whole = tokenizer("слово " * 100 + completion)["input_ids"]
    assert list(encoded.ids) == whole[-49:]  # the last one is predicted only
    assert tokenizer.decode(encoded.ids[-encoded.n_scored :]).endswith(completion)
    with pytest.raises(
        ValueError, match=r"«слово слово.* has \d+ tokens, and the context window 48: shorten it"
    ):
        score(model, tokenizer, [("", "слово " * 100)])


def test_where_a_text_begins(tokenizer):
    assert encode(tokenizer, "", "да", 9).ids[0] == tokenizer.bos_token_id
    assert encode(tokenizer, "да,", " да", 9).ids[0] != tokenizer.bos_token_id
    assert encode(tokenizer, "да,", " да", 9, bos=True).ids[0] == tokenizer.bos_token_id
    assert encode(tokenizer, "", "да", 9, bos=True).ids[:2] != (tokenizer.bos_token_id,) * 2


def dressed(tokenizer, template):
    """The same tokenizer, which by itself puts its marks around every text."""
    import copy

    from tokenizers.processors import TemplateProcessing

    other = copy.deepcopy(tokenizer)
    marks = {"<mark>": 5, tokenizer.eos_token: tokenizer.eos_token_id}
    post = TemplateProcessing(single=template, special_tokens=list(marks.items()))
    other.backend_tokenizer.post_processor = post
    return other


@pytest.mark.parametrize(
    ("template", "in_front"), [("<mark> $A", [5]), ("<mark> $A <|endoftext|>", [5]), ("$A <|endoftext|>", [])]
)
def test_marks_that_a_tokenizer_puts_around_texts_are_read_and_never_scored(tokenizer, template, in_front):
    other = dressed(tokenizer, template)
    assert other("да")["input_ids"] != tokenizer("да")["input_ids"]
    bare = tokenizer("да, да")["input_ids"]
    first = in_front or [tokenizer.bos_token_id]
    for bos, head in ((None, in_front), (True, first), (False, [])):
        encoded = encode(other, "да,", " да", 9, bos)
        assert list(encoded.ids) == head + bare and encoded.n_scored == 1
    for bos in (None, True, False):  # something must come first
        encoded = encode(other, "", "да, да", 9, bos)
        assert list(encoded.ids) == first + bare and encoded.n_scored == len(bare)


def test_a_tokenizer_without_a_beginning(tokenizer):
    import copy

    other = copy.deepcopy(tokenizer)
    other.bos_token = other.eos_token = None
    assert encode(other, "да,", " да", 9).n_scored == 1
    for bos, prompt in ((None, ""), (True, "да,")):
        with pytest.raises(ValueError, match="no token that begins a text: give a prompt"):
            encode(other, prompt, " да", 9, bos)


def test_a_model_that_does_not_say_how_much_it_can_read():
    from transformers import BloomConfig, BloomForCausalLM

    model = BloomForCausalLM(BloomConfig(vocab_size=10, hidden_size=8, n_layer=1, n_head=1))
    with pytest.raises(ValueError, match="bloom does not say how long its context window is"):
        logprobs.context_window(model)


def test_half_a_batch_where_memory_ends(model, tokenizer, caplog):
    requests = [(f"{i} кот, который гуляет сам по себе", " спит") for i in range(8)]
    expected = score(model, tokenizer, requests)
    with caplog.at_level(logging.WARNING), memory_for(3):
        halved = score(model, tokenizer, requests)
    assert "out of memory with 8 lines at once: going on with 4" in caplog.text
    for one, other in zip(expected, halved, strict=True):
        np.testing.assert_allclose(one.token_logprobs, other.token_logprobs, atol=1e-5)


def test_logits_that_are_no_numbers(tokenizer, model):
    import copy

    broken = copy.deepcopy(model)
    broken.transformer.ln_f.weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="logits are not all numbers"):
        score(broken, tokenizer, [("да", " нет")])


def test_an_empty_completion(model, tokenizer):
    with pytest.raises(ValueError, match="completion of prompt «…Ответ:» is empty"):
        score(model, tokenizer, [("Ответ:", "")])


@pytest.mark.parametrize("request_", ["ab", ("a", "b", "c"), ("a", 1), (None, "b"), ("a",)])
def test_a_request_is_a_pair_of_texts(model, tokenizer, request_):
    with pytest.raises(ValueError, match="A request is a pair of texts, prompt and completion, and this one"):
        score(model, tokenizer, [request_])


def test_no_requests(model, tokenizer):
    assert score(model, tokenizer, []) == []
