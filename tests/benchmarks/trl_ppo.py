"""The PPOTrainer of TRL 1.12.0 at work, for `bench_rlhf`: prints seconds and the last iterations' score.

Called with a folder in which the models and the settings are, and TRL 1.12.0 on the path.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer
from trl.experimental.ppo import PPOConfig, PPOTrainer

PAD = 4095  # TRL tells padding by its id, so that it must not be that of the end of text


def main(folder: Path) -> None:
    """Train as many iterations as the settings say."""
    settings = json.loads((folder / "settings.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", padding_side="left")
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(PAD)
    policy, reference = (AutoModelForCausalLM.from_pretrained(folder / "policy") for _ in range(2))
    reward, value = (AutoModelForSequenceClassification.from_pretrained(folder / "reward") for _ in range(2))
    for model in (policy, reference, reward, value):
        model.config.pad_token_id = PAD
    n, epochs = settings["batch_size"], settings["n_epochs"]
    minibatches = n // settings["minibatch_size"]
    config = PPOConfig(
        output_dir=str(folder / "out"),
        per_device_train_batch_size=settings["minibatch_size"],
        gradient_accumulation_steps=minibatches,
        num_mini_batches=minibatches,
        num_ppo_epochs=epochs,
        total_episodes=n * settings["n_iterations"],
        response_length=settings["max_new_tokens"],
        temperature=settings["temperature"],
        learning_rate=settings["learning_rate"],
        kl_coef=settings["beta"],
        stop_token="eos",
        missing_eos_penalty=1.0,
        num_sample_generations=0,
        local_rollout_forward_batch_size=n,
        bf16=False,
        gradient_checkpointing=False,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        seed=settings["seed"],
    )
    prompts = Dataset.from_list([{"input_ids": ids} for ids in settings["prompts"]])
    trainer = PPOTrainer(config, tokenizer, policy, reference, reward, prompts, value)
    start = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - start
    scores = [log["objective/scores"] for log in trainer.state.log_history if "objective/scores" in log]
    last = sum(scores[-2:]) / 2 - settings["mean"]
    print(json.dumps({"seconds": seconds, "score": last}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
