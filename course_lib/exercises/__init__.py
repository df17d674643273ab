"""Instant checks for the seminars: run a student's function, compare it with a reference, name the mistake.

A seminar's checks are one module of this package. Each is a function that takes `answer`, the student's
function made safe, and returns the rest of the line to print:

    @exercise(reference)
    def attention(answer): ...

In the notebook, `checks.attention(attention)` prints "✓ attention: ..." or raises `NotYet` with one sentence.
"""

from __future__ import annotations

import functools
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

LIBRARIES = (str(Path(__file__).parent.parent), sysconfig.get_paths()["stdlib"], "<frozen")


class NotYet(AssertionError):  # noqa: N818 (a student reads this name)
    """An exercise that is not solved yet: a notebook shows its one sentence, and no traceback."""

    def _render_traceback_(self) -> list[str]:  # IPython asks an exception how to show itself
        return [str(self)]


class Exercise:
    """A check that is called with the student's function."""

    def __init__(self, judge: Callable, reference: Callable, with_grad: bool = False):
        functools.update_wrapper(self, judge)
        self.judge, self.reference, self.with_grad, self.passed = judge, reference, with_grad, None

    def __call__(self, student: Callable, *context) -> None:
        """Judge the student's function: print one line, the same on every machine, when it is right.

        Args:
            student: the function itself.
            context: what the check's own docstring asks for besides.

        Raises:
            NotYet: it is not right yet; the one sentence says what is wrong, or what to do.
        """
        name, self.passed = self.__name__, None
        try:
            if not callable(student):
                raise NotYet(f"give the check the function itself, without calling it: checks.{name}({name})")
            line = self.judge(lambda *inputs: call(student, *inputs, with_grad=self.with_grad), *context)
        except NotYet as wrong:
            raise NotYet(f"✗ {name}: {wrong}") from None
        self.passed = student
        print(f"✓ {name}: {line}")

    def working(self, student: Callable) -> Callable:
        """Return the student's function once it has passed, and until then the course's, saying so."""
        if self.passed is student:
            return student
        print(f"(This uses the course's {self.__name__}: yours has not passed its check yet.)")
        return self.reference


def exercise(reference: Callable, with_grad: bool = False) -> Callable[[Callable], Exercise]:
    """Turn a function that judges into the check of an exercise.

    Args:
        reference: a right answer with the student's signature, to go on with while theirs is not ready.
        with_grad: whether the gradient of the student's answer is judged too.
    """
    return lambda judge: Exercise(judge, reference, with_grad)


def call(student: Callable, *inputs, with_grad: bool = False):
    """Run the student's function and put whatever goes wrong inside it into one sentence.

    Args:
        student: their function.
        inputs: its arguments.
        with_grad: whether gradients are recorded.

    Returns:
        its answer, never None.

    Raises:
        NotYet: it is blank, it raised, it returned nothing, or it changed its inputs.
    """
    before = [_state(value) for value in inputs]
    try:
        with torch.set_grad_enabled(with_grad):
            answer = student(*inputs)
    except NotYet:
        raise
    except Exception as error:
        raise NotYet(_explain(error, student)) from None
    if answer is None:
        raise NotYet("your function returns None: its last line must be `return ...`.")
    if [_state(value) for value in inputs] != before:
        raise NotYet(
            "your code changes its input in place, as `x += y` does: write `x = x + y`, a new value."
        )
    return answer


def _state(value):
    """Take notes of a value, cheap even for a whole model: torch counts the changes of a tensor."""
    if isinstance(value, Tensor):
        return id(value), value._version
    if isinstance(value, dict):
        return {key: _state(part) for key, part in value.items()}
    return list(value) if isinstance(value, list) else None


def _explain(error: Exception, student: Callable) -> str:
    """Say which line of the student's code raised what."""
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(LIBRARIES) and "-packages" not in frame.filename
    ]
    name = getattr(student, "__name__", "")
    last = own[-1] if own else None
    # the line of the function that is judged, wherever it broke
    shown = next((frame for frame in reversed(own) if frame.name == name), last)
    if isinstance(error, NotImplementedError) and last:
        if last.name == getattr(student, "__name__", last.name):
            return "not written yet: complete the function above, run its cell, then run this cell again."
        return (
            f"it calls `{last.name}`, which is not written yet: solve that exercise first, or go on with the "
            f"course's own, {last.name} = checks.{last.name}.working({last.name})"
        )
    reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
    where = "it raised "
    if shown and shown.line:
        where = f"line {shown.lineno} of the cell, `{shown.line}`, raised "
        if last is not shown:
            reason += f" (in `{last.name}`, at `{last.line}`)"
    return where + reason.rstrip(": ")


def compare(
    answer, expected: Tensor, axes: str, wrong: Mapping[str, Tensor] | None = None, what: str = "the result"
) -> None:
    """Compare a tensor with the expected one; where it differs, name the mistake that gives just this tensor.

    Args:
        answer: what the student's function returned.
        expected: the right answer.
        axes: what its dimensions are, in words, for instance "(batch, time, n_embd)".
        wrong: mistakes in a sentence each, and the tensors that they lead to.
        what: how the sentence calls the answer.

    Raises:
        NotYet: it is no tensor, has another shape, is not finite, or differs.
    """
    if not isinstance(answer, Tensor):
        raise NotYet(f"{what} must be a tensor {axes}, yours is of type {type(answer).__name__}.")
    if close(answer, expected):
        return
    for mistake, tensor in (wrong or {}).items():
        if close(answer, tensor):
            raise NotYet(f"{mistake}.")
    if answer.shape != expected.shape:
        raise NotYet(
            f"{what} has the shape {tuple(answer.shape)}, it should have {tuple(expected.shape)}: {axes}."
        )
    if not answer.isfinite().all():
        raise NotYet(f"{what} contains NaN or infinity: look for a row with nothing left, or an overflow.")
    gap = (answer.double() - expected.double()).abs()
    place = [int(i) for i in torch.unravel_index(gap.argmax(), gap.shape)]
    mine, right = answer[tuple(place)].item(), expected[tuple(place)].item()
    raise NotYet(
        f"{what} has the right shape but other numbers, most of all at {place}, an index in {axes}: "
        f"{mine:.4g} where {right:.4g} is right."
    )


def close(one: Tensor, other: Tensor, atol: float = 1e-4) -> bool:
    """Tell whether two tensors agree in shape and, within float32's rounding, in numbers."""
    if one.shape != other.shape or one.is_complex() or one.device != other.device:
        return False
    return torch.allclose(one.double(), other.double(), rtol=1e-5, atol=atol, equal_nan=True)
