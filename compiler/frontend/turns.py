"""What a `for` goes over whose items follow from the number of the turn.

Ranges, arrays, and `enumerate`, `zip`, `reversed` and `itertools.product` of these;
`np.ndindex` and `np.ndenumerate`. They are iterators like
Python's, and tell a loop that is one node what the item of a turn is.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...ir.errors import ArgumentError
from ..intervals import Interval
from ..tracing.flat import Flat
from ..tracing.known import real
from ..tracing.ragged import Ragged
from ..tracing.running import find_trace, is_traced
from ..tracing.stacked import stacked_value
from ..tracing.tracer import GETITEM, Tracer
from ..transforms.checkpointed import Checkpointed, Segments
from .rows import element

__all__ = [
    "Turns",
    "enumerated",
    "enumerated_places",
    "numbers",
    "places",
    "product",
    "reversed_",
    "turns_of",
    "zipped",
]


class Turns(Iterator[Any]):
    """An iterator whose items are known by the number of the turn.

    ``count`` is the number of turns, traced or not, and ``item`` gives that of a turn.
    With ``segments`` it is to be a loop over loops of so many turns.
    """

    def __init__(
        self,
        count: Any,
        item: Callable[[Any], Any],
        segments: Segments | None = None,
    ) -> None:
        self.count, self.item, self.segments = count, item, segments
        self._next = 0

    @property
    def begun(self) -> bool:
        """Whether somebody has asked for an item."""
        return self._next != 0

    def finish(self) -> None:
        """Have no items left."""
        self.count = 0

    def __next__(self) -> Any:
        if self._next >= operator.index(self.count):
            raise StopIteration
        self._next += 1
        return self.item(self._next - 1)


def turns_of(iterable: Any) -> Turns | None:
    """The turns of a loop over a value, None where they follow from no number."""
    if isinstance(iterable, Turns):
        return None if iterable.begun else iterable
    if isinstance(iterable, Range):
        return iterable.turns()
    if isinstance(iterable, Checkpointed):
        turns = turns_of(iterable.items)
        if turns is None:
            kind = type(iterable.items).__name__
            raise ArgumentError(
                f"checkpointed: nothing says what the turns over a {kind} are",
                hint="go over a range, an array, enumerate, zip or reversed of these",
            )
        return Turns(turns.count, turns.item, iterable.segments(turns.count))
    if type(iterable) is range:
        return _range(iterable.start, iterable.stop, iterable.step)
    if isinstance(iterable, list):
        iterable = stacked_value(iterable)  # type: ignore[arg-type]
    if isinstance(iterable, Flat):
        iterable = iterable.row()
    if isinstance(iterable, Ragged):
        ragged = iterable
        return Turns(ragged.shape[0], lambda t: ragged[t])
    if isinstance(iterable, (Tracer, np.ndarray)) and iterable.shape:
        array: Any = iterable
        return Turns(array.shape[0], lambda t: _element(array, t))
    return None


def _element(array: Any, t: Any) -> Any:
    row = element(array, t)
    if row is not None:
        return row
    if isinstance(array, np.ndarray) and (trace := find_trace(t)) is not None:
        return trace.apply(GETITEM, (array, t), {})
    return array[t]


def numbers(*args: Any) -> Any:
    """``range(*args)``; with traced arguments one whose turns only running tells."""
    if find_trace(args) is None or not all(map(_is_integer, args)):
        return range(*map(real, args))
    start, stop, step = (0, *args, 1) if len(args) == 1 else (*args, 1)[:3]
    if is_traced(step):
        return range(*args)  # which says what it needs
    return Range(real(start), real(stop), operator.index(real(step)))


class Range(Sequence[Any]):
    """A range with a traced end; what is no loop over it asks for the ends' values."""

    def __init__(self, start: Any, stop: Any, step: int) -> None:
        self.start, self.stop, self.step = start, stop, step

    def turns(self) -> Turns:
        """Those of one loop over it."""
        return _range(self.start, self.stop, self.step)

    def _known(self) -> range:
        return range(operator.index(self.start), operator.index(self.stop), self.step)

    def __iter__(self) -> Iterator[Any]:
        return self.turns()

    def __getitem__(self, index: Any) -> Any:
        return self._known()[index]

    def __len__(self) -> int:
        return len(self._known())

    def __contains__(self, value: object) -> bool:
        return value in self._known()


