"""The official files, oddities and all, become what the bundled data is; damage is named by file and line."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from course_lib.tasks import RUSSIAN_SUPER_GLUE, load_task
from course_lib.tasks.repairs import repaired, word_end
from course_lib.tasks.specs import SPECS
from course_lib.world import labelled

FILES = {"train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl"}
NAMES = {
    "rcb": ("entailment", "contradiction", "neutral"),
    "terra": ("entailment", "not_entailment"),
    "lidirus": ("entailment", "not_entailment"),
}
TERRA = {"premise": "Кот спит.", "hypothesis": "Кот не ест.", "label": "entailment", "idx": 0}
Row = dict[str, Any]


def small(name: str) -> dict[str, list[Row]]:
    """The first rows of every split of the bundled task; MuSeRC's are whole passages."""
    return {split: list(rows.select(range(33))) for split, rows in labelled(name).items()}


def official_label(name: str, label: int, i: int) -> bool | int | str:
    """A label as the files write it: booleans also as strings."""
    if name in ("parus", "muserc"):
        return label
    if name in ("russe", "danetqa", "rwsd"):
        spelled = str(bool(label)) if name == "rwsd" else str(bool(label)).lower()
        return bool(label) if i % 2 else spelled
    return NAMES[name][label]


def official(name: str, split: str, rows: list[Row]) -> list[Row]:
    """The lines of a file that stand for these rows."""
    hidden = split == "test" and name != "lidirus"
    lines = []
    if name == "muserc":
        passages: dict[int, Row] = {}
        for row in rows:
            idx = row["idx"]
            passage = passages.setdefault(
                idx["paragraph"],
                {"idx": idx["paragraph"], "passage": {"text": row["paragraph"], "questions": []}},
            )
            questions = passage["passage"]["questions"]
            if not questions or questions[-1]["idx"] != idx["question"]:
                questions.append({"idx": idx["question"], "question": row["question"], "answers": []})
            answer = {"idx": idx["answer"], "text": row["answer"]}
            questions[-1]["answers"].append(answer | ({} if hidden else {"label": row["label"]}))
        return list(passages.values())
    for i, row in enumerate(rows):
        line = {column: value for column, value in row.items() if column != "label"}
        if name == "rucos":
            places = [(row["passage"].index(entity), len(entity)) for entity in row["entities"]]
            answers = [{"text": answer, "start": 0, "end": 1} for answer in row["answers"]]
            line = {
                "idx": row["idx"]["passage"],
                "passage": {
                    "text": row["passage"],
                    "entities": [{"start": start, "end": start + length} for start, length in places],
                },
                "qas": [
                    {"idx": row["idx"]["query"], "query": row["query"]}
                    | ({} if hidden else {"answers": answers})
                ],
            }
        elif name == "rwsd":
            spans = ("span1_text", "span1_index", "span2_text", "span2_index")
            line = {"idx": row["idx"], "text": row["text"], "target": {span: row[span] for span in spans}}
        elif name == "lidirus":
            line = {column: value for column, value in line.items() if value != ""} | {"idx": str(row["idx"])}
        elif name == "russe":
            for end in ("end1", "end2"):
                line[end] += -1 if hidden else 1
            if hidden:
                del line["gold_sense1"], line["gold_sense2"]
        if not hidden and name != "rucos":
            line["label"] = official_label(name, row["label"], i)
        lines.append(line)
    return lines


def write(path: Path, lines: list[Row], seed: int = 0) -> None:
    """Write a file with a byte order mark, keys in chance order, and without a last newline."""
    rng = random.Random(seed)
    shuffled = [dict(rng.sample(list(line.items()), len(line))) for line in lines]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(json.dumps(line, ensure_ascii=bool(i % 2)) for i, line in enumerate(shuffled))
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())


def write_task(folder: Path, name: str, splits: dict[str, list[Row]]) -> Path:
    for split, rows in splits.items():
        file = "LiDiRus.jsonl" if name == "lidirus" else FILES[split]
        write(folder / SPECS[name].title / file, official(name, split, rows))
    return folder


def terra(folder: Path, *lines: bytes | Row, split: str = "train") -> Path:
    """A folder with TERRa, one of whose files has these lines."""
    write_task(folder, "terra", small("terra"))
    raw = [
        line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines
    ]
    (folder / "TERRa" / FILES[split]).write_bytes(b"\n".join(raw) + b"\n")
    return folder


@pytest.mark.parametrize("name", RUSSIAN_SUPER_GLUE)
def test_the_files_become_the_bundled_rows_columns_and_types(tmp_path, name):
    wanted = small(name)
    task = load_task(name, write_task(tmp_path, name, wanted))
    bundled = load_task(name)
    assert list(task.data) == list(bundled.data)
    for split, rows in wanted.items():
        assert task.data[split].features == bundled.data[split].features
        for row in rows:
            if split == "test" and name != "lidirus":  # what the test files keep secret
                secrets = {"label": -1, "gold_sense1": -1, "gold_sense2": -1, "answers": []}
                row |= {column: secret for column, secret in secrets.items() if column in row}
            if "entities" in row:
                row["entities"] = sorted(row["entities"])
        assert list(task.data[split]) == rows


