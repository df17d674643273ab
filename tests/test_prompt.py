"""Prompts in models: nothing of the model changes, and whatever a model can do it can do with a prompt."""

import copy
import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, set_seed

from course_lib.models import load_lm
from course_lib.prompts import Prompt, attach, attached, detach, generate, new_prompt
from course_lib.prompts.format import PromptFormat
from course_lib.prompts.loss import collate
from course_lib.prompts.providers import TensorProvider
from course_lib.quiet import quiet
from tests.architectures import SHAPES, random_model

TEMPLATE = "<P*2>{text}<P>, <P>"
ROWS = [{"text": "Мама мыла раму"}, {"text": "Да"}, {"text": "Кот спит на тёплой печке и видит сны"}]


@pytest.fixture(scope="module")
def tokenizer():
    return load_lm("tiny-0.5m")[1]


@pytest.fixture(params=SHAPES)
def model(request):
    return random_model(request.param)


@pytest.fixture
def gpt2(tokenizer):
    return load_lm("tiny-0.5m")[0]


def by_embeddings(model, prompt, ids):
    """Logits of ids whose soft tokens are put in by hand."""
    words = model.get_input_embeddings()
    n = words.num_embeddings
    rows = [prompt()[i - n] if i >= n else words(torch.tensor(i)) for i in ids]
    return model(inputs_embeds=torch.stack(rows)[None]).logits[0]


def test_soft_tokens_are_rows_of_the_prompt(model, tokenizer):
    set_seed(1)
    prompt = new_prompt(TEMPLATE, model, tokenizer)
    with attached(model, prompt), torch.no_grad():
        for row in ROWS:
            ids = prompt.encode(tokenizer, row).ids
            with_ids = model(input_ids=torch.tensor([ids])).logits[0]
            torch.testing.assert_close(with_ids, by_embeddings(model, prompt, ids), rtol=0, atol=1e-5)


def test_nothing_of_the_model_changes(model, tokenizer):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    ids = torch.tensor([tokenizer("Мама мыла раму")["input_ids"]])
    logits, attributes = model(input_ids=ids).logits, set(vars(model.get_input_embeddings()))
    prompt = new_prompt(TEMPLATE, model, tokenizer)
    attach(model, prompt)
    assert model.state_dict().keys() == before.keys()
    torch.testing.assert_close(model(input_ids=ids).logits, logits, rtol=0, atol=0)
    soft = torch.tensor([prompt.encode(tokenizer, ROWS[0]).ids])
    model(input_ids=soft).logits.sum().backward()
    model.zero_grad()
    detach(model)
    assert set(vars(model.get_input_embeddings())) == attributes
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    torch.testing.assert_close(model(input_ids=ids).logits, logits, rtol=0, atol=0)
    with pytest.raises(IndexError):
        model(input_ids=soft)


@pytest.mark.parametrize(
    "options", [{}, {"use_cache": False}, {"num_beams": 3}, {"do_sample": True, "top_k": 5}]
)
def test_generation_from_ids_cached_padded_and_in_batches(model, tokenizer, options):
    prompt = new_prompt(TEMPLATE, model, tokenizer)
    settings = {"do_sample": False, "max_new_tokens": 8, "pad_token_id": 0, **options}
    with attached(model, prompt):
        alone = []
        for row in ROWS:
            ids = torch.tensor([prompt.encode(tokenizer, row).ids])
            set_seed(3)
            written = model.generate(ids, attention_mask=torch.ones_like(ids), **settings)
            alone.append(tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True))
        together = generate(model, tokenizer, prompt, ROWS, 8, seed=3, **options)
        one_by_one = generate(model, tokenizer, prompt, ROWS, 8, seed=3, batch_size=1, **options)
    if "do_sample" in options:  # a batch draws other samples, one row the same
        first = min(range(3), key=lambda i: len(ROWS[i]["text"]))
        assert one_by_one[first] == alone[first]
    else:
        assert together == alone


@pytest.mark.parametrize("options", [{}, {"num_beams": 3}, {"do_sample": True, "top_k": 5}])
def test_a_cache_changes_nothing(model, tokenizer, options):
    prompt = new_prompt(TEMPLATE, model, tokenizer)
    with attached(model, prompt):
        ids = torch.tensor([prompt.encode(tokenizer, ROWS[0]).ids])
        written = []
        for use_cache in (True, False):
            set_seed(3)
            settings = {"do_sample": False, "max_new_tokens": 8, "pad_token_id": 0, "use_cache": use_cache}
            settings |= options
            written.append(model.generate(ids, attention_mask=torch.ones_like(ids), **settings))
            written.append(generate(model, tokenizer, prompt, ROWS, 8, use_cache=use_cache, **options))
    assert torch.equal(written[0], written[2]) and written[1] == written[3]


