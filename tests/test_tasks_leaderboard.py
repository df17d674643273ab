"""The deck's totals and sizes counted again; the leaderboard's zip is official to the letter."""

from __future__ import annotations

import json
import os
import zipfile

import numpy as np
import pytest
from datasets import Dataset, DatasetDict

from course_lib.tasks import RUSSIAN_SUPER_GLUE, TASKS, Task, load_task
from course_lib.tasks.leaderboard import RESULTS, write_submission
from course_lib.tasks.specs import SPECS
from course_lib.tasks.statistics import count_sentences, count_tokens, task_statistics


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return {name: load_task(name) for name in TASKS}


@pytest.fixture
def nine(tasks) -> list[Task]:
    return [tasks[name] for name in RUSSIAN_SUPER_GLUE]


@pytest.fixture
def predictions(nine) -> dict[str, list]:
    """The last class everywhere, and the first entity."""
    return {
        task.name: (
            [len(task.labels) - 1] * len(task.data["test"])
            if task.labels
            else [entities[0] for entities in task.data["test"]["entities"]]
        )
        for task in nine
    }


def read(path) -> dict[str, list]:
    with zipfile.ZipFile(path) as archive:
        return {
            name: [json.loads(line) for line in archive.read(name).decode().splitlines()]
            for name in archive.namelist()
        }


def test_three_of_the_five_printed_totals_are_the_mean_of_their_row():
    """The other two are printed half a point lower than their row gives."""
    totals = {(row.model, row.approach): (row.printed, round(row.total, 2), row.agrees) for row in RESULTS}
    assert totals == {
        ("RuGPT3-Large", "Zero-Shot"): (51.4, 51.91, False),
        ("RuGPT3-Large", "Fine-Tuning"): (50.5, 50.48, True),
        ("RuGPT3-Large", "Prompt Tuning"): (48.2, 48.24, True),
        ("RuGPT3-13b", "Zero-Shot"): (51.0, 51.0, True),
        ("RuGPT3-13b", "Prompt Tuning"): (57.0, 57.51, False),
    }
    assert all(tuple(row.scores) == RUSSIAN_SUPER_GLUE for row in RESULTS)
    assert max(RESULTS, key=lambda row: row.total) is RESULTS[-1]  # the deck's conclusion stands


def test_the_zip_holds_nine_files_with_a_line_per_example(tmp_path, nine, predictions):
    path = write_submission(tmp_path / "deep" / "mine.zip", predictions, nine)
    files = read(path)
    assert list(files) == [
        *("LiDiRus.jsonl", "RCB.jsonl", "PARus.jsonl", "MuSeRC.jsonl", "TERRa.jsonl"),
        *("RUSSE.jsonl", "RWSD.jsonl", "DaNetQA.jsonl", "RuCoS.jsonl"),
    ]
    for task in nine:
        lines = files[f"{task.title}.jsonl"]
        assert len(lines) == (40 if task.name == "muserc" else len(task.data["test"]))
        assert [line["idx"] for line in lines] == sorted({line["idx"] for line in lines})
    first = {name: lines[0] for name, lines in files.items() if name != "MuSeRC.jsonl"}
    entity = nine[-1].data["test"][0]["entities"][0]
    assert first == {
        "LiDiRus.jsonl": {"idx": 0, "label": "not_entailment"},
        "RCB.jsonl": {"idx": 0, "label": "neutral"},
        "PARus.jsonl": {"idx": 0, "label": 1},
        "TERRa.jsonl": {"idx": 0, "label": "not_entailment"},
        "RUSSE.jsonl": {"idx": 0, "label": "true"},
        "RWSD.jsonl": {"idx": 0, "label": "True"},
        "DaNetQA.jsonl": {"idx": 0, "label": "true"},
        "RuCoS.jsonl": {"idx": 0, "label": entity},
    }


def test_muserc_is_nested_as_its_files_are(tmp_path, nine, predictions):
    rows = nine[3].data["test"]
    predictions["muserc"] = list(rows["label"])
    (first, *_) = read(write_submission(tmp_path / "a.zip", predictions, nine))["MuSeRC.jsonl"]
    assert list(first) == ["idx", "passage"] and list(first["passage"]) == ["questions"]
    flat = [
        ({"paragraph": first["idx"], "question": question["idx"], "answer": answer["idx"]}, answer["label"])
        for question in first["passage"]["questions"]
        for answer in question["answers"]
    ]
    assert flat == [(row["idx"], row["label"]) for row in rows if row["idx"]["paragraph"] == first["idx"]]


