"""Prompt providers: how many parameters they have, what they begin as, and that all of them learn."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.prompts.providers import (
    PROVIDERS,
    LSTMProvider,
    MLPProvider,
    TensorProvider,
    lstm_parameters,
    mlp_parameters,
    tensor_parameters,
)

SMALL = st.integers(1, 9)


@settings(max_examples=30, deadline=None)
@given(SMALL, SMALL, SMALL, SMALL, st.integers(1, 3))
def test_parameters_by_formula(n, dim, width, hidden, n_layers):
    assert TensorProvider(n, dim).n_parameters == tensor_parameters(n, dim)
    assert MLPProvider(n, dim, width, hidden).n_parameters == mlp_parameters(n, dim, width, hidden)
    lstm = LSTMProvider(n, dim, width, hidden, n_layers)
    assert lstm.n_parameters == lstm_parameters(n, dim, width, hidden, n_layers)


def test_the_decks_numbers():
    assert lstm_parameters(9, 1536) == 3_158_016 and lstm_parameters(60, 1536) == 3_171_072
    assert round(lstm_parameters(9, 1536) / 1e6, 1) == 3.2
    assert round(100 * lstm_parameters(9, 1536) / 760e6, 1) == 0.4
    assert tensor_parameters(12, 5120) == 61_440 and round(100 * 61_440 / 13e9, 4) == 0.0005
    assert lstm_parameters(9, 1536, width=16) == 2_664_336  # ruPrompts' default
    for n, expected in ((9, 3_158_016), (60, 3_171_072)):
        assert LSTMProvider(n, 1536, width=256, hidden=256).n_parameters == expected
    assert TensorProvider(12, 5120).n_parameters == 61_440


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_begins_as_it_is_told(name):
    rows = torch.randn(5, 8)
    provider = PROVIDERS[name](5, 8)
    provider.begin_as(rows)
    torch.testing.assert_close(provider(), rows, rtol=0, atol=0)


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("name", PROVIDERS)
def test_all_parameters_learn(name, told):
    torch.manual_seed(0)
    provider = PROVIDERS[name](5, 8)
    if told:
        provider.begin_as(torch.randn(5, 8))
    optimizer = torch.optim.SGD(provider.parameters(), lr=0.5)
    before = {key: value.clone() for key, value in provider.named_parameters()}
    for _ in range(3):  # the last layer begins with zeros: what is before it learns from the second step on
        optimizer.zero_grad()
        (provider() - 1).square().sum().backward()
        torch.nn.utils.clip_grad_norm_(provider.parameters(), 1.0)
        optimizer.step()
    assert all(not torch.equal(value, before[key]) for key, value in provider.named_parameters())


@pytest.mark.parametrize("name", PROVIDERS)
def test_gradients_reach_every_parameter_after_one_step(name):
    torch.manual_seed(0)
    provider = PROVIDERS[name](5, 8)
    provider.begin_as(torch.randn(5, 8))
    optimizer = torch.optim.AdamW(provider.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        (provider() - 1).square().sum().backward()
        optimizer.step()
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in provider.parameters())


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_saved_provider_gives_the_same_rows(name):
    provider, other = PROVIDERS[name](5, 8), PROVIDERS[name](5, 8)
    provider.begin_as(torch.randn(5, 8))
    other.load_state_dict(provider.state_dict())
    torch.testing.assert_close(other(), provider(), rtol=0, atol=0)
    assert provider().shape == (5, 8) and PROVIDERS[name](1, 8)().shape == (1, 8)


def test_no_soft_tokens():
    with pytest.raises(ValueError, match="nothing to train"):
        TensorProvider(0, 8)
