"""GPT-2's checkpoint format: which tensors there are, of which shapes, and how to read them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

# The names of a block's tensors, in the order in which a token meets them; shapes in units of n_embd.
BLOCK_TENSORS = {
    "ln_1.weight": (1,),
    "ln_1.bias": (1,),
    "attn.c_attn.weight": (1, 3),  # queries, keys and values side by side
    "attn.c_attn.bias": (3,),
    "attn.c_proj.weight": (1, 1),
    "attn.c_proj.bias": (1,),
    "ln_2.weight": (1,),
    "ln_2.bias": (1,),
    "mlp.c_fc.weight": (1, 4),
    "mlp.c_fc.bias": (4,),
    "mlp.c_proj.weight": (4, 1),
    "mlp.c_proj.bias": (1,),
}


def expected_shapes(
    vocab_size: int, n_positions: int, n_embd: int, n_layer: int
) -> dict[str, tuple[int, ...]]:
    """Lists every tensor of a GPT-2 with its shape; the head is the token embedding again."""
    shapes = {"wte.weight": (vocab_size, n_embd), "wpe.weight": (n_positions, n_embd)}
    for layer in range(n_layer):
        for name, units in BLOCK_TENSORS.items():
            shapes[f"h.{layer}.{name}"] = tuple(unit * n_embd for unit in units)
    return shapes | {"ln_f.weight": (n_embd,), "ln_f.bias": (n_embd,)}


def read_checkpoint(source) -> tuple[dict, dict[str, Tensor]]:
    """Reads a GPT-2-shaped checkpoint.

    Args:
        source: a `transformers` GPT2LMHeadModel, or a folder with config.json and *.safetensors.

    Returns:
        Its settings, and copies of its tensors in float32 by name.

    Raises:
        FileNotFoundError: the folder, its config.json or its weights are missing.
        ValueError: config.json is damaged, not a GPT-2 shape, or a tensor is missing, cut short, or of the
            wrong shape.
    """
    if hasattr(source, "state_dict"):
        settings, tensors = source.config.to_dict(), source.state_dict()
    else:
        settings, tensors = _read_folder(Path(source))
    kind, gelu = settings.get("model_type"), settings.get("activation_function", "gelu_new")
    if kind != "gpt2" or gelu not in ("gelu_new", "gelu_pytorch_tanh"):
        raise ValueError(f"A GPT-2-shaped model is needed (gpt2, gelu_new), this one is ({kind}, {gelu}).")
    if settings.get("tie_word_embeddings") is False:
        raise ValueError("A tied head is needed: in this model head and token embedding are two matrices.")
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    for key in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"):
        if not isinstance(settings.get(key), int):
            raise ValueError(f"The configuration says {key}={settings.get(key)}: it must be a whole number.")
    sizes = {key: settings[key] for key in ("vocab_size", "n_positions", "n_embd", "n_layer")}
    weights = {}
    for name, shape in expected_shapes(**sizes).items():
        if name not in tensors:
            raise ValueError(f"The checkpoint has no tensor '{name}': it is not a whole GPT-2-shaped model.")
        if (found := tuple(tensors[name].shape)) != shape:
            raise ValueError(f"Tensor '{name}' is {found}, but the configuration asks for {shape}.")
        weights[name] = tensors[name].detach().to(torch.float32, copy=True)
    return settings, weights


def _read_folder(folder: Path) -> tuple[dict, dict[str, Tensor]]:
    files = sorted(folder.glob("*.safetensors"))
    if not (folder / "config.json").is_file() or not files:
        raise FileNotFoundError(f"'{folder}' is no checkpoint: it needs config.json and model.safetensors.")
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"'{folder / 'config.json'}' is damaged ({error}): get it again.") from None
    if not isinstance(settings, dict):
        raise ValueError(f"'{folder / 'config.json'}' is damaged (it holds no JSON object): get it again.")
    tensors: dict[str, Tensor] = {}
    for file in files:
        try:
            tensors |= load_file(file)
        except SafetensorError as error:
            raise ValueError(f"'{file}' is cut short or damaged ({error}): get it again.") from error
    return settings, tensors
