"""InstructGPT's three steps in the micro-world, each a function: demonstrations, comparisons, PPO.

Slides "InstructGPT", "InstructGPT dataset sizes". What lectures 8 and 9, the seminars and the long
comparisons have in common.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from course_lib.rewards.comparisons import Ranking
from course_lib.world.demonstrations import USE_CASES, make

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from course_lib.rewards.labeler import Labeler
    from course_lib.rewards.model import Example

Row = dict[str, Any]
MAX_NEW_TOKENS = 40
K = (4, 9)  # answers to a prompt, at least and at most (Ouyang et al., 2022, section 3.5)
MAX_PROMPT = 160  # tokens


def questions(
    sizes: Mapping[tuple[str, str], int], part: str, scale: float, seed: int = 0, source: str | None = None
) -> list[Row]:
    """Return what labelers and customers ask, in the deck's use cases and, nearly, its proportions.

    No prompt comes twice: of use cases in which many ask the same, a little less is left.

    Args:
        sizes: `rewards.RANKED_PROMPTS` or `rewards.PPO_PROMPTS`.
        part: "train" or "validation".
        scale: of the deck's sizes.
        seed: other questions for another seed; 0 for the reward model's, 1 for PPO's.
        source: "labeler" or "customer" alone.

    Returns:
        `prompt`, `category`, `source` and `reference`, what a labeler would answer.

    Raises:
        ValueError: fewer than one question.
    """
    rng = random.Random(f"questions-{part}-{seed}")
    categories, shares = list(USE_CASES), list(USE_CASES.values())
    rows: dict[str, Row] = {}
    for (of_part, asker), size in sizes.items():
        if of_part != part or source not in (None, asker):
            continue
        wanted = len(rows) + round(size * scale)
        for number in range(20 * round(size * scale)):
            if len(rows) == wanted:
                break
            [category] = rng.choices(categories, shares)
            made = make(category, part, (seed + 2) * 10**7 + number, customer=asker == "customer")
            asked, answered = (message["content"] for message in made["messages"])
            row = {"prompt": asked, "category": category, "source": asker, "reference": answered}
            rows.setdefault(asked, row)
    if not rows:
        raise ValueError(f"{scale} of the deck's sizes are no question: take more.")
    return rng.sample(list(rows.values()), len(rows))


def prompt_ids(tokenizer: PreTrainedTokenizerBase, rows: Iterable[Row]) -> list[list[int]]:
    """Return the ids of what the policy reads for each question."""
    from course_lib.instructions.supervised import asked

    return [tokenizer(asked(row["prompt"]))["input_ids"][-MAX_PROMPT:] for row in rows]


def supervised_policy(
    backbone: str, seed: int = 1, n_epochs: int = 1, progress: bool = True
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Carry out step 1: tune a model on the demonstrations.

    Args:
        backbone: a name that `load_lm` takes.
        seed: of the order.
        n_epochs: passes over the demonstrations.
        progress: whether a bar is shown.

    Returns:
        The policy, in evaluation mode, and its tokenizer.
    """
    from course_lib.instructions.packing import batches, packed
    from course_lib.instructions.supervised import encode_all
    from course_lib.instructions.tuning import tune
    from course_lib.instructions.use_cases import chats
    from course_lib.models import load_lm

    model, tokenizer = load_lm(backbone, dtype="float32")
    encoded, _ = encode_all(tokenizer, chats("train", tokenizer.eos_token), 512)
    packs = packed(encoded, 512)
    ready = batches(packs, 2, tokenizer.pad_token_id, seed)
    tune(model, ready, n_epochs * (len(packs) // 2), learning_rate=5e-4, progress=progress)
    return model.eval(), tokenizer


def answers(
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    k: tuple[int, int] = K,
    seed: int = 0,
    temperature: float = 1.0,
) -> list[list[str]]:
    """Sample several different answers to each question.

    Args:
        policy: the supervised one.
        tokenizer: its tokenizer.
        rows: from `questions`.
        k: answers at least and at most; how many it is, is chance.
        seed: of chance.
        temperature: of sampling.

    Returns:
        For each question its answers; fewer where the policy said the same twice.
    """
    from course_lib.ppo.rollout import sample, uniforms

    rng = random.Random(f"answers-{seed}")
    numbers = [rng.randint(*k) for _ in rows]
    prompts = [ids for ids, n in zip(prompt_ids(tokenizer, rows), numbers, strict=True) for _ in range(n)]
    chance = uniforms(len(prompts), MAX_NEW_TOKENS, seed)
    eos = tokenizer.eos_token_id
    sampled = sample(policy, prompts, chance, eos_id=eos, temperature=temperature)
    texts = decoded(tokenizer, [tokens for _, tokens in sampled.examples()])
    found, start = [], 0
    for n in numbers:
        found.append(list(dict.fromkeys(texts[start : start + n])))
        start += n
    return found


def decoded(tokenizer: PreTrainedTokenizerBase, responses: Sequence[Sequence[int]]) -> list[str]:
    """Return responses as texts, without the end of text and white space about them."""
    return [text.strip() for text in tokenizer.batch_decode(responses, skip_special_tokens=True)]


def compared(
    rows: Sequence[Row], answered: Sequence[Sequence[str]], labelers: Sequence[Labeler], seed: int = 0
) -> list[Ranking]:
    """Carry out step 2's first half: let labelers rank answers, each question by one of them.

    Args:
        rows: from `questions`.
        answered: from `answers`.
        labelers: who rank; whose turn it is, is chance.
        seed: of chance and slips.

    Returns:
        The rankings; a question to which all answers are as good as one another has none.
    """
    rng = random.Random(f"labelers-{seed}")
    rankings = []
    for row, texts in zip(rows, answered, strict=True):
        labeler = rng.choice(labelers)
        ranking = labeler.rank(row, texts, seed) if len(texts) > 1 else None
        rankings += [ranking] if ranking else []
    return rankings


def as_read(ranking: Ranking) -> Ranking:
    """Return a ranking with prompt and answers as the policy reads and writes them."""
    from course_lib.instructions.supervised import asked

    return replace(
        ranking, prompt=asked(ranking.prompt), responses=tuple(f" {text}" for text in ranking.responses)
    )


def trained_reward(
    policy: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rankings: Sequence[Ranking],
    **settings: Any,
) -> PreTrainedModel:
    """Carry out step 2's second half: train a reward model, its mean over the demonstrations 0.

    Args:
        policy: the supervised one, whose body the reward model begins with.
        tokenizer: its tokenizer.
        rankings: from `compared`.
        **settings: of `rewards.train`.

    Returns:
        The reward model.
    """
    from course_lib.instructions.use_cases import chats
    from course_lib.rewards.model import encode, normalise, reward_model
    from course_lib.rewards.training import encode_ranking, train

    model = reward_model(policy, settings.get("seed", 1))
    train(model, [encode_ranking(tokenizer, as_read(ranking)) for ranking in rankings], **settings)
    held_out = chats("validation", tokenizer.eos_token)
    normalise(model, [encode(tokenizer, chat["prompt"], chat["completion"]) for chat in held_out])
    return model


def ranking_rewards(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rankings: Sequence[Ranking]
) -> list[Any]:
    """Return the rewards of all answers of each ranking, as arrays (answers,)."""
    from course_lib.rewards.model import encode

    read = [as_read(ranking) for ranking in rankings]
    examples = [encode(tokenizer, each.prompt, text) for each in read for text in each.responses]
    found = learned_reward(model, tokenizer)(examples)
    return [each.numpy() for each in found.split([len(each.responses) for each in read])]


def learned_reward(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase
) -> Callable[[Sequence[Example]], torch.Tensor]:
    """Return what a reward model thinks of responses, those that were cut off closed first.

    Args:
        model: from `trained_reward`.
        tokenizer: the policy's.

    Returns:
        A function of (prompt, response) in ids that returns (examples,).
    """
    from course_lib.rewards.model import closed, score

    return lambda examples: score(model, closed(examples, tokenizer.eos_token_id))


def true_reward(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]
) -> Callable[[Sequence[Example]], torch.Tensor]:
    """Return what a labeler who makes no mistake thinks of responses to these questions.

    Args:
        tokenizer: the policy's.
        rows: from `questions`.

    Returns:
        A function of (prompt, response) in ids that returns (examples,).
    """
    import torch

    from course_lib.world.judgement import judge

    of_prompt = {tuple(ids): row for ids, row in zip(prompt_ids(tokenizer, rows), rows, strict=True)}

    def reward(examples: Sequence[Example]) -> torch.Tensor:
        texts = decoded(tokenizer, [response for _, response in examples])
        return torch.tensor(
            [
                judge(of_prompt[tuple(prompt)], text).total
                for (prompt, _), text in zip(examples, texts, strict=True)
            ]
        )

    return reward
