"""Slices of unknown size: of arrays, of each other, and stores into them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ...tracing.ragged import Axis, Place, Ragged, Read, View, axes_of_shape
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from ..windows import has_known_size, is_moved
from .cuts import cut, is_integer, key_of
from .elements import (
    axes_of,
    common,
    computed,
    copied,
    frozen,
    is_ragged,
    operand,
)
from .nests import stored

__all__ = ["part_of", "ragged_slice", "set_part", "store_ragged", "transposed"]


def ragged_slice(trace: Trace, x: Any, items: Sequence[Any]) -> Any:
    """``x[items]``, if the size of that is unknown; None if it is not.

    There is an item for each axis, and None for new ones.
    """
    given = [item for item in items if item is not None]
    if len(given) != x.ndim or not any(map(is_moved, given)):
        return None
    for item in given:
        is_slice = isinstance(item, slice)
        if not (is_slice or is_integer(item)):
            return None
        if is_slice and is_traced(cast("slice[Any, Any, Any]", item).step):
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


def set_part(trace: Trace, x: Ragged, index: Any, value: Any) -> None:
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
        is_same = _key(trace, value.view, value.axes) == mine
        if is_same:  # after `x[:j] += v`, which has stored it
            return
    if len(axes_of(value)) > place.ndim:
        place.refuse()
    axes = _stored_axes(trace, place, value)
    before = trace.node(array)

    def is_own(read: Read) -> bool:
        return trace.node(read.value) is before

    if is_ragged(value):
        reads = filter(is_own, frozen(trace, value).reads)
        if any(_key(trace, read.view, read.axes) != mine for read in reads):
            value = copied(trace, value)
    made = operand(trace, value, axes_of(value), place.ndim)
    same = {id(read) for read in made.reads if is_own(read)}

    def store(own: Any, ks: Sequence[Any]) -> None:
        own[view.at(ks)] = made.element(
            ks, lambda read: own if id(read) in same else read.value
        )

    array.write(stored(trace, axes, array, store))


def _stored_axes(trace: Trace, place: Ragged, value: Any) -> list[Axis]:
    """The axes of a place, checked to be as long as those of what is stored."""
    axes, given = list(place.axes), axes_of(value)
    for number, one in enumerate(given, place.ndim - len(given)):
        if not one.is_one:
            axes[number] = common(trace, [axes[number], one], [place])
    return axes


def _key(trace: Trace, view: View, axes: Sequence[Axis]) -> Any:
    """What tells slices of one array apart."""
    places = [
        (key_of(trace, place.start), place.step, place.axis) for place in view.places
    ]
    return places, [key_of(trace, axis.length) for axis in axes]
