"""Continuous prompt tuning: formats, providers, prompts, tuning (slides "Continuous Prompt Tuning",
"ruPrompts Framework").

`format` reads the language of prompt formats, `encoding` fills them, `providers` make embeddings, `prompt`
puts them into a model, `tuning` trains them with the `loss`, `classify` and `generation` use them, `tasks`
has the formats of the course's tasks, `files` saves and loads, `methods` has the rivals.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "FormatError": "syntax",
    "PromptFormat": "format",
    **dict.fromkeys(("EncodedPrompt", "encode"), "encoding"),
    **dict.fromkeys(("LSTMProvider", "MLPProvider", "PromptProvider", "TensorProvider"), "providers"),
    **dict.fromkeys(("Prompt", "attach", "attached", "detach", "new_prompt"), "prompt"),
    **dict.fromkeys(("History", "tune"), "tuning"),
    "choice_scores": "classify",
    "generate": "generation",
    **dict.fromkeys(("from_pretrained", "push_to_hub", "save_pretrained", "save_ruprompts"), "files"),
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
