"""The decoder agrees with transformers, its cache changes nothing, its masks are what they claim."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.gpt import GPT, Cache, GPTConfig, attention_mask
from course_lib.models import CHECKPOINTS, OWN, load_lm


def peer(vocab_size=97, n_positions=48, n_embd=32, n_layer=2, n_head=4, spread=0.2, seed=0):
    """Returns a transformers GPT-2 whose weights are far enough from zero for differences to show."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(seed)
    shape = {"vocab_size": vocab_size, "n_positions": n_positions, "n_embd": n_embd, "n_layer": n_layer}
    config = GPT2Config(**shape, n_head=n_head, bos_token_id=0, eos_token_id=0, pad_token_id=0)
    config.initializer_range = spread
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # biases and norms start as zeros and ones, which hide mistakes
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture(scope="module")
def small():
    return peer()


SIZES = {
    "two layers": {},
    "0.5m": {"vocab_size": 4096, "n_positions": 512, "n_embd": 64, "n_layer": 4, "n_head": 4, "spread": 0.02},
    "8m": {"vocab_size": 4096, "n_positions": 512, "n_embd": 320, "n_layer": 6, "n_head": 5, "spread": 0.02},
}


@pytest.mark.parametrize("size", SIZES)
def test_logits_and_greedy_text_equal_transformers(size):
    model = peer(**SIZES[size])
    ours = GPT.from_pretrained(model)
    ids = torch.randint(1, 97, (3, 20))
    with torch.inference_mode():
        torch.testing.assert_close(ours(ids), model(ids).logits, atol=1e-5, rtol=0)
    expected = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=20, do_sample=False, eos_token_id=None
    )
    assert torch.equal(ours.generate(ids, 20), expected)


