"""Tracebacks show the user's frames; which exception it is stays the same."""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.calls import function
from anabranch.compiler.calls.tracebacks import NOTE
from anabranch.ir import settings


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a user has it: the tests of other files see all frames."""
    monkeypatch.delenv("ANABRANCH_TRACEBACK", raising=False)
    monkeypatch.setattr(settings, "_complaints", set())


def names(found: TracebackType | None) -> list[str]:
    return [frame.name for frame in traceback.extract_tb(found)]


def caught(call: Callable[..., Any], *args: Any) -> Exception:
    """What a call raises."""
    try:
        call(*args)
    except Exception as error:
        return error
    pytest.fail("nothing was raised")


def layer(x):
    return x.reshape(3, 7)


def model(x):
    return np.sum(layer(x))


def steps(x):
    """A generator, whose frame is the user's as well."""
    for row in x:
        yield row.reshape(3, 7)


def from_a_generator(x):
    return np.sum(next(steps(x)))


X = np.ones(12)
MODEL = ["caught", "model", "layer"]
CASES: dict[str, tuple[Callable[[], Any], type[Exception], list[str]]] = {
    "jit": (lambda: anabranch.jit(model), anabranch.ShapeError, MODEL),
    "grad": (lambda: anabranch.grad(model), anabranch.ShapeError, MODEL),
    "nested": (
        lambda: anabranch.grad(anabranch.jit(anabranch.jit(model))),
        anabranch.ShapeError,
        MODEL,
    ),
    "make_ir": (lambda: anabranch.make_ir(model), anabranch.ShapeError, MODEL),
    "vjp": (
        lambda: lambda x: anabranch.vjp(model, x),
        anabranch.ShapeError,
        ["caught", "<lambda>", "model", "layer"],
    ),
    "check_grads": (
        lambda: lambda x: anabranch.check_grads(model, (x,)),
        anabranch.ShapeError,
        ["caught", "<lambda>", "model", "layer"],
    ),
    "a generator": (
        lambda: anabranch.jit(from_a_generator),
        anabranch.ShapeError,
        ["caught", "from_a_generator", "steps"],
    ),
    "no model at all": (
        lambda: anabranch.grad(lambda x: x),
        anabranch.GradientError,
        ["caught"],
    ),
    "an argument": (
        lambda: lambda x: anabranch.jit(model)(object()),
        anabranch.ArgumentError,
        ["caught", "<lambda>"],
    ),
    "nothing compiled": (
        lambda: lambda x: anabranch.jit(model).inspect_asm(),
        anabranch.ArgumentError,
        ["caught", "<lambda>"],
    ),
    "a cotangent": (
        lambda: lambda x: anabranch.vjp(np.tanh, x)[1](np.ones(5)),
        anabranch.ArgumentError,
        ["caught", "<lambda>"],
    ),
    "the interpreter": (
        lambda: anabranch.jit(lambda x: x[x.astype(int) + 20], backend="reference"),
        anabranch.BoundsError,
        ["caught"],
    ),
    "a kernel": (
        lambda: anabranch.jit(lambda x: x[x.astype(int) + 20]),
        anabranch.BoundsError,
        ["caught"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_frames_are_the_users(case: str) -> None:
    make, kind, expected = CASES[case]
    error = caught(make(), X)
    assert type(error) is kind
    assert names(error.__traceback__) == expected
    assert not hasattr(error, "__notes__")


def test_each_call_of_a_kind_that_is_known_as_well() -> None:
    """On the fast path and beside it."""
    take = anabranch.jit(lambda x, i: x[i])
    for _ in range(4):
        take(X, 3)
        assert names(caught(take, X, 12).__traceback__) == ["caught"]


def test_numpys_frames_go_where_they_call_us_and_stay_elsewhere() -> None:
    def on_traced(x):
        return np.sum(np.stack([x, np.ones(5)]))

    def on_plain(x):
        return x + np.linalg.inv(np.zeros((2, 2)))

    error = caught(anabranch.jit(on_traced), X)
    assert names(error.__traceback__) == ["caught", "on_traced"]
    error = caught(anabranch.jit(on_plain), X)
    assert isinstance(error, np.linalg.LinAlgError)
    shown = names(error.__traceback__)
    assert shown[:3] == ["caught", "on_plain", "inv"]


def test_all_frames_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANABRANCH_TRACEBACK", "full")
    error = caught(anabranch.grad(model), X)
    assert "trace_program" in names(error.__traceback__)
    assert len(names(error.__traceback__)) > 8


def test_a_wrong_value_is_said_and_counts_as_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANABRANCH_TRACEBACK", "long")
    with pytest.warns(RuntimeWarning, match="ANABRANCH_TRACEBACK='long' is ignored"):
        error = caught(anabranch.grad(model), X)
    assert names(error.__traceback__) == MODEL


def test_a_warning_never_takes_the_place_of_the_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ANABRANCH_TRACEBACK", "long")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error = caught(anabranch.grad(model), X)
    assert type(error) is anabranch.ShapeError


def test_causes_and_contexts_stay_and_are_shortened() -> None:
    class OfTheUser(Exception):
        """Raised by a model."""

    raised: list[Exception] = []

    def chained(x):
        try:
            layer(x)
        except ValueError as error:
            raised.append(OfTheUser("because"))
            raise raised[0] from error

    def during(x):
        try:
            layer(x)
        except ValueError:
            return {}["of the user"]

    error = caught(anabranch.grad(chained), X)
    assert error is raised[0]
    assert names(error.__traceback__) == ["caught", "chained"]
    assert type(error.__cause__) is anabranch.ShapeError
    assert names(error.__cause__.__traceback__) == ["chained", "layer"]
    error = caught(anabranch.grad(during), X)
    assert type(error) is KeyError
    assert type(error.__context__) is anabranch.ShapeError
    assert not error.__suppress_context__
    assert names(error.__context__.__traceback__) == ["during", "layer"]


def test_the_old_traceback_is_left_alone() -> None:
    """A handler inside the model may hold it."""
    held: list[TracebackType | None] = []

    def handling(x):
        try:
            return layer(x)
        except ValueError:
            held.append(sys.exc_info()[2])
            raise

    caught(anabranch.grad(anabranch.jit(handling, rewrite=False)), X)
    shown = names(held[0])
    assert shown[:2] == ["handling", "layer"]
    assert "apply" in shown


def test_a_circle_of_contexts_ends() -> None:
    def circular(x):
        first, second = ValueError("1"), ValueError("2")
        first.__cause__, second.__cause__ = second, first
        raise first

    error = caught(anabranch.jit(circular), X)
    assert names(error.__traceback__) == ["caught", "circular"]


def test_a_fault_of_ours_says_how_to_see_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, though it leaves two entries."""

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise KeyError("of ours")

    monkeypatch.setattr(function, "trace_program", broken)
    monkeypatch.setitem(broken.__globals__, "__name__", "anabranch.broken")
    error = caught(anabranch.make_ir(model), X)
    monkeypatch.undo()
    assert error.__notes__ == [NOTE]
    assert type(error) is KeyError


def test_what_leaves_a_model_is_no_fault_of_ours() -> None:
    def failing(x):
        raise KeyError("of the user")

    assert not hasattr(caught(anabranch.jit(failing), X), "__notes__")


def test_interrupts_keep_all_frames() -> None:
    """Where a compilation was interrupted is what one wants to know."""

    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as info:
        anabranch.jit(interrupted)(X)
    assert "trace_program" in names(info.value.__traceback__)


def test_a_debugger_finds_the_frames() -> None:
    """The entries are Python's own: frames, line numbers and instructions fit."""
    error = caught(anabranch.grad(anabranch.jit(model, rewrite=False)), X)
    last = error.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    assert last is not None
    assert last.tb_frame.f_code is layer.__code__
    assert last.tb_lineno == layer.__code__.co_firstlineno + 1
    text = "".join(traceback.format_exception(error))
    assert "return x.reshape(3, 7)" in text
