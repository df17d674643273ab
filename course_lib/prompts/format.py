"""A prompt format: a template that has been read, its fields and its soft tokens (see `syntax`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from course_lib.prompts.syntax import (
    Field,
    Part,
    Shots,
    Soft,
    Text,
    braces,
    flat,
    parse,
    quote,
    write,
)

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

COMPILED = "<|P|>"  # how ruPrompts' files write a soft token


@dataclass(frozen=True)
class PromptFormat:
    """A template that has been read; `str()` writes it again.

    Attributes:
        parts: what it consists of, no two texts side by side, nor two `Soft` without text.
    """

    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, template: str) -> PromptFormat:
        """Read a template.

        Args:
            template: in the language of `syntax`.

        Raises:
            FormatError: a tag or brace without its partner or misspelt, a field without a proper name or
                inside an initial text, shots inside shots.
        """
        return cls(parse(template))

    @classmethod
    def from_compiled(cls, compiled: str) -> PromptFormat:
        """Read a compiled template of ruPrompts', in which nothing but `<|P|>` and fields is syntax."""
        *texts, last = compiled.split(COMPILED)
        return cls.parse("".join(quote(text, True) + "<P>" for text in texts) + quote(last, False))

    def __str__(self) -> str:
        return write(self.parts)

    @property
    def soft(self) -> tuple[Soft, ...]:
        """The groups of soft tokens in their order; those of the shots are there once."""
        return tuple(part for part in flat(self.parts) if isinstance(part, Soft))

    @property
    def n_soft(self) -> int:
        """How many soft tokens a prompt has to learn.

        Raises:
            ValueError: an initial text has not been counted yet.
        """
        if any(part.n is None for part in self.soft):
            raise ValueError("How many tokens an initial text has, a tokenizer must say: use `count` first.")
        return sum(part.n for part in self.soft)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields outside the shots, each once."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Field)))

    @property
    def shot_fields(self) -> tuple[str, ...]:
        """The names of the fields inside the shots, each once."""
        inside = [part for shots in self.parts if isinstance(shots, Shots) for part in shots.parts]
        return tuple(dict.fromkeys(part.name for part in inside if isinstance(part, Field)))

    def count(self, tokenizer: PreTrainedTokenizerBase) -> PromptFormat:
        """Return the format with the initial texts' tokens counted, without any token that begins a text."""
        counts = [part.n if part.text is None else len(text_ids(tokenizer, part.text)) for part in self.soft]
        return self.with_counts(counts)

    def with_counts(self, counts: Sequence[int]) -> PromptFormat:
        """Return the format with so many soft tokens in each group, as a tokenizer once counted them.

        Raises:
            ValueError: another number of groups.
        """
        if len(counts) != len(self.soft):
            raise ValueError(f"{len(counts)} counts for {len(self.soft)} groups of soft tokens.")
        left = list(counts)[::-1]

        def counted(part: Part) -> Part:
            if isinstance(part, Shots):
                return Shots(tuple(map(counted, part.parts)))
            return replace(part, n=left.pop()) if isinstance(part, Soft) else part

        return PromptFormat(tuple(map(counted, self.parts)))

    def initial_ids(self, tokenizer: PreTrainedTokenizerBase) -> dict[int, int]:
        """Return which soft tokens are to begin as words: number of the soft token -> token id."""
        ids, start = {}, 0
        for part in self.count(tokenizer).soft:
            if part.text is not None:
                ids |= dict(enumerate(text_ids(tokenizer, part.text), start))
            start += part.n
        return ids

    def compiled(self) -> str:
        """Return the template as ruPrompts' files have it: `<|P|>` once for each soft token.

        Raises:
            ValueError: shots, or the words <|P|>, which that layout cannot say, or a text that has not been
                counted.
        """
        if any(isinstance(part, Shots) for part in self.parts):
            raise ValueError("ruPrompts' layout has no repeated shots: write them out in the template.")
        n_soft = self.n_soft
        written = {
            Text: lambda part: braces(part.text),
            Soft: lambda part: COMPILED * part.n,
            Field: lambda part: f"{{{part.name}}}",
        }
        compiled = "".join(written[type(part)](part) for part in self.parts)
        if compiled.count(COMPILED) != n_soft:
            raise ValueError(f"ruPrompts' layout reads the words {COMPILED} as a soft token: leave them out.")
        return compiled


def text_ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return a text's token ids, without any token that a tokenizer puts before or after a text."""
    return tokenizer(text, add_special_tokens=False)["input_ids"]
