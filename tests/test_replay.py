"""A run trained again from its log meets the losses of the log."""

import json

import pytest
from omegaconf import OmegaConf

from course_lib import pretrain
from course_lib.replay import replay, training_losses


@pytest.fixture(scope="module")
def logged(tmp_path_factory, root):
    """Train a miniature for eight steps and return its log and tokenizer."""
    folder = tmp_path_factory.mktemp("run")
    config = OmegaConf.merge(
        OmegaConf.load(root / "course_lib" / "conf" / "pretrain.yaml"),
        {
            "size": {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32, "learning_rate": 1e-2},
            "folder": str(folder),
            "data": {"characters": 60_000, "validation_characters": 5_000},
            "tokenizer": {"folder": str(folder / "tokenizer"), "vocab_size": 300, "characters": 20_000},
            "training": {
                "max_steps": 8,
                "warmup_steps": 2,
                "logging_steps": 1,
                "eval_steps": 4,
                "torch_compile": False,
                "disable_tqdm": True,
            },
        },
    )
    log = pretrain.run(config)
    assert json.loads((folder / "model" / "training_log.json").read_text()) == log
    return log, pretrain.get_tokenizer(config)


def test_the_first_steps_meet_the_logged_losses(logged, capfd):
    log, tokenizer = logged
    capfd.readouterr()
    model, live = replay(log, tokenizer, 5)
    steps, losses = training_losses(live)
    assert steps == [1, 2, 3, 4, 5]
    assert losses == pytest.approx(training_losses(log, 5)[1], abs=1e-4)
    assert losses[-1] < losses[0]
    assert not model.training
    assert "loss" not in capfd.readouterr().out  # the curve is drawn, not printed


def test_asking_for_more_steps_than_were_logged_is_refused(logged):
    with pytest.raises(ValueError, match="the logged run has 8 steps"):
        replay(*logged, 9)


def test_training_losses_leave_out_other_entries():
    history = [{"loss": 3.0, "step": 1}, {"eval_loss": 2.5, "step": 1}, {"loss": "2.0", "step": 2}]
    assert training_losses({"history": history}) == ([1, 2], [3.0, 2.0])
    assert training_losses({"history": history}, 1) == ([1], [3.0])
