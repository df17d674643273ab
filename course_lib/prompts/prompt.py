"""A prompt: a format, and a provider of the embeddings that stand where the format says.

Slide "CPT: Internals". Only what comes out of the model's embedding is changed: its weights, its vocabulary
and its modules stay what they were, and `detach` leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.models import lm_name
from course_lib.prompts.encoding import EncodedPrompt, encode
from course_lib.prompts.format import PromptFormat
from course_lib.prompts.providers import PROVIDERS, PromptProvider

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

INITS = ("vocabulary", "random", "provider")


class Prompt(nn.Module):
    """Soft tokens for one task.

    Attributes:
        form: the format, counted.
        provider: gives the soft tokens' embeddings.
        backbone: name of the model that it is made for.
        first_id: the id of its first soft token in the model that it is attached to, or None.
    """

    def __init__(self, form: PromptFormat, provider: PromptProvider, backbone: str = "") -> None:
        super().__init__()
        if form.n_soft != provider.n_tokens:
            raise ValueError(
                f"The format has {form.n_soft} soft tokens, and the provider {provider.n_tokens} embeddings."
            )
        self.form, self.provider, self.backbone = form, provider, backbone
        self.first_id: int | None = None

    def forward(self) -> Tensor:
        """Return the embeddings of the soft tokens (n_soft, dim)."""
        return self.provider()

    def encode(
        self,
        tokenizer: PreTrainedTokenizerBase,
        fields: Mapping[str, Any],
        target: str | None = None,
        **options: Any,
    ) -> EncodedPrompt:
        """Fill the format and turn it into tokens (see `encoding.encode`).

        Raises:
            ValueError: the prompt is not attached, or as `encode`.
        """
        if self.first_id is None:
            raise ValueError("Attach the prompt to a model first: only then are its soft tokens' ids known.")
        return encode(self.form, tokenizer, fields, self.first_id, target, **options)


def new_prompt(
    template: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    provider: str = "tensor",
    init: str | None = None,
    **settings: int,
) -> Prompt:
    """Make an untrained prompt for a model.

    Args:
        template: the format.
        model: a causal language model with an input embedding.
        tokenizer: its tokenizer.
        provider: a name of `PROVIDERS`.
        init: what the embeddings begin as where the format gives no text: "vocabulary" (words drawn at
            random), "random" (normal numbers), or "provider" (whatever its own weights give); None is
            "vocabulary" for a tensor and "provider" for the others.
        **settings: of the provider.

    Raises:
        ValueError: a template that cannot be read or has no soft token, or an unknown name or setting.
    """
    for given, known, what in ((provider, PROVIDERS, "provider"), (init, (None, *INITS), "init")):
        if given not in known:
            raise ValueError(f"{what}='{given}' must be one of {', '.join(map(str, known))}.")
    known_settings = list(signature(PROVIDERS[provider]).parameters)[2:]
    if unknown := sorted(settings.keys() - set(known_settings)):
        has = f"it has {', '.join(known_settings)}" if known_settings else "it has none"
        raise ValueError(f"The provider '{provider}' has no setting {', '.join(unknown)}: {has}.")
    form = PromptFormat.parse(template).count(tokenizer)
    if not form.n_soft:
        raise ValueError(f"The format {template!r} has no soft token, nothing to train: put <P> into it.")
    words = model.get_input_embeddings()
    made = PROVIDERS[provider](form.n_soft, words.embedding_dim, **settings).to(words.weight.device)
    prompt = Prompt(form, made, lm_name(model))
    texts = form.initial_ids(tokenizer)
    init = init or ("vocabulary" if provider == "tensor" else "provider")
    if init != "provider" or texts:
        with torch.no_grad():
            rows = made().float().clone()
            if init != "provider":
                drawn = torch.randint(words.num_embeddings, (form.n_soft,), device=rows.device)
                rows = words(drawn).float() if init == "vocabulary" else torch.randn_like(rows)
            for k, i in texts.items():
                rows[k] = words(torch.tensor(i, device=rows.device)).float()
            made.begin_as(rows)
    return prompt


def attach(model: PreTrainedModel, *prompts: Prompt) -> None:
    """Let a model read the soft tokens of some prompts, each of which gets ids of its own.

    The embedding's `forward` looks up words as ever, and soft tokens, whose ids lie behind the vocabulary, in
    the prompts. A batch may mix rows of all prompts and rows without any.

    Args:
        model: a causal language model.
        *prompts: of its embedding's width; they stay in float32 whatever the model is in.

    Raises:
        ValueError: a model that already has prompts, or a prompt of another width; later, when the model
            reads, a vocabulary that has been resized meanwhile.
    """
    words = model.get_input_embeddings()
    if isinstance(words.forward, SoftLookup):
        raise ValueError("This model already has a prompt attached: detach it first.")
    if not prompts:
        raise ValueError("There is no prompt to attach.")
    sizes = [prompt.provider.n_tokens for prompt in prompts]
    firsts = list(accumulate(sizes[:-1], initial=words.num_embeddings))
    for prompt, first in zip(prompts, firsts, strict=True):
        check_fits(prompt, model)
        if prompt.first_id not in (None, first):
            raise ValueError(
                "This prompt is attached to a model in which its soft tokens have other ids: detach it there "
                "first, or attach a copy."
            )
    for prompt, first in zip(prompts, firsts, strict=True):
        prompt.first_id = first
    words.forward = SoftLookup(words, prompts)


class SoftLookup:
    """What an embedding does with prompts: words are looked up in its table, soft tokens in the prompts.

    An object and no closure, so that a deep copy of the model looks up in the copy.

    Attributes:
        prompts: that are attached.
        before: the embedding's own `forward`, if a library had replaced it too.
    """

    def __init__(self, words: nn.Embedding, prompts: Sequence[Prompt]) -> None:
        self.words, self.prompts, self.n_words = words, prompts, words.num_embeddings
        self.look_up, self.before = words.forward, vars(words).get("forward")

    def __call__(self, ids: Tensor) -> Tensor:
        if self.words.num_embeddings != self.n_words:
            raise ValueError(
                f"The vocabulary had {self.n_words} words when the prompt was attached, and now has "
                f"{self.words.num_embeddings}: detach the prompt, attach it again, and encode anew."
            )
        is_soft = ids >= self.n_words
        if not torch.compiler.is_compiling() and not is_soft.any():
            return self.look_up(ids)  # all but the first step of generation
        embedded = self.look_up(ids.masked_fill(is_soft, 0))
        rows = torch.cat([prompt() for prompt in self.prompts]).to(embedded.device, embedded.dtype)
        soft = F.embedding((ids - self.n_words).clamp(min=0), rows)
        return torch.where(is_soft[..., None], soft, embedded)


def check_fits(prompt: Prompt, model: PreTrainedModel) -> None:
    """Make sure that a prompt's embeddings are as wide as a model's.

    Raises:
        ValueError: they are not; it names both models.
    """
    width, name = model.get_input_embeddings().embedding_dim, lm_name(model)
    if prompt.provider.dim != width:
        raise ValueError(
            f"The prompt was made for '{prompt.backbone}', whose embeddings are {prompt.provider.dim} wide; "
            f"those of '{name}' are {width} wide."
        )


def detach(model: PreTrainedModel) -> None:
    """Make a model as it was before `attach`; one without prompts stays as it is."""
    words = model.get_input_embeddings()
    if isinstance(words.forward, SoftLookup):
        for prompt in words.forward.prompts:
            prompt.first_id = None
        before = words.forward.before
        del words.forward
        if before is not None:  # a library had replaced it too
            words.forward = before


@contextmanager
def attached(model: PreTrainedModel, *prompts: Prompt) -> Iterator[None]:
    """Attach prompts for as long as a `with` lasts."""
    attach(model, *prompts)
    try:
        yield
    finally:
        detach(model)
