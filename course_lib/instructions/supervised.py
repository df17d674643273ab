"""Instructions as the ecosystem keeps them, and as token ids with a loss on the answer alone.

Two kinds of columns: `prompt` and `completion`, or `messages`. Both give the same text, that of the
micro-world's dialogues: «Пользователь: … Ассистент: …».
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_lib.instructions.templates import Instruction

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

USER, ASSISTANT = "Пользователь:", "Ассистент:"
SPEAKERS = {"user": USER, "assistant": ASSISTANT}
# what `messages` become: every turn on a line, the end of text after each answer
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.role == 'user' -%}"
    "{{- '' if loop.first else '\\n' -}}{{- 'Пользователь: ' + message.content -}}"
    "{%- else -%}"
    "{{- '\\nАссистент:' -}}{%- generation -%}{{- ' ' + message.content + eos_token -}}{%- endgeneration -%}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{{- '\\nАссистент:' if add_generation_prompt else '' -}}"
)


@dataclass(frozen=True)
class Encoded:
    """An instruction as token ids.

    Attributes:
        ids: of prompt and completion (tokens,).
        n_prompt: how many of them are the prompt's, on which there is no loss.
    """

    ids: list[int]
    n_prompt: int


def asked(prompt: str) -> str:
    """Return the text that a model continues with its answer."""
    return f"{USER} {prompt}\n{ASSISTANT}"


def as_columns(instruction: Instruction) -> dict[str, str]:
    """Return an instruction in the columns `prompt` and `completion`."""
    return {"prompt": asked(instruction.prompt), "completion": f" {instruction.target}"}


def as_messages(instruction: Instruction) -> dict[str, list[dict[str, str]]]:
    """Return an instruction in the column `messages`."""
    return {
        "messages": [
            {"role": "user", "content": instruction.prompt},
            {"role": "assistant", "content": instruction.target},
        ]
    }


def from_messages(messages: Sequence[Mapping[str, str]], eos_token: str) -> dict[str, str]:
    """Return a chat as `prompt`, all but its last answer, and `completion`, that answer.

    Args:
        messages: turns of "user" and "assistant", who take turns, the last of them an answer.
        eos_token: the tokenizer's, which ends every answer.

    Raises:
        ValueError: no turn of the user's, a role that there is not, turns out of order.
    """
    roles = [message.get("role") for message in messages]
    if "user" not in roles:
        raise ValueError(f"This chat has no user turn, only {roles}: there is nothing to answer.")
    if unknown := [role for role in roles if role not in SPEAKERS]:
        raise ValueError(f"A turn has the role {unknown[0]!r}; there are {', '.join(SPEAKERS)}.")
    if roles != ["user", "assistant"] * (len(roles) // 2):
        raise ValueError(
            f"The turns must be user, assistant, user, …, assistant, and are {', '.join(roles)}."
        )
    turns = [
        f"{SPEAKERS[message['role']]} {message['content']}"
        + (eos_token if message["role"] == "assistant" else "")
        for message in messages[:-1]
    ]
    return {"prompt": "\n".join([*turns, ASSISTANT]), "completion": f" {messages[-1]['content']}"}


def encode(tokenizer: PreTrainedTokenizerBase, row: Mapping[str, str]) -> Encoded:
    """Turn `prompt` and `completion` into token ids, the end of text last.

    Raises:
        ValueError: an empty completion.
    """
    if not row["completion"].strip():
        raise ValueError(f"The completion of «…{row['prompt'][-40:]}» is empty: there is nothing to learn.")
    prompt = tokenizer(row["prompt"])["input_ids"]
    whole = tokenizer(row["prompt"] + row["completion"] + tokenizer.eos_token)["input_ids"]
    return Encoded(whole, len(prompt))


def encode_all(
    tokenizer: PreTrainedTokenizerBase, rows: Iterable[Mapping[str, str]], max_length: int
) -> tuple[list[Encoded], list[int]]:
    """Encode rows, and say which are too long.

    What does not fit is left out whole: an instruction without its beginning is another one, and an answer
    that is cut teaches to stop in the middle.

    Args:
        tokenizer: the model's.
        rows: `prompt` and `completion` each.
        max_length: tokens that a row may have.

    Returns:
        The rows that fit, and the places of those that do not.

    Raises:
        ValueError: none fits.
    """
    encoded = [encode(tokenizer, row) for row in rows]
    fitting = [one for one in encoded if len(one.ids) <= max_length]
    if not fitting:
        raise ValueError(f"None of the {len(encoded)} rows fits into {max_length} tokens.")
    return fitting, [i for i, one in enumerate(encoded) if len(one.ids) > max_length]


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase, rows: Iterable[Mapping[str, str]]
) -> list[tuple[list[int], list[int]]]:
    """Turn `prompt` and `completion` into what an encoder reads and a decoder writes (T0).

    Returns:
        For each row the ids of the prompt, and those of the completion with the end of text.
    """
    encoded = [encode(tokenizer, row) for row in rows]
    return [(one.ids[: one.n_prompt], one.ids[one.n_prompt :]) for one in encoded]
