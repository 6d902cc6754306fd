"""The arrays that a trace closes over, and what becomes of them in its graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from ...ir.builder import Builder
from ...ir.errors import DTypeError, TraceError
from ...ir.graph import Node
from ...ir.types import TensorType, dtype_name
from ..intervals import Intervals
from .tracer import Tracer

__all__ = ["Captures", "check_array", "leaked"]


def check_array(value: Any, what: str) -> None:
    """Raise `DTypeError` for subclasses of ndarray, whose meaning would be lost."""
    if type(value) not in (np.ndarray, np.memmap):
        raise DTypeError(
            f"{what} is a {type(value).__module__}.{type(value).__name__}",
            hint="convert it with np.asarray (a masked array: fill it first)",
        )


class Captures:
    """What a function closed over, each with the input that it became.

    ``captured`` holds, in the order of their inputs, the arrays, or the tracers of an
    enclosing trace. ``level`` grows from an enclosing trace to the ones inside it.
    ``intervals`` knows between which numbers integers are.
    """

    def __init__(self, name: str, level: int) -> None:
        self.builder = Builder(name)
        self.level = level
        self.intervals = Intervals(self.builder.values)
        self.captured: list[Any] = []
        self.captured_inputs: list[Node] = []
        self._captures: dict[Any, tuple[Any, Any, Node]] = {}
        self._constants: dict[tuple[object, ...], Node] = {}
        self._full: WeakValueDictionary[int, np.ndarray[Any, Any]]
        self._full = WeakValueDictionary()

    def closed_over(self) -> list[Any]:
        """What each captured input is: the object, or what it was if that changed."""
        same = {
            id(kept): value
            for value, kept, _ in self._captures.values()
            if not isinstance(value, Tracer) and _is_unchanged(value, kept)
        }
        return [same.get(id(kept), kept) for kept in self.captured]

    def captured_as(self, node: Node) -> Tracer | None:
        """The value of a trace around this that an input of it is, if it is one."""
        for kept, made in zip(self.captured, self.captured_inputs, strict=True):
            if made is node:
                return kept if isinstance(kept, Tracer) else None
        return None

    def live(self) -> list[Any]:
        """What each captured input is from now on: the object, read at each call.

        It is a copy of what was met where the object has changed since, or has another
        layout than inputs.
        """
        return [
            value
            if value is kept or isinstance(value, Tracer) or _is_input(value)
            else kept
            for value, kept in zip(self.closed_over(), self.captured, strict=True)
        ]

    def constant(self, value: np.ndarray[Any, Any]) -> Node:
        """The input for an array that a lowering made; equal ones have the same."""
        key = value.dtype.str, value.shape, value.tobytes()
        if key not in self._constants:
            self._constants[key] = self.capture(value)
        return self._constants[key]

    def initial(self, value: np.ndarray[Any, Any]) -> Node:
        """What an array that the function made holds, as a constant if it is one."""
        filled = self._filled(value)
        return self.capture(value) if filled is None else filled

    def _filled(self, value: np.ndarray[Any, Any]) -> Node | None:
        """The constant for an array that is full of one number."""
        number = _number_in(value)
        if number is None:
            return None
        type_ = TensorType(dtype_name(value.dtype), value.shape)
        return self.builder.full(type_, number)

    def note_full(self, value: np.ndarray[Any, Any]) -> None:
        """Have a constant for this array, also where it is only read."""
        self._full[id(value)] = value

    def capture(self, value: Any) -> Node:
        """The input for an array, or an enclosing trace's tracer, of the closure.

        An array that the function changed since it was met gets another input.
        """
        if id(value) in self._full and (filled := self._filled(value)) is not None:
            return filled
        if isinstance(value, Tracer):
            return self._capture_traced(value)
        known = self._captures.get(id(value))
        if known is not None and _is_unchanged(value, known[1]):
            return known[2]
        check_array(value, "a captured array")
        type_ = TensorType(dtype_name(value.dtype), value.shape)
        kept = np.array(value, dtype=type_.numpy, order="C")
        return self._keep(id(value), value, kept, "captured", type_)

    def _capture_traced(self, value: Tracer) -> Node:
        """The input for a tracer of an enclosing trace, with the same interval."""
        where = value.reader
        dead = next((t for t in (value.owner, where) if t.finished), None)
        if dead is not None or where.level > self.level:
            raise leaked(dead or where)
        found = value.unchecked_node
        key = id(where), found.name
        if key in self._captures:
            return self._captures[key][2]
        name = where.builder.called(found)
        name = name if "." not in name else "captured"
        node = self._keep(key, value, Tracer(where, found), name, found.type)
        interval = where.intervals.of(found)
        if interval is not None:
            self.intervals.note(node, interval)
        return node

    def _keep(
        self, key: Any, value: Any, kept: Any, name: str, type_: TensorType
    ) -> Node:
        node = self.builder.input(f"{name}.{len(self.captured)}", type_)
        self._captures[key] = value, kept, node
        self.captured.append(kept)
        self.captured_inputs.append(node)
        return node


def leaked(trace: Captures) -> TraceError:
    """The error of a tracer that outlives its call."""
    return TraceError(
        f"a traced value of {trace.builder.name} is used outside of its call",
        hint="return it instead of storing it in a global, an attribute or a list",
    )


def _number_in(value: np.ndarray[Any, Any]) -> bool | int | float | complex | None:
    """The number that an array is full of, bit for bit, if it is."""
    if not value.size:
        return None
    first = (0,) * value.ndim
    same = all((bits == bits[first]).all() for bits in _bits(value))
    return value[first].item() if same else None


def _bits(value: np.ndarray[Any, Any]) -> Sequence[Any]:
    """What two arrays of one dtype share where they have the same bits."""
    if value.dtype.kind == "c":
        return [*_bits(value.real), *_bits(value.imag)]
    return [value.view(f"u{value.itemsize}") if value.dtype.kind == "f" else value]


def _is_unchanged(value: Any, kept: Any) -> bool:
    """Whether a captured value is still what was kept of it, bit for bit."""
    now = np.ascontiguousarray(value, kept.dtype).reshape(kept.shape)
    return all(map(np.array_equal, _bits(now), _bits(kept)))


def _is_input(array: np.ndarray[Any, Any]) -> bool:
    """Whether an array is laid out as inputs are."""
    flags = array.flags
    behaved = array.dtype.isnative and flags.c_contiguous and flags.aligned
    return type(array) is np.ndarray and behaved
