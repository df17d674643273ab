"""Loading and saving models: what is found, what is refused with one sentence, what survives a full disk."""

import json
import os
import subprocess
import sys

import pytest
import torch

from course_lib import models
from course_lib.models import (
    CHECKPOINTS,
    MODELS,
    OWN,
    OWN_SEQ2SEQ,
    PROFILES,
    hub_configs,
    load_lm,
    pick_dtype,
    profile,
    sizes,
)
from course_lib.saving import save_lm

TEXT = ["Жила-была кошка.", "Кошка любила рыбу.", "Рыба жила в реке."]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Returns a folder with a small GPT-2 and a byte-level BPE, as the course's own checkpoints are made."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny"
    bpe = ByteLevelBPETokenizer()
    bpe.train_from_iterator(TEXT, vocab_size=300, special_tokens=["<|endoftext|>"], show_progress=False)
    end = "<|endoftext|>"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe._tokenizer, bos_token=end, eos_token=end, model_max_length=32
    )
    shape = {"vocab_size": len(tokenizer), "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 2}
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config(**shape, bos_token_id=0, eos_token_id=0, pad_token_id=0))
    return save_lm(model, tokenizer, folder, dtype=torch.float16)


@pytest.fixture
def copy(tiny, tmp_path):
    """Returns a copy of the small model's folder, to be damaged."""
    import shutil

    return shutil.copytree(tiny, tmp_path / "copy")


def test_loads_a_folder_and_says_nothing(tiny, capfd):
    model, tokenizer = load_lm(tiny, device="cpu")
    assert (model.dtype, model.training, tokenizer.pad_token) == (torch.float32, False, "<|endoftext|>")
    ids = tokenizer(TEXT[0], return_tensors="pt")
    assert tokenizer.decode(ids["input_ids"][0]) == TEXT[0]
    model.generate(**ids, max_new_tokens=2, do_sample=False)
    out = capfd.readouterr()
    assert out.out + out.err == ""


def test_own_models_are_found_by_name(tiny, monkeypatch):
    monkeypatch.setattr(models, "CHECKPOINTS", tiny.parent)
    assert (
        load_lm("tiny", device="cpu")[0].num_parameters() == load_lm(tiny, device="cpu")[0].num_parameters()
    )
    with pytest.raises(FileNotFoundError, match=r"'tiny-2m' is not trained yet.*course_lib\.pretrain"):
        load_lm("tiny-2m")


def test_the_decoders_take_no_more_than_24_megabytes():
    files = [path for name in OWN for path in (CHECKPOINTS / name).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 24_000_000


def test_profiles(monkeypatch):
    monkeypatch.delenv("COURSE_PROFILE", raising=False)
    assert profile() == "tiny"
    for name, model in PROFILES.items():
        monkeypatch.setenv("COURSE_PROFILE", name)
        assert profile() == model
        assert len(set(sizes())) == 3 and (name == "colab" or sizes()[-1] == model)
    monkeypatch.setenv("COURSE_PROFILE", "big")
    with pytest.raises(ValueError, match="'big' is no profile: choose one of tiny, colab, gpu"):
        profile()


def test_registry_is_the_decks_list():
    names = {card.name for card in MODELS}
    deck = "GPT-Neo,LaMDA,Megatron-Turing NLG,PanGu-α,Wu Dao,HyperCLOVA,RuGPT,YaLM,XGLM,mGPT,ChatGPT,GPT-4"
    assert names == {*deck.split(","), "GigaChat", "GPT-3"}
    sizes = {card.name: card.size for card in MODELS}
    assert (sizes["GPT-3"], sizes["Wu Dao"], sizes["GPT-4"]) == ("175B", "1.75T", "not published")
    assert all(card.open for card in MODELS if card.hub_name)


@pytest.mark.parametrize(
    ("device", "capability", "expected"),
    [
        ("cpu", None, "float32"),
        ("cuda", (7, 5), "float16"),
        ("cuda", (8, 0), "bfloat16"),
        ("mps", None, "float32"),
    ],
)
def test_dtype_is_one_the_device_can_do(device, capability, expected):
    assert pick_dtype(device, None, capability) is getattr(torch, expected)


def test_impossible_wishes(tiny):
    with pytest.raises(ValueError, match="cannot do bfloat16"):
        pick_dtype("cuda", torch.bfloat16, (7, 5))
    with pytest.raises(ValueError, match="'float17' is none of torch's"):
        load_lm(tiny, dtype="float17")
    with pytest.raises(ValueError, match="must be 'pretrained' or 'random'"):
        load_lm(tiny, weights="good")
    with pytest.raises(ValueError, match="random' only"):
        load_lm(tiny, device="meta")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="'cuda' is not there"):
            load_lm(tiny, device="cuda")


