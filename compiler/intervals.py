"""Between which numbers the integers of a graph are, as far as that is plain to see.

What is not known may be any number that its dtype holds, and what may wrap is not
known. So an interval holds for the values as they are computed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, NamedTuple

from ..ir.graph import Graph, Node
from ..ir.ops.parts import split_operands
from ..ir.types import TensorType

__all__ = [
    "Interval",
    "Intervals",
    "counter_interval",
    "most_trips",
    "region_intervals",
]

MAX_DEPTH = 64  # of operands that are followed
MANY = 2**31 - 1  # iterations are not known by a dtype that holds more


class Interval(NamedTuple):
    """All integers from ``low`` to ``high``."""

    low: int
    high: int

    def within(self, low: int, high: int) -> bool:
        """Whether all of them are from ``low`` to ``high``."""
        return low <= self.low and self.high <= high

    def join(self, other: Interval) -> Interval:
        """The least interval that has both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


class Intervals:
    """The intervals of the integers of a graph, or of one that is being built.

    ``known`` has those of inputs, by name; more may be noted at any time, before they
    are asked for. Floats have no interval, and bools that of 0 and 1.

    >>> from anabranch.ir import parse
    >>> graph = parse('''
    ...     graph f(%t: i64[]) {
    ...       %two  = const() {value=2, dtype="i64"} : i64[]
    ...       %next = add(%t, %two)                  : i64[]
    ...       %rest = remainder(%next, %two)         : i64[]
    ...       return %next, %rest
    ...     }''')
    >>> found = Intervals(graph.nodes, {"t": Interval(0, 9)})
    >>> found.of(graph["next"]), found.of(graph["rest"])
    (Interval(low=2, high=11), Interval(low=0, high=1))
    """

    def __init__(
        self, nodes: Mapping[str, Node], known: Mapping[str, Interval] | None = None
    ) -> None:
        self._nodes = nodes
        self._found: dict[str, Interval] = dict(known or {})

    def note(self, node: Node, interval: Interval) -> None:
        """Let the interval of a value be known."""
        self._found[node.name] = interval

    def of(self, node: Node) -> Interval | None:
        """Between which numbers all elements are; None for floats."""
        if node.type.numpy.kind not in "iub":
            return None
        return self._of(node, MAX_DEPTH)

    def _of(self, node: Node, depth: int) -> Interval:
        found = self._found.get(node.name)
        if found is None:
            found = _all_of(node.type)
            if depth:
                made = self._computed(node, depth - 1)
                found = made if made is not None and made.within(*found) else found
                self._found[node.name] = found
        return found

    def _computed(self, node: Node, depth: int) -> Interval | None:
        """What the op makes of the intervals of its operands, before it wraps."""
        attrs: Any = node.attrs
        if node.op == "const":
            return Interval(int(attrs["value"]), int(attrs["value"]))
        if node.op == "iota":
            return Interval(0, max(attrs["shape"][attrs["axis"]] - 1, 0))
        operands = [self._nodes[name] for name in node.operands]
        if node.op in ("argsort", "argranked"):
            return Interval(0, max(operands[0].type.shape[-1] - 1, 0))
        if node.op == "searchsorted":
            return Interval(0, operands[0].type.shape[0])
        if node.op == "select":
            return self._selected(*operands, depth=depth)
        rule = _RULES.get(node.op)
        if rule is None or any(x.type.numpy.kind not in "iub" for x in operands):
            return None
        arrays = operands[:1] if node.op in _MOVES else operands
        found = rule(*(self._of(x, depth) for x in arrays))
        if node.op == "check" and found is not None:
            low = max(found.low, attrs["low"])
            return Interval(low, max(min(found.high, attrs["high"] - 1), low))
        return found

    def _selected(self, choice: Node, one: Node, other: Node, depth: int) -> Interval:
        """Either of two; of ``select(i < 0, i + n, i)`` each where it is chosen."""
        if one.type.numpy.kind not in "iub":
            return _all_of(one.type)
        first, second = self._of(one, depth), self._of(other, depth)
        if choice.op == "lt" and choice.operands[0] == other.name:
            i = second
            bound = self._of(self._nodes[choice.operands[1]], depth)
            if bound == Interval(0, 0):
                if i.low >= 0:
                    return i
                second = Interval(0, i.high) if i.high >= 0 else None
                shift = self._shift(one, other, depth)
                if shift is not None:
                    first = Interval(i.low + shift, min(i.high, -1) + shift)
                return first if second is None else first.join(second)
        return first.join(second)

    def _shift(self, moved: Node, node: Node, depth: int) -> int | None:
        """The number n of ``moved = node + n``."""
        if moved.op != "add" or moved.operands[0] != node.name:
            return None
        by = self._of(self._nodes[moved.operands[1]], depth)
        return by.low if by.low == by.high else None


