"""Refusals that few programs meet: what is said, where, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import anabranch as ab
from anabranch import jit

X = np.array([0.5, 1.5, -2.0])
IMAGE = np.ones((1, 1, 4, 4))
KEY = ab.random.key(0)


class Case(NamedTuple):
    """A program, its argument, and what the error has to have in it."""

    function: Callable[..., Any]
    given: Any
    error: type[Exception]
    message: str
    line: str
    hint: str


CASES: list[Case] = []


def case(
    error: type[Exception], message: str, line: str, hint: str = "", given: Any = X
) -> Callable[[Any], Any]:
    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES.append(Case(function, given, error, message, line, hint))
        return function

    return add


# Loops.


@case(
    ab.ConcretizationError,
    "needs the value of a traced array",
    "return x if x[0] > 0 else -x",
    "jumps_out_of_finally was not rewritten: it jumps out of a finally block",
)
def jumps_out_of_finally(x):
    for _ in range(3):
        try:
            x = x * 2
        finally:
            break  # noqa: B012
    return x if x[0] > 0 else -x


@case(
    ab.ConcretizationError,
    "needs the value of a traced array",
    "return x if x[0] > 0 else -x",
    "looks_at_its_frame was not rewritten: it calls locals()",
)
def looks_at_its_frame(x):
    locals()
    return x if x[0] > 0 else -x


@case(
    ab.ArgumentError,
    "checkpointed: nothing says what the turns over a set are",
    "for v in ab.checkpointed({1.0, 2.0})",
    "go over a range, an array, enumerate, zip or reversed of these",
)
def checkpoints_over_a_set(x):
    for v in ab.checkpointed({1.0, 2.0}):
        x = x * v
    return x


@case(
    ab.ArgumentError,
    "scan: length=-1 is negative",
    "ab.scan(lambda c, _: (c * 2, c), x, None, length=-1)",
)
def scan_of_less_than_nothing(x):
    return ab.scan(lambda c, _: (c * 2, c), x, None, length=-1)


@case(
    ab.ArgumentError,
    "while_loop: max_trips=0 is below 1",
    "ab.while_loop(lambda c: c[0] < 1, lambda c: c + 1, x, max_trips=0)",
)
def while_of_no_turns(x):
    return ab.while_loop(lambda c: c[0] < 1, lambda c: c + 1, x, max_trips=0)


# Branches.


@case(ab.ArgumentError, "switch: there are no branches", "ab.switch(i, [], x)")
def switch_without_branches(x):
    i = x.astype(int)[0]
    return ab.switch(i, [], x)


# Stores.


@case(
    ab.TraceError,
    "cannot write float64 into an array of int64",
    "y += x",
)
def stores_another_kind(x):
    y = np.zeros(3, np.int64)
    y += x
    return y


@case(
    ab.TraceError,
    "cannot write complex128 into an array of float64",
    "y[x > 0] += 1j",
    "x = x.astype(np.complex128)",
)
def adds_complex_numbers_where_a_mask_is(x):
    y = x * 1.0
    y[x > 0] += 1j
    return y


@case(
    ab.TraceError,
    "cannot write float64 into an array of int64",
    "y[x > 0] /= 2",
)
def divides_integers_where_a_mask_is(x):
    y = x.astype(np.int64)
    y[x > 0] /= 2
    return y


@case(
    ab.TraceError,
    "cannot write complex128 into an array of float64",
    "row -= 1j",
)
def takes_complex_numbers_from_a_row(x):
    y = np.stack([x, x])
    for row in y:
        row -= 1j
    return y


@case(
    ab.TraceError,
    "the body of scan writes into an array of the function around it",
    "y[0] = c",
    "return the new value instead, or copy the array first",
)
def scan_that_writes_outside(x):
    y = np.zeros(3)

    def body(c, _):
        y[0] = c
        return c * 2, c

    ab.scan(body, x[0], None, length=3)
    return y


# Sizes that only values tell.


@case(
    ab.TraceError,
    "indexing with a traced mask has a result of unknown shape",
    'f"{x[x > 0]:.2f}"',
    "reduce it",
)
def formats_a_selection(x):
    return f"{x[x > 0]:.2f}"


@case(
    ab.ConcretizationError,
    "the size of a slice depends on a traced value",
    'f"{x[:n]:.2f}"',
    "make the argument static",
)
def formats_a_slice(x):
    n = x.astype(int)[0]
    return f"{x[:n]:.2f}"


@case(
    ab.ConcretizationError,
    "the size of a slice depends on a traced value",
    "return list(x[:n])",
    "make the argument static",
)
def lists_a_slice(x):
    n = x.astype(int)[0]
    return list(x[:n])


@case(
    ab.ConcretizationError,
    "the size of a slice depends on a traced value",
    "return x[:n].strides",
    "make the argument static",
)
def asks_a_slice_for_its_strides(x):
    n = x.astype(int)[0]
    return x[:n].strides


# Functions of arrays.


@case(ab.ShapeError, "are not [N, C, L] and [O, C, K], nor", "return ab.conv(x, x)")
def convolves_vectors(x):
    return ab.conv(x, x)


@case(ab.ShapeError, "pooling: (3,) is not [N, C, L] or", "return ab.max_pool(x, 2)")
def pools_a_vector(x):
    return ab.max_pool(x, 2)


@case(
    ab.ArgumentError,
    "stride=(1, 2, 3) should be 2 non-negative integers",
    "return ab.max_pool(x, 2, stride=(1, 2, 3))",
    given=IMAGE,
)
def pools_by_three_strides(x):
    return ab.max_pool(x, 2, stride=(1, 2, 3))


@case(
    ab.ArgumentError,
    "padding='full' is neither 'same' nor 'valid'",
    'return ab.conv(x, np.ones((1, 1, 2, 2)), padding="full")',
    given=IMAGE,
)
def pads_in_full(x):
    return ab.conv(x, np.ones((1, 1, 2, 2)), padding="full")


@case(
    ab.ShapeError,
    "vectorize: [(3,)] have fewer axes than the signature",
    "return sums(x)",
)
def vectorizes_over_too_many_axes(x):
    sums = np.vectorize(np.sum, signature="(n,m)->()")
    return sums(x)


# Random numbers.


@case(
    ab.ArgumentError,
    "a key is uint32[2], not float64[3]",
    "return ab.random.normal(x)",
    "anabranch.random.key(seed) makes one",
)
def draws_without_a_key(x):
    return ab.random.normal(x)


@case(
    ab.ArgumentError,
    "random numbers are float32 or float64, not int32",
    "return ab.random.normal(key, dtype=np.int32)",
    given=KEY,
)
def draws_normal_integers(key):
    return ab.random.normal(key, dtype=np.int32)


@case(
    ab.ArgumentError,
    "bits are uint32 or uint64, not int32",
    "return ab.random.bits(key, dtype=np.int32)",
    given=KEY,
)
def draws_signed_bits(key):
    return ab.random.bits(key, dtype=np.int32)


@case(
    ab.ArgumentError,
    "p has the shape (3,), for 5 entries",
    "return ab.random.choice(key, 5, p=np.ones(3) / 3)",
    given=KEY,
)
def chooses_by_too_few_chances(key):
    return ab.random.choice(key, 5, p=np.ones(3) / 3)


@pytest.mark.parametrize("one", CASES, ids=[one.function.__name__ for one in CASES])
def test_refused(one: Case) -> None:
    with pytest.raises(one.error) as raised:
        jit(one.function)(one.given)
    text = str(raised.value)
    assert one.message in text
    assert f"{__file__}:" in text
    assert one.line in text
    assert one.hint in text


# What has no line: the call itself is wrong.


def stores(x, y):
    x[0] = 1.0
    return (x * y).sum()


def test_arguments_that_cannot_be_written() -> None:
    fixed = X.copy()
    fixed.flags.writeable = False
    with pytest.raises(ab.ArgumentError, match="into an argument that is read-only"):
        jit(stores)(fixed, X)
    both = np.zeros(6)
    for one, other in ((both, both), (both[:4], both[2:])):
        with pytest.raises(ab.ArgumentError, match="shares memory with another") as e:
            jit(lambda x, y: stores(x, y.sum()))(one, other)
        assert "pass a copy" in str(e.value)


def test_a_loss_without_its_other_values() -> None:
    def loss(x):
        return x.sum()

    message = r"loss with has_aux=True should return \(result, aux\)"
    with pytest.raises(ab.GradientError, match=message):
        ab.grad(loss, has_aux=True)(X)


def test_what_is_as_in_python() -> None:
    """Errors that Python and NumPy raise of the same program, in their words."""
    cases: list[tuple[Callable[[Any], Any], type[Exception], str]] = [
        (lambda x: list(x[0]), TypeError, "iteration over a 0-d array"),
        (lambda x: len(x[0]), TypeError, r"len\(\) of unsized object"),
        (lambda x: x.item(), ValueError, "can only convert an array of size 1"),
        (lambda x: x.to_device("gpu"), ValueError, "'cpu'"),
        (lambda x: len(ab.checkpointed(iter([x]))), TypeError, "has no length"),
    ]
    for function, error, message in cases:
        with pytest.raises(error, match=message):
            jit(function)(X)

    def step(x, n):
        for i in range(0, n, 0):
            x = x * i
        return x

    with pytest.raises(ValueError, match=r"range\(\) arg 3 must not be zero"):
        jit(step)(X, 3)
    with pytest.raises(ValueError, match="`vectorize` on size 0 inputs"):
        jit(lambda x: np.vectorize(lambda v: v * 2)(x[:0]))(X)


def test_stages_and_passes_by_wrong_names() -> None:
    compiled = jit(lambda x: x * 2)
    compiled(X)
    with pytest.raises(ab.ArgumentError, match="no stage is called 'nothing'") as e:
        compiled.inspect_ir("nothing")
    assert "one of forward, adjoint, optimised, plan" in str(e.value)
