"""Fusion: which elementwise nodes and reductions one kernel computes.

The graph keeps its nodes; each node of a kernel gets the kernel's number (``@k0`` in
the text). A backend turns the nodes of one number into one loop nest over one index
space, and needs memory only for values that are read outside of it.

A kernel must not depend on itself through a node outside. Give every node a *level*,
never less than its operands' and one more across an edge that cannot be fused. Two
nodes of one level and one index space have no foreign node on any path between them,
so the connected sets of such nodes are kernels. Levels are as late as the readers
allow: what only a backward kernel reads is computed there. Slopes are computed as early
as they can be: they read a function's value and its argument, and save both.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ...ir.graph import Graph, Node
from ...ir.ops import OPS
from ...ir.types import Shape
from .pieces import Cutter, form, weight

__all__ = ["fuse"]

MAX_CODE = 2_000

_REDUCTIONS = tuple(
    f"reduce_{kind}" for kind in ("sum", "prod", "max", "min", "any", "all")
)
_FREE = ("input", "const", "iota")
_SLOPES = ("tanh_slope", "sigmoid_slope")
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
    spaces = {node.name: _space(graph, node) for node in graph}
    levels = _levels(graph, spaces)
    kernels = list(_kernels(_components(graph, levels, spaces)))
    of = {node.name: i for i, kernel in enumerate(kernels) for node in kernel}
    numbers: dict[int, int] = {}
    nodes: list[Node] = []
    for node in graph:
        kernel = of.get(node.name)
        if kernel is not None:
            kernel = numbers.setdefault(kernel, len(numbers))
        nodes.append(node.fused(kernel))
    same = all(map(operator.is_, nodes, graph))
    return graph if same else graph.with_nodes(nodes)


def _space(graph: Graph, node: Node) -> Shape | None:
    """The index space of the kernel that computes a node, None if it is no kernel's."""
    if OPS[node.op].scalar is not None:
        return node.type.shape
    if node.op in _REDUCTIONS:
        return graph[node.operands[0]].type.shape
    return None


def _is_elementwise(node: Node) -> bool:
    return OPS[node.op].scalar is not None


def _levels(graph: Graph, spaces: Mapping[str, Shape | None]) -> dict[str, int]:
    """The level of each node: first as early, then as late as can be."""
    joins = {
        node.name: node.type.shape if _is_elementwise(node) else None
        for node in graph
        if node.op not in _FREE and node.op not in _VIEWS
    }

    def cost(operand: str, space: Shape | None) -> int:
        return operand in joins and (space is None or joins[operand] != space)

    levels: dict[str, int] = {}
    for name, node in graph.nodes.items():
        space = spaces[name]
        costs = [levels[operand] + cost(operand, space) for operand in node.operands]
        levels[name] = max(costs, default=0)
    results = set(graph.results)
    latest: dict[str, int] = {}
    for node in reversed(list(graph)):
        level, space = levels[node.name], spaces[node.name]
        movable = (space is not None or node.op in _VIEWS) and node.op not in _SLOPES
        if movable and node.name not in results and node.name in latest:
            level = max(level, latest[node.name])
        levels[node.name] = level
        for operand in node.operands:
            bound = level - cost(operand, space)
            latest[operand] = min(latest.get(operand, bound), bound)
    return levels


def _components(
    graph: Graph, levels: Mapping[str, int], spaces: Mapping[str, Shape | None]
) -> Iterable[list[Node]]:
    """The connected sets of nodes of one level and space, each in program order."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for node in graph:
        space = spaces[node.name]
        if space is None:
            continue
        parent[node.name] = node.name
        for name in node.operands:
            operand = graph[name]
            if (
                _is_elementwise(operand)
                and operand.type.shape == space
                and levels[name] == levels[node.name]
            ):
                parent[root(node.name)] = root(name)
    members: dict[str, list[Node]] = {}
    for name in parent:
        members.setdefault(root(name), []).append(graph[name])
    return members.values()


def _kernels(components: Iterable[list[Node]]) -> Iterator[list[Node]]:
    """The components, cut where they are too large or reduce over different axes.

    Nothing in a component reads a reduction of it, so leaving one out keeps the rest
    free of cycles, and what is cut in program order has an order. Where a graph is so
    irregular that its pieces would be more code than `MAX_CODE`, the pieces that come
    last give their nodes kernels of their own, which are few.
    """
    cutter = Cutter()
    known: set[object] = set()
    code = 0
    for component in components:
        for piece in cutter.pieces(component):
            same = form(piece)
            if same not in known:
                more = sum(map(weight, piece))
                if code + more > MAX_CODE:
                    yield from ([node] for node in piece)
                    continue
                known.add(same)
                code += more
            yield from _by_axes(piece)


def _by_axes(piece: Sequence[Node]) -> Iterator[list[Node]]:
    """A piece without the reductions over other axes than its first, and those."""
    axes = next((node.attrs["axes"] for node in piece if node.op in _REDUCTIONS), None)
    kept: list[Node] = []
    for node in piece:
        if node.op in _REDUCTIONS and node.attrs["axes"] != axes:
            yield [node]
        else:
            kept.append(node)
    yield kept