def _is_integer(value: Any) -> bool:
    if is_traced(value):
        return not value.shape and value.dtype.kind in "iu"
    return isinstance(value, (int, np.integer))


def _range(start: Any, stop: Any, step: int) -> Turns:
    if not is_traced(start) and not is_traced(stop):
        count = len(range(start, stop, step))
        plain = (start, step) == (0, 1)
        return Turns(count, (lambda t: t) if plain else lambda t: t * step + start)
    if step == 0:
        raise ValueError("range() arg 3 must not be zero")
    apart = stop - start if step > 0 else start - stop
    count = apart if abs(step) == 1 else (apart + (abs(step) - 1)) // abs(step)

    def number(t: Any) -> Any:
        made = t * step + start
        if is_traced(t):
            _note_between(made, start, stop, step)
        return made

    return Turns(count, number)


def _note_between(made: Tracer, start: Any, stop: Any, step: int) -> None:
    """A number of a range is between its ends, whatever they are."""
    trace = made.reader
    found = [trace.intervals.of(trace.node(end, "i64")) for end in (start, stop)]
    first, last = found if step > 0 else found[::-1]
    assert first is not None, "a range is of integers"
    assert last is not None, "a range is of integers"
    between = (first.low, last.high - 1) if step > 0 else (first.low + 1, last.high)
    trace.intervals.note(made.unchecked_node, Interval(*between))


def zipped(*args: Any, strict: bool = False) -> Any:
    """``zip(*args)``."""
    parts = [turns_of(arg) for arg in args]
    known = [part for part in parts if part is not None and _is_number(part.count)]
    counts = {part.count for part in known}
    once = len({id(part) for part in known}) == len(args)  # not zip(turns, turns)
    if not args or not once or (strict and len(counts) > 1):
        return zip(*map(real, args), strict=strict)
    return Turns(min(counts), lambda t: tuple(part.item(t) for part in known))


def enumerated(iterable: Any, start: Any = 0) -> Any:
    """``enumerate(iterable, start)``."""
    part = turns_of(iterable)
    if part is None:
        return enumerate(real(iterable), real(start))
    return Turns(part.count, lambda t: (t + start if start else t, part.item(t)))


def reversed_(iterable: Any) -> Any:
    """``reversed(iterable)``."""
    sized = isinstance(iterable, (Sequence, Tracer, Ragged, np.ndarray))
    part = turns_of(iterable) if sized or isinstance(iterable, Turns) else None
    if part is None or not _is_number(part.count):
        return reversed(real(iterable))
    last = part.count - 1
    return Turns(part.count, lambda t: part.item(last - t))


def product(*args: Any, repeat: Any = 1) -> Any:
    """``itertools.product(*args)``: the last one runs fastest."""
    repeat = operator.index(repeat)
    parts = [None if isinstance(arg, Turns) else turns_of(arg) for arg in args]
    known = [part for part in parts if part is not None and _is_number(part.count)]
    if len(known) < len(args):
        return itertools.product(*args, repeat=repeat)
    return _product(known * repeat)


def _product(parts: Sequence[Turns]) -> Turns:
    def item(t: Any) -> tuple[Any, ...]:
        found: list[Any] = []
        for part in reversed(parts[1:]):
            found.append(part.item(t % part.count))
            t = t // part.count
        return *(part.item(t) for part in parts[:1]), *reversed(found)

    return Turns(math.prod(part.count for part in parts), item)


def places(*shape: Any) -> Any:
    """``np.ndindex(*shape)``."""
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
    return _product([_range(0, operator.index(size), 1) for size in sizes])


def enumerated_places(array: Any) -> Any:
    """``np.ndenumerate(array)``."""
    if not is_traced(array) or array.known is not None:
        return np.ndenumerate(real(array))
    indices = places(*array.shape)

    def item(t: Any) -> tuple[Any, Any]:
        index = indices.item(t)
        return index, array[index]

    return Turns(indices.count, item)


def _is_number(count: Any) -> bool:
    return not is_traced(count)