def test_samples_are_those_of_their_seed(gpt2, tokenizer):
    prompt = new_prompt(TEMPLATE, gpt2, tokenizer)
    with attached(gpt2, prompt):
        one, same, other = (
            generate(gpt2, tokenizer, prompt, ROWS, 12, seed=seed, do_sample=True) for seed in (1, 1, 2)
        )
    assert one == same and one != other


def test_rows_of_a_batch_may_be_truncated_differently(model, tokenizer):
    prompt = new_prompt(TEMPLATE, model, tokenizer)
    limits = {"max_tokens": 8, "truncate": "text"}
    with attached(model, prompt), torch.no_grad():
        encoded = [prompt.encode(tokenizer, row, **limits).ids for row in ROWS]
        assert len({len(ids) for ids in encoded}) == 2 and max(map(len, encoded)) == 8
        batch = collate([(ids, ids) for ids in encoded], 0)
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        for found, ids in zip(logits, encoded, strict=True):
            assert sum(i >= 4096 for i in ids) == 4
            expected = by_embeddings(model, prompt, ids)
            torch.testing.assert_close(found[: len(ids)], expected, rtol=0, atol=1e-5)
        together = generate(model, tokenizer, prompt, ROWS, 4, **limits)
        assert together == [generate(model, tokenizer, prompt, [row], 4, **limits)[0] for row in ROWS]


def test_generation_with_a_repetition_penalty(gpt2, tokenizer):
    prompt = new_prompt(TEMPLATE, gpt2, tokenizer)
    with attached(gpt2, prompt), pytest.warns(UserWarning, match="only to newly generated tokens"):
        texts = generate(gpt2, tokenizer, prompt, ROWS, 8, repetition_penalty=1.5)
    assert len(texts) == 3 and all(texts)


def test_padding_on_either_side(model, tokenizer):
    prompt = new_prompt(TEMPLATE, model, tokenizer)
    with attached(model, prompt), torch.no_grad():
        encoded = [prompt.encode(tokenizer, row).ids for row in ROWS]
        alone = [model(input_ids=torch.tensor([ids])).logits[0] for ids in encoded]
        for side in ("left", "right"):
            batch = tokenizer.pad({"input_ids": encoded}, padding_side=side, return_tensors="pt")
            mask = batch["attention_mask"]
            positions = (mask.cumsum(1) - 1).clamp(min=0)
            kinds = {} if model.config.model_type == "xglm" else {"position_ids": positions}
            if side == "left" and not kinds:
                continue  # XGLM counts positions from its padding by itself
            logits = model(**batch, **kinds).logits
            for row, ids, expected in zip(range(3), encoded, alone, strict=True):
                found = logits[row][mask[row].bool()]
                assert len(found) == len(ids)
                torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_rows_of_many_prompts_in_one_batch(model, tokenizer):
    set_seed(2)
    prompts = [new_prompt(template, model, tokenizer) for template in (TEMPLATE, "{text}<P*5>", "<P>{text}")]
    alone = []
    for prompt, row in zip(prompts, ROWS, strict=True):
        with attached(model, prompt), torch.no_grad():
            alone.append(model(input_ids=torch.tensor([prompt.encode(tokenizer, row).ids])).logits[0])
    plain = tokenizer("Без подсказки")["input_ids"]
    with attached(model, *prompts), torch.no_grad():
        rows = [p.encode(tokenizer, row).ids for p, row in zip(prompts, ROWS, strict=True)]
        assert len({i for ids in rows for i in ids if i >= 4096}) == 4 + 5 + 1
        batch = collate([(ids, ids) for ids in [*rows, plain]], 0)
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    with torch.no_grad():
        alone.append(model(input_ids=torch.tensor([plain])).logits[0])
    for found, expected in zip(logits, alone, strict=True):
        torch.testing.assert_close(found[: len(expected)], expected, rtol=0, atol=1e-5)


