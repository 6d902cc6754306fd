"""Chains of stores: each ``update`` or ``put`` of the value that the one before made.

A chain has one memory. Each store writes into it what it stores and nothing else; see
`stores` for what the planner does about values that are still read.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ....ir.extent import Extent, ExtentIndex, extent_of
from ....ir.graph import Graph, Node
from ....ir.ops import OPS, Kind

__all__ = ["Chain", "chains"]

_STORE = Kind.STORE
_SLICES = ("slice", "slice_at")
_ELSEWHERE = (Kind.SOURCE, Kind.VIEW, Kind.STORE)


@dataclass
class Chain:
    """The stores of a chain, in order, and the value before the first.

    ``early`` are the stores whose value may lie in its place as soon as the chain has
    begun: no earlier version is read there, and no earlier store writes there.
    ``covered`` says that nothing is left of the root where anything is read, and
    ``apart`` that the root is never made in the memory of its chain.
    """

    root: str
    stores: list[Node] = field(default_factory=list[Node])
    early: set[str] = field(default_factory=set[str])
    covered: bool = False
    apart: bool = False

    @property
    def last(self) -> Node:
        """The store that makes the last version."""
        return self.stores[-1]


def chains(graph: Graph) -> list[Chain]:
    """The chains of a graph.

    Of several stores of one value the last in program order goes on with its memory,
    and the others begin chains of their own.
    """
    stores = [node for node in graph if OPS[node.op].kind is _STORE]
    if not stores:
        return []
    following = {node.operands[0]: node.name for node in stores}
    found: dict[str, Chain] = {}
    for node in stores:
        base = node.operands[0]
        chain = found.get(base) if following[base] == node.name else None
        if chain is None:
            chain = Chain(base)
        chain.stores.append(node)
        found[node.name] = chain
    made = list({id(chain): chain for chain in found.values()}.values())
    readers = _readers(graph, {*found, *(chain.root for chain in made)})
    for chain in made:
        _examine(graph, chain, readers)
    return made


def _readers(graph: Graph, names: set[str]) -> dict[str, list[Node | None]]:
    """Who reads these values, None for a result."""
    readers: dict[str, list[Node | None]] = {}
    for name in graph.results:
        readers.setdefault(name, []).append(None)
    for node in graph:
        for operand in dict.fromkeys(node.operands):
            if operand in names:
                readers.setdefault(operand, []).append(node)
    return readers


def _examine(graph: Graph, chain: Chain, readers: dict[str, list[Node | None]]) -> None:
    """Find out which values may come early, and whether the root is written over."""
    chain.apart = _lies_elsewhere(graph, graph[chain.root])
    touched: ExtentIndex[Extent] = ExtentIndex()
    read = all_read = False
    stored = 0
    for number, node in enumerate(chain.stores):
        base = graph[node.operands[0]]
        for reader in readers[base.name]:
            if reader is node and node.operands.count(base.name) == 1:
                continue
            if number == 0 and chain.apart:
                continue
            read = True
            if reader is None or reader.op not in _SLICES:
                all_read = True
            else:
                place = extent_of(graph, reader)
                touched.add(place, place)
        extent = extent_of(graph, node)
        if not all_read and not any(True for _ in touched.overlapping(extent)):
            stored += extent.size
            if node.op == "update":
                chain.early.add(node.name)
        touched.add(extent, extent)
    every = len(chain.early) == len(chain.stores)
    chain.covered = every and not read and stored == chain.last.type.size


def _lies_elsewhere(graph: Graph, node: Node) -> bool:
    """Whether a root has another place, or is a view of what has."""
    if node.name in graph.results:
        return True
    while node.op == "reshape":
        node = graph[node.operands[0]]
    return OPS[node.op].kind in _ELSEWHERE
