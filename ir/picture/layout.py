"""Where the nodes of a graph's picture stand.

Each section of the graph has a pane. The forward part flows down on the left; an
adjoint section flows up beside it, with a cotangent in the row of its value, so that
the picture folds where the loss is. Rows are longest paths and the order in a row
follows the barycentres of the neighbours (Sugiyama, Tagawa and Toda 1981); positions
are least squares subject to the order (pool adjacent violators). An edge within a
pane that passes a few rows is a *lane* and has room of its own in each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import networkx as nx

from ..graph import Graph

__all__ = ["Edge", "Lane", "Places", "Size", "place"]

LONGEST_LANE = 6
SWEEPS, LAST_SWEEPS = 24, 8
NODE_GAP, LANE_GAP, PIN_GAP = 22.0, 10.0, 22.0
LANE_WEIGHT = 8.0


@dataclass(frozen=True, slots=True)
class Size:
    """How far a node's drawing reaches from its anchor, and how high it is."""

    left: float
    right: float
    height: float


@dataclass(frozen=True, slots=True)
class Edge:
    """One read: the consumer's slot."""

    source: str
    target: str
    slot: int


@dataclass(frozen=True, slots=True)
class Lane:
    """Where an edge passes a row on its way."""

    edge: Edge
    row: int


Item: TypeAlias = "str | Lane"


class Places:
    """The row of each node, and the position of each node and lane in its pane."""

    def __init__(self, graph: Graph, sizes: Mapping[str, Size]) -> None:
        self.graph = graph
        self.sizes = sizes
        self.rows = _rows(graph)
        self.row_count = max(self.rows.values(), default=-1) + 1
        self.x: dict[Item, float] = {}
        self.lanes: dict[Edge, list[Lane]] = {}
        self.others: list[Edge] = []
        self.panes: list[dict[int, list[Item]]] = [
            {} for _ in range(len(graph.sections) + 1)
        ]
        self._above: dict[Item, list[tuple[Item, float]]] = {}
        self._below: dict[Item, list[tuple[Item, float]]] = {}

    def left(self, item: Item) -> float:
        """How far an item reaches to the left of its position."""
        return self.sizes[item].left if isinstance(item, str) else 0.0

    def right(self, item: Item) -> float:
        """How far an item reaches to the right of its position."""
        return self.sizes[item].right if isinstance(item, str) else 0.0

    def pin(self, edge: Edge) -> float:
        """Where a slot is on the side of its node, relative to the node's position."""
        size, slots = self.sizes[edge.target], len(self.graph[edge.target].operands)
        room = 2 * min(size.left, size.right) - 12
        return (edge.slot - (slots - 1) / 2) * min(PIN_GAP, room / max(slots - 1, 1))

    def connect(self, edge: Edge) -> None:
        """Give a short edge within a pane its lanes; keep every other one apart."""
        pane = self.graph[edge.target].section
        start, end = self.rows[edge.source], self.rows[edge.target]
        inside = self.graph[edge.source].section == pane
        if not inside or abs(end - start) > LONGEST_LANE:
            self.others.append(edge)
            return
        step = 1 if end > start else -1
        lanes = [Lane(edge, row) for row in range(start + step, end, step)]
        for lane in lanes:
            self.panes[pane].setdefault(lane.row, []).append(lane)
        self.lanes[edge] = lanes
        chain: list[Item] = [edge.source, *lanes, edge.target]
        first, second = (self._below, self._above)[::step]
        for index, (one, other) in enumerate(pairwise(chain)):
            pin = self.pin(edge) if index == len(lanes) else 0.0
            first.setdefault(one, []).append((other, pin))
            second.setdefault(other, []).append((one, -pin))

    def arrange(self, pane: dict[int, list[Item]]) -> None:
        """Order and position the items of one pane."""
        for items in pane.values():
            self._settle(items, [0.0] * len(items))
        for sweep in range(SWEEPS):
            last = sweep >= SWEEPS - LAST_SWEEPS
            sides = (self._above, self._below)
            if not last:
                sides = (sides[sweep % 2],)
            for row in sorted(pane, reverse=sweep % 2 == 1):
                items = pane[row]
                wishes = {item: self._wish(item, sides) for item in items}
                if not last:
                    items.sort(key=wishes.__getitem__)
                self._settle(items, [wishes[item] for item in items])

    def _wish(
        self, item: Item, sides: Sequence[Mapping[Item, list[tuple[Item, float]]]]
    ) -> float:
        """The barycentre of an item's neighbours; in the end, a straight lane."""
        if isinstance(item, Lane) and len(sides) == 2:
            lanes = self.lanes[item.edge]
            return sum(self.x[lane] for lane in lanes) / len(lanes)
        found = [
            self.x[other] + pin for side in sides for other, pin in side.get(item, ())
        ]
        return sum(found) / len(found) if found else self.x[item]

    def _settle(self, items: Sequence[Item], wishes: Sequence[float]) -> None:
        """Set the positions nearest to ``wishes`` that keep order and distances."""
        offsets = [0.0]
        for one, other in pairwise(items):
            lanes = isinstance(one, Lane) and isinstance(other, Lane)
            room = self.right(one) + self.left(other)
            offsets.append(offsets[-1] + room + (LANE_GAP if lanes else NODE_GAP))
        blocks: list[tuple[float, float, int]] = []
        for item, wish, offset in zip(items, wishes, offsets, strict=True):
            mean, count = wish - offset, 1
            weight = LANE_WEIGHT if isinstance(item, Lane) else 1.0
            while blocks and blocks[-1][0] >= mean:
                before, heavy, more = blocks.pop()
                mean = (mean * weight + before * heavy) / (weight + heavy)
                weight, count = weight + heavy, count + more
            blocks.append((mean, weight, count))
        means = [mean for mean, _, count in blocks for _ in range(count)]
        for item, mean, offset in zip(items, means, offsets, strict=True):
            self.x[item] = mean + offset


