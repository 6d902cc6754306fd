"""The graph: immutable nodes in a networkx ``MultiDiGraph``.

A node's ordered operand tuple is the truth; the edges mirror it, keyed by slot, so
that ``mul(%y, %y)`` has two edges and loses no contribution. Nodes stand in program
order, operands before consumers. A graph is never changed: a pass makes a new one.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import chain
from typing import Any, NamedTuple

from .errors import SourceLine, VerifyError
from .lazy import lazy
from .node import Node, Read, Value, by_value

__all__ = [
    "MAX_DEPTH",
    "Contribution",
    "Graph",
    "Node",
    "Output",
    "Read",
    "Section",
    "Value",
]

MAX_DEPTH = 32


MAX_SHOWN_NODES = 1_000  # by a notebook, of its own accord


class Output(NamedTuple):
    """A result of the graph: the value, and the path in the result's pytree."""

    value: str
    label: str = ""


class Section(NamedTuple):
    """What an adjoint pass added: the cotangents of ``wrt`` for the outputs ``of``.

    ``suffix`` ends the names of cotangents (``bar``, then ``bar2``, ...). ``lawful``
    says that the section still has one sum node for every value with two or more
    contributing reads; a pass that rewrites the graph takes the claim back, and with it
    ``of`` and ``wrt``, whose values it may have replaced.

    What a tangent pass added is a section too, whose suffix is ``dot``, then ``dot2``.
    It claims nothing.
    """

    of: tuple[str, ...]
    wrt: tuple[str, ...]
    suffix: str = "bar"
    lawful: bool = True

    @property
    def direction(self) -> str:
        """What a text calls the section: ``backward`` or ``tangent``."""
        return "tangent" if self.suffix.startswith("dot") else "backward"

    def cotangent(self, value: str) -> str:
        """What the cotangent of a value is called."""
        return f"{value}.{self.suffix}"

    def contribution(self, value: str, number: int) -> str:
        """What the contribution of a read is called, where a value has several."""
        return f"{value}.{self.suffix}.{number}"


class Contribution(NamedTuple):
    """What one read sends back: ``value`` is the contribution's name.

    Where the read stands in a loop, so do the names, and ``trips`` says how many
    iterations send one: those of the outermost loop first.
    """

    value: str
    consumer: str
    slot: int
    source: SourceLine | None
    trips: tuple[int, ...] = ()

    def __str__(self) -> str:
        where = f", {self.source.brief}" if self.source else ""
        times = " times ".join(map(str, self.trips))
        often = f" in each of {times} iterations" if times else ""
        return f"%{self.value}{often} from %{self.consumer}, slot {self.slot}{where}"