def test_only_the_prompt_gets_gradients_when_the_model_is_frozen(model, tokenizer):
    model.requires_grad_(False)
    prompt = new_prompt(TEMPLATE, model, tokenizer, "lstm", width=4, hidden=8)
    with attached(model, prompt):
        model(input_ids=torch.tensor([prompt.encode(tokenizer, ROWS[0]).ids])).logits.sum().backward()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in prompt.provider.lstm.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models_keep_a_float32_prompt(tokenizer, dtype):
    model, _ = load_lm("tiny-0.5m", dtype=dtype)
    prompt = new_prompt(TEMPLATE, model, tokenizer)
    with attached(model, prompt):
        logits = model(input_ids=torch.tensor([prompt.encode(tokenizer, ROWS[0]).ids])).logits
        logits.float().logsumexp(-1).sum().backward()
        assert logits.dtype == dtype and prompt().dtype == prompt.provider.rows.grad.dtype == torch.float32
        assert prompt.provider.rows.grad.isfinite().all()
        assert generate(model, tokenizer, prompt, ROWS[:1], 4)


def test_gradient_checkpointing_gives_the_same_gradients(gpt2, tokenizer):
    prompt = new_prompt(TEMPLATE, gpt2, tokenizer)
    gpt2.requires_grad_(False)
    gradients = []
    with attached(gpt2, prompt):
        ids = torch.tensor([prompt.encode(tokenizer, ROWS[0]).ids])
        for checkpointing in (False, True):
            if checkpointing:
                gpt2.activation_checkpointing_enable()
                gpt2.train()
            prompt.zero_grad()
            gpt2(input_ids=ids, use_cache=False).logits.logsumexp(-1).sum().backward()
            gradients.append(prompt.provider.rows.grad.clone())
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile needs a C++ compiler on a processor")
def test_a_compiled_model_gives_the_same_logits(gpt2, tokenizer):
    prompt = new_prompt(TEMPLATE, gpt2, tokenizer)
    with attached(gpt2, prompt), torch.no_grad():
        ids = torch.tensor([prompt.encode(tokenizer, ROWS[0]).ids])
        expected = gpt2(input_ids=ids, use_cache=False).logits
        found = torch.compile(gpt2, backend="aot_eager")(input_ids=ids, use_cache=False).logits
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_a_model_with_a_prompt_is_saved_as_it_was(gpt2, tokenizer, tmp_path):
    prompt = new_prompt(TEMPLATE, gpt2, tokenizer)
    with attached(gpt2, prompt):
        gpt2.tie_weights()
        gpt2.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in gpt2.state_dict().items())


def test_a_vocabulary_that_is_resized_under_a_prompt(gpt2, tokenizer):
    prompt = new_prompt(TEMPLATE, gpt2, tokenizer)
    plain = torch.tensor([tokenizer("Мама мыла раму")["input_ids"]])
    with torch.no_grad():
        expected = gpt2(input_ids=plain).logits
        attach(gpt2, prompt)
        soft = torch.tensor([prompt.encode(tokenizer, ROWS[0]).ids])
        with_prompt = gpt2(input_ids=soft).logits
        gpt2.resize_token_embeddings(4104, mean_resizing=False)
        gpt2.tie_weights()
        # id 4096 was the first soft token, and is a word now: no guess which of them is meant
        with pytest.raises(ValueError, match=r"had 4096 words .* now has 4104: detach the prompt, attach"):
            gpt2(input_ids=soft)
        detach(gpt2)
        torch.testing.assert_close(gpt2(input_ids=plain).logits[..., :4096], expected, rtol=0, atol=1e-5)
        with attached(gpt2, prompt):
            ids = prompt.encode(tokenizer, ROWS[0]).ids
            assert max(ids) == 4104 + 3
            found = gpt2(input_ids=torch.tensor([ids])).logits[..., :4096]
    torch.testing.assert_close(found, with_prompt, rtol=0, atol=1e-5)


def test_a_prompt_that_was_detached_cannot_encode(gpt2, tokenizer):
    prompts = [new_prompt(TEMPLATE, gpt2, tokenizer) for _ in range(2)]
    with attached(gpt2, *prompts):
        assert [prompt.first_id for prompt in prompts] == [4096, 4100]
    for prompt in prompts:
        with pytest.raises(ValueError, match="Attach the prompt to a model first"):
            prompt.encode(tokenizer, ROWS[0])


def test_initial_text(gpt2, tokenizer):
    words = gpt2.get_input_embeddings()
    for provider in ("tensor", "lstm", "mlp"):
        prompt = new_prompt("<P>Ответ: </P>{text}<P*2>", gpt2, tokenizer, provider)
        ids = tokenizer("Ответ: ")["input_ids"]
        torch.testing.assert_close(prompt()[: len(ids)], words(torch.tensor(ids)), rtol=0, atol=1e-6)
    drawn = new_prompt("<P*3>", gpt2, tokenizer, init="vocabulary")()
    assert all(any(torch.equal(row, word) for word in words.weight) for row in drawn)


