"""Sizes and costs by formula, against the deck's table and against real models."""

import pytest

from course_lib import sizes


def test_table_has_the_decks_eight_rows_and_the_formula_agrees_with_the_printed_sizes():
    assert len(sizes.TABLE_2_1) == 8
    for row in sizes.TABLE_2_1:
        assert abs(row.error) < 0.03, row.name
    assert sizes.TABLE_2_1[-1].computed == 174_604_259_328


def test_contradictions_are_13b_and_xl_only():
    found = sizes.contradictions()
    assert sorted(found) == ["GPT-3 13B", "GPT-3 XL"]
    assert "40 heads x 128 = 5120" in found["GPT-3 13B"][0]
    assert "24 heads x 128 = 3072" in found["GPT-3 XL"][0]
    assert "2048" in found["GPT-3 XL"][0]


def test_a_wrong_size_is_a_contradiction_too():
    row = sizes.Size("odd", 2e9, 12, 768, 12, 64, 0.5e6, 6e-4)
    assert "0.13B" in sizes.contradictions((row,))["odd"][0]


@pytest.mark.parametrize(("layers", "width", "heads"), [(1, 8, 2), (2, 64, 4), (12, 768, 12)])
def test_formula_counts_what_transformers_allocates(layers, width, heads):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = {"vocab_size": 101, "n_positions": 33, "n_embd": width, "n_layer": layers, "n_head": heads}
    with torch.device("meta"):
        model = GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=0, eos_token_id=0))
    assert sizes.n_parameters(layers, width, 101, 33) == sum(p.numel() for p in model.parameters())


def test_flops_agree_with_a_counter():
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from course_lib.gpt import GPT, GPTConfig

    time, layers, width = 16, 3, 32
    model = GPT(GPTConfig(vocab_size=50, n_positions=64, n_embd=width, n_layer=layers, n_head=4))
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, time, dtype=torch.long), return_attention=True)
    # without a cache each of the 16 tokens is compared with all 16, masked or not
    assert counter.get_total_flops() == time * sizes.forward_flops(layers, width, time, 50)
    assert sizes.training_flops(layers, width, time, 50) == 3 * sizes.forward_flops(layers, width, time, 50)


def test_kv_cache_bytes_are_what_the_cache_takes():
    from course_lib.gpt import GPT, Cache, GPTConfig

    model = GPT(GPTConfig(vocab_size=50, n_positions=64, n_embd=32, n_layer=3, n_head=4))
    assert Cache(model, 2, 10).data.nbytes == sizes.kv_cache_bytes(3, 32, 10, batch=2, bytes_per_number=4)
    assert sizes.kv_cache_bytes(96, 12288, 2048) == 9_663_676_416  # GPT-3: 9 GiB for one full context
