"""Recipes: how calls of one kind are taken apart, and what their result is built of."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...ir.types import TensorType
from ..base import Leaf, Signature
from .caller_source import FIELDS, PARTS, TOKENS
from .executable import NumbaExecutable

__all__ = ["Recipe", "Unfit"]

IDENTICAL = (bool, int, float, str, type(None), type)  # compared by identity
LONG_WORK = 20_000  # elements; about 10 us, from where the GIL is released


class Unfit(Exception):
    """A call or a result of a form that no recipe can say."""


class Recipe:
    """The tables of one recipe, and everything that they point to."""

    def __init__(self, executable: NumbaExecutable, signature: Signature) -> None:
        self._kept: list[Any] = [executable]
        graph = executable.plan.graph
        self._first_output = len(graph.inputs)
        self._types = [node.type for node in graph.inputs]
        self._types += [graph[name].type for name in graph.results]
        self._slots = 2
        args, kwargs = signature.arguments
        tokens = self._tokens(args, kwargs)
        out = 2 + len(args) + list(kwargs).index("out") if signature.with_out else 0
        parts = list(self._parts(signature.result))
        room = max(self._slots, len(parts)) + 2
        outputs = [self._array(type_) for type_ in self._types[self._first_output :]]
        frame = executable.frame(room + 2 * len(outputs))
        for number, array in enumerate(
            signature.captured, self._first_output - len(signature.captured)
        ):
            self._kept.append(array)
            frame.words[1 + number] = array.ctypes.data
        self._kept.append(frame)
        slots = 8 * (len(frame.words) - room - 2 * len(outputs))
        fields = {
            "NEXT": 0,
            "FRAMES": frame.words.ctypes.data,
            "SLOTS": slots,
            "OBJECTS": slots + 8 * room,
            "TOKENS": self._words([word for token in tokens for word in token]),
            "TOKEN_COUNT": len(tokens),
            "PARTS": self._words([word for part in parts for word in part]),
            "PART_COUNT": len(parts),
            "OUTPUTS": self._words(outputs),
            "OUTPUT_COUNT": len(outputs),
            "FIRST_OUTPUT": self._first_output,
            "PROGRAM": executable.program,
            "STEPS": executable.steps,
            "LONG": int(executable.work > LONG_WORK),
            "OUT": out,
        }
        self.fields = np.array([fields[name] for name in FIELDS], np.int64)

    def _words(self, words: Sequence[int]) -> int:
        """The address of a table."""
        table = np.array([*words, 0], np.int64)
        self._kept.append(table)
        return table.ctypes.data

    def _array(self, type_: TensorType) -> int:
        """The address of the specification of an array."""
        dtype = type_.numpy
        self._kept.append(dtype)
        nbytes = dtype.itemsize * math.prod(type_.sizes)
        return self._words([id(dtype), type_.rank, nbytes, *type_.sizes])

    def _keys(self, keys: Sequence[Any]) -> int:
        """The address of the number of keys and the keys."""
        self._kept += keys
        return self._words([len(keys), *map(id, keys)])

    def _tokens(self, *arguments: Any) -> list[tuple[int, int, int, int]]:
        """The tokens of ``args`` and ``kwargs``, containers before what they hold."""
        waiting = deque(enumerate(arguments))
        tokens: list[tuple[int, int, int, int]] = []
        while waiting:
            slot, item = waiting.popleft()
            kind, a, b, items = self._token(slot, item)
            tokens.append((TOKENS.index(kind), slot, a, b))
            waiting.extend(enumerate(items, self._slots))
            self._slots += len(items) + (2 if kind == "INTEGER" else 0)
        return tokens

    def _token(self, slot: int, item: Any) -> tuple[str, int, int, Sequence[Any]]:
        """The token of one object, and the objects that it brings in."""
        kind: type = type(item)
        if kind is Leaf:
            return (*self._leaf(slot, item), ())
        if item is None:
            return "SAME", id(None), 0, ()
        if kind is dict:
            return "DICT", id(dict), self._keys(list(item)), list(item.values())
        if kind is list:
            return "LIST", id(list), len(item), item
        if _is_plain_tuple(kind):
            self._kept.append(kind)
            return "TUPLE", id(kind), len(item), item
        raise Unfit

    def _leaf(self, slot: int, leaf: Leaf) -> tuple[str, int, int]:
        value, buffer = leaf.value, leaf.buffer
        kind: type = type(value)
        if buffer is None:
            if kind not in IDENTICAL:
                raise Unfit
            self._kept.append(value)
            return "SAME", id(value), 0
        type_ = self._types[buffer]
        if kind is np.ndarray and value.dtype is type_.numpy:
            target = buffer >= self._first_output
            return "TARGET" if target else "ARRAY", self._array(type_), buffer
        if kind is int and type_.dtype == "i64":
            return "INTEGER", id(int), buffer
        if (kind is float and type_.dtype == "f64") or kind is type_.numpy.type:
            return "NUMBER", id(kind), buffer
        raise Unfit

    def _parts(self, result: Any) -> Iterator[tuple[int, int, int]]:
        """The parts of the result, what a container holds before the container."""
        kind: type = type(result)
        if kind is int:
            yield PARTS.index("LEAF"), result, 0
        elif result is None:
            yield PARTS.index("THE_NONE"), 0, 0
        elif kind is dict or kind is list or _is_plain_tuple(kind):
            items = list(result.values()) if kind is dict else list(result)
            for item in items:
                yield from self._parts(item)
            name = {dict: "NEW_DICT", list: "NEW_LIST"}.get(kind, "NEW_TUPLE")
            operand = self._keys(list(result)) if kind is dict else id(kind)
            yield PARTS.index(name), len(items), operand
        else:
            raise Unfit


def _is_plain_tuple(kind: type) -> bool:
    """A tuple or a namedtuple without attributes of its own."""
    if kind is tuple:
        return True
    named = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return named and kind.__basicsize__ == tuple.__basicsize__
