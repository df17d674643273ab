"""The micro-world: the course's own Russian text and its labelled tasks, all made from a seed.

`labelled(name)` gives a task, `LABELLED` lists them, `pretraining_text()` gives the text to train on; the
endless stream behind it is `course_lib.world.documents.documents`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_lib.world.documents import pretraining_text
    from course_lib.world.splits import LABELLED, labelled

__all__ = ["LABELLED", "labelled", "pretraining_text"]
_HOMES = {"LABELLED": "splits", "labelled": "splits", "pretraining_text": "documents"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
