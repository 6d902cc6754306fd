"""What the labels of fusion mean: one kernel computes the nodes of one label.

``fuse`` labels nodes (`Node.kernel`) and leaves them in the graph. A *unit* is what a
backend makes at once: the nodes of one label, or a single node without one.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection

from ..ir.graph import Graph, Node

__all__ = ["needed", "units"]


def needed(graph: Graph) -> set[str]:
    """The values that are read outside of the kernel that computes them."""
    found = set(graph.results)
    for node in graph:
        for operand in node.operands:
            if node.kernel is None or graph[operand].kernel != node.kernel:
                found.add(operand)
    return found


def units(graph: Graph, early: Collection[str] = ()) -> list[list[Node]]:
    """The units in an order in which operands come first; inputs are in none.

    Among those that are ready the one that stands first in the program goes first, but
    nodes of the ops ``early`` before all others.
    """
    unit_of: dict[str, int] = {}
    found: list[list[Node]] = []
    kernels: dict[int, int] = {}
    nodes = [node for node in graph if node.op != "input"]
    for node in nodes:
        number = len(found)
        if node.kernel is not None:
            number = kernels.setdefault(node.kernel, number)
        if number == len(found):
            found.append([])
        found[number].append(node)
        for name in node.names:
            unit_of[name] = number
    waiting = [0] * len(found)
    feeds: list[list[int]] = [[] for _ in found]
    for node in nodes:
        number = unit_of[node.name]
        for operand in node.operands:
            other = unit_of.get(operand, number)
            if other != number:
                waiting[number] += 1
                feeds[other].append(number)
    late = [unit[0].op not in early for unit in found]
    ready = [(late[i], i) for i, count in enumerate(waiting) if count == 0]
    heapq.heapify(ready)
    order: list[list[Node]] = []
    while ready:
        _, number = heapq.heappop(ready)
        order.append(found[number])
        for other in feeds[number]:
            waiting[other] -= 1
            if waiting[other] == 0:
                heapq.heappush(ready, (late[other], other))
    if len(order) != len(found):
        raise AssertionError(f"graph {graph.name}: fused kernels depend on each other")
    return order
