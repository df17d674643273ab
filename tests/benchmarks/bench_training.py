"""Training: `pretrain.make_trainer` as configured beside a plain `Trainer`, on the default model's shape.

Same initial weights, text, order, tokens a step, optimiser, learning rates. For the rest the peer keeps the
library's defaults: float32, default attention, no compiled graph. What compiling costs falls into the first
steps, which neither side's time contains; the sides take turns, so that other work falls on both.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from pathlib import Path

GOAL = 1.5
WARM_UP_STEPS, TIMED_STEPS = 3, 10
TOLERANCE = 2e-3  # nats: bfloat16 products against float32 after all steps; measured 3e-5
CONF = Path(__file__).parents[2] / "course_lib" / "conf"


def training_blocks(n_blocks: int, n_positions: int):
    """Returns the first blocks of the pretraining text, and the tokenizer's size."""
    from course_lib.models import load_lm
    from course_lib.pretrain import blocks
    from course_lib.world.documents import pretraining_text

    _, tokenizer = load_lm("tiny", weights="random", device="cpu")
    text = pretraining_text(5 * n_blocks * n_positions)  # a token has about three characters
    return blocks(text, tokenizer, n_positions).select(range(n_blocks)), len(tokenizer)


def timed(trainer) -> tuple[list[float], float]:
    """Trains; returns the seconds of each timed step, and the loss of the last."""
    from transformers import PrinterCallback, TrainerCallback

    ends = []

    class Clock(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            ends.append(time.perf_counter())

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Clock())
    trainer.train()
    seconds = [after - before for before, after in itertools.pairwise(ends)]
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return seconds[WARM_UP_STEPS - 1 :], losses[-1]


def run(rounds: int = 2) -> list[dict]:
    """Times both sides in turns.

    Args:
        rounds: trainings of each side; their timed steps are pooled.

    Returns:
        One row: name, ours and peer (tokens/s), ratio, goal, equal (the last losses agree within
        `TOLERANCE`), share of the matrix-product ceiling of the arithmetic that ours uses.
    """
    import torch
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf
    from transformers import Trainer, TrainingArguments, default_data_collator

    from course_lib.muon import muon_with_adamw
    from course_lib.pretrain import make_trainer, new_model
    from course_lib.sizes import training_flops
    from tests.benchmarks.ceilings import matmul_ceiling

    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("pretrain", ["size=8m", "folder=unused"])
    size, configured = config.size, OmegaConf.to_container(config.training, resolve=True)
    steps, blocks_a_step = WARM_UP_STEPS + TIMED_STEPS, configured["per_device_train_batch_size"]
    train, vocab_size = training_blocks(steps * blocks_a_step, size.n_positions)
    both = {
        "max_steps": steps,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }
    recipe = ("learning_rate", "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps", "weight_decay")
    same = {key: configured[key] for key in (*recipe, "adam_beta2", "seed")}

    def ours(folder: str):
        return make_trainer(new_model(size, vocab_size), train, None, folder, **{**configured, **both})

    def peer(folder: str):
        plain = {"train_sampling_strategy": "sequential", "use_cpu": not torch.cuda.is_available()}
        args = TrainingArguments(folder, per_device_train_batch_size=blocks_a_step, **plain, **same, **both)
        model = new_model(size, vocab_size)
        optimizer = muon_with_adamw(model, args.learning_rate, args.weight_decay, args.adam_beta2)
        return Trainer(model, args, default_data_collator, train_dataset=train, optimizers=(optimizer, None))

    seconds, last_loss = {"ours": [], "peer": []}, {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            for side, make in (("peer", peer), ("ours", ours)):
                trainer = make(folder)
                args = trainer.args
                blocks = args.train_batch_size * args.gradient_accumulation_steps
                assert blocks == blocks_a_step, f"{side} takes {blocks} blocks a step, not {blocks_a_step}"
                more, last_loss[side] = timed(trainer)
                seconds[side] += more
    tokens = blocks_a_step * size.n_positions
    rate = {side: tokens / statistics.median(values) for side, values in seconds.items()}
    # a token looks at half of the window on average; `args` are those of ours, the last
    flops = training_flops(size.n_layer, size.n_embd, size.n_positions // 2, vocab_size)
    gflops = matmul_ceiling(dtype=torch.bfloat16 if args.bf16 else torch.float32)
    return [
        {
            "name": "training, shape of tiny, against a plain Trainer",
            **rate,
            "unit": "tokens/s",
            "ratio": rate["ours"] / rate["peer"],
            "goal": GOAL,
            "equal": abs(last_loss["ours"] - last_loss["peer"]) < TOLERANCE,
            "last_losses": last_loss,
            "gflops_ceiling": gflops,
            "of_matmul_ceiling": flops * rate["ours"] / 1e9 / gflops,
        }
    ]
