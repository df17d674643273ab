"""Where models come from: the course's own, a folder, the Hub, or a real shape with random weights.

`load_lm` returns a plain `transformers` model and its tokenizer; `profile()` is the one word to change
to run a notebook on another scale (`COURSE_PROFILE=colab`). The deck's list of models is in `registry.py`.
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

from course_lib.hub import hub_answers, why
from course_lib.quiet import quiet
from course_lib.registry import MODELS, ModelCard

__all__ = [
    "MODELS",
    "OWN",
    "OWN_SEQ2SEQ",
    "PROFILES",
    "ModelCard",
    "hub_configs",
    "lm_name",
    "load_lm",
    "profile",
    "read_json",
    "sizes",
]

CHECKPOINTS = Path(__file__).parent / "checkpoints"
# what transformers reads of a folder beside the weights, and where the tokens of a tokenizer may stand
JSON_FILES = ("generation_config.json", "tokenizer_config.json", "tokenizer.json")
TOKEN_FILES = ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken", "tekken.json", "added_tokens.json")
HUB_CONFIGS = Path(__file__).parent / "hub_configs"
OWN = (
    "tiny",
    "tiny-2m",
    "tiny-0.5m",
)  # the course's own models, one tokenizer, about 8, 2 and 0.5 M parameters
OWN_SEQ2SEQ = ("tiny-t5-2m",)  # an encoder-decoder as large as tiny-2m
PROFILES = {
    "tiny": "tiny",
    "colab": "ai-forever/rugpt3small_based_on_gpt2",
    "gpu": "ai-forever/ruGPT-3.5-13B",
}
# where a claim is about size: three models of each profile, from the smallest to the largest
RUGPT3 = tuple(f"ai-forever/rugpt3{size}_based_on_gpt2" for size in ("small", "medium", "large"))
SIZES = {"tiny": OWN[::-1], "colab": RUGPT3, "gpu": (RUGPT3[0], RUGPT3[2], PROFILES["gpu"])}


def profile() -> str:
    """Returns the model of the profile that the environment variable COURSE_PROFILE names (default: tiny).

    Raises:
        ValueError: no such profile.
    """
    return PROFILES[_profile()]


def sizes() -> tuple[str, ...]:
    """Returns three models of the profile, from the smallest to the largest (see `profile`)."""
    return SIZES[_profile()]


def _profile() -> str:
    name = os.environ.get("COURSE_PROFILE") or "tiny"
    if name not in PROFILES:
        raise ValueError(f"COURSE_PROFILE='{name}' is no profile: choose one of {', '.join(PROFILES)}.")
    return name


def hub_configs() -> dict[str, Path]:
    """Lists the Hub models whose configurations ship with the course: name to JSON file."""
    return {path.stem.replace("--", "/"): path for path in sorted(HUB_CONFIGS.glob("*.json"))}


def load_lm(
    name: str | Path = "tiny",
    weights: str = "pretrained",
    device: str | None = None,
    dtype=None,
    revision: str | None = None,
):
    """Loads a language model and its tokenizer: a decoder, or an encoder-decoder if it is one.

    Args:
        name: one of `OWN` or `OWN_SEQ2SEQ`, a folder, or a Hub name (owner/name).
        weights: "pretrained", or "random" for the real configuration with random weights: nothing is
            downloaded, and where the model's own tokenizer is not in the local cache, tiny's stands in.
        device: "cpu", "cuda", "mps", ...; None picks the best. "meta" (random only) counts without memory.
        dtype: a torch dtype or its name; None picks what the device does well.
        revision: branch, tag or commit on the Hub.

    Returns:
        A pair (model in evaluation mode, tokenizer).

    Raises:
        ValueError: unknown name or option, a checkpoint cut short or of the wrong shape, the Hub is away.
        FileNotFoundError: a folder, or a file in it, is missing.
    """
    if weights not in ("pretrained", "random"):
        raise ValueError(f"weights='{weights}' must be 'pretrained' or 'random'.")
    device = pick_device(device)
    dtype = pick_dtype(device, dtype)
    if weights == "random":
        return _random(str(name), device, dtype)
    if device == "meta":
        raise ValueError("device='meta' holds no numbers: use it with weights='random' only.")
    folder = _folder(name)
    with quiet():
        if folder is None:
            return _from_hub(str(name), revision, device, dtype)
        return _load(folder, {"local_files_only": True, "use_safetensors": True}, device, dtype)


def lm_name(model) -> str:
    """Returns the name that `load_lm` takes for a model: of the course's own, a folder, or a Hub name."""
    path = str(model.config.name_or_path)
    return Path(path).name if Path(path).parent == CHECKPOINTS else path


