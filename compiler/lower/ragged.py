"""What is done to arrays whose sizes are known only when running; see `Ragged`.

Cheap elementwise functions make expressions. All else is computed, into a box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, NamedTuple, NoReturn, TypeGuard, cast

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ...ir.errors import ShapeError
from ..ragged import (
    Axis,
    Choice,
    Element,
    Place,
    Ragged,
    Read,
    View,
    axes_of_shape,
    whole_view,
)
from ..running import is_traced, region
from ..trace import Trace
from ..tracer import GETITEM, SETITEM
from .cuts import cut, is_integer, key_of
from .nests import rows, stored
from .windows import has_known_size, is_moved

__all__ = [
    "axes_of",
    "common",
    "computed",
    "copied",
    "each",
    "elements",
    "frozen",
    "is_ragged",
    "lower_ragged",
    "part_of",
    "ragged_slice",
    "refuse",
    "store_ragged",
    "transposed",
]


def is_ragged(value: Any) -> TypeGuard[Ragged]:
    """Whether this is an array of unknown size."""
    return isinstance(value, Ragged)


def lower_ragged(trace: Trace, function: Any, args: Sequence[Any], kwargs: Any) -> Any:
    """A call with arrays of unknown sizes among its arguments."""
    from .ragged_rules import RULES  # which is written with this

    options = {k: v for k, v in kwargs.items() if k != "operator"}
    if function is GETITEM and is_ragged(args[0]):
        return part_of(trace, *args)
    if function is SETITEM and is_ragged(args[0]):
        return _set(trace, *args)
    made: Callable[..., Any] | None = RULES.get(function)
    if made is not None:
        try:
            return made(trace, *args, **options)
        except TypeError as error:  # an argument that the rule does not have
            if error.__traceback__ and error.__traceback__.tb_next:
                raise
            refuse(args)
    is_plain = isinstance(function, np.ufunc) and function.nout == 1
    if is_plain and function.signature is None and not options:
        return each(trace, function, args)
    refuse(args)


def refuse(args: Sequence[Any]) -> NoReturn:
    """Refuse what needs the size of an argument."""
    next(filter(is_ragged, args)).refuse()


# Views and expressions.


def ragged_slice(trace: Trace, x: Any, items: Sequence[Any]) -> Any:
    """``x[items]``, if the size of that is unknown; None if it is not.

    There is an item for each axis, and None for new ones.
    """
    given = [item for item in items if item is not None]
    if len(given) != x.ndim or not any(map(is_moved, given)):
        return None
    for item, size in zip(given, x.shape, strict=True):
        if not (is_integer(item) or isinstance(item, slice)):
            return None
        if isinstance(item, slice) and is_traced(cast("Any", item).step):
            return None
    pairs = zip(given, x.shape, strict=True)
    if all(has_known_size(trace, i, n) for i, n in pairs if is_moved(i)):
        return None
    array = x if is_traced(x) else trace.wrap(trace.node(x))
    axes, places = cut(trace, axes_of_shape(x.shape), items)
    return _shown(trace, axes, View(array, places))


def _shown(trace: Trace, axes: Sequence[Axis], view: View) -> Any:
    """A slice, which is an array of the graph if its size is known after all."""
    if not all(axis.is_known for axis in axes):
        return Ragged.of_view(trace, axes, view)
    index: list[Any] = []
    order: list[int] = []
    for place, start in zip(view.places, view.at([0] * len(axes)), strict=True):
        if place.axis is None:
            index.append(start)
            continue
        stop = start + place.step * axes[place.axis].length
        is_below = not is_traced(stop) and stop < 0
        index.append(slice(start, None if is_below else stop, place.step))
        order.append(place.axis)
    made = view.array[tuple(index)]
    if order != sorted(order):
        made = np.transpose(made, np.argsort(order))
    new = [None if i not in order else slice(None) for i in range(len(axes))]
    return made[tuple(new)] if None in new else made


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


# Elementwise functions.

_CHEAP: set[Any] = {
    *(np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive),
    *(np.absolute, np.square, np.sign, np.maximum, np.minimum, np.fmax, np.fmin),
    *(np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal),
    *(np.logical_and, np.logical_or, np.logical_not, np.logical_xor),
    np.where,
}


def axes_of(x: Any) -> tuple[Axis, ...]:
    """The axes of an array or a number."""
    return x.axes if is_ragged(x) else axes_of_shape(np.shape(x))


def each(
    trace: Trace, function: Any, args: Sequence[Any], *, cheap: bool | None = None
) -> Ragged:
    """An elementwise function, which is an expression if it is ``cheap``."""
    sizes = [axes_of(arg) for arg in args]
    axes = _broadcast(trace, sizes, args)
    pairs = zip(args, sizes, strict=True)
    made = [_operand(trace, arg, own, len(axes)) for arg, own in pairs]

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


class _Operand(NamedTuple):
    """How the elements of an operand are made at the positions of a result."""

    element: Element
    reads: Sequence[Read] = ()


def _operand(trace: Trace, arg: Any, own: Sequence[Axis], rank: int) -> _Operand:
    """An operand of what has so many axes: axes of size 1 are read at 0."""
    if not own:
        value = trace.wrap(trace.node(arg), arg.weak) if is_traced(arg) else arg
        return _Operand(lambda ks, choice: value)
    lead = rank - len(own)

    def mine(ks: Sequence[Any]) -> list[Any]:
        pairs = zip(ks[lead:], own, strict=True)
        return [0 if axis.is_one else k for k, axis in pairs]

    if not is_ragged(arg):
        value = trace.wrap(trace.node(arg))
        return _Operand(lambda ks, choice: value[tuple(mine(ks))])
    if lead or any(axis.is_one for axis in own):
        computed(arg)
    made = frozen(trace, arg)
    return _Operand(lambda ks, choice: made.element(mine(ks), choice), made.reads)


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


# Items.


def _items(x: Ragged, index: Any) -> list[Any]:
    """An item for each axis, and None for new ones."""
    parts = cast("Any", index if isinstance(index, tuple) else (index,))
    for part in parts:
        plain = part is None or part is Ellipsis or isinstance(part, slice)
        if not (plain or is_integer(part)):
            x.refuse()
    dots = [i for i, part in enumerate(parts) if part is Ellipsis]
    used = sum(part is not None and part is not Ellipsis for part in parts)
    if used > x.ndim or len(dots) > 1:
        raise IndexError(f"{used} indices are too many for {x.ndim} axes")
    at = dots[0] if dots else len(parts)
    rest = [slice(None)] * (x.ndim - used)
    return [*parts[:at], *rest, *parts[at + 1 :]]


def part_of(trace: Trace, x: Ragged, index: Any) -> Any:
    """``x[index]``: an element, or a view."""
    axes, view = _part(trace, x, index)
    return _shown(trace, axes, view)


def _part(trace: Trace, x: Ragged, index: Any) -> tuple[tuple[Axis, ...], View]:
    view = computed(x).view
    assert view is not None, "it is computed"
    axes, inner = cut(trace, x.axes, _items(x, index))
    return axes, View(view.array, tuple(_within(place, inner) for place in view.places))


def _within(place: Place, inner: Sequence[Place]) -> Place:
    """A place of a slice of a slice."""
    if place.axis is None:
        return place
    found = inner[place.axis]
    start = place._replace(axis=0).at([found.start])
    return Place(start, place.step * found.step, found.axis)


def transposed(trace: Trace, x: Ragged, order: Any = None) -> Ragged:
    """With the axes in another order."""
    if order is None:
        order = range(x.ndim)[::-1]
    order = normalize_axis_tuple(order, x.ndim)
    view = computed(x).view
    assert view is not None, "it is computed"
    places = tuple(
        p if p.axis is None else p._replace(axis=order.index(p.axis))
        for p in view.places
    )
    return Ragged.of_view(
        trace, [x.axes[axis] for axis in order], View(view.array, places)
    )


# Stores.


def _set(trace: Trace, x: Ragged, index: Any, value: Any) -> None:
    """``x[index] = value``, which is a store into the array of a view."""
    axes, view = _part(trace, x, index)
    if not axes:
        view.array[view.at(())] = value
    elif all(axis.is_known for axis in axes):
        _shown(trace, axes, view)[...] = value
    else:
        store_ragged(trace, Ragged.of_view(trace, axes, view), value)


def store_ragged(trace: Trace, place: Ragged, value: Any) -> None:
    """Store into a slice. What the value reads of the same array it reads before."""
    view = place.view
    assert view is not None, "it is a slice of an array"
    array, mine = view.array, _key(trace, view, place.axes)
    if is_ragged(value) and value.view is not None and value.view.array is array:
        if _key(trace, value.view, value.axes) == mine:
            return  # after `x[:j] += v`, which has stored it
    if np.ndim(value) > place.ndim:
        place.refuse()
    axes = _stored_axes(trace, place, value)
    before = trace.node(array)

    def is_own(read: Read) -> bool:
        return trace.node(read.value) is before

    if is_ragged(value):
        reads = filter(is_own, frozen(trace, value).reads)
        if any(_key(trace, read.view, read.axes) != mine for read in reads):
            value = copied(trace, value)
    made = _operand(trace, value, axes_of(value), place.ndim)
    same = {id(read) for read in made.reads if is_own(read)}

    def store(own: Any, ks: Sequence[Any]) -> None:
        own[view.at(ks)] = made.element(
            ks, lambda read: own if id(read) in same else read.value
        )

    array.write(stored(trace, axes, array, store))


def _stored_axes(trace: Trace, place: Ragged, value: Any) -> list[Axis]:
    """The axes of a place, checked to be as long as those of what is stored."""
    axes = list(place.axes)
    for number, one in enumerate(axes_of(value), place.ndim - np.ndim(value)):
        if not one.is_one:
            axes[number] = common(trace, [axes[number], one], [place])
    return axes


def _key(trace: Trace, view: View, axes: Sequence[Axis]) -> Any:
    """What tells slices of one array apart."""
    places = [
        (key_of(trace, place.start), place.step, place.axis) for place in view.places
    ]
    return places, [key_of(trace, axis.length) for axis in axes]
