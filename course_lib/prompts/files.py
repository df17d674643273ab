"""Prompts on disk and on the Hub: our own layout, and that of the prompts published for ruPrompts.

Slide "ruPrompts Framework": "Integration with HF Hub for sharing and loading pretrained prompts". Our layout
is `prompt.json`, the provider's whole state in `prompt.safetensors`, so that training can go on, and a model
card. ruPrompts' is a `prompt.json` of its own kind, and the embeddings alone in `prompt_provider.bin`.
"""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from course_lib.hub import hub_answers, why
from course_lib.models import read_json
from course_lib.prompts.format import COMPILED, PromptFormat
from course_lib.prompts.prompt import Prompt, check_fits
from course_lib.prompts.providers import PROVIDERS, TensorProvider
from course_lib.saving import whole_folder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

CONFIG, STATE, RUPROMPTS_STATE = "prompt.json", "prompt.safetensors", "prompt_provider.bin"
VERSION = 1  # of our layout


@dataclass(frozen=True)
class Published:
    """A prompt that was published for ruPrompts.

    Attributes:
        repository: on the Hub.
        task: what it does, and the data that it was trained on.
        fields: what its format asks for, as far as its authors' notebooks tell; its `prompt.json` decides.
    """

    repository: str
    task: str
    fields: tuple[str, ...]


def published(suffix: str, task: str, *fields: str) -> Published:
    """Return one of ruPrompts' prompts for ruGPT-3 Large."""
    return Published(f"konodyuk/prompt_rugpt3large_{suffix}", task, fields)


PUBLISHED: dict[str, Published] = {
    "detox_russe": published("detox_russe", "detoxification, RUSSE 2022", "toxic_comment"),
    "title_mlsum": published("title_mlsum", "titles, MLSUM", "text"),
    "summarization_mlsum": published("summarization_mlsum", "summaries, MLSUM", "text"),
    "qa_sberquad": published("qa_sberquad", "question answering, SberQuAD", "context", "question"),
    "proverb": published("proverb", "proverbs"),
    "joke": published("joke", "jokes"),
}

CARD = """---
library_name: course_lib
{base_model}pipeline_tag: text-generation
tags: [prompt-tuning, soft-prompt]
---

# A soft prompt

{n} soft tokens, trained for `{backbone}`, whose own weights did not change.

```
{template}
```

Provider: {provider} ({settings}). {notes}

```python
from course_lib.models import load_lm
from course_lib.prompts import attach, from_pretrained

model, tokenizer = load_lm("{backbone}")
prompt = from_pretrained("{name}", model)
attach(model, prompt)
```
"""


def save_pretrained(
    prompt: Prompt, folder: str | Path, notes: str = "", repository: str | None = None
) -> Path:
    """Save a prompt in our layout, whole or not at all.

    Args:
        prompt: attached or not.
        folder: where to; what is there already is replaced.
        notes: a sentence for the model card, such as what it was trained on and how well it does.
        repository: where on the Hub it goes; the card says to load it from there, else from the folder.

    Returns:
        The folder.

    Raises:
        OSError: the disk is full or not writable; what was there before is as it was.
    """
    provider = prompt.provider
    config = {
        "version": VERSION,
        "format": str(prompt.form),
        "counts": [part.n for part in prompt.form.soft],  # an initial text's tokens, without its tokenizer
        "provider": {"name": provider_name(prompt), "settings": provider.settings},
        "backbone": prompt.backbone,
        "embedding_dim": provider.dim,
    }
    on_hub = prompt.backbone.count("/") == 1 and not prompt.backbone.startswith((".", "/", "~"))
    card = CARD.format(
        base_model=f"base_model: {prompt.backbone}\n" if on_hub else "",  # the Hub takes its own names only
        n=provider.n_tokens,
        backbone=prompt.backbone or "unknown",
        template=prompt.form,
        provider=provider_name(prompt),
        settings=", ".join(f"{key}={value}" for key, value in provider.settings.items()),
        notes=notes,
        name=repository or Path(folder).name,
    )
    with whole_folder(folder) as new:
        (new / CONFIG).write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        (new / "README.md").write_text(card, encoding="utf-8")
        state = {name: tensor.cpu().contiguous() for name, tensor in provider.state_dict().items()}
        save_file(state, new / STATE)
    return Path(folder)


