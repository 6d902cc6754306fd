"""Loops that stay loops: `scan`, `fori_loop`, `while_loop` and `map`.

The function of one iteration is traced into the body of one node, `loop`, so that the
graph and the time to compile it do not depend on the number of iterations. What the
function closes over is an invariant of the loop. The functions and the order of their
arguments are those of JAX. Outside of a traced function they are plain Python loops.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from ..ir.errors import ArgumentError, TraceError
from .body import loop_node, stable_body
from .cond import integer
from .intervals import most_trips
from .regions import check_functions
from .tracing.lowerings import lowers
from .tracing.running import active_trace, dtype_of, is_traced
from .tracing.trace import Trace
from .transforms.checkpointed import check_every
from .tree import flatten, leaf_type, unflatten

__all__ = ["fori_loop", "map", "scan", "while_loop"]

_SCAN, _FOR, _WHILE = "anabranch scan", "anabranch fori_loop", "anabranch while_loop"


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    checkpoint_every: int | None = None,
) -> tuple[Any, Any]:
    """Call ``carry, y = f(carry, x)`` for each x along the first axis of ``xs``.

    Args:
        f: A function of what is carried and of one element. It returns what is carried
            on, of the same structure, shapes and dtypes, and a result of this element.
        init: A pytree of arrays and numbers, carried into the first call. A Python
            number adapts its dtype to what ``f`` makes of it.
        xs: A pytree of arrays whose first axes have one size, or None.
        length: How many calls there are; needed where ``xs`` has no arrays.
        reverse: Go from the last element to the first. The results stay in the order
            of the elements.
        checkpoint_every: Have a gradient keep what every so many calls begin with, as
            `checkpointed` does, and not each of them.

    Returns:
        What the last call carried on, and the results of all calls, stacked along a new
        first axis.

    Raises:
        ArgumentError: Where the sizes differ or nothing says how many calls there are.
        TraceError: Where what is carried changes its structure, a shape or a dtype.

    >>> scan(lambda total, x: (total + x, total), 0.0, np.arange(1.0, 5.0))
    (np.float64(10.0), array([0., 1., 3., 6.]))
    """
    check_functions("scan", f)
    trips = _length(flatten(xs)[0], length)
    trace = active_trace()
    if trace is not None and checkpoint_every is not None:
        every = check_every(checkpoint_every)
        return _scan_in_segments(trace, f, init, xs, trips, reverse, every)
    if trace is not None:
        return trace.apply(_SCAN, (f, init, xs, trips, reverse), {})
    if trips == 0:
        from .api import jit  # traces f once, for it is not called

        return jit(lambda init, xs: scan(f, init, xs, 0))(init, xs)
    leaves, structure = flatten(xs)
    made: list[Any] = [None] * trips
    carry = init
    for t in reversed(range(trips)) if reverse else range(trips):
        carry, made[t] = f(carry, unflatten(structure, [x[t] for x in leaves]))
    rows = [flatten(y)[0] for y in made]
    stacked = [np.stack(column) for column in zip(*rows, strict=True)]
    return carry, unflatten(flatten(made[0])[1], stacked)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """``f`` of each element along the first axis of ``xs``, results stacked.

    One element comes after the other, in a loop; `vmap` has all of them at once.

    Args:
        f: A function of a pytree like ``xs`` whose arrays lack the first axis.
        xs: A pytree of arrays whose first axes have one size.

    Returns:
        The results, each array with a new first axis.

    Raises:
        ArgumentError: Where ``xs`` has no arrays, or their sizes differ.

    >>> map(np.sum, np.ones((3, 4)))
    array([4., 4., 4.])
    """
    check_functions("map", f)

    @wraps(f)  # the lines of errors are those of f
    def step(carry: None, x: Any) -> tuple[None, Any]:
        return carry, f(x)

    return scan(step, None, xs)[1]


def fori_loop(
    lower: Any,
    upper: Any,
    body: Callable[[Any, Any], Any],
    init: Any,
    checkpoint_every: int | None = None,
) -> Any:
    """``for i in range(lower, upper): value = body(i, value)``, from ``init`` on.

    Args:
        lower: The first value of the counter, an integer, traced or not.
        upper: One more than the last. Where a limit is traced, the number of iterations
            is known when running.
        body: A function of the counter and of what is carried, which returns what is
            carried on, of the same structure, shapes and dtypes.
        init: A pytree of arrays and numbers. A Python number adapts its dtype to what
            ``body`` makes of it.
        checkpoint_every: Have a gradient keep what every so many iterations begin
            with, as `checkpointed` does, and not each of them.

    Returns:
        What was carried out of the last iteration; ``init`` if there was none.

    Raises:
        ArgumentError: Where a limit is no integer.
        TraceError: Where what is carried changes its structure, a shape or a dtype.

    >>> fori_loop(0, 5, lambda i, total: total + i, 0)
    10
    """
    check_functions("fori_loop", body)
    lower, upper = integer(lower), integer(upper)
    trace = active_trace()
    if trace is not None and checkpoint_every is not None:
        every = check_every(checkpoint_every)
        return _for_in_segments(trace, lower, upper, body, init, every)
    if trace is not None:
        return trace.apply(_FOR, (lower, upper, body, init), {})
    value = init
    for i in range(lower, upper):
        value = body(i, value)
    return value


def while_loop(
    cond_fun: Callable[[Any], Any],
    body_fun: Callable[[Any], Any],
    init_val: Any,
    max_trips: int | None = None,
) -> Any:
    """``while cond_fun(value): value = body_fun(value)``, from ``init_val`` on.

    Args:
        cond_fun: A function of what is carried that returns one bool.
        body_fun: A function of what is carried, which returns what is carried on, of
            the same structure, shapes and dtypes.
        init_val: A pytree of arrays and numbers. A Python number adapts its dtype to
            what ``body_fun`` makes of it.
        max_trips: The most iterations that there may be, at least 1. A gradient keeps
            what is carried into that many; without it into some thousands, whatever
            their number, and runs the loop once more.

    Returns:
        What was carried out of the last iteration; ``init_val`` if there was none.

    Raises:
        DomainError: Where the condition holds after ``max_trips`` iterations.
        ArgumentError: Where the condition is not one bool, or ``max_trips`` below 1.
        TraceError: Where what is carried changes its structure, a shape or a dtype.

    >>> while_loop(lambda x: x < 100, lambda x: 2 * x, 3)
    192
    """
    check_functions("while_loop", cond_fun, body_fun)
    if max_trips is not None and operator.index(max_trips) < 1:
        raise ArgumentError(f"while_loop: max_trips={max_trips} is below 1")
    trace = active_trace()
    if trace is not None:
        return trace.apply(_WHILE, (cond_fun, body_fun, init_val, max_trips), {})
    from ..ir.errors import DomainError

    value, done = init_val, 0
    while _condition(cond_fun(value)):
        if done == max_trips:
            raise DomainError(_too_many(max_trips))
        value = body_fun(value)
        done += 1
    return value


def _length(leaves: Sequence[Any], length: int | None) -> int:
    """How many elements there are along the first axes."""
    sizes: set[int] = set() if length is None else {operator.index(length)}
    for leaf in leaves:
        shape = leaf_type(leaf, "xs")[0].shape
        if not shape:
            raise ArgumentError("a value of xs has no axis to go along")
        sizes.add(shape[0])
    if len(sizes) != 1:
        found = ", ".join(f"{size}" for size in sorted(sizes)) or "none"
        raise ArgumentError(
            f"scan: xs and length should have one size, but there are: {found}",
            hint="the first axes of xs are equal; without xs, give length",
        )
    (size,) = sizes
    if size < 0:
        raise ArgumentError(f"scan: length={size} is negative")
    return size


def _scan_in_segments(
    trace: Trace,
    f: Callable[[Any, Any], Any],
    init: Any,
    xs: Any,
    trips: int,
    reverse: bool,
    every: int,
) -> Any:
    """A scan of scans of ``every`` elements, and one of the elements that are left."""
    whole = trips // every
    split = whole * every
    leaves, structure = flatten(xs)
    cut = [np.reshape(x[:split], (whole, every, *np.shape(x)[1:])) for x in leaves]
    left = unflatten(structure, [x[split:] for x in leaves])

    def segments(carry: Any) -> Any:
        step = wraps(f)(lambda carry, part: scan(f, carry, part, every, reverse))
        parts = unflatten(structure, cut)
        carry, rows = trace.apply(_SCAN, (step, carry, parts, whole, reverse, 1), {})
        rows, tree = flatten(rows)
        return carry, unflatten(
            tree, [np.reshape(y, (split, *np.shape(y)[2:])) for y in rows]
        )

    def rest(carry: Any) -> Any:
        return scan(f, carry, left, trips - split, reverse)

    if reverse:
        carry, last = rest(init)
        carry, first = segments(carry)
    else:
        carry, first = segments(init)
        carry, last = rest(carry)
    firsts, tree = flatten(first)
    pairs = zip(firsts, flatten(last)[0], strict=True)
    return carry, unflatten(tree, [np.concatenate(pair) for pair in pairs])


def _for_in_segments(
    trace: Trace,
    lower: Any,
    upper: Any,
    body: Callable[[Any, Any], Any],
    init: Any,
    every: int,
) -> Any:
    """A loop over loops of ``every`` iterations, and one over those that are left."""
    apart = upper - lower
    count = np.maximum(apart, 0) if is_traced(apart) else max(apart, 0)
    whole = count // every

    def part(k: Any, value: Any, count: Any = every) -> Any:
        first = lower + k * every
        return fori_loop(0, count, wraps(body)(lambda t, x: body(first + t, x)), value)

    done = trace.apply(_FOR, (0, whole, wraps(body)(part), init, 1), {})
    return part(whole, done, count - whole * every)


def _condition(value: Any) -> Any:
    found = dtype_of(value)
    if found.kind != "b" or np.shape(value) != ():
        raise ArgumentError(
            f"the condition of while_loop is {found} of shape {np.shape(value)}, "
            "not one bool",
            hint="compare it, x != 0, or ask np.any or np.all",
        )
    return value


def _too_many(trips: int | None) -> str:
    return f"while_loop: the condition still holds after max_trips={trips} iterations"


@lowers(_SCAN)
def _lower_scan(
    trace: Trace,
    f: Any,
    init: Any,
    xs: Any,
    trips: int,
    reverse: bool,
    segments: int = 0,
) -> Any:
    leaves, structure = flatten(xs)
    nodes = [trace.node(leaf) for leaf in leaves]
    rows = [node.type.with_shape(node.type.shape[1:]) for node in nodes]

    def step(t: Any, carry: Any, x: Any) -> Any:
        made = f(carry, x)
        if not isinstance(made, tuple) or len(made) != 2:  # type: ignore[arg-type]
            what = "an array" if is_traced(made) else f"a {type(made).__name__}"
            raise TraceError(
                f"the body of scan returned {what}, not a pair",
                source=trace.builder.source,
                hint="return carry, y; y may be None",
            )
        return made

    elements = unflatten(structure, range(len(rows)))
    body = stable_body("scan", step, f, init, elements, rows, trips)
    attrs = {"trips": trips, "reverse": reverse, "segments": segments}
    ends = loop_node(trace, body, nodes, attrs)
    ys = unflatten(body.rest, [trace.wrap(node) for node in ends.rows])
    return ends.carry, ys


@lowers(_FOR)
def _lower_for(
    trace: Trace, lower: Any, upper: Any, body: Any, init: Any, segments: int = 0
) -> Any:
    def step(t: Any, carry: Any, _x: Any) -> Any:
        return body(t + lower if is_traced(lower) or lower else t, carry), None

    if is_traced(lower) or is_traced(upper):
        limit = trace.node(upper - lower, "i64")
        most = most_trips(trace.intervals.of(limit))
        made = stable_body("fori_loop", step, body, init, None, [], most)
        attrs = {"limit": True, "trips": most, "segments": segments}
        return loop_node(trace, made, [], attrs, [limit]).carry
    trips = max(upper - lower, 0)
    made = stable_body("fori_loop", step, body, init, None, [], trips)
    attrs = {"trips": trips, "segments": segments}
    return loop_node(trace, made, [], attrs).carry


@lowers(_WHILE)
def _lower_while(
    trace: Trace, cond_fun: Any, body_fun: Any, init: Any, max_trips: int | None
) -> Any:
    def step(t: Any, carry: Any, _x: Any) -> Any:
        _, value = carry
        made = body_fun(value)
        go = _condition(cond_fun(made))
        return (_within(t, go, max_trips), made), None

    go = _condition(cond_fun(init))
    start = go if is_traced(go) else np.bool_(go)
    body = stable_body(
        "while_loop", step, body_fun, (start, init), None, [], max_trips, depth=2
    )
    ends = loop_node(trace, body, [], {"trips": max_trips, "test": True})
    return ends.carry[1]


def _within(t: Any, go: Any, max_trips: int | None) -> Any:
    """``go``, but that it fails to go on after ``max_trips`` iterations."""
    trace: Trace = t.owner
    go = trace.wrap(trace.node(go, "bool"))
    if max_trips is None:
        return go
    next_one = t + go.astype(np.int64)
    checked = trace.builder.check(
        trace.node(next_one),
        low=0,
        high=max_trips,
        error="value",
        message=_too_many(max_trips),
    )
    return go & (trace.wrap(checked) >= 0)
