"""The command line that tunes prompts: what a run leaves, how it goes on, and what it says when it cannot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from course_lib import tune
from course_lib.models import load_lm
from course_lib.prompts import attached, from_pretrained
from course_lib.prompts.tasks import FORMATS, answers
from course_lib.tasks import load_task

QUICK = [
    *("backbone=tiny-0.5m", "train_examples=16", "training=quick", "training.max_steps=4"),
    *("training.eval_steps=2", "training.logging_steps=1", "training.per_device_train_batch_size=4"),
]


def command(*arguments, folder):
    call = [sys.executable, "-m", "course_lib.tune", *arguments]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True)


def in_process(*overrides, folder):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(Path(tune.__file__).parent / "conf"), version_base=None):
        config = compose("tune", [*QUICK, *map(tune.quoted, overrides), f"folder={folder}"])
    return tune.run(config, folder)


@pytest.fixture(autouse=True)
def one_thread():
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def test_the_command_and_what_it_leaves(tmp_path):
    form = "<SP:3>{passage}<P>Вопрос, </P>{question}<SP:3>"
    done = command("task=danetqa", "provider=lstm", f"format={form}", "folder=run", *QUICK, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and "the prompt, its log and its predictions are in" in done.stdout
    run = tmp_path / "run"
    assert {"config.yaml", "log.json", "curve.png", "predictions.jsonl", "prompt"} <= {
        p.name for p in run.iterdir()
    }
    log = json.loads((run / "log.json").read_text(encoding="utf-8"))
    assert log["format"] == form.replace("<SP:3>", "<P*3>") and log["history"]["eval_steps"] == [2, 4]
    low, high = log["metrics"]["test"]["interval"]
    assert low <= log["metrics"]["test"]["accuracy"] <= high
    lines = [
        json.loads(line) for line in (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    task = load_task("danetqa")
    assert len(lines) == len(task.data["validation"]) + len(task.data["test"])
    model, tokenizer = load_lm("tiny-0.5m")
    prompt = from_pretrained(run / "prompt", model)  # the best prompt gives the predictions again
    rows = task.data["test"].to_list()[:20]
    with attached(model, prompt):
        found = answers(model, tokenizer, task, prompt, rows, max_tokens=384)
    assert found == [line["prediction"] for line in lines if line["split"] == "test"][:20]


def test_a_sweep(tmp_path):
    done = command("--multirun", "task=tweets", "provider=tensor,mlp", *QUICK, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    logs = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in tmp_path.glob("outputs/tune/tweets/*/*/log.json")
    ]
    assert {log["provider"] for log in logs} == {"tensor", "mlp"}


def test_help_names_all_groups(tmp_path):
    text = command("--help", folder=tmp_path).stdout
    for group in ("backbone:", "optimiser:", "provider:", "scheduler:", "task:", "training:"):
        assert f"\n{group}" in text
    assert all(task in text for task in FORMATS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["task=terra", "format=<P>{premis}"], "did you mean {premise}?"),
        (["task=terra", "format={premise}"], "has no soft token, nothing to train"),
        (["task=terra", "format=<P>{premise"], "lacks its partner"),
        (["task=lidirus"], "LiDiRus has no training examples here"),
        (["task=terra", "loss=mse"], "loss='mse' must be one of language_model, label_words"),
        (["task=terra", "backbone.name=tinny"], "There is no model 'tinny'; did you mean"),
        (["task=terra", "+training.lerning=1"], "TrainingArguments know no lerning"),
        (["task=terra", "source=nowhere"], "nowhere"),
        (["task=terra", "max_tokens=5"], "tokens"),
    ],
)
def test_one_sentence_for_what_cannot_be_done(tmp_path, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        in_process(*arguments, folder=tmp_path)
    assert message in str(error.value)


def test_an_error_is_one_line_without_a_traceback(tmp_path):
    done = command("task=terra", "format=<P>{premis}", folder=tmp_path)
    assert done.returncode == 1 and done.stderr.startswith("tune: The format asks for {premis}")
    assert "Traceback" not in done.stderr


def test_label_words_and_a_text_task(tmp_path):
    log = in_process("task=tweets", "loss=label_words", folder=tmp_path / "a")
    assert log["history"]["losses"][0] < 3  # about ln 2, and not the loss of a word among thousands
    log = in_process("task=qa", folder=tmp_path / "b")
    assert set(log["metrics"]["test"]) == {"token_f1", "exact_match"}
    log = in_process("task=proverbs", folder=tmp_path / "c")
    assert log["metrics"]["test"] == {}


def test_a_run_goes_on_in_its_folder(tmp_path):
    whole = in_process("task=tweets", folder=tmp_path / "whole")
    in_process("task=tweets", folder=tmp_path / "cut")
    checkpoints = tmp_path / "cut" / "checkpoints"
    for path in checkpoints.glob("checkpoint-4/*"):
        path.unlink()
    (checkpoints / "checkpoint-4").rmdir()
    again = in_process("task=tweets", folder=tmp_path / "cut")
    assert again["history"]["losses"] == whole["history"]["losses"]
    a, b = (from_pretrained(tmp_path / name / "prompt") for name in ("whole", "cut"))
    torch.testing.assert_close(a(), b(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("format=<P>{a}, b", "format='<P>{a}, b'"),
        ("format='<P>{a}'", "format='<P>{a}'"),
        ("format=<P>it's", "format='<P>it\\'s'"),
        ("format=null", "format=null"),
        ("task=terra", "task=terra"),
    ],
)
def test_a_format_needs_no_quotes_of_hydras(typed, given):
    assert tune.quoted(typed) == given