def save_ruprompts(prompt: Prompt, folder: str | Path) -> Path:
    """Save a prompt in ruPrompts' layout: its provider's network is left behind, the embeddings stay.

    Raises:
        ValueError: a format that this layout cannot say.
        OSError: see `save_pretrained`.
    """
    template, compiled = str(prompt.form), prompt.form.compiled()
    config = {
        "format": {"template": template, "compiled_template": compiled},
        "config": {
            "embedding_dim": prompt.provider.dim,
            "prompt_length": prompt.provider.n_tokens,
            "pretrained_model_name": prompt.backbone,
            "is_safe": False,
        },
    }
    with whole_folder(folder) as new:
        (new / CONFIG).write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
        with (new / RUPROMPTS_STATE).open("wb") as file:  # opened here, so that a full disk is an OSError
            torch.save(prompt().detach().cpu().clone(), file)
    return Path(folder)


def from_pretrained(
    name: str | Path, model: PreTrainedModel | None = None, revision: str | None = None
) -> Prompt:
    """Load a prompt, in either layout.

    Args:
        name: a folder, a Hub repository (owner/name), or one of `PUBLISHED`.
        model: that it is to be attached to; it is checked to fit, and put on the same device.
        revision: branch, tag or commit on the Hub.

    Returns:
        The prompt, not attached. One that ruPrompts saved has a tensor provider.

    Raises:
        FileNotFoundError: no such folder, or a file in it is missing.
        ValueError: an unknown name, the Hub is away, a damaged or unsafe file, shapes that do not fit each
            other, or another embedding width than the model's.
    """
    folder = find(str(name), revision)
    config = read_config(folder)
    try:
        prompt = read_ruprompts(folder, config) if "config" in config else read_own(folder, config)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"'{folder / CONFIG}' describes no prompt: {error!r}.") from None
    if model is not None:
        check_fits(prompt, model)
        prompt.to(model.device)
    return prompt