def test_numbers_of_numpy_and_class_names_are_taken_too_and_lines_are_sorted(tmp_path, nine, predictions):
    shuffled = dict(zip(RUSSIAN_SUPER_GLUE, nine, strict=True))
    task = nine[4]
    data = DatasetDict(test=task.data["test"].shuffle(seed=1))
    shuffled["terra"] = Task(**{**vars(task), "data": data})
    predictions["terra"] = np.array(data["test"]["label"])
    predictions["rwsd"] = ["False"] * 300
    files = read(write_submission(tmp_path / "a.zip", predictions, shuffled.values()))
    names = ["entailment", "not_entailment"]
    assert [line["label"] for line in files["TERRa.jsonl"]] == [
        names[label] for label in task.data["test"]["label"]
    ]
    assert {line["label"] for line in files["RWSD.jsonl"]} == {"False"}


def test_a_folder_gets_the_zip_and_the_same_predictions_give_the_same_bytes(tmp_path, nine, predictions):
    first = write_submission(tmp_path / "one", predictions, nine)
    assert first == tmp_path / "one" / "submission.zip"
    assert write_submission(tmp_path / "two.zip", predictions, nine).read_bytes() == first.read_bytes()


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("terra", [0], r"TERRa: 1 predictions for 400 test rows"),
        ("rcb", [3] * 300, r"RCB: the label 3 is none of entailment, contradiction, neutral \(or 0 to 2\)"),
        ("danetqa", ["да"] * 400, r"DaNetQA: the label 'да' is none of False, True"),
        ("russe", [-1] * 400, r"RUSSE: the label -1"),
        ("parus", [0.5] * 300, r"PARus: the label 0\.5"),
        ("rucos", [1] * 300, r"RuCoS: a prediction must be a text, and one is 1"),
        ("tweets", [1] * 400, r"tweets: the leaderboard has no such task"),
    ],
)
def test_wrong_predictions_name_their_task_and_write_nothing(
    tmp_path, nine, predictions, name, wrong, message
):
    old = write_submission(tmp_path / "a.zip", predictions, nine).read_bytes()
    with pytest.raises(ValueError, match=message):
        write_submission(tmp_path / "a.zip", predictions | {name: wrong}, nine)
    assert (tmp_path / "a.zip").read_bytes() == old and os.listdir(tmp_path) == ["a.zip"]


def test_the_leaderboard_wants_all_nine(tmp_path, nine, predictions):
    with pytest.raises(ValueError, match=r"RuCoS: no loaded task; the leaderboard wants all nine"):
        write_submission(tmp_path / "a.zip", predictions, nine[:-1])
    del predictions["lidirus"]
    with pytest.raises(ValueError, match=r"LiDiRus: no predictions"):
        write_submission(tmp_path / "a.zip", predictions, nine)
    assert os.listdir(tmp_path) == []


def test_what_can_not_be_put_in_place_leaves_nothing_behind(tmp_path, nine, predictions):
    (tmp_path / "a.zip").mkdir()
    with pytest.raises(OSError):
        write_submission(tmp_path / "a.zip", predictions, nine)
    assert os.listdir(tmp_path) == ["a.zip"]


def test_the_table_of_sizes_stands_beside_the_decks(tasks):
    table = task_statistics(tasks.values())
    assert list(table.index) == [SPECS[name].title for name in TASKS]
    assert table.loc["LiDiRus", "samples"] == "0/0/500"
    assert table.loc["MuSeRC", "samples"] == "100/20/40"  # passages
    assert table.loc["RuCoS", "deck samples"] == "72193/4370/4147"
    assert table.loc["RUSSE", "deck sentences"] == 90_862
    assert table.loc["RuCoS", "deck tokens"] == 12_000_000
    assert table["deck sentences"].notna().sum() == 9
    assert (table["tokens"] > table["sentences"]).all() and (table["sentences"] > 0).all()


def test_a_text_that_stands_in_many_rows_is_counted_once():
    def row(question: int, answer: int) -> dict:
        return {
            "idx": {"paragraph": 0, "question": question, "answer": answer},
            "paragraph": "(1) Кот спит. (2) Он сыт.",
            "question": "Что делает кот?",
            "answer": "Спит.",
            "label": 1,
        }

    split = Dataset.from_list([row(0, 0), row(0, 1), row(1, 0)])
    task = Task(**{**vars(load_task("muserc")), "data": DatasetDict(train=split)})
    (counted,) = task_statistics([task]).to_dict("records")
    assert counted["samples"] == "1/0/0"
    assert counted["sentences"] == 2 + 2 * 1 + 3 * 1
    assert counted["tokens"] == 12 + 2 * 4 + 3 * 2


@pytest.mark.parametrize(
    ("text", "sentences", "tokens"),
    [
        ("Кот спит.", 1, 3),
        ("Кот спит", 1, 2),
        ("Что?! Нет… «Да».", 3, 9),
        ("Цена 2.5 рубля.\nДорого!", 2, 8),
        ("— Кто там?", 1, 4),
        ("...", 0, 3),
    ],
)
def test_sentences_and_tokens_by_hand(text, sentences, tokens):
    assert (count_sentences(text), count_tokens(text)) == (sentences, tokens)
