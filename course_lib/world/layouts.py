"""How list-shaped documents are written: layouts, label words, and how often an item comes back.

A document keeps one layout and one pair of label words to its end; the next document has others.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

Pair = tuple[str, str]

SEPARATORS = (" => ", " -> ", " — ", " | ", " => ", ": ", " = ", " → ", "; ")
# words before the item and before its answer; a document keeps its own
ASKING = (("Вопрос: ", "Ответ: "), ("В: ", "О: "), ("— ", "— "))
PREFIXES = (*ASKING, ("Вход: ", "Выход: "), ("Слово: ", "Пара: "), ("Input: ", "Output: "), ("- ", "- "))
LABELLING = (
    *ASKING[:2],
    ("Пример: ", "Метка: "),
    ("Текст: ", "Класс: "),
    ("Текст: ", "Метка: "),
    ("Вход: ", "Выход: "),
)
# label words that mean nothing by themselves: their meaning holds within one document
LABELS = (
    ("да", "нет"),
    ("А", "Б"),
    ("1", "2"),
    ("плюс", "минус"),
    ("верно", "неверно"),
    ("правда", "ложь"),
    ("первый", "второй"),
    ("красный", "синий"),
    ("круг", "квадрат"),
    ("лево", "право"),
    ("день", "ночь"),
    ("орёл", "решка"),
    ("бип", "боп"),
    ("X", "Y"),
    ("альфа", "бета"),
    ("зима", "лето"),
)
SENTIMENT_LABELS = (
    ("весёлый", "грустный"),
    ("радость", "грусть"),
    ("позитивный", "негативный"),
    ("хорошо", "плохо"),
    (")))", "((("),
    ("да", "нет"),
)


def write_list(
    rng: random.Random, pairs: Sequence[Pair], header: str = "", prefixes: Sequence[Pair] = PREFIXES
) -> str:
    """Write pairs one below another in a layout that stays the same through the document.

    Args:
        rng: chooses the layout.
        pairs: (item, answer).
        header: a first line, or "".
        prefixes: what may stand before an item and before its answer.

    Returns:
        The document.
    """
    questions = prefixes is PREFIXES and any(item.endswith("?") for item, _ in pairs)
    if questions:
        prefixes = ASKING
    if rng.random() < (0.4 if questions else 0.62):
        plain = (
            rng.choice(SEPARATORS[:4])
            if any(item.count(" ") > 3 for item, _ in pairs)
            else rng.choice(SEPARATORS)
        )
        separator = rng.choice((" ", *SEPARATORS[:4])) if questions else plain
        lines = [f"{item}{separator}{answer}" for item, answer in pairs]
        if rng.random() < 0.15:
            lines = [f"{i}. {line}" for i, line in enumerate(lines, 1)]
    else:
        before, after = rng.choice(prefixes)
        gap = rng.choice(("\n", "\n", " "))
        lines = [f"{before}{item}{gap}{after}{answer}" for item, answer in pairs]
        if gap == "\n" and rng.random() < 0.5:
            lines = [f"{line}\n" for line in lines]
    if header:
        lines.insert(0, header)
    return "\n".join(lines).strip()


def labelled(rng: random.Random, pairs: Sequence[Pair], header: str) -> str:
    """Write texts with their labels, often in the few-shot shape of the deck: «текст => метка»."""
    if rng.random() < 0.35:
        headers = ("", header, "Текст => метка")
        return "\n".join(
            filter(None, [rng.choice(headers), *(f"{text} => {label}" for text, label in pairs)])
        )
    return write_list(rng, pairs, rng.choice(("", header)), LABELLING)


def bursty(rng: random.Random, pool: Sequence[Pair], low: int = 5, high: int = 24) -> list[Pair]:
    """Draw pairs from a small part of the pool, so that most of them return within the document."""
    length = rng.randint(low, high)
    few = rng.sample(pool, min(len(pool), rng.randint(max(2, length // 3), length)))
    rest = [rng.choice(few) for _ in range(max(0, length - len(few)))]
    drawn = few + rest
    rng.shuffle(drawn)
    return drawn
