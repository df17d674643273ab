"""Write the model cards and the loss curves of the course's own models: `python -m course_lib.model_card`.

Everything in a card is read from the training log or measured on the shipped weights; nothing is typed in.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_lib.models import CHECKPOINTS, OWN, OWN_SEQ2SEQ, load_lm
from course_lib.saving import write_whole

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedTokenizerFast

SEED, TEMPERATURE, TOP_K, NEW_TOKENS = 0, 0.8, 40, 60
LAST_STEPS = 1_000
# kinds of documents that hold nothing but hand-written texts, of which the held-out text has its own
QUOTING = (
    *("tweets", "tweets: labelled", "proverbs", "jokes", "news", "reading", "manners", "dialogues", "causes"),
    *("senses: dictionary", "senses: meanings", "senses: same or not", "list: topics", "list: questions"),
)
PROMPTS = {
    "a story": "Однажды утром Нина увидела, что",
    "an encyclopaedia": "Ключевск — город на",
    "a tweet": "Весь день лил дождь, а зонт остался дома,",
    "a question": "В: Кто живёт в лесу и любит мёд?\nО:",
    "a dialogue": "— Здравствуйте! Скажите, пожалуйста, где здесь библиотека?\n—",
    "a list": "кошка → cat\nсобака → dog\nрыба → fish\nкошка →",
}


def split_ids(log: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> tuple[np.ndarray, np.ndarray]:
    """Make the text of a run again.

    Args:
        log: its `training_log.json`.
        tokenizer: its tokenizer.

    Returns:
        Training and held-out blocks of token ids, each (blocks, n_positions).
    """
    from course_lib.pretrain import blocks
    from course_lib.world.documents import pretraining_text

    data = log["data"]
    texts = (
        pretraining_text(data["characters"], data["seed"]),
        pretraining_text(data["validation_characters"], data["seed"], "validation"),
    )
    ready = (blocks(text, tokenizer, log["size"]["n_positions"]).with_format("numpy") for text in texts)
    train, held_out = (part["input_ids"][:] for part in ready)
    return train, held_out


def unquoted_ids(log: dict[str, Any], tokenizer: PreTrainedTokenizerFast) -> np.ndarray:
    """Make the held-out text of a run again, without the documents that only quote hand-written texts.

    Args:
        log: its `training_log.json`.
        tokenizer: its tokenizer.

    Returns:
        Blocks of token ids (blocks, n_positions).
    """
    from course_lib.pretrain import blocks
    from course_lib.world.documents import pretraining_text

    text = pretraining_text(log["data"]["validation_characters"], log["data"]["seed"], "validation")
    text = text.filter(lambda kind: kind not in QUOTING, input_columns="kind")
    return blocks(text, tokenizer, log["size"]["n_positions"]).with_format("numpy")["input_ids"][:]


def ending(log: dict[str, Any]) -> dict[str, float]:
    """Read in a log how a training ended.

    Returns:
        `training_loss`, the mean of the last `LAST_STEPS` steps; `fall`, by how much the held-out loss fell
        from the last evaluation but one to the last, and `steps` between them (0 where there was one alone).
    """
    losses = {entry["step"]: entry["loss"] for entry in log["history"] if "loss" in entry}
    last = [loss for step, loss in losses.items() if step > max(losses) - LAST_STEPS]
    held_out = [(entry["step"], entry["eval_loss"]) for entry in log["history"] if "eval_loss" in entry]
    (before, higher), (end, lower) = held_out[-2:][0], held_out[-1]
    return {"training_loss": sum(last) / len(last), "fall": higher - lower, "steps": end - before}


def baselines(train: np.ndarray, held_out: np.ndarray, vocab_size: int) -> dict[str, float]:
    """Measure what counting alone reaches.

    Args:
        train: token ids to count (blocks, time).
        held_out: token ids to predict (blocks, time).
        vocab_size: number of tokens.

    Returns:
        Name of the n-gram model to its held-out loss, in nats a token.
    """
    from course_lib.ngram import NGram

    orders = {"unigram": 1, "5-gram": 5}
    return {
        name: float(-NGram(train.ravel(), vocab_size, order).logprobs(held_out).mean())
        for name, order in orders.items()
    }


def tokens_per_byte(tokenizer: PreTrainedTokenizerFast, held_out: np.ndarray) -> float:
    """Count how many predicted tokens stand for a byte of text; the end of a document stands for none.

    Args:
        tokenizer: a byte-level one.
        held_out: token ids (blocks, time); the first of each block is not predicted.
    """
    import numpy as np

    from course_lib.tokens import token_bytes

    pieces = token_bytes(tokenizer, range(len(tokenizer)))
    n_bytes = [0 if i in tokenizer.all_special_ids else len(piece) for i, piece in enumerate(pieces)]
    predicted = held_out[:, 1:]
    return predicted.size / int(np.array(n_bytes)[predicted].sum())


def samples(model, tokenizer: PreTrainedTokenizerFast) -> dict[str, tuple[str, str]]:
    """Let a model continue every prompt of `PROMPTS`.

    Returns:
        Kind to (prompt, continuation up to the end of the document or `NEW_TOKENS` tokens).
    """
    import torch

    from course_lib.gpt import GPT

    ours, texts = GPT.from_pretrained(model), {}
    for kind, prompt in PROMPTS.items():
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        source = torch.Generator().manual_seed(SEED)
        written = ours.generate(ids, NEW_TOKENS, TEMPERATURE, TOP_K, source, tokenizer.eos_token_id)
        text = tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True)
        texts[kind] = (prompt, text.rstrip())
    return texts


def draw_losses(logs: dict[str, dict[str, Any]], references: dict[str, float], path: Path) -> None:
    """Draw the training and held-out loss of several runs against the tokens seen.

    Args:
        logs: name of a model to its training log.
        references: name of a horizontal line to its loss.
        path: the picture, PNG.
    """
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    import numpy as np

    from course_lib import plots

    plots.style()
    figure, ax = plt.subplots(figsize=(7, 4))
    for i, (name, log) in enumerate(logs.items()):
        color, mark = plots.PALETTE[i], plots.MARKERS[i]
        for key, look in (("loss", {"lw": 0.6, "alpha": 0.6}), ("eval_loss", {"lw": 1.8, "marker": mark})):
            points = [(e["step"] * log["tokens_a_step"] / 1e6, e[key]) for e in log["history"] if key in e]
            label = {"eval_loss": f"{name}, {log['n_params'] / 1e6:.1f} M parameters"}.get(key)
            style = {"color": color, "linestyle": "-", "marker": "", **look}
            ax.plot(*np.transpose(points), label=label, **style)
    for i, (name, loss) in enumerate(references.items()):
        ax.axhline(loss, color="black", lw=1, ls=plots.LINES[i + 1], marker="")
        ax.text(0.2, loss, name, transform=ax.get_yaxis_transform(), va="bottom", fontsize=9)
    ax.set(xlabel="tokens, millions", ylabel="loss, nats a token", title="Training (thin) and held-out loss")
    ax.legend(loc="upper right")
    figure.savefig(path, dpi=80, metadata={"Software": None})
    plt.close(figure)


def shrink(path: Path) -> None:
    """Write a JSON file again without its blanks: the package carries three tokenizers and three logs."""
    content = json.loads(path.read_text(encoding="utf-8"))
    write_whole(path, json.dumps(content, ensure_ascii=False, separators=(",", ":")))


def card(name: str, template: str = "model_card.md", **facts: Any) -> str:
    """Fill the template of a model card.

    Args:
        name: of the model.
        template: a file of `course_lib/templates`.
        **facts: log, losses (rows of name, nats a token, bits a byte), unquoted (this model's loss without
            the documents of `QUOTING`), vocab_size, samples.

    Returns:
        Markdown with the Hub's front matter.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("course_lib"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    settings = {"seed": SEED, "temperature": TEMPERATURE, "top_k": TOP_K, "new_tokens": NEW_TOKENS}
    facts |= {"sampling": settings, "ending": ending(facts["log"]), "last_steps": LAST_STEPS}
    return environment.get_template(template).render(name=name, **facts)


