"""The command line that tunes prompts: what a run leaves, how it goes on, and what it says when it cannot."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from course_lib import tune
from course_lib.models import load_lm
from course_lib.prompts import attached, from_pretrained
from course_lib.prompts.tasks import FORMATS, answers
from course_lib.tasks import load_task
from course_lib.tune_checks import check, quoted

QUICK = [
    *("backbone=tiny-0.5m", "train_examples=16", "training=quick", "training.max_steps=4"),
    *("training.eval_steps=2", "training.logging_steps=1", "training.per_device_train_batch_size=4"),
]


def command(*arguments, folder):
    call = [sys.executable, "-m", "course_lib.tune", *arguments]
    return subprocess.run(call, cwd=folder, capture_output=True, text=True)


def in_process(*overrides, folder):
    return tune.run(configuration(*overrides, folder=folder), folder)


def configuration(*overrides, folder):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(Path(tune.__file__).parent / "conf"), version_base=None):
        return compose("tune", [*QUICK, *map(quoted, overrides), f"folder={folder}"])


pytestmark = pytest.mark.usefixtures("one_thread")


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


def test_a_sweep_goes_on_after_a_failure(tmp_path):
    formats = "format='<P>{text}','{text}','<P*2>{text}'"
    done = command("--multirun", "task=tweets", formats, *QUICK, folder=tmp_path)
    assert done.returncode == 1 and done.stderr.splitlines() == [
        "tune: The format '{text}' has no soft token, nothing to train: put <P> into it.",
        "tune: 1 of the sweep's runs failed.",
    ]
    logs = {path.parent.name: path for path in tmp_path.glob("outputs/tune/tweets/sweep_*/*/log.json")}
    found = {name: json.loads(path.read_text(encoding="utf-8"))["format"] for name, path in logs.items()}
    assert found == {
        "0_tiny-0.5m-tensor_seed1": "<P>{text}",
        "2_tiny-0.5m-tensor_seed1": "<P*2>{text}",
    }


def test_help_names_all_that_can_be_chosen(tmp_path):
    shown = command("--help", folder=tmp_path).stdout.split("==")[2]
    words = set(re.findall(r"[\w.-]+", shown))
    conf = Path(tune.__file__).parent / "conf"
    for group in ("optimiser", "provider", "scheduler", "training"):
        assert {group, *(path.stem for path in (conf / group).glob("*.yaml"))} <= words
    assert {"task", *FORMATS, "backbone", *tune.BACKBONES} <= words


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
        (["task=terra", "+provider.settings.depth=2"], "has no setting depth"),
        (["task=terra", "source=nowhere"], "nowhere"),
        (["task=terra", "max_tokens=5"], "tokens"),
        (["task=terra", "max_tokens=513"], "max_tokens=513: 'tiny-0.5m' has room for 512 here"),
        (["task=terra", "format="], "has no soft token, nothing to train"),
        (["task=terra", "format=<P><shots>{premise}</shots>"], "no solved examples"),
        (["task=danetqa", "format=<P>{label}"], "shows {label}, which is the answer"),
        (["task=qa", "format=<P>{answer}"], "shows {answer}, which is the answer"),
        (["task=qa", "loss=label_words"], "QA is answered by writing"),
        (["task=terra", "train_examples=9999"], "train_examples=9999 must be from 1 to 1000"),
        (["task=terra", "train_examples=0"], "train_examples=0 must be from 1 to 1000"),
        (["task=terra", "train_examples=all"], "train_examples=all must be a whole number"),
        (["task=terra", "seed=null"], "seed=None must be a whole number"),
        (["task=terra", "training.max_steps=1.5"], "training.max_steps=1.5 must be a whole number"),
        (["task=terra", "learning_rate=high"], "learning_rate=high must be a number"),
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
    in_process("task=danetqa", "format=<P>{question}", folder=tmp_path / "d")  # without the field to truncate
    assert log["metrics"]["test"] == {}


def test_an_empty_split_and_a_missing_field_are_found_before_a_model_is_loaded(tmp_path, monkeypatch):
    config = configuration("task=terra", folder=tmp_path)
    task = load_task("terra")
    rows = {"train": task.data["train"].to_list()[:20], "test": []}
    with pytest.raises(ValueError, match="TERRa has nothing in its split test: look at source=world"):
        check(config, task, rows)
    monkeypatch.setattr("course_lib.models.load_lm", None)
    with pytest.raises(ValueError, match=r"did you mean \{premise\}"):
        in_process("task=terra", "format=<P>{premis}", folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_stopped_run_goes_on_in_its_folder(tmp_path):
    longer = ("task=tweets", "training.max_steps=8")  # two epochs
    whole = in_process(*longer, folder=tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    (tmp_path / "cut" / "log.json").unlink()
    shutil.rmtree(tmp_path / "cut" / "checkpoints" / "checkpoint-8")  # the newest is amid the second epoch
    again = in_process(*longer, folder=tmp_path / "cut")
    for key in ("losses", "eval_losses"):
        assert again["history"][key] == whole["history"][key]
    a, b = (from_pretrained(tmp_path / name / "prompt") for name in ("whole", "cut"))
    torch.testing.assert_close(a(), b(), rtol=0, atol=1e-6)
    assert in_process(*longer, folder=tmp_path / "cut") == again  # it has ended


def test_another_run_does_not_go_on_in_that_folder(tmp_path):
    first = in_process("task=tweets", folder=tmp_path)
    with pytest.raises(ValueError, match=r"has a run with other settings \(provider, seed\): choose another"):
        in_process("task=tweets", "seed=2", "provider.learning_rate=0.03", "+provider.x=1", folder=tmp_path)
    (tmp_path / "checkpoints" / "checkpoint-99").mkdir()  # must not be taken for the new run's newest
    second = in_process("task=tweets", "seed=2", "resume=false", folder=tmp_path)
    assert second["seed"] == 2 and second["history"]["losses"] != first["history"]["losses"]
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} <= {"checkpoint-2", "checkpoint-4"}


@given(st.text("<P>{}a'\"\\,=()[]: $*&\nб", min_size=1).map("<P>{}".format) | st.just("'<P>' и \"<P>"))
@example("<P>it\\'s\\")
@example('"x" <P>')
def test_a_format_needs_no_quotes_of_hydras(form):
    parser = OverridesParser.create()
    assert parser.parse_override(quoted(f"format={form}")).value() == form


@pytest.mark.parametrize(
    "typed", ["format='<P>{a}'", "format=null", "format='<P>','<P*2>'", "format=${task.format}", "task=terra"]
)
def test_other_arguments_stay_as_they_are(typed):
    assert quoted(typed) == typed
