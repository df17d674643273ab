"""Checks of seminar 3, "Soft prompts": the first half's, and the loss, classification, files, many tasks."""

from __future__ import annotations

import json
import pickle
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.exercises import NotYet, close, compare, exercise
from course_lib.exercises.decoder_parts import draw
from course_lib.exercises.soft_prompts_parts import count_parameters, provide, soft_embedding, start_rows

__all__ = [
    "classify",
    "count_parameters",
    "join_prompts",
    "load_rows",
    "provide",
    "soft_embedding",
    "start_rows",
    "target_loss",
]

# 4. the loss


def _target_loss(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())


@exercise(_target_loss)
def target_loss(answer) -> str:
    """Judge `target_loss(logits, labels)`."""
    logits = draw(2, 6, 9, scale=3.0)
    labels = torch.tensor([[-100, -100, -100, 4, 2, 0], [-100, -100, 7, 0, -100, -100]])
    right = _target_loss(logits, labels)
    each = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="none").view(2, 5)
    counts = (labels[:, 1:] != -100).sum(1)
    zeroed = labels.clamp(min=0)
    wrong = {
        "not shifted: the logits at t predict token t + 1": F.cross_entropy(
            logits.flatten(0, 1), labels.flatten()
        ),
        "shifted the wrong way: the logits at t predict token t + 1": F.cross_entropy(
            logits[:, 1:].flatten(0, 1), labels[:, :-1].flatten()
        ),
        "this is the sum: take the mean over the target's tokens": each.sum(),
        "the mean goes over all places: only those of the target count": each.mean(),
        "the prompt's places are in the loss, as if they were token 0: leave out label -100": F.cross_entropy(
            logits[:, :-1].flatten(0, 1), zeroed[:, 1:].flatten()
        ),
        "this is a mean of each row's mean: the mean goes over all target tokens of the batch": (
            each.sum(1) / counts
        ).mean(),
        "the sign is turned: a loss is a negative log-probability": -right,
    }
    compare(answer(logits, labels), right, "()", wrong)
    return "the mean over the target's tokens alone"


# 5. classification


def _classify(logits: Tensor, mask: Tensor, label_ids: Tensor) -> Tensor:
    last = mask.sum(1) - 1
    return logits[torch.arange(len(logits)), last][:, label_ids].argmax(1)


@exercise(_classify)
def classify(answer) -> str:
    """Judge `classify(logits, mask, label_ids)`."""
    logits, mask = (
        draw(6, 5, 9, scale=3.0),
        torch.tensor([[1] * n + [0] * (5 - n) for n in (5, 3, 4, 2, 3, 5)]),
    )
    label_ids = torch.tensor([7, 2, 4])
    rows, last = torch.arange(6), mask.sum(1) - 1
    at = logits[rows, last]
    wrong = {
        "you looked at the last column, which is padding in short rows: take mask.sum(1) - 1": logits[:, -1][
            :, label_ids
        ].argmax(1),
        "one place too early: the last token's logits predict the answer": logits[rows, last - 1][
            :, label_ids
        ].argmax(1),
        "these are token ids: return the number of the label": label_ids[at[:, label_ids].argmax(1)],
        "you took the likeliest of all words: only the label words are compared": at.argmax(1),
        "this is the least likely label": at[:, label_ids].argmin(1),
        "you compared logits summed over all places: only those at the last token predict the answer": (
            logits * mask[..., None]
        )
        .sum(1)[:, label_ids]
        .argmax(1),
    }
    got = answer(logits, mask, label_ids)
    compare(got, _classify(logits, mask, label_ids), "(batch,)", wrong)
    return "the likeliest label word after the last token of each row"


# 6. ruPrompts' files


def _load_rows(folder: Path) -> tuple[str, Tensor]:
    config = json.loads((folder / "prompt.json").read_text(encoding="utf-8"))
    rows = torch.load(folder / "prompt_provider.bin", weights_only=True)
    return config["format"]["compiled_template"], rows


class Trap:
    """A pickle that leaves a mark where it is loaded without care."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (Path(self.mark),)


@exercise(_load_rows)
def load_rows(answer) -> str:
    """Judge `load_rows(folder)`."""
    rows = draw(3, 4)
    forms = {"template": "<P*2>{text}<P>", "compiled_template": "<|P|><|P|>{text}<|P|>"}
    with tempfile.TemporaryDirectory() as work:
        folder, mark = Path(work), Path(work, "ran")
        (folder / "prompt.json").write_text(json.dumps({"format": forms, "config": {}}), encoding="utf-8")
        torch.save(rows, folder / "prompt_provider.bin")
        got = answer(folder)
        if not (isinstance(got, tuple) and len(got) == 2):
            raise NotYet("return two things: the compiled template and the tensor.")
        if got[0] == forms["template"]:
            raise NotYet("this is `template`: in the compiled one every soft token is written out, <|P|>.")
        if got[0] != forms["compiled_template"]:
            raise NotYet(f"the compiled template is {forms['compiled_template']!r}, and yours {got[0]!r}.")
        compare(got[1], rows, "(n_soft, dim)")
        (folder / "prompt_provider.bin").write_bytes(pickle.dumps(Trap(str(mark)), protocol=2))
        try:
            answer(folder)
        except NotYet:  # refused, as it should be
            pass
        if mark.exists():
            raise NotYet(
                "a file with code in it was loaded, and its code ran: weights_only=True refuses such files."
            )
    return "template and tensor, and no code of strangers"


# 7. two tasks in one batch


def _join_prompts(rows: list[Tensor], ids: list[Tensor], n_words: int) -> tuple[Tensor, list[Tensor]]:
    starts = torch.tensor([0, *(len(some) for some in rows)]).cumsum(0)
    return torch.cat(rows), [
        one + (one >= n_words) * start for one, start in zip(ids, starts.tolist(), strict=False)
    ]


@exercise(_join_prompts)
def join_prompts(answer) -> str:
    """Judge `join_prompts(rows, ids, n_words)`."""
    rows, n_words = [draw(2, 4), draw(3, 4, seed=1), draw(1, 4, seed=2)], 7
    ids = [torch.tensor([7, 1, 8]), torch.tensor([9, 7, 3, 8, 8]), torch.tensor([2, 7])]
    right_rows, right = _join_prompts(rows, ids, n_words)
    got = answer(rows, ids, n_words)
    if not (isinstance(got, tuple) and len(got) == 2):
        raise NotYet("return two things: all rows in one tensor, and the list of new ids.")
    compare(got[0], right_rows, "(all soft tokens, dim)", what="the tensor of rows")
    starts = [0, 2, 5]
    wrong = {
        "the words' ids were moved too: only ids from n_words on are soft tokens": [
            one + start for one, start in zip(ids, starts, strict=True)
        ],
        "nothing was moved: the second prompt's soft tokens would read the first one's rows": ids,
        "each prompt was moved by its own length: it goes behind all the prompts before it": [
            one + (one >= n_words) * len(some) for one, some in zip(ids, rows, strict=True)
        ],
        "the third prompt was moved by the second's length alone: add up all the prompts before it": [
            one + (one >= n_words) * start for one, start in zip(ids, (0, 2, 3), strict=True)
        ],
    }
    if len(got[1]) != 3:
        raise NotYet(f"there are 3 lists of ids, and you return {len(got[1])}.")
    for mistake, lists in wrong.items():
        if all(close(a, b) for a, b in zip(got[1], lists, strict=True)):
            raise NotYet(f"{mistake}.")
    for mine, expected in zip(got[1], right, strict=True):
        compare(mine, expected, "(time,)", what="a list of ids")
    return "every prompt's soft tokens have ids of their own"
