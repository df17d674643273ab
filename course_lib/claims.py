"""A claim of the deck, what this machine measured, and whether it holds: the course's unit of honesty.

A notebook ends each demonstration with `check(...)`. It prints one line that is the same on every machine (so
that `pytest --nbval` notices when a claim flips) and, when the course runs as a whole, adds the claim to the
scoreboard.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

CLAIMS_FILE = "COURSE_CLAIMS"  # environment: the JSON-lines file that collects the claims of a run
NOTEBOOK = "COURSE_NOTEBOOK"  # environment: the notebook that is running, as the scoreboard names it
_made: dict[str, "Claim"] = {}  # the claims of this process, by name


@dataclass(frozen=True)
class Claim:
    """One row of the scoreboard.

    Args:
        name: short name, unique within its notebook.
        deck: what the deck says, in its own figures.
        measured: what this machine measured, rounded to what is stable across machines.
        holds: whether the measurement agrees with the deck.
        slide: title (or number) of the slide that makes the claim.
        seed: seed of the measurement, None where nothing is random.
        n: sample size, None where nothing was sampled.
        why: the reason, required where the claim fails; optional remark where it holds.
        detail: unrounded figures for the scoreboard only, never printed.
        notebook: the notebook's name without folder, empty outside a run.
    """

    name: str
    deck: str
    measured: str
    holds: bool
    slide: str
    seed: int | None = None
    n: int | None = None
    why: str | None = None
    detail: str | None = None
    notebook: str = ""

    def line(self) -> str:
        """Return the one line that the notebook prints."""
        verdict = "✓ holds" if self.holds else "✗ does not hold"
        reason = f" | {'though' if self.holds else 'because'} {self.why}" if self.why else ""
        return f"{verdict} | deck: {self.deck} | here: {self.measured}{reason}"


def check(
    name: str,
    deck: str,
    measured: str,
    holds: bool,
    *,
    slide: str | int,
    seed: int | None = None,
    n: int | None = None,
    why: str | None = None,
    detail: str | None = None,
    notebook: str | None = None,
) -> None:
    """Set a claim of the deck beside its measurement: print one stable line, and register it.

    A claim that fails does not raise: an honest "no", with its reason, is a result.

    Args:
        name, deck, measured, holds, slide, seed, n, why, detail: see `Claim`.
        notebook: the notebook's name; by default the one that the runner says is running.

    Raises:
        ValueError: a text empty or of many lines, `holds` no truth value, or a failing claim without `why`.
    """
    if hasattr(holds, "item"):  # numpy and torch comparisons give a 0-d array
        holds = holds.item()
    if not isinstance(holds, bool):
        raise ValueError(f"claim {name!r}: holds must be True or False, got {holds!r}")
    texts = {"name": name, "deck": deck, "measured": measured, "slide": str(slide)}
    for field, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"claim {name!r}: {field} must be a non-empty string, got {text!r}")
    for field, text in {**texts, "why": why or ""}.items():
        if "\n" in text:
            raise ValueError(f"claim {name!r}: {field} must be a single line, got {text!r}")
    if not holds and not (why and why.strip()):
        raise ValueError(f"claim {name!r} fails: say the reason in why=")
    if n is not None and n < 1:
        raise ValueError(f"claim {name!r}: n is a sample size and must be at least 1, got {n}")
    claim = Claim(
        name,
        deck,
        measured,
        holds,
        str(slide),
        seed,
        n,
        why,
        detail,
        notebook or os.environ.get(NOTEBOOK, ""),
    )
    _made[name] = claim
    print(claim.line())
    if path := os.environ.get(CLAIMS_FILE):
        save(claim, path)


def made() -> list[Claim]:
    """Return the claims made so far in this notebook, in order; of a claim made twice the last counts."""
    return list(_made.values())


def save(claim: Claim, path: str | Path) -> None:
    """Append the claim to a JSON-lines file, in one write, so that a killed run leaves whole lines."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(claim), ensure_ascii=False) + "\n")


def load(path: str | Path) -> list[Claim]:
    """Read the claims of a run, in order; of a claim made twice in one notebook the last counts.

    Args:
        path: the JSON-lines file; a missing one means that no claim was made.

    Raises:
        ValueError: a line that is no claim, named by its number.
    """
    if not Path(path).exists():
        return []
    claims: dict[tuple[str, str], Claim] = {}
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        try:
            claim = Claim(**json.loads(line))
        except (json.JSONDecodeError, TypeError) as error:
            raise ValueError(
                f"{path}, line {number} is not a claim ({error}): delete it, run again"
            ) from None
        claims[claim.notebook, claim.name] = claim
    return list(claims.values())
