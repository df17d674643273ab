"""Instruction tuning: many tasks told in plain words, one model tuned on the mixture.

Slides "Finetuned Language Net", "Data for Instruction Tuning", "T0 - concurrent work", "Stage 1".
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    **dict.fromkeys(
        ("Instruction", "InstructionTemplate", "load_templates", "save_templates", "task_templates"),
        "templates",
    ),
    **dict.fromkeys(("ambiguity", "check", "leaks"), "checks"),
    **dict.fromkeys(("CLUSTERS", "Mixture", "Source", "counts", "rates", "sources"), "mixture"),
    **dict.fromkeys(
        ("CHAT_TEMPLATE", "as_columns", "as_messages", "encode", "encode_all", "from_messages"), "supervised"
    ),
    **dict.fromkeys(("collate", "packed", "packing_mask"), "packing"),
    **dict.fromkeys(("completion_loss", "sft_trainer", "tune"), "tuning"),
    **dict.fromkeys(("choose", "write"), "answers"),
    **dict.fromkeys(("USE_CASES", "deduplicated", "demonstrations", "few_shot_prompt"), "use_cases"),
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
