"""The graph: immutable nodes in a networkx ``MultiDiGraph``.

A node's ordered operand tuple is the truth; the edges mirror it, keyed by slot, so
that ``mul(%y, %y)`` has two edges and loses no contribution. Nodes stand in program
order, operands before consumers. A graph is never changed: a pass makes a new one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, cast

from .errors import SourceLine, VerifyError
from .lazy import lazy
from .literals import NO_ATTRS, Attrs
from .types import TensorType

__all__ = ["Contribution", "Graph", "Node", "Output", "Read", "Section"]


MAX_SHOWN_NODES = 1_000  # by a notebook, of its own accord


class Node(NamedTuple):
    """One operation and the value that it makes.

    ``section`` is 0 in the forward graph and k in the part that the k-th adjoint
    pass added. ``kernel`` is the label of the fused kernel that computes the node.
    Two nodes are equal when they print alike: the user's line is not compared.
    """

    name: str
    op: str
    operands: tuple[str, ...]
    type: TensorType
    attrs: Attrs = NO_ATTRS
    section: int = 0
    kernel: int | None = None
    source: SourceLine | None = None

    def reading(self, operands: tuple[str, ...]) -> Node:
        """The node with other operands; itself where they are the same."""
        return self.renamed(self.name, operands, self.attrs)

    def fused(self, kernel: int | None) -> Node:
        """The node as part of a kernel; itself where it is."""
        if kernel == self.kernel:
            return self
        return Node(*self[:6], kernel, self.source)

    def renamed(self, name: str, operands: tuple[str, ...], attrs: Attrs) -> Node:
        """The node with other names in it; itself where they are the same."""
        if name == self.name and operands == self.operands and attrs is self.attrs:
            return self
        return Node(name, self.op, operands, self.type, attrs, *self[5:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self[:7] == other[:7]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:7])


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
    """

    of: tuple[str, ...]
    wrt: tuple[str, ...]
    suffix: str = "bar"
    lawful: bool = True


class Read(NamedTuple):
    """One consumer slot of a value."""

    consumer: str
    slot: int


class Contribution(NamedTuple):
    """What one read sends back: ``value`` is the contribution's name."""

    value: str
    consumer: str
    slot: int
    source: SourceLine | None

    def __str__(self) -> str:
        where = f", {self.source.brief}" if self.source else ""
        return f"%{self.value} from %{self.consumer}, slot {self.slot}{where}"


