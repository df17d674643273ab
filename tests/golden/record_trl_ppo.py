"""Record what the PPOTrainer of TRL 1.12.0, the last that had one, computes on its way.

TRL 1.12.0 lives in an environment, or a folder, of its own:

    pip install --target build/trl-1.12.0 --no-deps trl==1.12.0
    PYTHONPATH=build/trl-1.12.0 python tests/golden/record_trl_ppo.py

It writes `tests/golden/trl_ppo.json`. Most of its formulas stand in the middle of its loop; the functions
that they go through are replaced by the same with an ear.
"""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import torch

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import trl
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, GPT2Config, GPT2LMHeadModel
from trl.experimental.ppo import PPOConfig, PPOTrainer, ppo_trainer

from course_lib.pretrain import train_tokenizer

TARGET = Path(__file__).with_name("trl_ppo.json")
CASES = {
    "k1": {"kl_estimator": "k1", "whiten_rewards": False},
    "k3, whitened": {"kl_estimator": "k3", "whiten_rewards": True},
}
VOCAB, EOS, PAD = 258, 0, 257  # TRL tells padding by its id, so that it must not be that of the end of text


def listening(heard: list, name: str, function):
    """Return a function that does the same and notes arguments and results."""

    def heard_function(*args, **options):
        result = function(*args, **options)
        copied = [a.detach().clone() if torch.is_tensor(a) else a for a in args]
        heard.append((name, copied, result))
        return result

    return heard_function


def models() -> tuple[GPT2LMHeadModel, GPT2LMHeadModel, list]:
    """Make a policy that ends about every seventh token, a reference near by, a value and a reward model."""
    shape = {"vocab_size": VOCAB, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 2}
    config = GPT2Config(**shape, pad_token_id=PAD, eos_token_id=EOS, bos_token_id=EOS)
    policy, reference = GPT2LMHeadModel(config), GPT2LMHeadModel(config)
    with torch.no_grad():
        towards = torch.nn.functional.normalize(torch.randn(32), dim=0)
        policy.transformer.ln_f.bias.copy_(4 * towards)
        policy.transformer.wte.weight[EOS] = towards
        reference.load_state_dict(policy.state_dict())
        for parameter in reference.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    config.num_labels = 1
    judges = [AutoModelForSequenceClassification.from_config(config) for _ in range(2)]
    for judge in judges:
        torch.nn.init.normal_(judge.score.weight)
    return policy, reference, judges


def record(kind: dict, folder: str) -> dict:
    """Run one update, and return what was computed in it."""
    torch.manual_seed(0)
    np.random.seed(0)
    policy, reference, (value, reward) = models()
    tokenizer = train_tokenizer(["кот и кит"], VOCAB)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(PAD)
    tokenizer.padding_side = "left"
    settings = {
        "response_length": 10,
        "stop_token": "eos",
        "temperature": 1.0,
        "missing_eos_penalty": 1.0,
        "kl_coef": 0.05,
        "num_ppo_epochs": 2,
        "cliprange": 0.2,
        "cliprange_value": 0.2,
        "gamma": 0.99,
        "lam": 0.95,
        **kind,
    }
    args = PPOConfig(
        output_dir=folder,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        num_mini_batches=2,
        total_episodes=16,
        num_sample_generations=0,
        learning_rate=1e-2,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        **settings,
    )
    prompts = Dataset.from_list([{"input_ids": [5 + i, 7, 20 + i][: 2 + i % 2]} for i in range(16)])
    trainer = PPOTrainer(args, tokenizer, policy, reference, reward, prompts, value)
    heard: list = []
    names = ("selective_log_softmax", "get_reward", "masked_whiten", "masked_mean", "forward")
    plain = {name: getattr(ppo_trainer, name) for name in names}
    permutation = np.random.permutation
    try:
        for name in names:
            setattr(ppo_trainer, name, listening(heard, name, plain[name]))
        np.random.permutation = listening(heard, "permutation", permutation)
        trainer.train()
    finally:
        for name in names:
            setattr(ppo_trainer, name, plain[name])
        np.random.permutation = permutation
    return {"settings": settings, **told(heard)}


def told(heard: list) -> dict:
    """Say what was heard, in the order of TRL's loop."""
    places = [i for i, (name, _, _) in enumerate(heard) if name == "permutation"]
    before, after = heard[: places[0]], heard[places[0] :]
    (_, (_, responses), logprobs), (_, _, ref_logprobs) = (
        e for e in before if e[0] == "selective_log_softmax"
    )
    (_, (_, _, _, n_prompt), (values, _, _)), (_, _, (_, scores, _)) = (
        e for e in before if e[0] == "get_reward"
    )
    whitened = [e for e in before if e[0] == "masked_whiten"]
    _, (advantages, mask), result = whitened[-1]
    steps = []
    for name, _, result_ in after:
        if name == "permutation":
            order, at = result_, 0
        elif name == "forward":
            steps.append({"rows": order[at : at + 8].tolist(), "values": result_[1][:, n_prompt - 1 : -1, 0]})
            at += 8
        elif name == "selective_log_softmax":
            steps[-1]["logprobs"] = result_
        elif name == "masked_mean":
            steps[-1].setdefault("means", []).append(result_)
    facts = {
        "responses": responses,
        "logprobs": logprobs,
        "ref_logprobs": ref_logprobs,
        "values": values[:, n_prompt - 1 : -1, 0],
        "scores": scores,
        "mask": mask,
        "advantages": advantages,
        "whitened": result,
        "steps": steps,
    }
    return plain_numbers(facts)


def plain_numbers(thing):
    """Turn tensors into lists."""
    if torch.is_tensor(thing):
        return thing.detach().double().tolist() if thing.is_floating_point() else thing.long().tolist()
    if isinstance(thing, dict):
        return {name: plain_numbers(each) for name, each in thing.items()}
    return [plain_numbers(each) for each in thing] if isinstance(thing, list) else thing


def main() -> None:
    """Record all cases."""
    with tempfile.TemporaryDirectory() as folder:
        cases = {name: record(kind, folder) for name, kind in CASES.items()}
    made = {"trl": trl.__version__, "torch": torch.__version__, "cases": cases}
    TARGET.write_text(json.dumps(made) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
