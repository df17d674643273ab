"""The losses are those of transformers, the baseline is arithmetic, the law's interval keeps its promise."""

import numpy as np
import pytest

from course_lib.scaling import block_losses, fit_power_law


def test_block_losses_are_the_models_own_loss_block_by_block():
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    shape = {"vocab_size": 50, "n_positions": 16, "n_embd": 16, "n_layer": 2, "n_head": 2}
    model = GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=0, eos_token_id=0)).eval()
    blocks = torch.randint(50, (5, 16))
    expected = [model(input_ids=ids[None], labels=ids[None]).loss.item() for ids in blocks]
    np.testing.assert_allclose(block_losses(model, blocks, batch_size=2), expected, rtol=1e-5)


def law(sizes, alpha=0.1, scale=3.0):
    return scale * np.asarray(sizes, dtype=float) ** -alpha


def test_finds_the_exponent_of_a_law_without_noise():
    sizes = [1e5, 1e6, 1e7, 1e8]
    fit = fit_power_law(sizes, law(sizes), np.full(4, 1e-3))
    assert fit.alpha == pytest.approx(0.1, abs=1e-6)
    assert fit.freedom == 2
    np.testing.assert_allclose(fit([1e4, 1e9]), law([1e4, 1e9]), rtol=1e-5)
    low, high = fit.interval(np.array([1e4, 1e9]))
    assert (low < law([1e4, 1e9])).all() and (law([1e4, 1e9]) < high).all()


def test_the_interval_covers_the_truth_as_often_as_it_promises():
    rng, sizes, hits = np.random.default_rng(0), np.geomspace(1e5, 1e8, 5), 0
    for _ in range(400):
        losses = law(sizes) * (1 + 0.01 * rng.standard_normal(5))
        low, high = fit_power_law(sizes, losses, 0.01 * law(sizes)).alpha_interval(0.9)
        hits += low < 0.1 < high
    assert hits / 400 > 0.88  # the scale factor only ever widens


def test_scatter_that_the_errors_do_not_explain_widens_the_interval():
    sizes, bump = [1e5, 1e6, 1e7], np.array([1.0, 1.05, 1.0])
    narrow = fit_power_law(sizes, law(sizes), np.full(3, 1e-3)).alpha_interval()
    wide = fit_power_law(sizes, law(sizes) * bump, np.full(3, 1e-3)).alpha_interval()
    assert wide[1] - wide[0] > 10 * (narrow[1] - narrow[0])
    assert wide[0] < 0 < wide[1]  # one degree of freedom: not even the sign is sure


def test_three_points_have_one_degree_of_freedom_and_a_wide_quantile():
    fit = fit_power_law([1e5, 1e6, 1e7], law([1e5, 1e6, 1e7]), [1e-3] * 3)
    assert fit.freedom == 1
    assert fit.quantile() == pytest.approx(12.706, abs=1e-3)


@pytest.mark.parametrize(
    ("sizes", "losses", "errors", "message"),
    [
        ([1, 2], [3, 2], [0.1, 0.1], "2 sizes"),
        ([2, 2, 2], [3, 2, 1], [0.1] * 3, "1 sizes"),
        ([1, 2, 3], [3, 2, 0], [0.1] * 3, "must be positive"),
        ([1, 2, 3], [3, 2, 1], [0.1, 0, 0.1], "must be positive"),
    ],
)
def test_refuses_what_no_law_can_be_fitted_to(sizes, losses, errors, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(sizes, losses, errors)