@pytest.mark.parametrize("weights", ["pretrained", "random"])
@pytest.mark.parametrize("device", ["tpu", "gpu", "cpu:x", "cuda:99", "hpu", "", 3])
def test_a_device_that_is_not_there_names_those_that_are(tiny, device, weights):
    there = "'cuda:0'.* and 'cpu'" if torch.cuda.is_available() else "'cpu'"
    with pytest.raises(ValueError, match=rf"^device='{device}' is not there: this machine has .*{there}\.$"):
        load_lm(tiny, weights, device)


PARAMETERS = {  # in millions
    "ai-forever/rugpt3small_based_on_gpt2": 125,
    "ai-forever/rugpt3medium_based_on_gpt2": 356,
    "ai-forever/rugpt3large_based_on_gpt2": 760,
    "ai-forever/ruGPT-3.5-13B": 12853,
    "ai-forever/mGPT": 1418,
    "facebook/xglm-564M": 564,
    "facebook/xglm-1.7B": 1733,
    "facebook/xglm-2.9B": 2942,
    "facebook/xglm-4.5B": 4553,
    "facebook/xglm-7.5B": 7493,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_real_shapes_count_without_memory(name):
    assert set(hub_configs()) == set(PARAMETERS)
    model, _ = load_lm(name, weights="random", device="meta")
    assert round(model.num_parameters() / 1e6) == PARAMETERS[name]
    assert model.config.eos_token_id < model.config.vocab_size


def test_random_weights_run_in_the_dtype_asked_for(tiny, monkeypatch):
    monkeypatch.setattr(models, "CHECKPOINTS", tiny.parent)
    model, tokenizer = load_lm(tiny, weights="random", device="cpu", dtype="bfloat16")
    assert model.dtype is torch.bfloat16
    assert model.lm_head.weight is model.transformer.wte.weight
    pretrained = load_lm(tiny, device="cpu", dtype="bfloat16")[0]
    assert not torch.equal(model.lm_head.weight, pretrained.lm_head.weight)
    small, stand_in = load_lm("ai-forever/rugpt3small_based_on_gpt2", weights="random", device="cpu")
    assert len(stand_in) == len(tokenizer)  # the Hub is not asked, so tiny's tokenizer stands in
    with torch.inference_mode():
        logits = small(**stand_in(TEXT[0], return_tensors="pt")).logits
    assert logits.shape[-1] == 50264
    assert logits.isfinite().all()


def test_random_weights_of_an_encoder_decoder():
    [name] = OWN_SEQ2SEQ
    trained, _ = load_lm(name, device="cpu")
    model, tokenizer = load_lm(name, weights="random", device="cpu")
    assert (type(model), model.num_parameters()) == (type(trained), trained.num_parameters())
    assert not torch.equal(model.get_input_embeddings().weight, trained.get_input_embeddings().weight)
    ids = model.generate(**tokenizer([TEXT[0]], return_tensors="pt"), max_new_tokens=3, do_sample=False)
    assert ids.shape[0] == 1


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("tiny-2", "tiny-2m"),
        ("tinny", "tiny"),
        ("rugpt3small", "ai-forever/rugpt3small_based_on_gpt2"),
        ("xglm-564m", "facebook/xglm-564M"),
    ],
)
def test_unknown_name_suggests_the_nearest(name, near):
    with pytest.raises(ValueError, match=f"There is no model '{name}'; did you mean '{near}'") as error:
        load_lm(name)
    assert "\n" not in str(error.value)


def test_hub_out_of_reach_says_so():
    with pytest.raises(ValueError, match=r"'ai-forever/mGPT-13B' is neither .* out of reach: .*'tiny'"):
        load_lm("ai-forever/mGPT-13B")
    with pytest.raises(ValueError, match="No configuration of 'some/model' ships"):
        load_lm("some/model", weights="random", device="meta")


