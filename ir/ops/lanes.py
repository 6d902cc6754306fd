"""Graphs with one axis of their values moved behind the others.

Vectors go along the last axis. Where examples are many and what each has is small, such
as three points in a plane, the axis of examples is the one that is long. `lanes_last`
moves it there, in all values that have it, by what each op says about its axes; values
keep their numbers, and sums over other axes their order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from .mapped import Along, rule_of
from .spec import OPS, Kind

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

Shape: TypeAlias = tuple[int, ...]

__all__ = ["lanes_last", "turned", "turned_back"]

NARROW = 16  # a last axis shorter than this is worth a move
MANY = 32  # and so many examples


class _Unmoved(Exception):
    """The axis is not moved: an op needs it where it is."""


def turned(b: Builder, x: Node, axis: int = 0) -> Node:
    """``x`` with an axis behind the others."""
    rest = [other for other in range(x.type.rank) if other != axis]
    return b.transpose(x, (*rest, axis))


def turned_back(b: Builder, x: Node, axis: int = 0) -> Node:
    """``x`` with its last axis at another place."""
    rest = list(range(x.type.rank - 1))
    return b.transpose(x, (*rest[:axis], x.type.rank - 1, *rest[axis:]))


def lanes_last(
    graph: Graph, mapped: Sequence[bool], results: Sequence[bool], size: int
) -> Graph | None:
    """The graph with the first axis of its ``mapped`` inputs, of ``size``, last.

    So have those of its ``results`` that are mapped. None where an op cannot take
    it there, or where no vector would be longer for it.
    """
    from ..builder import Builder

    if size < MANY:
        return None
    b = Builder(graph.name, reserved=graph.nodes)
    walk = _Walk(b, size)
    for node, one in zip(graph.inputs, mapped, strict=True):
        if one:
            shape = node.type.shape[1:]
            walk.narrow |= len(shape) > 0 and shape[-1] < NARROW
            walk.wide |= len(shape) > 0 and shape[-1] >= NARROW
            made = b.append(node._replace(type=node.type.with_shape((*shape, size))))
            walk.keep(node, made, 0)
        else:
            walk.keep(node, b.append(node), None)
    try:
        for node in graph:
            if node.op != "input":
                walk.add(node)
        if walk.wide or not walk.narrow:
            return None
        b.section = len(graph.sections)
        pairs = zip(graph.outputs, results, strict=True)
        outputs = [
            output._replace(value=walk.result(output.value, one).name)
            for output, one in pairs
        ]
    except _Unmoved:
        return None
    return b.build(outputs, graph.sections)


class _Walk:
    """The graph as it is made: for each value of the other one, where its axis was."""

    def __init__(self, b: Builder, size: int) -> None:
        self.b, self.size = b, size
        self.values: dict[str, Node] = {}
        self.places: dict[str, int | None] = {}
        self.shapes: dict[str, Shape] = {}
        self.narrow = self.wide = False

    def keep(self, old: Node, new: Node, place: int | None) -> None:
        self.values[old.name], self.places[old.name] = new, place
        self.shapes[old.name] = old.type.shape

    def add(self, node: Node) -> None:
        b = self.b
        b.section, b.source = node.section, node.source
        places = [self.places[name] for name in node.operands]
        if all(place is None for place in places):
            names = tuple([self.values[name].name for name in node.operands])
            for value in b.append(node.reading(names)).values:
                self.keep(value, value, None)
            return
        if node.regions:
            self._add_regions(node, places)
            return
        self._add_moved(node, places)

    def result(self, name: str, is_mapped: bool) -> Node:
        """The value that is returned: with the axis last if it is mapped."""
        value, place = self.values[name], self.places[name]
        if is_mapped and place is None:
            return turned(self.b, value)
        if place != (0 if is_mapped else None):
            raise _Unmoved
        return value

    def _add_regions(self, node: Node, places: Sequence[int | None]) -> None:
        """A loop or a choice whose values have the axis last already."""
        for name, place in zip(node.operands, places, strict=True):
            if place is not None and place != len(self.shapes[name]) - 1:
                raise _Unmoved
        names = tuple([self.values[name].name for name in node.operands])
        for value in self.b.append(node.reading(names)).values:
            last = value.type.rank - 1
            is_moved = last >= 0 and value.type.shape[last] == self.size
            self.keep(value, value, last if is_moved else None)

    def _add_moved(self, node: Node, places: Sequence[int | None]) -> None:
        place = next(place for place in places if place is not None)
        first = places.index(place)
        shape = self.shapes[node.operands[first]]
        data = _DATA.get(node.op, range(len(node.operands)))
        operands: list[Node] = []
        for slot, name in enumerate(node.operands):
            value, at = self.values[name], places[slot]
            if slot in data and at is None:
                if self.shapes[name][place : place + 1] != shape[place : place + 1]:
                    raise _Unmoved
                value, at = turned(self.b, value, place), place
            if at != (place if slot in data else None):
                raise _Unmoved
            operands.append(value)
        attrs, end = _moved(node, place, shape)
        made = self.b.add_node(node.op, *operands, reads=node.reads, **attrs)
        self.b.suggest(made, node.name)
        self.keep(node, made, end)
        rest = made.type.shape[:-1]
        if end is not None and rest:
            self.narrow |= rest[-1] < NARROW
            self.wide |= rest[-1] >= NARROW


def _moved(node: Node, place: int, shape: Shape) -> tuple[dict[str, Any], int | None]:
    """The attributes of a node with the axis last, and where it was in the value."""
    attrs = dict(node.attrs)
    own = _OWN.get(node.op)
    if own is not None:
        return own(attrs, place, shape)
    rule = rule_of(OPS[node.op])
    if isinstance(rule, Along) and rule.anywhere:
        names = rule.names
    elif node.op in _DATA and place == 0:  # in front of all that has positions
        names = tuple(attrs.keys() - {"size"})
    else:
        raise _Unmoved
    attrs |= {name: _MOVED[name](attrs[name], place, len(shape)) for name in names}
    if OPS[node.op].kind is Kind.REDUCTION:
        axes: Any = node.attrs["axes"]
        before = sum(axis < place for axis in axes)
        return attrs, None if place in axes else place - before
    if node.op in ("argmax", "argmin"):
        axis: Any = node.attrs["axis"]
        return attrs, place - (axis < place)
    return attrs, place


def _axis(axis: int, place: int, rank: int) -> int:
    """Where an axis is when that at ``place`` is the last one."""
    return rank - 1 if axis == place else axis - (axis > place)


def _other(axis: int, place: int, rank: int) -> int:
    if axis == place:
        raise _Unmoved
    return _axis(axis, place, rank)


def _entries(values: Shape, place: int, rank: int) -> Shape:
    """What is said of each axis."""
    return (*values[:place], *values[place + 1 :], values[place])


_MOVED: dict[str, Callable[[Any, int, int], Any]] = {
    "axis": _other,
    "axes": lambda axes, *to: tuple(sorted([_axis(axis, *to) for axis in axes])),
    **dict.fromkeys(("shape", "start", "step", "low", "high", "interior"), _entries),
}
"""What attributes are whose names `Along` has, but for those of `_OWN`."""


def _reshaped(
    attrs: dict[str, Any], place: int, shape: Shape
) -> tuple[dict[str, Any], int]:
    """The axis stays whole where it is the first one or the last one of both shapes."""
    made = attrs["shape"]
    end = 0 if place == 0 else len(made) - 1
    if place not in (0, len(shape) - 1) or not made or made[end] != shape[place]:
        raise _Unmoved
    return {"shape": _entries(made, end, len(made))}, end


def _transposed(
    attrs: dict[str, Any], place: int, shape: Shape
) -> tuple[dict[str, Any], int]:
    perm, rank = attrs["perm"], len(shape)
    end = perm.index(place)
    moved = [_axis(axis, place, rank) for axis in perm]
    return {"perm": _entries(tuple(moved), end, rank)}, end


def _broadcast(
    attrs: dict[str, Any], place: int, shape: Shape
) -> tuple[dict[str, Any], int]:
    made = attrs["shape"]
    end = place + len(made) - len(shape)
    return {"shape": _entries(made, end, len(made))}, end


_OWN: dict[str, Callable[..., tuple[dict[str, Any], int]]] = {
    "reshape": _reshaped,
    "transpose": _transposed,
    "broadcast_to": _broadcast,
}
_DATA: dict[str, tuple[int, ...]] = {
    "take": (0,),
    "scatter_add": (0,),
    "put": (0, 1),
    "slice_at": (0,),
    "update_at": (0, 1),
    "add_at": (0, 1),
}
"""The operands that have the axis; the others are positions, which all share."""
