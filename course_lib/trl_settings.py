"""What TRL's trainers are set to wherever they are a method's twin: nothing that changes what is computed."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from course_lib.padding import counted_positions

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn
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


def count_positions(model: PreTrainedModel) -> None:
    """Let positions count real tokens, for a trainer that pads on the left and does not say so.

    TRL's online trainers compute the log-probabilities of left-padded rows without position ids. A model
    whose positions are learned, such as GPT-2, then reads another text than the one it wrote.

    Args:
        model: is changed: it makes the position ids from the attention mask where there are none.
    """

    def add(_: nn.Module, args: tuple, inputs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        mask = inputs.get("attention_mask")
        if mask is not None and inputs.get("position_ids") is None:
            inputs = {**inputs, "position_ids": counted_positions(mask)}
        return args, inputs

    model.register_forward_pre_hook(add, with_kwargs=True)
