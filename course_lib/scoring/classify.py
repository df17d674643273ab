"""Classification by comparing losses: of the text given the label, of the label given the text, of both.

Slides "How to solve tasks with the few-/zero-shot?": "select the label which corresponds to the prompt
template with the lowest loss (perplexity)". The deck's template puts the label first, «Весёлый твит» + text,
so that its loss is -log p(label words) - log p(text | label words): but for the first term a *channel* model
(Min et al., 2022). Asking for the label after the text is its twin, the *direct* model p(label | text).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from course_lib.scoring.logprobs import Request, Scored, context_window, score
from course_lib.scoring.shots import that_fit
from course_lib.scoring.templates import (
    Example,
    Template,
    Words,
    check_rows,
    field_names,
    label_fields,
    with_labels,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NORMS = {
    "sum": lambda scored: scored.logprob,
    "token": lambda scored: scored.logprob / len(scored.token_ids),
    "byte": lambda scored: scored.logprob / scored.n_bytes,
}
CALIBRATIONS = ("pmi", "contextual")
CONTENT_FREE = ("N/A", "[MASK]", "")  # Zhao et al., 2021, section 5


def label_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    template: Template,
    examples: Sequence[Example],
    labels: Mapping[Any, Words],
    *,
    shots: Sequence[Example] | Sequence[Sequence[Example]] = (),
    whole: bool = False,
    norm: str = "sum",
    calibrate: str | None = None,
    **options,
) -> np.ndarray:
    """Score every label for every example.

    The template decides which model it is: with the label in the target, the direct one, with the label in
    the query and the text in the target, the channel model.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        template: its field `label` is filled with the words of each label in turn (see `with_labels`).
        examples: the instances, each with its columns (examples,).
        labels: what stands in an example's column `label` -> the words for it.
        shots: solved examples: the same for all, or a list for each example. Where a prompt would outgrow the
            context window, its first shots are left out, as many as must be.
        whole: score query and target together, as the deck does, not the target alone.
        norm: "sum", or the mean over "token"s or "byte"s where what is compared differs in length.
        calibrate: None; "pmi", the gain over the score without an instance (Holtzman et al., 2021); or
            "contextual", the gain over its belief about instances that say nothing (Zhao et al., 2021).
        **options: those of `score`.

    Returns:
        Scores (examples, labels), the largest of which wins: log-probabilities, or means or gains of them.

    Raises:
        ValueError: labels that cannot be told apart, an unknown field, norm or calibration.
    """
    value = norm_of(norm)
    if calibrate is not None:
        if calibrate not in CALIBRATIONS:
            raise ValueError(f"calibrate='{calibrate}' must be one of {', '.join(CALIBRATIONS)}, or None.")
        if is_own(shots):
            raise ValueError("Calibration compares with one prompt: give the same shots to all examples.")
        if not whole and field_names(template.target) - set().union(*map(label_fields, labels.values())):
            raise ValueError(
                "Calibration scores the labels of a text that says nothing, and here the target is the text: "
                "put nothing but {label} into the target, or score query and target together (whole=True)."
            )
    count = cache(lambda text: len(tokenizer(text)["input_ids"]))
    requests = label_requests(template, examples, labels, shots, whole, count, context_window(model))
    scored = score(model, tokenizer, requests, **options)
    scores = np.array([value(one) for one in scored]).reshape(len(examples), len(labels))
    if calibrate is None:
        return scores
    texts = ("",) if calibrate == "pmi" else CONTENT_FREE
    silent = [dict.fromkeys(examples[0], text) for text in texts]
    settings = {"shots": shots, "whole": whole, "norm": norm, **options}
    base = label_scores(model, tokenizer, template, silent, labels, **settings)
    if calibrate == "contextual":  # the mean of probabilities, each normalised over the labels
        base = np.exp(base - np.logaddexp.reduce(base, axis=1, keepdims=True))
        base = np.log(base.mean(0, keepdims=True))
    return scores - base


def norm_of(norm: str) -> Callable[[Scored], float]:
    """Return what a norm makes of a scored completion.

    Raises:
        ValueError: there is no such norm.
    """
    if norm not in NORMS:
        raise ValueError(f"norm='{norm}' must be one of {', '.join(NORMS)}.")
    return NORMS[norm]


def is_own(shots: Sequence) -> bool:
    """Tell whether each example has a list of shots of its own.

    Raises:
        ValueError: neither a list of shots nor a list of such lists.
    """
    own = isinstance(shots, Sequence) and len(shots) > 0 and not isinstance(shots[0], Mapping)
    for some in shots if own else [shots]:
        check_rows(some, "shots")
    return own


def label_requests(
    template: Template,
    examples: Sequence[Example],
    labels: Mapping[Any, Words],
    shots: Sequence[Example] | Sequence[Sequence[Example]] = (),
    whole: bool = False,
    count: Callable[[str], int] | None = None,
    window: int = 0,
) -> list[Request]:
    """Write what is to be scored: example by example, label by label.

    Args:
        template: see `label_scores`, as for the next four.
        examples: the instances.
        labels: their words.
        shots: solved examples.
        whole: whether query and target are scored together.
        count: tokens of a text; None: all shots stand in each prompt, whether or not there is room.
        window: tokens that there is room for.

    Returns:
        Pairs of prompt and completion (examples times labels).

    Raises:
        ValueError: no example, no template, an unknown field, labels that cannot be told apart.
    """
    check_rows(examples, "examples")
    if not len(examples):
        raise ValueError("There is no example to classify.")
    if not isinstance(template, Template):
        raise ValueError(f"The template must be a Template(query, target), and is {template!r}.")
    if not isinstance(labels, Mapping):
        raise ValueError(
            f"The labels must say which words stand for which: {{0: …, 1: …}}, and are {labels!r}."
        )
    words = list(labels.values())
    template.check(examples[0], set().union(*map(label_fields, words)))
    each_its_own = is_own(shots)
    if each_its_own and len(shots) != len(examples):
        raise ValueError(f"{len(shots)} lists of shots for {len(examples)} examples: give one for each.")
    solved = [] if each_its_own else in_words(shots, labels)
    all_of_them = template.head(solved)
    requests: list[Request] = []
    for i, example in enumerate(examples):
        if each_its_own:
            solved = in_words(shots[i], labels)
            all_of_them = template.head(solved)
        parts = [(template.instance(one), template.completion(one)) for one in with_labels(example, words)]
        head, longest = all_of_them, max(map("".join, parts), key=len)
        # a text has no more tokens than bytes, so that few have to be counted
        if count and solved and count(head) + len(longest.encode()) > window:
            head = template.head(that_fit(solved, template, longest, count, window))
        own = [(head, query + target) if whole else (head + query, target) for query, target in parts]
        check_labels(own)
        requests += own
    return requests


def in_words(shots: Sequence[Example], labels: Mapping[Any, Words]) -> list[dict]:
    """Return solved examples with the words of their labels.

    Raises:
        ValueError: a shot without a label, or with one that has no words.
    """
    for shot in shots:
        if "label" not in shot:
            raise ValueError(f"A shot has no column 'label', only {', '.join(shot)}.")
        if shot["label"] not in labels:
            raise ValueError(
                f"A shot has the label {shot['label']!r}, which has no words; {list(labels)} have."
            )
    return [{**shot, **label_fields(labels[shot["label"]])} for shot in shots]


def check_labels(requests: Sequence[Request]) -> None:
    """Make sure that the requests of one example differ, and that no target is the beginning of another.

    Raises:
        ValueError: they do not, or one is: being shorter, it would win whenever it is not worse.
    """
    if len(set(requests)) < len(requests):
        raise ValueError("The template does not tell the labels apart: put {label} into its query or target.")
    by_prompt: dict[str, list[str]] = {}
    for prompt, completion in requests:
        by_prompt.setdefault(prompt, []).append(completion)
    for completions in by_prompt.values():
        ordered = sorted(completions)
        for short, long in pairwise(ordered):
            if long.startswith(short):
                raise ValueError(
                    f"«{short.strip()}» is how «{long.strip()}» begins, and would win by being short: "
                    "end the target with a full stop or a new line."
                )
