"""Loops that ask for an entry or an attribute which their first turn makes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import anabranch

X = np.array([0.5, -1.0, 2.0])


class Momentum:
    def __init__(self) -> None:
        self.of: dict[str, Any] = {}
        self.count = 0

    def step(self, params, gradients):
        self.count += 1
        for name, g in gradients.items():
            self.of[name] = 0.9 * self.of.get(name, 0.0) + g
            params[name] = params[name] - 0.1 * self.of[name] / (1 - 0.5**self.count)


def get_with_a_default(x):
    optimizer, params = Momentum(), {"w": x, "b": x[0]}
    for _ in range(12):
        optimizer.step(params, {"w": params["w"] * 2, "b": np.sin(params["b"])})
    return params["w"], params["b"]


def is_a_member(x):
    seen = {}
    for i in range(12):
        seen["a"] = seen["a"] * 0.9 + np.sin(x * i) if "a" in seen else np.cos(x)
    return seen["a"]


def has_an_attribute(x):
    state = SimpleNamespace()
    for i in range(12):
        if not hasattr(state, "sum"):
            state.sum = np.zeros_like(x)
        state.sum = state.sum + np.sin(x + i)
    return state.sum


def an_attribute_or_a_default(x):
    state = SimpleNamespace()
    for i in range(12):
        state.sum = 0.9 * getattr(state, "sum", 1.0) + np.sin(x * i)
    return state.sum


def how_many_there_are(x):
    found = {}
    for _ in range(12):
        x = x * 0.99 + len(found) * np.sin(x)
        found["x"] = x
    return found["x"]


def what_is_caught(x):
    found = {}
    for i in range(12):
        try:
            last = found["last"]
        except KeyError:
            last = x * 5
        found["last"] = 0.9 * last + np.sin(x * i)
    return found["last"]


def in_a_loop_of_loops(x):
    total = 0.0
    for j in range(11):
        found = {}
        for i in range(12):
            found["t"] = found.get("t", 0.0) * 0.5 + np.sin(x * i + j)
        total = total + found["t"]
    return total


def made_before_it_is_asked_for(x):
    state = SimpleNamespace()
    for i in range(12):
        state.half = np.sin(x) * i
        x = x + 0.1 * np.cos(state.half)
    return x, state.half


@pytest.mark.parametrize(
    "function",
    [
        get_with_a_default,
        is_a_member,
        has_an_attribute,
        an_attribute_or_a_default,
        how_many_there_are,
        what_is_caught,
        in_a_loop_of_loops,
        made_before_it_is_asked_for,
    ],
)
def test_the_other_turns_find_it(
    function: Callable[..., Any], as_a_loop: Callable[..., None]
):
    as_a_loop(lambda x: np.sum(np.hstack(function(x)) ** 2), (X,))


def test_a_while_that_asks_for_it_says_what_to_do():
    def settles(x):
        found = {}
        while np.abs(x) > 0.01:
            x = x * 0.5 + 0.1 * found.get("last", 0.0)
            found["last"] = x
        return x

    with pytest.raises(anabranch.TraceError) as caught:
        anabranch.jit(settles)(1.0)
    assert "['last'] is not there in its first turn: store one before the loop" in str(
        caught.value
    )
    assert "while np.abs(x) > 0.01" in str(caught.value)


def test_a_traced_bound_is_asked_for():
    def decayed(x, n):
        found = {}
        for i in range(n):
            found["sum"] = found.get("sum", 0.0) * 0.5 + np.sin(x * i)
        return found["sum"]

    compiled = anabranch.jit(decayed)
    for n in (1, 2, 30):
        np.testing.assert_allclose(compiled(X, n), decayed(X, n), rtol=1e-12)


def test_the_greatest_of_a_list_that_a_loop_filled():
    def highest(x):
        found = []
        for i in range(300):
            x = np.sin(x) + 0.01 * i
            found.append(x)
        return max(found)

    assert anabranch.jit(highest)(0.5) == pytest.approx(highest(0.5), rel=1e-12)


def made_in_one_branch(x):
    found, state, best = {}, SimpleNamespace(gone=1.0), None
    if x > 0:
        found["a"] = x
        state.a = x
        del state.gone
        best = x
    return found, state, best


def from_a_loop_without_turns(x):
    found = {}
    while x > 1:
        found["a"] = x
        x = x / 2
    return found, None, None


ASKED: dict[str, Callable[..., Any]] = {
    "len": lambda found, state, best: len(found),
    "in": lambda found, state, best: 1.0 if "a" in found else 2.0,
    "if": lambda found, state, best: 1.0 if found else 2.0,
    "for": lambda found, state, best: sum(1.0 for _ in found),
    "keys": lambda found, state, best: len(found.keys()),
    "list": lambda found, state, best: len(list(found)),
    "get": lambda found, state, best: found.get("a", 5.0) * 2,
}
ASKED_OF_BRANCHES: dict[str, Callable[..., Any]] = {
    "hasattr": lambda found, state, best: 1.0 if hasattr(state, "a") else 2.0,
    "deleted": lambda found, state, best: getattr(state, "gone", 5.0) * 2,
    "is": lambda found, state, best: 1.0 if best is None else 2.0,
    "is not": lambda found, state, best: 1.0 if best is not None else 2.0,
    "isinstance": lambda found, state, best: 1.0 if isinstance(best, float) else 2.0,
    "type": lambda found, state, best: 1.0 if type(best) is float else 2.0,
}


@pytest.mark.parametrize("question", [*ASKED, *ASKED_OF_BRANCHES])
def test_what_one_branch_made_may_not_be_there(question: str):
    asks = (ASKED | ASKED_OF_BRANCHES)[question]
    with pytest.raises(anabranch.TraceError) as caught:
        anabranch.jit(lambda x: asks(*made_in_one_branch(x)))(1.0)
    one_way, structure = "has a value on one way of an 'if' only", "another structure"
    assert one_way in str(caught.value) or structure in str(caught.value)
    assert "if x > 0" in str(caught.value)


@pytest.mark.parametrize(
    "question", [question for question in ASKED if question != "get"]
)
def test_what_a_loop_without_turns_did_not_make(question: str):
    said = "whether it is there is asked, and that only running tells:"
    with pytest.raises(anabranch.TraceError, match=rf"{said} .*'a'"):
        anabranch.jit(lambda x: ASKED[question](*from_a_loop_without_turns(x)))(3.0)


def test_what_is_there_on_both_ways_is_there(as_python: Callable[..., None]):
    def both(x):
        found = {"b": 1.0}
        if x > 0:
            found["a"] = x
        else:
            found["a"] = -x
            found["b"] = x
        none = x if "c" in found else None
        return len(found), "a" in found, found, none is None

    as_python(both, (1.0,), (-1.0,))


@pytest.mark.usefixtures("forced")
def test_a_list_of_what_no_turn_changes_is_plain_python():
    def repeated(x):
        held = [x[0], 0.5]
        return [held[0] for _ in x]

    assert anabranch.jit(repeated)(X) == repeated(X)
