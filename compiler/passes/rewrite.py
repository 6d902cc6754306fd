"""The driver of passes that replace nodes one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.literals import Attrs, Literal

__all__ = ["Rule", "instead", "rewrite"]

Rule: TypeAlias = Callable[..., "Node | None"]


def rewrite(graph: Graph, rule: Rule) -> Graph:
    """Replace nodes by what ``rule(b, node, *operands)`` returns for them.

    The rule sees each node in program order, its operands already replaced, and
    returns None to keep it; a node that takes the place of the one seen may have its
    name. The same graph comes back when nothing was replaced.
    """
    b = Builder(graph.name, reserved=graph.nodes)
    new: dict[str, Node] = {}
    for node in graph:
        operands = [new[name] for name in node.operands]
        kept = node.reading(tuple([operand.name for operand in operands]))
        b.section, b.source = node.section, node.source
        found = None if node.op == "input" else rule(b, kept, *operands)
        new[node.name] = b.append(kept) if found is None else found
    if all(new[node.name] is node for node in graph):
        return graph
    outputs = [Output(new[out.value].name, out.label) for out in graph.outputs]
    return graph.with_nodes(list(b.nodes), outputs)


def instead(node: Node, op: str, *operands: Node, **attrs: Literal) -> Node:
    """Another op that makes the value of ``node``: its name, type and line stay."""
    names = tuple(operand.name for operand in operands)
    return replace(node, op=op, operands=names, attrs=Attrs(attrs))