def test_the_folder_of_the_task_itself_is_taken_too(tmp_path):
    write_task(tmp_path, "terra", small("terra"))
    assert len(load_task("terra", tmp_path / "TERRa").data["train"]) == 33
    assert len(load_task("terra", str(tmp_path)).data["test"]) == 33


def test_quotes_line_separators_and_highlights_inside_a_text_stay_as_they_are(tmp_path):
    premise = 'Книга ""Убежище"" вышла.\u2028@highlight\nДвое\tчитали «её».'
    task = load_task("terra", terra(tmp_path, TERRA | {"premise": premise}))
    assert task.data["train"]["premise"][0] == premise


def test_marks_of_byte_order_empty_lines_and_windows_newlines_are_passed_over(tmp_path):
    line = json.dumps(TERRA).encode()
    task = load_task(
        "terra", terra(tmp_path, b"\xef\xbb\xbf" + line + b"\r", b"", b"  ", b"\xef\xbb\xbf" + line)
    )
    assert len(task.data["train"]) == 2


def test_rcb_may_lack_verb_and_negation(tmp_path):
    splits = small("rcb")
    write_task(tmp_path, "rcb", splits)
    lines = official("rcb", "train", splits["train"])
    for line in lines:
        del line["verb"]
        line["negation"] = None
    write(tmp_path / "RCB" / "train.jsonl", lines)
    train = load_task("rcb", tmp_path).data["train"]
    assert set(train["verb"]) == set(train["negation"]) == {""}


def test_a_wrong_index_of_rwsd_is_put_right_and_an_inflected_span_keeps_its_own(tmp_path):
    splits = small("rwsd")
    write_task(tmp_path, "rwsd", splits)
    target = {"span1_text": "Мама", "span1_index": 1, "span2_text": "она пела", "span2_index": 1}
    line = {"idx": 0, "text": "Я видел маму, когда «она пела».", "target": target, "label": "True"}
    twice = {"span1_text": "Она", "span1_index": 1, "span2_text": "она", "span2_index": 7}
    lines = [line, line | {"text": "Она пела, когда он ушёл, и она плакала.", "target": twice}]
    write(tmp_path / "RWSD" / "val.jsonl", lines)
    rows = load_task("rwsd", tmp_path).data["validation"]
    assert [(row["span1_index"], row["span2_index"]) for row in rows] == [(1, 4), (0, 6)]


@pytest.mark.parametrize("name", ["russe", "rwsd"])
def test_repairs_leave_sound_data_alone(name):
    for split in labelled(name).values():
        for row in split:
            assert repaired(name, row) == row


@given(
    st.text("абвгд", min_size=1),
    st.sampled_from(["", " ", ".", ", а", "-то"]),
    st.sampled_from([-1, 0, 1]),
)
def test_a_word_of_russe_is_cut_out_whole(word, rest, shift):
    sentence = f"Вот {word}{rest}"
    assert word_end(sentence, 4, max(5, 4 + len(word) + shift)) == 4 + len(word)


def test_rucos_entities_end_where_the_file_says_and_each_is_there_once(tmp_path):
    write_task(tmp_path, "rucos", small("rucos"))
    text = "Пётр и Ева. Пётр ушёл"
    spans = [
        {"start": 12, "end": 16},
        {"start": 0, "end": 4},
        {"start": 7, "end": 10},
        {"start": 17, "end": 21},
    ]
    line = {
        "idx": 7,
        "passage": {"text": text, "entities": spans},
        "qas": [
            {"idx": 8, "query": "@placeholder ушёл.", "answers": [{"text": "Пётр"}, {"text": "Пётр"}]},
            {"idx": 9, "query": "@placeholder дома.", "answers": [{"text": "Ева"}]},
        ],
    }
    write(tmp_path / "RuCoS" / "train.jsonl", [line])
    first, second = load_task("rucos", tmp_path).data["train"]
    assert first["entities"] == ["Ева", "Пётр", "ушёл"] and first["answers"] == ["Пётр"]
    assert first["idx"] == {"passage": 7, "query": 8} and second["idx"] == {"passage": 7, "query": 9}


def test_a_line_that_is_not_json_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"train\.jsonl, line 2 is not JSON"):
        load_task("terra", terra(tmp_path, TERRA, b'{"premise": "\xd0\x9a\xd0\xbe'))


