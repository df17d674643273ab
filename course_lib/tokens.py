"""What a byte-level BPE token is made of: its bytes, a label to look at, and how many bytes it saves.

Slide "Details of GPT implementation": "Byte-level BPE vocabulary, ~50K tokens".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPACE, NEWLINE = "·", "↵"  # how a label shows what cannot be seen
LAST_DRAWN = 0x24FF  # signs beyond it (emoji, hieroglyphs) are in few fonts, and are shown as bytes


@cache
def byte_of_letter() -> dict[str, int]:
    """Return GPT-2's alphabet: the visible letter that stands for each of the 256 bytes, and its byte."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(b): b for b in visible} | {chr(256 + i): b for i, b in enumerate(hidden)}


def token_bytes(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> list[bytes]:
    """Return the bytes that each token stands for.

    Args:
        tokenizer: a byte-level BPE tokenizer (GPT-2's kind).
        ids: token ids (tokens,).

    Returns:
        One bytes object a token, for a special token its name; joined and decoded as UTF-8 they are the text.
    """
    alphabet, special = byte_of_letter(), set(tokenizer.all_special_ids)
    return [
        token.encode() if i in special else bytes(alphabet[letter] for letter in token)
        for i, token in zip(ids, tokenizer.convert_ids_to_tokens(list(ids)), strict=True)
    ]


def token_labels(tokenizer: PreTrainedTokenizerFast, ids: Sequence[int]) -> list[str]:
    """Return a label to look at for each token: a space is `·`, a part of a letter its bytes in hex."""
    labels = []
    for piece in token_bytes(tokenizer, ids):
        try:
            text = piece.decode()
        except UnicodeDecodeError:  # a part of a letter
            text = "\0"
        drawn = all(letter == "\n" or (letter.isprintable() and ord(letter) <= LAST_DRAWN) for letter in text)
        label = text.replace(" ", SPACE).replace("\n", NEWLINE) if drawn else piece.hex(" ").upper()
        labels.append(label)
    return labels


def bytes_per_token(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> float:
    """Return how many bytes of UTF-8 a token stands for on average (a Russian letter takes two).

    Raises:
        ValueError: there is no text.
    """
    n_bytes = n_tokens = 0
    for text in texts:
        n_bytes += len(text.encode())
        n_tokens += len(tokenizer(text)["input_ids"])
    if not n_tokens:
        raise ValueError("bytes_per_token needs at least one text that is not empty.")
    return n_bytes / n_tokens
