"""RLHF: rollouts beside `generate`, rankings beside pairs, PPO beside the PPOTrainer of TRL 1.12.0.

TRL 1.12.0, the last with a PPOTrainer, has a folder of its own and is called in a process of its own:

    pip install --target build/trl-1.12.0 --no-deps trl==1.12.0
"""

from __future__ import annotations

import copy
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.timing import in_turns

ROOT = Path(__file__).resolve().parents[2]
TRL = ROOT / "build" / "trl-1.12.0"
ROLLOUT_GOAL, RANKING_GOAL, PPO_GOAL = 2.0, 6.0, 2.0
N_PROMPTS, N_NEW, TEMPERATURE = 64, 40, 0.7
SEEDS, N_ITERATIONS = (1, 2, 3), 8
PPO_SETTINGS = {"batch_size": 64, "minibatch_size": 16, "n_epochs": 2, "beta": 0.05, "learning_rate": 1e-4}


def rollouts(repeats: int = 3) -> dict:
    """Times sampling, with log-probabilities kept, beside `generate` with its scores returned."""
    import torch

    from course_lib import rlhf
    from course_lib.ppo import sample, uniforms
    from course_lib.rewards import PPO_PROMPTS

    policy, tokenizer = rlhf.supervised_policy("tiny", progress=False)
    rows = rlhf.questions(PPO_PROMPTS, "train", 0.02, seed=1)[:N_PROMPTS]
    prompts = rlhf.prompt_ids(tokenizer, rows)
    padded = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    inputs = {name: padded[name] for name in ("input_ids", "attention_mask")}
    settings = {"max_new_tokens": N_NEW, "pad_token_id": tokenizer.pad_token_id}
    chance = uniforms(N_PROMPTS, N_NEW, 1)
    tokens = {}

    def ours():
        tokens["ours"] = int(sample(policy, prompts, chance, eos_id=0, temperature=TEMPERATURE).mask.sum())

    def peer():
        torch.manual_seed(1)
        sampling = {"do_sample": True, "temperature": TEMPERATURE, "top_k": 0}
        found = policy.generate(
            **inputs, **settings, **sampling, output_scores=True, return_dict_in_generate=True
        )
        new = found.sequences[:, inputs["input_ids"].shape[1] :]
        logprobs = torch.stack(found.scores, 1).log_softmax(-1).gather(2, new[..., None])
        ends = ((new == 0).cumsum(1) - (new == 0).long() == 0).sum()
        tokens["peer"] = int(ends) + 0 * len(logprobs)

    sides = {"peer": peer, "ours": ours}
    in_turns(sides, 1)
    median = in_turns(sides, repeats)
    greedy = sample(policy, prompts, chance, eos_id=0, temperature=1e-3).examples()
    theirs = policy.generate(**inputs, **settings, do_sample=False)[:, inputs["input_ids"].shape[1] :]
    same = [row[: len(mine)].tolist() == mine for row, (_, mine) in zip(theirs, greedy, strict=True)]
    rate = {side: tokens[side] / median[side] for side in sides}
    return {
        "name": "rollouts, tiny, against generate",
        **rate,
        "unit": "tokens/s",
        "ratio": rate["ours"] / rate["peer"],
        "goal": ROLLOUT_GOAL,
        "equal": sum(same) >= 0.95 * len(same),  # two words may be equally likely, to the last digit
    }


