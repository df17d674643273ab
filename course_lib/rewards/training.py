"""Training a reward model: all pairs of a prompt in one step, its answers read once, its prompt once.

Slide "Collect comparison data, and train a reward model"; Ouyang et al., 2022, equation 1:

    loss(θ) = −1/(K choose 2) · E[ log σ(r_θ(x, y_w) − r_θ(x, y_l)) ]

A ranking of K = 9 answers has 36 pairs. Shuffled into one data set they would be 72 texts to read, and each
answer would be learned from eight times over; as one row they are the prompt once and nine answers, none of
which sees another.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm
from transformers import get_cosine_schedule_with_warmup

from course_lib.padding import added_mask, padded
from course_lib.rewards.comparisons import Ranking, as_columns
from course_lib.rewards.model import encode
from course_lib.trl_settings import trl_config

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase
    from trl import RewardTrainer


@dataclass(frozen=True)
class EncodedRanking:
    """A ranking in tokens.

    Attributes:
        prompt: ids (prompt,).
        responses: ids of each answer, the end of text last.
        pairs: (better, worse) numbers of answers.
    """

    prompt: list[int]
    responses: list[list[int]]
    pairs: list[tuple[int, int]]


def encode_ranking(tokenizer: PreTrainedTokenizerBase, ranking: Ranking) -> EncodedRanking:
    """Turn a ranking into token ids; its prompt and responses are the texts that the policy reads and writes.

    Raises:
        ValueError: answers that swallow part of the prompt, so that they do not share it.
    """
    encoded = [encode(tokenizer, ranking.prompt, response) for response in ranking.responses]
    prompts = [prompt for prompt, _ in encoded]
    if any(prompt != prompts[0] for prompt in prompts):
        raise ValueError(
            f"The prompt «…{ranking.prompt[-40:]}» has other tokens before one answer than before another: "
            "begin the answers with a space or a new line."
        )
    return EncodedRanking(prompts[0], [response for _, response in encoded], ranking.pairs)


def tree_mask(branches: Tensor) -> Tensor:
    """Say which token may look at which: an earlier one, or itself, of the prompt or of its own answer.

    Args:
        branches: 0 for the prompt, 1, 2, … for the answers, -1 for padding (batch, time).

    Returns:
        True where a token (row) may look at another (column): (batch, 1, time, time).
    """
    time = branches.shape[1]
    same = branches[:, None, :, None] == branches[:, None, None, :]
    of_prompt = (branches == 0)[:, None, None, :] & (branches >= 0)[:, None, :, None]
    return (same | of_prompt) & torch.ones(time, time, dtype=torch.bool, device=branches.device).tril()


def collate(rankings: Sequence[EncodedRanking], pad_id: int = 0) -> dict[str, Tensor]:
    """Put rankings below one another, each prompt once with all answers to it.

    Args:
        rankings: from `encode_ranking`.
        pad_id: what stands where a row is shorter than the longest.

    Returns:
        input_ids and position_ids (batch, time); attention_mask, what is added to the scores (batch, 1, time,
        time); rows and ends, where each answer's last token is (answers,); better and worse, numbers of
        answers (pairs,), and weight, so that every ranking counts alike (pairs,).
    """
    rows, positions, branches = [], [], []
    places: dict[str, list] = {name: [] for name in ("rows", "ends", "better", "worse", "weight")}
    for row, ranking in enumerate(rankings):
        ids, position = list(ranking.prompt), list(range(len(ranking.prompt)))
        branch = [0] * len(ids)
        first = len(places["ends"])
        for number, response in enumerate(ranking.responses, 1):
            ids += response
            position += range(len(ranking.prompt), len(ranking.prompt) + len(response))
            branch += [number] * len(response)
            places["rows"].append(row)
            places["ends"].append(len(ids) - 1)
        for better, worse in ranking.pairs:
            places["better"].append(first + better)
            places["worse"].append(first + worse)
            places["weight"].append(1 / (len(ranking.pairs) * len(rankings)))
        rows.append(ids)
        positions.append(position)
        branches.append(branch)
    return {
        "input_ids": padded(rows, pad_id),
        "position_ids": padded(positions, 0),
        "attention_mask": added_mask(tree_mask(padded(branches, -1))),
        **{name: torch.tensor(values) for name, values in places.items()},
    }


def answer_rewards(model: PreTrainedModel, batch: dict[str, Tensor]) -> Tensor:
    """Return the reward of every answer of a batch from `collate`: (answers,), in float32."""
    inputs = {name: batch[name].to(model.device) for name in ("input_ids", "position_ids")}
    mask = batch["attention_mask"].to(model.device, model.dtype)
    hidden = model.base_model(**inputs, attention_mask=mask, use_cache=False).last_hidden_state
    ends = hidden[batch["rows"].to(hidden.device), batch["ends"].to(hidden.device)]
    return model.score(ends)[:, 0].float() - model.config.reward_mean


def ranking_loss(
    rewards: Tensor,
    better: Tensor,
    worse: Tensor,
    weight: Tensor | None = None,
    *,
    margin: float | Tensor = 0.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return −E[log σ(r_w − r_l)], the mean over the pairs of each ranking (equation 1).

    Args:
        rewards: of the answers (answers,).
        better, worse: numbers of answers (pairs,).
        weight: of each pair, with the sum 1; None weighs all alike (pairs,).
        margin: by how much the better one has to be better, one or one a pair (Touvron et al., 2023).
        label_smoothing: how probable it is that a labeler slipped.

    Returns:
        In nats, a number.
    """
    difference = rewards[better] - rewards[worse] - margin
    each = -(1 - label_smoothing) * F.logsigmoid(difference) - label_smoothing * F.logsigmoid(-difference)
    return each.mean() if weight is None else (each * weight.to(each)).sum()


