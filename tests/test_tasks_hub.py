"""The Hub's parquet branch, as a local copy in its layout: faults put right, columns ours; and offline."""

from __future__ import annotations

from pathlib import Path

import datasets
import huggingface_hub.constants
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from course_lib.tasks import TASKS, load_task
from course_lib.tasks.hub import load_hub
from course_lib.tasks.repairs import trimmed
from course_lib.tasks.specs import SPECS
from course_lib.world import labelled

NAMED = [name for name in TASKS if SPECS[name].hub]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Tables are prepared in a folder of the test's own."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def publish(folder: Path, name: str, split: str, rows: Dataset) -> None:
    """Write a split as the Hub's parquet branch has it: under their column names, in two files."""
    hub = SPECS[name].hub
    rows = rows.rename_columns(
        {ours: theirs for ours, theirs in hub.renamed.items() if ours in rows.column_names}
    )
    path = folder / hub.config / split
    path.mkdir(parents=True)
    half = len(rows) // 2
    rows.select(range(half)).to_parquet(path / "0000.parquet")
    rows.select(range(half, len(rows))).to_parquet(path / "0001.parquet")


def theirs(name: str, rows: Dataset) -> Dataset:
    """Turn bundled rows into what the Hub has: its faults, its extra columns, its types."""
    rows = rows.select(range(10))
    if name == "russe":
        return rows.map(lambda row: {"end1": row["end1"] + 1, "end2": row["end2"] - 1})
    if name == "rucos":
        return rows.map(lambda row: {"entities": sorted(entity + "," for entity in row["entities"])})
    if name == "tweets":
        texts, names = rows["text"], rows.features["label"].names
        labels = [names[label] for label in rows["label"]]
        return Dataset.from_dict(
            {"text": [*texts, "Сегодня вторник"], "label": [*labels, "neutral"], "id": list(range(11))}
        )
    if name == "qa":
        answers = [{"text": [answer, "ещё ответ"], "answer_start": [0, 1]} for answer in rows["answer"]]
        return rows.remove_columns("answer").add_column("answers", answers).add_column("id", list(range(10)))
    return rows.add_column("url", ["https://example.org"] * 10)


@pytest.mark.parametrize("name", NAMED)
def test_the_hubs_tables_become_the_bundled_rows_columns_and_types(tmp_path, name):
    bundled = labelled(name)
    for split, rows in bundled.items():
        publish(tmp_path, name, split, theirs(name, rows))
    loaded = load_hub(name, tmp_path)
    assert list(loaded) == list(bundled)
    for split, rows in loaded.items():
        assert rows.features == bundled[split].features
        wanted = list(bundled[split].select(range(10)))
        if name == "rucos":
            wanted = [row | {"entities": sorted(row["entities"])} for row in wanted]
        assert list(rows) == wanted


def test_splits_that_the_set_lacks_are_not_made_up_and_val_is_validation(tmp_path):
    rows = labelled("detox")
    publish(tmp_path, "detox", "train", rows["train"].select(range(6)))
    publish(tmp_path, "detox", "val", rows["validation"].select(range(4)))
    assert {split: len(part) for split, part in load_hub("detox", tmp_path).items()} == {
        "train": 6,
        "validation": 4,
    }


def test_hidden_labels_stay_minus_one(tmp_path):
    rows = labelled("terra")["test"].select(range(4)).map(lambda row: {"label": -1})
    publish(tmp_path, "terra", "test", rows)
    assert list(load_hub("terra", tmp_path)["test"]["label"]) == [-1] * 4


def test_a_set_that_has_changed_its_columns_names_them(tmp_path):
    publish(tmp_path, "titles", "train", Dataset.from_dict({"text": ["а", "б"], "headline": ["в", "г"]}))
    with pytest.raises(ValueError, match=r"'reciTAL/mlsum' has no column title, only text, headline"):
        load_hub("titles", tmp_path)


def test_classes_in_another_order_are_refused(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["positive", "negative"])})
    rows = Dataset.from_dict({"text": ["Ура!", "Увы."], "label": [0, 1]}, features=features)
    publish(tmp_path, "tweets", "train", rows)
    with pytest.raises(ValueError, match=r"has the classes positive, negative, not negative, positive"):
        load_hub("tweets", tmp_path)


def test_entities_lose_the_one_character_too_many():
    assert trimmed(["Абхазии ", "DW.", "ОПЕК+", "Россия", "Абхазии,"]) == ["DW", "Абхазии", "ОПЕК", "Россия"]


def test_offline_says_which_set_and_what_works():
    with pytest.raises(
        ValueError, match=r"'RussianNLP/russian_super_glue' \(terra\).*out of reach.*source='world'"
    ):
        load_task("terra", "hub")


def test_what_is_in_the_local_cache_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "datasets--RussianNLP--russian_super_glue"
    for split, rows in labelled("terra").items():
        publish(repository / "snapshots" / "0123abc", "terra", split, rows)
    (repository / "refs" / "refs" / "convert").mkdir(parents=True)
    (repository / "refs" / "refs" / "convert" / "parquet").write_text("0123abc")
    loaded, bundled = load_task("terra", "hub").data, load_task("terra").data
    assert all(list(loaded[split]) == list(bundled[split]) for split in bundled)
    with pytest.raises(ValueError, match=r"\(rcb\) is not in the local cache, and the Hub is out of reach"):
        load_task("rcb", "hub")


def test_a_task_without_a_set_says_so():
    with pytest.raises(ValueError, match=r"No data set on the Hub is known for 'proverbs'"):
        load_task("proverbs", "hub")


def test_a_folder_without_the_set_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no parquet files in terra/<split>/"):
        load_hub("terra", tmp_path)
