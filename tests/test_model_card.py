"""Model cards: measured, not typed in; and the size of what the package carries."""

import json
import math
import re
import shutil

import numpy as np
import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir

from course_lib import model_card, pretrain
from course_lib.encoder_decoder import ADAFACTOR_RATE, GAPS_PIECE, SPLIT_PIECE
from course_lib.models import CHECKPOINTS, OWN, OWN_SEQ2SEQ, load_lm
from course_lib.scaling import block_losses
from course_lib.world import lexicon
from course_lib.world.documents import kinds, pretraining_text
from tests.test_pretrain import CONF, OVERRIDES


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    """Return a folder with three small trained models and their cards."""
    folder = tmp_path_factory.mktemp("family")
    places = [f"folder={folder / 'run'}", f"tokenizer.folder={folder / 'tokenizer'}"]
    with initialize_config_dir(str(CONF), version_base=None):
        pretrain.run(
            compose(
                "pretrain",
                [
                    *OVERRIDES,
                    *places,
                    "size.n_positions=256",
                    "training.max_steps=6",
                    "training.eval_steps=3",
                    "training.per_device_eval_batch_size=1",
                ],
            )
        )
    for name in OWN:
        shutil.copytree(folder / "run" / "model", folder / "models" / name)
    shape = ("n_embd=32", "n_layer=1", "n_head=2", "n_ff=32", "n_positions=256")
    with initialize_config_dir(str(CONF), version_base=None):
        t5 = ["size=t5-2m", *(f"size.{each}" for each in shape), "training.max_steps=6", *OVERRIDES[5:]]
        t5 = [each for each in t5 if each != "training.max_steps=12"]
        places[0] = f"folder={folder / 't5'}"
        pretrain.run(compose("pretrain", [*t5, *places]))
    shutil.copytree(folder / "t5" / "model", folder / "models" / OWN_SEQ2SEQ[0])
    model_card.main(folder / "models")
    return folder


def _losses(card: str) -> dict[str, tuple[float, ...]]:
    """Return the rows of a card's table of losses."""
    rows = re.findall(r"^\| \**([\w.-]+?)\** \|((?: \d+\.\d+ \|)+)$", card, re.M)
    return {name: tuple(map(float, values.strip(" |").split(" | "))) for name, values in rows}


def test_a_card_says_what_the_log_says(family):
    log = json.loads((family / "models" / "tiny" / "training_log.json").read_text(encoding="utf-8"))
    _, front, body = (family / "models" / "tiny" / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    front = yaml.safe_load(front)
    assert (front["language"], front["license"]) == ("ru", "apache-2.0")
    assert (front["library_name"], front["pipeline_tag"]) == ("transformers", "text-generation")
    for number in ("n_params", "characters", "unique_tokens", "training_tokens", "validation_tokens"):
        assert f"{log[number]:,}" in body
    assert "| steps | 6 of 1,024 tokens |" in body
    before, after = (entry["eval_loss"] for entry in log["history"] if "eval_loss" in entry)
    assert f"In the last 3 steps the held-out loss still fell by {before - after:.3f}" in body
    assert f"{model_card.ending(log)['training_loss']:.3f} over the last 1,000 steps" in body
    for prompt in model_card.PROMPTS.values():
        assert f"```text\n{prompt}|" in body


def test_losses_in_a_card_are_those_of_the_shipped_weights(family):
    log = json.loads((family / "models" / "tiny" / "training_log.json").read_text(encoding="utf-8"))
    body = (family / "models" / "tiny" / "README.md").read_text(encoding="utf-8")
    losses = _losses(body)
    assert list(losses) == ["unigram", "5-gram", *sorted(OWN, key=list(losses).index)]
    logged = [entry["eval_loss"] for entry in log["history"] if "eval_loss" in entry][-1]
    # the Trainer divides by all 256 tokens of a block, although the first is not predicted
    assert losses["tiny"][0] == pytest.approx(logged * 256 / 255, abs=0.003)
    assert losses["5-gram"][0] < losses["unigram"][0] < math.log(500)
    ratios = [bits / nats for nats, bits in losses.values()]  # one number: the same tokens, the same bytes
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=2e-3)


def test_a_training_that_was_evaluated_once_has_no_fall_to_tell():
    history = [{"step": 10, "loss": 5.0}, {"step": 1020, "loss": 3.0}, {"step": 2000, "loss": 2.0}]
    ending = model_card.ending({"history": [*history, {"step": 2000, "eval_loss": 2.5}]})
    assert ending == {"training_loss": 2.5, "fall": 0, "steps": 0}


@pytest.mark.parametrize("name", OWN)
def test_a_shipped_card_is_what_is_written_from_its_log(name):
    shipped = (CHECKPOINTS / name / "README.md").read_text(encoding="utf-8")
    log = json.loads((CHECKPOINTS / name / "training_log.json").read_text(encoding="utf-8"))
    # what takes minutes to measure is taken from the card
    losses, unquoted = _losses(shipped), float(re.search(r"held-out loss is ([\d.]+)\. The mix", shipped)[1])
    samples = {
        kind: (prompt, re.search(rf"```text\n{re.escape(prompt)}\|(.*?)\n```", shipped, re.DOTALL)[1])
        for kind, prompt in model_card.PROMPTS.items()
    }
    facts = {"log": log, "vocab_size": 4096, "unquoted": unquoted, "samples": samples}
    rows = [(each, *values) for each, values in losses.items()]
    assert shipped == model_card.card(name, losses=rows, **facts)
    logged = [entry["eval_loss"] for entry in log["history"] if "eval_loss" in entry][-1]
    assert losses[name][0] == pytest.approx(logged * 512 / 511, abs=0.004)
    assert unquoted < model_card.ending(log)["training_loss"] < losses[name][0]
    assert "tokens a second" not in shipped  # a speed is one machine's, on one day