def train(
    model: PreTrainedModel,
    rankings: Sequence[EncodedRanking],
    *,
    n_epochs: int = 1,
    batch_size: int = 8,
    learning_rate: float = 3e-4,
    warmup: float = 0.1,
    max_norm: float = 1.0,
    margin: float = 0.0,
    label_smoothing: float = 0.0,
    seed: int = 1,
    progress: bool = True,
) -> list[float]:
    """Train a reward model on rankings.

    Args:
        model: from `reward_model`; it is changed.
        rankings: from `encode_ranking`.
        n_epochs: how often each is read; with more than one, InstructGPT's overfitted.
        batch_size: rankings a step.
        learning_rate: of AdamW after warm-up; it falls along a cosine to 0.
        warmup: share of the steps in which it rises.
        max_norm: to which gradients are clipped.
        margin, label_smoothing: see `ranking_loss`.
        seed: of the order.
        progress: whether a bar is shown.

    Returns:
        The loss of every step.

    Raises:
        ValueError: no rankings, or a loss that is no number.
    """
    if not rankings:
        raise ValueError("There are no rankings to learn from.")
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=0.0)
    n_steps = n_epochs * -(-len(rankings) // batch_size)
    schedule = get_cosine_schedule_with_warmup(optimizer, int(warmup * n_steps), n_steps)
    losses: list[float] = []
    model.train()
    steps = _batches(rankings, n_epochs, batch_size, seed)
    for some in tqdm(steps, "reward model", n_steps, leave=False, disable=not progress):
        batch = collate(some)
        pairs = (batch[name].to(model.device) for name in ("better", "worse", "weight"))
        options = {"margin": margin, "label_smoothing": label_smoothing}
        loss = ranking_loss(answer_rewards(model, batch), *pairs, **options)
        if not loss.isfinite():
            raise ValueError(f"The loss of step {len(losses) + 1} is {loss.item()}: lower the learning rate.")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    model.eval()
    return losses


def _batches(
    rankings: Sequence[EncodedRanking], n_epochs: int, batch_size: int, seed: int
) -> Iterator[list[EncodedRanking]]:
    rng = random.Random(seed)
    for _ in range(n_epochs):
        order = rng.sample(range(len(rankings)), len(rankings))
        for start in range(0, len(order), batch_size):
            yield [rankings[i] for i in order[start : start + batch_size]]


def trl_trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rankings: Sequence[Ranking],
    folder: str | Path,
    **settings: Any,
) -> RewardTrainer:
    """Return TRL's trainer for the same data, as pairs.

    Args:
        model: from `reward_model`.
        tokenizer: its tokenizer.
        rankings: whose pairs it learns.
        folder: for its checkpoints.
        **settings: of `trl.RewardConfig`.

    Returns:
        The trainer; call `.train()`.
    """
    from datasets import Dataset
    from trl import RewardConfig, RewardTrainer

    pairs = Dataset.from_list(as_columns(rankings)).remove_columns("labeler")
    config = trl_config(RewardConfig, folder, model, **{"disable_dropout": True, **settings})
    return RewardTrainer(model=model, args=config, train_dataset=pairs, processing_class=tokenizer)
