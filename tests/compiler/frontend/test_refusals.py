"""What is left out says so, with the line and what to do."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.compiler.frontend import control

X = np.array([0.5, 1.5, -2.0])
OUTSIDE = np.ones(3)
CASES: list[tuple[Callable[..., Any], type[Exception], str, str]] = []


def case(error: type[Exception], message: str, line: str) -> Callable[[Any], Any]:
    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append((function, error, message, line))
        return function

    return add


@case(anabranch.ConcretizationError, "cannot be one loop: .* shape", "while s > 1")
def traced_while_of_another_shape(x):
    s = x.sum()
    while s > 1:
        s = s / 2
        x = np.concatenate([x, x])
    return x


@case(anabranch.ConcretizationError, "cannot be one loop: .* structure", "while s > 1")
def traced_while_of_another_structure(x):
    s = x.sum()
    while s > 1:
        s = s / 2
        x = (x, s)
    return x


@case(anabranch.ConcretizationError, "cannot be one loop: .* dtype", "while s > 1")
def traced_while_of_another_dtype(x):
    s, x = x.sum(), x.astype(np.float32)
    while s > 1:
        s = s / 2
        x = x * np.float64(s)
    return x


@case(anabranch.ConcretizationError, "cannot be one loop: .* no array", "while s > 1")
def traced_while_of_texts(x):
    s, name = x.sum(), "a"
    while s > 1:
        s = s / 2
        name = "b"
    return x * len(name)


@case(anabranch.ConcretizationError, "one loop: .* value of a traced", "while s > 1")
def traced_while_that_asks_for_a_value(x):
    s = x.sum()
    while s > 1:
        s = s / 2 * len([0.0] * round(s))
    return x * s


@case(anabranch.ConcretizationError, "x has a size that follows", "while s > 1")
def traced_while_of_sizes(x):
    s = x.sum()
    while s > 1:
        s = s / 2
        x = x[: round(s)]
    return x


@case(anabranch.ConcretizationError, "key of a dict", "return {x[0]: 1.0}")
def traced_key(x):
    return {x[0]: 1.0}


@case(anabranch.TraceError, "real array", "np.multiply(x")
def traced_value_into_a_real_array(x):
    np.multiply(x, 2.0, out=OUTSIDE)
    return x


@case(anabranch.ConcretizationError, "one loop: .* structure", "for i in range(n)")
def traced_count(x):
    n = x.astype(int)[0]
    y = x
    for i in range(n):
        y = (y, i)
    return x


@case(anabranch.ConcretizationError, "static_argnames", "return list(range(")
def list_of_a_traced_count(x):
    return list(range(x.astype(int)[0]))


@case(anabranch.TraceError, "'try' or 'with'.*: large", 'raise ValueError("large")')
def raising_under_a_handler(x):
    try:
        if x[0] > 100:
            raise ValueError("large")
    except ValueError:
        return x
    return x * 2


@case(anabranch.TraceError, "'try' or 'with'.*: large", 'raise ValueError("large")')
def raising_under_a_manager(x):
    def inner():
        if x[0] > 100:
            raise ValueError("large")

    with contextlib.suppress(ValueError):
        inner()
    return x * 2


@case(anabranch.TraceError, "returns nothing", "if x[0] > 100")
def raising_without_a_result(x):
    if x[0] > 100:
        raise ValueError("large")


@case(anabranch.TraceError, "y has another structure", "if x[0] > 0")
def other_structure(x):
    y = x
    if x[0] > 0:
        y = (x, x)
    return y[0]


@case(anabranch.TraceError, "the result has another structure", "if x[0] > 0")
def other_result(x):
    if x[0] > 0:
        return None
    return x


@case(anabranch.TraceError, "without a common type", "if x[0] > 0")
def other_shape(x):
    y = x[:2]
    if x[0] > 0:
        y = x
    return y.sum()


@case(anabranch.TraceError, "a list is changed in one branch", "if x[0] > 0")
def list_that_grows(x):
    found = []
    if x[0] > 0:
        found.append(x[0])
    return found


@case(anabranch.TraceError, "a list is changed in one branch", "if x[0] > 0")
def list_of_a_list_that_grows(x):
    rows = [[x[0]], [x[1]]]
    first = rows[0]
    if x[0] > 0:
        first.append(x[2])
        rows = [first]
    else:
        rows = [[x[0], x[1]]]
    return rows


@case(anabranch.TraceError, "this list changes while another", "kept[0] = x[1]")
def list_that_may_be_another(x):
    kept, best = [x[0]], [x[1]]
    if x[0] > 0:
        best = kept
    kept[0] = x[1]
    return best


@case(anabranch.TraceError, "this list changes while another", "best[0] = x[1]")
def list_that_is_one_of_two(x):
    one, two = [x[0]], [x[1]]
    best = one if x[0] > 0 else two
    best[0] = x[1]
    return one, two


@case(anabranch.TraceError, "this dict changes while another", 'b["k"] = x[1]')
def dicts_that_may_be_one(x):
    if x[0] > 0:
        a = b = {"k": x[1]}
    else:
        a, b = {"k": x[1]}, {"k": x[2]}
    b["k"] = x[1]
    return a


@case(anabranch.TraceError, "not made while tracing", "OUTSIDE[0] = x[1]")
def store_outside(x):
    OUTSIDE[0] = x[1]
    return x


@case(anabranch.TraceError, "60 branches", "if v > 0")
def endless_recursion(x):
    def again(v):
        if v > 0:
            return again(v - 1)
        return v

    return again(x[0])


@case(anabranch.TraceError, "unknown shape", "return x[x > 0]")
def traced_mask(x):
    return x[x > 0]


@pytest.mark.parametrize(
    ("function", "error", "message", "line"), CASES, ids=[c[0].__name__ for c in CASES]
)
def test_refused(function, error, message, line):
    before = OUTSIDE.copy()
    with pytest.raises(error, match=message) as raised:
        anabranch.jit(function)(X)
    assert line in str(raised.value)
    assert __file__ in str(raised.value)
    np.testing.assert_array_equal(OUTSIDE, before)


def test_a_variable_without_a_value_is_an_error_where_it_is_read(backend):
    def late(x):
        if x[0] > 0:
            y = x * 2
        return y + 1  # pyright: ignore[reportPossiblyUnboundVariable]

    compiled = anabranch.jit(late, backend=backend)
    np.testing.assert_array_equal(compiled(X), X * 2 + 1)
    with pytest.raises(anabranch.UnboundError, match="y has no value") as raised:
        compiled(-X)
    assert isinstance(raised.value, UnboundLocalError)
    assert "return y + 1" in str(raised.value)


def test_a_loop_that_may_end_is_not_endless(monkeypatch):
    monkeypatch.setattr(control, "MAX_MAYBE", 3)

    def function(x):
        for i in itertools.count():
            x = x * 2 + i
            if x[0] > 100:
                break
        return x

    with pytest.raises(anabranch.ConcretizationError, match="more than 3") as raised:
        anabranch.jit(function)(X)
    assert "for i in itertools.count()" in str(raised.value)


def test_a_list_of_the_branch_itself_may_grow():
    def local(x):
        if x[0] > 0:
            found = []
            for v in x:
                found.append(v * 2)  # noqa: PERF401
            return np.array(found)
        return x

    np.testing.assert_array_equal(anabranch.jit(local)(X), X * 2)
    np.testing.assert_array_equal(anabranch.jit(local)(-X), -X)


def test_what_a_branch_changed_is_undone_by_an_error():
    kept: dict[str, Any] = {"a": 1.0}

    def failing(x):
        if x[0] > 0:
            kept["a"] = x[0]
            kept["b"] = x.reshape(7)
        return x

    with pytest.raises(anabranch.ShapeError):
        anabranch.jit(failing)(X)
    assert kept == {"a": 1.0}


def test_as_it_is_on_request():
    def choose(x):
        return x if x[0] > 0 else -x

    as_it_is = anabranch.jit(choose, rewrite=False)
    with pytest.raises(anabranch.ConcretizationError, match=r"np\.where"):
        as_it_is(X)
    with pytest.raises(anabranch.ConcretizationError, match=r"np\.where"):
        anabranch.jit(as_it_is)(X)
    np.testing.assert_array_equal(anabranch.jit(choose)(-X), X)