def pick_device(device: str | None = None) -> str:
    """Returns the device to use: the one asked for, or the first of cuda, mps, cpu.

    Raises:
        ValueError: this machine has no such device.
    """
    import torch

    if device is None:
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.empty(0, device=str(device))  # asking for none of its memory is the one sure way to know
    except (RuntimeError, AssertionError, ImportError):
        gpus = [f"cuda:{i}" for i in range(torch.cuda.device_count())] or [pick_device()]
        there = "' and '".join(dict.fromkeys([*gpus, "cpu"]))
        raise ValueError(f"device='{device}' is not there: this machine has '{there}'.") from None
    return str(device)


def pick_dtype(device: str, dtype=None, capability: tuple[int, int] | None = None):
    """Returns a torch dtype that the device can do.

    Args:
        device: as from `pick_device`.
        dtype: a wish (torch dtype or name); None takes bfloat16 on GPUs from Ampere on, float16 on older
            ones (a T4), float32 elsewhere.
        capability: compute capability of the GPU; None asks the driver.

    Raises:
        ValueError: no such dtype, or the GPU cannot do it.
    """
    import torch

    wish = getattr(torch, dtype.removeprefix("torch."), None) if isinstance(dtype, str) else dtype
    if dtype is not None and not isinstance(wish, torch.dtype):
        raise ValueError(f"dtype='{dtype}' is none of torch's: write float32, float16 or bfloat16.")
    if not str(device).startswith("cuda"):
        return wish or torch.float32
    modern = (capability or torch.cuda.get_device_capability(device)) >= (8, 0)
    if wish is torch.bfloat16 and not modern:
        raise ValueError(
            "This GPU (older than Ampere, like a T4) cannot do bfloat16: use float16 or float32."
        )
    return wish or (torch.bfloat16 if modern else torch.float16)


def _folder(name: str | Path) -> Path | None:
    """Finds the folder that a name means; None means that it can only be on the Hub."""
    text, path = str(name), Path(name).expanduser()
    if text in (*OWN, *OWN_SEQ2SEQ):
        path = CHECKPOINTS / text
        if not path.is_dir():
            raise FileNotFoundError(
                f"'{text}' is not trained yet: run `python -m course_lib.pretrain` first."
            )
    if path.is_dir():
        for file in ("config.json", "*.safetensors"):
            if not any(path.glob(file)):
                raise FileNotFoundError(f"The folder '{path}' has no {file}, so it is not a saved model.")
        for file in filter(Path.exists, (path / name for name in JSON_FILES)):
            _read(file)
        _config(path / "config.json")
        return path
    if isinstance(name, Path) or text.startswith((".", "/", "~")) or text.count("/") > 1:
        raise FileNotFoundError(f"There is no folder '{path}'.")
    if text.count("/") != 1:
        raise ValueError(_unknown(text))
    return None


def read_json(file: Path) -> Any:
    """Reads a JSON file.

    Raises:
        ValueError: it is damaged; the sentence names the file.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"'{file}' is damaged ({error}): get it again.") from None


def _read(file: Path) -> dict:
    """Reads a JSON object, and names the file where it is none."""
    content = read_json(file)
    if not isinstance(content, dict):
        raise ValueError(f"'{file}' is damaged (it holds no JSON object): get it again.")
    return content


def _config(file: Path):
    """Reads the configuration of a language model, and turns whatever is wrong with it into one sentence."""
    import transformers as library
    from huggingface_hub.errors import StrictDataclassError

    settings = _read(file)
    kind = str(settings.get("model_type"))
    known = kind in library.CONFIG_MAPPING and library.CONFIG_MAPPING[kind]
    models = (library.MODEL_FOR_CAUSAL_LM_MAPPING, library.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING)
    if not any(known in mapping for mapping in models):
        raise ValueError(
            f"model_type='{kind}' in '{file}' is no language model that transformers {library.__version__} "
            "knows: get the file again, or upgrade transformers."
        )
    try:
        with quiet():
            return known.from_dict(settings)
    except StrictDataclassError as error:
        raise ValueError(f"'{file}' is damaged ({' '.join(str(error).split())}): get it again.") from None


def _unknown(name: str) -> str:
    """Says that nothing has this name, and which name comes nearest."""
    known = {known.lower(): known for known in (*OWN, *OWN_SEQ2SEQ, *hub_configs())}
    known |= {key.split("/")[-1]: value for key, value in known.items()}
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    hint = f"did you mean '{known[near[0]]}'?" if near else f"the course's own are {', '.join(OWN)}."
    return f"There is no model '{name}'; {hint} A Hub model is written owner/name, a folder as its path."


def _from_hub(name: str, revision: str | None, device: str, dtype):
    """Loads from the Hub or its cache: runs no code of the repository, unpickles nothing but tensors."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
    from transformers import AutoConfig

    away = (
        f"'{name}' is neither a folder nor in the local cache, and the Hub is out of reach: "
        "go online, or use 'tiny', which needs no network."
    )
    if try_to_load_from_cache(name, "config.json", revision=revision) is None and not hub_answers():
        raise ValueError(away)
    try:
        AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        reasons = {
            GatedRepoError: f"'{name}' is gated: accept its licence on the Hub and log in first.",
            RevisionNotFoundError: f"'{name}' has no revision '{revision}' on the Hub.",
            RepositoryNotFoundError: _unknown(name),
            OSError: away,
        }
        raise ValueError(why(error, reasons)) from None
    return _load(name, {"revision": revision}, device, dtype)


