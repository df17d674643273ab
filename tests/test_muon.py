"""The optimiser of pretraining: Muon for the matrices of the blocks, AdamW for the rest, one schedule.

The encoder-decoder's, with Adafactor for the rest, has its test in `test_encoder_decoder.py`.
"""

import copy

import pytest
import torch
from omegaconf import OmegaConf

from course_lib.muon import muon_with_adamw
from course_lib.pretrain import new_model

SIZE = OmegaConf.create({"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 16})
WEIGHT_DECAY = 0.1
IDS = torch.arange(64).view(4, 16) % 50


@pytest.fixture
def model():
    return new_model(SIZE, 50)


def learn(model, optimizer, steps: int = 1) -> float:
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(input_ids=IDS, attention_mask=torch.ones_like(IDS), labels=IDS).loss
        loss.backward()
        optimizer.step()
    return loss.item()


def test_every_weight_is_learnt_once_and_the_matrices_of_blocks_by_muon(model):
    muon, adamw = muon_with_adamw(model, 1e-3, WEIGHT_DECAY).parts
    by_muon, by_adamw = (
        {id(weight) for group in part.param_groups for weight in group["params"]} for part in (muon, adamw)
    )
    for name, weight in model.named_parameters():
        is_matrix = ".h." in name and name.endswith("weight") and ".ln_" not in name
        assert (id(weight) in by_muon, id(weight) in by_adamw) == (is_matrix, not is_matrix), name


def spread(matrix: torch.Tensor) -> float:
    """How much larger a matrix is in its strongest direction than in one of the weakest."""
    sizes = torch.linalg.svdvals(matrix)
    return (sizes.max() / sizes.quantile(0.1)).item()


def test_a_step_moves_a_matrix_as_far_in_every_direction(model):
    weight = model.transformer.h[0].mlp.c_fc.weight
    before = weight.detach().clone()
    learn(model, muon_with_adamw(model, 1e-2, weight_decay=0.0))
    moved, learnt = (spread(matrix) for matrix in (weight.detach() - before, weight.grad))
    assert moved < 2 < 10 < learnt
    # as large as AdamW's steps (Liu et al., 2025): 0.2 of the learning rate, root mean square
    assert (weight.detach() - before).square().mean().sqrt().item() == pytest.approx(0.2e-2, rel=0.2)


def test_it_learns(model):
    optimizer = muon_with_adamw(model, 1e-2, WEIGHT_DECAY)
    first = learn(model, optimizer)
    assert learn(model, optimizer, 30) < 0.2 * first


def test_a_schedule_reaches_both_parts(model):
    optimizer = muon_with_adamw(model, 1e-2, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0 if step else 1.0)
    learn(model, optimizer)
    schedule.step()
    before = copy.deepcopy(model.state_dict())
    learn(model, optimizer)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_a_saved_state_goes_on_to_the_same_weights(model):
    optimizer = muon_with_adamw(model, 1e-2, WEIGHT_DECAY)
    learn(model, optimizer, 2)
    twin = copy.deepcopy(model)
    resumed = muon_with_adamw(twin, 5e-2, WEIGHT_DECAY)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert {group["lr"] for group in resumed.param_groups} == {1e-2}
    learn(model, optimizer, 2)
    learn(twin, resumed, 2)
    others = twin.state_dict()
    assert all(torch.equal(weight, others[name]) for name, weight in model.state_dict().items())
    for group in resumed.param_groups:  # a schedule goes on, too
        group["lr"] = 0.0
    before = copy.deepcopy(others)
    learn(twin, resumed)
    assert all(torch.equal(weight, before[name]) for name, weight in twin.state_dict().items())