def test_xglm_words_are_scaled_before_a_prompt_begins_as_them(tokenizer):
    model = random_model("xglm")
    [i] = tokenizer("Да")["input_ids"][:1]
    prompt = new_prompt(f"<P>{tokenizer.decode([i])}</P>", model, tokenizer)
    with torch.no_grad():
        expected = model.get_input_embeddings()(torch.tensor([i]))
    torch.testing.assert_close(prompt()[:1].detach(), expected, rtol=0, atol=0)
    assert not torch.allclose(prompt()[0], model.get_input_embeddings().weight[i])


def test_what_a_library_put_in_place_of_forward_comes_back(gpt2, tokenizer):
    words = gpt2.get_input_embeddings()
    theirs = lambda ids: type(words).forward(words, ids) * 2  # noqa: E731
    words.forward = theirs
    prompt = new_prompt(TEMPLATE, gpt2, tokenizer)
    with attached(gpt2, prompt):
        assert torch.equal(words(torch.tensor([5])), words.weight[5:6] * 2)
    assert words.forward is theirs


def test_a_copy_of_a_model_with_a_prompt_is_a_copy(gpt2, tokenizer):
    prompt = new_prompt(TEMPLATE, gpt2, tokenizer)
    attach(gpt2, prompt)
    ids = torch.tensor([prompt.encode(tokenizer, ROWS[0]).ids])
    expected = gpt2(input_ids=ids).logits.detach()
    copied = copy.deepcopy(gpt2)
    with torch.no_grad():
        gpt2.get_input_embeddings().weight.zero_()
        prompt.provider.rows.zero_()
    assert torch.equal(copied(input_ids=ids).logits, expected)
    detach(copied)
    assert "forward" not in vars(copied.get_input_embeddings())
    assert prompt.encode(tokenizer, ROWS[0]).ids == ids[0].tolist()  # the original keeps its prompt


def test_a_prompt_has_one_set_of_ids(gpt2, tokenizer):
    prompt, larger = new_prompt(TEMPLATE, gpt2, tokenizer), copy.deepcopy(gpt2)
    with quiet():
        larger.resize_token_embeddings(5000)
    with attached(gpt2, prompt):
        with pytest.raises(ValueError, match="attached to a model in which its soft tokens have other ids"):
            attach(larger, prompt)
        assert prompt.first_id == 4096
    with attached(larger, prompt):
        assert prompt.first_id == 5000


def test_bad_input(gpt2, tokenizer):
    prompt = new_prompt(TEMPLATE, gpt2, tokenizer)
    with pytest.raises(ValueError, match="Attach the prompt to a model first"):
        prompt.encode(tokenizer, ROWS[0])
    other = Prompt(PromptFormat.parse("<P>"), TensorProvider(1, 1536), "ai-forever/rugpt3large_based_on_gpt2")
    with pytest.raises(
        ValueError, match=r"rugpt3large_based_on_gpt2'.* 1536 wide; those of 'tiny-0.5m' are 64"
    ):
        attach(gpt2, other)
    with pytest.raises(ValueError, match="already has a prompt"), attached(gpt2, prompt):
        attach(gpt2, copy.deepcopy(prompt))
    detach(gpt2)
    detach(gpt2)  # a model without prompts stays as it is
    with pytest.raises(ValueError, match="no prompt to attach"):
        attach(gpt2)
    with pytest.raises(ValueError, match="no soft token, nothing to train"):
        new_prompt("{text}", gpt2, tokenizer)
    with pytest.raises(ValueError, match="provider='gru' must be one of tensor, lstm, mlp"):
        new_prompt(TEMPLATE, gpt2, tokenizer, "gru")
    with pytest.raises(ValueError, match="init='zeros' must be one of"):
        new_prompt(TEMPLATE, gpt2, tokenizer, init="zeros")
    with pytest.raises(
        ValueError, match="provider 'lstm' has no setting depth: it has width, hidden, n_layers"
    ):
        new_prompt(TEMPLATE, gpt2, tokenizer, "lstm", depth=3)
    with pytest.raises(ValueError, match="provider 'tensor' has no setting width: it has none"):
        new_prompt(TEMPLATE, gpt2, tokenizer, width=3)
    with pytest.raises(ValueError, match="has 4 soft tokens, and the provider 3"):
        Prompt(prompt.form, TensorProvider(3, 64))
