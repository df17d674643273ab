"""The reward model: the supervised model with one number at the end of a text instead of the next word.

Slide "Collect comparison data, and train a reward model". It is a plain `AutoModelForSequenceClassification`
with one label, saved and loaded as such. What the library does not do, and what is done here: the number is
read at the last *real* token, wherever the padding stands and even if the padding token is also the one that
ends a text (the library's own pooling then reads a token too early).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from course_lib.padding import counted_positions, padded
from course_lib.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Example = tuple[list[int], list[int]]  # ids of a prompt, ids of a response
BATCH = 64


def reward_model(policy: PreTrainedModel, seed: int = 1) -> PreTrainedModel:
    """Make an untrained reward model of a supervised one: its body, and a new head.

    Args:
        policy: a causal language model; it is not changed.
        seed: of the head, whose weights are drawn with standard deviation 1/√(d + 1) (Stiennon et al., 2020).

    Returns:
        The model, in evaluation mode.

    Raises:
        ValueError: an architecture that has no such head.
    """
    config = copy.deepcopy(policy.config)
    config.num_labels = 1
    config.reward_mean = 0.0  # subtracted from every reward, see `normalise`
    with quiet():
        model = AutoModelForSequenceClassification.from_config(config, dtype=policy.dtype).to(policy.device)
    if not hasattr(model, "score"):
        raise ValueError(f"{type(model).__name__} has no head called `score`: take a decoder.")
    model.base_model.load_state_dict(policy.base_model.state_dict())
    width = model.score.in_features
    drawn = torch.randn(1, width, generator=torch.Generator().manual_seed(seed)) / (width + 1) ** 0.5
    with torch.no_grad():
        model.score.weight.copy_(drawn)
    return model.eval()


def token_values(model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the head's number at every token.

    Args:
        model: from `reward_model`.
        input_ids: (batch, time).
        attention_mask: 0 where there is padding, on either side (batch, time).

    Returns:
        (batch, time), in float32.
    """
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
    inputs["position_ids"] = counted_positions(attention_mask)
    hidden = model.base_model(**inputs, use_cache=False).last_hidden_state
    return model.score(hidden)[..., 0].float() - model.config.reward_mean


def rewards(model: PreTrainedModel, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the reward of each text: the head's number at its last real token.

    Args:
        model: from `reward_model`.
        input_ids: (batch, time).
        attention_mask: (batch, time).

    Returns:
        (batch,), in float32.

    Raises:
        ValueError: a text without tokens.
    """
    if not bool(attention_mask.any(1).all()):
        raise ValueError("A text has no tokens: there is nothing to give a reward for.")
    places = torch.arange(input_ids.shape[1], device=input_ids.device)
    last = (attention_mask * places).argmax(1)
    return token_values(model, input_ids, attention_mask).gather(1, last[:, None])[:, 0]


def encode(tokenizer: PreTrainedTokenizerBase, prompt: str, response: str) -> Example:
    """Return the ids of a prompt, and of a response to it with the end of text.

    A response of length zero has that one token.

    Args:
        tokenizer: the policy's.
        prompt: as the policy reads it.
        response: as it writes it.
    """
    before = tokenizer(prompt)["input_ids"]
    whole = tokenizer(prompt + response + tokenizer.eos_token)["input_ids"]
    n = next((i for i, (a, b) in enumerate(zip(before, whole, strict=False)) if a != b), len(before))
    return whole[:n], whole[n:]


@torch.inference_mode()
def score(model: PreTrainedModel, examples: Sequence[Example]) -> Tensor:
    """Return the reward of each response.

    Args:
        model: from `reward_model`.
        examples: from `encode`.

    Returns:
        (examples,), on the processor.

    Raises:
        ValueError: a reward that is no number.
    """
    found = torch.empty(len(examples))
    order = sorted(range(len(examples)), key=lambda i: sum(map(len, examples[i])))
    for start in range(0, len(order), BATCH):
        some = order[start : start + BATCH]
        texts = [[*examples[i][0], *examples[i][1]] for i in some]
        ids, mask = padded(texts, 0), padded([[1] * len(text) for text in texts], 0)
        found[some] = rewards(model, ids.to(model.device), mask.to(model.device)).cpu()
    if not found.isfinite().all():
        worst = int((~found.isfinite()).nonzero()[0])
        raise ValueError(f"The reward of text {worst} is {found[worst]}: the reward model is broken.")
    return found


def closed(examples: Sequence[Example], eos_id: int) -> list[Example]:
    """Put the end of text after responses that were cut off: a reward model has read no other kind.

    Args:
        examples: as the policy wrote them.
        eos_id: the token that ends a text.

    Returns:
        The examples, each with one end of text.
    """
    return [(p, r if r and r[-1] == eos_id else [*r, eos_id]) for p, r in examples]


def normalise(model: PreTrainedModel, demonstrations: Sequence[Example]) -> float:
    """Move the rewards so that demonstrations have a mean of 0 (Ouyang et al., 2022, section 3.5).

    Args:
        model: is changed; the number is saved with its configuration.
        demonstrations: from `encode`.

    Returns:
        What is subtracted from every reward now.
    """
    model.config.reward_mean += float(score(model, demonstrations).mean())
    return model.config.reward_mean