def test_missing_folders_and_files(copy, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        load_lm(tmp_path / "nowhere")
    (copy / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        load_lm(copy)


def test_a_pickle_is_not_opened(copy):
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=r"has no \*\.safetensors"):
        load_lm(copy)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_weights_cut_short(copy, share):
    file = copy / "model.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="cut short or damaged"):
        load_lm(copy, device="cpu")


def test_weights_of_another_shape_or_incomplete(copy):
    from safetensors.torch import load_file, save_file

    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"n_positions": 64}))
    with pytest.raises(
        ValueError, match=r"wpe\.weight' is \(32, 16\), the configuration asks for \(64, 16\)"
    ):
        load_lm(copy, device="cpu")
    (copy / "config.json").write_text(json.dumps(config | {"n_layer": 3}))
    with pytest.raises(ValueError, match=r"lack 12 tensors, the first is 'transformer\.h\.2"):
        load_lm(copy, device="cpu")
    (copy / "config.json").write_text(json.dumps(config))
    tensors = load_file(copy / "model.safetensors")
    save_file(
        {k: v for k, v in tensors.items() if "ln_f" not in k}, copy / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ValueError, match="lack 2 tensors"):
        load_lm(copy, device="cpu")


@pytest.mark.parametrize("name", ["config", "generation_config", "tokenizer_config", "tokenizer"])
@pytest.mark.parametrize("content", [b"", b'{"model_type": "gpt2", ', b"[]", b"null", b"\xff"])
@pytest.mark.parametrize("weights", ["pretrained", "random"])
def test_a_damaged_file_is_named(copy, name, content, weights):
    (copy / f"{name}.json").write_bytes(content)
    with pytest.raises(ValueError, match=rf"^'\S+/{name}\.json' is damaged \(.+\): get it again\.$"):
        load_lm(copy, weights, device="cpu")


@pytest.mark.parametrize("lost", [["tokenizer.json"], ["tokenizer.json", "tokenizer_config.json"]])
def test_a_folder_without_a_tokenizer_is_refused(copy, lost):
    for name in lost:
        (copy / name).unlink()
    with pytest.raises(FileNotFoundError, match=r"^The folder '\S+' has no tokenizer\.json: copy it"):
        load_lm(copy, device="cpu")


def test_a_tokenizer_that_is_none(copy):
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"^The tokenizer of '\S+' cannot be read \(.+\): get it again\.$"):
        load_lm(copy, device="cpu")


@pytest.mark.parametrize("weights", ["pretrained", "random"])
def test_a_config_of_no_language_model(copy, weights):
    config = json.loads((copy / "config.json").read_text())
    for kind in ("gpt22", "vit", None):  # nobody's, a model of pictures, none
        (copy / "config.json").write_text(json.dumps(config | {"model_type": kind}))
        with pytest.raises(ValueError, match=rf"^model_type='{kind}' in '\S+/config\.json' is no .*\.$"):
            load_lm(copy, weights, device="cpu")
    (copy / "config.json").write_text(json.dumps(config | {"n_layer": "two"}))
    with pytest.raises(ValueError, match=r"^'\S+/config\.json' is damaged \(.*n_layer.*\): get it again\.$"):
        load_lm(copy, weights, device="cpu")


def test_saving_keeps_the_model_and_halves_the_file(tiny, tmp_path):
    model, tokenizer = load_lm(tiny, device="cpu")
    whole = save_lm(model, tokenizer, tmp_path / "whole")
    half = save_lm(model, tokenizer, tmp_path / "half", dtype="float16")
    assert model.dtype is torch.float32
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (whole, half)]
    assert 0.45 < sizes[1] / sizes[0] < 0.7
    assert json.loads((half / "config.json").read_text())["dtype"] == "float16"
    again = load_lm(half, device="cpu")[0].state_dict()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(again[name], tensor, atol=1e-3, rtol=1e-3)
    save_lm(model, None, whole)  # replaces what is there
    assert sorted(path.name for path in tmp_path.iterdir()) == ["half", "whole"]
    assert not (whole / "tokenizer.json").exists()


SAVE_WITH_LIMIT = """
import resource, sys
from course_lib.models import load_lm
from course_lib.saving import save_lm
model, tokenizer = load_lm(sys.argv[1], device="cpu")
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
save_lm(model, tokenizer, sys.argv[2])
"""


def test_no_room_leaves_nothing_half_written(tiny, copy, tmp_path):
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    for target in (tmp_path / "new", copy):
        done = subprocess.run(
            [sys.executable, "-c", SAVE_WITH_LIMIT, tiny, target], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert "nothing was left behind" in done.stderr.strip().splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount a small disk"
)
def test_a_really_full_disk(tiny, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(OSError, match="the disk is full; nothing was left behind"):
            save_lm(*load_lm(tiny, device="cpu"), disk / "model")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
