"""Saving a model whole or not at all: a killed run or a full disk leaves what was there before."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course_lib.quiet import quiet


@contextmanager
def whole_folder(folder: str | Path) -> Iterator[Path]:
    """Give a new folder to write into, which takes the place of `folder` once it is complete.

    Args:
        folder: where to; what is there already is replaced.

    Yields:
        An empty folder.

    Raises:
        OSError: the disk is full or not writable; the target is then as it was before.
    """
    from safetensors import SafetensorError

    folder = Path(folder).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    new = work / "new"
    new.mkdir()
    try:
        yield new
        if folder.exists():
            os.replace(folder, work / "old")
        try:
            os.replace(new, folder)
        except OSError:
            if (work / "old").exists():
                os.replace(work / "old", folder)
            raise
    except (OSError, SafetensorError) as error:
        code = getattr(error, "errno", None)
        full = code in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT) or "os error 28" in str(error)
        reason = "the disk is full" if full else str(error)
        raise OSError(
            code or errno.EIO, f"Saving to '{folder}' failed, {reason}; nothing was left behind"
        ) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file whole or not at all.

    Args:
        path: where to, in a folder that is there; what is there already is replaced.
        text: what to write.

    Raises:
        OSError: the disk is full or not writable; the file is then as it was before.
    """
    half = Path(f"{path}.half")
    try:
        half.write_text(text, encoding="utf-8")
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def save_lm(model, tokenizer, folder: str | Path, dtype=None) -> Path:
    """Saves a model whole or not at all (see `whole_folder`).

    Args:
        model: a `transformers` model.
        tokenizer: its tokenizer, or None.
        folder: where to; what is there already is replaced, once the new one is complete.
        dtype: torch dtype or name to store the weights in (the model is not changed); None keeps theirs.

    Returns:
        The folder.

    Raises:
        OSError: the disk is full or not writable; the target is then as it was before.
    """
    import torch

    dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    with whole_folder(folder) as new, quiet():
        state, seen = None, {}
        if dtype is not None:  # tied tensors stay one tensor, so that they are stored once
            for tensor in model.state_dict().values():
                seen.setdefault(tensor.data_ptr(), tensor.to(dtype))
            state = {key: seen[tensor.data_ptr()] for key, tensor in model.state_dict().items()}
        model.save_pretrained(new, state_dict=state)
        if dtype is not None:
            settings = json.loads((new / "config.json").read_text(encoding="utf-8"))
            settings["dtype"] = str(dtype).removeprefix("torch.")
            (new / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        if tokenizer is not None:
            tokenizer.save_pretrained(new)
    return Path(folder).absolute()
