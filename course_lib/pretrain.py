"""Pretrain the course's Russian GPT on the micro-world: `python -m course_lib.pretrain size=8m`.

The road of the lecture's first slide, with nothing hidden: text -> byte-level BPE -> blocks of 512 tokens
-> next-token loss. The loop is the `transformers` Trainer; a killed run goes on from its last checkpoint to
the same weights.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerFast, Trainer

END_OF_TEXT = "<|endoftext|>"
LOGGED = ("size", "data", "training")  # what the log repeats of the configuration
SHAPE = ("n_embd", "n_layer", "n_head", "n_positions")
WHOLE = (
    *(f"size.{key}" for key in SHAPE),
    *("data.characters", "data.validation_characters", "tokenizer.characters", "tokenizer.vocab_size"),
)


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
        A dataset with `input_ids` and equal `labels`, each (n_positions,); the last incomplete block is
        dropped.

    Raises:
        ValueError: the text is too short for one block.
    """
    import numpy as np

    def cut(batch: dict[str, list[str]]) -> dict[str, Any]:
        documents = [document + END_OF_TEXT for document in batch["text"]]
        encoded = tokenizer(documents, return_attention_mask=False)
        ids = np.concatenate([np.asarray(document, dtype=np.int64) for document in encoded["input_ids"]])
        whole = ids[: len(ids) // n_positions * n_positions].reshape(-1, n_positions)
        return {"input_ids": whole, "labels": whole}

    # large batches: what is lost at the end of each is under one block in hundreds
    options = {"batched": True, "batch_size": 5_000, "remove_columns": text.column_names}
    ready = text.map(cut, **options).with_format("torch")
    if not len(ready):
        raise ValueError(f"The text has no {n_positions} tokens, not one block: ask for more characters.")
    return ready


def new_model(size: DictConfig, vocab_size: int, seed: int = 1) -> PreTrainedModel:
    """Build an untrained GPT-2, or T5, of one of the course's sizes.

    Args:
        size: n_embd, n_layer, n_head, n_positions (see `conf/size`).
        vocab_size: rows of the embedding.
        seed: of the initial weights.

    Returns:
        The model in float32, without dropout: one pass over fresh text does not overfit.
    """
    from transformers import GPT2Config, GPT2LMHeadModel, set_seed

    if size.get("architecture") == "t5":
        from course_lib.encoder_decoder import new_t5

        return new_t5(size, vocab_size, seed)
    set_seed(seed)
    shape = {key: size[key] for key in SHAPE}
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
    model: PreTrainedModel, train: Dataset, validation: Dataset | None, folder: str | Path, **arguments: Any
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

    Raises:
        ValueError: an argument that `TrainingArguments` do not have.
    """
    from transformers import TrainingArguments, default_data_collator

    from course_lib.checkpointing import WholeCheckpoints
    from course_lib.encoder_decoder import seq2seq_batch, t5_optimizer
    from course_lib.muon import muon_with_adamw

    settings = {
        "train_sampling_strategy": "sequential",
        "dataloader_drop_last": True,
        "report_to": "none",
        **fast_arithmetic(),
        **arguments,
    }
    if validation is None:
        settings["eval_strategy"] = "no"
    unknown = set(settings) - {field.name for field in dataclasses.fields(TrainingArguments)}
    if unknown:
        raise ValueError(f"TrainingArguments know no {', '.join(sorted(unknown))}: see the library's list.")
    args = TrainingArguments(output_dir=str(folder), **settings)
    if args.torch_compile and args.use_cpu:
        model.set_attn_implementation("eager")  # compiled, plain attention beats the processor's fused kernel
    if model.config.is_encoder_decoder:
        collate = partial(seq2seq_batch, vocab_size=model.config.vocab_size)
        optimizer = t5_optimizer(model, args.learning_rate, args.weight_decay)
    else:
        collate = default_data_collator
        optimizer = muon_with_adamw(model, args.learning_rate, args.weight_decay, args.adam_beta2)
    data = {"train_dataset": train, "eval_dataset": validation}
    return WholeCheckpoints(model, args, collate, optimizers=(optimizer, None), **data)


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
        The log that is saved as `training_log.json`: configuration, tokens, tokens a second (evaluation
        included; of a run that went on, since then), loss history. A run that has already ended is not run
        again.

    Raises:
        ValueError: settings that make no model, a folder with a run of other settings, a damaged checkpoint,
            too little text, an unknown training argument.
        OSError: the disk is full; what was saved before is as it was.
    """
    from course_lib.checkpointing import SETTINGS_FILE, last_checkpoint, step_of
    from course_lib.saving import save_lm, write_whole
    from course_lib.world.documents import pretraining_text

    check(config)
    folder = Path(config.folder)
    settings = OmegaConf.to_container(config, resolve=True)
    del settings["folder"], settings["resume"]
    if config.resume and (finished := earlier(folder, settings)):
        return finished
    resume = last_checkpoint(folder) if config.resume else None
    tokenizer = get_tokenizer(config)
    train_text = pretraining_text(config.data.characters, seed=config.data.seed)
    validation_text = pretraining_text(config.data.validation_characters, config.data.seed, "validation")
    train = blocks(train_text, tokenizer, config.size.n_positions)
    validation = blocks(validation_text, tokenizer, config.size.n_positions)
    model = new_model(config.size, len(tokenizer), config.training.seed)
    trainer = make_trainer(model, train, validation, folder, **settings["training"])
    args = trainer.args
    tokens_a_step = args.train_batch_size * args.gradient_accumulation_steps * config.size.n_positions
    done = step_of(resume) if resume else 0
    if not resume:
        for old in folder.glob("checkpoint-*"):  # with resume=false: nothing may ever go on from them
            shutil.rmtree(old)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / SETTINGS_FILE, json.dumps(settings, indent=1))
    start = time.perf_counter()
    trainer.train(resume_from_checkpoint=resume)
    seconds = time.perf_counter() - start
    log = {
        **{key: settings[key] for key in LOGGED},
        "n_params": model.num_parameters(),
        "tokens_a_step": tokens_a_step,
        "training_tokens": trainer.state.global_step * tokens_a_step,
        "unique_tokens": len(train) * config.size.n_positions,
        "characters": sum(map(len, train_text["text"])),
        "validation_tokens": len(validation) * config.size.n_positions,
        "tokens_a_second": round((trainer.state.global_step - done) * tokens_a_step / seconds),
        "arithmetic": {key: getattr(args, key) for key in ("bf16", "torch_compile")},
        "history": trainer.state.log_history,
    }
    save_lm(model, tokenizer, folder / "model", dtype="float16")
    write_whole(folder / "model" / "training_log.json", json.dumps(log))
    return log


