"""Checkpoints that are whole or not there: what a killed run goes on from."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from transformers import Trainer
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_callback import TrainerState
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint, rotate_checkpoints
from transformers.utils import flatten_dict

from course_lib.quiet import quiet

CHECKPOINT_FILES = (
    "model.safetensors",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state.pth",
    "trainer_state.json",
)
SETTINGS_FILE = "settings.json"  # beside the checkpoints: what their run was started with


class WholeCheckpoints(Trainer):
    """A Trainer that writes a checkpoint beside its place, then renames it: a kill leaves no half."""

    def _run_epoch(self, *args: Any, **options: Any) -> None:
        # the library asks only after a step whether it was the last: from the last one it would go on
        if self.state.global_step < self.state.max_steps:
            super()._run_epoch(*args, **options)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        folder = Path(self.args.output_dir)
        work = folder / ".writing"
        shutil.rmtree(work, ignore_errors=True)
        self.args.output_dir = str(work)
        try:
            super()._save_checkpoint(model, trial)
            [new] = work.iterdir()
            if self.state.best_global_step:  # where it will be, not where it is being written
                best = folder / f"{PREFIX_CHECKPOINT_DIR}-{self.state.best_global_step}"
                self.state.best_model_checkpoint = str(best)
                self.state.save_to_json(str(new / TRAINER_STATE_NAME))
            shutil.rmtree(folder / new.name, ignore_errors=True)  # of a run that was started anew
            new.replace(folder / new.name)
        except (OSError, RuntimeError, SafetensorError) as error:
            raise OSError(
                f"Cannot write the checkpoint of step {self.state.global_step} to '{folder}' (is the disk "
                f"full?); the ones before it are whole: make room and start the same command again."
            ) from error
        finally:
            self.args.output_dir = str(folder)
            shutil.rmtree(work, ignore_errors=True)
        best = self.state.best_model_checkpoint
        with quiet():  # some file systems' times are coarse, which it tells at every step
            rotate_checkpoints(str(folder), self.args.save_total_limit, best, use_mtime=True)


def newest_checkpoint(folder: str | Path) -> str | None:
    """Return the newest checkpoint of a run, whole or not; None where there is none, or no folder."""
    return get_last_checkpoint(str(folder)) if Path(folder).is_dir() else None


def step_of(checkpoint: str | Path) -> int:
    """Return how many steps were taken when a checkpoint was written."""
    state = TrainerState.load_from_json(str(Path(checkpoint) / TRAINER_STATE_NAME))
    return state.global_step


def check_settings(folder: str | Path, there: dict[str, Any] | None, asked: dict[str, Any]) -> None:
    """Make sure that the run in a folder has the settings asked for: to go on with it would mix the two.

    Args:
        folder: where the run keeps its checkpoints.
        there: the settings of that run, None where they are not known.
        asked: the settings to go on with.

    Raises:
        ValueError: they are not the same; it names each that differs, and what to do.
    """
    if there is None:
        what = f"'{folder}' has a run of unknown settings, for it has no {SETTINGS_FILE}"
    else:
        there, asked = flatten_dict(there), flatten_dict(asked)
        other = [key for key in {**there, **asked} if there.get(key) != asked.get(key)]
        if not other:
            return
        pairs = ", ".join(f"{key} is {there.get(key)} there and {asked.get(key)} here" for key in other)
        what = f"'{folder}' has a run with other settings ({pairs})"
    raise ValueError(f"{what}: choose another folder, or delete this one.")


def last_checkpoint(folder: str | Path) -> str | None:
    """Return the newest checkpoint of a run that is whole, or None.

    Args:
        folder: where the run keeps its checkpoints.

    Returns:
        The path to resume from, or None for a fresh start.

    Raises:
        ValueError: if the newest checkpoint is damaged; it names the file and what to do.
    """
    newest = newest_checkpoint(folder)
    if newest is None:
        return None
    for name in CHECKPOINT_FILES:
        path = Path(newest) / name
        try:
            if path.suffix == ".safetensors":
                with safe_open(path, framework="np") as weights:
                    weights.keys()
            elif path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            else:  # torch.save writes zip archives with a checksum for each tensor
                with zipfile.ZipFile(path) as archive:
                    if broken := archive.testzip():
                        raise zipfile.BadZipFile(broken)
        except (OSError, SafetensorError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"Cannot resume: {name} in {newest} is damaged ({type(error).__name__}). Delete that folder "
                f"to go on from the checkpoint before it, or pass resume=false to start anew."
            ) from error
    return newest
