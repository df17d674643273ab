"""Tuning: gradient descent on whatever is trainable, with the library's Trainer around it.

Slide "CPT: Idea": "Gradient descent for training task instructions". The same loop trains a prompt, a model,
or anything that `methods` makes of one; only what is trained is saved.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback, TrainingArguments
from transformers.trainer_pt_utils import LengthGroupedSampler

from course_lib.checkpointing import WholeCheckpoints, last_checkpoint, newest_checkpoint
from course_lib.prompts.loss import collate, label_word_loss, language_model_loss
from course_lib.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Example = tuple[list[int], list[int]]  # ids and labels
DEFAULTS = {
    "report_to": "none",
    "optim": "adamw_torch",
    "lr_scheduler_type": "linear",
    "warmup_steps": 0.1,  # a part of all steps
    "max_grad_norm": 1.0,
    "per_device_train_batch_size": 16,
    "per_device_eval_batch_size": 32,
    "train_sampling_strategy": "group_by_length",
    "remove_unused_columns": False,
    "logging_steps": 10,
    "logging_nan_inf_filter": False,  # a loss that is no number must be seen
    "disable_tqdm": True,
    "seed": 1,
    "save_total_limit": 2,
    "metric_for_best_model": "eval_loss",
    "greater_is_better": False,
}


class Tuned(nn.Module):
    """What is trained, beside a model that is not: only the former is in its parameters and its state.

    Args:
        trained: a prompt, or the model itself.
        model: the model that reads, with the prompt attached.
        n_labels: None for the loss of a language model on the target; a number for the cross-entropy over so
            many label words (see `label_word_loss`).
    """

    _keys_to_ignore_on_save: list[str] | None = None  # the Trainer asks for it

    def __init__(self, trained: nn.Module, model: PreTrainedModel, n_labels: int | None = None) -> None:
        super().__init__()
        self.trained, self.n_labels = trained, n_labels
        self.beside = (model,)  # in a tuple, so that it is no part of this module

    def forward(self, input_ids: Tensor, labels: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        batch = {"input_ids": input_ids, "labels": labels, "attention_mask": attention_mask}
        [model] = self.beside
        if self.n_labels:
            return {"loss": label_word_loss(model, batch, self.n_labels)}
        return {"loss": language_model_loss(model, batch)}

    def state_dict(self, *args: Any, **options: Any) -> dict[str, Tensor]:
        """Return what is trained and nothing else, tied weights once."""
        once = dict(self.named_parameters())
        parameters = dict(self.named_parameters(remove_duplicate=False))
        gone = {name for name, p in parameters.items() if not p.requires_grad or name not in once}
        state = super().state_dict(*args, **options)
        return {name: tensor for name, tensor in state.items() if name not in gone}


class GroupedByLength(LengthGroupedSampler):
    """The library's sampler, whose order follows from the seed and the epoch: a resumed run goes on in it."""

    def __init__(self, *args: Any, seed: int, **options: Any) -> None:
        super().__init__(*args, **options)
        self.seed = seed

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer before each epoch."""
        self.generator = torch.Generator().manual_seed(1000 * self.seed + epoch)


class Tuner(WholeCheckpoints):
    """A Trainer whose batches are of like lengths, and the same after a kill."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if self.args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps
        return GroupedByLength(batch, train_dataset or self.train_dataset, seed=self.args.seed)


class StopAtNaN(TrainerCallback):
    """Ends a run whose loss is no number any more."""

    reason = ""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict | None = None, **_: Any) -> None:
        for name in ("loss", "eval_loss"):
            if not self.reason and not math.isfinite((logs or {}).get(name, 0.0)):
                self.reason = (
                    f"At step {state.global_step} the {name} is {logs[name]}: lower the learning rate."
                )
                control.should_training_stop = True


@dataclass
class History:
    """What a run has logged.

    Attributes:
        steps, losses: training loss, a mean over `logging_steps`, in nats a target token.
        eval_steps, eval_losses: held-out loss.
        best_step: where the best held-out loss was, None without held-out examples.
        seconds: how long it took.
    """

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    eval_steps: list[int] = field(default_factory=list)
    eval_losses: list[float] = field(default_factory=list)
    best_step: int | None = None
    seconds: float = 0.0