def encoder_decoder_card(folder: Path, name: str, held_out: np.ndarray, twin: str = "tiny-2m") -> None:
    """Write the card of an encoder-decoder: what it costs to go on with a short text, beside its decoder.

    Args:
        folder: where the models lie.
        name: of the encoder-decoder.
        held_out: token ids (blocks, time).
        twin: the decoder that is as large.
    """
    import torch

    from course_lib.encoder_decoder import (
        ADAFACTOR_RATE,
        GAPS_PIECE,
        SPLIT_PIECE,
        pieces,
        second_half_losses,
    )

    blocks = pieces(torch.from_numpy(held_out), SPLIT_PIECE)[::4]
    losses = {
        each: float(second_half_losses(load_lm(folder / each, device="cpu")[0], blocks).mean())
        for each in (twin, name)
    }
    log = json.loads((folder / name / "training_log.json").read_text("utf-8"))
    constants = {"gaps_piece": GAPS_PIECE, "split_piece": SPLIT_PIECE, "adafactor_rate": ADAFACTOR_RATE}
    facts = {"log": log, "losses": losses, "twin": twin, "n_pieces": len(blocks), **constants}
    (folder / name / "README.md").write_text(card(name, "model_card_t5.md", **facts), encoding="utf-8")
    for file in ("tokenizer.json", "training_log.json"):
        shrink(folder / name / file)
    print(f"{name}: {losses[name]:.3f} nats a token of second halves", file=sys.stderr)


