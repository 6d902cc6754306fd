"""The mapping pass: from the graph of one example to that of many at once.

A value that depends on what examples have of their own gets a new leading axis, of the
examples; any other stays as it is and is computed once. Each op says how it takes the
axis (`OpDef.vmap`); what the rule makes has it exactly where the value's rank is one
higher. There is no loop over examples but where an op has no other way.

In a region that not all examples run, a mask says which do: the graph takes it as a
last input. What may fail is given a value that cannot in place of those of the others:
a check one that is inside, a factorization the identity. So no example raises, or runs
for ever, for a branch that it did not choose or an iteration that it does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

from ...ir.builder import Builder
from ...ir.collection import paused_collection
from ...ir.graph import Graph, Node, Output, Section
from ...ir.literals import Attrs
from ...ir.ops import OPS
from ...ir.ops.lapack import identity
from ...ir.ops.mapped import chosen, each, in_turn, may_fail, only_if, rule_of
from ...ir.types import TensorType

__all__ = ["vmapped"]

Mapped: TypeAlias = "tuple[Graph, tuple[bool, ...]]"


def vmapped(
    graph: Graph,
    mapped: Sequence[bool],
    size: int,
    *,
    wanted: Collection[int] = (),
    masked: bool = False,
) -> Mapped:
    """The graph for ``size`` examples, and which of its results are of each.

    ``mapped`` says for each input whether examples have one of their own, as rows along
    a new first axis. A result that is of each has such an axis too, and so have those
    whose numbers are ``wanted``. Values keep their names. With ``masked`` there is one
    more input, a bool for each example.
    """
    known: dict[Any, Mapped] = {}

    def once(
        graph: Graph,
        mapped: Sequence[bool],
        size: int,
        *,
        wanted: Collection[int] = (),
        masked: bool = False,
    ) -> Mapped:
        """Rules ask for a region again and again, until they know what is mapped."""
        key = graph, tuple(mapped), size, tuple(wanted), masked
        if key not in known:
            walk = _Walk(graph, mapped, size, masked, once)
            for node in graph:
                if node.op != "input":
                    walk.add(node)
            known[key] = walk.results(wanted)
        return known[key]

    with paused_collection():
        return once(graph, mapped, size, wanted=wanted, masked=masked)


class _Walk:
    """The graph of many examples as it is made: its values by their names in the other.

    ``mapped`` are those that have the axis.
    """

    def __init__(
        self,
        graph: Graph,
        mapped: Sequence[bool],
        size: int,
        masked: bool,
        once: Callable[..., Mapped],
    ) -> None:
        self.graph, self.size, self.once = graph, size, once
        self.b = Builder(graph.name, reserved=graph.nodes)
        self.values: dict[str, Node] = {}
        self.mapped: set[str] = set()
        self.named: set[str] = set()
        for node, one in zip(graph.inputs, mapped, strict=True):
            if one:
                self.mapped.add(node.name)
                shape = (size, *node.type.shape)
                node = node._replace(type=node.type.with_shape(shape))
            self._keep(node.name, self.b.append(node))
        lanes = TensorType("bool", (size,))
        self.mask = self.b.input("mask", lanes) if masked else None

    def _keep(self, name: str, value: Node) -> None:
        self.values[name] = value
        self.named.add(value.name)

    def add(self, node: Node) -> None:
        """Add what a node is for all examples."""
        b = self.b
        b.section, b.source = node.section, node.source
        operands = [self.values[name] for name in node.operands]
        flags = [name in self.mapped for name in node.operands]
        if self.mask is not None:
            node, operands = self._satisfiable(node, operands)
            operands = self._harmless(node, operands, flags)
        made = self._values(node, operands, flags)
        for old, new in zip(node.values, made, strict=True):
            if new.name != old.name:
                new = b.identity(new) if new.name in self.named else new
                b.suggest(new, old.name)
            self._keep(old.name, new)
            if new.type.rank > old.type.rank:
                self.mapped.add(old.name)

    def _values(
        self, node: Node, operands: list[Node], flags: list[bool]
    ) -> Sequence[Node]:
        b, mask = self.b, self.mask
        if mask is not None and node.op == "callback" and any(flags):
            both = mask, *operands
            return in_turn(b, node, self.size, [True, *flags], *both, make=only_if)
        if not any(flags):
            calls = node.op == "callback" or any(map(may_fail, node.regions))
            runs = node.op == "loop" and "trips" not in node.attrs
            if mask is not None and (calls or runs):
                return only_if(b, node, b.reduce_any(mask, axes=(0,)), *operands)
            return b.append(node.reading(tuple([x.name for x in operands]))).values
        op = OPS[node.op]
        rule = rule_of(op)
        assert rule is not None, f"vmap has no rule for {op.name}"
        attrs = dict(node.attrs)
        if op.regions:
            attrs |= {"vmapped": self.once, "mask": mask}
        made = rule(b, node, self.size, flags, *operands, **attrs)
        return made.values if isinstance(made, Node) else made

    def _satisfiable(self, node: Node, operands: list[Node]) -> tuple[Node, list[Node]]:
        """A check that nothing passes, of an empty axis, as one that these do not."""
        if node.op != "check":
            return node, operands
        attrs: dict[str, Any] = dict(node.attrs)
        low, (x,) = attrs["low"], operands
        if low < attrs["high"]:
            return node, operands
        attrs["high"] = low + 1
        return node._replace(attrs=Attrs(attrs)), [self.b.like(x, low - 1)]

    def _harmless(
        self, node: Node, operands: list[Node], flags: list[bool]
    ) -> list[Node]:
        """The operands of a node that may fail, which cannot where the mask is false.

        Of what all examples share, where it is false for all of them.
        """
        b, mask = self.b, self.mask
        fails = OPS[node.op].fails
        linear = fails is not None and fails[0] == "linalg"
        if mask is None or not (node.op == "check" or linear):
            return operands
        made: list[Node] = []
        low: Any = node.attrs.get("low")
        for x, one in zip(operands, flags, strict=True):
            if node.op == "check":
                instead = b.like(x, low)
            elif x.type.has_gradient:
                instead = identity(b, x.type)
            else:
                instead = x
            alive = mask if one else b.reduce_any(mask, axes=(0,))
            made.append(x if instead is x else chosen(b, alive, x, instead))
        return made

    def results(self, wanted: Collection[int]) -> Mapped:
        """The graph, and which of its results have the axis."""
        b, graph = self.b, self.graph
        b.section = len(graph.sections)
        outputs: list[Output] = []
        flags: list[bool] = []
        for number, output in enumerate(graph.outputs):
            value, one = self.values[output.value], output.value in self.mapped
            if number in wanted and not one:
                value, one = each(b, value, self.size, False), True
            outputs.append(Output(value.name, output.label))
            flags.append(one)
        sections = [Section((), (), x.suffix, lawful=False) for x in graph.sections]
        return b.build(outputs, sections), tuple(flags)
