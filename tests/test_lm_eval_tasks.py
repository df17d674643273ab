"""lm-eval runs the micro-world's tasks by itself, and answers every row as `solve` does."""

import json
from dataclasses import replace

import numpy as np
import pytest
from datasets import DatasetDict
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from course_lib.models import load_lm
from course_lib.scoring import answer, continuations, score, solve
from course_lib.tasks import RUSSIAN_SUPER_GLUE, TASKS, lm_eval, load_task
from course_lib.tasks.metrics import MAJORITY, evaluate
from course_lib.tasks.specs import SPECS

WRITTEN = ("detox", "titles", "summaries", "qa", "facts", "translation")
CHOICES = (*RUSSIAN_SUPER_GLUE, "tweets", "paraphrase")
N_ROWS = 24
THEIR_NAMES = {"accuracy": "acc", "matthews": "mcc", "macro_f1": "f1"}


@pytest.fixture(scope="module")
def manager():
    return TaskManager(include_path=lm_eval.FOLDER, include_defaults=False)


@pytest.fixture(scope="module")
def lm():
    return load_lm("tiny-0.5m", dtype="float32")


def run(lm, manager, tasks, **options):
    """Let lm-eval evaluate tasks on the model that we evaluate."""
    model, tokenizer = lm
    theirs = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=8)
    return simple_evaluate(theirs, tasks=tasks, task_manager=manager, limit=N_ROWS, **options)


EVERYTHING = ("course_russian_super_glue", "course_tweets", "course_paraphrase")


@pytest.fixture(scope="module")
def found(lm, manager):
    return run(lm, manager, list(EVERYTHING))


@pytest.fixture(scope="module")
def found_with_shots(lm, manager):
    return run(lm, manager, list(EVERYTHING), num_fewshot=2)


def as_lm_eval_cuts(prompt, completion):
    """lm-eval counts white space that ends a prompt to the completion."""
    bare = prompt.rstrip()
    return bare, prompt[len(bare) :] + completion


def first_rows(name):
    """The task with the rows that lm-eval is asked about, and their split."""
    task, split = load_task(name), "test" if name == "lidirus" else "validation"
    return replace(task, data=DatasetDict({split: task.data[split].select(range(N_ROWS))})), split


def test_every_task_with_a_right_answer_has_a_file(manager):
    assert {name for name in TASKS if len(SPECS[name].wordings) > 1} | {"rucos"} == set(CHOICES)
    assert {name for name in TASKS if SPECS[name].metrics} == {*CHOICES, *WRITTEN}
    assert manager.all_subtasks == sorted(f"course_{name}" for name in (*CHOICES, *WRITTEN))


@pytest.mark.parametrize("name", WRITTEN)
def test_lm_eval_writes_what_continuations_writes(lm, manager, name):
    found = run(lm, manager, [f"course_{name}"])
    task = load_task(name)
    rows = task.data["test"].select(range(N_ROWS))
    written = continuations(*lm, [task.prompt(row) for row in rows], max_new_tokens=48, stop="\n")
    answers = [answer(text) for text in written]
    samples = sorted(found["samples"][f"course_{name}"], key=lambda sample: sample["doc_id"])
    assert [answer(sample["filtered_resps"][0]) for sample in samples] == answers
    ours = evaluate(replace(task, data=DatasetDict({"test": rows})), answers, "test")
    assert len(set(answers)) > 1 and set(ours) <= {"token_f1", "exact_match"}
    for metric, value in ours.items():
        assert found["results"][f"course_{name}"][f"{metric},none"] == pytest.approx(value)