@pytest.mark.parametrize(
    "whole_file",
    [json.dumps(TERRA, indent=1).encode(), str(TERRA).encode(), b"<html>404</html>", b"[" * 100_000],
    ids=["over several lines", "single quotes", "an error page", "endless nesting"],
)
def test_a_file_that_is_not_json_lines_is_named(tmp_path, whole_file):
    with pytest.raises(ValueError, match=r"train\.jsonl, line 1 is not JSON"):
        load_task("terra", terra(tmp_path, whole_file))


def test_an_emoji_is_kept_and_half_of_one_is_named(tmp_path):
    folder = terra(tmp_path, TERRA | {"premise": "Кот 👍🏽 спит."})
    assert load_task("terra", folder).data["train"]["premise"][0] == "Кот 👍🏽 спит."
    with pytest.raises(ValueError, match=r"train\.jsonl, line 1: 'utf-8' codec can't encode"):
        load_task("terra", terra(tmp_path, json.dumps(TERRA | {"premise": "Кот \ud83d"}).encode()))


def test_a_line_that_is_no_object_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"val\.jsonl, line 1 is not a JSON object"):
        load_task("terra", terra(tmp_path, b"[1, 2]", split="validation"))


def test_a_file_in_cp1251_is_named_and_how_to_convert_it(tmp_path):
    line = json.dumps(TERRA, ensure_ascii=False)
    with pytest.raises(
        ValueError, match=r"train\.jsonl, line 2 is not UTF-8.*iconv -f cp1251 -t utf-8 train"
    ):
        load_task("terra", terra(tmp_path, TERRA, line.encode("cp1251")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "yes"}, r"line 2: the label 'yes' is none of entailment, not_entailment"),
        ({"label": None}, r"line 2: the field 'label' is missing"),
        ({"premise": None}, r"line 2: the field 'premise' is missing"),
        ({"premise": 5}, r"line 2: the field 'premise' must be a text, and is 5"),
        ({"idx": "first"}, r"line 2: .*'first'"),
        ({"idx": [1]}, r"line 2: a field is not of the type that TERRa has there"),
        ({"idx": float("inf")}, r"line 2: a field is not of the type that TERRa has there"),
        ({"label": " "}, r"line 2: the label ' ' is none of entailment, not_entailment"),
        ({"label": -1}, r"line 2: the label -1 is none of entailment, not_entailment"),
    ],
)
def test_a_wrong_field_is_named_by_file_and_line(tmp_path, change, message):
    with pytest.raises(ValueError, match=r"train\.jsonl, " + message):
        load_task("terra", terra(tmp_path, TERRA, TERRA | change))


@pytest.mark.parametrize(
    ("name", "label", "known"),
    [
        ("parus", "choice1", "0, 1"),
        ("russe", 2, "false, true"),
        ("rcb", "maybe", "entailment, contradiction, neutral"),
    ],
)
def test_a_label_of_another_task_is_refused(tmp_path, name, label, known):
    splits = small(name)
    write_task(tmp_path, name, splits)
    lines = official(name, "validation", splits["validation"])
    lines[4]["label"] = label
    write(tmp_path / SPECS[name].title / "val.jsonl", lines)
    with pytest.raises(ValueError, match=rf"val\.jsonl, line 5: the label {label!r} is none of {known}"):
        load_task(name, tmp_path)


def test_nested_data_of_the_wrong_shape_is_named(tmp_path):
    write_task(tmp_path, "muserc", small("muserc"))
    write(tmp_path / "MuSeRC" / "train.jsonl", [{"idx": 0, "passage": "текст"}])
    with pytest.raises(ValueError, match=r"train\.jsonl, line 1: a field is not of the type that MuSeRC has"):
        load_task("muserc", tmp_path)


def test_a_missing_split_is_named(tmp_path):
    write_task(tmp_path, "terra", small("terra"))
    (tmp_path / "TERRa" / "val.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"TERRa' has no val\.jsonl"):
        load_task("terra", tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\r\n  \n"])
def test_an_empty_file_is_named(tmp_path, content):
    with pytest.raises(ValueError, match=r"test\.jsonl holds no examples"):
        load_task("terra", terra(tmp_path, content, split="test"))


def test_a_missing_folder_and_a_packed_one(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no folder TERRa: unzip TERRa\.zip there"):
        load_task("terra", tmp_path)
    (tmp_path / "TERRa.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"TERRa\.zip' is still packed"):
        load_task("terra", tmp_path / "TERRa.zip")
    with pytest.raises(FileNotFoundError, match=r"unzip TERRa\.zip there"):  # the folder with the zip
        load_task("terra", tmp_path)


def test_a_task_without_official_files_says_where_it_is(tmp_path):
    with pytest.raises(
        ValueError, match=r"'qa' is no task of Russian SuperGLUE: load it from 'world' or 'hub'"
    ):
        load_task("qa", tmp_path)


def test_the_loaded_data_is_plain_datasets(tmp_path):
    data = load_task("terra", terra(tmp_path, TERRA)).data
    assert isinstance(data["train"], Dataset) and data["train"].features["label"].int2str(0) == "entailment"
