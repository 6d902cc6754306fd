"""Where the nodes and the edges of a graph's picture go.

Each section of the graph has a pane. The forward part flows down on the left; an
adjoint section flows up beside it, with a cotangent in the row of its value, so that
the picture folds where the loss is. Rows are longest paths (Sugiyama, Tagawa and Toda
1981), the order in a row follows the barycentres of the neighbours, and positions are
least squares subject to the order (pool adjacent violators). An edge of a few rows is
a *lane* that keeps its room in the rows that it passes. All other edges of one value
share a *trunk* between the panes, and run to it along the gaps between rows: no edge
passes behind a box. The time is linear but for sorting, and the result depends on the
graph alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import networkx as nx

from .graph import Graph

__all__ = ["Layout", "Size", "Wire", "layout"]

LONGEST_LANE = 6
SWEEPS = 24
NODE_GAP, LANE_GAP, PIN_GAP = 22.0, 10.0, 22.0
ROW_GAP, TRACK, MARGIN = 30.0, 7.0, 24.0
LANE_WEIGHT = 8.0

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Size:
    """How far a node's drawing reaches from its anchor, and how high it is."""

    left: float
    right: float
    height: float


@dataclass(frozen=True, slots=True)
class Wire:
    """One edge: ``points`` from the producer to the consumer's slot.

    A ``trunk`` wire turns at right angles at its points; a lane bends between them.
    """

    source: str
    target: str
    points: tuple[Point, ...]
    trunk: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The anchor of each node, the wires, and the size of it all."""

    anchors: Mapping[str, Point]
    wires: tuple[Wire, ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Edge:
    source: str
    target: str
    slot: int


def layout(graph: Graph, sizes: Mapping[str, Size]) -> Layout:
    """Lay out ``graph``, whose nodes have the given ``sizes``."""
    return _Layouter(graph, sizes).run()


def _rows(graph: Graph) -> dict[str, int]:
    """The row of each node: a longest path; cotangents level with their values."""
    mates = {
        f"{node.name}.{section.suffix}": node.name
        for section in graph.sections[:1]
        for node in graph
        if node.section == 0
    }
    order = _order(graph, mates)
    if not nx.is_directed_acyclic_graph(order):
        mates = {}
        order = _order(graph, mates)
    rows: dict[str, int] = {}
    for depth, generation in enumerate(nx.topological_generations(order)):
        rows.update(dict.fromkeys(generation, depth))
    for name in order:
        if not order.in_degree(name) and order.out_degree(name):
            rows[name] = min(rows[below] for below in order.successors(name)) - 1
    found = {node.name: rows[mates.get(node.name, node.name)] for node in graph}
    for node in graph:
        if not order.degree(mates.get(node.name, node.name)):
            reads = graph.reads[node.name]
            near = [found[read.consumer] for read in reads]
            near += [found[operand] for operand in node.operands]
            found[node.name] = min(near, default=0)
    return found


def _order(graph: Graph, mates: Mapping[str, str]) -> Any:
    """Who stands above whom: producers, but consumers in a section that flows up."""
    order: Any = nx.DiGraph()
    order.add_nodes_from(mates.get(node.name, node.name) for node in graph)
    for node in graph:
        for operand in graph.operands(node):
            if operand.section == node.section:
                pair = [mates.get(name, name) for name in (operand.name, node.name)]
                order.add_edge(*(reversed(pair) if node.section % 2 else pair))
    return order


class _Layouter:
    """The state of one layout. Items are nodes by name and lanes by (edge, row)."""

    def __init__(self, graph: Graph, sizes: Mapping[str, Size]) -> None:
        self.graph = graph
        self.sizes = dict(sizes)
        self.rows = _rows(graph)
        self.count = max(self.rows.values(), default=-1) + 1
        self.x: dict[Any, float] = {}
        self.grid: dict[tuple[int, int], list[Any]] = {}
        self.above: dict[Any, list[tuple[Any, float]]] = {}
        self.below: dict[Any, list[tuple[Any, float]]] = {}
        self.lanes: dict[_Edge, list[Any]] = {}
        self.nets: dict[tuple[str, int], list[_Edge]] = {}

    def run(self) -> Layout:
        for node in self.graph:
            key = node.section, self.rows[node.name]
            self.grid.setdefault(key, []).append(node.name)
        for node in self.graph:
            for slot, operand in enumerate(node.operands):
                self._edge(_Edge(operand, node.name, slot))
        for pane in range(len(self.graph.sections) + 1):
            self._place(pane)
        trunks, used = self._trunks()
        width = self._spread(used)
        return self._draw(trunks, width)

    def _edge(self, edge: _Edge) -> None:
        """Give a short edge a lane, and every other one a place in a net."""
        pane = self.graph[edge.target].section
        start, end = self.rows[edge.source], self.rows[edge.target]
        inside = self.graph[edge.source].section == pane
        if not inside or abs(end - start) > LONGEST_LANE:
            self.nets.setdefault((edge.source, pane), []).append(edge)
            return
        step = 1 if end > start else -1
        passed = [(edge, row) for row in range(start + step, end, step)]
        for item in passed:
            self.grid.setdefault((pane, item[1]), []).append(item)
        self.lanes[edge] = passed
        chain: list[Any] = [edge.source, *passed, edge.target]
        for one, other in zip(chain, chain[1:], strict=False):
            pin = self._pin(edge) if other is edge.target else 0.0
            upper, lower = (self.below, self.above)[:: 1 if step > 0 else -1]
            upper.setdefault(one, []).append((other, pin))
            lower.setdefault(other, []).append((one, -pin))

    def _pin(self, edge: _Edge) -> float:
        """Where a slot is on the side of its node, relative to the anchor."""
        size, slots = self.sizes[edge.target], len(self.graph[edge.target].operands)
        room = 2 * min(size.left, size.right) - 16
        step = min(PIN_GAP, room / max(slots - 1, 1))
        return (edge.slot - (slots - 1) / 2) * step

    def _place(self, pane: int) -> None:
        """Order and position the items of one pane, from its left edge at 0."""
        rows = [row for row in range(self.count) if (pane, row) in self.grid]
        for row in rows:
            items = self.grid[pane, row]
            self._settle(items, [0.0] * len(items))
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            last = sweep >= SWEEPS - 8
            for row in rows if down else reversed(rows):
                items = self.grid[pane, row]
                wishes = {item: self._wish(item, down, last) for item in items}
                if not last:
                    items.sort(key=lambda item: wishes[item])
                self._settle(items, [wishes[item] for item in items])
        left = min(
            (
                self.x[i] - self._size(i).left
                for row in rows
                for i in self.grid[pane, row]
            ),
            default=0.0,
        )
        for row in rows:
            for item in self.grid[pane, row]:
                self.x[item] -= left

    def _wish(self, item: Any, down: bool, both: bool) -> float:
        """The barycentre of the neighbours above or below, or of both."""
        sides = (self.above, self.below)
        found: list[float] = []
        for side in sides if both else sides[:1] if down else sides[1:]:
            found += [self.x[other] + pin for other, pin in side.get(item, ())]
        return sum(found) / len(found) if found else self.x[item]

    def _size(self, item: Any) -> Size:
        return self.sizes.get(item) or Size(0.0, 0.0, 0.0)

    def _settle(self, items: Sequence[Any], wishes: Sequence[float]) -> None:
        """The positions nearest to ``wishes`` that keep order and distances."""
        offsets: list[float] = []
        for before, item in zip([None, *items], items, strict=False):
            if before is None:
                offsets.append(0.0)
                continue
            both_lanes = before not in self.sizes and item not in self.sizes
            room = self._size(before).right + self._size(item).left
            gap = LANE_GAP if both_lanes else NODE_GAP
            offsets.append(offsets[-1] + room + gap)
        blocks: list[tuple[float, float, int]] = []
        for item, wish, offset in zip(items, wishes, offsets, strict=True):
            weight = 1.0 if item in self.sizes else LANE_WEIGHT
            mean, count = wish - offset, 1
            while blocks and blocks[-1][0] >= mean:
                other, heavy, more = blocks.pop()
                mean = (mean * weight + other * heavy) / (weight + heavy)
                weight, count = weight + heavy, count + more
            blocks.append((mean, weight, count))
        means = [mean for mean, _, count in blocks for _ in range(count)]
        for item, mean, offset in zip(items, means, offsets, strict=True):
            self.x[item] = mean + offset

    def _gap(self, name: str, leaving: bool) -> int:
        """The gap above (``row``) or below (``row + 1``) that a node's edges use."""
        up = self.graph[name].section % 2 == 1
        return self.rows[name] + (1 if leaving != up else 0)

    def _trunks(self) -> tuple[dict[tuple[str, int], int | None], int]:
        """The vertical track of each net, None for one within a gap; their number."""
        spans: dict[tuple[str, int], tuple[float, float]] = {}
        for key, edges in self.nets.items():
            gaps = [self._gap(key[0], True)]
            gaps += [self._gap(edge.target, False) for edge in edges]
            if min(gaps) < max(gaps):
                spans[key] = float(min(gaps)), float(max(gaps))
        tracks, used = _tracks(spans)
        return {key: tracks.get(key) for key in self.nets}, used

    def _spread(self, used: int) -> float:
        """Set the panes side by side with the trunks after the first; the width."""
        edge, self.trunk_x = MARGIN, 0.0
        for pane in range(len(self.graph.sections) + 1):
            rows = [r for r in range(self.count) if (pane, r) in self.grid]
            items = [item for row in rows for item in self.grid[pane, row]]
            for item in items:
                self.x[item] += edge
            edge = max([self.x[i] + self._size(i).right for i in items], default=edge)
            edge += MARGIN
            if pane == 0:
                self.trunk_x = edge
                edge += used * TRACK + (MARGIN if used else 0.0)
        return edge

    def _draw(
        self, trunks: Mapping[tuple[str, int], int | None], width: float
    ) -> Layout:
        """Heights of gaps and rows, and with them every point."""
        spans: dict[int, dict[tuple[str, int], tuple[float, float]]] = {}
        for key, edges in self.nets.items():
            ends = [(self._gap(key[0], True), self.x[key[0]])]
            ends += [
                (self._gap(e.target, False), self.x[e.target] + self._pin(e))
                for e in edges
            ]
            track = trunks[key]
            for gap, x in ends:
                far = x if track is None else self.trunk_x + track * TRACK
                low, high = spans.setdefault(gap, {}).get(key, (x, x))
                spans[gap][key] = min(low, x, far), max(high, x, far)
        gap_tracks = {gap: _tracks(found) for gap, found in spans.items()}
        heights = [
            max(
                (
                    self.sizes[n.name].height
                    for n in self.graph
                    if self.rows[n.name] == r
                ),
                default=0.0,
            )
            for r in range(self.count)
        ]
        return self._points(trunks, gap_tracks, heights, width)
