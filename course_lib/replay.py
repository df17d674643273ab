"""Train the first steps of a logged pretraining run again, live: the same text, order, seed and schedule."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast


@contextmanager
def silent_datasets() -> Iterator[None]:
    """Keep `datasets` from drawing its own progress bars for a while."""
    import datasets

    talked = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if talked:
            datasets.enable_progress_bars()


def training_losses(log: dict[str, Any], steps: int | None = None) -> tuple[list[int], list[float]]:
    """Read the training curve of a log.

    Args:
        log: a `training_log.json` of `course_lib.pretrain`.
        steps: leave out what comes after this step; None keeps all.

    Returns:
        Steps, and the mean loss since the entry before, in nats a token.
    """
    entries = [
        entry for entry in log["history"] if "loss" in entry and entry["step"] <= (steps or entry["step"])
    ]
    return [entry["step"] for entry in entries], [float(entry["loss"]) for entry in entries]


def replay(
    log: dict[str, Any], tokenizer: PreTrainedTokenizerFast, steps: int
) -> tuple[GPT2LMHeadModel, dict[str, Any]]:
    """Run the first steps of a logged run again with the very functions that made it.

    Only the arithmetic may differ (another processor, no compiled graph), so the losses agree up to rounding.

    Args:
        log: a `training_log.json` of `course_lib.pretrain`.
        tokenizer: the run's tokenizer.
        steps: optimisation steps to take; the learning rate follows the whole run's schedule.

    Returns:
        The model as far as it has come, and a log of the same shape whose history ends at `steps`.

    Raises:
        ValueError: the logged run is shorter than that.
    """
    from omegaconf import OmegaConf
    from tqdm.auto import tqdm
    from transformers import PrinterCallback, TrainerCallback

    from course_lib.pretrain import blocks, make_trainer, new_model
    from course_lib.quiet import quiet
    from course_lib.world.documents import pretraining_text

    whole = max(entry["step"] for entry in log["history"])
    if not 0 < steps <= whole:
        raise ValueError(f"steps={steps}: the logged run has {whole} steps, so ask for 1 to {whole}.")
    size = OmegaConf.create(log["size"])
    needed = steps * log["tokens_a_step"] / size.n_positions  # blocks
    characters = log["characters"] / log["unique_tokens"] * needed * size.n_positions
    arguments = {
        **log["training"],
        "max_steps": whole,  # the schedule is that of the whole run; the callback stops it early
        "torch_compile": False,  # compiling takes longer than it saves here
        "save_strategy": "no",
        "disable_tqdm": True,  # its bar is text; ours is a widget where there are widgets
    }

    class Stop(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            bar.update()
            control.should_training_stop = state.global_step >= steps

    with (
        quiet(),
        silent_datasets(),
        tempfile.TemporaryDirectory() as folder,
        tqdm(total=steps, unit="step") as bar,
    ):
        text = pretraining_text(
            min(log["data"]["characters"], int(1.1 * characters) + 20_000), log["data"]["seed"]
        )
        train = blocks(text, tokenizer, size.n_positions)
        model = new_model(size, len(tokenizer), arguments["seed"])
        trainer = make_trainer(model, train, None, folder, **arguments)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(Stop())
        trainer.train()
        model = trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    return model.eval(), {**log, "history": trainer.state.log_history}
