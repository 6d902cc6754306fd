"""Places of the values that the body of a scalar loop reads and stores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ....ir.graph import Graph
from ....ir.ops import OPS, Kind
from ....ir.ops.parts import split_operands
from ....ir.types import TensorType
from .elements import SMALL, Elements, Lazy, Place, Position, Unfit, repeated, uniform
from .scalar_builder import Builder

__all__ = ["begun_at_home", "row_of", "target_of", "type_of"]


def begun_at_home(
    graph: Graph, homes: Mapping[str, Place]
) -> Iterator[tuple[tuple[str, int], Place]]:
    """Where a row of stores begins whose last result has a home.

    That is a node and the slot in which it takes the array that it writes over.
    """
    for name, home in homes.items():
        link: tuple[str, int] | None = None
        while True:
            node, slot = graph[name], 0
            if node.op == "loop":
                parts = split_operands(node.attrs, range(len(node.operands)))
                number = node.names.index(name)
                if number >= len(parts.carried):
                    break
                slot = parts.carried[number]
            elif OPS[node.op].kind is not Kind.STORE:
                break
            link, name = (node.name, slot), node.operands[slot]
        if link is not None and home.type.size > SMALL:
            yield link, home


def row_of(value: Elements, counter: int) -> Elements:
    """What a row of a stacked value is."""
    if isinstance(value, Place):
        return value.row(counter)
    number = uniform(value)
    if number is not None:
        return repeated(number, value.shape[1:])
    raise Unfit("rows of what is in registers")


def type_of(b: Builder, value: Elements) -> TensorType:
    """The type of a value."""
    if isinstance(value, (Place, Lazy)):
        return value.type
    return TensorType(b.types[int(value.flat[0])], value.shape)


def target_of(
    b: Builder,
    place: Place,
    index: Sequence[Elements],
    axes: Sequence[int],
    start: Sequence[int],
    shape: Sequence[int],
    step: Sequence[int],
) -> Place:
    """The places of a slice at traced positions."""
    every = [Position((), by) for by in start]
    for axis, position in zip(axes, index, strict=False):
        every[axis] = every[axis].plus(0, b.number(position))
    moved = place.moved(range(len(every)), every)
    steps = zip(place.axes, step, strict=True)
    return moved._replace(
        type=place.type.with_shape(tuple(shape)),
        axes=tuple(along and (along[0], along[1] * by) for along, by in steps),
    )
