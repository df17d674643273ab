"""Pretrain the course's Russian GPT on the micro-world: `python -m course_lib.pretrain size=8m`.

The road of the lecture's first slide, with nothing hidden: text -> byte-level BPE -> blocks of 512 tokens -> next-token
loss. The loop is the `transformers` Trainer; a killed run goes on from its last checkpoint to the same weights.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast, Trainer

END_OF_TEXT = "<|endoftext|>"


def train_tokenizer(texts: Iterable[str], vocab_size: int = 4096) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer, GPT-2's kind (slide "Details of GPT implementation").

    Args:
        texts: the text to learn merges from.
        vocab_size: number of tokens, the end-of-text token included.

    Returns:
        A fast tokenizer whose only special token, `<|endoftext|>` (id 0), begins, ends and pads.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    special = {"bos_token": END_OF_TEXT, "eos_token": END_OF_TEXT, "pad_token": END_OF_TEXT}
    return PreTrainedTokenizerFast(tokenizer_object=bpe, clean_up_tokenization_spaces=False, **special)


def blocks(text: Dataset, tokenizer: PreTrainedTokenizerFast, n_positions: int) -> Dataset:
    """Cut documents, joined by the end-of-text token, into blocks that fill the context window.

    Args:
        text: documents in the column `text`.
        tokenizer: turns them into ids.
        n_positions: tokens a block.

    Returns:
        A dataset with `input_ids` and equal `labels`, each (n_positions,); the last incomplete block is dropped.
    """
    import numpy as np

    def cut(batch: dict[str, list[str]]) -> dict[str, Any]:
        encoded = tokenizer([document + END_OF_TEXT for document in batch["text"]], return_attention_mask=False)
        ids = np.concatenate([np.asarray(document, dtype=np.int64) for document in encoded["input_ids"]])
        whole = ids[: len(ids) // n_positions * n_positions].reshape(-1, n_positions)
        return {"input_ids": whole, "labels": whole}

    # large batches: what is lost at the end of each is under one block in hundreds
    return text.map(cut, batched=True, batch_size=5_000, remove_columns=text.column_names).with_format("torch")


def new_model(size: DictConfig, vocab_size: int, seed: int = 1) -> GPT2LMHeadModel:
    """Build an untrained GPT-2 of one of the course's sizes.

    Args:
        size: n_embd, n_layer, n_head, n_positions (see `conf/size`).
        vocab_size: rows of the embedding.
        seed: of the initial weights.

    Returns:
        The model in float32, without dropout: one pass over fresh text does not overfit.
    """
    from transformers import GPT2Config, GPT2LMHeadModel, set_seed

    set_seed(seed)
    shape = {key: size[key] for key in ("n_embd", "n_layer", "n_head", "n_positions")}
    no_dropout = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
    special = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    # the same function as GPT-2's "gelu_new", in one kernel instead of eight
    fused = {"activation_function": "gelu_pytorch_tanh"}
    return GPT2LMHeadModel(GPT2Config(vocab_size=vocab_size, **shape, **no_dropout, **special, **fused))


def fast_arithmetic() -> dict[str, bool]:
    """Say what this machine's processor gains from: bfloat16 and a compiled graph.

    Returns:
        Keyword arguments for `TrainingArguments`.
    """
    import torch

    if torch.cuda.is_available():
        return {"bf16": torch.cuda.is_bf16_supported(including_emulation=False), "torch_compile": True}
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    bf16 = bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    # the CPU back end of torch.compile builds C++
    has_compiler = bool(shutil.which("g++") or shutil.which("clang++"))
    return {"bf16": bf16, "torch_compile": has_compiler, "use_cpu": True}


def make_trainer(
    model: GPT2LMHeadModel, train: Dataset, validation: Dataset | None, folder: str | Path, **arguments: Any
) -> Trainer:
    """Set up the library's Trainer for language modelling on ready blocks, read in order.

    Args:
        model: what to train.
        train: training blocks; the generator has already mixed the kinds, so that the order is kept as it is.
        validation: held-out blocks, or None.
        folder: for checkpoints.
        **arguments: `transformers.TrainingArguments`.

    Returns:
        The trainer; call `.train()`.
    """
    from transformers import Trainer, TrainingArguments, default_data_collator

    settings = {
        "train_sampling_strategy": "sequential",
        "dataloader_drop_last": True,
        "report_to": "none",
        **fast_arithmetic(),
        **arguments,
    }
    if validation is None:
        settings["eval_strategy"] = "no"
    args = TrainingArguments(output_dir=str(folder), **settings)
    if args.torch_compile and args.use_cpu:
        model.set_attn_implementation("eager")  # compiled, plain attention beats the processor's fused kernel
    return Trainer(model, args, default_data_collator, train_dataset=train, eval_dataset=validation)


def last_checkpoint(folder: str | Path) -> str | None:
    """Return the newest checkpoint of a run that is whole, or None.

    Args:
        folder: where the run keeps its checkpoints.

    Returns:
        The path to resume from, or None for a fresh start.

    Raises:
        ValueError: if the newest checkpoint is damaged; it names the file and what to do.
    """
    import torch
    from safetensors import SafetensorError, safe_open
    from transformers.trainer_utils import get_last_checkpoint

    newest = get_last_checkpoint(str(folder)) if Path(folder).is_dir() else None
    if newest is None:
        return None
    for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json"):
        path = Path(newest) / name
        try:
            if name.endswith(".safetensors"):
                with safe_open(path, framework="pt") as weights:
                    weights.keys()
            elif name.endswith(".pt"):
                torch.load(path, weights_only=True, map_location="cpu", mmap=True)
            else:
                json.loads(path.read_text(encoding="utf-8"))
        except (OSError, RuntimeError, SafetensorError, ValueError, EOFError) as error:
            raise ValueError(
                f"Cannot resume: {path.name} in {newest} is damaged ({type(error).__name__}). "
                f"Delete that folder to go on from the checkpoint before it, or pass resume=false to start anew."
            ) from error
    return newest


def get_tokenizer(config: DictConfig) -> PreTrainedTokenizerFast:
    """Load the tokenizer of `config.tokenizer.folder`, or train it there first."""
    from transformers import PreTrainedTokenizerFast

    from course_lib.world.documents import pretraining_text

    folder = Path(config.tokenizer.folder)
    if not (folder / "tokenizer.json").exists():
        text = pretraining_text(config.tokenizer.characters, seed=config.data.seed)
        train_tokenizer(text["text"], config.tokenizer.vocab_size).save_pretrained(folder)
    return PreTrainedTokenizerFast.from_pretrained(folder)


def run(config: DictConfig) -> dict[str, Any]:
    """Pretrain one size from its configuration and save model, tokenizer and log.

    Args:
        config: see `conf/pretrain.yaml`.

    Returns:
        The log that is saved as `training_log.json`: configuration, tokens, seconds, loss history.
    """
    from course_lib.models import save_lm
    from course_lib.world.documents import pretraining_text

    folder = Path(config.folder)
    resume = last_checkpoint(folder) if config.resume else None
    tokenizer = get_tokenizer(config)
    train_text = pretraining_text(config.data.characters, seed=config.data.seed)
    validation_text = pretraining_text(config.data.validation_characters, config.data.seed, "validation")
    train = blocks(train_text, tokenizer, config.size.n_positions)
    validation = blocks(validation_text, tokenizer, config.size.n_positions)
    model = new_model(config.size, len(tokenizer), config.training.seed)
    arguments = OmegaConf.to_container(config.training, resolve=True)
    trainer = make_trainer(model, train, validation, folder, **arguments)
    args = trainer.args
    tokens_a_step = args.train_batch_size * args.gradient_accumulation_steps * config.size.n_positions
    start = time.perf_counter()
    trainer.train(resume_from_checkpoint=resume)
    log = {
        "size": OmegaConf.to_container(config.size),
        "data": OmegaConf.to_container(config.data),
        "training": arguments,
        "n_params": model.num_parameters(),
        "tokens_a_step": tokens_a_step,
        "training_tokens": trainer.state.global_step * tokens_a_step,
        "unique_tokens": len(train) * config.size.n_positions,
        "characters": sum(map(len, train_text["text"])),
        "validation_tokens": len(validation) * config.size.n_positions,
        "seconds": round(time.perf_counter() - start),
        "arithmetic": {key: getattr(args, key) for key in ("bf16", "torch_compile")},
        "history": trainer.state.log_history,
    }
    save_lm(model, tokenizer, folder / "model", dtype="float16")
    (folder / "model" / "training_log.json").write_text(json.dumps(log, indent=1), encoding="utf-8")
    return log


@hydra.main(version_base=None, config_path="conf", config_name="pretrain")
def main(config: DictConfig) -> None:
    """Command line: train, then print the last held-out loss."""
    try:
        log = run(config)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"pretrain: {error}")
    held_out = [entry["eval_loss"] for entry in log["history"] if "eval_loss" in entry]
    print(f"{log['n_params']:,} parameters, {log['training_tokens']:,} tokens, held-out loss {held_out[-1]:.3f}")


if __name__ == "__main__":
    main()
