"""The real data from the Hub's parquet branch: tables only, no code of any repository is ever run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from course_lib.hub import hub_answers
from course_lib.tasks.repairs import Row, repaired, trimmed
from course_lib.tasks.specs import SPECS, HubSet

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

PARQUET = "refs/convert/parquet"  # the branch that the Hub itself makes of every public data set
# our split → the folders that it may be in
FOLDERS = {"train": ("train",), "validation": ("validation", "val", "dev"), "test": ("test",)}


def load_hub(name: str, folder: str | Path | None = None) -> DatasetDict:
    """Load the real data of a task, from the local cache where it is there already.

    Args:
        name: one of `course_lib.tasks.TASKS`.
        folder: a copy of the repository's parquet branch; None downloads what the task needs.

    Returns:
        The splits that the set has, with the columns and types of the bundled task.

    Raises:
        ValueError: no set is known, the Hub is out of reach, or the set has changed its columns.
        FileNotFoundError: `folder` does not hold the set.
    """
    from datasets import DatasetDict, load_dataset

    hub = SPECS[name].hub
    if hub is None:
        raise ValueError(f"No data set on the Hub is known for {name!r}: load it from 'world'.")
    root = Path(folder) if folder else download(hub)
    files = {split: parquet_files(root / hub.config, split) for split in FOLDERS}
    files = {split: found for split, found in files.items() if found}
    if not files and folder:
        raise FileNotFoundError(f"The folder '{root}' has no parquet files in {hub.config}/<split>/.")
    if not files:
        raise ValueError(away(hub))
    found = load_dataset("parquet", data_files=files)
    return DatasetDict({split: to_ours(name, hub, dataset) for split, dataset in found.items()})


def download(hub: HubSet) -> Path:
    """Return the folder of the local cache with a configuration, downloaded if need be."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        return Path(
            snapshot_download(
                hub.repository,
                repo_type="dataset",
                revision=PARQUET,
                allow_patterns=f"{hub.config}/*/*.parquet",
                local_files_only=not hub_answers(),
            )
        )
    except LocalEntryNotFoundError:
        raise ValueError(away(hub)) from None
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise ValueError(
            f"The Hub no longer has '{hub.repository}' on {PARQUET}: use source='world'."
        ) from None


def away(hub: HubSet) -> str:
    """Say that a set can not be had now."""
    return (
        f"'{hub.repository}' ({hub.config}) is not in the local cache, and the Hub is out of reach: "
        "go online, or use source='world', which needs no network."
    )


def parquet_files(config: Path, split: str) -> list[str]:
    """Return the files of a split, in order."""
    return [str(file) for part in FOLDERS[split] for file in sorted(config.glob(f"{part}/*.parquet"))]


def to_ours(name: str, hub: HubSet, dataset: Dataset) -> Dataset:
    """Return a split in our columns, repaired, and without the classes that we do not have."""
    from course_lib.world.splits import TASKS

    features = TASKS[name].features()
    theirs = {column: hub.renamed.get(column, column) for column in features}
    missing = sorted(set(theirs.values()) - set(dataset.column_names))
    if missing:
        raise ValueError(
            f"'{hub.repository}' has no column {', '.join(missing)}, only {', '.join(dataset.column_names)}: "
            "it has changed, use source='world'."
        )
    names = getattr(dataset.features.get("label"), "names", None)
    if names and names != features["label"].names:  # the numbers would change their meaning
        raise ValueError(
            f"'{hub.repository}' has the classes {', '.join(names)}, not "
            f"{', '.join(features['label'].names)}: it has changed, use source='world'."
        )
    dataset = dataset.select_columns(list(theirs.values()))
    dataset = dataset.rename_columns({theirs[column]: column for column in hub.renamed})
    if name == "tweets" and not names:
        dataset = dataset.filter(lambda row: row["label"] in features["label"].names)
    if name in ("russe", "rwsd", "rucos", "qa"):
        dataset = dataset.map(lambda row: repaired_hub(name, row))
    return dataset.cast(features)


def repaired_hub(name: str, row: Row) -> Row:
    """Return a row of the Hub without its faults; of several right answers (QA) the first stays."""
    if name == "rucos":
        return row | {"entities": trimmed(row["entities"])}
    if name == "qa":
        return row | {"answer": (row["answer"]["text"] or [""])[0]}
    return repaired(name, row)
