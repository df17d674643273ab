"""Checks of seminar 2, "Prompt laboratory": the first half's, and norms, calibration, the choice of shots."""

from __future__ import annotations

import torch
from torch import Tensor

from course_lib.exercises import NotYet, compare, exercise
from course_lib.exercises.decoder_parts import draw
from course_lib.exercises.prompts_parts import (
    channel,
    completion_logprobs,
    deck_prompts,
    direct,
    name_mistake,
)

__all__ = [
    "calibrate",
    "channel",
    "completion_logprobs",
    "deck_prompts",
    "direct",
    "normalise",
    "pick_shots",
]

# 5. norms


def _normalise(logprobs: Tensor, mask: Tensor, completions: list[str], norm: str) -> Tensor:
    total = (logprobs * mask).sum(1)
    n_bytes = torch.tensor([len(text.encode()) for text in completions])
    return total / {"sum": torch.ones(len(total)), "token": mask.sum(1), "byte": n_bytes}[norm]


@exercise(_normalise)
def normalise(answer) -> str:
    """Judge `normalise(logprobs, mask, completions, norm)`."""
    completions = [" плохо", " so-so", " просто чудесно!"]
    logprobs = -draw(3, 9, scale=3.0).abs()
    mask = torch.tensor(
        [[0, 0, 0, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, 1, 0]]
    )
    logprobs[[0, 1, 2], -1] = 0.0  # padding
    everything, count = logprobs.sum(1), mask.sum(1)
    total, token, byte = (_normalise(logprobs, mask, completions, norm) for norm in ("sum", "token", "byte"))
    n_letters = torch.tensor([len(text) for text in completions])
    n_words = torch.tensor([len(text.split()) for text in completions])
    both = {"the whole batch became one number: sum over the tokens, dimension 1": total.sum()}
    by_norm = {
        "sum": {
            "the prompt's tokens are in the sum: multiply by the mask": everything,
            "with norm='sum' nothing is divided: this is the mean per token": token,
            "with norm='sum' nothing is divided: this is the mean per byte": byte,
            "the sign is turned: these are losses": -total,
            "you summed over the texts: the tokens are dimension 1": (logprobs * mask).sum(0),
        },
        "token": {
            "with norm='token' divide by the number of tokens": total,
            "you divided by the number of tokens of the prompt and the padding too: take mask.sum(1)": total
            / mask.shape[1],
            "the prompt's tokens are in the sum: multiply by the mask": everything / count,
            "the mask does nothing: this is the mean over prompt, completion and padding": logprobs.mean(1),
            "you divided by the tokens of the whole batch: each text has its own number, mask.sum(1)": total
            / mask.sum(),
            "you multiplied by the number of tokens: divide": total * count,
            "this is the perplexity: return the mean log-probability itself": (-token).exp(),
        },
        "byte": {
            "with norm='byte' divide by the number of bytes": total,
            "you counted letters: a Cyrillic letter has two bytes, len(text.encode())": total / n_letters,
            "you counted tokens: with norm='byte' divide by len(text.encode())": token,
            "you counted words: with norm='byte' divide by len(text.encode())": total / n_words,
            "you divided the mean per token by the bytes: divide the sum": token * byte / total,
            "you divided by the bytes of the whole batch: each text has its own number": total
            / sum(len(text.encode()) for text in completions),
        },
    }
    for (norm, wrong), right in zip(by_norm.items(), (total, token, byte), strict=True):
        got = answer(logprobs, mask, completions, norm)
        compare(got, right, "(batch,)", wrong | both, f"with norm={norm!r} the result")
    return "sum, mean per token, mean per byte, of the completion alone"


# 6. calibration


def _calibrate(scores: Tensor, silent: Tensor) -> Tensor:
    return scores - silent.softmax(1).mean(0).log()


@exercise(_calibrate)
def calibrate(answer) -> str:
    """Judge `calibrate(scores, silent)`."""
    scores, silent = draw(5, 3, scale=4.0) - 9, draw(4, 3, seed=1, scale=4.0) - 9
    bias = silent.softmax(1).mean(0)
    wrong = {
        "calibrated by adding instead of subtracting: what the model says anyway must count less": scores
        + bias.log(),
        "the log is missing: subtract the logarithm of the mean probability": scores - bias,
        "you took the mean of logarithms: the mean of the probabilities first, then its logarithm": scores
        - silent.log_softmax(1).mean(0),
        "normalise first: in each content-free input the labels' probabilities must add up to 1": scores
        - silent.exp().mean(0).log(),
        "these are the silent scores' plain means: softmax over the labels, mean, logarithm": scores
        - silent.mean(0),
        "softmax over the content-free inputs: the labels are dimension 1": scores
        - silent.softmax(0).mean(0).log(),
        "only the first content-free input was used: take the mean over all of them": scores
        - silent[0].log_softmax(0),
        "this is the belief about the texts themselves: it is `silent` that has nothing to say": scores
        - scores.softmax(1).mean(0).log(),
        "log-probabilities are subtracted, probabilities divided: you divided log-probabilities": scores
        / bias.log(),
        "this is the belief itself: subtract it from the scores": bias.log(),
        "these are probabilities: return log-probabilities": (scores - bias.log()).exp(),
        "nothing is calibrated: these are the scores that came in": scores,
        "the scores are missing: return the scores less the belief": -bias.log().expand(5, 3),
    }
    compare(answer(scores, silent), _calibrate(scores, silent), "(texts, labels)", wrong)
    return "the gain over what the model says about nothing"


