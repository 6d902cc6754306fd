"""What is done to slices whose length is known only when running; see `Ragged`.

Each reduction and each store is a loop over the elements.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeGuard, cast

import numpy as np

from ...ir.errors import TraceError
from ..body import Ends, loop_node, stable_body
from ..forms import form_of
from ..intervals import Interval
from ..ragged import Ragged, Read, View
from ..running import is_traced
from ..trace import Trace
from ..tracer import GETITEM, SETITEM
from .indexing import position
from .windows import ask_bounds, has_known_size, is_moved

__all__ = ["is_ragged", "lower_ragged", "ragged_slice", "store_ragged"]


def is_ragged(value: Any) -> TypeGuard[Ragged]:
    """Whether this is a slice of unknown length, or made of such ones."""
    return isinstance(value, Ragged)


# Slices.


def ragged_slice(trace: Trace, x: Any, items: Sequence[Any]) -> Ragged | None:
    """``x[items]``, if all but one are integers, and that is a slice of unknown length.

    There is an item for each axis, and None for new ones.
    """
    moved = [axis for axis, item in enumerate(items) if is_moved(item)]
    if len(moved) != 1 or len(items) != x.ndim:
        return None
    (axis,) = moved
    item, size = items[axis], x.shape[axis]
    rest = [*items[:axis], *items[axis + 1 :]]
    if not all(map(_is_integer, rest)) or has_known_size(trace, item, size):
        return None
    step = 1 if item.step is None else operator.index(item.step)
    if step not in (1, -1):
        return None
    ask_bounds(item)
    first, last = (0, size) if step == 1 else (size - 1, -1)
    start = first if item.start is None else _clamped(trace, item.start, size, step)
    stop = last if item.stop is None else _clamped(trace, item.stop, size, step)
    positions = [
        trace.wrap(position(trace, part, n)) if is_traced(part) else part
        for part, n in zip(items, x.shape, strict=True)
    ]
    length = _length(trace, stop - start if step == 1 else start - stop, size)

    def index(k: Any) -> tuple[Any, ...]:
        at = _inside(start + k if step == 1 else start - k, size)
        return (*positions[:axis], at, *positions[axis + 1 :])

    parts = [start if place == axis else part for place, part in enumerate(positions)]
    key = (axis, step, *(_key(trace, part) for part in parts))
    return Ragged(length, size, *_viewed(View(x, index, key)))


def _viewed(view: View) -> tuple[Any, tuple[Read, ...], View]:
    return lambda k, choice: view.array[view.at(k)], (), view


def _clamped(trace: Trace, bound: Any, size: int, step: int) -> Any:
    """A bound as Python cuts it: from 0 to the size, from -1 on for a step back."""
    low, high = (0, size) if step == 1 else (-1, size - 1)
    if not is_traced(bound):
        number = operator.index(bound)
        return min(max(number + size if number < 0 else number, low), high)
    found = trace.intervals.of(trace.node(bound))
    if found is None:
        raise TraceError("the bound of a slice is no integer")
    if found.low < 0 and not (step == -1 and found.low == -1 and found.high < size):
        bound = np.where(bound < 0, bound + size, bound)
        found = None
    if found is None or not found.within(low, high):
        bound = np.clip(bound, low, high)
    return bound


def _length(trace: Trace, apart: Any, size: int) -> Any:
    """How many elements there are: not below 0, nor above the size."""
    node = trace.node(apart, "i64")
    found = trace.intervals.of(node)
    if found is None or found.low < 0:
        apart = np.maximum(apart, 0)
        node = trace.node(apart, "i64")
    trace.intervals.note(node, Interval(0, min(size, found.high if found else size)))
    return apart


def _inside(index: Any, size: int) -> Any:
    """A position that is known to be inside."""
    if is_traced(index):
        here = index.reader
        found = here.intervals.of(index.unchecked_node)
        if found is None or not found.within(0, size - 1):
            here.intervals.note(index.unchecked_node, Interval(0, size - 1))
    return index


def _key(trace: Trace, part: Any) -> Any:
    """What tells integers apart, traced or not."""
    form = form_of(trace, trace.node(part, "i64"))
    return form.constant, tuple(sorted((k, n) for k, (_, n) in form.terms.items()))


# What is done to them.


def lower_ragged(trace: Trace, function: Any, args: Sequence[Any], kwargs: Any) -> Any:
    """A call with slices of unknown length among its arguments."""
    if function is GETITEM and is_ragged(args[0]):
        return _item(trace, *args)
    if function is SETITEM and is_ragged(args[0]):
        return _set(trace, *args)
    options = kwargs.keys() - {"operator"}
    made: Callable[..., Any] | None = _RULES.get(function)
    if made is not None and not options:
        return made(trace, *args)
    if isinstance(function, np.ufunc) and function.nout == 1 and not options:
        return _each(trace, function, args)
    _refuse(args)


def _refuse(args: Sequence[Any]) -> NoReturn:
    next(filter(is_ragged, args)).refuse()


def _is_integer(item: Any) -> bool:
    if is_traced(item):
        return item.ndim == 0 and item.dtype.kind in "iu"
    return isinstance(item, (int, np.integer)) and not isinstance(item, bool)


def _frozen(trace: Trace, x: Ragged) -> Ragged:
    """The elements as they are now."""
    view = x.view
    if view is None:
        return Ragged(x.length, x.most, x.element, x.reads)
    read = Read(view, trace.wrap(trace.node(view.array)))
    return Ragged(x.length, x.most, lambda k, choice: choice(read)[view.at(k)], (read,))


def _each(trace: Trace, function: Any, args: Sequence[Any]) -> Ragged:
    """An elementwise function."""
    frozen = [_frozen(trace, arg) if is_ragged(arg) else arg for arg in args]
    slices = [arg for arg in frozen if is_ragged(arg)]
    for arg in frozen:
        if not is_ragged(arg) and np.size(arg) != 1:
            slices[0].refuse()
    plain = [
        arg if is_ragged(arg) or np.ndim(arg) == 0 else np.reshape(arg, ())
        for arg in frozen
    ]
    length = _common_length(trace, slices)

    def element(k: Any, choice: Any) -> Any:
        return function(
            *(arg.element(k, choice) if is_ragged(arg) else arg for arg in plain)
        )

    reads = [read for arg in slices for read in arg.reads]
    return Ragged(length, min(arg.most for arg in slices), element, reads)


def _common_length(trace: Trace, slices: Sequence[Ragged]) -> Any:
    """The length of all, with a check where nothing says that they are as long."""
    length = slices[0].length
    for other in slices[1:]:
        if _key(trace, other.length) != _key(trace, length):
            b = trace.builder
            apart = b.sub(trace.node(length, "i64"), trace.node(other.length, "i64"))
            message = "slices of different lengths are combined element by element"
            apart = b.check(apart, low=0, high=1, error="value", message=message)
            length = length + trace.wrap(apart)
    return length


def _loop(
    trace: Trace, length: Any, most: int, step: Callable[[Any, Any], Any], init: Any
) -> Ends:
    """The loop over the elements; ``step(k, carry)`` returns that and a row."""
    made = stable_body(
        "a slice", lambda k, carry, _: step(k, carry), step, init, None, [], most
    )
    limit = trace.node(length, "i64")
    return loop_node(trace, made, [], {"limit": True, "trips": most}, [limit])


def _value(read: Read) -> Any:
    return read.value


def _reduction(combine: Any, start: Any) -> Callable[..., Any]:
    def reduced(trace: Trace, x: Any) -> Any:
        frozen = _frozen(trace, x)
        return _loop(
            trace,
            frozen.length,
            frozen.most,
            lambda k, total: (combine(total, frozen.element(k, _value)), None),
            start,
        ).carry

    return reduced


_sum = _reduction(np.add, 0)


def _mean(trace: Trace, x: Any) -> Any:
    return _sum(trace, x) / x.length


def _extreme(combine: Any) -> Callable[..., Any]:
    """The largest or smallest element, of which there has to be one."""

    def found(trace: Trace, x: Any) -> Any:
        frozen = _frozen(trace, x)
        b = trace.builder
        message = "a slice without elements has no largest and no smallest one"
        count = b.check(
            trace.node(frozen.length, "i64"),
            low=1,
            high=frozen.most + 1,
            error="value",
            message=message,
        )
        first = frozen.element(trace.wrap(b.sub(count, count)), _value)
        return _loop(
            trace,
            trace.wrap(count),
            frozen.most,
            lambda k, best: (combine(best, frozen.element(k, _value)), None),
            first,
        ).carry

    return found


def _dot(trace: Trace, x: Any, y: Any) -> Any:
    if not (is_ragged(x) and is_ragged(y)):
        _refuse((x, y))
    return _sum(trace, _each(trace, np.multiply, (x, y)))


def _norm(trace: Trace, x: Any) -> Any:
    return np.sqrt(_dot(trace, x, x))


def _item(trace: Trace, x: Ragged, index: Any) -> Any:
    """An element, or a slice of the slice."""
    if isinstance(index, slice):
        return _part(trace, x, cast("slice[Any, Any, Any]", index))
    if isinstance(index, tuple) or not (is_traced(index) or isinstance(index, int)):
        x.refuse()
    place = _place(trace, x, index)
    return x.element(trace.wrap(place), _value)


def _place(trace: Trace, x: Ragged, index: Any) -> Any:
    """A position that is checked to be inside; negative ones count from the end."""
    b = trace.builder
    node, length = trace.node(index, "i64"), trace.node(x.length, "i64")
    negative = b.lt(node, b.const(0, "i64"))
    node = b.select(negative, b.add(node, length), node)
    message = "an index is out of bounds for a slice"
    low = b.check(node, low=0, high=x.most, error="index", message=message)
    rest = b.sub(length, low)
    rest = b.check(rest, low=1, high=x.most + 1, error="index", message=message)
    found = b.sub(length, rest)
    trace.intervals.note(found, Interval(0, max(x.most - 1, 0)))
    return found


def _part(trace: Trace, x: Ragged, item: slice[Any, Any, Any]) -> Ragged:
    """A slice of a slice, as far as that needs no clamping by the length."""
    if item == slice(None):
        return x
    step = 1 if item.step is None else item.step
    if step == -1 and item.start is None and item.stop is None:
        return _mapped(x, x.length, lambda k: x.length - 1 - k, "back", x.length)
    start = 0 if item.start is None else item.start
    if step != 1 or item.stop is not None or is_traced(start) or start < 0:
        x.refuse()
    length = _length(trace, x.length - start, x.most)
    return _mapped(x, length, lambda k: start + k, "on", start)


def _mapped(
    x: Ragged, length: Any, place: Callable[[Any], Any], how: str, by: Any
) -> Ragged:
    """The elements at other places."""
    most, view = x.most, x.view

    def inside(k: Any) -> Any:
        return _inside(place(k), most)

    if view is None:
        return Ragged(
            length, most, lambda k, choice: x.element(inside(k), choice), x.reads
        )
    trace = x.owner.innermost
    moved = View(
        view.array,
        lambda k: view.at(inside(k)),
        (*view.key, how, _key(trace, by)),
    )
    return Ragged(length, most, *_viewed(moved))


# Stores.


def _set(trace: Trace, x: Ragged, index: Any, value: Any) -> None:
    """``x[index] = value`` of a slice, which is a store into its array."""
    part = x[index]
    if not is_ragged(part) or part.view is None:
        x.refuse()
    store_ragged(trace, part, value)


def store_ragged(trace: Trace, place: Ragged, value: Any) -> None:
    """Store into a slice. What the value reads of the same array it reads before."""
    view = place.view
    assert view is not None, "it is a slice of an array"
    array = view.array
    if is_ragged(value) and value.view is not None:
        same = value.view.array is array and value.view.key == view.key
        if same:  # after `x[:j] += v`, which has stored it
            return
    if is_ragged(value):
        value = _frozen(trace, value)
        length = _common_length(trace, [place, value])
    elif np.size(value) == 1:
        value, length = np.reshape(value, ()), place.length
    else:
        place.refuse()
    before = trace.node(array)
    reads = value.reads if is_ragged(value) else ()
    mine = {id(read) for read in reads if trace.node(read.value) is before}
    if any(read.view.key != view.key for read in reads if id(read) in mine):
        value, mine = _stacked(trace, value), set[int]()

    def step(k: Any, carried: Any) -> Any:
        own = carried.owner.wrap(carried.node)
        if is_ragged(value):
            made = value.element(k, lambda r: own if id(r) in mine else r.value)
        else:
            made = value
        own[view.at(k)] = made
        return own, None

    ends = _loop(trace, length, place.most, step, trace.wrap(before))
    array.write(ends.carry)


def _stacked(trace: Trace, x: Ragged) -> Ragged:
    """The elements computed, in an array that has room for all that there may be."""
    rows = _loop(
        trace,
        x.length,
        x.most,
        lambda k, _: ((), x.element(k, _value)),
        (),
    ).rows
    array = trace.wrap(rows[0])
    return Ragged(x.length, x.most, lambda k, choice: array[_inside(k, x.most)])


_RULES: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((np.sum, (np.add, "reduce")), _sum),
    **dict.fromkeys((np.prod, (np.multiply, "reduce")), _reduction(np.multiply, 1)),
    **dict.fromkeys((np.max, (np.maximum, "reduce")), _extreme(np.maximum)),
    **dict.fromkeys((np.min, (np.minimum, "reduce")), _extreme(np.minimum)),
    **dict.fromkeys((np.dot, np.matmul, np.inner, np.vdot), _dot),
    np.any: _reduction(np.logical_or, False),
    np.all: _reduction(np.logical_and, True),
    np.mean: _mean,
    np.linalg.norm: _norm,
    np.copy: _frozen,
    np.flip: lambda trace, x: _part(trace, x, slice(None, None, -1)),
    np.where: lambda trace, *args: _each(trace, np.where, args),
    np.size: lambda trace, x: x.length,
}
