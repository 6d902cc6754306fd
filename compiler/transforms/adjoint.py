"""The adjoint pass.

For a graph y = f(x), walking the nodes in reverse order,

    cotangent(v) = sum over the reads r of v of contribution(r)

where a read by ``return`` contributes the seed of that output. With no contributing
read the cotangent is an explicit zero; with one it is the contribution itself; with
two or more it is one ``add_n`` node, the sum node, whose operands stand in read order
and are labelled with the consumer and the slot they came from. The rules in `ir.ops`
return one contribution per slot and never sum. Each of several values of a node has
reads and a cotangent of its own; a rule is given all of them.

Names: ``%w.bar`` is the cotangent of ``%w`` and ``%w.bar.1`` the contribution of its
read number 1. The result is a graph like any other and has an adjoint of its own,
whose names end in ``.bar2``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any, cast

from ...ir.builder import Builder
from ...ir.collection import paused_collection
from ...ir.errors import GradientError
from ...ir.graph import Graph, Node, Output, Read, Section
from ...ir.law import RETURN
from ...ir.ops import OPS
from ...ir.ops.spec import Adjoint, OpDef

__all__ = ["adjoint", "check_refused", "free_suffix"]


class _Cotangents:
    """The contributions of each value, and the names they get in the end."""

    def __init__(self, b: Builder, graph: Graph, section: Section) -> None:
        self.b = b
        self.section = section
        self.position = {name: index for index, name in enumerate(graph.nodes)}
        self.position[RETURN] = len(graph.nodes)
        self.found: dict[str, list[tuple[str, int, Node]]] = {}
        self.named: set[str] = set(graph.nodes)

    def add(self, value: str, consumer: str, slot: int, contribution: Node) -> None:
        self.found.setdefault(value, []).append((consumer, slot, contribution))

    def total(self, value: Node) -> Node | None:
        """The cotangent of ``value``, None where nothing contributes."""
        found = self.found.pop(value.name, None)
        if found is None:
            return None
        self.b.source = value.source
        name = self.section.cotangent(value.name)
        found.sort(key=lambda item: (self.position[item[0]], item[1]))
        if len(found) == 1:
            return self._named(found[0][2], name)
        terms = [
            self._named(term, self.section.contribution(value.name, number))
            for number, (_, _, term) in enumerate(found)
        ]
        reads = tuple([Read(consumer, slot) for consumer, slot, _ in found])
        return self._named(self.b.add_n(*terms, reads=reads), name)

    def zero(self, value: Node) -> Node:
        """The explicit zero of a value that nothing reads."""
        zero = self.b.like(value, 0.0)
        return self._named(zero, self.section.cotangent(value.name))

    def _named(self, node: Node, name: str) -> Node:
        """``node``, or an identity of it where it has a name already."""
        if node.name in self.named or node.op == "const":
            node = self.b.identity(node)
        self.named.add(node.name)
        self.b.suggest(node, name)
        return node


def adjoint(
    graph: Graph,
    *,
    wrt: Sequence[str],
    of: Sequence[str] | None = None,
    seeded: bool = False,
) -> Graph:
    """The graph that also computes the cotangents of the inputs ``wrt``.

    ``of`` names the values that gradients start from, by default all float outputs.
    Each starts from 1, and must be a scalar then; with ``seeded`` the result has one
    more input for each of them, its cotangent, in that order. The outputs are those of
    ``graph`` and then the cotangents of ``wrt``, each of the type of its input.

    Raises `GradientError` where a value of ``wrt`` or ``of`` is not a float, or where
    an unseeded output is not a scalar.
    """
    starts = tuple(of if of is not None else _float_results(graph))
    _check(graph, wrt, starts, seeded)
    with paused_collection():
        return _adjoint(graph, wrt, starts, seeded)


def _adjoint(
    graph: Graph, wrt: Sequence[str], starts: tuple[str, ...], seeded: bool
) -> Graph:
    b = Builder(f"{graph.name}.grad", graph)
    seeds = [
        b.input(f"seed.{slot}", graph[name].type) if seeded else None
        for slot, name in enumerate(starts)
    ]
    b.section = len(graph.sections) + 1
    active, wanted = _active(graph, wrt), set(wrt)
    section = Section(starts, tuple(wrt), free_suffix(graph, "bar"))
    cotangents = _Cotangents(b, graph, section)
    for slot, (name, seed) in enumerate(zip(starts, seeds, strict=True)):
        if name in active:
            seed = seed or b.identity(b.const(1.0, graph[name].type.dtype))
            cotangents.add(name, RETURN, slot, seed)
        elif seed is not None:
            b.suggest(seed, section.cotangent(name))
    bars: dict[str, Node] = {}
    for node in reversed(list(graph)):
        if not node.makes(active):
            continue
        if node.several:
            totals = tuple([cotangents.total(value) for value in node.values])
            if totals != (None,) * len(totals):
                _contribute(graph, cotangents, node, totals, active)
            continue
        total = cotangents.total(node)
        if total is not None and node.op != "input":
            _contribute(graph, cotangents, node, total, active)
        if node.name in wanted:
            bars[node.name] = total or cotangents.zero(node)
    outputs = [*graph.outputs, *(Output(bars[name].name) for name in wrt)]
    b.keep_read(outputs)
    return b.build(outputs, [*graph.sections, section])


def _contribute(
    graph: Graph,
    cotangents: _Cotangents,
    node: Node,
    g: Node | tuple[Node | None, ...],
    active: set[str],
) -> None:
    """Send what each slot of ``node`` contributes to the operands that are active.

    ``g`` is its cotangent; where it makes several values, each one's or None.
    """
    cotangents.b.source = node.source
    op = OPS[node.op]
    rule = cast("Adjoint", op.adjoint)
    more: dict[str, Any] = {}
    if op.regions:
        more = {"slots": _slots(node, active), "adjoint": adjoint}
    check_refused(
        op, [s for s, name in enumerate(node.operands) if name in active], node
    )
    operands = graph.operands(node)
    contributions = rule(cotangents.b, node, g, *operands, **node.attrs, **more)
    for slot, contribution in enumerate(contributions):
        operand = node.operands[slot]
        if contribution is not None and operand in active:
            cotangents.add(operand, node.name, slot, contribution)


def check_refused(op: OpDef, slots: Iterable[int], node: Node) -> None:
    """Raise `GradientError` where a slot has a derivative that no rule has."""
    for slot in slots:
        if slot in op.refused:
            raise GradientError(
                f"{op.name}: there is no derivative with respect to {op.refused[slot]}",
                source=node.source,
                hint="if it is to stay as it is, pass anabranch.stop_gradient of it",
            )


def _active(graph: Graph, wrt: Sequence[str]) -> set[str]:
    """The values that depend on ``wrt`` in a differentiable way."""
    active = set(wrt)
    for node in graph:
        if not active.isdisjoint(node.operands) and _slots(node, active):
            active.update(node.floats)
    return active


def _slots(node: Node, active: set[str]) -> list[int]:
    """The slots in which a node reads an active value in a differentiable way."""
    op = OPS[node.op]
    return [
        slot
        for slot, operand in enumerate(node.operands)
        if operand in active and op.is_differentiable(slot)
    ]


def free_suffix(graph: Graph, word: str) -> str:
    """``bar``, or ``bar2``, ... where the graph has such names already."""
    parts = {part for name in graph.nodes for part in name.split(".")[1:]}
    names = (word if number == 1 else f"{word}{number}" for number in count(1))
    return next(name for name in names if name not in parts)


def _float_results(graph: Graph) -> tuple[str, ...]:
    return tuple(name for name in graph.results if graph[name].type.has_gradient)


def _check(
    graph: Graph, wrt: Sequence[str], starts: Sequence[str], seeded: bool
) -> None:
    for name in wrt:
        if name not in graph or graph[name].op != "input":
            raise GradientError(f"graph {graph.name} has no input %{name}")
        if not graph[name].type.has_gradient:
            raise GradientError(
                f"no gradient with respect to {name}: it is {graph[name].type}",
                hint="only floats have gradients: pass 3.0 for 3, or x.astype(float)",
            )
    for name in starts:
        if name not in graph:
            raise GradientError(f"graph {graph.name} has no value %{name}")
        if not graph[name].type.has_gradient:
            raise GradientError(
                f"no gradient of %{name}: it is {graph[name].type}",
                source=graph[name].source,
                hint="only floats have gradients: casts to integers, comparisons and "
                "counts end them",
            )
        if not seeded and graph[name].type.shape != ():
            raise GradientError(
                f"the gradient starts from a scalar, but %{name} is {graph[name].type}",
                source=graph[name].source,
                hint="sum the result, or use vjp with a cotangent of that shape",
            )
