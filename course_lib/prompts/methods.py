"""Prompt tuning and its rivals under one interface (slides "Prompt-tuning: motivation", "Experimental
Setup").

Continuous prompt tuning is ours, with soft tokens wherever the format puts them. Prefix-Tuning (Li & Liang,
2021), P-Tuning (Liu et al., 2021), Prompt Tuning (Lester et al., 2021) and LoRA (Hu et al., 2021) are PEFT's;
fine-tuning trains all weights, and a zero-shot model none. The rivals read the task's own words.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.prompts import tasks
from course_lib.prompts.encoding import EncodedPrompt, encode
from course_lib.prompts.format import PromptFormat
from course_lib.prompts.generation import generate
from course_lib.prompts.loss import collate, target_logits
from course_lib.prompts.prompt import Prompt, attach, detach, new_prompt
from course_lib.prompts.tuning import Example, History, tune

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from course_lib.tasks import Task

# deck: a learning rate of 1e-5 for fine-tuning 760M parameters; small models take, and need, larger ones
LEARNING_RATES: dict[str, float] = {
    "prompt, tensor": 0.03,
    "prompt, lstm": 1e-3,
    "prompt, mlp": 1e-3,
    "prompt tuning": 0.03,
    "p-tuning": 3e-3,
    "prefix-tuning": 0.03,
    "lora": 3e-3,
    "fine-tuning": 3e-4,
}
METHODS: tuple[str, ...] = ("zero-shot", *LEARNING_RATES)


@dataclass(frozen=True)
class Words:
    """A format without soft tokens, to be encoded like a prompt."""

    form: PromptFormat
    first_id: int

    def encode(
        self,
        tokenizer: PreTrainedTokenizerBase,
        fields: Mapping[str, Any],
        target: str | None = None,
        **options: Any,
    ) -> EncodedPrompt:
        """See `encoding.encode`."""
        return encode(self.form, tokenizer, fields, self.first_id, target, **options)


@dataclass
class Method:
    """A model made ready to be tuned for one task.

    Attributes:
        name: one of `METHODS`.
        task: what it is tuned for.
        tokenizer: the model's.
        reader: the model that reads; for PEFT's methods theirs, for fine-tuning a copy.
        trained: whose parameters are trained.
        prompt: encodes the examples: our prompt, or the task's words.
        max_tokens: longer examples are truncated.
    """

    name: str
    task: Task
    tokenizer: PreTrainedTokenizerBase
    reader: PreTrainedModel
    trained: nn.Module
    prompt: Prompt | Words
    max_tokens: int | None = None

    @property
    def n_trained(self) -> int:
        """How many numbers are trained."""
        if self.name == "zero-shot":
            return 0
        return sum(parameter.numel() for parameter in self.trained.parameters() if parameter.requires_grad)

    @property
    def n_served(self) -> int:
        """How many numbers to keep for this task beside the shared model; no provider needs its network."""
        if isinstance(self.prompt, Prompt):
            return self.prompt.provider.n_tokens * self.prompt.provider.dim
        if self.name in ("prompt tuning", "p-tuning"):
            return self.reader.get_prompt_embedding_to_save("default").numel()
        return self.n_trained

    def examples(self, rows: Sequence[Mapping[str, Any]], over_labels: bool = False) -> list[Example]:
        """Encode rows for training (see `tasks.examples`)."""
        options = {"over_labels": over_labels, "max_tokens": self.max_tokens}
        return tasks.examples(self.task, rows, self.prompt, self.tokenizer, **options)

    def tune(
        self,
        train: Sequence[Mapping[str, Any]],
        validation: Sequence[Mapping[str, Any]] = (),
        *,
        over_labels: bool = False,
        **arguments: Any,
    ) -> History | None:
        """Train on rows of the task (see `tuning.tune`); a zero-shot model stays as it is."""
        if self.name == "zero-shot":
            return None
        counts = (
            {len(tasks.choices(self.task, row)) for row in (*train, *validation)} if over_labels else {None}
        )
        if len(counts) > 1:
            raise ValueError(
                f"{self.task.title} has rows with other numbers of choices: over_labels needs one."
            )
        [n_labels] = counts
        arguments = {"learning_rate": LEARNING_RATES[self.name], **arguments}
        return tune(
            self.trained,
            self.reader,
            self.examples(train, over_labels),
            self.examples(validation, over_labels),
            pad_id=self.tokenizer.pad_token_id,
            n_labels=n_labels,
            **arguments,
        )

    def answers(self, rows: Sequence[Mapping[str, Any]]) -> list[int | str]:
        """Answer rows: for each what `course_lib.tasks.metrics.evaluate` takes."""
        if isinstance(self.prompt, Prompt):
            return tasks.answers(
                self.reader, self.tokenizer, self.task, self.prompt, rows, max_tokens=self.max_tokens
            )
        scores = self.scores(rows)
        if self.task.name == "rucos":
            return [row["entities"][int(each.argmax())] for row, each in zip(rows, scores, strict=True)]
        return [int(each.argmax()) for each in scores]

    def write(self, rows: Sequence[Mapping[str, Any]], max_new_tokens: int = 48, **options: Any) -> list[str]:
        """Write the answer to each row (see `generation.generate`)."""
        shown = [tasks.fields(self.task, row) for row in rows]
        options |= {"max_tokens": self.max_tokens, "truncate": tasks.truncated(self.task, self.prompt)}
        if self.name in ("prompt tuning", "p-tuning"):
            options["batch_size"] = 1  # PEFT drops the positions, and would read a padded row shifted
        with warnings.catch_warnings():  # it says so at every step
            warnings.filterwarnings("ignore", "Position ids are not supported")
            return generate(self.reader, self.tokenizer, self.prompt, shown, max_new_tokens, **options)

    @torch.inference_mode()
    def scores(self, rows: Sequence[Mapping[str, Any]], batch_size: int = 32) -> list[np.ndarray]:
        """Score every choice of every row by plain reading, which any model can do (see `choice_scores`)."""
        texts = [tasks.choices(self.task, row) for row in rows]
        options = {
            "end": False,
            "max_tokens": self.max_tokens,
            "truncate": tasks.truncated(self.task, self.prompt),
        }
        encoded = [
            self.prompt.encode(self.tokenizer, tasks.fields(self.task, row), text, **options)
            for row, some in zip(rows, texts, strict=True)
            for text in some
        ]
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i].ids))
        values = np.zeros(len(encoded))
        for start in range(0, len(order), batch_size):
            some = order[start : start + batch_size]
            batch = collate([(encoded[i].ids, encoded[i].labels) for i in some], self.tokenizer.pad_token_id)
            logits, targets = target_logits(
                self.reader, **{k: v.to(self.reader.device) for k, v in batch.items()}
            )
            each = -F.cross_entropy(logits, targets, reduction="none")
            of = np.repeat(some, [encoded[i].n_target for i in some])
            np.add.at(values, of, each.cpu().double().numpy())
        ends = np.cumsum([len(some) for some in texts])
        return np.split(values, ends[:-1])

    def close(self) -> None:
        """Leave the shared model as it was."""
        if isinstance(self.prompt, Prompt):
            detach(self.reader)
        elif self.name == "lora":
            self.reader.unload().requires_grad_(True)
        elif self.name in ("prompt tuning", "p-tuning", "prefix-tuning"):
            self.reader.base_model.requires_grad_(True)  # PEFT has frozen it


def prepare(
    name: str,
    task: Task,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    template: str | None = None,
    n_soft: int = 20,
    rank: int = 8,
    max_tokens: int | None = None,
    **settings: Any,
) -> Method:
    """Make a model ready to be tuned by one of the methods.

    Args:
        name: one of `METHODS`.
        task: with a choice of answers, or free texts.
        model: shared by all methods; only fine-tuning copies it. Call `close` before the next one.
        tokenizer: its tokenizer.
        template: the prompt's format; None takes that of `tasks.FORMATS`.
        n_soft: soft tokens, or prefixes, of PEFT's methods.
        rank: of LoRA.
        max_tokens: longer examples are truncated.
        **settings: of `new_prompt`.

    Raises:
        ValueError: no such method.
    """
    if name not in METHODS:
        raise ValueError(f"There is no method {name!r}: choose one of {', '.join(METHODS)}.")
    if name.startswith("prompt, "):
        provider = name.removeprefix("prompt, ")
        prompt = new_prompt(template or tasks.FORMATS[task.name], model, tokenizer, provider, **settings)
        attach(model, prompt)
        return Method(name, task, tokenizer, model, prompt, prompt, max_tokens)
    plain = "{text}" if task.name in tasks.LABEL_WORDS else task.template
    words = Words(PromptFormat.parse(plain), model.get_input_embeddings().num_embeddings)
    if name == "zero-shot":
        reader = model
    elif name == "fine-tuning":
        reader = copy.deepcopy(model).requires_grad_(True)
    else:
        reader = with_peft(name, model, n_soft, rank)
    return Method(name, task, tokenizer, reader, reader, words, max_tokens)


def with_peft(name: str, model: PreTrainedModel, n_soft: int, rank: int) -> PreTrainedModel:
    """Return PEFT's model for one of its methods."""
    import peft

    common = {"task_type": peft.TaskType.CAUSAL_LM}
    config = {
        "prompt tuning": lambda: peft.PromptTuningConfig(
            **common, num_virtual_tokens=n_soft, prompt_tuning_init=peft.PromptTuningInit.SAMPLE_VOCAB
        ),
        "p-tuning": lambda: peft.PromptEncoderConfig(
            **common,
            num_virtual_tokens=n_soft,
            encoder_reparameterization_type="LSTM",
            encoder_hidden_size=128,
        ),
        "prefix-tuning": lambda: peft.PrefixTuningConfig(**common, num_virtual_tokens=n_soft),
        "lora": lambda: peft.LoraConfig(**common, r=rank, lora_alpha=2 * rank, target_modules="all-linear"),
    }[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that other libraries have changed
        return peft.get_peft_model(model, config).eval()
