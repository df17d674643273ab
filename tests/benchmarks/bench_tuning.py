"""Prompt tuning: `prompts.tune` beside PEFT and a plain Trainer, and many tasks in one batch beside one each.

Soft tokens stand in front, which is all that PEFT can do; same float32 model, batches, first rows, schedule.
"""

from __future__ import annotations

import copy
import itertools
import statistics
import tempfile
import time

from tests.benchmarks.memory import Sides, peaks
from tests.benchmarks.timing import in_turns

WARM_UP_STEPS, TIMED_STEPS, BATCH, N_SOFT = 2, 8, 16, 20
TOLERANCE = 2e-3  # nats, the loss of any step
GOALS = {"tiny": 1.3, "50k-word head": 2.0}
MIXED_GOAL, N_TASKS, WRITTEN = 3.0, 8, 24  # tokens a text


def load(name: str):
    """Returns model and tokenizer: the default one, or a small one with a head as large as ruGPT-3's."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from course_lib.models import load_lm

    model, tokenizer = load_lm("tiny", dtype="float32")
    if name == "tiny":
        return model, tokenizer
    torch.manual_seed(0)
    shape = {"n_embd": 256, "n_layer": 4, "n_head": 4, "n_positions": 512, "vocab_size": 50_257}
    shape |= {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}  # a Trainer switches dropout on
    return GPT2LMHeadModel(GPT2Config(**shape)).eval(), tokenizer


def clock():
    """Returns a callback that notes when each step ends."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        def __init__(self):
            self.ends = []

        def on_step_end(self, args, state, control, **_):
            self.ends.append(time.perf_counter())

        def seconds(self):
            return [b - a for a, b in itertools.pairwise(self.ends)][WARM_UP_STEPS - 1 :]

    return Clock()


def sides(name: str) -> Sides:
    """Returns the two ways to tune a prompt: seconds of each timed step, and the losses."""
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments

    from course_lib.prompts import attached, new_prompt, tune
    from course_lib.prompts.encoding import encode
    from course_lib.prompts.format import PromptFormat
    from course_lib.prompts.loss import collate
    from course_lib.prompts.methods import with_peft
    from course_lib.tasks import load_task

    model, tokenizer = load(name)
    steps = WARM_UP_STEPS + TIMED_STEPS
    tweets = load_task("tweets").data["train"].to_list()[: steps * BATCH]
    words = [" грустный", " весёлый"]
    pairs = [({"text": row["text"]}, words[row["label"]]) for row in tweets]
    drawn = torch.randint(4096, (N_SOFT,), generator=torch.Generator().manual_seed(0))
    rows = model.get_input_embeddings().weight[drawn].detach().clone()
    both = {
        "max_steps": steps,
        "logging_steps": 1,
        "learning_rate": 0.01,
        "lr_scheduler_type": "constant",
        "warmup_steps": 0,
        "per_device_train_batch_size": BATCH,
        "train_sampling_strategy": "sequential",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }

    def ours():
        prompt = new_prompt(f"<P*{N_SOFT}>{{text}}", model, tokenizer)
        prompt.provider.begin_as(rows)
        watch = clock()
        with attached(model, prompt), tempfile.TemporaryDirectory() as folder:
            encoded = [prompt.encode(tokenizer, fields, target) for fields, target in pairs]
            examples = [(one.ids, one.labels) for one in encoded]
            history = tune(prompt, model, examples, folder=folder, callbacks=[watch], **both)
        return watch.seconds(), history.losses

    def peer():
        theirs = with_peft("prompt tuning", copy.deepcopy(model), N_SOFT, 8)
        with torch.no_grad():
            theirs.prompt_encoder["default"].embedding.weight.copy_(rows)
        form = PromptFormat.parse("{text}")
        encoded = [encode(form, tokenizer, fields, 10**6, target) for fields, target in pairs]
        items = [{"input_ids": one.ids, "labels": one.labels} for one in encoded]
        watch = clock()
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(
                theirs,
                TrainingArguments(folder, remove_unused_columns=False, **both),
                lambda some: collate([(item["input_ids"], item["labels"]) for item in some], 0),
                train_dataset=items,
                callbacks=[watch],
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        return watch.seconds(), [log["loss"] for log in trainer.state.log_history if "loss" in log]

    return {"peer": peer, "ours": ours}


def tuning(name: str, rounds: int = 2) -> dict:
    """Times both sides in turns on one model."""
    seconds, losses, memory = {"ours": [], "peer": []}, {}, peaks(sides, name)
    both = sides(name)
    for _ in range(rounds):
        for side, work in both.items():
            more, losses[side] = work()
            seconds[side] += more
    rate = {side: 1 / statistics.median(values) for side, values in seconds.items()}
    return {
        "name": f"prompt tuning, {name}, against PEFT and a plain Trainer",
        **rate,
        "unit": "steps/s",
        "ratio": rate["ours"] / rate["peer"],
        "goal": GOALS[name],
        "equal": max(abs(a - b) for a, b in zip(losses["ours"], losses["peer"], strict=True)) < TOLERANCE,
        "memory_mb": memory["ours"],
        "peer_memory_mb": memory["peer"],
    }


def mixed(repeats: int = 5) -> dict:
    """Times writing for several tasks at once, each row with its prompt, beside one task after another."""
    from course_lib.prompts import attached, new_prompt
    from course_lib.tasks import load_task

    model, tokenizer = load("tiny")
    tweets = load_task("tweets").data["test"].to_list()[:N_TASKS]
    prompts = [new_prompt("<P*10>{text}<P*2>", model, tokenizer) for _ in range(N_TASKS)]
    found = {}
    options = {"do_sample": False, "min_new_tokens": WRITTEN, "max_new_tokens": WRITTEN, "pad_token_id": 0}
    with attached(model, *prompts):
        rows = [prompt.encode(tokenizer, row).ids for prompt, row in zip(prompts, tweets, strict=True)]

        def write(some):
            batch = tokenizer.pad({"input_ids": some}, padding_side="left", return_tensors="pt")
            return model.generate(**batch, **options)[:, -WRITTEN:].tolist()

        def ours():
            found["ours"] = write(rows)

        def peer():
            found["peer"] = [ids for row in rows for ids in write([row])]

        both = {"peer": peer, "ours": ours}
        in_turns(both, 1)
        median = in_turns(both, repeats)
    tokens = N_TASKS * WRITTEN
    return {
        "name": f"{N_TASKS} tasks' texts in one batch, against a batch for each",
        "ours": tokens / median["ours"],
        "peer": tokens / median["peer"],
        "unit": "tokens/s",
        "ratio": median["peer"] / median["ours"],
        "goal": MIXED_GOAL,
        "equal": found["ours"] == found["peer"],
    }


def run() -> list[dict]:
    """Times all of it; see `tests.benchmarks` for what a row holds."""
    return [tuning("tiny"), mixed(), tuning("50k-word head")]


if __name__ == "__main__":
    from tests.benchmarks.__main__ import table

    print(table(run(), absolute=True))
