"""Measures of written texts (slides "text2text tasks", "Detoxification"): each fits some tasks and no other.

ROUGE is Google's `rouge-score`, chrF is `sacrebleu`'s, the style classifier is scikit-learn's. All are
fractions of 1, and all but those of a whole set of texts are given text by text, so that they have an
interval.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from course_lib.tasks.metrics import exact_match, normalised, token_f1

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from course_lib.tasks import Task


class RussianWords:
    """A tokenizer for `rouge-score`, whose own one drops every letter that is not Latin."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.lower().replace("ё", "е"))


@cache
def _rouge(kind: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind], tokenizer=RussianWords())


def rouge(texts: Sequence[str], references: Sequence[str], kind: str = "rougeL") -> np.ndarray:
    """Return the ROUGE F1 of each text (Lin, 2004).

    Args:
        texts: what was written.
        references: what should have been, one each.
        kind: "rouge1", "rouge2" (words, pairs of words) or "rougeL" (the longest common subsequence).

    Returns:
        Shape (texts,).
    """
    scorer = _rouge(kind)
    return np.array([scorer.score(r, t)[kind].fmeasure for t, r in zip(texts, references, strict=True)])


def chrf(texts: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Return the chrF of each text: the F2 of its runs of one to six letters (Popović, 2015).

    Args:
        texts: what was written.
        references: what should have been, one each.

    Returns:
        Shape (texts,).
    """
    from sacrebleu.metrics import CHRF

    scorer = CHRF()
    return np.array(
        [scorer.sentence_score(t, [r]).score / 100 for t, r in zip(texts, references, strict=True)]
    )


def style_classifier(task: Task) -> Pipeline:
    """Return a classifier that tells polite remarks (class 1) from rude ones, trained on the task's pairs.

    It reads runs of one to five letters, which in Russian carry the stems and the endings.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    rows = task.data["train"]
    classifier = make_pipeline(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 5), sublinear_tf=True),
        LogisticRegression(C=10, max_iter=1000),
    )
    rude, polite = list(rows["toxic"]), list(rows["polite"])
    return classifier.fit([*rude, *polite], [0] * len(rude) + [1] * len(polite))


@dataclass(frozen=True)
class Detoxified:
    """How well remarks were made polite.

    Attributes:
        style: 1 where the classifier takes the text for polite, else 0; shape (texts,).
        content: chrF of the text against the rude remark: what of it is still there.
        joint: their product; a copy has no style, and a polite phrase about something else no content.
    """

    style: np.ndarray
    content: np.ndarray

    @property
    def joint(self) -> np.ndarray:
        return self.style * self.content


def detoxified(classifier: Pipeline, rude: Sequence[str], texts: Sequence[str]) -> Detoxified:
    """Judge polite versions of rude remarks (see `Detoxified`)."""
    style = classifier.predict(list(texts)).astype(float)
    style[[not text.strip() for text in texts]] = 0.0  # who says nothing is not polite
    return Detoxified(style, chrf(texts, rude))


def distinct(texts: Sequence[str], n: int = 2) -> float:
    """Return the share of different runs of n words among all (Li et al., 2016); 0 where there are none."""
    words = [normalised(text).split() for text in texts]
    runs = [tuple(some[i : i + n]) for some in words for i in range(len(some) - n + 1)]
    return len(set(runs)) / len(runs) if runs else 0.0


def copied(texts: Sequence[str], known: Sequence[str]) -> np.ndarray:
    """Return 1 for each text that is among the known ones, but for case and punctuation, else 0."""
    seen = {normalised(text) for text in known}
    return np.array([float(normalised(text) in seen) for text in texts])


def against_references(texts: Sequence[str], references: Sequence[str]) -> dict[str, np.ndarray]:
    """Return all measures that need a reference: ROUGE, chrF, common words and exact match."""
    return {
        **{kind: rouge(texts, references, kind) for kind in ("rouge1", "rouge2", "rougeL")},
        "chrf": chrf(texts, references),
        "token_f1": np.array([token_f1(t, [r]) for t, r in zip(texts, references, strict=True)]),
        "exact_match": np.array([exact_match(t, [r]) for t, r in zip(texts, references, strict=True)]),
    }