@pytest.mark.parametrize("name", CHOICES)
def test_lm_eval_answers_every_row_as_solve_does(lm, found, name):
    task, split = first_rows(name)
    rows = task.data[split]
    answers = solve(*lm, task, rows)
    samples = sorted(found["samples"][f"course_{name}"], key=lambda sample: sample["doc_id"])
    theirs = [int(np.argmax([logprob for logprob, _ in sample["filtered_resps"]])) for sample in samples]
    if name == "rucos":
        theirs = [row["entities"][best] for row, best in zip(rows, theirs, strict=True)]
        right = [answer in row["answers"] for row, answer in zip(rows, answers, strict=True)]
    else:
        right = [answer == row["label"] for row, answer in zip(rows, answers, strict=True)]
    assert theirs == answers
    assert [sample["acc"] for sample in samples] == right
    metrics = found["results"][f"course_{name}"]
    assert metrics["acc,none"] == pytest.approx(np.mean(right))
    for metric, value in evaluate(task, answers, split).items():
        if metric != MAJORITY:
            assert metrics[f"{THEIR_NAMES.get(metric, metric)},none"] == pytest.approx(value), metric


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.parametrize("shots", [0, 2])
def test_every_request_has_the_same_logprob_and_the_same_accuracy(lm, request, name, shots):
    found = request.getfixturevalue("found_with_shots" if shots else "found")
    samples = found["samples"][f"course_{name}"]
    requests = [as_lm_eval_cuts(*pair) for sample in samples for pair in sample["arguments"]]
    theirs = [response for sample in samples for response in sample["filtered_resps"]]
    ours = score(*lm, requests)
    np.testing.assert_allclose([o.logprob for o in ours], [logprob for logprob, _ in theirs], atol=1e-4)
    assert [o.greedy for o in ours] == [greedy for _, greedy in theirs]
    values = iter(ours)
    right = []
    for sample in samples:
        best = int(np.argmax([next(values).logprob for _ in sample["arguments"]]))
        answers = sample["doc"]["answers"] if name == "rucos" else [best]
        chosen = sample["doc"]["entities"][best] if name == "rucos" else sample["target"]
        right.append(chosen in answers)
    assert [sample["acc"] for sample in samples] == right


def test_an_empty_prompt_is_the_beginning_of_a_text_to_both(found):
    for sample in found["samples"]["course_tweets"]:
        assert [prompt for prompt, _ in sample["arguments"]] == ["", ""]


def test_the_group_is_the_mean_of_the_nine_accuracies(found):
    nine = [found["results"][f"course_{name}"]["acc,none"] for name in RUSSIAN_SUPER_GLUE]
    assert found["groups"]["course_russian_super_glue"]["acc,none"] == pytest.approx(np.mean(nine))


@pytest.mark.parametrize("name", ["rucos", "tweets"])
def test_shots_bring_their_right_completion(found_with_shots, name):
    task = load_task(name)
    written = {task.prompt(row) + task.answer(row) for row in task.data["train"]}
    for sample in found_with_shots["samples"][f"course_{name}"]:
        context, prompt = sample["arguments"][0][0], sample["doc"]["prompt"]
        shots = context.removesuffix(prompt)
        places = [i for i in range(len(shots)) if shots.startswith("\n\n", i)]
        assert shots.endswith("\n\n") and any({shots[:i], shots[i + 2 : -2]} <= written for i in places)


def test_the_official_files_are_evaluated_too(tmp_path):
    line = {"premise": "Кот спит.", "hypothesis": "Кот не ест.", "label": "not_entailment", "idx": 0}
    (tmp_path / "TERRa").mkdir()
    for file in ("train", "val", "test"):
        shown = line if file != "test" else {key: line[key] for key in line if key != "label"}
        text = json.dumps(shown, ensure_ascii=False)
        (tmp_path / "TERRa" / f"{file}.jsonl").write_text(text, encoding="utf-8")
    official = TaskManager(
        include_path=lm_eval.FOLDER, include_defaults=False, metadata={"source": str(tmp_path)}
    )
    task = official.load("course_terra")["tasks"]["course_terra"]
    [row] = task.eval_docs
    assert row["premise"] == "Кот спит." and task.doc_to_target(row) == 1
    assert task.dataset["test"]["right"][0] == -1