def check(config: DictConfig) -> None:
    """Make sure that a configuration makes a model, before any text is written.

    Args:
        config: see `conf/pretrain.yaml`.

    Raises:
        ValueError: says which number is wrong.
    """
    architecture = OmegaConf.select(config, "size.architecture")
    if architecture not in (None, "t5"):
        raise ValueError(f"size.architecture={architecture} must be t5, or left out for a GPT-2.")
    for key in (*WHOLE, *(["size.n_ff"] if architecture else [])):
        given = OmegaConf.select(config, key)
        if type(given) is not int or given < 1:
            raise ValueError(f"{key}={given} must be a whole number, at least 1.")
    width, n_head = config.size.n_embd, config.size.n_head
    if width % n_head:
        raise ValueError(f"size.n_embd={width} must be a multiple of size.n_head={n_head}: heads are equal.")


def earlier(folder: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Return the log of the run that has ended in a folder, None if none has.

    Args:
        folder: of checkpoints and model.
        settings: of the run that is to go on there.

    Raises:
        ValueError: the folder has a run of other settings: to go on with it would mix the two.
    """
    from course_lib.checkpointing import SETTINGS_FILE, check_settings, newest_checkpoint

    log = read(folder / "model" / "training_log.json")
    if not log and not newest_checkpoint(folder):
        return None
    there = read(folder / SETTINGS_FILE) or log  # where a model is all that is left, its log tells the most
    check_settings(folder, there and {key: there.get(key, settings[key]) for key in settings}, settings)
    return log if log and all(log[key] == settings[key] for key in LOGGED) else None


def read(path: Path) -> dict[str, Any] | None:
    """Return what a JSON file says, None if it is not there."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


@hydra.main(version_base=None, config_path="conf", config_name="pretrain")
def main(config: DictConfig) -> None:
    """Command line: train, then print the last held-out loss."""
    try:
        log = run(config)
    except (ValueError, OSError) as error:
        sys.exit(f"pretrain: {error}")
    held_out = [entry["eval_loss"] for entry in log["history"] if "eval_loss" in entry]
    sizes = f"{log['n_params']:,} parameters, {log['training_tokens']:,} tokens"
    print(f"{sizes}, held-out loss {held_out[-1]:.3f}")


if __name__ == "__main__":
    main()
