"""The study of lecture 7: a run comes back the same, and is judged on what it was not tuned on."""

import numpy as np
import pytest

from course_lib import instruction_study as instructions
from course_lib.instruction_study import (
    HELD_OUT,
    N_KEPT,
    N_TEST,
    N_WORDINGS,
    TRAINED,
    InstructionRun,
    carry_out,
)
from course_lib.instructions import CLUSTERS
from course_lib.study import STUDIES, load

SMALL = InstructionRun("tiny-0.5m", n_examples=40, n_clusters=2)


@pytest.fixture(autouse=True)
def few(one_thread, monkeypatch):
    monkeypatch.setattr(instructions, "N_TEST", 6)
    monkeypatch.setattr(instructions, "N_FOLLOWED", 3)


def test_every_cluster_is_trained_on_or_held_out():
    assert sorted((*TRAINED, *HELD_OUT)) == sorted(CLUSTERS)


@pytest.mark.parametrize("changed", [{}, {"words": False}])
def test_a_run_comes_back_the_same(changed):
    run = InstructionRun(**{**vars(SMALL), **changed})
    first, again = carry_out(run), carry_out(run)
    assert {**first, "seconds": 0} == {**again, "seconds": 0}
    held_out = {task for cluster in HELD_OUT for task in CLUSTERS[cluster]}
    assert held_out < first["hits"].keys()
    for task, hits in first["hits"].items():
        assert len(hits) == (N_WORDINGS if task in held_out else N_KEPT)
        assert all(len(each) == 6 and set(each) <= {"0", "1"} for each in hits.values())
    assert all(0 <= share <= 1 for share in first["follows"].values())
    assert len(first["bits_per_byte"]) == 165 and len(first["texts"]) == len(instructions.PROMPTS)


def test_a_model_that_is_not_tuned_is_only_judged():
    found = carry_out(InstructionRun("tiny-0.5m", n_examples=0))
    assert "losses" not in found and "n_tokens" not in found and found["hits"]


@pytest.mark.parametrize("text", ["да", "Да.", " да ", "ДА"])
def test_an_option_is_one_whatever_its_capital_and_full_stop(text):
    assert instructions.is_one_of(text, ("да", "нет"))
    assert not instructions.is_one_of(text + " и нет", ("да", "нет"))


def test_what_is_stored_has_the_size_that_the_lecture_says_and_has_learned():
    before = {run.backbone: found["follows"] for run, found in load("instructions") if not run.n_examples}
    for name in ("instructions", "instruction_variants"):
        runs = load(name)
        assert len(runs) == len(STUDIES[name]) or len({run.seed for run, _ in runs}) < 3
        for _, found in runs:
            for hits in found["hits"].values():
                assert {len(each) for each in hits.values()} == {N_TEST}
        for run, found in runs:
            told = found["follows"]
            assert not run.n_examples or sum(told.values()) > sum(before[run.backbone].values()) + 0.5
    # in the variants the losses say less: how large they are depends on which answers a batch holds
    tuned = [found for run, found in load("instructions") if run.n_examples]
    assert all(np.mean(found["losses"][-10:]) < np.mean(found["losses"][:10]) for found in tuned)


def test_an_encoder_decoder_is_tuned_on_the_same_examples():
    from course_lib.instruction_study import tuned
    from course_lib.models import load_lm

    model, tokenizer = load_lm("tiny-t5-2m", dtype="float32")
    before = {name: each.clone() for name, each in model.state_dict().items()}
    found = tuned(InstructionRun("tiny-t5-2m", seed=2, n_examples=60), model, tokenizer)
    assert found["losses"] and found["n_too_long"] == 0
    assert any(not each.equal(before[name]) for name, each in model.state_dict().items())
