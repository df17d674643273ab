"""What TRL's trainers are set to wherever they are a method's twin: nothing that changes what is computed."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel


def trl_config(kind: type, folder: str | Path, model: PreTrainedModel, **settings: Any) -> Any:
    """Return the configuration of a trainer of TRL's: full precision, no recomputing, no files, no reports.

    Args:
        kind: such as `trl.SFTConfig`.
        folder: for its checkpoints, if settings ask for any.
        model: to be trained; where it lies says whether a processor trains.
        **settings: of that kind, over these.
    """
    known = {field.name for field in fields(kind)}
    recomputing = (
        "activation_checkpointing" if "activation_checkpointing" in known else "gradient_checkpointing"
    )
    usual = {
        "bf16": False,
        recomputing: False,
        "report_to": "none",
        "save_strategy": "no",
        "use_cpu": model.device.type == "cpu",
    }
    return kind(output_dir=str(folder), **{**usual, **settings})
