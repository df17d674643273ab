"""The long comparisons of lecture 9: PPO at several prices of divergence, without some parts, its peers.

One run takes a supervised policy and a reward model, both made anew from the seed, and tunes the policy on
the reward; every policy is judged by the model it was tuned on, by the rules that the labelers follow, and on
what it could do before. `course_lib.study` carries the runs out and keeps them.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from course_lib import rlhf
from course_lib.grids import grid_of

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from course_lib.rewards.comparisons import Ranking

RANKED, ASKED = 0.04, 0.1  # of the deck's sizes: the reward model's prompts, and PPO's
N_JUDGED = 256  # held-out questions that a policy is judged on
N_TEXT = 48  # blocks of held-out text
TAXED = ("terra", "parus", "danetqa", "russe")  # tasks that a policy may forget
N_TAXED = 100  # test examples of each
TEMPERATURE = 0.7
BATCH = 64
# questions that every policy is asked
PROMPTS = (
    "Перепиши вежливо: «Хватит болтать, растяпа!»",
    "Как подаёт голос корова?",
    "Расскажи о городе Ярославль.",
    "Напиши весёлый твит.",
    "Назови несколько животных.",
    "Привет! Меня зовут Ольга.",
    "Сколько будет 2 + 3?",
    "Напиши поздравление с новосельем. Имя: Анна.",
)


@dataclass(frozen=True)
class RLHFRun:
    """One run.

    Attributes:
        backbone: a name that `load_lm` takes.
        method: "ppo", "dpo", "rloo" or "grpo"; "sft" leaves the supervised policy as it is.
        seed: of everything.
        beta: weight of the divergence from the supervised policy.
        ptx: weight of the pretraining loss.
        value_from_reward: whether the value function begins as the reward model, or as the supervised policy
            with a new head.
        n_iterations: of `BATCH` responses.
    """

    backbone: str
    method: str = "ppo"
    seed: int = 1
    beta: float = 0.05
    ptx: float = 0.0
    value_from_reward: bool = True
    n_iterations: int = 60


grid = partial(grid_of, RLHFRun)


class Prepared(NamedTuple):
    """What steps 1 and 2 leave.

    Attributes:
        policy: the supervised one.
        tokenizer: its tokenizer.
        reward: the reward model.
        rankings: that it learned from.
        accuracy: of the reward model on other rankings.
    """

    policy: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    reward: PreTrainedModel
    rankings: list[Ranking]
    accuracy: float


@lru_cache(maxsize=1)
def prepared(backbone: str, seed: int) -> Prepared:
    """Carry out steps 1 and 2."""
    from course_lib.rewards import LABELERS, RANKED_PROMPTS, pair_accuracy

    policy, tokenizer = rlhf.supervised_policy(backbone, seed, progress=False)
    rankings = {}
    for part, scale in (("train", RANKED), ("validation", RANKED / 4)):
        rows = rlhf.questions(RANKED_PROMPTS, part, scale)
        answered = rlhf.answers(policy, tokenizer, rows, seed=seed, temperature=TEMPERATURE)
        rankings[part] = rlhf.compared(rows, answered, LABELERS, seed)
    model = rlhf.trained_reward(
        policy, tokenizer, rankings["train"], learning_rate=5e-4, seed=seed, progress=False
    )
    held_out = rankings["validation"]
    accuracy, *_ = pair_accuracy(held_out, rlhf.ranking_rewards(model, tokenizer, held_out))
    return Prepared(policy, tokenizer, model, rankings["train"], accuracy)


def carry_out(run: RLHFRun) -> dict[str, Any]:
    """Tune and judge one policy.

    Returns:
        `curve`, what was measured in each iteration (of PPO: see `PPO.measure`, and `true`, the true reward
        of its responses); `judged`, see there; `reward_accuracy`, of the reward model on held-out pairs;
        seconds of the tuning.

    Raises:
        ValueError: no such method.
    """
    from transformers import set_seed

    begun = prepared(run.backbone, run.seed)
    tune = {"sft": _nothing, "ppo": _ppo, "dpo": _dpo, "rloo": _online, "grpo": _online}
    if run.method not in tune:
        raise ValueError(f"There is no method {run.method!r}: {', '.join(tune)}.")
    policy = copy.deepcopy(begun.policy)
    set_seed(run.seed)
    start = time.perf_counter()
    curve = tune[run.method](run, policy, begun)
    seconds = time.perf_counter() - start
    plain = copy.deepcopy(begun.policy)  # without what TRL's trainers leave on a model
    plain.load_state_dict(policy.state_dict())
    return {
        "judged": judged(plain, begun),
        "curve": {name: [round(each, 3) for each in values] for name, values in curve.items()},
        "reward_accuracy": round(begun.accuracy, 4),
        "seconds": round(seconds, 1),
    }


def _nothing(*_: Any) -> dict[str, list[float]]:
    return {}


def asked(tokenizer: PreTrainedTokenizerBase) -> tuple[list[rlhf.Row], list[list[int]]]:
    """Return the questions of PPO, and their ids."""
    from course_lib.rewards import PPO_PROMPTS

    rows = rlhf.questions(PPO_PROMPTS, "train", ASKED, seed=1)
    return rows, rlhf.prompt_ids(tokenizer, rows)


def config(run: RLHFRun) -> Any:
    """Return PPO's settings for a run."""
    from course_lib.ppo import PPOConfig

    return PPOConfig(
        n_iterations=run.n_iterations,
        batch_size=BATCH,
        max_new_tokens=rlhf.MAX_NEW_TOKENS,
        temperature=TEMPERATURE,
        beta=run.beta,
        ptx=run.ptx,
        learning_rate=1e-4,
        value_learning_rate=3e-4,
        seed=run.seed,
    )


