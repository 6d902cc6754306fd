"""The builder: adds nodes one by one and checks types as it goes.

``b.add_node("mul", x, y)`` and, shorter, ``b.mul(x, y)`` make a node of the registry's
op ``mul``; the type rule runs at once, so a wrong graph is never built.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from .errors import AnabranchError, SourceLine, VerifyError
from .graph import Graph, Output, Section, rename
from .literals import NO_ATTRS, Attrs, Literal, format_literal
from .node import Node, Read, Value, by_value
from .ops import OPS, Kind
from .ops.source import const_attrs
from .types import TensorType

__all__ = ["Builder"]

_VIEW = Kind.VIEW


class Builder:
    """Collects the nodes of one graph.

    ``section`` and ``source`` are given to each node that is made; whoever drives the
    builder sets them. Names that the builder makes are unique and not in ``reserved``.
    """

    def __init__(
        self,
        name: str,
        nodes: Iterable[Node] = (),
        reserved: Collection[str] = (),
    ) -> None:
        self.name = name
        self.section = 0
        self.source: SourceLine | None = None
        self._nodes = by_value(nodes)
        self._reserved = reserved
        self._counters: dict[str, int] = {}
        self._constants: dict[tuple[str, str], Node] = {}
        self._hints: dict[str, str] = {}
        self._known: dict[str, bool | int | float | None] = {}

    def __getattr__(self, op: str) -> Callable[..., Node]:
        if op not in OPS:
            raise AttributeError(f"no op is called {op!r}")
        return partial(self.add_node, op)

    @property
    def nodes(self) -> Iterable[Node]:
        """The nodes made so far, in order."""
        return [
            node
            for node in self._nodes.values()
            if not node.several or node.several[0].name == node.name
        ]

    def __len__(self) -> int:
        """How many values there are."""
        return len(self._nodes)

    @property
    def values(self) -> Mapping[str, Node]:
        """The values made so far, by name."""
        return self._nodes

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def unique(self, hint: str, separator: str = "_") -> str:
        """``hint`` itself if it is free, else the first free ``hint_1``, ``hint_2``."""
        name = hint
        while name in self._nodes or name in self._reserved:
            count = self._counters[hint] = self._counters.get(hint, 0) + 1
            name = f"{hint}{separator}{count}"
        return name

    def _temporary(self, op: str) -> str:
        """``op.0``, ``op.1``, ...: a dot marks a name that the compiler made."""
        while True:
            count = self._counters[op] = self._counters.get(op, -1) + 1
            name = f"{op}.{count}"
            if name not in self._nodes and name not in self._reserved:
                return name

    def append(self, node: Node) -> Node:
        """Add a node as it stands; the names of its values must be free."""
        if not node.several and node.name not in self._nodes:
            self._nodes[node.name] = node
            return node
        for name in node.names:
            if name in self._nodes:
                raise VerifyError(f"graph {self.name}: two nodes are called %{name}")
        self._nodes.update(by_value([node]))
        return node

    def input(self, name: str, type: TensorType) -> Node:
        """Add an input."""
        return self.append(
            Node(self.unique(name), "input", (), type, source=self.source)
        )

    def add_node(
        self,
        op: str,
        *operands: Node,
        reads: tuple[Read, ...] = (),
        regions: tuple[Graph, ...] = (),
        **attrs: Literal,
    ) -> Node:
        """Add ``op(*operands) {attrs}``; raises what its type rule raises.

        A node with several values is returned as the first; see `Node.values`.
        """
        given = Attrs(attrs) if attrs else NO_ATTRS
        names = tuple([operand.name for operand in operands])
        types = tuple([operand.type for operand in operands])
        try:
            made = OPS[op].infer(types, given, regions)
        except AnabranchError as error:
            call = f"%? = {op}({', '.join(f'%{name}' for name in names)})"
            shown = ", ".join(f"%{o.name}: {o.type}" for o in operands)
            raise error.at(self.source, f"{call}   {shown}") from None
        if isinstance(made, tuple):
            several = tuple([Value(self._temporary(op), type_) for type_ in made])
            name, type_ = several[0]
        else:
            several, name, type_ = (), self._temporary(op), made
        return self.append(
            Node(
                name,
                op,
                names,
                type_,
                given,
                self.section,
                None,
                reads,
                several,
                regions,
                self.source,
            )
        )

    def copy(
        self, node: Node, operands: Sequence[Node], names: Mapping[str, str]
    ) -> Node:
        """Add ``node`` of another graph, reading ``operands`` of this one.

        ``names`` tells what the nodes copied before it are called here: the labels of a
        sum node name its consumers.
        """
        reads = [Read(names.get(read[0], read[0]), read[1]) for read in node.reads]
        several: list[Value] = []
        for value in node.several:
            name = self.unique(value.name)
            while name in [other.name for other in several]:
                name = self._temporary(node.op)
            several.append(Value(name, value.type))
        return self.append(
            Node(
                several[0].name if several else self.unique(node.name),
                node.op,
                tuple([operand.name for operand in operands]),
                node.type,
                node.attrs,
                self.section,
                None,
                tuple(reads),
                tuple(several),
                node.regions,
                node.source,
            )
        )

    def embed(self, graph: Graph, operands: Sequence[Node]) -> list[Node]:
        """Add the nodes of another graph, run on ``operands``; its results.

        In a section of an adjoint, sums lose their labels: those that the section has
        are of the values in front of it.
        """
        made: dict[str, Node] = {}
        names: dict[str, str] = {}
        given = iter(operands)
        for node in graph:
            if node.op == "input":
                found = (next(given),)  # which may be one of a node's values
            else:
                plain = node._replace(reads=()) if self.section else node
                taken = [made[name] for name in node.operands]
                found = self.copy(plain, taken, names).values
            for name, value in zip(node.names, found, strict=True):
                made[name], names[name] = value, value.name
        return [made[name] for name in graph.results]

    def graft(
        self, graph: Graph, known: Mapping[str, Node], ends: Iterable[str]
    ) -> dict[str, Node]:
        """Values of another graph by name, of which some are ``known`` here.

        What the ``ends`` need besides is added. Raises `KeyError` where that is an
        input which is not known.
        """
        needed = set(ends)
        for node in reversed(list(graph)):
            if node.makes(needed) and node.name not in known:
                needed.update(node.operands)
        found: dict[str, Node] = {}
        for node in graph:
            if not node.makes(needed):
                continue
            if node.name in known or node.op == "input":
                values = tuple([known[name] for name in node.names])
            else:
                taken = [found[name] for name in node.operands]
                attrs: dict[str, Any] = dict(node.attrs)
                made = self.add_node(node.op, *taken, regions=node.regions, **attrs)
                values = made.values
            found.update(zip(node.names, values, strict=True))
        return found

    def const(self, value: bool | int | float | complex, dtype: str) -> Node:
        """A scalar of ``dtype``; the same bits give the same node.

        Raises `OverflowError` where NumPy does: an integer outside of its dtype.
        """
        with np.errstate(all="ignore"):
            exact = TensorType(dtype, ()).numpy.type(value).item()
        key = (dtype, format_literal(exact))
        known = self._constants.get(key)
        if known is None:
            attrs = cast("Mapping[str, Any]", const_attrs(exact, dtype))
            known = self.add_node("const", **attrs)
            self._constants[key] = known
        return known

    def full(self, type: TensorType, value: bool | int | float | complex) -> Node:
        """``value`` everywhere in a value of ``type``."""
        return self.broadcast(self.const(value, type.dtype), type)

    def like(self, node: Node, value: bool | int | float | complex) -> Node:
        """``value`` in the type of ``node``."""
        return self.full(node.type, value)

    def broadcast(self, node: Node, type: TensorType) -> Node:
        """``node`` in the shape of ``type``; itself if it has that shape."""
        if node.type.shape == type.shape:
            return node
        return self.add_node("broadcast_to", node, shape=type.shape)

    def cast(self, node: Node, dtype: str) -> Node:
        """``node`` as ``dtype``; itself if it has that dtype."""
        if node.type.dtype == dtype:
            return node
        return self.add_node("cast", node, dtype=dtype)

    def conj(self, node: Node) -> Node:
        """The conjugate; itself if it is not complex."""
        return self.add_node("conj", node) if node.type.is_complex else node

    def reshape(self, node: Node, shape: Sequence[int]) -> Node:
        """``node`` in another shape of the same size; itself if it has that shape."""
        if node.type.shape == tuple(shape):
            return node
        return self.add_node("reshape", node, shape=tuple(shape))

    def rows_of(self, node: Node, first: int, count: int) -> Node:
        """So many rows along the first axis, from one on."""
        start, step = (first, *(0,) * (node.type.rank - 1)), (1,) * node.type.rank
        return self.slice(
            node, start=start, shape=(count, *node.type.shape[1:]), step=step
        )

    def transpose(self, node: Node, perm: Sequence[int]) -> Node:
        """``node`` with its axes permuted; itself for the identity."""
        if tuple(perm) == tuple(range(node.type.rank)):
            return node
        return self.add_node("transpose", node, perm=tuple(perm))

    def literal(self, node: Node) -> bool | int | float | None:
        """The number that ``node`` has everywhere, where that is known.

        None for complex numbers.
        """
        if node.type.is_complex:
            return None
        if node.op == "const":
            return cast("bool | int | float", node.attrs["value"])
        passed: list[str] = []
        while OPS[node.op].kind is _VIEW and node.name not in self._known:
            passed.append(node.name)
            node = self._nodes[node.operands[0]]
        if passed:
            found = self.literal(node)
            self._known.update(dict.fromkeys(passed, found))
            return found
        return self._known.get(node.name)

    def suggest(self, node: Node, hint: str) -> None:
        """Let the finished graph call ``node`` by ``hint``; the first hint wins."""
        self._hints.setdefault(node.name, hint)

    def called(self, node: Node) -> str:
        """What the finished graph calls ``node``, as far as is known."""
        return self._hints.get(node.name, node.name)

    def keep_read(self, outputs: Sequence[Output]) -> None:
        """Drop the nodes of the current section that nothing reads."""
        read = {output.value for output in outputs}
        for node in reversed(list(self.nodes)):
            if node.section < self.section:
                break
            if node.makes(read):
                read.update(node.operands)
                continue
            for name in node.names:
                del self._nodes[name]
                self._hints.pop(name, None)

    def build(
        self, outputs: Sequence[Output], sections: Sequence[Section] = ()
    ) -> Graph:
        """The finished graph: inputs first, nodes called as was suggested."""
        nodes = sorted(self.nodes, key=lambda node: node.op != "input")
        graph = Graph(self.name, nodes, outputs, sections)
        return rename(graph, self._final_names()) if self._hints else graph

    def _final_names(self) -> dict[str, str]:
        taken = {name for name in self._nodes if name not in self._hints}
        names: dict[str, str] = {}
        counts: dict[str, int] = {}
        for name, hint in self._hints.items():
            final = hint
            while final in taken:
                counts[hint] = counts.get(hint, 0) + 1
                final = f"{hint}_{counts[hint]}"
            taken.add(final)
            names[name] = final
        return names