def test_the_encoder_decoders_shipped_card_is_what_is_written_from_its_log():
    (name,) = OWN_SEQ2SEQ
    shipped = (CHECKPOINTS / name / "README.md").read_text(encoding="utf-8")
    log = json.loads((CHECKPOINTS / name / "training_log.json").read_text(encoding="utf-8"))
    facts = {"log": log, "losses": {each: nats for each, (nats,) in _losses(shipped).items()}}
    facts["n_pieces"] = int(re.search(r"halves of (\d+) pieces", shipped)[1])
    facts |= {"gaps_piece": GAPS_PIECE, "split_piece": SPLIT_PIECE, "adafactor_rate": ADAFACTOR_RATE}
    assert shipped == model_card.card(name, "model_card_t5.md", twin="tiny-2m", **facts)


def test_hand_written_texts_are_known_by_heart_where_they_were_trained_on():
    assert set(model_card.QUOTING) < set(kinds())
    model, tokenizer = load_lm("tiny", device="cpu")

    def loss(split: str) -> float:
        texts = [record["text"] for record in lexicon.texts("proverbs", split)[:30]]
        ids = [
            tokenizer(f"{pretrain.END_OF_TEXT}Пословицы\n{text}", return_tensors="pt")["input_ids"]
            for text in texts
        ]
        return float(np.mean([block_losses(model, each)[0] for each in ids]))

    assert loss("train") < 0.5 * loss("held_out")  # why the training loss is below the held-out loss


def test_the_encoder_decoders_card_sets_it_beside_its_decoder(family):
    body = (family / "models" / OWN_SEQ2SEQ[0] / "README.md").read_text(encoding="utf-8")
    log = json.loads((family / "models" / OWN_SEQ2SEQ[0] / "training_log.json").read_text(encoding="utf-8"))
    assert f"{log['n_params']:,} parameters" in body and "feed-forward 32" in body
    found = _losses(body)
    assert list(found) == ["tiny-2m", OWN_SEQ2SEQ[0]]
    assert all(abs(nats - math.log(500)) < 1 for (nats,) in found.values())  # six steps: it guesses


@pytest.mark.slow
def test_the_shipped_weights_reach_the_logged_loss():
    log = json.loads((CHECKPOINTS / "tiny-0.5m" / "training_log.json").read_text(encoding="utf-8"))
    model, tokenizer = load_lm("tiny-0.5m", device="cpu")
    text = pretraining_text(log["data"]["validation_characters"], log["data"]["seed"], "validation")
    held_out = pretrain.blocks(text, tokenizer, 512)["input_ids"][:]
    assert held_out.numel() == log["validation_tokens"]
    per_batch = log["training"]["per_device_eval_batch_size"]
    whole_batches = held_out[: len(held_out) // per_batch * per_batch]  # the Trainer drops the rest
    logged = [entry["eval_loss"] for entry in log["history"] if "eval_loss" in entry][-1]
    with torch.autocast("cpu", torch.bfloat16, enabled=log["arithmetic"]["bf16"]):  # as in training
        loss = block_losses(model, whole_batches).mean()
    assert loss * 511 / 512 == pytest.approx(logged, abs=1e-3)  # the shipped weights are in float16


def test_tokens_per_byte_counts_the_text(family):
    _, tokenizer = load_lm(family / "models" / "tiny", device="cpu")
    text = "Кошка ела рыбу — и 🐟!"
    ids = tokenizer(pretrain.END_OF_TEXT + text + pretrain.END_OF_TEXT)["input_ids"]
    expected = (len(ids) - 1) / len(text.encode())  # the end of a text costs a token and stands for no byte
    assert model_card.tokens_per_byte(tokenizer, np.array([ids])) == pytest.approx(expected)


def test_samples_come_back(family):
    model, tokenizer = load_lm(family / "models" / "tiny", device="cpu")
    first, second = model_card.samples(model, tokenizer), model_card.samples(model, tokenizer)
    assert first == second
    assert list(first) == list(model_card.PROMPTS)


def test_the_curves_are_a_small_picture(family):
    picture = (family / "models" / "loss.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert 5_000 < len(picture) < 60_000


def test_shrinking_keeps_the_content(tmp_path):
    content = {"а": [1.25, {"b": "Ġкошка"}], "c": 8.287924194335938}
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
    before = path.stat().st_size
    model_card.shrink(path)
    assert json.loads(path.read_text(encoding="utf-8")) == content
    assert path.stat().st_size < before
    assert list(tmp_path.iterdir()) == [path]


def test_no_log_no_card(family, tmp_path):
    folder = shutil.copytree(family / "models", tmp_path / "models")
    (folder / "tiny-2m" / "training_log.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"'tiny-2m' has no training_log\.json: train it"):
        model_card.main(folder)


def test_the_package_carries_less_than_28_megabytes():
    files = [path for path in CHECKPOINTS.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files if path.suffix == ".safetensors"} == {*OWN, *OWN_SEQ2SEQ}
    assert sum(path.stat().st_size for path in files) < 28_000_000