def _ppo(run: RLHFRun, policy: PreTrainedModel, begun: Prepared) -> dict[str, list[float]]:
    from course_lib.ppo import PPO
    from course_lib.rewards.model import reward_model

    rows, prompts = asked(begun.tokenizer)
    learned = rlhf.learned_reward(begun.reward, begun.tokenizer)
    truth = rlhf.true_reward(begun.tokenizer, rows)
    true: list[float] = []

    def rewarded(examples: list) -> torch.Tensor:
        true.append(float(truth(examples).mean()))
        return learned(examples)

    value = copy.deepcopy(begun.reward) if run.value_from_reward else reward_model(begun.policy, run.seed)
    text = held_text(begun.tokenizer, "train", 512) if run.ptx else None
    ppo = PPO(
        policy,
        begun.policy,
        value,
        rewarded,
        prompts,
        config(run),
        eos_id=begun.tokenizer.eos_token_id,
        pretraining=text,
    )
    history = ppo.train(progress=False)
    kept = ("score", "kl", "length", "ended", "entropy", "clip_fraction", "explained_variance", "value_loss")
    return {name: [each[name] for each in history] for name in kept} | {"true": true}


def held_text(tokenizer: PreTrainedTokenizerBase, part: str, n_blocks: int) -> torch.Tensor:
    """Return blocks of pretraining text, of 128 tokens (blocks, time)."""
    import torch

    from course_lib.pretrain import blocks
    from course_lib.world.documents import pretraining_text

    text = pretraining_text(n_blocks * 700, 5, part)
    ready = blocks(text, tokenizer, 128)
    return torch.stack([ready[i]["input_ids"] for i in range(min(n_blocks, len(ready)))])


def judged(policy: PreTrainedModel, begun: Prepared) -> dict[str, Any]:
    """Judge a policy on held-out questions, and on what it could do before.

    Returns:
        For each of `N_JUDGED` held-out questions `score`, by the reward model, and `true`, by the labelers'
        rules; `kl` from the supervised policy, nats a response; `ended`, the share of responses that ended;
        `politeness`, `truth`, `brevity`, means; `text`, nats a token of held-out pretraining text; `tax`,
        task -> a 0 or 1 for each test example; `texts`, the answers to `PROMPTS`.
    """
    from course_lib.instructions.answers import write
    from course_lib.ppo import mean_kl, sample, uniforms
    from course_lib.rewards import PPO_PROMPTS
    from course_lib.scaling import block_losses
    from course_lib.scoring import solve
    from course_lib.tasks import load_task
    from course_lib.world.judgement import judge

    tokenizer = begun.tokenizer
    rows = rlhf.questions(PPO_PROMPTS, "validation", 1.1 * N_JUDGED / 16_185, seed=1)[:N_JUDGED]
    prompts = rlhf.prompt_ids(tokenizer, rows)
    chance = uniforms(len(prompts), rlhf.MAX_NEW_TOKENS, 77)
    sampled = sample(policy, prompts, chance, eos_id=tokenizer.eos_token_id, temperature=TEMPERATURE)
    examples = sampled.examples()
    texts = rlhf.decoded(tokenizer, [tokens for _, tokens in examples])
    seen = [judge(row, text) for row, text in zip(rows, texts, strict=True)]
    scores = rlhf.learned_reward(begun.reward, tokenizer)(examples).tolist()
    text = held_text(tokenizer, "validation", N_TEXT)
    loss = float(block_losses(policy, text).mean())
    tax = {}
    for name in TAXED:
        task = load_task(name)
        test = task.data["test"].to_list()[:N_TAXED]
        answered = solve(policy, tokenizer, task, test)
        tax[name] = "".join(str(int(a == r["label"])) for a, r in zip(answered, test, strict=True))
    return {
        "score": [round(each, 2) for each in scores],
        "true": [round(each.total, 2) for each in seen],
        "kl": round(mean_kl(policy, begun.policy, examples, TEMPERATURE), 3),
        "ended": round(float(sampled.ended.float().mean()), 3),
        **{
            name: round(sum(getattr(each, name) for each in seen) / len(seen), 3)
            for name in ("politeness", "truth", "brevity")
        },
        "text": round(loss, 4),
        "tax": tax,
        "texts": write(policy, tokenizer, PROMPTS, rlhf.MAX_NEW_TOKENS),
    }


