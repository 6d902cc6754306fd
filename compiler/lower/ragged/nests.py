"""Nests of loops over the elements of arrays whose sizes are known only when running.

Their bodies are scalars. The length of an axis is the limit of its loop, so what is
beyond it in a box is never read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ....ir.types import TensorType, dtype_name
from ...body import Ends, loop_node, stable_body
from ...tracing.ragged import Axis, Ragged, whole_view
from ...tracing.trace import Trace

__all__ = ["Reduction", "finished", "reduced", "rows", "stored"]

Places = dict[int, Any]
"""Positions along axes by their numbers."""


def _loop(trace: Trace, axis: Axis, step: Callable[[Any, Any], Any], init: Any) -> Ends:
    """The loop over an axis; ``step(k, carry)`` returns that and a row."""
    made = stable_body(
        "a slice",
        lambda k, carry, _: step(k, carry),
        step,
        init,
        None,
        [],
        axis.most,
        line=trace.builder.source,
    )
    limit = [] if axis.is_known else [trace.node(axis.length, "i64")]
    return loop_node(trace, made, [], {"limit": bool(limit), "trips": axis.most}, limit)


def rows(
    trace: Trace,
    axes: Sequence[Axis],
    element: Callable[[Sequence[Any]], Any],
    dtype: np.dtype[Any],
) -> Any:
    """A box with the elements: an array that has room for all that there may be."""

    def filled(trace: Trace, ks: tuple[Any, ...]) -> Any:
        if len(ks) == len(axes):
            return trace.wrap(trace.node(element(ks), dtype_name(dtype)))
        ends = _loop(
            trace,
            axes[len(ks)],
            lambda k, _: ((), filled(trace.innermost, (*ks, k))),
            (),
        )
        return trace.wrap(ends.rows[0])

    return filled(trace, ())


class Reduction(NamedTuple):
    """``total = combine(total, element)`` over some of the axes.

    The axes are looped over in an ``order``. ``start`` makes what a total begins with
    at the places of the axes around it; if an axis that stays comes after one that is
    reduced it is a number.
    """

    axes: Sequence[Axis]
    over: frozenset[int]
    order: Sequence[int]
    combine: Callable[[Any, Any], Any]
    start: Callable[[Places], Any]
    dtype: np.dtype[Any]

    @property
    def kept(self) -> list[int]:
        """The axes that stay, in the order of the loops."""
        return [axis for axis in self.order if axis not in self.over]


def reduced(
    trace: Trace, how: Reduction, element: Callable[[Sequence[Any]], Any]
) -> Any:
    """A box with what the reduction leaves; its axes are in the order of the loops."""
    wanted = dtype_name(how.dtype)

    def at(places: Places) -> Any:
        return element([places[axis] for axis in range(len(how.axes))])

    def outer(trace: Trace, depth: int, places: Places) -> Any:
        """Loops over axes that stay, each with the rows that it leaves."""
        axis = how.order[depth]
        if axis in how.over:
            left = [how.axes[i] for i in how.order[depth:] if i not in how.over]
            start = trace.node(how.start(places), wanted)
            if left:
                shape = tuple(one.most for one in left)
                start = trace.builder.broadcast(start, TensorType(wanted, shape))
            return inner(trace, depth, places, trace.wrap(start), bool(left))
        ends = _loop(
            trace,
            how.axes[axis],
            lambda k, _: ((), outer(trace.innermost, depth + 1, {**places, axis: k})),
            (),
        )
        return trace.wrap(ends.rows[0])

    def inner(
        trace: Trace, depth: int, places: Places, total: Any, is_box: bool
    ) -> Any:
        """Loops over all other axes, which carry the total or a box of totals."""
        if depth < len(how.order):
            axis = how.order[depth]

            def step(k: Any, carried: Any) -> Any:
                here = carried.owner.innermost
                own = {**places, axis: k}
                return inner(here, depth + 1, own, carried, is_box), None

            return _loop(trace, how.axes[axis], step, total).carry
        if not is_box:
            return trace.wrap(trace.node(how.combine(total, at(places)), wanted))
        own = trace.wrap(trace.node(total))
        mine = tuple(places[axis] for axis in kept_inside)
        own[mine] = how.combine(own[mine], at(places))
        return own

    first = next(depth for depth, axis in enumerate(how.order) if axis in how.over)
    kept_inside = [axis for axis in how.order[first:] if axis not in how.over]
    return outer(trace, 0, {})


def finished(trace: Trace, axes: Sequence[Axis], box: Any) -> Any:
    """What NumPy would have: the elements of a box that are there."""
    if all(axis.is_known for axis in axes):
        return box
    return Ragged.of_view(trace, axes, whole_view(box))


def stored(
    trace: Trace,
    axes: Sequence[Axis],
    array: Any,
    store: Callable[[Any, Sequence[Any]], None],
) -> Any:
    """An array after a store at each position, ``store(array, ks)``."""

    def into(trace: Trace, ks: tuple[Any, ...], before: Any) -> Any:
        if len(ks) == len(axes):
            own = trace.wrap(trace.node(before))
            store(own, ks)
            return own

        def step(k: Any, carried: Any) -> Any:
            return into(carried.owner.innermost, (*ks, k), carried), None

        return _loop(trace, axes[len(ks)], step, before).carry

    return into(trace, (), trace.wrap(trace.node(array)))
