"""What the elements of arrays are whose sizes are known only when running.

Cheap elementwise functions make expressions. All else is computed, into a box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple, NoReturn, TypeGuard

import numpy as np

from ....ir.errors import ShapeError
from ...tracing.ragged import (
    Axis,
    Choice,
    Element,
    Ragged,
    Read,
    axes_of_shape,
    whole_view,
)
from ...tracing.running import is_traced, region
from ...tracing.trace import Trace
from .cuts import key_of
from .nests import rows

__all__ = [
    "Operand",
    "axes_of",
    "common",
    "computed",
    "copied",
    "each",
    "elements",
    "frozen",
    "is_ragged",
    "operand",
    "refuse",
]


def is_ragged(value: Any) -> TypeGuard[Ragged]:
    """Whether this is an array of unknown size."""
    return isinstance(value, Ragged)


def refuse(args: Sequence[Any]) -> NoReturn:
    """Refuse what needs the size of an argument."""
    next(filter(is_ragged, args)).refuse()


def axes_of(x: Any) -> tuple[Axis, ...]:
    """The axes of an array or a number."""
    return x.axes if is_ragged(x) else axes_of_shape(np.shape(x))


def frozen(trace: Trace, x: Ragged) -> Ragged:
    """The elements as they are now."""
    view = x.view
    if view is None:
        return Ragged(trace, x.axes, x.dtype, x.element, x.reads)
    read = Read(view, x.axes, trace.wrap(trace.node(view.array)))
    return Ragged(
        trace, x.axes, x.dtype, lambda ks, choice: choice(read)[view.at(ks)], [read]
    )


def value_of(read: Read) -> Any:
    """What an array held when it was read."""
    return read.value


def elements(trace: Trace, x: Any) -> Callable[[Sequence[Any]], Any]:
    """What makes the element of an array, ragged or not, as it is now."""
    if not is_ragged(x):
        value = trace.wrap(trace.node(x))
        return lambda ks: value[tuple(ks)]
    element = frozen(trace, x).element
    return lambda ks: element(ks, value_of)


def copied(trace: Trace, x: Ragged) -> Ragged:
    """The elements as they are now, in a box of their own."""
    box = rows(trace, x.axes, elements(trace, x), x.dtype)
    return Ragged.of_view(trace, x.axes, whole_view(box))


def computed(x: Any) -> Any:
    """A view of the elements: an expression is computed, by the trace that made it."""
    if not is_ragged(x) or x.view is not None:
        return x
    with region(x.home):
        x.become(rows(x.home, x.axes, elements(x.home, x), x.dtype))
    return x


_CHEAP: set[Any] = {
    *(np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive),
    *(np.absolute, np.square, np.sign, np.maximum, np.minimum, np.fmax, np.fmin),
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_not, np.logical_xor),
    np.where,
}


def each(
    trace: Trace, function: Any, args: Sequence[Any], *, cheap: bool | None = None
) -> Ragged:
    """An elementwise function, which is an expression if it is ``cheap``."""
    sizes = [axes_of(arg) for arg in args]
    axes = _broadcast(trace, sizes, args)
    pairs = zip(args, sizes, strict=True)
    made = [operand(trace, arg, own, len(axes)) for arg, own in pairs]

    def element(ks: Sequence[Any], choice: Choice) -> Any:
        return function(*(one.element(ks, choice) for one in made))

    reads = [read for one in made for read in one.reads]
    with np.errstate(all="ignore"):
        dtype = np.asarray(function(*map(_sample, args))).dtype
    found = Ragged(trace, axes, dtype, element, reads)
    return found if _is_cheap(function, args) or cheap else computed(found)


def _is_cheap(function: Any, args: Sequence[Any]) -> bool:
    """Whether making an element again costs little more than reading it."""
    if function is np.power:
        return type(args[1]) is int and args[1] == 2
    return function in _CHEAP


class Operand(NamedTuple):
    """How the elements of an operand are made at the positions of a result."""

    element: Element
    reads: Sequence[Read] = ()


def operand(trace: Trace, arg: Any, own: Sequence[Axis], rank: int) -> Operand:
    """An operand of what has so many axes: axes of size 1 are read at 0."""
    if not own:
        value = trace.wrap(trace.node(arg), arg.weak) if is_traced(arg) else arg
        return Operand(lambda ks, choice: value)
    lead = rank - len(own)

    def mine(ks: Sequence[Any]) -> list[Any]:
        pairs = zip(ks[lead:], own, strict=True)
        return [0 if axis.is_one else k for k, axis in pairs]

    if not is_ragged(arg):
        value = trace.wrap(trace.node(arg))
        return Operand(lambda ks, choice: value[tuple(mine(ks))])
    if lead or any(axis.is_one for axis in own):
        computed(arg)
    made = frozen(trace, arg)
    return Operand(lambda ks, choice: made.element(mine(ks), choice), made.reads)


def _sample(arg: Any) -> Any:
    """Something of the same dtype that promotes as an argument does."""
    if is_traced(arg) and arg.weak:
        return arg.dtype.type(1).item()
    if is_ragged(arg) or is_traced(arg) or isinstance(arg, np.ndarray):
        return np.ones((1,) * max(arg.ndim, 1), arg.dtype)
    return arg


def _broadcast(
    trace: Trace, sizes: Sequence[Sequence[Axis]], args: Sequence[Any]
) -> tuple[Axis, ...]:
    """The axes of what is combined element by element."""
    rank = max(map(len, sizes))
    made: list[Axis] = []
    for number in range(-rank, 0):
        here = [own[number] for own in sizes if len(own) >= -number]
        long = [axis for axis in here if not axis.is_one]
        made.append(common(trace, long, args) if long else here[0])
    return tuple(made)


def common(trace: Trace, axes: Sequence[Axis], args: Sequence[Any]) -> Axis:
    """The axis of all, with a check where nothing says that they are as long."""
    known = {axis.length for axis in axes if axis.is_known}
    if len(known) > 1:
        raise ShapeError(f"axes of the sizes {sorted(known)} do not broadcast")
    traced = [axis for axis in axes if not axis.is_known]
    if known and traced:
        refuse(args)
    return reduce(lambda one, other: _as_long(trace, one, other), axes)


def _as_long(trace: Trace, one: Axis, other: Axis) -> Axis:
    if key_of(trace, one.length) != key_of(trace, other.length):
        b = trace.builder
        apart = b.sub(trace.node(one.length, "i64"), trace.node(other.length, "i64"))
        message = "slices of different lengths are combined element by element"
        apart = b.check(apart, low=0, high=1, error="value", message=message)
        one = one._replace(length=one.length + trace.wrap(apart, weak=True))
    return one._replace(most=min(one.most, other.most))
