"""Fusion: which elementwise nodes and reductions one kernel computes.

The graph keeps its nodes; each node of a kernel gets the kernel's number (``@k0`` in
the text). A backend turns the nodes of one number into one loop nest over one index
space, and needs memory only for values that are read outside of it.

A kernel must not depend on itself through a node outside. Give every node a *level*,
never less than its operands' and one more across an edge that cannot be fused. Two
nodes of one level and one index space have no foreign node on any path between them,
so the connected sets of such nodes are kernels. Levels are as late as the readers
allow: what only a backward kernel reads is computed there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...ir.graph import Graph, Node
from ...ir.ops import OPS
from ...ir.types import Shape

__all__ = ["fuse"]

MAX_NODES = 48

_REDUCTIONS = tuple(
    f"reduce_{kind}" for kind in ("sum", "prod", "max", "min", "any", "all")
)
_VIEWS = ("reshape", "transpose", "broadcast_to", "slice", "windows")


def fuse(graph: Graph) -> Graph:
    """Number the kernels of elementwise nodes and reductions.

    before:
        graph f(%x: f64[8,4], %y: f64[8,4]) {
          %a = mul(%x, %y)               : f64[8,4]
          %b = tanh(%a)                  : f64[8,4]
          %s = reduce_sum(%b) {axes=(1,)} : f64[8]
          %e = exp(%s)                   : f64[8]
          return %e
        }
    after:
        graph f(%x: f64[8,4], %y: f64[8,4]) {
          %a = mul(%x, %y)               : f64[8,4] @k0
          %b = tanh(%a)                  : f64[8,4] @k0
          %s = reduce_sum(%b) {axes=(1,)} : f64[8] @k0
          %e = exp(%s)                   : f64[8] @k1
          return %e
        }
    """
    levels = _levels(graph)
    kernels = _Kernels(graph, levels)
    numbers: dict[str, int] = {}
    nodes = [
        replace(node, kernel=numbers.setdefault(kernel, len(numbers)))
        if (kernel := kernels.of.get(node.name))
        else node
        for node in graph
    ]
    return graph if nodes == list(graph) else graph.with_nodes(nodes)


def _space(graph: Graph, node: Node) -> Shape | None:
    """The index space of the kernel that computes a node, None if it is no kernel's."""
    if OPS[node.op].scalar is not None:
        return node.type.shape
    if node.op in _REDUCTIONS:
        return graph[node.operands[0]].type.shape
    return None


def _is_elementwise(node: Node) -> bool:
    return OPS[node.op].scalar is not None


def _levels(graph: Graph) -> dict[str, int]:
    """The level of each node: first as early, then as late as can be."""
    spaces = {node.name: _space(graph, node) for node in graph}
    computed: set[str] = set()
    for node in graph:
        free = node.op in ("input", "const", "iota")
        if not free and (node.op not in _VIEWS or node.operands[0] in computed):
            computed.add(node.name)

    def cost(operand: Node, node: Node) -> int:
        if operand.name not in computed:
            return 0
        if _is_elementwise(operand) and operand.type.shape == spaces[node.name]:
            return 0
        return 0 if operand.op in _VIEWS else 1

    levels: dict[str, int] = {}
    for node in graph:
        levels[node.name] = max(
            (levels[x.name] + cost(x, node) for x in graph.operands(node)), default=0
        )
    results = set(graph.results)
    latest: dict[str, int] = {}
    for node in reversed(list(graph)):
        level = levels[node.name]
        movable = spaces[node.name] is not None or node.op in _VIEWS
        if movable and node.name not in results and node.name in latest:
            level = max(level, latest[node.name])
        levels[node.name] = level
        for operand in graph.operands(node):
            bound = level - cost(operand, node)
            latest[operand.name] = min(latest.get(operand.name, bound), bound)
    return levels


class _Kernels:
    """Connected sets of nodes of one level and space, by their first member.

    A kernel reduces over one set of axes, that of its first reduction; a reduction over
    others is a kernel of its own. Nothing in a kernel reads a reduction of its level,
    so leaving one out keeps the rest free of cycles.
    """

    def __init__(self, graph: Graph, levels: dict[str, int]) -> None:
        self._parent: dict[str, str] = {}
        for node in graph:
            space = _space(graph, node)
            if space is None:
                continue
            self._parent[node.name] = node.name
            for operand in graph.operands(node):
                if (
                    _is_elementwise(operand)
                    and operand.type.shape == space
                    and levels[operand.name] == levels[node.name]
                ):
                    self._parent[self._root(node.name)] = self._root(operand.name)
        self.of = self._limited(graph)

    def _root(self, name: str) -> str:
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def _limited(self, graph: Graph) -> dict[str, str]:
        """Kernels of at most `MAX_NODES` nodes, a larger one cut in program order."""
        sizes: dict[str, int] = {}
        axes: dict[str, Any] = {}
        found: dict[str, str] = {}
        for node in graph:
            if node.name not in self._parent:
                continue
            root = self._root(node.name)
            kernel = f"{root} {sizes.get(root, 0) // MAX_NODES}"
            if node.op in _REDUCTIONS:
                wanted = node.attrs["axes"]
                if axes.setdefault(kernel, wanted) != wanted:
                    found[node.name] = node.name
                    continue
            sizes[root] = sizes.get(root, 0) + 1
            found[node.name] = kernel
        return found
