"""PPO for language models: rollouts, the KL penalty, advantages, the clipped loss, the pretraining term.

Slides "InstructGPT" (step 3), "Quick recap: PPO", "InstructGPT training".
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    **dict.fromkeys(
        (
            "entropy",
            "explained_variance",
            "gae",
            "kl_penalty",
            "ppo_loss",
            "token_rewards",
            "value_loss",
            "whiten",
        ),
        "formulas",
    ),
    **dict.fromkeys(("sample", "uniforms"), "rollout"),
    **dict.fromkeys(("PPO", "PPOConfig", "mean_kl"), "trainer"),
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
