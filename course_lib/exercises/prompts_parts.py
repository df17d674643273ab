"""Checks of seminar 2, "Prompt laboratory", first half: log-probabilities, templates, two classifiers.

The classifiers are judged with a scorer that makes up a number for each pair of prompt and completion: who
asks for another pair gets another number, and the pair tells the mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from zlib import crc32

import torch
from torch import Tensor

from course_lib.exercises import NotYet, close, compare, exercise
from course_lib.exercises.decoder_parts import draw
from course_lib.scoring import Template, label_requests, score

Scorer = Callable[[list[tuple[str, str]]], Tensor]
# passed the exam; lost the umbrella; it is Saturday tomorrow
TEXTS = ["Сдал экзамен", "Потерял зонт", "Завтра суббота"]
SAD, HAPPY = "Грустный твит:", "Весёлый твит:"


def name_mistake(answer, wrong: Mapping[str, object]) -> None:
    """Name the mistake that gives just this answer, where it is not a tensor.

    Raises:
        NotYet: it is one of them.
    """
    for mistake, value in wrong.items():
        if answer == value:
            raise NotYet(f"{mistake}.")


# 1. log-probabilities of a completion


def _completion_logprobs(logits: Tensor, ids: Tensor, n_prompt: int) -> Tensor:
    return logits[:-1].log_softmax(-1).gather(1, ids[1:, None])[n_prompt - 1 :, 0]


@exercise(_completion_logprobs)
def completion_logprobs(answer, model, tokenizer) -> str:
    """Judge `completion_logprobs(logits, ids, n_prompt)`, on made-up logits and on the real model's.

    Args:
        model: a transformers model.
        tokenizer: its tokenizer.
    """
    logits, n = draw(9, 12, scale=3.0), 4
    ids = torch.tensor([3, 1, 4, 1, 5, 9, 2, 6, 0])
    logprobs = logits.log_softmax(-1)
    every = _completion_logprobs(logits, ids, 1)
    right = every[n - 1 :]
    wrong = {
        "shifted by one: the logits at t predict token t + 1, and you scored token t": logprobs.gather(
            1, ids[:, None]
        )[n:, 0],
        "shifted the wrong way: the logits at t predict token t + 1, not token t - 1": logprobs[1:].gather(
            1, ids[:-1, None]
        )[n - 1 :, 0],
        "the prompt's tokens are scored too: leave out the first n_prompt - 1 predictions": every,
        "one token too many, the prompt's last: it is predicted as well, so n_prompt - 1 predictions are the "
        "prompt's": every[n - 2 :],
        "the completion's first token is missing: the logits at the prompt's last token predict it": every[
            n:
        ],
        "the completion's last token is missing": right[:-1],
        "these are the prompt's tokens: the completion comes after them": every[: n - 1],
        "these are the raw logits: log_softmax makes log-probabilities of them": logits[:-1].gather(
            1, ids[1:, None]
        )[n - 1 :, 0],
        "these are probabilities: take the logarithm": right.exp(),
        "the sign is turned: a log-probability is never above 0, the loss is its negative": -right,
        "softmax over time: the vocabulary is the last dimension": logits[:-1]
        .log_softmax(0)
        .gather(1, ids[1:, None])[n - 1 :, 0],
        "the logarithm has the base 2: the natural one is asked": right / torch.tensor(2.0).log(),
        "this is the sum over the tokens: return one number a token": right.sum(),
        "this is the mean over the tokens: return one number a token": right.mean(),
        "these are the likeliest tokens' log-probabilities: take those of the text's own": logprobs[
            n - 1 : -1
        ].amax(-1),
        "these are all tokens of the vocabulary: gather the text's own": logprobs[n - 1 : -1],
    }
    axes = "(completion tokens,)"
    compare(answer(logits, ids, n), right, axes, wrong)
    compare(answer(logits, ids, 1), every, axes, what="for a prompt of one token the result")
    large = _completion_logprobs(100 * logits, ids, n)
    compare(answer(100 * logits, ids, n), large, axes, what="with logits 100 times larger the result")

    prompt, completion = "Мама мыла", " раму."
    scored = score(model, tokenizer, [(prompt, completion)])[0]
    ids = tokenizer(prompt + completion, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logits = model(ids.to(model.device), attention_mask=torch.ones_like(ids).to(model.device)).logits
    mine = answer(logits[0].float().cpu(), ids[0], ids.shape[1] - len(scored.token_ids))
    expected = torch.from_numpy(scored.token_logprobs)
    if not close(mine, expected, atol=1e-3 if model.dtype == torch.float32 else 0.1):
        raise NotYet(
            "made-up logits are fine, the real model's are not: is a size of the check written as a number?"
        )
    return "each token of the completion, in nats, as course_lib.scoring has it"


# 2. the deck's templates


def _deck_prompts(text: str, smiles: bool) -> list[str]:
    sad, happy = (" (((", " )))") if smiles else ("", "")
    return [f"{SAD} {text}{sad}", f"{HAPPY} {text}{happy}"]


@exercise(_deck_prompts)
def deck_prompts(answer) -> str:
    """Judge `deck_prompts(text, smiles)`."""
    text = TEXTS[0]
    for smiles in (False, True):
        got = answer(text, smiles)
        if not (isinstance(got, list) and [type(part) for part in got] == [str, str]):
            raise NotYet("return a list of two strings, the sad one first: `return [sad, happy]`.")
        right = _deck_prompts(text, smiles)
        sad, happy = right
        wrong: dict[str, list[str]] = {
            "the happy one comes first: label 0 is sad, and labels point into your list": [happy, sad],
            "label and tweet are glued together: put a space between them": [
                one.replace(": ", ":") for one in right
            ],
            "the colon after the label is missing": [one.replace(":", "") for one in right],
            "spell «Весёлый» with ё, as the texts do that our small model learnt from": [
                one.replace("ё", "е") for one in right
            ],
            "the tweet itself is missing: put {text} into an f-string": [
                one.replace(text, "{text}") for one in right
            ],
        }
        if smiles:
            wrong |= {
                "the smiles are missing where smiles=True": [f"{SAD} {text}", f"{HAPPY} {text}"],
                "the smiles changed places: ((( is sad, ))) is happy": [
                    f"{SAD} {text} )))",
                    f"{HAPPY} {text} (((",
                ],
                "put a space before the smile": [f"{SAD} {text}(((", f"{HAPPY} {text})))"],
                "a smile of three brackets is asked: ((( and )))": [f"{SAD} {text} (", f"{HAPPY} {text} )"],
                "the smile stands before the tweet: the deck puts it at the end": [
                    f"{SAD} ((( {text}",
                    f"{HAPPY} ))) {text}",
                ],
            }
        else:
            wrong["there is a smile where smiles=False"] = _deck_prompts(text, True)
        name_mistake(got, wrong)
        for mine, one in zip(got, right, strict=True):
            if mine != one:
                raise NotYet(f"with smiles={smiles} it should be {one!r}, yours is {mine!r}.")
    return "two wordings a tweet, the sad one first"


# 3. and 4. the channel model and the direct one


def made_up(requests: Sequence[tuple[str, str]]) -> Tensor:
    """Give every pair of prompt and completion a number of its own, the same on every machine.

    Raises:
        NotYet: what is asked for are no such pairs.
    """
    if not isinstance(requests, list) or not all(
        isinstance(pair, tuple) and [type(part) for part in pair] == [str, str] for pair in requests
    ):
        raise NotYet("`score` takes a list of pairs of strings, [(prompt, completion), ...].")
    numbers = [crc32("\0".join(pair).encode()) for pair in requests]
    return -40 * torch.tensor(numbers, dtype=torch.float64).float() / 2**32


def table(requests: Callable[[str, str], tuple[str, str]], labels: Sequence[str]) -> Tensor:
    """Score the pair that `requests` makes of each text and label (texts, labels)."""
    return made_up([requests(text, label) for text in TEXTS for label in labels]).view(len(TEXTS), -1)


def _by_template(score: Scorer, template: Template, texts: list[str], labels: list[str]) -> Tensor:
    requests = label_requests(template, [{"text": text} for text in texts], dict(enumerate(labels)))
    return score(requests).view(len(texts), len(labels))


def _channel(score: Scorer, texts: list[str], labels: list[str]) -> Tensor:
    return _by_template(score, Template("{label}", " {text}"), texts, labels)


@exercise(_channel)
def channel(answer) -> str:
    """Judge `channel(score, texts, labels)`."""
    labels = [SAD, HAPPY]
    right = _channel(made_up, TEXTS, labels)
    wrong = {
        "that is the direct model: the label is scored, not the text": table(
            lambda t, w: (t, f" {w}"), labels
        ),
        "the label's words are scored too: give them as the prompt, and score the text alone": table(
            lambda t, w: ("", f"{w} {t}"), labels
        ),
        "the label is missing in the prompt, so all labels score alike": table(
            lambda t, w: ("", f" {t}"), labels
        ),
        "label and text are glued together: the completion begins with a space": table(
            lambda t, w: (w, t), labels
        ),
        "the prompt ends with a space: let the completion begin with it, for a token holds the space before "
        "its word": table(lambda t, w: (f"{w} ", t), labels),
    }
    compare(answer(made_up, TEXTS, labels), right, "(texts, labels)", wrong | _mixed(right))
    _more_labels(answer, _channel)
    return "log p(text | label) for each text and label"


def _direct(score: Scorer, texts: list[str], labels: list[str]) -> Tensor:
    return _by_template(score, Template("{text}", " {label}"), texts, labels).log_softmax(1)


@exercise(_direct)
def direct(answer) -> str:
    """Judge `direct(score, texts, labels)`."""
    labels = ["(((", ")))"]
    right = _direct(made_up, TEXTS, labels)
    raw = table(lambda t, w: (t, f" {w}"), labels)
    norm = {
        "that is the channel model: the text is scored, not the label": lambda t, w: (w, f" {t}"),
        "the text is scored too: it is the prompt, score the label alone": lambda t, w: ("", f"{t} {w}"),
        "text and label are glued together: the completion begins with a space": lambda t, w: (t, w),
        "the prompt ends with a space: let the completion begin with it, for a token holds the space before "
        "its word": lambda t, w: (f"{t} ", w),
    }
    wrong = {mistake: table(pair, labels).log_softmax(1) for mistake, pair in norm.items()} | {
        "the probabilities of a text's labels must add up to 1: log_softmax over the labels": raw,
        "softmax over the texts: the labels of one text must add up to 1": raw.log_softmax(0),
        "these are probabilities: return their logarithms": right.exp(),
        "the sign was turned before the softmax: the likelier label must win": (-raw).log_softmax(1),
    }
    compare(answer(made_up, TEXTS, labels), right, "(texts, labels)", wrong | _mixed(right, raw))
    _more_labels(answer, _direct)
    return "log p(label | text), and the labels of a text add up to 1"


def _mixed(right: Tensor, raw: Tensor | None = None) -> dict[str, Tensor]:
    """Return the mistakes that put right numbers into wrong places; `raw` is what a softmax comes after."""
    raw = right if raw is None else raw
    n_texts, n_labels = raw.shape
    mixed = {
        "the scores are mixed up: requests go text by text, so view(len(texts), -1)": raw.view(
            n_labels, n_texts
        ).T,
        "the scores are mixed up: requests go label by label, so view(len(labels), -1).T": raw.T.reshape(
            n_texts, n_labels
        ),
    }
    if raw is not right:
        mixed = {mistake: tensor.log_softmax(1) for mistake, tensor in mixed.items()}
    return mixed | {
        "rows and columns changed places: a row is a text": right.T,
        "these are losses: return log-probabilities, the largest of which wins": -right,
        "these are the winners: return the scores, a row a text": right.argmax(1),
    }


def _more_labels(answer, reference) -> None:
    """Make sure that the answer does not count on two labels."""
    texts, labels = TEXTS[:2], ["грустно", "весело", "никак"]
    expected, what = reference(made_up, texts, labels), "with two texts and three labels the result"
    compare(answer(made_up, texts, labels), expected, "(texts, labels)", what=what)
