"""Reward modelling: comparisons, labelers, the model of what they like, and how good a model it is.

Slides "Collect comparison data, and train a reward model", "InstructGPT dataset sizes".
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    **dict.fromkeys(
        (
            "PPO_PROMPTS",
            "RANKED_PROMPTS",
            "Ranking",
            "agreement",
            "as_columns",
            "from_columns",
            "ranked",
            "read_jsonl",
            "write_jsonl",
        ),
        "comparisons",
    ),
    **dict.fromkeys(("LABELERS", "Labeler"), "labeler"),
    **dict.fromkeys(("encode", "normalise", "reward_model", "rewards", "score", "token_values"), "model"),
    **dict.fromkeys(("encode_ranking", "ranking_loss", "train", "trl_trainer"), "training"),
    "RankingWidget": "widget",
    **dict.fromkeys(
        ("accuracy_by_distance", "best_of_n", "best_of_n_kl", "calibration", "pair_accuracy"), "measures"
    ),
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
