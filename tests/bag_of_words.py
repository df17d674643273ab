"""How far a bag of words gets on each labelled task; `python tests/bag_of_words.py` prints the table.

A task that needs reasoning must leave it near chance. Tasks with candidates (PARus's choices, RuCoS's names)
are scored one by one: the bag holds the input and one candidate, and the best candidate is taken.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from course_lib.world import labelled

# columns that make up the text; LiDiRus is trained on TERRa
TEXTS = {
    "tweets": ("text",),
    "terra": ("premise", "hypothesis"),
    "rcb": ("premise", "hypothesis"),
    "danetqa": ("passage", "question"),
    "muserc": ("paragraph", "question", "answer"),
    "rwsd": ("text", "span1_text", "span2_text"),
    "russe": ("word", "sentence1", "sentence2"),
}
REASONING = ("terra", "lidirus", "rcb", "danetqa", "muserc", "rwsd", "russe", "parus", "rucos")


def chance(name: str) -> float:
    """Return the accuracy of guessing: one class of the label, or one of the names that RuCoS could mean."""
    if name == "rcb":
        return 1 / 3
    if name == "rucos":  # three people, or two towns: the query tells which of them are meant
        rows = labelled("rucos")["test"]
        return sum(1 / len(rivals(row)) for row in rows) / len(rows)
    return 1 / 2


def rivals(row: dict[str, Any]) -> list[str]:
    """Return the entities of the answer's kind: full names have two words, towns have one."""
    return [entity for entity in row["entities"] if (" " in entity) == (" " in row["answers"][0])]


def candidates(name: str, row: dict[str, Any]) -> Iterable[tuple[str, bool]]:
    """Yield each candidate's bag and whether the candidate is right, in an order that tells nothing."""
    if name == "parus":
        for label, choice in enumerate(("choice1", "choice2")):
            yield f"{row['premise']} {row['question']} {row[choice]}", label == row["label"]
    else:
        for entity in random.Random(row["query"] + row["passage"]).sample(rivals(row), len(rivals(row))):
            query = row["query"].replace("@placeholder", entity)
            yield f"{row['passage']} {query}", entity in row["answers"]


def bag_of_words_accuracy(name: str) -> float:
    """Train unigrams and bigrams with logistic regression on a task, and score its test split.

    Args:
        name: a task of `REASONING`, or "tweets".

    Returns:
        Accuracy between 0 and 1.
    """
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    def model() -> Any:
        return make_pipeline(CountVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000))

    data = labelled(name)
    if name in ("parus", "rucos"):
        train = [pair for row in data["train"] for pair in candidates(name, row)]
        fitted = model().fit([text for text, _ in train], [right for _, right in train])
        hits = 0
        for row in data["test"]:
            texts, right = zip(*candidates(name, row), strict=True)
            hits += right[fitted.predict_proba(texts)[:, 1].argmax()]
        return hits / len(data["test"])
    source = labelled("terra")["train"] if name == "lidirus" else data["train"]
    fitted = model().fit(
        [" ".join(row[column] for column in TEXTS["terra" if name == "lidirus" else name]) for row in source],
        source["label"],
    )
    asked = ("sentence1", "sentence2") if name == "lidirus" else TEXTS[name]
    return float(
        fitted.score(
            [" ".join(row[column] for column in asked) for row in data["test"]], data["test"]["label"]
        )
    )


if __name__ == "__main__":
    for task in ("tweets", *REASONING):
        print(f"{task:10} {bag_of_words_accuracy(task):.3f}   chance {chance(task):.3f}")