class Graph:
    """A dataflow graph with named inputs and outputs.

    ``graph`` is the (frozen) networkx graph for those who want to use its algorithms:
    node keys are value names, ``graph.nodes[name]["node"]`` is the `Node`, and an
    edge from producer to consumer has the consumer's slot as its key.
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
        self._nodes: dict[str, Node] = {node.name: node for node in nodes}
        if len(self._nodes) != len(nodes):
            raise VerifyError(f"graph {name}: two nodes have one name")

    @lazy
    def graph(self) -> Any:
        """The networkx ``MultiDiGraph``, frozen."""
        import networkx as nx  # slow, and not needed to compile and run

        graph: Any = nx.MultiDiGraph(name=self.name)
        for name, node in self._nodes.items():
            graph.add_node(name, node=node)
        for name, node in self._nodes.items():
            for slot, operand in enumerate(node.operands):
                graph.add_edge(operand, name, key=slot)
        return nx.freeze(graph)

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by name, in program order."""
        return self._nodes

    @lazy
    def inputs(self) -> tuple[Node, ...]:
        """The input nodes in order."""
        return tuple(node for node in self if node.op == "input")

    @property
    def results(self) -> tuple[str, ...]:
        """The names of the output values, in order."""
        return tuple(output.value for output in self.outputs)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, name: object) -> bool:
        return name in self._nodes

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def operands(self, node: Node) -> tuple[Node, ...]:
        """The nodes that ``node`` reads, by slot."""
        return tuple([self._nodes[name] for name in node.operands])

    @lazy
    def reads(self) -> Mapping[str, tuple[Read, ...]]:
        """The reads of each value in program order; outputs are not counted."""
        found: dict[str, list[Read]] = {name: [] for name in self._nodes}
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

        Raises `VerifyError` where the graph has no such lawful adjoint section.
        """
        from .law import contributing_reads

        exists = 1 <= section <= len(self.sections) and value in self
        if not exists or not self.sections[section - 1].lawful:
            raise VerifyError(
                f"graph {self.name} has no adjoint of %{value}",
                hint="take the graph of the gradient itself: make_ir(grad(f))(*args), "
                "not that of a function which calls it or which was optimised",
            )
        suffix = self.sections[section - 1].suffix
        reads = contributing_reads(self, section).get(value, ())
        cotangent = f"{value}.{suffix}"
        values = self[cotangent].operands if len(reads) > 1 else (cotangent,)
        return tuple(
            Contribution(made, read.consumer, read.slot, self.source_of(read))
            for made, read in zip(values, reads, strict=False)
        )

    def source_of(self, read: Read) -> SourceLine | None:
        """The user's line of a read's consumer."""
        consumer = self._nodes.get(read.consumer)
        return consumer.source if consumer else None

    def with_nodes(
        self, nodes: Sequence[Node], outputs: Sequence[Output] | None = None
    ) -> Graph:
        """This graph with other nodes; the sections give up their law."""
        sections = [Section((), (), s.suffix, lawful=False) for s in self.sections]
        kept = self.outputs if outputs is None else outputs
        return Graph(self.name, nodes, kept, sections)

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
        from .dot import to_dot

        return to_dot(self)

    def to_svg(self) -> str:
        """The graph as an SVG picture; forward, backward and sum nodes differ."""
        from .svg import to_svg

        return to_svg(self)

    def _repr_svg_(self) -> str | None:
        """The picture for a notebook; None where it would be too large to look at."""
        return self.to_svg() if len(self) <= MAX_SHOWN_NODES else None

    def structural_hash(self) -> str:
        """A hash that does not depend on names of values or of the graph."""
        return sha256(canonical(self).as_text().encode()).hexdigest()

    def same_structure(self, other: Graph) -> bool:
        """Whether the graphs are equal up to names."""
        return canonical(self) == canonical(other)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        return (
            self.name == other.name
            and self.outputs == other.outputs
            and self.sections == other.sections
            and list(self) == list(other)
        )

    def __hash__(self) -> int:
        return hash((self.name, self.outputs, len(self)))

    def __str__(self) -> str:
        return self.as_text()

    def __repr__(self) -> str:
        return f"<Graph {self.name}: {len(self)} nodes>"


def canonical(graph: Graph) -> Graph:
    """The graph with its values named v0, v1, ... in program order.

    Labels and the naming of sections are dropped: they carry no meaning.
    """
    names = {name: f"v{index}" for index, name in enumerate(graph.nodes)}
    renamed = rename(graph, names)
    outputs = [Output(output.value) for output in renamed.outputs]
    nodes = [node._replace(section=0, attrs=_unlabelled(node)) for node in renamed]
    return Graph("graph", nodes, outputs)


def _unlabelled(node: Node) -> Attrs:
    return NO_ATTRS if node.op == "add_n" else node.attrs


def rename(graph: Graph, names: Mapping[str, str]) -> Graph:
    """The graph with values renamed; names outside the mapping stay."""
    get = names.get

    def new(name: str) -> str:
        return get(name, name)

    nodes = [
        node.renamed(
            get(node.name, node.name),
            tuple([get(operand, operand) for operand in node.operands]),
            renamed_reads(node.attrs, names) if node.op == "add_n" else node.attrs,
        )
        for node in graph
    ]
    outputs = [Output(new(output.value), output.label) for output in graph.outputs]
    sections = [
        section._replace(
            of=tuple(new(name) for name in section.of),
            wrt=tuple(new(name) for name in section.wrt),
        )
        for section in graph.sections
    ]
    return Graph(graph.name, nodes, outputs, sections)


def renamed_reads(attrs: Attrs, names: Mapping[str, str]) -> Attrs:
    """Attributes whose labels of a sum node follow their consumers' new names."""
    if "reads" not in attrs:
        return attrs
    reads = cast("tuple[tuple[str, int], ...]", attrs["reads"])
    changed = tuple((names.get(consumer, consumer), slot) for consumer, slot in reads)
    return attrs if changed == reads else Attrs({**attrs, "reads": changed})