def find(name: str, revision: str | None) -> Path:
    """Return the folder of a prompt, downloaded if need be."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if name in PUBLISHED:
        name = PUBLISHED[name].repository
    elif "/" not in name:
        near = get_close_matches(name, PUBLISHED, n=1, cutoff=0.0)[0]
        raise ValueError(f"There is no prompt '{name}': did you mean '{near}'? Or owner/name, or a folder?")
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise FileNotFoundError(f"There is no folder '{name}'.")
    away = f"'{name}' is neither a folder nor in the local cache, and the Hub is out of reach: go online."
    reasons = {
        GatedRepoError: f"'{name}' is gated: accept its licence on the Hub and log in first.",
        RepositoryNotFoundError: f"There is no repository '{name}' on the Hub.",
        RevisionNotFoundError: f"'{name}' has no revision '{revision}' on the Hub.",
        OSError: away,
    }
    options = {"allow_patterns": [CONFIG, STATE, RUPROMPTS_STATE], "local_files_only": not hub_answers()}
    try:
        return Path(snapshot_download(name, revision=revision, **options))
    except (OSError, ValueError) as error:
        raise ValueError(why(error, reasons)) from None


def read_config(folder: Path) -> dict[str, Any]:
    """Return what `prompt.json` says."""
    path = folder / CONFIG
    if not path.exists():
        raise FileNotFoundError(f"The folder '{folder}' has no {CONFIG}, so it is not a saved prompt.")
    config = read_json(path)
    if not isinstance(config, dict):
        raise ValueError(f"'{path}' describes no prompt: it holds a {type(config).__name__}.")
    return config


def read_own(folder: Path, config: dict[str, Any]) -> Prompt:
    """Read our layout."""
    if config.get("version", 1) > VERSION:
        raise ValueError(
            f"'{folder / CONFIG}' has layout {config['version']}, and this course_lib reads up to {VERSION}: "
            "install a newer one."
        )
    form = PromptFormat.parse(config["format"]).with_counts(config["counts"])
    name, settings = config["provider"]["name"], config["provider"]["settings"]
    if name not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise ValueError(f"'{folder / CONFIG}' names the provider '{name}', which is none of {known}.")
    provider = PROVIDERS[name](form.n_soft, config["embedding_dim"], **settings)
    try:
        provider.load_state_dict(load_file(folder / STATE))
    except FileNotFoundError:
        raise FileNotFoundError(f"The folder '{folder}' has no {STATE}: get it again.") from None
    except SafetensorError as error:
        raise ValueError(f"'{folder / STATE}' is cut short or damaged ({error}): get it again.") from None
    except RuntimeError as error:
        raise ValueError(f"'{folder / STATE}' does not fit its {CONFIG}: {error}") from None
    return Prompt(form, provider, config["backbone"])


def read_ruprompts(folder: Path, config: dict[str, Any]) -> Prompt:
    """Read ruPrompts' layout; row k of the tensor belongs to the k-th soft token of the compiled template."""
    path = folder / RUPROMPTS_STATE
    compiled = config["format"]["compiled_template"]
    form = PromptFormat.from_compiled(compiled)
    n, dim = compiled.count(COMPILED), config["config"]["embedding_dim"]
    if not path.exists():
        raise FileNotFoundError(f"The folder '{folder}' has no {RUPROMPTS_STATE}: get it again.")
    try:
        rows = torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"'{path}' holds more than a tensor, which could run code, and was not opened "
            f"({str(error).splitlines()[0]})."
        ) from None
    except (RuntimeError, EOFError, OSError) as error:
        kind = type(error).__name__
        raise ValueError(f"'{path}' is cut short or damaged ({kind}): get it again.") from None
    if not isinstance(rows, torch.Tensor) or rows.shape != (n, dim):
        found = tuple(rows.shape) if isinstance(rows, torch.Tensor) else type(rows).__name__
        raise ValueError(f"'{path}' must hold {n} × {dim} numbers, as {CONFIG} says, and holds {found}.")
    provider = TensorProvider(n, dim)
    provider.begin_as(rows.float())
    return Prompt(form, provider, config["config"].get("pretrained_model_name") or "")


def provider_name(prompt: Prompt) -> str:
    """Return the name of a prompt's provider in `PROVIDERS`."""
    return next(name for name, kind in PROVIDERS.items() if type(prompt.provider) is kind)


def push_to_hub(
    prompt: Prompt,
    repository: str,
    *,
    ruprompts: bool = False,
    private: bool = False,
    token: str | None = None,
    notes: str = "",
) -> str:
    """Share a prompt on the Hub.

    Args:
        prompt: what to share.
        repository: owner/name; made if it is not there.
        ruprompts: in that layout instead of ours.
        private: whether nobody else may see a new repository.
        token: of the Hub; None takes the one that you have logged in with.
        notes: see `save_pretrained`.

    Returns:
        The address of the commit.

    Raises:
        ValueError: the Hub is out of reach.
        huggingface_hub.errors.HfHubHTTPError: it refuses.
    """
    import tempfile

    from huggingface_hub import HfApi

    if not hub_answers():
        raise ValueError(f"The Hub is out of reach, '{repository}' was not written: go online.")
    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work) / repository.split("/")[-1]
        if ruprompts:
            save_ruprompts(prompt, folder)
        else:
            save_pretrained(prompt, folder, notes, repository)
        api.create_repo(repository, private=private, exist_ok=True)
        options = {"repo_id": repository, "folder_path": folder, "commit_message": "A soft prompt"}
        return str(api.upload_folder(**options).commit_url)
