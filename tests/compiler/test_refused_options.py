"""Calls of our own functions that are refused: the words, the line, what to do."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch import ArgumentError, GradientError, ShapeError, TraceError
from anabranch.compiler.lower.page.facts import facts_of
from anabranch.compiler.pipeline import run_passes

X = np.array([0.5, 1.5, -2.0])
M = np.arange(6.0).reshape(2, 3) + 0.5
Call = Callable[[], Any]


@ab.custom_vjp
def squares(x: Any) -> Any:
    return x["a"] ** 2


squares.defvjp(lambda x: (x["a"] ** 2, x), lambda x, g: ({"b": g},))


@ab.custom_vjp
def sums(x: Any) -> Any:
    return x * x


sums.defvjp(lambda x: (x * x, x), lambda x, g: (np.sum(g),))


@ab.custom_jvp
def doubled(x: Any) -> Any:
    return 2 * x, x


doubled.defjvp(lambda xs, dots: ((2 * xs[0], xs[0]), (dots[0],)))


def factorial(x: Any) -> Any:
    return 1.0 if x < 1 else x * factorial(x - 1)


def called(function: Callable[[Any], Any], **options: Any) -> Any:
    made = ab.jit(function, **options)
    made(X)
    return made


def jitted(function: Callable[[Any], Any], given: Any = X) -> Call:
    return lambda: ab.jit(function)(given)


def grad_of_sum(function: Callable[[Any], Any]) -> Call:
    return lambda: ab.grad(lambda x: np.sum(function(x)))(X)


def half(x: Any) -> Any:
    return x / 2


def pair(x: Any) -> Any:
    return x[:2], x[2]


def changes_in_one_branch(x: Any) -> Any:
    items = [x[0]]
    both = items, items
    if x[0] > 0:
        items.append(x[1])
    return both[0][0]


of_ours: Any = ab
NO_FUNCTIONS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: of_ours.scan(3, x, None, length=2), "scan: not a function: 3"),
    (lambda x: of_ours.map("f", x), "map: not a function: 'f'"),
    (lambda x: of_ours.fori_loop(0, 3, None, x), "fori_loop: not a function: None"),
    (lambda x: of_ours.while_loop(True, half, x), "while_loop: not a function: True"),
    (lambda x: of_ours.cond(x[0] > 0, half, 1, x), "cond: not a function: 1"),
    (lambda x: of_ours.switch(0, [half, 2], x), "switch: not a function: 2"),
    (lambda x: of_ours.custom_vjp(3)(x), "custom_vjp: not a function: 3"),
    (lambda x: of_ours.custom_jvp(3)(x), "custom_jvp: not a function: 3"),
    (lambda x: of_ours.checkpoint(3)(x), "not a function: 3"),
]
WHEN_MADE: list[tuple[Call, type[Exception], str, str]] = [
    (
        lambda: ab.grad(np.sum, argnums=1.5)(X),  # type: ignore[arg-type]
        ArgumentError,
        "argnums=1.5 is no position or name of an argument, nor several",
        "",
    ),
    (
        lambda: ab.jit(np.sum, static_argnums=1.5)(X),  # type: ignore[arg-type]
        ArgumentError,
        "static_argnums=1.5 is no position or name of an argument, nor several",
        "",
    ),
    (
        lambda: ab.sparse_jacobian(np.sin, 0.5)(X),  # type: ignore[arg-type]
        ArgumentError,
        "argnums=0.5 is no position or name of an argument, nor several",
        "",
    ),
    (
        lambda: ab.check_grads(np.sum, (np.arange(3),)),
        ArgumentError,
        "no argument is of floats: there is nothing to check",
        "x.astype(float)",
    ),
    (
        lambda: ab.grad(np.sum, memory_limit="1MB", backend="reference")(X),
        ArgumentError,
        "reference plans no memory, and so takes no memory_limit",
        'backend="llvm"',
    ),
    (
        lambda: ab.checkpoint(np.sin, policy=("madd",)),
        ArgumentError,
        "checkpoint: no op is called 'madd'",
        '"products"',
    ),
    (
        lambda: ab.checkpointed(range(9), every=0),
        ArgumentError,
        "a segment of a loop has at least 1 turn, not 0",
        "",
    ),
    (
        lambda: ab.custom_jvp(np.dot, nondiff_argnums=(0,)).defjvps(None, None),
        ArgumentError,
        "defjvps: it has a rule for each argument, and nondiff_argnums says that some "
        "have none",
        "leave nondiff_argnums out",
    ),
    (
        lambda: of_ours.spec(3),
        ab.ParseError,
        "not a type: '3'",
        "write it as f64[8,4]",
    ),
]

CASES: list[tuple[Call, type[Exception], str, str]] = [
    # Derivatives.
    (
        lambda: ab.grad(lambda x, n: np.sum(x) * n, 1, static_argnums=1)(X, 2),
        GradientError,
        "n is static, and has no gradient",
        "keep it out of the arguments that argnums names",
    ),
    (
        lambda: ab.grad(pair)(X),
        GradientError,
        "pair returns a tuple, not one scalar",
        "return the loss alone",
    ),
    (
        lambda: ab.divergence(pair)(X),
        GradientError,
        ": a divergence is of one array by one of the same shape",
        "pass the coordinates as one array",
    ),
    (
        lambda: ab.check_grads(np.sum, (X,), modes="reverse"),  # type: ignore[arg-type]
        ArgumentError,
        "modes='reverse' are not some of",
        "",
    ),
    (
        lambda: ab.vmap(np.dot)(X, X[:2]),
        ArgumentError,
        "has 2 along axis 0: not one number of examples",
        "",
    ),
    (
        lambda: ab.vectorize(lambda x: x, signature="(n)->()")(M),
        ShapeError,
        "vectorize: result 0 has 1 axes, not ()",
        "",
    ),
    # Rules.
    (
        grad_of_sum(lambda x: squares({"a": x})),
        TraceError,
        "returns as cotangent of argument 0 {'b': *}, and the argument is {'a': *}",
        "",
    ),
    (
        grad_of_sum(sums),
        TraceError,
        "returns as a cotangent of f64[3] ",
        "sum over what was broadcast",
    ),
    (
        lambda: ab.jvp(doubled, (X,), (X,)),
        TraceError,
        "returns as tangent (*,), and the value is (*, *)",
        "",
    ),
    # Loops and branches.
    (
        jitted(lambda x: ab.scan(lambda c, v: (c, v), 0.0, x[0])),
        ArgumentError,
        "a value of xs has no axis to go along",
        "",
    ),
    (
        jitted(lambda x: ab.scan(lambda c, v: (c, v), 0.0, x, length=2)),
        ArgumentError,
        "scan: xs and length should have one size, but there are: 2, 3",
        "without xs, give length",
    ),
    (
        jitted(lambda x: ab.scan(lambda c, v: c, 0.0, x)),
        TraceError,
        "the body of scan returned an array, not a pair",
        "return carry, y",
    ),
    (
        jitted(lambda x: ab.cond(x[0] > 0, lambda: x, lambda: x[:2])),
        TraceError,
        "the branches of cond return",
        "return the same structure, shapes and dtypes from both",
    ),
    (
        jitted(factorial, 3.0),
        TraceError,
        "branches on traced values inside of each other: a function that calls itself "
        "does not end while both ways are traced",
        "let the recursion end on a value that is known",
    ),
    *(
        (jitted(lambda x, call=call: call(x)), ArgumentError, said, "")
        for call, said in NO_FUNCTIONS
    ),
    (
        jitted(lambda x: ab.switch(x.astype(int)[0], 3, x)),  # type: ignore[arg-type]
        ArgumentError,
        "switch: the branches are no list: 3",
        "",
    ),
    (
        jitted(lambda x: ab.max_pool(x[None, None], 1.5)),  # type: ignore[arg-type]
        ArgumentError,
        "size=1.5 should be 1 non-negative integers",
        "",
    ),
    # Calls.
    (
        lambda: ab.jit(lambda x: x * 2)(X, out=3.0),
        ArgumentError,
        "out has a float, not an array",
        "",
    ),
    (
        lambda: ab.root(half, "text"),
        ArgumentError,
        "the x0 of root is a str, not an array or a number",
        "",
    ),
    (
        jitted(lambda x: "text"),
        TraceError,
        "lambda returned a str: a str cannot take part in a traced expression",
        "return arrays and numbers, alone or in tuples, lists and dicts",
    ),
    (
        jitted(lambda x: x.to_device("gpu")),
        ValueError,
        "the device is 'cpu', not 'gpu'",
        "",
    ),
    (
        jitted(lambda x: ab.avg_pool(x, 2)),
        ShapeError,
        "pooling: (3,) is not [N, C, L] or [N, C, H, W]",
        "",
    ),
    (
        jitted(lambda x: ab.callback(lambda v: (v, v), ab.spec("f64[3]"), x)),
        TraceError,
        "the callback <lambda> returned (*, *), not *",
        "",
    ),
    (
        jitted(lambda x: ab.scan(lambda c, v: ((c, c), v), 0.0, x)),
        TraceError,
        "scan carries *, and its body returns (*, *)",
        "return the same structure as was carried in",
    ),
    (
        jitted(lambda x: ab.scan(lambda c, v: (x, v), 0.0, x)),
        TraceError,
        "scan carries f64[], and its body returns f64[3]",
        "cast it with .astype",
    ),
    (
        lambda: called(half, backend="reference").inspect_asm(),
        ArgumentError,
        "the reference backend makes no code of its own for the processor",
        'backend="llvm"',
    ),
    (
        lambda: called(half, backend="reference").native(X),
        ArgumentError,
        "the backend reference makes no functions for native code",
        'backend="llvm"',
    ),
    (
        jitted(lambda x: x.sum() + np.busday_count(x, x)),
        ab.UnsupportedError,
        "lambda calls what has no lowering to IR:",
        "call it as it is by anabranch.callback",
    ),
    (
        jitted(lambda x: ab.callback(np.sum, ab.spec("f64[3]"), x)),
        TraceError,
        "returned an array of shape (), not (3,)",
        "result_types has to have the shapes that it returns",
    ),
]


@pytest.mark.parametrize(
    ("call", "kind", "message", "hint"),
    CASES,
    ids=[said[:60] for _, _, said, _ in CASES],
)
def test_refused(
    call: Call,
    kind: type[Exception],
    message: str,
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The text names a line of this file, or the traceback of users ends in it."""
    monkeypatch.delenv("ANABRANCH_TRACEBACK", raising=False)
    with pytest.raises(kind) as raised:
        call()
    error = raised.value
    assert message in str(error)
    assert hint in (getattr(error, "hint", None) or "")
    last = traceback.extract_tb(error.__traceback__)[-1].filename
    texts = [str(error), *getattr(error, "__notes__", [])]
    assert last == __file__ or any(f"{__file__}:" in text for text in texts)


@pytest.mark.parametrize(
    ("call", "kind", "message", "hint"),
    WHEN_MADE,
    ids=[said[:60] for _, _, said, _ in WHEN_MADE],
)
def test_refused_when_it_is_made(
    call: Call, kind: type[Exception], message: str, hint: str
) -> None:
    """Where a function is made of another: Python shows the line."""
    with pytest.raises(kind) as raised:
        call()
    assert message in str(raised.value)
    assert hint in (getattr(raised.value, "hint", None) or "")


def test_passes_and_functions_by_wrong_names() -> None:
    with pytest.raises(ArgumentError, match="no pass is called 'fould'"):
        run_passes(ab.make_ir(half)(X), ["fould"])
    with pytest.raises(ab.AnabranchError, match="none: no sample call works"):
        facts_of("np.none", lambda: None)


def test_a_list_that_changes_in_one_branch() -> None:
    with pytest.raises(TraceError, match="in one branch of an 'if' on a traced value"):
        ab.jit(changes_in_one_branch)(X)
