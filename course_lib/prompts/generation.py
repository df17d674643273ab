"""Text generation after a prompt (slide "Text generation")."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from course_lib.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from course_lib.prompts.prompt import Prompt


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    rows: Sequence[Mapping[str, Any]],
    max_new_tokens: int = 48,
    *,
    batch_size: int = 16,
    seed: int = 0,
    max_tokens: int | None = None,
    truncate: str | None = None,
    **options: Any,
) -> list[str]:
    """Write on after the prompt of each row.

    With soft tokens the model is given embeddings, not ids: so whatever looks at what was written before, as
    a repetition penalty does, sees the new text alone, and no id that the vocabulary does not have.

    Args:
        model: with the prompt attached.
        tokenizer: its tokenizer.
        prompt: the prompt, or what encodes a format without soft tokens.
        rows: what its fields hold.
        max_new_tokens: at most so many tokens each.
        batch_size: rows at once.
        seed: of the samples.
        max_tokens, truncate: see `encoding.encode`.
        **options: of `generate`; greedy by default.

    Returns:
        The new texts, in the rows' order, up to the end-of-text token.
    """
    from transformers import set_seed

    set_seed(seed)
    settings = {"do_sample": False, "max_new_tokens": max_new_tokens, "pad_token_id": tokenizer.pad_token_id}
    if "stop_strings" in options:
        settings["tokenizer"] = tokenizer
    limits = {"max_tokens": max_tokens, "truncate": truncate}
    encoded = [prompt.encode(tokenizer, row, **limits).ids for row in rows]
    soft = any(i >= prompt.first_id for ids in encoded for i in ids)  # PEFT's models generate from ids alone
    order = sorted(range(len(rows)), key=lambda i: len(encoded[i]))
    texts = [""] * len(rows)
    with torch.inference_mode(), quiet():  # a text that has ended goes on as padding, of which it would warn
        for start in range(0, len(order), batch_size):
            some = order[start : start + batch_size]
            inputs = tokenizer.pad(
                {"input_ids": [encoded[i] for i in some]}, padding_side="left", return_tensors="pt"
            ).to(model.device)
            if soft:
                inputs["inputs_embeds"] = model.get_input_embeddings()(inputs.pop("input_ids"))
            ids = model.generate(**inputs, **settings | options)
            if not soft:
                ids = ids[:, inputs["input_ids"].shape[1] :]
            for i, text in zip(some, tokenizer.batch_decode(ids, skip_special_tokens=True), strict=True):
                texts[i] = text
    return texts
