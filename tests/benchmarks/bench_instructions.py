"""Instructions: rendering and mixing beside `datasets.map`, packed tuning beside TRL's trainer.

Both sides of the first make the same instructions, both of the second learn from the same examples at every
step.
"""

from __future__ import annotations

import copy
import itertools
import tempfile
import time

from tests.benchmarks.timing import in_turns

N_TOLD, CLUSTERS = 2_000, ("entailment", "common sense", "sentiment", "paraphrase", "style")
RENDERING_GOAL, PACKING_GOAL = 3.0, 1.5
N_STEPS, BATCH, TOLERANCE = 6, 16, 2e-3  # nats, the loss of any step


def rendering(repeats: int = 3) -> dict:
    """Times a mixture beside promptsource's way: each data set mapped, the results interleaved."""
    import jinja2
    from datasets import Dataset, disable_caching, enable_caching, interleave_datasets

    from course_lib.instructions import Mixture, counts, sources

    mixture = Mixture(sources(CLUSTERS), options=False, seed=1)
    shares = mixture.rates()
    of_each = counts(shares, N_TOLD)
    tables = {source.task: Dataset.from_list(list(source.rows)) for source in mixture.sources}
    templates = {source.task: source.templates for source in mixture.sources}
    found = {}

    def apply(template, row):
        """What promptsource's `Template.apply` does: parse, fill, split."""
        environment = jinja2.Environment(loader=jinja2.BaseLoader())
        if template.answer_choices:
            filled = environment.from_string(template.answer_choices).render(**row)
            row = {**row, "answer_choices": [choice.strip() for choice in filled.split("|||")]}
        text = environment.from_string(template.jinja).render(**row, options="")
        return [part.strip() for part in text.split("|||")]

    def ours():
        found["ours"] = [(one.instruction.prompt, one.instruction.target) for one in mixture.take(N_TOLD)]

    def peer():
        told = []
        for name, table in tables.items():
            own = templates[name]

            def tell(row, i, own=own):
                prompt, target = apply(own[i % len(own)], row)
                return {"prompt": prompt, "target": target}

            some = table.select(range(min(of_each[name], len(table))))
            told.append(some.map(tell, with_indices=True, remove_columns=table.column_names))
        mixed = interleave_datasets(told, [shares[name] for name in tables], seed=1)
        found["peer"] = [(row["prompt"], row["target"]) for row in itertools.islice(mixed, N_TOLD)]

    disable_caching()
    sides = {"peer": peer, "ours": ours}
    in_turns(sides, 1)
    median = in_turns(sides, repeats)
    enable_caching()
    one_by_one = {
        (template.render(row, options=False).prompt, template.render(row, options=False).target)
        for source in mixture.sources
        for row in source.rows[:50]
        for template in source.templates
    }
    by_peer = {
        tuple(apply(template, row))
        for source in mixture.sources
        for row in source.rows[:50]
        for template in source.templates
    }
    rate = {"ours": N_TOLD / median["ours"], "peer": len(found["peer"]) / median["peer"]}
    return {
        "name": "rendering and mixing instructions, against datasets.map as in promptsource",
        **rate,
        "unit": "instructions/s",
        "ratio": rate["ours"] / rate["peer"],
        "goal": RENDERING_GOAL,
        "equal": one_by_one == by_peer,
    }


def packing(rounds: int = 2) -> dict:
    """Times the loop on packed rows beside `SFTTrainer` on padded ones, the same sixteen examples a step."""
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback, set_seed

    from course_lib.instructions import (
        Mixture,
        as_columns,
        collate,
        encode,
        packed,
        sft_trainer,
        sources,
        tune,
    )
    from course_lib.models import load_lm

    model, tokenizer = load_lm("tiny", dtype="float32")
    told = Mixture(sources(), seed=1).take(N_STEPS * BATCH)
    rows = [as_columns(one.instruction) for one in told]
    encoded = [encode(tokenizer, row) for row in rows]
    n_tokens = sum(len(one.ids) for one in encoded)
    settings = {"learning_rate": 1e-4, "weight_decay": 0.01}

    class Clock(TrainerCallback):
        """Notes when training begins and ends."""

        def on_train_begin(self, *_, **__):
            self.start = time.perf_counter()

        def on_train_end(self, *_, **__):
            self.seconds = time.perf_counter() - self.start

    def ours():
        mine = copy.deepcopy(model)
        set_seed(1)
        chunks = [encoded[i : i + BATCH] for i in range(0, len(encoded), BATCH)]
        start = time.perf_counter()
        ready = (collate(packed(chunk, 512), tokenizer.pad_token_id) for chunk in chunks)
        losses = tune(mine, ready, N_STEPS, warmup=0.0, progress=False, **settings)
        return time.perf_counter() - start, losses

    def peer():
        theirs, clock = copy.deepcopy(model), Clock()
        with tempfile.TemporaryDirectory() as folder:
            trainer = sft_trainer(
                theirs,
                tokenizer,
                Dataset.from_list(rows),
                folder,
                max_length=512,
                per_device_train_batch_size=BATCH,
                max_steps=N_STEPS,
                lr_scheduler_type="cosine",
                warmup_steps=0,
                train_sampling_strategy="sequential",
                logging_steps=1,
                disable_tqdm=True,
                seed=1,
                **settings,
            )
            trainer.remove_callback(PrinterCallback)
            trainer.add_callback(clock)
            trainer.train()
        return clock.seconds, [log["loss"] for log in trainer.state.log_history if "loss" in log]

    seconds, losses = {"ours": [], "peer": []}, {}
    for _ in range(rounds):
        for side, work in (("peer", peer), ("ours", ours)):
            taken, losses[side] = work()
            seconds[side].append(taken)
    rate = {side: n_tokens / min(values) for side, values in seconds.items()}
    return {
        "name": "tuning on packed instructions, against SFTTrainer without packing",
        **rate,
        "unit": "tokens/s",
        "ratio": rate["ours"] / rate["peer"],
        "goal": PACKING_GOAL,
        "equal": max(abs(a - b) for a, b in zip(losses["ours"], losses["peer"], strict=True)) < TOLERANCE,
    }


def run() -> list[dict]:
    """Times both; see `tests.benchmarks` for what a row holds."""
    return [rendering(), packing()]


if __name__ == "__main__":
    from tests.benchmarks.__main__ import table

    print(table(run(), absolute=True))
