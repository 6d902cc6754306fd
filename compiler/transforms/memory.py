"""`memory_limit`: what a gradient keeps and what it computes again, by minimum cuts.

Between what is computed forwards and what is read on the way back, values are kept: a
cut through the forward graph. Of each value v there are two nodes, v in and v out. The
edge between them has the bytes of v, which is what cutting it costs. Where v is an
operand of w, an edge without bound goes from v out to w in: to compute w again, v has
to be there. Values that the way back reads lead to the sink, and the source leads to
values that are not to be computed again. Arguments are no nodes, since they are held in
any case. Then the cut with the fewest bytes says what is kept, and whatever lies behind
it is computed again.

A cut alone would keep nothing and compute all again at once, which saves nothing. So
the forward graph is cut into segments too, at the narrowest place behind every k-th
node that takes long (products, convolutions, loops), and what is read across is not
computed again: this is checkpointing with a minimum cut in each segment. A first try
computes only again what is cheap. The first that fits is taken, and larger k keep fewer
values for longer segments, whose values are there at a time.

A loop is one node, and no cut goes through it. So where none is narrow enough, the
loops of the function hold fewer and fewer states (`segmented.py`), and each of these
graphs is cut in turn.

What is computed again falls into pieces. Each is one `recompute`, in front of its first
reader on the way back, and after what is computed before that.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from ...ir.errors import ArgumentError
from ...ir.graph import Graph, Node, Output, Value
from ...ir.literals import Attrs
from ...ir.ops import OPS, Kind
from ..passes.bodies import take_name
from .residuals import closure

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["CHEAP", "bytes_of", "within"]

CHEAP = (Kind.ELEMENTWISE, Kind.REDUCTION, Kind.VIEW, Kind.STORE, Kind.SOURCE)
"""What takes about as long to compute again as to read."""
_UNITS = {
    "": 1,
    **{letter: 10 ** (3 * k) for k, letter in enumerate("kmgt", 1)},
    **{f"{letter}i": 2 ** (10 * k) for k, letter in enumerate("kmgt", 1)},
}


def bytes_of(limit: int | str) -> int:
    """A number of bytes, given as such or as a text.

    >>> bytes_of("64MB"), bytes_of("1.5 KiB"), bytes_of(8)
    (64000000, 1536, 8)
    """
    if type(limit) is int and limit >= 0:
        return limit
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]i?|)B\s*", str(limit), re.I)
    if type(limit) is not str or found is None:
        raise ArgumentError(
            f"memory_limit={limit!r} is no number of bytes",
            hint='an integer of at least 0, or a text such as "64MB" or "1.5GiB"',
        )
    return int(float(found[1]) * _UNITS[found[2].lower()])


def within(
    graphs: Iterable[Graph], limit: int, measure: Callable[[Graph], int]
) -> Graph:
    """The adjoint graph that keeps no more than ``limit`` bytes, as ``measure`` counts.

    The first of several that can, by a cut or as it is. The last section is the way
    back. Raises `ArgumentError` where none comes to that little, with the least that
    one comes to.
    """
    least, name = math.inf, ""
    for graph in graphs:
        for made in _cuts(graph):
            least, name = min(least, measured := measure(made)), graph.name
            if measured <= limit:
                return made
    raise ArgumentError(
        f"{name} cannot be computed within memory_limit={limit:,} bytes",
        hint=f"{least:,} bytes is the least that was found for these arguments",
    )


def _cuts(graph: Graph) -> Iterator[Graph]:
    """The graph, and then what computes ever more of it again."""
    yield graph
    flow = _Flow(graph)
    for every in _steps(len(flow.dear)):
        yield flow.cut(every)


def _steps(count: int) -> Iterator[int]:
    """0, 1, 2, 3, 4, 5, 7, ... up to more than ``count``."""
    every = 0
    while every <= count:
        yield every
        every += 1 + every // 5
    yield count + 1


class _Flow:
    """An adjoint graph, with what its way back reads of its way forwards.

    ``dear`` are the forward nodes that cost something to compute again.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.last = len(graph.sections)
        forward = [x for x in graph if x.section < self.last and x.op != "input"]
        self.back = [x for x in graph if x.section == self.last and x.op != "input"]
        self.free = _made_of_nothing(forward)
        self.forward = [node for node in forward if node.name not in self.free]
        made = {name for node in self.forward for name in node.names}
        self.wanted = made & {name for node in self.back for name in node.operands}
        self.dear = [x for x in self.forward if OPS[x.op].kind not in CHEAP]

    def cut(self, every: int) -> Graph:
        """The graph that computes again what lies behind a minimum cut.

        In segments of so many dear nodes. With 0 a segment has one, which is kept.
        """
        import networkx as nx  # slow, and seldom needed

        once = self._crossing(max(every, 1))
        if not every:
            once |= {node.name for node in self.dear}
        network = self._network(once)
        _, (held, _) = nx.minimum_cut(network, "source", "sink")
        again = {
            name
            for node in self.forward
            if (node.name, "in") not in held
            for name in node.names
        }
        needed = self.wanted & again
        for node in reversed(self.forward):
            if node.makes(needed):
                needed.update(again.intersection(node.operands))
        return self._computing([x for x in self.forward if x.makes(needed)])

    def _crossing(self, every: int) -> set[str]:
        """The nodes whose values are read in a later segment."""
        place = {x.name: number for number, x in enumerate(self.forward)}
        last = dict(place)  # where each is read last, forwards
        for number, node in enumerate(self.forward):
            for name in map(self.graph.maker, node.operands):
                if name in last:
                    last[name] = number
        ends = self._narrow(every, place, last)
        return {
            name
            for name, number in place.items()
            if bisect_left(ends, number) < bisect_left(ends, last[name])
        }

    def _narrow(
        self, every: int, place: Mapping[str, int], last: Mapping[str, int]
    ) -> list[int]:
        """The numbers of the nodes that segments end with, where least is read later.

        That is a place behind the last dear node of a segment, before the next one.
        """
        change = [0] * (len(self.forward) + 1)  # of the bytes that are read later
        for node in self.forward:
            nbytes = sum(value.type.nbytes for value in node.values)
            change[place[node.name]] += nbytes
            change[last[node.name]] -= nbytes
        alive = list(accumulate(change))
        starts = [place[node.name] for node in self.dear]
        return [
            min(range(start, end), key=lambda number: (alive[number], -number))
            for start, end in zip(
                starts[every - 1 :: every], starts[every::every], strict=False
            )
        ]

    def _network(self, once: Collection[str]) -> nx.DiGraph[Any]:
        """The network whose cuts are what may be kept; ``once`` are not cut before."""
        import networkx as nx

        network: nx.DiGraph[Any] = nx.DiGraph()
        network.add_nodes_from(("source", "sink"))
        maker, count = self.graph.maker, len(self.forward) + 1
        made = {node.name for node in self.forward}
        for place, node in enumerate(self.forward):
            entry, exit = (node.name, "in"), (node.name, "out")
            # Of equal cuts the last one: what is read is kept, not what it is made of.
            cost = count * sum(value.type.nbytes for value in node.values)
            network.add_edge(entry, exit, capacity=cost + count - place)
            for name in map(maker, node.operands):
                if name in made:
                    network.add_edge((name, "out"), entry)
            if not self.wanted.isdisjoint(node.names):
                network.add_edge(exit, "sink")
        network.add_edges_from(("source", (name, "in")) for name in once)
        return network

    def _computing(self, again: Sequence[Node]) -> Graph:
        """The graph in which the way back computes these nodes itself."""
        pieces = {
            name: piece
            for piece in _pieces(again)
            for node in piece
            for name in node.names
        }
        taken, names = set(self.graph.nodes), dict[str, str]()
        nodes = [x for x in self.graph if x.op == "input" or x.section < self.last]
        before: list[str] = []  # the last cotangent that took long
        for node in self.back:
            for name in node.operands:
                if name in pieces and name not in names:
                    made, values = self._again(pieces[name], before, taken)
                    nodes.append(made)
                    names.update(zip(values, made.names, strict=True))
            operands = [names.get(name, name) for name in node.operands]
            nodes.append(node.reading(tuple(operands)))
            if OPS[node.op].kind not in CHEAP:
                before = [node.name]
        return self.graph.with_nodes(nodes)

    def _again(
        self, piece: Sequence[Node], before: Sequence[str], taken: set[str]
    ) -> tuple[Node, list[str]]:
        """The node that computes a piece again, and the values that it makes."""
        graph = self.graph
        inside = {name for node in piece for name in node.names}
        needed = {name for node in piece for name in node.operands} - inside
        constants = closure(graph, needed & self.free)
        given = [name for name in graph.nodes if name in needed - self.free]
        values = [name for name in graph.nodes if name in inside & self.wanted]
        nodes = [
            *(Node(name, "input", (), graph[name].type) for name in given),
            *(
                node._replace(section=0, kernel=None, reads=())
                for node in graph
                if node.makes(constants) or node.makes(inside)
            ),
        ]
        several = [Value(take_name(f"{x}.again", taken), graph[x].type) for x in values]
        made = Node(
            several[0].name,
            "recompute",
            (*given, *before),
            several[0].type,
            Attrs({"after": len(before)} if before else {}),
            self.last,
            several=tuple(several) if len(several) > 1 else (),
            regions=(Graph("body", nodes, [Output(name) for name in values]),),
            source=piece[0].source,
        )
        return made, values


def _pieces(nodes: Sequence[Node]) -> list[list[Node]]:
    """The nodes that hang together, in program order."""
    import networkx as nx

    graph: nx.Graph[Any] = nx.Graph()
    maker = {name: node.name for node in nodes for name in node.names}
    graph.add_nodes_from(node.name for node in nodes)
    for node in nodes:
        graph.add_edges_from((maker[x], node.name) for x in node.operands if x in maker)
    pieces = list(nx.connected_components(graph))
    return [[node for node in nodes if node.name in piece] for piece in pieces]


def _made_of_nothing(nodes: Sequence[Node]) -> set[str]:
    """The values that depend on no argument."""
    found: set[str] = set()
    for node in nodes:
        if found.issuperset(node.operands):
            found.update(node.names)
    return found