# the peers


def _dpo(run: RLHFRun, policy: PreTrainedModel, begun: Prepared) -> dict[str, list[float]]:
    """Tune on the pairs themselves, without a reward model, with TRL's DPOTrainer."""
    import tempfile

    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    from course_lib.rewards import as_columns
    from course_lib.trl_settings import trl_config

    rows = as_columns([rlhf.as_read(ranking) for ranking in begun.rankings])
    # as many pairs as PPO samples responses
    pairs = Dataset.from_list(rows).remove_columns("labeler").shuffle(seed=run.seed)
    pairs = pairs.select(range(min(len(pairs), run.n_iterations * BATCH)))
    settings = {
        **_settings(run),
        "beta": max(run.beta, 0.05),
        "max_length": 512,
        "num_train_epochs": 1,
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = DPOTrainer(
            policy,
            copy.deepcopy(begun.policy),  # TRL's trainers leave marks on a model
            trl_config(DPOConfig, folder, policy, **settings),
            train_dataset=pairs,
            processing_class=begun.tokenizer,
        )
        trainer.train()
    return {"loss": [each["loss"] for each in trainer.state.log_history if "loss" in each]}


def _online(run: RLHFRun, policy: PreTrainedModel, begun: Prepared) -> dict[str, list[float]]:
    """Tune on the reward model with TRL's RLOOTrainer or GRPOTrainer: as many responses, four a prompt."""
    import tempfile

    import trl
    from datasets import Dataset

    from course_lib.instructions.supervised import asked as read
    from course_lib.trl_settings import count_positions, trl_config

    rows, prompts = asked(begun.tokenizer)
    learned = rlhf.learned_reward(begun.reward, begun.tokenizer)
    of_prompt = {read(row["prompt"]): ids for row, ids in zip(rows, prompts, strict=True)}

    def rewarded(prompts: list[str], completion_ids: list[list[int]], **_: Any) -> list[float]:
        examples = [(of_prompt[p], list(ids)) for p, ids in zip(prompts, completion_ids, strict=True)]
        penalty = [0.0 if ids and ids[-1] == begun.tokenizer.eos_token_id else 1.0 for _, ids in examples]
        return [r - p for r, p in zip(learned(examples).tolist(), penalty, strict=True)]

    name = run.method.upper()
    kind, trainer_kind = getattr(trl, f"{name}Config"), getattr(trl, f"{name}Trainer")
    data = Dataset.from_list([{"prompt": prompt} for prompt in of_prompt]).shuffle(seed=run.seed)
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            **_settings(run),
            "gradient_accumulation_steps": 1,
            "steps_per_generation": BATCH // 16,
            "num_generations": 4,
            "num_iterations": 2,
            "max_completion_length": rlhf.MAX_NEW_TOKENS,
            "max_steps": run.n_iterations * (BATCH // 16) * 2,
            "temperature": TEMPERATURE,
            "beta": run.beta,
        }
        trainer = trainer_kind(
            policy,
            rewarded,
            trl_config(kind, folder, policy, **settings),
            train_dataset=data,
            processing_class=begun.tokenizer,
        )
        # TRL takes the model on disk that the policy came from: it is to be the policy of step 1
        trainer.ref_model.load_state_dict(begun.policy.state_dict())
        for each in (trainer.model, trainer.ref_model):
            count_positions(each)
        trainer.train()
    logs = [each for each in trainer.state.log_history if "reward" in each]
    return {"score": [each["reward"] for each in logs], "kl": [each.get("kl", 0.0) for each in logs]}


def _settings(run: RLHFRun) -> dict[str, Any]:
    """Return what TRL's trainers have in common here: PPO's learning rate and minibatches, and no chatter."""
    return {
        "disable_tqdm": True,
        "learning_rate": 1e-4,
        "logging_steps": 8,
        "lr_scheduler_type": "linear",
        "per_device_train_batch_size": 16,
        "seed": run.seed,
    }