def rankings(n: int = 40, n_held_out: int = 40) -> dict:
    """Times training on rankings of nine answers beside TRL's RewardTrainer on their 36 pairs."""
    from transformers import PrinterCallback, set_seed

    from course_lib import rlhf
    from course_lib.rewards import (
        RANKED_PROMPTS,
        encode_ranking,
        pair_accuracy,
        ranked,
        reward_model,
        train,
        trl_trainer,
    )
    from course_lib.world.judgement import judge

    policy, tokenizer = rlhf.supervised_policy("tiny-2m", progress=False)
    rows = rlhf.questions(RANKED_PROMPTS, "train", 0.02)[: 2 * (n + n_held_out)]
    answered = rlhf.answers(policy, tokenizer, rows, k=(14, 14), seed=1, temperature=TEMPERATURE)
    rng = random.Random(1)
    told = []
    for row, texts in zip(rows, answered, strict=True):
        nine = texts[:9]
        if len(nine) == 9:  # no ties: 36 pairs each
            told.append(
                ranked(row["prompt"], nine, [judge(row, t).total + 1e-6 * rng.random() for t in nine])
            )
    told = [rlhf.as_read(one) for one in told]
    some, held_out = told[:n], told[n : n + n_held_out]
    settings = {"learning_rate": 5e-4}
    seconds, accuracy = {}, {}

    def accuracy_of(model) -> float:
        from course_lib.rewards.model import encode, score

        examples = [encode(tokenizer, each.prompt, text) for each in held_out for text in each.responses]
        return pair_accuracy(held_out, score(model, examples).view(-1, 9).numpy())[0]

    mine, theirs = reward_model(policy), reward_model(policy)
    set_seed(1)
    start = time.perf_counter()
    train(mine, [encode_ranking(tokenizer, one) for one in some], batch_size=4, progress=False, **settings)
    seconds["ours"], accuracy["ours"] = time.perf_counter() - start, accuracy_of(mine)
    theirs.config.pad_token_id = 4095  # the library tells padding by its id
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(4095)
    with tempfile.TemporaryDirectory() as folder:
        options = {"per_device_train_batch_size": 16, "num_train_epochs": 1, "disable_tqdm": True}
        trainer = trl_trainer(theirs, tokenizer, some, folder, **options, **settings)
        trainer.remove_callback(PrinterCallback)
        start = time.perf_counter()
        trainer.train()
        seconds["peer"] = time.perf_counter() - start
    accuracy["peer"] = accuracy_of(theirs.eval())
    rate = {side: 36 * len(some) / taken for side, taken in seconds.items()}
    return {
        "name": "reward training on rankings of 9, against RewardTrainer on their 36 pairs",
        **rate,
        "unit": "pairs/s",
        "ratio": rate["ours"] / rate["peer"],
        "goal": RANKING_GOAL,
        "equal": accuracy["ours"] > accuracy["peer"] - 0.05,
    }


def iterations() -> dict | None:
    """Times iterations of PPO beside TRL 1.12.0's, the same models, prompts, lengths, steps and epochs."""
    import torch

    from course_lib import rlhf_study
    from course_lib.ppo import PPO, PPOConfig
    from course_lib.rewards.model import score

    if not TRL.is_dir():
        print(f"no TRL 1.12.0 in {TRL}: {__doc__.splitlines()[4].strip()}", file=sys.stderr)
        return None
    policy, tokenizer, reward, _, _ = rlhf_study.prepared("tiny-0.5m", 1)
    _, prompts = rlhf_study.asked(tokenizer)
    shared = {
        **PPO_SETTINGS,
        "n_iterations": N_ITERATIONS,
        "max_new_tokens": N_NEW,
        "temperature": TEMPERATURE,
    }
    seconds, last = {"ours": [], "peer": []}, {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory() as folder:
        policy.save_pretrained(f"{folder}/policy")
        reward.save_pretrained(f"{folder}/reward")
        tokenizer.save_pretrained(f"{folder}/tokenizer")
        for seed in SEEDS:
            config = PPOConfig(**shared, value_learning_rate=PPO_SETTINGS["learning_rate"], seed=seed)
            models = (copy.deepcopy(policy), copy.deepcopy(policy), copy.deepcopy(reward))
            ppo = PPO(*models, lambda some: score(reward, some), prompts, config, eos_id=0)
            start = time.perf_counter()
            history = ppo.train(progress=False)
            seconds["ours"].append(time.perf_counter() - start)
            last["ours"].append(statistics.mean(each["score"] for each in history[-2:]))
            Path(folder, "settings.json").write_text(
                json.dumps({**shared, "seed": seed, "prompts": prompts, "mean": reward.config.reward_mean})
            )
            environment = {**os.environ, "PYTHONPATH": f"{TRL}{os.pathsep}{ROOT}"}
            environment["OMP_NUM_THREADS"] = str(torch.get_num_threads())
            script = Path(__file__).with_name("trl_ppo.py")
            done = subprocess.run(
                [sys.executable, str(script), folder],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(done.stderr[-2000:])
            found = json.loads(done.stdout.splitlines()[-1])
            seconds["peer"].append(found["seconds"])
            last["peer"].append(found["score"])
    rate = {side: 60 * N_ITERATIONS / statistics.median(values) for side, values in seconds.items()}
    print(f"scores after {N_ITERATIONS} iterations: {last}", file=sys.stderr)
    return {
        "name": "PPO, tiny-0.5m, against the PPOTrainer of TRL 1.12.0",
        **rate,
        "unit": "iterations/min",
        "ratio": rate["ours"] / rate["peer"],
        "goal": PPO_GOAL,
        # not worse after as many samples
        "equal": statistics.mean(last["ours"]) > statistics.mean(last["peer"]) - 0.3,
    }


def run() -> list[dict]:
    """Times all three; see `tests.benchmarks` for what a row holds."""
    return [row for row in (rollouts(), rankings(), iterations()) if row]


if __name__ == "__main__":
    from tests.benchmarks.__main__ import table

    print(table(run(), absolute=True))