def place(graph: Graph, sizes: Mapping[str, Size]) -> Places:
    """Place the nodes of ``graph``, which are drawn in the given ``sizes``."""
    places = Places(graph, sizes)
    for node in graph:
        places.panes[node.section].setdefault(places.rows[node.name], [])
        places.panes[node.section][places.rows[node.name]].append(node.name)
    for node in graph:
        for slot, operand in enumerate(node.operands):
            places.connect(Edge(graph.maker(operand), node.name, slot))
    for pane in places.panes:
        places.arrange(pane)
    return places


def _rows(graph: Graph) -> dict[str, int]:
    """The row of each node: a longest path, a cotangent level with its value."""
    mates: dict[str, str] = {}
    for section in graph.sections[:1]:
        for name, node in graph.nodes.items():
            cotangent = section.cotangent(name)
            if not node.section and cotangent in graph:
                mates[graph.maker(cotangent)] = graph.maker(name)
    order = _order(graph, mates)
    if not nx.is_directed_acyclic_graph(order):
        mates = {}
        order = _order(graph, mates)
    rows: dict[str, int] = {}
    for depth, generation in enumerate(nx.topological_generations(order)):
        rows.update(dict.fromkeys(generation, depth))
    _tighten(order, rows)
    found = {node.name: rows[mates.get(node.name, node.name)] for node in graph}
    for node in graph:
        if not order.degree(mates.get(node.name, node.name)):
            reads = [read for name in node.names for read in graph.reads[name]]
            near = [found[read.consumer] for read in reads]
            near += [found[graph.maker(operand)] for operand in node.operands]
            found[node.name] = min(near, default=0)
    return found


def _tighten(order: Any, rows: dict[str, int]) -> None:
    """Move down what depends on one source alone, and the leaves below it.

    Such a node, an input or what is made of one, stands next to its first consumer.
    """
    names = list(nx.topological_sort(order))
    roots: dict[str, str | None] = {}
    for name in names:
        found = {roots[above] for above in order.predecessors(name)} or {name}
        roots[name] = found.pop() if len(found) == 1 else None
    for name in reversed(names):
        below = list(order.successors(name))
        if below and roots[name]:
            inner = [rows[other] for other in below if order.out_degree(other)]
            rows[name] = min(inner or [rows[other] for other in below]) - 1
    for name in names:
        if order.in_degree(name) and not order.out_degree(name):
            rows[name] = max(rows[above] for above in order.predecessors(name)) + 1


def _order(graph: Graph, mates: Mapping[str, str]) -> Any:
    """Who stands above whom: producers, but consumers in a section that flows up."""
    order: Any = nx.DiGraph()
    order.add_nodes_from(mates.get(node.name, node.name) for node in graph)
    for node in graph:
        for operand in graph.operands(node):
            if operand.section == node.section:
                pair = [graph.maker(operand.name), node.name]
                pair = [mates.get(name, name) for name in pair]
                order.add_edge(*(reversed(pair) if node.section % 2 else pair))
    return order