@pytest.mark.parametrize("name", OWN)
def test_the_shipped_weights_give_the_logits_of_transformers(name):
    model, tokenizer = load_lm(name, device="cpu", dtype="float32")
    ids = torch.randint(len(tokenizer), (2, 256), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = model(ids).logits
        torch.testing.assert_close(GPT.from_pretrained(CHECKPOINTS / name)(ids), expected, atol=1e-5, rtol=0)


def test_attention_weights_equal_transformers(small):
    ids = torch.randint(1, 97, (2, 9))
    small.set_attn_implementation("eager")
    with torch.inference_mode():
        expected = small(ids, output_attentions=True)
        logits, maps = GPT.from_pretrained(small)(ids, return_attention=True)
    small.set_attn_implementation("sdpa")
    torch.testing.assert_close(logits, expected.logits, atol=1e-5, rtol=0)
    for ours, theirs in zip(maps, expected.attentions, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_loads_from_a_folder_too(small, tmp_path):
    small.save_pretrained(tmp_path)
    ids = torch.randint(1, 97, (1, 9))
    assert torch.equal(GPT.from_pretrained(tmp_path)(ids), GPT.from_pretrained(small)(ids))


def test_copies_the_weights(small):
    ours = GPT.from_pretrained(small)
    ours.weights["wte.weight"].zero_()
    assert small.transformer.wte.weight.abs().sum() > 0


@settings(max_examples=40, deadline=None)
@given(
    time=st.integers(1, 12),
    pieces=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    window=st.none() | st.integers(1, 14),
    seed=st.integers(0, 99),
)
def test_cache_and_no_cache_agree(time, pieces, window, seed):
    torch.manual_seed(seed)
    model = GPT(GPTConfig(53, 48, 16, 3, 2, attention_window=window))
    ids = torch.randint(0, 53, (2, time + sum(pieces)))
    whole, cache = model(ids), Cache(model, 2, ids.shape[1])
    parts, start = [], 0
    for length in (time, *pieces):
        parts.append(model(ids[:, start : start + length], cache))
        start += length
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-5, rtol=0)
    explained, maps = model(ids, return_attention=True)
    torch.testing.assert_close(explained, whole, atol=1e-5, rtol=0)
    for layer, weights in enumerate(maps):
        assert not weights[..., ~attention_mask(ids.shape[1], window, layer)].any()


@given(time=st.integers(1, 40), window=st.none() | st.integers(1, 50), layer=st.integers(0, 5))
@settings(deadline=None)
def test_masks_are_causal_banded_and_alternate(time, window, layer):
    mask = attention_mask(time, window, layer)
    assert mask.diagonal().all()
    assert not mask.triu(1).any()
    banded = window is not None and layer % 2 == 1
    width = window if banded else time
    assert mask.sum(1).tolist() == [min(row + 1, width) for row in range(time)]


def test_a_wide_window_changes_nothing_and_a_narrow_one_does(small):
    ids = torch.randint(1, 97, (1, 20))
    dense = GPT.from_pretrained(small)(ids)
    wide = GPT.from_pretrained(small, attention_window=20)(ids)
    narrow = GPT.from_pretrained(small, attention_window=3)(ids)
    torch.testing.assert_close(wide, dense, atol=1e-5, rtol=0)
    assert (narrow - dense)[:, 3:].abs().max() > 1e-3
    torch.testing.assert_close(narrow[:, :3], dense[:, :3], atol=1e-5, rtol=0)


def test_the_future_is_not_seen(small):
    model, ids = GPT.from_pretrained(small), torch.randint(1, 97, (1, 12))
    changed = ids.clone()
    changed[0, 8] = (ids[0, 8] + 1) % 97
    torch.testing.assert_close(model(ids)[:, :8], model(changed)[:, :8], atol=1e-6, rtol=0)


def test_sampling_repeats_with_the_same_generator_and_top_1_is_greedy(small):
    model, ids = GPT.from_pretrained(small), torch.randint(1, 97, (4, 5))
    first, second = (
        model.generate(ids, 20, temperature=1.0, generator=torch.Generator().manual_seed(7)) for _ in range(2)
    )
    assert torch.equal(first, second)
    assert torch.equal(model.generate(ids, 20, temperature=1.0, top_k=1), model.generate(ids, 20))


def test_stops_at_end_of_text(small):
    model, ids = GPT.from_pretrained(small), torch.randint(1, 97, (3, 5))
    free = model.generate(ids, 20)
    eos = int(free[0, 9])
    stopped = model.generate(ids, 20, eos_token_id=eos)
    assert stopped.shape[1] <= 25
    for row, text in zip(free[:, 5:].tolist(), stopped[:, 5:].tolist(), strict=True):
        end = row.index(eos) + 1 if eos in row else len(text)
        assert text[:end] == row[:end]
        assert set(text[end:]) <= {eos}


def test_nothing_to_generate_returns_the_prompt(small):
    ids = torch.randint(1, 97, (2, 5))
    assert torch.equal(GPT.from_pretrained(small).generate(ids, 0), ids)


def test_random_weights_can_be_trained():
    torch.manual_seed(0)
    model = GPT(GPTConfig(11, 16, 16, 2, 2))
    parameters = [weight.requires_grad_() for weight in model.weights.values()]
    optimizer, ids = torch.optim.AdamW(parameters, lr=1e-2), torch.arange(12).remainder(11)[None]
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(model(ids[:, :-1])[0], ids[0, 1:])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_errors_are_sentences(small, tmp_path):
    model, ids = GPT.from_pretrained(small), torch.ones(1, 40, dtype=torch.long)
    with pytest.raises(ValueError, match="49 tokens do not fit into the context window of 48"):
        model.generate(ids, 9)
    with pytest.raises(ValueError, match="60 tokens do not fit"):
        model(torch.ones(1, 60, dtype=torch.long))
    with pytest.raises(ValueError, match="prompt is empty"):
        model.generate(ids[:, :0], 3)
    with pytest.raises(ValueError, match="temperature=-1"):
        model.generate(ids, 1, temperature=-1)
    with pytest.raises(ValueError, match="equal heads"):
        GPTConfig(10, 10, 10, 1, 3)
    with pytest.raises(ValueError, match="at least itself"):
        GPTConfig(10, 10, 10, 1, 2, attention_window=0)
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        GPT.from_pretrained(tmp_path)


def test_bad_checkpoints_are_refused(small, tmp_path):
    from safetensors.torch import load_file, save_file

    small.save_pretrained(tmp_path)
    weights, config = tmp_path / "model.safetensors", json.loads((tmp_path / "config.json").read_text())
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="cut short"):
        GPT.from_pretrained(tmp_path)
    weights.write_bytes(whole)
    tensors = load_file(weights)
    save_file({k: v for k, v in tensors.items() if k != "transformer.h.1.mlp.c_fc.bias"}, weights)
    with pytest.raises(ValueError, match=r"no tensor 'h\.1\.mlp\.c_fc\.bias'"):
        GPT.from_pretrained(tmp_path)
    weights.write_bytes(whole)
    for change, message in (
        ({"n_embd": 16}, r"'wte\.weight' is \(97, 32\), but the configuration asks for \(97, 16\)"),
        ({"model_type": "llama"}, "GPT-2-shaped"),
        ({"activation_function": "relu"}, "relu"),
        ({"tie_word_embeddings": False}, "tied head"),
        ({"n_layer": "two"}, "says n_layer=two: it must be a whole number"),
        ({"n_head": None}, "says n_head=None: it must be a whole number"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ValueError, match=message):
            GPT.from_pretrained(tmp_path)


@pytest.mark.parametrize("content", [b"", b'{"model_type": "gpt2", ', b"[]", b"null", b"\xff"])
def test_a_damaged_config_is_named(small, tmp_path, content):
    small.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"^'\S+config\.json' is damaged \(.+\): get it again\.$"):
        GPT.from_pretrained(tmp_path)