# 7. shots


def _nearest_each(likeness: Tensor, labels: list[int], n_each: int) -> list[int]:
    """Return the nearest of each label, the nearest of all last."""
    nearest = likeness.argsort(descending=True).tolist()
    chosen = [i for label in set(labels) for i in [j for j in nearest if labels[j] == label][:n_each]]
    return [i for i in reversed(nearest) if i in chosen]


def _last_that_fit(chosen: list[int], lengths: list[int], room: int) -> list[int]:
    while sum(lengths[i] for i in chosen) > room:
        chosen = chosen[1:]
    return chosen


def _pick_shots(likeness: Tensor, labels: list[int], n_each: int, lengths: list[int], room: int) -> list[int]:
    return _last_that_fit(_nearest_each(likeness, labels, n_each), lengths, room)


@exercise(_pick_shots)
def pick_shots(answer) -> str:
    """Judge `pick_shots(likeness, labels, n_each, lengths, room)`."""

    def indices(*inputs) -> list[int]:
        got = answer(*inputs)
        if not isinstance(got, (list, tuple, Tensor)) or (isinstance(got, Tensor) and got.dim() != 1):
            raise NotYet("return a list of indices into the pool.")
        try:
            return [int(i) for i in got]
        except (TypeError, ValueError):
            raise NotYet("return a list of indices into the pool, whole numbers.") from None

    likeness = torch.tensor([0.31, 0.12, 0.93, 0.88, 0.60, 0.04, 0.45, 0.26, 0.97, 0.71])
    labels, n = [1, 0, 1, 0, 1, 0, 1, 0, 1, 0], 3
    lengths = [9, 8, 5, 6, 7, 5, 9, 4, 6, 7]
    chosen = _nearest_each(likeness, labels, n)
    nearest = likeness.argsort(descending=True).tolist()
    grouped = [i for label in (0, 1) for i in chosen if labels[i] == label]
    wrong = {
        "the shots are those farthest from the query": _nearest_each(-likeness, labels, n),
        "the shots are those farthest from the query, and the farthest stands last": _nearest_each(
            -likeness, labels, n
        )[::-1],
        "the labels are not balanced: these are the nearest of all": nearest[: 2 * n][::-1],
        "the labels are not balanced: these are the nearest of all, the nearest first": nearest[: 2 * n],
        "the nearest shot stands first: let it stand last, beside the query": chosen[::-1],
        "the shots stand label by label: order them by likeness, the nearest last": grouped,
        "the shots stand label by label: order them by likeness, the nearest of all last": [
            i for label in (0, 1) for i in chosen[::-1] if labels[i] == label
        ],
        "the shots stand in the pool's order: the nearest must stand last": sorted(chosen),
        "these are the first of each label: take the nearest": sorted(
            i for label in (0, 1) for i in [j for j in range(10) if labels[j] == label][:n]
        ),
        "n_each is for each label: of every label one is missing": _nearest_each(likeness, labels, n - 1),
    }
    got = indices(likeness, labels, n, lengths, 1000)
    name_mistake(got, wrong)
    if got != chosen:
        raise NotYet(f"with room for all it should be {chosen}, yours is {got}.")

    room = sum(lengths[i] for i in chosen[2:])  # four fit, and fill it
    right = _last_that_fit(chosen, lengths, room)
    front = [i for k, i in enumerate(chosen) if sum(lengths[j] for j in chosen[: k + 1]) <= room]
    got = indices(likeness, labels, n, lengths, room)
    name_mistake(
        got,
        {
            "the room does nothing: drop shots, the first one first, until the others fit": chosen,
            "the nearest shots were dropped: give up the first, which are the farthest": front,
            "one shot more fits: room that is exactly full is full enough": right[1:],
            "one shot too many: its tokens do not fit any more": chosen[1:],
            "no shot is left: drop them one by one, until the others fit": [],
        },
    )
    if got != right:
        raise NotYet(f"where {room} tokens have room, {right} should be left of {chosen}, yours is {got}.")
    if (got := indices(likeness, labels, n, lengths, 10)) != chosen[-1:]:
        raise NotYet(
            f"where 10 tokens have room, the nearest shot is left alone, {chosen[-1:]}, yours is {got}: once "
            "a shot does not fit, those before it are given up too."
        )
    if (got := indices(likeness, labels, n, lengths, 3)) != []:
        raise NotYet(f"where nothing fits the list is empty, yours is {got}.")
    return "balanced, the nearest last, as many as fit"
