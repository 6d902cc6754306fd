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
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from ...ir.graph import Graph, Node
from ...ir.ops import OPS, Kind
from ...ir.types import Shape
from .pieces import Cutter, form, weight

__all__ = ["fuse"]

MAX_CODE = 2_000

_VIEW = Kind.VIEW
_FREE = (Kind.SOURCE, Kind.VIEW)


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
    nodes = list(graph)
    places = {node.name: place for place, node in enumerate(nodes)}
    places |= {x.name: places[n.name] for n in nodes if n.several for x in n.several}
    read = [[places[operand] for operand in node.operands] for node in nodes]
    spaces = [_space(graph, node) for node in nodes]
    levels = _levels(nodes, read, spaces, {places[name] for name in graph.results})
    kernels = list(_kernels(_components(nodes, read, spaces, levels)))
    of = {node.name: i for i, kernel in enumerate(kernels) for node in kernel}
    numbers: dict[int, int] = {}
    fused: list[Node] = []
    for node in nodes:
        kernel = of.get(node.name)
        if kernel is not None:
            kernel = numbers.setdefault(kernel, len(numbers))
        fused.append(node.fused(kernel))
    same = all(map(operator.is_, fused, nodes))
    return graph if same else graph.with_nodes(fused)


def _space(graph: Graph, node: Node) -> Shape | None:
    """The index space of the kernel that computes a node, None if it is no kernel's."""
    op = OPS[node.op]
    if op.scalar is not None:
        return node.type.shape
    if op.combine is not None:
        return graph[node.operands[0]].type.shape
    return None


def _is_elementwise(node: Node) -> bool:
    return OPS[node.op].scalar is not None


def _levels(
    nodes: Sequence[Node],
    read: Sequence[Sequence[int]],
    spaces: Sequence[Shape | None],
    results: Collection[int],
) -> list[int]:
    """The level of each node: first as early, then as late as can be.

    ``read`` holds the places of the nodes that each node reads.
    """
    ops = [OPS[node.op] for node in nodes]
    free = [op.kind in _FREE for op in ops]
    movable = [
        (space is not None or op.kind is _VIEW) and op.slope_of is None
        for space, op in zip(spaces, ops, strict=True)
    ]
    # The space in which a node's readers can be computed together with it.
    joins = [node.type.shape if _is_elementwise(node) else None for node in nodes]
    steps = [  # what each read adds to the level of the value
        [not free[i] and (space is None or joins[i] != space) for i in operands]
        for space, operands in zip(spaces, read, strict=True)
    ]
    levels: list[int] = []
    for operands, step in zip(read, steps, strict=True):
        reached = [levels[i] + more for i, more in zip(operands, step, strict=True)]
        levels.append(max(reached, default=0))
    latest: list[int | None] = [None] * len(nodes)
    for place in range(len(nodes) - 1, -1, -1):
        level, late = levels[place], latest[place]
        if late is not None and movable[place] and place not in results:
            level = levels[place] = max(level, late)
        for operand, step in zip(read[place], steps[place], strict=True):
            bound = latest[operand]
            if bound is None or level - step < bound:
                latest[operand] = level - step
    return levels


def _components(
    nodes: Sequence[Node],
    read: Sequence[Sequence[int]],
    spaces: Sequence[Shape | None],
    levels: Sequence[int],
) -> Iterable[list[Node]]:
    """The connected sets of nodes of one level and space, each in program order."""
    parent = list(range(len(nodes)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for place, space in enumerate(spaces):
        if space is None:
            continue
        for operand in read[place]:
            if (
                levels[operand] == levels[place]
                and _is_elementwise(nodes[operand])
                and nodes[operand].type.shape == space
            ):
                parent[root(place)] = root(operand)
    members: dict[int, list[Node]] = {}
    for place, space in enumerate(spaces):
        if space is not None:
            members.setdefault(root(place), []).append(nodes[place])
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
    """The reductions of a piece by their axes; the most of them stay with the rest."""
    reductions = [node for node in piece if OPS[node.op].combine is not None]
    counts = Counter(node.attrs["axes"] for node in reductions)
    if len(counts) < 2:
        yield list(piece)
        return
    kept = counts.most_common(1)[0][0]
    apart = [node for node in reductions if node.attrs["axes"] != kept]
    for axes in counts:
        if axes != kept:
            yield [node for node in apart if node.attrs["axes"] == axes]
    others = {node.name for node in apart}
    yield [node for node in piece if node.name not in others]
