"""The encoder-decoder: as large as the decoder beside it, pretrained by the same command."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from course_lib import pretrain
from course_lib.encoder_decoder import (
    N_SENTINELS,
    SPAN,
    SPLITS,
    new_t5,
    pieces,
    second_half_losses,
    seq2seq_batch,
    split,
    with_gaps,
)
from course_lib.models import load_lm
from course_lib.pretrain import make_trainer, new_model
from tests.test_pretrain import ARGUMENTS, CONF, OVERRIDES, files

SIZE = OmegaConf.create(
    {"architecture": "t5", "n_embd": 32, "n_layer": 2, "n_head": 2, "n_ff": 48, "n_positions": 64}
)


pytestmark = pytest.mark.usefixtures("one_thread")


def test_it_has_as_many_parameters_as_the_decoder_beside_it():
    sizes = [OmegaConf.load(CONF / "size" / f"{name}.yaml") for name in ("t5-2m", "2m")]
    t5, gpt = (new_model(size, 4096).num_parameters() for size in sizes)
    assert abs(t5 - gpt) < 0.001 * gpt


def rows(seed: int) -> list[dict]:
    drawn = torch.randint(1, 300, (3, 64), generator=torch.Generator().manual_seed(seed))
    return [{"input_ids": ids} for ids in drawn]


@given(seed=st.integers(0, 10**6), share=st.sampled_from(SPLITS))
def test_a_split_block_is_whole(seed, share):
    ids = torch.stack([row["input_ids"] for row in rows(seed)])
    batch = split(ids, share)
    assert batch["input_ids"].shape[1] == int(64 * share)
    assert torch.equal(torch.cat([batch["input_ids"], batch["labels"]], 1), ids)


@given(seed=st.integers(0, 10**6))
def test_gaps_filled_again_give_the_text(seed):
    vocab_size = 300 + N_SENTINELS
    for row in rows(seed):
        batch = with_gaps(row["input_ids"][None], vocab_size)
        filling = {int(gap[0]): gap[1:].tolist() for gap in batch["labels"].view(-1, SPAN + 1)}
        assert list(filling) == [vocab_size - 1, vocab_size - 2, vocab_size - 3]
        read = batch["input_ids"][0].tolist()
        assert [token for t in read for token in filling.get(t, [t])] == row["input_ids"].tolist()


def test_pieces_are_the_blocks_without_their_ends():
    ids = torch.arange(20).view(2, 10)
    assert pieces(ids, 4).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [10, 11, 12, 13], [14, 15, 16, 17]]
    assert torch.equal(pieces(ids, 64), ids)


def test_what_becomes_of_a_batch_follows_from_its_text():
    batches = [seq2seq_batch(rows(seed), 300 + N_SENTINELS) for seed in range(60)]
    again = [seq2seq_batch(rows(seed), 300 + N_SENTINELS) for seed in range(60)]
    assert all(torch.equal(a[name], b[name]) for a, b in zip(batches, again, strict=True) for name in a)
    lengths = [batch["labels"].shape[1] for batch in batches]
    assert set(lengths) == {16, 32, 48, 12}
    assert 20 <= lengths.count(12) <= 40


def test_a_seed_gives_a_model_and_its_first_loss_is_that_of_guessing():
    model, again = (new_t5(SIZE, 300, seed=3) for _ in range(2))
    assert all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True)
    )
    drawn = torch.randint(1, 300, (8, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss = model.eval()(**split(drawn, 1 / 2)).loss
    assert loss.item() == pytest.approx(torch.tensor(300.0).log().item(), abs=0.8)


def test_the_trainer_learns_to_go_on_with_a_text(tmp_path):
    from datasets import Dataset

    ids = torch.arange(1, 65).repeat(32, 1) + torch.arange(32)[:, None]
    blocks = Dataset.from_dict({"input_ids": ids.tolist(), "labels": ids.tolist()}).with_format("torch")
    more = {"max_steps": 30, "learning_rate": 1e-2, "save_steps": 100}
    trainer = make_trainer(new_model(SIZE, 300), blocks, None, tmp_path, **{**ARGUMENTS, **more})
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[-1] < losses[0] - 0.5


def test_the_pretraining_command_makes_it_and_makes_it_again(tmp_path):
    shape = (
        "size=t5-2m",
        "size.n_embd=32",
        "size.n_layer=2",
        "size.n_head=2",
        "size.n_ff=48",
        "size.n_positions=64",
    )
    models = []
    for name in ("one", "two"):
        places = [f"folder={tmp_path / name}", f"tokenizer.folder={tmp_path / 'tokenizer'}"]
        with initialize_config_dir(str(CONF), version_base=None):
            log = pretrain.run(compose("pretrain", [*shape, *OVERRIDES[5:], *places]))
        models.append(tmp_path / name / "model")
        assert log["history"] and log["n_params"] < 100_000
    first, second = (files(folder) for folder in models)
    assert first["model.safetensors"] == second["model.safetensors"]
    model, tokenizer = load_lm(models[0])
    assert model.config.is_encoder_decoder and model.config.scale_decoder_outputs
    ids = model.generate(**tokenizer(["Кошка"], return_tensors="pt"), max_new_tokens=4)
    assert ids.shape[0] == 1


def test_a_decoder_and_an_encoder_decoder_are_compared_on_the_same_tokens():
    blocks = torch.randint(1, 300, (9, 64), generator=torch.Generator().manual_seed(0))
    t5 = new_model(SIZE, 300).eval()
    gpt = new_model(
        OmegaConf.create({"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64}), 300
    ).eval()
    with torch.no_grad():
        theirs = t5(input_ids=blocks[:1, :32], labels=blocks[:1, 32:].contiguous()).loss
        logits = gpt(blocks[:1]).logits[0, 31:-1]
        gpts = torch.nn.functional.cross_entropy(logits, blocks[0, 32:])
    torch.testing.assert_close(second_half_losses(t5, blocks)[0], theirs)
    torch.testing.assert_close(second_half_losses(gpt, blocks)[0], gpts)
    assert second_half_losses(t5, blocks).shape == (9,)