def counter_interval(trips: int | None) -> Interval:
    """Of the counter of a loop, with so many iterations at most if that is known."""
    return Interval(0, 2**63 - 1 if trips is None else max(trips - 1, 0))


def most_trips(limit: Interval | None) -> int | None:
    """How many iterations there are at most, if the limit is known to be small."""
    if limit is None or limit.high >= MANY:
        return None
    return max(limit.high, 0)


def region_intervals(
    node: Node, region: Graph, graph: Graph, intervals: Intervals
) -> dict[str, Interval]:
    """Of the inputs of a region of ``node`` of ``graph``, where it takes operands.

    Nothing is said of others: rules of a `custom_vjp` take more than the operands.
    """
    if node.op not in ("cond", "loop", "checkpoint", "recompute"):
        return {}
    found = [intervals.of(graph[name]) for name in node.operands]
    if node.op != "loop":
        first = 1 if node.op == "cond" else 0
        pairs = zip(region.inputs, found[first:], strict=False)
        return {x.name: interval for x, interval in pairs if interval is not None}
    parts = split_operands(node.attrs, found)
    limit = parts.limit[0] if parts.limit else None
    trips: Any = node.attrs.get("trips")
    if limit is not None:
        high = max(limit.high, 0)
        trips = high if trips is None else min(trips, high)
    carried = [None for _ in parts.carried]
    inside = [counter_interval(trips), *parts._replace(carried=carried).taken]
    pairs = zip(region.inputs, inside, strict=True)
    return {x.name: interval for x, interval in pairs if interval is not None}


def _all_of(type_: TensorType) -> Interval:
    """Every number that a dtype holds."""
    if type_.dtype == "bool":
        return Interval(0, 1)
    bits = 8 * type_.numpy.itemsize
    if type_.dtype[0] == "u":
        return Interval(0, 2**bits - 1)
    return Interval(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _corners(of: Callable[[int, int], int]) -> Callable[..., Interval]:
    """The rule of an op that is greatest and least at ends of its operands."""

    def rule(x: Interval, y: Interval) -> Interval:
        found = [of(a, b) for a, b in product(x, y)]
        return Interval(min(found), max(found))

    return rule


def _remainder(x: Interval, y: Interval) -> Interval | None:
    """As in Python: the sign of the divisor."""
    if y.low <= 0:
        return None
    if x.low >= 0 and x.high < y.low:
        return x
    return Interval(0, y.high - 1)


def _floor_divide(x: Interval, y: Interval) -> Interval | None:
    return _corners(operator.floordiv)(x, y) if y.low > 0 else None


def _less(strictly: bool, swapped: bool = False) -> Callable[..., Interval]:
    """The rule of a comparison, whose interval is that of a bool."""

    def rule(x: Interval, y: Interval) -> Interval:
        x, y = (y, x) if swapped else (x, y)
        if x.high < y.low or (not strictly and x.high == y.low):
            return Interval(1, 1)
        if x.low > y.high or (strictly and x.low == y.high):
            return Interval(0, 0)
        return Interval(0, 1)

    return rule


def _equal(x: Interval, y: Interval) -> Interval:
    if x.high < y.low or y.high < x.low:
        return Interval(0, 0)
    return Interval(int(x.low == x.high == y.low == y.high), 1)


def _unequal(x: Interval, y: Interval) -> Interval:
    low, high = _equal(x, y)
    return Interval(1 - high, 1 - low)


def _abs(x: Interval) -> Interval:
    ends = abs(x.low), abs(x.high)
    return Interval(0 if x.low <= 0 <= x.high else min(ends), max(ends))


_MOVES = (
    *("identity", "reshape", "transpose", "broadcast_to", "slice", "slice_at"),
    *("take", "cast", "stop_gradient", "check", "reduce_max", "reduce_min"),
)
_RULES: dict[str, Callable[..., Interval | None]] = {
    **dict.fromkeys(_MOVES, lambda x: x),
    "concatenate": lambda *parts: Interval(
        min(part.low for part in parts), max(part.high for part in parts)
    ),
    "add": lambda x, y: Interval(x.low + y.low, x.high + y.high),
    "sub": lambda x, y: Interval(x.low - y.high, x.high - y.low),
    "neg": lambda x: Interval(-x.high, -x.low),
    "mul": _corners(operator.mul),
    "maximum": _corners(max),
    "minimum": _corners(min),
    "remainder": _remainder,
    "floor_divide": _floor_divide,
    "abs": _abs,
    "lt": _less(True),
    "le": _less(False),
    "gt": _less(True, swapped=True),
    "ge": _less(False, swapped=True),
    "eq": _equal,
    "ne": _unequal,
}
