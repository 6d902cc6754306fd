"""What the labels of fusion mean: one kernel computes the nodes of one label.

``fuse`` labels nodes (`Node.kernel`) and leaves them in the graph. A *unit* is what a
backend makes at once: the nodes of one label, or a single node without one.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence

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


def units(
    graph: Graph, early: Collection[str] = (), over: Mapping[str, str] | None = None
) -> list[list[Node]]:
    """The units in an order in which operands come first; inputs are in none.

    Among those that are ready the one that stands first in the program goes first, but
    nodes of the ops ``early`` before all others. What writes ``over`` a value waits for
    all others that read it, also through early nodes, as long as something else is
    ready.
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
    waits = _Waits(found, late, over or {})
    ready = [(late[i], i) for i, count in enumerate(waiting) if count == 0]
    heapq.heapify(ready)
    order: list[list[Node]] = []
    while ready or waits.held:
        number = heapq.heappop(ready)[1] if ready else waits.release()
        if waits.holds(number):
            continue
        order.append(found[number])
        for freed in waits.done(number):
            heapq.heappush(ready, (late[freed], freed))
        for other in feeds[number]:
            waiting[other] -= 1
            if waiting[other] == 0:
                heapq.heappush(ready, (late[other], other))
    if len(order) != len(found):
        raise AssertionError(f"graph {graph.name}: fused kernels depend on each other")
    return order


class _Waits:
    """Units that write over a value that others are still to read.

    ``held`` are those that were ready.
    """

    def __init__(
        self,
        units: Sequence[Sequence[Node]],
        late: Sequence[bool],
        over: Mapping[str, str],
    ) -> None:
        self.held: list[int] = []
        self._bases: dict[int, set[str]] = {}
        self._readers: dict[str, set[int]] = {base: set() for base in over.values()}
        self._read: dict[int, set[str]] = {}
        self._released: set[int] = set()
        if not over:
            return
        shown: dict[str, str] = {}  # what is seen through an early node
        for number, unit in enumerate(units):
            if not late[number]:
                base = unit[0].operands[0]
                shown[unit[0].name] = shown.get(base, base)
        for number, unit in enumerate(units):
            names = {name for node in unit for name in node.names}
            self._bases[number] = {over[name] for name in names & over.keys()}
            if late[number]:
                read = {
                    shown.get(name, name) for node in unit for name in node.operands
                }
                self._read[number] = read & self._readers.keys()
                for base in self._read[number]:
                    self._readers[base].add(number)

    def _is_free(self, number: int) -> bool:
        bases = self._bases.get(number, ())
        return all(self._readers[base] <= {number} for base in bases)

    def holds(self, number: int) -> bool:
        """Whether a unit that is ready has to wait, from now on."""
        if number in self._released or self._is_free(number):
            return False
        self.held.append(number)
        return True

    def release(self) -> int:
        """The first of those that wait, which waits no longer."""
        number = min(self.held)
        self.held.remove(number)
        self._released.add(number)
        return number

    def done(self, number: int) -> list[int]:
        """What need not wait any longer, once a unit is in order."""
        for base in self._read.get(number, ()):
            self._readers[base].discard(number)
        freed = [one for one in self.held if self._is_free(one)] if self.held else []
        self.held = [one for one in self.held if one not in freed]
        return freed
