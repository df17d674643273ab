"""Grids of runs: every combination of some settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any, TypeVar

Run = TypeVar("Run")


def grid_of(kind: type[Run], **values: Iterable[Any]) -> Iterator[Run]:
    """Yield a run for every combination of settings, the last named one changing fastest.

    Args:
        kind: of the runs, a dataclass.
        **values: of each setting, those that it takes.
    """
    for some in product(*values.values()):
        yield kind(**dict(zip(values, some, strict=True)))