def _load(source: str | Path, options: dict, device: str, dtype):
    """Reads weights and tokenizer, and turns whatever is wrong with them into one sentence."""
    from safetensors import SafetensorError
    from transformers import AutoConfig

    where = {key: value for key, value in options.items() if key != "use_safetensors"}
    config = AutoConfig.from_pretrained(source, trust_remote_code=False, **where)
    tokenizer = _tokenizer(source, **where)
    place = (
        {"device_map": device} if device.startswith("cuda") else {}
    )  # straight to the GPU, never twice in memory
    try:
        model, report = _architecture(config).from_pretrained(
            source,
            dtype=dtype,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are reported here, all in one place
            **place,
            **options,
        )
    except SafetensorError as error:
        raise ValueError(
            f"The weights in '{source}' are cut short or damaged ({error}): copy or download them again."
        ) from None
    if report["mismatched_keys"]:
        key, found, expected = sorted(report["mismatched_keys"])[0]
        raise ValueError(
            f"The weights in '{source}' do not fit its config.json: '{key}' is {tuple(found)}, "
            f"the configuration asks for {tuple(expected)}."
        )
    if report["missing_keys"]:
        keys = sorted(report["missing_keys"])
        raise ValueError(f"The weights in '{source}' lack {len(keys)} tensors, the first is '{keys[0]}'.")
    return _finish(model, tokenizer, device)


def _architecture(config):
    """Returns the library's class of models for a configuration: encoder-decoders, or decoders."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    return AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM


def _tokenizer(source: str | Path, **where):
    """Reads a tokenizer, and turns whatever is wrong with it into one sentence."""
    from transformers import AutoTokenizer

    folder = Path(source)
    # without its tokens the library makes one that knows no words, and says nothing
    if folder.is_dir() and not any(any(folder.glob(file)) for file in TOKEN_FILES):
        raise FileNotFoundError(
            f"The folder '{source}' has no tokenizer.json: copy it from where the model came from."
        )
    try:
        return AutoTokenizer.from_pretrained(source, trust_remote_code=False, **where)
    except Exception as error:  # the Rust library raises bare ones
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"The tokenizer of '{source}' cannot be read ({type(error).__name__}: {reason}): get it again."
        ) from error


def _finish(model, tokenizer, device: str):
    """Puts the model on its device, in evaluation mode, and gives the tokenizer a padding token."""
    if tokenizer is not None and tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.to(device).eval(), tokenizer


def _random(name: str, device: str, dtype):
    """Builds a configuration with random weights, in place and in the dtype asked for; downloads nothing."""
    import torch

    shipped = hub_configs()
    file = shipped[name] if name in shipped else (_folder(name) or Path(name)) / "config.json"
    if not file.is_file():
        raise ValueError(
            f"No configuration of '{name}' ships with the course: choose one of {', '.join(shipped)}."
        )
    config = _config(file)
    with quiet():
        with torch.device(device):
            model = _architecture(config).from_config(config, dtype=dtype)
        tokenizer = None
        for source in (name if name in shipped else file.parent, CHECKPOINTS / "tiny"):
            try:
                tokenizer = _tokenizer(source, local_files_only=True)
                break
            except (OSError, ValueError):  # not in the cache
                continue
    return _finish(model, tokenizer, device)
