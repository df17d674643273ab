"""Studies: a run comes back the same, a stopped study goes on, and what is stored belongs to the grid."""

import json
import sys

import numpy as np
import pytest

from course_lib import study
from course_lib.accuracy import interval
from course_lib.study import STUDIES, Run, carry_out, key, load
from course_lib.tasks import load_task

SMALL = Run("tweets", "tiny-0.5m", "prompt, tensor", n_train=16, seed=2, steps=10)


pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_run_comes_back_the_same():
    first, again = carry_out(SMALL), carry_out(SMALL)
    assert {**first, "seconds": 0} == {**again, "seconds": 0}
    assert len(first["hits"]) == len(load_task("tweets").data["test"]) and len(first["held_out"]) == 5
    share, low, high = interval(np.array([c == "1" for c in first["hits"]]))
    assert share == pytest.approx(first["metrics"]["accuracy"], abs=1e-4) and low < share < high


def test_a_study_that_was_stopped_goes_on(tmp_path, monkeypatch):
    runs = [SMALL, Run("tweets", "tiny-0.5m", "zero-shot")]
    monkeypatch.setattr(study, "RESULTS", tmp_path)
    monkeypatch.setitem(STUDIES, "small", runs)
    (tmp_path / "small.json").write_text(json.dumps({"command": "", "runs": {key(SMALL): {"hits": "kept"}}}))
    monkeypatch.setattr(sys, "argv", ["study", "small"])
    study.main()
    found = dict(load("small"))
    assert found[SMALL]["hits"] == "kept" and set(found[runs[1]]["hits"]) <= {"0", "1"}
    assert found[runs[1]]["n_trained"] == 0 and found[runs[1]]["date"]


def test_processes_share_a_study_a_seed_each(tmp_path, monkeypatch):
    runs = [Run("tweets", "tiny-0.5m", "prompt, tensor", n_train=16, seed=seed, steps=5) for seed in (1, 2)]
    monkeypatch.setattr(study, "RESULTS", tmp_path)
    monkeypatch.setitem(STUDIES, "small", runs)

    def meanwhile(run):  # another process ends its run while this one is at work
        (tmp_path / "small.json").write_text(
            json.dumps({"command": "", "runs": {key(runs[0]): {"hits": "1"}}})
        )
        return {"hits": "2"}

    monkeypatch.setattr(study, "carry_out", meanwhile)
    monkeypatch.setattr(sys, "argv", ["study", "small", "--seed", "2"])
    study.main()
    assert {run.seed: found["hits"] for run, found in load("small")} == {1: "1", 2: "2"}


def test_lidirus_is_answered_by_what_terra_trained():
    found = carry_out(Run("terra", "tiny-0.5m", "prompt, tensor", n_train=16, steps=5))
    lidirus = load_task("lidirus")
    assert len(found["lidirus"]["hits"]) == len(lidirus.data["test"])
    assert set(found["lidirus"]["metrics"]) == {"matthews", "majority_share"}


@pytest.mark.parametrize("task", ["detox", "proverbs"])
def test_what_is_written_is_measured_text_by_text(task):
    run = Run(task, "tiny-0.5m", "prompt, tensor", n_train=16, seed=1, steps=5)
    first, again = carry_out(run), carry_out(run)
    assert {**first, "seconds": 0} == {**again, "seconds": 0}
    assert len(first["texts"]) == study.N_WRITTEN
    measures = {"detox": {"joint", "style", "content", "chrf", "rougeL"}, "proverbs": {"copied", "distinct"}}
    assert measures[task] <= first["metrics"].keys()
    assert len(first["values"].get("joint", first["texts"])) == study.N_WRITTEN
    assert len(first["values"]["bits_per_byte"]) == len(load_task(task).data["test"])
    for name, values in first["values"].items():
        assert first["metrics"][name] == pytest.approx(np.mean(values), abs=1e-3)


def test_what_is_stored_belongs_to_its_study():
    for path in study.RESULTS.glob("*.json"):
        stored = json.loads(path.read_text(encoding="utf-8"))
        assert stored["command"] == f"python -m course_lib.study {path.stem}"
        assert set(stored["runs"]) <= {key(run) for run in STUDIES[path.stem]}


def test_no_such_study(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="There is no study 'nothing': methods"):
        load("nothing")
    monkeypatch.setattr(study, "RESULTS", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"python -m course_lib\.study methods"):
        load("methods")
