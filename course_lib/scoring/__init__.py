"""Solving tasks with a frozen model: templates, log-probabilities, classification, shots, generation.

Slides "How to solve tasks with the few-/zero-shot?".
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    **dict.fromkeys(("Template", "with_labels"), "templates"),
    **dict.fromkeys(("Scored", "logprob", "score"), "logprobs"),
    **dict.fromkeys(("label_requests", "label_scores"), "classify"),
    **dict.fromkeys(("balanced_shots", "nearest_shots", "random_shots", "that_fit"), "shots"),
    "solve": "zero_shot",
    **dict.fromkeys(("STRATEGIES", "answer", "continuations", "repetition", "runs_on"), "generate"),
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
