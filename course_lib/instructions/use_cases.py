"""InstructGPT's first step: what labelers and customers asked, and what a labeler would answer.

Slides "Stage 1" (use cases, sources) and "InstructGPT dataset sizes": 11,295 prompts of labelers and 1,430 of
customers to train on, 1,550 and 103 to validate. Ours are a tenth of that. As in Ouyang et al., 2022, section
3.2 and appendix A: prompts that share a long prefix with another are left out, and no customer has more
than 200.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_lib.instructions.mixture import counts
from course_lib.instructions.supervised import from_messages
from course_lib.scoring.tree import common_length
from course_lib.world.demonstrations import USE_CASES, make, written

if TYPE_CHECKING:
    from datasets import DatasetDict

SIZES = {  # the deck's
    ("train", "labeler"): 11_295,
    ("train", "customer"): 1_430,
    ("validation", "labeler"): 1_550,
    ("validation", "customer"): 103,
}
N_CUSTOMERS, OF_A_CUSTOMER = 25, 200
LONG = 40  # letters that two prompts may begin with alike


def demonstrations(scale: float = 0.1, seed: int = 0) -> DatasetDict:
    """Return demonstrations in the deck's ten use cases, with its shares, sources and proportions.

    Args:
        scale: of the deck's sizes.
        seed: same seed, same demonstrations.

    Returns:
        train and validation with the columns `messages`, `category`, `source` and `customer` (a number,
        or -1).
    """
    from datasets import Dataset, DatasetDict

    parts: dict[str, list[dict[str, Any]]] = {"train": [], "validation": []}
    shares = {name: percent / sum(USE_CASES.values()) for name, percent in USE_CASES.items()}
    taken: set[str] = set()  # validation asks what training did not, wherever there is something else to ask
    for (part, source), size in SIZES.items():
        of_each = counts(shares, round(size * scale))
        some = (_of_customers if source == "customer" else _of_labelers)(part, of_each, seed, taken)
        parts[part] += [{"customer": -1, **row, "source": source} for row in some]
        taken |= {first_prompt(row) for row in some}
    mixed = {part: random.Random(f"{part}-{seed}").sample(rows, len(rows)) for part, rows in parts.items()}
    return DatasetDict({part: Dataset.from_list(rows) for part, rows in mixed.items()})


def chats(part: str, eos_token: str) -> list[dict[str, str]]:
    """Return the demonstrations of a part as `prompt` and `completion` (see `supervised.from_messages`).

    Args:
        part: "train" or "validation".
        eos_token: the tokenizer's.
    """
    return [from_messages(messages, eos_token) for messages in demonstrations()[part]["messages"]]


def _of_labelers(part: str, of_each: Mapping[str, int], seed: int, taken: set[str]) -> list[dict[str, Any]]:
    """Return hand-written demonstrations, and as many made ones as are missing."""
    rows = []
    for category, n in of_each.items():
        by_hand = [row for row in written(part) if row["category"] == category]
        some = deduplicated(by_hand, longest=10**6)[:n]
        seen = taken | {first_prompt(row) for row in some}
        for number in range(50 * n + 50):
            if len(some) == n:
                break
            row = make(category, part, seed * 10**6 + number)
            if first_prompt(row) not in seen or number > 20 * n:  # «Расскажи анекдот.» may come again
                seen.add(first_prompt(row))
                some.append(row)
        rows += some
    return rows


def _of_customers(part: str, of_each: Mapping[str, int], seed: int, taken: set[str]) -> list[dict[str, Any]]:
    """Return what customers asked, as it is left after the paper's two rules."""
    rng = random.Random(f"customers-{part}-{seed}")
    # customers of one part are none of the other's
    first = 0 if part == "train" else N_CUSTOMERS
    raw = [
        {
            **make(category, part, seed * 10**6 + number, customer=True),
            "customer": first + rng.randrange(N_CUSTOMERS),
        }
        for category, n in of_each.items()
        for number in range(6 * n + 6)
    ]
    kept = [row for row in deduplicated(raw) if first_prompt(row) not in taken]
    return [row for category, n in of_each.items() for row in _first(kept, category, n)]


def _first(rows: Sequence[dict[str, Any]], category: str, n: int) -> list[dict[str, Any]]:
    return [row for row in rows if row["category"] == category][:n]


def first_prompt(row: Mapping[str, Any]) -> str:
    """Return what a chat begins with."""
    return row["messages"][0]["content"]


def deduplicated(
    rows: Sequence[Mapping[str, Any]], longest: int = LONG, of_a_customer: int = OF_A_CUSTOMER
) -> list[dict[str, Any]]:
    """Leave out prompts that begin as another does, and what a customer asked beyond a number.

    Args:
        rows: chats, with a column `customer` where they are customers'.
        longest: prompts that share more letters than this at their beginning, or are the same, are one.
        of_a_customer: at most so many of each.

    Returns:
        What is left, in order. Of prompts alike the first in the alphabet stays.
    """
    by_prompt = sorted(range(len(rows)), key=lambda i: (first_prompt(rows[i]), i))
    kept: list[int] = []
    for i in by_prompt:
        prompt = first_prompt(rows[i])
        if kept:
            before = first_prompt(rows[kept[-1]])
            if prompt == before or common_length(prompt, before) > longest:
                continue
        kept.append(i)
    asked: Counter[int] = Counter()
    left = []
    for i in sorted(kept):
        customer = rows[i].get("customer", -1)
        asked[customer] += 1
        if customer < 0 or asked[customer] <= of_a_customer:
            left.append(dict(rows[i]))
    return left


def few_shot_prompt(rows: Sequence[Mapping[str, Any]], prompt: str, eos_token: str = "") -> str:
    """Return a prompt after solved ones: the paper's baseline, a model not tuned but shown how.

    Args:
        rows: demonstrations, of one turn or more.
        prompt: from `supervised.asked`, or the `prompt` of `from_messages`.
        eos_token: stands after each of a chat's answers but the last.
    """
    shown = [from_messages(row["messages"], eos_token) for row in rows]
    return "\n\n".join([*(row["prompt"] + row["completion"] for row in shown), prompt])