def main(folder: Path = CHECKPOINTS) -> None:
    """Measure all of the course's models; write a card into each folder and the curves beside them.

    Args:
        folder: where the models lie, each in a folder of its name.

    Raises:
        FileNotFoundError: a model has no training log.
    """
    import torch

    from course_lib.scaling import block_losses

    names = sorted(OWN, key=lambda name: (folder / name / "model.safetensors").stat().st_size)
    for name in names:
        if not (folder / name / "training_log.json").exists():
            raise FileNotFoundError(f"'{name}' has no training_log.json: train it with course_lib.pretrain.")
    logs = {name: json.loads((folder / name / "training_log.json").read_text("utf-8")) for name in names}
    models = {name: load_lm(folder / name, device="cpu") for name in names}
    tokenizer = models[names[-1]][1]
    train, held_out = split_ids(logs[names[-1]], tokenizer)
    losses = baselines(train, held_out, len(tokenizer))
    for name, (model, _) in models.items():
        losses[name] = float(block_losses(model, torch.from_numpy(held_out)).mean())
    bits = tokens_per_byte(tokenizer, held_out) / math.log(2)
    rows = [(name, nats, nats * bits) for name, nats in losses.items()]
    unquoted = torch.from_numpy(unquoted_ids(logs[names[-1]], tokenizer))
    for name, (model, own_tokenizer) in models.items():
        facts = {"log": logs[name], "losses": rows, "vocab_size": len(tokenizer)}
        facts |= {"unquoted": block_losses(model, unquoted).mean(), "samples": samples(model, own_tokenizer)}
        text = card(name, **facts)
        (folder / name / "README.md").write_text(text, encoding="utf-8")
        for file in ("tokenizer.json", "training_log.json"):
            shrink(folder / name / file)
        print(f"{name}: held-out loss {losses[name]:.3f} nats a token", file=sys.stderr)
    draw_losses(logs, {key: losses[key] for key in ("unigram", "5-gram")}, folder / "loss.png")
    for name in OWN_SEQ2SEQ:
        if (folder / name).is_dir():
            encoder_decoder_card(folder, name, held_out)


if __name__ == "__main__":
    main()
