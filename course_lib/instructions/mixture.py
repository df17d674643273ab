"""Mixtures: how often each task is shown, and which tasks and wordings are kept for the end.

FLAN mixes in proportion to the number of examples, at most 30,000 of a set, none counting for more than 3,000
(Wei et al., 2022, section 2.1 and appendix); T5 and T0 raise the proportions to the power 1/T (Raffel et al.,
2020, section 3.5.2). Held out is a whole cluster of tasks, never a task beside its like.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from course_lib.instructions.templates import Instruction, InstructionTemplate, Row, task_templates

CLUSTERS: dict[str, tuple[str, ...]] = {
    "entailment": ("terra", "rcb"),
    "common sense": ("parus",),
    "sentiment": ("tweets",),
    "paraphrase": ("paraphrase",),
    "closed-book QA": ("facts",),
    "reading": ("danetqa", "muserc", "qa", "rucos"),
    "coreference": ("rwsd",),
    "word sense": ("russe",),
    "summarisation": ("titles", "summaries"),
    "style": ("detox",),
    "translation": ("translation",),
}
LIMIT, CAP = 30_000, 3_000  # FLAN's


@dataclass(frozen=True)
class Source:
    """One task of a mixture.

    Attributes:
        task: its name.
        rows: its examples.
        templates: how they are told.
    """

    task: str
    rows: Sequence[Row]
    templates: Sequence[InstructionTemplate]


@dataclass(frozen=True)
class Told:
    """What a mixture gives: an instruction, and where it is from."""

    task: str
    template: str
    instruction: Instruction


def rates(
    sizes: Mapping[str, int], cap: int | None = CAP, temperature: float = 1.0, limit: int = LIMIT
) -> dict[str, float]:
    """Return the share of each task in a mixture.

    Args:
        sizes: task -> number of its examples.
        cap: more examples than this do not make a task more frequent (FLAN's maximum mixing rate).
        temperature: 1 mixes in proportion, infinity equally (T5).
        limit: more examples of a task are not used at all.

    Returns:
        task -> share; they sum to 1.

    Raises:
        ValueError: no tasks, an empty one, a cap, limit or temperature that is not positive.
    """
    if not sizes:
        raise ValueError("A mixture of no tasks is empty: name at least one.")
    if empty := [name for name, size in sizes.items() if size < 1]:
        raise ValueError(f"Task '{empty[0]}' has no examples: leave it out of the mixture.")
    for name, value in (("cap", cap), ("temperature", temperature), ("limit", limit)):
        if value is not None and not value > 0:
            raise ValueError(f"{name}={value} must be positive, or nothing is drawn.")
    weights = {
        name: min(size, limit, cap if cap is not None else size) ** (1 / temperature)
        for name, size in sizes.items()
    }
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def counts(shares: Mapping[str, float], n: int) -> dict[str, int]:
    """Return how many of `n` examples each task has: its share, rounded so that they sum to `n`.

    Args:
        shares: from `rates`.
        n: examples in all.
    """
    whole = {name: int(share * n) for name, share in shares.items()}
    by_rest = sorted(shares, key=lambda name: (whole[name] - shares[name] * n, name))
    for name in by_rest[: n - sum(whole.values())]:
        whole[name] += 1
    return whole


@dataclass(frozen=True)
class Mixture:
    """Instructions of several tasks, for ever, the same for the same seed.

    Attributes:
        sources: the tasks.
        cap, temperature, limit: see `rates`.
        options: whether the choices are told.
        seed: of the order of examples and templates.
    """

    sources: Sequence[Source]
    cap: int | None = CAP
    temperature: float = 1.0
    limit: int = LIMIT
    options: bool = True
    seed: int = 0

    def rates(self) -> dict[str, float]:
        """Return the share of each task (see the function `rates`).

        Raises:
            ValueError: as there, or a task without templates.
        """
        for source in self.sources:
            if not source.templates:
                raise ValueError(f"Task '{source.task}' has no templates left: hold out fewer.")
        sizes = {source.task: len(source.rows) for source in self.sources}
        return rates(sizes, self.cap, self.temperature, self.limit)

    def stream(self) -> Iterator[Told]:
        """Yield instructions for ever: after any number of them each task has had its share, to within one.

        Every example of a task is told once before one is told again, in every template as often as in any
        other.

        Raises:
            ValueError: as `rates`, or a template that does not fit its rows.
        """
        shares = self.rates()
        drawn = {source.task: self._draw(source) for source in self.sources}
        order = random.Random(f"order-{self.seed}").sample(sorted(shares), len(shares))
        owed = dict.fromkeys(order, 0.0)
        while True:
            for name in order:
                owed[name] += shares[name]
            name = max(order, key=owed.__getitem__)
            owed[name] -= 1
            yield next(drawn[name])

    def take(self, n: int) -> list[Told]:
        """Return the first `n` instructions."""
        return list(islice(self.stream(), n))

    def _draw(self, source: Source) -> Iterator[Told]:
        """Yield one task's instructions."""
        rng = random.Random(f"{source.task}-{self.seed}")
        rows = rng.sample(range(len(source.rows)), min(self.limit, len(source.rows)))
        templates = list(source.templates)
        told_in: list[InstructionTemplate] = []
        while True:
            some = False
            for i in rng.sample(rows, len(rows)):
                if not told_in:
                    told_in = rng.sample(templates, len(templates))
                template = told_in.pop()
                instruction = template.render(source.rows[i], self.options)
                if instruction is not None:
                    some = True
                    yield Told(source.task, template.name, instruction)
            if not some:
                raise ValueError(f"The templates of '{source.task}' say nothing about any of its rows.")


def sources(
    clusters: Iterable[str] = tuple(CLUSTERS), split: str = "train", n_templates: int = 10, held_out: int = 0
) -> list[Source]:
    """Return the course's tasks, ready to be mixed.

    Args:
        clusters: keys of `CLUSTERS`; what is not named is held out.
        split: of each task.
        n_templates: so many of a task's templates are used.
        held_out: and so many others, its last ones, are not, whatever `n_templates` says.

    Returns:
        A source a task.

    Raises:
        ValueError: no such cluster.
    """
    from course_lib.tasks import load_task

    clusters = list(clusters)
    if unknown := [name for name in clusters if name not in CLUSTERS]:
        raise ValueError(f"There is no cluster {unknown[0]!r}: {', '.join(CLUSTERS)}.")
    found = []
    for name in (task for cluster in clusters for task in CLUSTERS[cluster]):
        kept = spread(task_templates(name), held_out)
        found.append(Source(name, load_task(name).data[split].to_list(), kept[:n_templates]))
    return found


def spread(templates: Sequence[InstructionTemplate], held_out: int) -> list[InstructionTemplate]:
    """Return all but the last `held_out` of the templates that ask for the answer, and those turned around.

    They take turns, so that the first few are of both kinds.
    """
    asking = [template for template in templates if template.original_task]
    turned = [template for template in templates if not template.original_task]
    asking = asking[: len(asking) - held_out]
    places = {3 * (i + 1): template for i, template in enumerate(turned)}  # FLAN: up to three of ten
    mixed: list[InstructionTemplate] = []
    rest = iter(asking)
    while len(mixed) < len(asking) + len(turned):
        following = places.pop(len(mixed), None) or next(rest, None)
        mixed.append(following if following is not None else places.pop(min(places)))
    return mixed
