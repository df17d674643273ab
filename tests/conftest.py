"""What all tests share: no network, an empty cache of datasets, no deadlines, the repository's root."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before any library reads it
os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
# as on a fresh machine: what an earlier run left would hide what a first one computes, and shows
datasets_cache = tempfile.TemporaryDirectory(prefix="datasets-")
os.environ["HF_DATASETS_CACHE"] = datasets_cache.name

settings.register_profile("course", deadline=None)  # how fast something is, the benchmarks tell
settings.load_profile("course")


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def one_thread():
    """Small products are faster on one thread, and a busy machine does not make them wait for another."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
