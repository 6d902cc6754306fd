"""Python's containers asked by a number that is traced: members, and entries.

``i in (3, 50)`` compares with each. ``table[i]`` of a list, a tuple or a dict whose
values have one structure and types is an element of one array for each leaf, which is
stacked in front of the loops that the values do not change in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np

from ...ir.graph import Node
from ..intervals import Interval
from ..peel import note_condition
from ..tracing.asked import ask
from ..tracing.known import real
from ..tracing.running import is_traced, program_trace
from ..tracing.trace import Trace
from ..tracing.tracer import Tracer
from ..tree import flatten, unflatten
from .endings import joined, type_of
from .failures import fail_unless
from .rows import element, is_integer

__all__ = ["entry", "member"]

MAX_KEYS = 1 << 16  # between the least and the largest, of dicts with gaps
MAX_ELEMENTS = 10_000  # of traced arrays that are stacked
MAX_CHAIN = 32  # members that are compared one by one

_SETS: set[type] = {set, frozenset, dict, type({}.keys()), list, tuple}
_stacks: WeakKeyDictionary[Trace, dict[tuple[str, ...], Node]] = WeakKeyDictionary()


def member(container: Any, value: Tracer) -> Any:
    """``value in container``, for a number; None where that needs more than numbers."""
    if type(container) is range:
        return _in_range(container, value)
    if type(container) not in _SETS:
        return None
    items = list(cast("Iterable[Any]", container))
    if any(is_traced(item) for item in items):
        return None
    numbers = [item for item in items if _may_equal(item, value)]
    if len(numbers) > MAX_CHAIN:
        return np.any(np.equal(np.array(numbers), value))
    found: Any = False
    for number in numbers:
        one: Any = np.equal(value, number)
        note_condition(one.reader, one.unchecked_node)
        found = one if found is False else np.logical_or(found, one)
    return found


def _may_equal(item: Any, value: Tracer) -> bool:
    """Whether a member is a number of a size that the value may have."""
    if not isinstance(item, (bool, int, float, np.bool_, np.number)):
        return False
    whole = isinstance(item, int) and value.dtype.kind in "iu"
    if not whole:
        return not isinstance(item, int) or abs(item) < 1 << 63
    info = np.iinfo(value.dtype)
    return int(info.min) <= int(item) <= int(info.max)


def _in_range(numbers: range, value: Tracer) -> Any:
    if not len(numbers):
        return False
    low, high = min(numbers[0], numbers[-1]), max(numbers[0], numbers[-1])
    bounds = [value >= low, value <= high]
    for one in bounds:
        note_condition(one.reader, one.unchecked_node)
    inside = np.logical_and(*bounds)
    step = abs(numbers.step)
    if step == 1 and value.dtype.kind in "iu":
        return inside
    return np.logical_and(inside, np.equal(np.remainder(value - low, step), 0))


def entry(container: Any, index: Any) -> Any:
    """``container[index]`` at a traced integer; None where it is no array's element."""
    if type(container) not in (list, tuple, dict) or not is_integer(index):
        return None
    keys, values = _entries(container)
    leaves = _columns(values)
    if leaves is None:
        return None
    columns, tree = leaves
    if any(np.ndim(column[0]) for column in columns):
        ask(index)  # one of the arrays costs less than all of them
    if keys is not None:
        index = _position(keys, index)
        if index is None:
            return None
    return unflatten(tree, [_element(column, index) for column in columns])


def _entries(container: Any) -> tuple[list[int] | None, list[Any]]:
    """The values that integers may ask for, and the keys of a dict, in order."""
    if not isinstance(container, dict):
        return None, list(container)
    held = cast("dict[Any, Any]", container)
    found = sorted(key for key in held if isinstance(key, (int, np.integer)))
    return list(map(int, found)), [held[key] for key in found]


def _columns(values: Sequence[Any]) -> tuple[list[list[Any]], Any] | None:
    """The leaves of all values, place by place, if they have one structure and types.

    Python's numbers may be integers and floats.
    """
    if not values:
        return None
    first, tree = flatten(values[0])
    columns: list[list[Any]] = [[leaf] for leaf in first]
    for value in values[1:]:
        leaves, structure = flatten(value)
        if structure != tree:
            return None
        for column, leaf in zip(columns, leaves, strict=True):
            column.append(leaf)
    if not columns or not all(map(_is_column, columns)):
        return None
    return columns, tree


def _is_column(column: Sequence[Any]) -> bool:
    types = [type_of(leaf) for leaf in column]
    if None in types or any(is_traced(leaf) and leaf.bound for leaf in column):
        return False
    type_, weak = types[0]
    traced = any(is_traced(leaf) for leaf in column)
    if traced and type_.size * len(column) > MAX_ELEMENTS:
        return False
    if weak:
        return all(weak and not one.shape for one, weak in types)
    return all(one == type_ and not weak for one, weak in types)


def _position(keys: Sequence[int], index: Tracer) -> Any:
    """Which of the sorted keys an index is, with a check that it is one."""
    low, high = keys[0], keys[-1]
    found = index.reader.intervals.of(index.unchecked_node)
    inside = found is not None and found.within(low, high)
    place = index - low if inside else np.clip(index, low, high) - low
    holds: Any = None if inside else np.equal(place, index - low)
    if high - low >= len(keys):
        if high - low > MAX_KEYS:
            return None
        places = np.full(high - low + 1, -1)
        places[np.array(keys) - low] = np.arange(len(keys))
        found_at = _element([*places], place)
        here = found_at >= 0
        holds = here if holds is None else np.logical_and(holds, here)
        place = np.maximum(found_at, 0)
        known = Interval(0, len(keys) - 1)
        place.reader.intervals.note(place.unchecked_node, known)
    if holds is not None:
        fail_unless(holds, KeyError("a key that is not in the dict"))
    return place


def _element(column: Sequence[Any], index: Any) -> Any:
    """``column[index]``, a value of its own."""
    stacked = _stacked(column)
    row = element(stacked, index)
    made = stacked[index] if row is None else row
    leaf_type = type_of(column[0])
    if not made.shape:
        weak = bool(leaf_type and leaf_type[1])
        return made.owner.wrap(made.node, weak=weak)
    made.path = made.path._replace(frozen=True)  # a write would miss the container's
    line = made.owner.innermost.builder.source
    alike = made.memory.may_be((one.memory for one in column if is_traced(one)), line)
    alike.outside = True
    return made


def _stacked(column: Sequence[Any]) -> Tracer:
    """The values as one array, in the outermost trace that they are known in."""
    traced = [leaf for leaf in column if is_traced(leaf) and leaf.known is None]
    home = max((leaf.reader for leaf in traced), key=_level, default=program_trace())
    types = [type_of(leaf) for leaf in column]
    type_, weak = types[0]
    for other, other_weak in types[1:]:
        type_ = type_.with_dtype(joined(type_, weak, other, other_weak))
    if not traced:
        values = [np.asarray(real(leaf), type_.numpy) for leaf in column]
        return home.wrap(home.constant(np.stack(values)))
    nodes = [home.node(leaf, type_.dtype) for leaf in column]
    known = _stacks.setdefault(home, {})
    key = tuple(node.name for node in nodes)
    if key not in known:
        b = home.builder
        rows = [b.reshape(node, (1, *type_.shape)) for node in nodes]
        known[key] = b.concatenate(*rows, axis=0) if len(rows) > 1 else rows[0]
    return home.wrap(known[key])


def _level(trace: Trace) -> int:
    return trace.level