def tune(
    trained: nn.Module,
    model: PreTrainedModel,
    train: Sequence[Example],
    validation: Sequence[Example] = (),
    folder: str | Path | None = None,
    *,
    pad_id: int = 0,
    n_labels: int | None = None,
    patience: int | None = None,
    resume: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    **arguments: Any,
) -> History:
    """Train a prompt (or a model, or a part of it) on encoded examples.

    Args:
        trained: the module whose parameters are trained: a prompt that is attached to the model, or the
            model.
        model: reads the examples; what is not part of `trained` gets no gradient.
        train: ids and labels of each example; for the loss over label words see `label_word_loss`.
        validation: likewise; with it, the state of the best held-out loss is taken back at the end.
        folder: for checkpoints; None takes one that is deleted at the end.
        pad_id: any word's id.
        n_labels: see `Tuned`.
        patience: evaluations without progress after which the run ends early.
        resume: go on from the last checkpoint in the folder.
        callbacks: of the Trainer.
        **arguments: `transformers.TrainingArguments`, over `DEFAULTS`.

    Returns:
        The losses; `trained` itself has changed.

    Raises:
        ValueError: no examples, an unknown argument, no folder to resume from, a folder of another run, a
            damaged checkpoint, or a loss that is no number.
    """
    if folder is None:
        if resume:
            raise ValueError("A run is resumed from the folder of its checkpoints: name it.")
        with tempfile.TemporaryDirectory() as folder:
            options = {"pad_id": pad_id, "n_labels": n_labels, "patience": patience, "callbacks": callbacks}
            return tune(trained, model, train, validation, folder, **options, **arguments)
    if not resume and newest_checkpoint(folder):
        raise ValueError(f"'{folder}' holds another run's checkpoints: resume it, or name a new folder.")
    if not len(train):
        raise ValueError("There are no examples to train on.")
    if any(arguments.get(name) for name in ("gradient_checkpointing", "activation_checkpointing")):
        raise ValueError(
            "The model is not the Trainer's here: call model.gradient_checkpointing_enable() and "
            "model.train(), and leave the argument out."
        )
    unknown = set(arguments) - {known.name for known in fields(TrainingArguments)}
    if unknown:
        raise ValueError(f"TrainingArguments know no {', '.join(sorted(unknown))}: see the library's list.")
    settings = {**DEFAULTS, "use_cpu": model.device.type == "cpu", **arguments}
    if len(validation):
        settings = {"eval_strategy": "steps", "eval_steps": 50, "load_best_model_at_end": True, **settings}
        settings = {"save_steps": settings["eval_steps"], **settings}
    else:
        settings = {"save_strategy": "no", "eval_strategy": "no", **settings}
    frozen = {parameter: parameter.requires_grad for parameter in model.parameters()}
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for parameter in trained.parameters():
        parameter.requires_grad_(frozen.get(parameter, True))
    no_number = StopAtNaN()
    trainer = Tuner(
        Tuned(trained, model, n_labels),
        TrainingArguments(output_dir=str(folder), **settings),
        data_collator=lambda items: collate([row for item in items for row in item["rows"]], pad_id),
        train_dataset=items(train, n_labels or 1),
        eval_dataset=items(validation, n_labels or 1) or None,
        callbacks=[no_number, *([EarlyStoppingCallback(patience)] if patience else []), *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    try:
        with quiet():  # the library misses the frozen weights in each checkpoint
            result = trainer.train(resume_from_checkpoint=last_checkpoint(folder) if resume else None)
    finally:
        for parameter, needed in frozen.items():
            parameter.requires_grad_(needed)
    if no_number.reason:
        best = trainer.state.best_global_step
        kept = f" The state of step {best}, the best so far, was taken back." if best else ""
        raise ValueError(no_number.reason + kept)
    return history(trainer, result.metrics["train_runtime"])


def items(rows: Sequence[Example], n: int) -> list[dict[str, Any]]:
    """Make one item of every n rows; the Trainer asks for `input_ids`, to put like lengths together."""
    groups = [list(rows[i : i + n]) for i in range(0, len(rows), n)]
    return [{"input_ids": max((ids for ids, _ in rows), key=len), "rows": rows} for rows in groups]


def history(trainer: Tuner, seconds: float) -> History:
    """Return what a trainer has logged."""
    logs = trainer.state.log_history
    train = [(log["step"], log["loss"]) for log in logs if "loss" in log]
    held_out = [(log["step"], log["eval_loss"]) for log in logs if "eval_loss" in log]
    best = trainer.state.best_global_step
    return History(*_columns(train), *_columns(held_out), best_step=best, seconds=seconds)


def _columns(pairs: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    return [step for step, _ in pairs], [value for _, value in pairs]
