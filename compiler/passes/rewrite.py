"""The driver of passes that replace nodes one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.literals import Attrs, Literal

__all__ = ["Rule", "instead", "rewrite"]

Rule: TypeAlias = Callable[..., "Node | list[Node] | None"]


def rewrite(graph: Graph, rules: Mapping[str, Rule]) -> Graph:
    """Replace nodes by what ``rules[op](b, node, *operands)`` returns for them.

    A rule sees the nodes of its op in program order, operands already replaced, and
    returns None to keep one; a node that takes the place of the one seen may have its
    name, and has as many values. Values that different nodes make are a list. The same
    graph comes back when nothing was replaced.
    """
    if rules.keys().isdisjoint([node.op for node in graph]):
        return graph
    b = Builder(graph.name, reserved=graph.nodes)
    values = b.values
    names: dict[str, str] = {}  # where another value took the place of one
    renamed = names.keys()
    changed = False
    for node in graph:
        kept, rule, made = node, rules.get(node.op), None
        if not renamed.isdisjoint(node.operands):
            operands = [names.get(name, name) for name in node.operands]
            kept = node.reading(tuple(operands))
        if rule is not None:
            b.section, b.source = node.section, node.source
            made = rule(b, kept, *[values[name] for name in kept.operands])
        if made is None:
            made = b.append(kept)
        if made is node:
            continue
        changed = True
        if isinstance(made, list):
            names.update(zip(node.names, [x.name for x in made], strict=True))
        elif node.several:
            names.update(zip(node.names, made.names, strict=True))
        elif made.name != node.name:
            names[node.name] = made.name
    if not changed:
        return graph
    outputs = [Output(names.get(o.value, o.value), o.label) for o in graph.outputs]
    return graph.with_nodes(list(b.nodes), outputs)


def instead(node: Node, op: str, *operands: Node, **attrs: Literal) -> Node:
    """Another op that makes the value of ``node``: its name, type and line stay."""
    names = tuple(operand.name for operand in operands)
    return node._replace(op=op, operands=names, attrs=Attrs(attrs), reads=())
