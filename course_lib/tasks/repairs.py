"""What is wrong in the official data, put right, so that a column means the same whatever the source."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def repaired(name: str, row: Row) -> Row:
    """Return a row of the official data with its positions put right; the texts stay as they are."""
    if name == "russe":
        ends = {f"end{i}": word_end(row[f"sentence{i}"], row[f"start{i}"], row[f"end{i}"]) for i in (1, 2)}
        return row | ends
    if name == "rwsd":
        found = {f"span{i}_index": span_index(row, i) for i in (1, 2)}
        return row | found
    return row


def word_end(sentence: str, start: int, end: int) -> int:
    """Return where a word of RUSSE ends: `end` is mostly one too far in train, and one too short in test.

    Args:
        sentence: the sentence.
        start: first character of the word.
        end: where the file says that the word ends.

    Returns:
        The end, exclusive, so that `sentence[start:end]` is the word.
    """
    end = min(end, len(sentence))
    while end > start + 1 and not sentence[end - 1].isalnum():
        end -= 1
    while end < len(sentence) and sentence[end].isalnum():
        end += 1
    return end


def span_index(row: Row, number: int) -> int:
    """Return at which word of the text a span of RWSD stands.

    Some indices of the validation file are wrong: the nearest place with the span's own words is taken.
    A span that the file gives in another form than the text has is not found, and keeps its index.
    """
    words = [bare(word) for word in row["text"].split()]
    span = [bare(word) for word in row[f"span{number}_text"].split()]
    places = [i for i in range(len(words)) if span and words[i : i + len(span)] == span]
    stated = row[f"span{number}_index"]
    return min(places, key=lambda place: abs(place - stated), default=stated)


def bare(word: str) -> str:
    """Return a word in lower case and without the punctuation around it."""
    return word.strip(".,:;!?«»\"'()—…").lower()


def trimmed(entities: list[str]) -> list[str]:
    """Return RuCoS entities without the one character too many that the Hub's script took with each."""
    return sorted({entity if entity[-1:].isalnum() else entity[:-1] for entity in entities})