class Graph:
    """A dataflow graph with named inputs and outputs.

    ``graph`` is the (frozen) networkx graph for those who want to use its algorithms:
    node keys are value names (that of the first value, where a node makes several),
    ``graph.nodes[name]["node"]`` is the `Node`, and an edge from producer to consumer
    has the consumer's slot as its key. Where the producer makes several values, the
    edge's ``value`` tells which of them is read.

    ``depth`` is 1 for a graph without regions, and else one more than that of its
    deepest region. `VerifyError` is raised beyond `MAX_DEPTH`, and for two values of
    one name.
    """

    def __init__(
        self,
        name: str,
        nodes: Sequence[Node],
        outputs: Sequence[Output],
        sections: Sequence[Section] = (),
    ) -> None:
        self.name = name
        self.outputs = tuple(outputs)
        self.sections = tuple(sections)
        self._nodes = tuple(nodes)
        self._values = by_value(self._nodes)
        several = filter(None, map(operator.attrgetter("several"), self._nodes))
        count = len(self._nodes) + sum(len(values) - 1 for values in several)
        regions = chain.from_iterable(map(operator.attrgetter("regions"), self._nodes))
        self.depth = 1 + max([region.depth for region in regions], default=0)
        if len(self._values) != count:
            raise VerifyError(f"graph {name}: two values have one name")
        if self.depth > MAX_DEPTH:
            raise VerifyError(f"graph {name}: regions nested deeper than {MAX_DEPTH}")

    @lazy
    def graph(self) -> Any:
        """The networkx ``MultiDiGraph``, frozen."""
        import networkx as nx  # slow, and not needed to compile and run

        graph: Any = nx.MultiDiGraph(name=self.name)
        for node in self._nodes:
            graph.add_node(node.name, node=node)
        for node in self._nodes:
            for slot, operand in enumerate(node.operands):
                which = {"value": operand} if self._values[operand].several else {}
                graph.add_edge(self.maker(operand), node.name, key=slot, **which)
        return nx.freeze(graph)

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by the names of their values, in program order; see `Node`."""
        return self._values

    def maker(self, name: str) -> str:
        """The name that the node which makes a value goes by."""
        several = self._values[name].several
        return several[0].name if several else name

    @lazy
    def inputs(self) -> tuple[Node, ...]:
        """The input nodes in order."""
        return tuple(node for node in self if node.op == "input")

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the output values, in order."""
        return tuple(output.value for output in self.outputs)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __getitem__(self, name: str) -> Node:
        return self._values[name]

    def operands(self, node: Node) -> tuple[Node, ...]:
        """The nodes that ``node`` reads, by slot."""
        return tuple([self._values[name] for name in node.operands])

    @lazy
    def reads(self) -> Mapping[str, tuple[Read, ...]]:
        """The reads of each value in program order; outputs are not counted."""
        found: dict[str, list[Read]] = {name: [] for name in self._values}
        for node in self:
            for slot, operand in enumerate(node.operands):
                found[operand].append(Read(node.name, slot))
        return {name: tuple(reads) for name, reads in found.items()}

    @lazy
    def read_once(self) -> frozenset[str]:
        """The values with one read, by a node or as an output."""
        names = [name for node in self for name in node.operands]
        counts = Counter([*self.results, *names])
        return frozenset([name for name, count in counts.items() if count == 1])

    def contributions(self, value: str, section: int = 1) -> tuple[Contribution, ...]:
        """What each read of ``value`` sends back, in read order.

        A read by a loop that does not change the value is one to this graph, and what
        the reads in the loop's body send back is listed for it.

        Raises `VerifyError` where the graph has no such lawful adjoint section.
        """
        from .law import contributing_reads, inside

        exists = 1 <= section <= len(self.sections) and value in self
        if not exists or not self.sections[section - 1].lawful:
            raise VerifyError(
                f"graph {self.name} has no adjoint of %{value}",
                hint="take the graph of the gradient itself: make_ir(grad(f))(*args), "
                "not that of a function which calls it or which was optimised",
            )
        reads = contributing_reads(self, section).get(value, ())
        cotangent = self.sections[section - 1].cotangent(value)
        values = self[cotangent].operands if len(reads) > 1 else (cotangent,)
        found: list[Contribution] = []
        for made, read in zip(values, reads, strict=False):
            within = inside(self, read, made)
            one = Contribution(made, read.consumer, read.slot, self.source_of(read))
            found += within or [one]
        return tuple(found)

    def source_of(self, read: Read) -> SourceLine | None:
        """The user's line of a read's consumer."""
        consumer = self._values.get(read.consumer)
        return consumer.source if consumer else None

    def with_nodes(
        self, nodes: Sequence[Node], outputs: Sequence[Output] | None = None
    ) -> Graph:
        """This graph with other nodes; the sections give up their law."""
        sections = [Section((), (), s.suffix, lawful=False) for s in self.sections]
        kept = self.outputs if outputs is None else outputs
        return Graph(self.name, nodes, kept, sections)

    def returning(self, outputs: Sequence[Output], name: str | None = None) -> Graph:
        """This graph with other outputs."""
        return Graph(name or self.name, self._nodes, outputs, self.sections)

    def map_regions(self, change: Callable[[Graph], Graph]) -> Graph:
        """This graph with ``change`` made to each region; itself if none changed."""
        if self.depth == 1:
            return self
        nodes: list[Node] = []
        changed = False
        for node in self:
            regions = tuple([change(region) for region in node.regions])
            same = all(map(operator.is_, regions, node.regions))
            nodes.append(node if same else node._replace(regions=regions))
            changed = changed or not same
        if not changed:
            return self
        return Graph(self.name, nodes, self.outputs, self.sections)

    def verify(self) -> Graph:
        """Check every invariant of the IR; returns self or raises `VerifyError`."""
        from .verify import verify

        return verify(self)

    def as_text(self, *, annotate: bool = False, version: bool = False) -> str:
        """The canonical text; ``annotate`` adds user lines and sum nodes' terms.

        ``version`` puts the format's version in front: for a text that is kept.
        """
        from .text import print_graph

        return print_graph(self, annotate=annotate, version=version)

    def to_dot(self) -> str:
        """The graph in Graphviz's language; forward, backward, sum nodes differ."""
        from .picture.dot import to_dot

        return to_dot(self)

    def to_svg(self) -> str:
        """The graph as an SVG picture; forward, backward and sum nodes differ."""
        from .picture.svg import to_svg

        return to_svg(self)

    def _repr_svg_(self) -> str | None:
        """The picture for a notebook; None where it would be too large to look at."""
        return self.to_svg() if len(self) <= MAX_SHOWN_NODES else None

    @lazy
    def canonical(self) -> Graph:
        """The graph with its values named v0, v1, ... in program order.

        Labels and the naming of sections are dropped: they carry no meaning.
        """
        made = _canonical(self)
        return Graph("graph", list(made), made.outputs)

    def structural_hash(self) -> str:
        """A hash that does not depend on names of values or of the graph."""
        return sha256(self.canonical.as_text().encode()).hexdigest()

    def same_structure(self, other: Graph) -> bool:
        """Whether the graphs are equal up to names."""
        return self is other or self.canonical == other.canonical

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return (
            self.name == other.name
            and self.outputs == other.outputs
            and self.sections == other.sections
            and self._nodes == other._nodes
        )

    def __hash__(self) -> int:
        return hash((self.name, self.outputs, len(self)))

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return f"<Graph {self.name}: {len(self)} nodes>"


def _canonical(graph: Graph) -> Graph:
    names = {name: f"v{index}" for index, name in enumerate(graph.nodes)}
    renamed = rename(graph.map_regions(_canonical), names)
    outputs = [Output(output.value) for output in renamed.outputs]
    nodes = [node._replace(section=0, reads=()) for node in renamed]
    return Graph(graph.name, nodes, outputs)


def rename(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph with values renamed; names outside the mapping stay."""
    get = names.get

    def new(name: str) -> str:
        return get(name, name)

    nodes = [node.renamed(names) for node in graph]
    outputs = [Output(new(output.value), output.label) for output in graph.outputs]
    sections = [
        section._replace(
            of=tuple(new(name) for name in section.of),
            wrt=tuple(new(name) for name in section.wrt),
        )
        for section in graph.sections
    ]
    return Graph(graph.name, nodes, outputs, sections)
