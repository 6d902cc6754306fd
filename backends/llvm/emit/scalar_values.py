"""The nodes of a scalar loop's body that make one value, as statements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from ....ir.graph import Node
from ....ir.ops import OPS, Kind
from ....ir.types import TensorType
from ...scalars import accumulator, combination
from .elements import (
    SMALL,
    Elements,
    Lazy,
    Place,
    Position,
    Unfit,
    reads_of,
    repeated,
    uniform,
    whole_place,
)
from .scalar_builder import Builder
from .scalar_passes import fill
from .scalar_places import target_of, type_of

__all__ = ["Values"]

SMALL_PRODUCT = 64  # multiplications of a product that are done one by one
_MOVING = ("concatenate", "update")


class Values:
    """Lowers nodes that make one value to the statements of a builder.

    ``partial`` are the memories of which not all rows need be made.
    """

    def __init__(self) -> None:
        self.builder = Builder()
        self.partial: set[int] = set()

    def _value(self, node: Node, operands: list[Elements]) -> Elements:
        """The value of a node that makes one."""
        b, record = self.builder, OPS[node.op]
        attrs: dict[str, Any] = dict(node.attrs)
        match node.op:
            case "const":
                return np.array(b.word(attrs["value"], node.type.dtype))
            case "iota":
                ramp: Any = record.reference(**attrs)
                b.require_small(node.type.shape)
                made = [b.literal(int(i)) for i in ramp.flat]
                whole = np.array(made, np.int64).reshape(node.type.shape)
                return self._each("cast", [whole], node.type)
            case "check":
                numbers = b.numbers(operands[0])
                for number in numbers.flat:
                    b.check(int(number), attrs["low"], attrs["high"] - 1, node)
                return numbers
            case "take":
                return self._take(node, *operands, **attrs)
            case "slice_at":
                return self._slice_at(node, *operands, **attrs)
            case "update_at" | "add_at":
                return self._store(node, *operands, **attrs)
            case "update" if b.is_written(operands[0]) or node.type.size > SMALL:
                return self._store(node, *operands, axes=(), **attrs)
            case _ if record.kind is Kind.ELEMENTWISE:
                return self._each(node.op, operands, node.type)
            case "matmul" | "matmul_add":
                return self._product(node, *operands)
            case _ if record.kind is Kind.REDUCTION:
                return self._reduced(node, *operands, **attrs)
            case _ if record.kind is Kind.VIEW or node.op in _MOVING:
                return self._moved(node, operands)
            case _:
                raise Unfit(f"{node.op} is no op on scalars")

    def _each(
        self, op: str, operands: Sequence[Elements], type_: TensorType
    ) -> Elements:
        """An elementwise op, element by element."""
        b = self.builder
        same = [number for x in operands if (number := uniform(x)) is not None]
        if len(same) == len(operands):
            return repeated(b.compute(op, same, type_.dtype), type_.shape)

        def at(index: Sequence[Position]) -> int:
            return b.compute(op, [b.element(x, index) for x in operands], type_.dtype)

        value = Lazy(type_, at, reads_of(operands))
        return value if type_.size > SMALL else b.numbers(value)

    def _moved(self, node: Node, operands: list[Elements]) -> Elements:
        """Elements at other places: a place where strides can say it."""
        b, attrs = self.builder, dict(node.attrs)
        first = operands[0]
        if OPS[node.op].kind is Kind.VIEW:
            one = uniform(first)
            if one is not None:
                return repeated(one, node.type.shape)
            if isinstance(first, Lazy) and node.type.size > SMALL:
                first = self._kept(first)
            viewed = first.viewed(node) if isinstance(first, Place) else None
            if viewed is not None and isinstance(first, Place):
                if first.loaded is None:
                    return b.early(viewed)
                loaded = OPS[node.op].reference(first.loaded, **attrs)
                return viewed._replace(loaded=loaded)
        b.require_small(node.type.shape)
        numbers = [b.numbers(operand) for operand in operands]
        return np.array(OPS[node.op].reference(*numbers, **attrs))

    def _kept(self, value: Elements, home: Place | None = None) -> Place:
        """What is computed once, and kept in its home or in a memory of its own."""
        place = home or self._scratch(type_of(self.builder, value))
        fill(self.builder, place, value)
        return place

    def _moved_home(self, value: Elements, home: Place | None) -> Elements:
        """A value where stores into it shall leave their result, if that is free."""
        if home is None or self.builder.is_written(value):
            return value
        return self.builder.next_version(self._kept(value, home))

    def _reduced(self, node: Node, x: Elements, *, axes: Sequence[int]) -> Elements:
        """A reduction, in order."""
        b, dtype = self.builder, node.type.dtype
        numbers = b.numbers(x)
        kept = [axis for axis in range(numbers.ndim) if axis not in axes]
        length = math.prod(numbers.shape[axis] for axis in axes)
        rows = numbers.transpose(*kept, *axes).reshape(node.type.size, length)
        op, wide = combination(node.op).op, accumulator(node.op, dtype)
        made: list[int] = []
        for row in rows:
            if not len(row):
                raise Unfit("a reduction of nothing")
            items = [int(x) for x in row]
            if wide != dtype:
                items = [b.compute("cast", [x], wide) for x in items]
            total = items[0]
            for item in items[1:]:
                total = b.compute(op, [total, item], wide)
            made.append(b.compute("cast", [total], dtype) if wide != dtype else total)
        return np.array(made, np.int64).reshape(node.type.shape)

    def _product(
        self, node: Node, x: Elements, y: Elements, z: Elements | None = None
    ) -> Elements:
        """A product of small matrices, and what is added to it."""
        b, type_ = self.builder, node.type
        rows, columns = b.numbers(x), b.numbers(y)
        inner = rows.shape[-1]
        if type_.size * inner > SMALL_PRODUCT or not inner:
            raise Unfit("a large product")
        made = np.empty(type_.shape, np.int64)
        for *stack, i, j in np.ndindex(type_.shape):
            at = tuple(stack)
            pairs = zip(rows[(*at, i)], columns[(*at, slice(None), j)], strict=True)
            terms = [b.compute("mul", [int(u), int(v)], type_.dtype) for u, v in pairs]
            made[(*at, i, j)] = reduce(
                lambda u, v: b.compute("add", [u, v], type_.dtype), terms
            )
        if z is None:
            return made
        return self._each("add", [made, b.numbers(z)], type_)

    def _take(self, node: Node, x: Elements, index: Elements, *, axis: int) -> Elements:
        """Rows at traced positions: a place if there is one position."""
        b = self.builder
        if not isinstance(x, Place):
            raise Unfit("a traced position in what is in registers")
        positions = b.numbers(index)
        b.current(x)
        rest = (*x.shape[:axis], *x.shape[axis + 1 :])
        places = [
            b.early(
                x.moved((axis,), (Position((int(i),)),))._replace(
                    type=node.type.with_shape(rest),
                    axes=(*x.axes[:axis], *x.axes[axis + 1 :]),
                )
            )
            for i in positions.flat
        ]
        if not positions.ndim:
            return places[0]
        b.require_small(node.type.shape)
        rows = np.stack([b.numbers(place) for place in places])
        rows = rows.reshape(*positions.shape, *rest)
        return np.moveaxis(
            rows, range(positions.ndim), range(axis, axis + positions.ndim)
        )

    def _slice_at(
        self,
        node: Node,
        x: Elements,
        *index: Elements,
        axes: Sequence[int],
        start: Sequence[int],
        shape: Sequence[int],
        step: Sequence[int],
    ) -> Elements:
        b = self.builder
        if not isinstance(x, Place):
            raise Unfit("a traced position in what is in registers")
        b.current(x)
        return b.early(target_of(b, x, index, axes, start, shape, step))

    def _store(
        self,
        node: Node,
        x: Elements,
        value: Elements,
        *index: Elements,
        axes: Sequence[int],
        start: Sequence[int],
        step: Sequence[int],
    ) -> Elements:
        """Write a few elements of a memory in place."""
        b = self.builder
        place = self.owned(x)
        shape = value.shape
        target = target_of(b, place, index, axes, start, shape, step)
        return self._write(place, target, value, adding=node.op == "add_at")

    def _write(
        self, place: Place, target: Place, value: Elements, adding: bool = False
    ) -> Place:
        """The next version of a place, of which a part is written."""
        b = self.builder
        for read in reads_of([value]):
            if read.memory == place.memory and not read.same_place(target):
                value = (
                    b.numbers(value) if target.type.size <= SMALL else self._kept(value)
                )
                break
        if adding:
            value = self._each("add", [target, value], target.type)
        fill(b, target, value)
        return b.next_version(place)

    def owned(self, value: Elements) -> Place:
        """A place that may be written over: the value's own, or a copy."""
        b = self.builder
        if isinstance(value, Place) and b.is_written(value):
            b.current(value)
            if not value.repeats:
                return value
        return b.next_version(self._kept(value))

    def _scratch(self, type_: TensorType) -> Place:
        """A memory that the kernel has for itself."""
        memory = self.builder.memory(type_)
        self.builder.scratch.append(memory)
        return whole_place(memory, type_)
