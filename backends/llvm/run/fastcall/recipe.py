"""Recipes: how calls of one kind are taken apart, and what their result is built of."""

from __future__ import annotations

from collections.abc import Sequence
from types import BuiltinFunctionType
from typing import Any

import numpy as np

from .....ir.types import DEFAULT_DTYPES, TensorType
from ....signature import ABSENT, Constant, Guard, Leaf, Packed, Signature, Slotted
from ..executable import LLVMExecutable
from .tables import FIELDS, MULTIPLIER, PARTS, ROWS

__all__ = ["Recipe", "Unfit", "hash_of"]

IMMUTABLE = (
    type(None),
    *(bool, complex, bytes, frozenset, range, np.generic, np.dtype),
    BuiltinFunctionType,
)
LONG_WORK = 100_000  # elements; about 50 us, from where the GIL is released
BYTES = np.dtype(np.uint8)
PRESENT = FIELDS.index("USED")
BUSY = FIELDS.index("BUSY")


class Unfit(Exception):
    """A call or a result of a form that no recipe can say."""


class Recipe:
    """The tables of one recipe, and everything that they point to.

    ``words`` is the signature, which has each object of a call in ``slots`` places;
    ``values`` are what is to be equal beside the words: strings, which those have by
    their hash only, and numbers with a guard.
    """

    def __init__(self, executable: LLVMExecutable, signature: Signature) -> None:
        self._kept: list[Any] = [executable]
        graph = executable.plan.graph
        self._first_output = len(graph.inputs)
        self._types = [node.type for node in graph.inputs]
        self._types += [graph[name].type for name in graph.results]
        self.words: list[int] = []
        self.values: list[tuple[int, str | int]] = []
        self._rows: list[tuple[int, int, int, int]] = []
        self._out = 0
        self._written = {number for number, _ in signature.written}
        self._guards = list(map(self._guard, signature.guards))
        self.slots = self._survey(signature)
        self.hash = hash_of(self.words)
        outputs = [self._array(type_) for type_ in self._types[self._first_output :]]
        parts = self._parts(signature.result, outputs)
        rows = len(self._rows)
        row_of = {buffer: row for row, (_, _, buffer, _) in enumerate(self._rows)}
        back = [(row_of[number], output) for number, output in signature.written]
        sizes = {
            "HELD": rows + 1,
            "CELLS": rows,
            "STACK": len(parts) + 1,
            "OBJECTS": 3 * len(outputs),  # and cells, of two words for complex numbers
        }
        frame = executable.frame(sum(sizes.values()))
        for number, array in enumerate(
            signature.captured, self._first_output - len(signature.captured)
        ):
            self._kept.append(array)
            frame.words[1 + number] = array.ctypes.data
        self._kept.append(frame)
        fields = {
            "OWNER": id(self),
            "BUSY": 0,
            "USED": 0,
            "FRAME": frame.words.ctypes.data,
            "SIGNATURE": self._table(self.words),
            "LENGTH": len(self.words),
            "VALUES": self._table(
                [w for slot, v in self.values for w in (slot, id(v))]
            ),
            "VALUE_COUNT": len(self.values),
            "ROWS": self._table([word for row in self._rows for word in row]),
            "ROW_COUNT": rows,
            "PARTS": self._table([word for part in parts for word in part]),
            "PART_COUNT": len(parts),
            "OUTPUTS": self._table(outputs),
            "OUTPUT_COUNT": len(outputs),
            "FIRST_OUTPUT": self._first_output,
            "PROGRAM": executable.program,
            "STEPS": executable.steps,
            "LONG": int(executable.work > LONG_WORK),
            "OUT": self._out,
            "CHECKED": int(executable.checked),
            "GUARDS": self._table([word for guard in self._guards for word in guard]),
            "GUARD_COUNT": len(self._guards),
            "BACK": self._table([word for pair in back for word in pair]),
            "BACK_COUNT": len(back),
        }
        offset = 8 * (len(frame.words) - sum(sizes.values()))
        for name, size in sizes.items():
            fields[name] = offset
            offset += 8 * size
        self.fields = np.array([fields[name] for name in FIELDS], np.int64)

    def was_used(self) -> bool:
        """Whether a call followed this since it was last asked."""
        used = bool(self.fields[PRESENT])
        self.fields[PRESENT] = 0
        return used

    def is_like(self, other: Recipe) -> bool:
        """Whether the other takes the same calls, and could take one now."""
        same = (self.words, self.values) == (other.words, other.values)
        return same and self._guards == other._guards and not other.fields[BUSY]

    def _table(self, words: Sequence[int]) -> int:
        """The address of a table."""
        table = np.array([*words, 0], np.int64)
        self._kept.append(table)
        return table.ctypes.data

    def _address(self, item: object) -> int:
        """The address of an object, which nothing else has as long as we keep it."""
        self._kept.append(item)
        return id(item)

    def _guard(self, guard: Guard) -> tuple[int, int, int]:
        """The words of a guard: an address of 0 is that of nothing."""
        holder, key, value = guard
        return (
            self._address(holder),
            0 if key is None else self._address(key),
            0 if value is ABSENT else self._address(value),
        )

    def _array(self, type_: TensorType) -> int:
        """The address of the specification of an array."""
        dtype = self._address(type_.numpy)
        return self._table([dtype, type_.rank, type_.nbytes, *type_.shape])

    def _pack(self, packed: Packed, outputs: list[int]) -> int:
        """Specify outputs as the parts of an array; the first one has all of it."""
        found = [self._types[self._first_output + number] for number in packed.numbers]
        if found != list(packed.types):
            raise Unfit
        first, *others = packed.numbers
        for number, offset in zip(others, packed.offsets[1:], strict=True):
            outputs[number] = self._table([first, -1, offset])
        size = packed.nbytes
        outputs[first] = self._table([self._address(BYTES), 1, size, size])
        return first

    def _survey(self, signature: Signature) -> int:
        """Go through the arguments as `caller_lookup` does; the number of slots."""
        args, kwargs = signature.arguments
        queue: list[Any] = [args, kwargs]
        if signature.with_out:
            self._out = 3 + len(args) + 2 * list(kwargs).index("out")
        for slot, item in enumerate(queue):  # which grows meanwhile
            if type(item) is Leaf:
                if item.guarded:
                    self.words.append(self._address(type(item.value)))
                    self.values.append((slot, item.value))
                    self._kept.append(item.value)
                elif item.buffer is None:
                    queue += self._static(slot, item.value)
                else:
                    self._leaf(slot, item.value, item.buffer)
                continue
            kind: type = type(item)
            if kind is Packed:
                self.words += self._address(BYTES), 1, item.nbytes
                row = ROWS.index("PART")
                pairs = zip(item.numbers, item.offsets, strict=True)
                self._rows += [(row, slot, number, offset) for number, offset in pairs]
                continue
            self.words.append(self._address(kind))
            if kind is dict:
                self.words.append(len(item))
                for key, value in item.items():
                    queue += Leaf(key, None), value
            elif kind is list or _is_plain_tuple(kind):
                self.words.append(len(item))
                queue += item
            elif item is not None:
                raise Unfit
        return len(queue)

    def _static(self, slot: int, value: Any) -> list[Leaf]:
        """The words of a static value; what it holds, if it is a tuple."""
        kind: type = type(value)
        self.words.append(self._address(kind))
        if _is_plain_tuple(kind):
            self.words.append(len(value))
            return [Leaf(item, None) for item in value]
        if kind is str:
            self.values.append((slot, value))
            self._kept.append(value)
            word = hash(value)
        elif kind is int:
            word = value
        elif kind is float:
            word = int(np.float64(value).view(np.int64))
        elif kind.__eq__ is object.__eq__ or isinstance(value, IMMUTABLE):
            word = self._address(value)
        else:
            raise Unfit
        if not -(2**63) <= word < 2**63:
            raise Unfit
        self.words.append(word)
        return []

    def _leaf(self, slot: int, value: Any, buffer: int) -> None:
        """The words and the row of an array or a number."""
        kind: type = type(value)
        type_ = self._types[buffer]
        if kind is np.ndarray and value.dtype is type_.numpy:
            self.words += self._address(type_.numpy), type_.rank, *type_.shape
            name = "TARGET" if buffer >= self._first_output else "ARRAY"
            name = "WRITTEN" if buffer in self._written else name
        elif buffer in self._written:
            raise Unfit
        else:
            self.words.append(self._address(kind))
            if kind is int and type_.dtype == "i64":
                name = "INTEGER"
            elif kind is bool and type_.dtype == "bool":
                name = "BOOLEAN"
            elif DEFAULT_DTYPES.get(kind) == type_.dtype or kind is type_.numpy.type:
                name = "NUMBER"
            else:
                raise Unfit
        self._rows.append((ROWS.index(name), slot, buffer, type_.nbytes))

    def _parts(self, result: Any, outputs: list[int]) -> list[tuple[int, int, int]]:
        """The parts of the result, what a container holds before the container.

        Where ``outputs`` are packed, their specifications become those of parts.
        """
        parts: list[tuple[int, int, int]] = []
        waiting = [result]
        while waiting:  # from the end: a container, then its items from the last one
            item = waiting.pop()
            kind: type = type(item)
            if kind is int:
                parts.append((PARTS.index("LEAF"), item, 0))
            elif kind is Packed:
                parts.append((PARTS.index("LEAF"), self._pack(item, outputs), 0))
            elif item is None:
                parts.append((PARTS.index("CONSTANT"), self._address(item), 0))
            elif kind is Constant:
                parts.append((PARTS.index("CONSTANT"), self._address(item.value), 0))
            elif isinstance(item, Slotted):
                slots = item.filling()
                if kind.__basicsize__ != object.__basicsize__ + 8 * len(slots):
                    raise Unfit
                number = PARTS.index("NEW_OBJECT")
                parts.append((number, len(slots), self._address(kind)))
                waiting += slots
            elif kind is dict:
                keys = self._table([len(item), *map(self._address, item)])
                parts.append((PARTS.index("NEW_DICT"), len(item), keys))
                waiting += item.values()
            elif kind is list or _is_plain_tuple(kind):
                name = "NEW_LIST" if kind is list else "NEW_TUPLE"
                parts.append((PARTS.index(name), len(item), self._address(kind)))
                waiting += item
            else:
                raise Unfit
        return parts[::-1]


def hash_of(words: Sequence[int]) -> int:
    """The hash of a signature, as `caller_lookup` computes it.

    >>> hash_of([0, 1]) == MULTIPLIER
    True
    """
    value = 0
    for word in words:
        value = (value + word) * MULTIPLIER & 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def _is_plain_tuple(kind: type) -> bool:
    """A tuple or a namedtuple without attributes of its own."""
    if kind is tuple:
        return True
    named = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return named and kind.__basicsize__ == tuple.__basicsize__
