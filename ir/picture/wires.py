"""How the edges of a graph's picture run, and with them how large it is.

An edge with lanes bends from row to row. All other edges of one value make a *net*:
they share a trunk beside the first pane and run to it along the gaps between rows.
Lines that would lie on each other are moved to tracks of their own, so no edge passes
behind a box and no two nets run together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TypeAlias, TypeVar

from ..graph import Graph
from .layout import Edge, Places, Size, place

__all__ = ["Layout", "Wire", "layout"]

ROW_GAP, TRACK, MARGIN = 30.0, 7.0, 24.0

Point: TypeAlias = tuple[float, float]
Net: TypeAlias = tuple[str, int]
"""The value, and the section of the consumers."""

_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Wire:
    """An edge through ``points``: with ``trunk`` at right angles, else in bends."""

    edge: Edge
    points: tuple[Point, ...]
    trunk: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """The anchor of each node, the wires, and the size of it all."""

    anchors: Mapping[str, Point]
    wires: tuple[Wire, ...]
    width: float
    height: float


def layout(graph: Graph, sizes: Mapping[str, Size]) -> Layout:
    """Lay out ``graph``, whose nodes are drawn in the given ``sizes``."""
    places = place(graph, sizes)
    router = _Router(places)
    wires = [router.lane(edge) for edge in places.lanes]
    wires += [router.branch(net, edge) for net, edge in router.edges()]
    anchors = {
        node.name: (places.x[node.name], router.middle(node.name)) for node in graph
    }
    return Layout(anchors, tuple(wires), router.width, router.height)


class _Router:
    """Sets the panes side by side and the rows below each other."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.nets: dict[Net, list[Edge]] = {}
        for edge in places.others:
            net = edge.source, places.graph[edge.target].section
            self.nets.setdefault(net, []).append(edge)
        trunks, count = _tracks(self._trunk_spans())
        self.trunks = trunks
        self._panes(count)
        spans: dict[int, dict[Net, tuple[float, float]]] = {}
        for net, edge in self.edges():
            for gap, x in self._ends(edge):
                far = self._trunk(net, x)
                low, high = spans.setdefault(gap, {}).get(net, (x, x))
                spans[gap][net] = min(low, x, far), max(high, x, far)
        self.tracks = {gap: _tracks(found) for gap, found in spans.items()}
        self._heights()

    def edges(self) -> Iterator[tuple[Net, Edge]]:
        """The edges without lanes, net by net."""
        return ((net, edge) for net, edges in self.nets.items() for edge in edges)

    def middle(self, name: str) -> float:
        """The height at which a node is centred."""
        row = self.places.rows[name]
        return (self.tops[row] + self.bottoms[row]) / 2

    def lane(self, edge: Edge) -> Wire:
        """An edge through its lanes, straight within a row."""
        x = self.places.x
        points = [self._port(edge.source, 0.0, leaving=True)]
        for lane in self.places.lanes[edge]:
            ends = [(x[lane], self.tops[lane.row]), (x[lane], self.bottoms[lane.row])]
            points += ends[::-1] if self._up(edge.target) else ends
        points.append(self._port(edge.target, self.places.pin(edge), leaving=False))
        return Wire(edge, tuple(points), trunk=False)

    def branch(self, net: Net, edge: Edge) -> Wire:
        """An edge along its gaps and the trunk of its net."""
        (first, start), (second, end) = self._ends(edge)
        y, z = self._track(first, net), self._track(second, net)
        far = self._trunk(net, end)
        points = [
            self._port(edge.source, 0.0, leaving=True),
            (start, y),
            (far, y),
            (far, z),
            (end, z),
            self._port(edge.target, self.places.pin(edge), leaving=False),
        ]
        return Wire(edge, tuple(dict.fromkeys(points)), trunk=True)

    def _up(self, name: str) -> bool:
        return self.places.graph[name].section % 2 == 1

    def _port(self, name: str, pin: float, *, leaving: bool) -> Point:
        """Where an edge meets a node."""
        half = self.places.sizes[name].height / 2
        below = leaving != self._up(name)
        return self.places.x[name] + pin, self.middle(name) + (half if below else -half)

    def _gap(self, name: str, *, leaving: bool) -> int:
        """The gap next to a node that its edges use; gap k is above row k."""
        return self.places.rows[name] + (1 if leaving != self._up(name) else 0)

    def _ends(self, edge: Edge) -> tuple[tuple[int, float], tuple[int, float]]:
        """The gap and the position at which an edge comes to either end."""
        x, pin = self.places.x, self.places.pin(edge)
        return (
            (self._gap(edge.source, leaving=True), x[edge.source]),
            (self._gap(edge.target, leaving=False), x[edge.target] + pin),
        )

    def _trunk(self, net: Net, otherwise: float) -> float:
        track = self.trunks.get(net)
        return otherwise if track is None else self.trunk_left + track * TRACK

    def _track(self, gap: int, net: Net) -> float:
        """The height of a net's line in a gap."""
        top = self.bottoms[gap - 1] if gap else 0.0
        return top + ROW_GAP / 2 + self.tracks[gap][0][net] * TRACK

    def _trunk_spans(self) -> dict[Net, tuple[float, float]]:
        """The gaps that each trunk connects; a net within one gap needs none."""
        spans: dict[Net, tuple[float, float]] = {}
        for net, edges in self.nets.items():
            gaps = [self._gap(edge.target, leaving=False) for edge in edges]
            gaps.append(self._gap(net[0], leaving=True))
            if min(gaps) < max(gaps):
                spans[net] = float(min(gaps)), float(max(gaps))
        return spans

    def _panes(self, trunks: int) -> None:
        """Move the panes side by side; the trunks stand behind the first one."""
        places, edge, self.trunk_left = self.places, MARGIN, 0.0
        for number, pane in enumerate(places.panes):
            items = [item for row in pane.values() for item in row]
            low = min((places.x[i] - places.left(i) for i in items), default=0.0)
            for item in items:
                places.x[item] += edge - low
            high = max((places.x[i] + places.right(i) for i in items), default=edge)
            edge = high + MARGIN
            if number == 0 and trunks:
                self.trunk_left = edge
                edge += trunks * TRACK + MARGIN
        self.width = edge

    def _heights(self) -> None:
        """Set the rows below each other, with room for the tracks between."""
        places = self.places
        heights = [0.0] * places.row_count
        for name, row in places.rows.items():
            heights[row] = max(heights[row], places.sizes[name].height)
        self.tops: list[float] = []
        self.bottoms: list[float] = []
        y = 0.0
        for row, height in enumerate(heights):
            self.tops.append(y + self._gap_height(row))
            y = self.tops[row] + height
            self.bottoms.append(y)
        self.height = y + self._gap_height(places.row_count)

    def _gap_height(self, gap: int) -> float:
        count = self.tracks[gap][1] if gap in self.tracks else 1
        return ROW_GAP + (count - 1) * TRACK


def _tracks(spans: Mapping[_Key, tuple[float, float]]) -> tuple[dict[_Key, int], int]:
    """A track for each span so that those on one track are apart; how many tracks."""
    chosen: dict[_Key, int] = {}
    busy: list[tuple[float, int]] = []
    for key, (low, high) in sorted(spans.items(), key=lambda item: item[1]):
        track = heappop(busy)[1] if busy and busy[0][0] < low else len(busy)
        chosen[key] = track
        heappush(busy, (high, track))
    return chosen, len(busy)
