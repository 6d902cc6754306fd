"""Chains of stores: each writes over the value that the one before made.

A chain has one memory. Each store writes into it what it stores and nothing else; see
`stores` for what the planner does about values that are still read. A `loop` that only
stores into an array that it carries, and a `cond` whose branches do, is a store too: it
writes anywhere in the array.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ....ir.extent import Extent, ExtentIndex, extent_of, whole
from ....ir.graph import Graph, Node
from ....ir.ops import OPS, Kind
from ....ir.ops.parts import split_operands
from .begun import begun_with

__all__ = ["Chain", "chains", "place_of", "written_over"]

_STORE = Kind.STORE
_SLICES = ("slice", "slice_at")
_ELSEWHERE = (Kind.SOURCE, Kind.VIEW, Kind.STORE)


@dataclass
class Chain:
    """The stores of a chain, in order, and the value before the first.

    A store is seen as the value that it makes; ``bases`` are the values before each.
    ``early`` are the stores whose value may lie in its place as soon as the chain has
    begun: no earlier version is read there, and no earlier store writes there.
    ``covered`` says that nothing is left of the root where anything is read, and
    ``apart`` that the root is never made in the memory of its chain.
    """

    root: str
    stores: list[Node] = field(default_factory=list[Node])
    bases: list[str] = field(default_factory=list[str])
    early: set[str] = field(default_factory=set[str])
    covered: bool = False
    apart: bool = False

    @property
    def last(self) -> Node:
        """The store that makes the last version."""
        return self.stores[-1]


def written_over(node: Node) -> dict[str, int]:
    """The values that a node makes by writing over an operand, with its slot.

    >>> from anabranch.ir import parse
    >>> graph = parse('''
    ...     graph f(%x: f64[4], %v: f64[1]) {
    ...       %y, %z = loop(%v, %x, %v) {trips=4, carried=2} : f64[4], f64[1]:
    ...         body(%t: i64[], %v: f64[1], %a: f64[4], %b: f64[1]) {
    ...           %c = update_at(%a, %v, %t) {axes=(0,), start=(0,), step=(1,)} : f64[4]
    ...           %d = exp(%b)                                                  : f64[1]
    ...           return %c, %d
    ...         }
    ...       return %y, %z
    ...     }''')
    >>> written_over(graph["y"])
    {'y': 1}
    """
    if OPS[node.op].kind is _STORE:
        return {node.name: 0}
    if node.op not in ("loop", "cond"):
        return {}
    if node.op == "loop":
        parts = split_operands(node.attrs, range(len(node.operands)))
        taken = split_operands(
            {**node.attrs, "limit": False}, node.regions[0].inputs[1:]
        )
        tested = 1 if node.attrs.get("test") else 0
        ends = _ends(node.regions[0])
        pairs = list(zip(node.names, parts.carried, taken.carried, strict=False))
        results = node.regions[0].results
        return {
            name: slot
            for number, (name, slot, start) in enumerate(pairs)
            if number >= tested and ends.get(results[number]) == start.name
        }
    found: dict[str, int] = {}
    every = [(region, _ends(region)) for region in node.regions]
    for number, name in enumerate(node.names):
        starts = {
            [x.name for x in region.inputs].index(ends[region.results[number]])
            for region, ends in every
            if region.results[number] in ends
        }
        complete = all(region.results[number] in ends for region, ends in every)
        if complete and len(starts) == 1 and starts.isdisjoint(found.values()):
            found[name] = 1 + starts.pop()
    return found


def _ends(region: Graph) -> dict[str, str]:
    """The results that are an input, or the end of a chain of stores into one."""
    inputs = {node.name for node in region.inputs}
    ends = {chain.last.name: chain.root for chain in chains(region)}
    found: dict[str, str] = {}
    for name in region.results:
        root = name if name in inputs else ends.get(name)
        if root in inputs and root not in found.values():
            found[name] = root
    return found


def place_of(graph: Graph, node: Node) -> Extent:
    """Where a store writes, or more than that."""
    return whole(node.type.shape) if node.regions else extent_of(graph, node)


def chains(
    graph: Graph, inside: Mapping[str, str] | None = None, apart: bool = False
) -> list[Chain]:
    """The chains of a graph.

    Of several stores of one value the last in program order goes on with its memory,
    and the others begin chains of their own. ``inside`` are inputs that lie in the
    memory of a chain, each with its last version. With ``apart`` a chain ends where
    more would have to be moved out of its memory than copied into another.
    """
    links = [
        (graph[name], node.operands[slot])
        for node in graph
        for name, slot in written_over(node).items()
    ]
    if not links:
        return []
    place = {name: i for i, node in enumerate(graph) for name in node.names}
    following = {base: node.name for node, base in links}
    found: dict[str, Chain] = {}
    for node, base in links:
        chain = found.get(base) if following[base] == node.name else None
        if chain is not None and node.regions and apart:
            moved = _in_the_way(graph, place, node, base)
            if moved > sum(piece.size for piece in begun_with(node)):
                chain = None
        if chain is None:
            chain = Chain(base)
        chain.stores.append(node)
        chain.bases.append(base)
        found[node.name] = chain
    made = list({id(chain): chain for chain in found.values()}.values())
    readers = _readers(graph, {*found, *(chain.root for chain in made)})
    for chain in made:
        lies_here = (inside or {}).get(chain.root) == chain.last.name
        _examine(graph, chain, readers, lies_here, found)
    return made


def _in_the_way(graph: Graph, place: Mapping[str, int], node: Node, base: str) -> int:
    """How many elements slices show of the base that a node or a later one reads."""
    readers = [graph[read.consumer] for read in graph.reads[base]]
    return sum(
        reader.type.size
        for reader in readers
        if reader.op == "slice" and _last_read(graph, place, reader) >= place[node.name]
    )


def _last_read(graph: Graph, place: Mapping[str, int], node: Node) -> int:
    """The place of the last node that reads a value, be it through views."""
    if node.name in graph.results:
        return len(place)
    readers = [graph[read.consumer] for read in graph.reads[node.name]]
    ends = [
        _last_read(graph, place, reader)
        if OPS[reader.op].kind is Kind.VIEW
        else place[reader.name]
        for reader in readers
    ]
    return max(ends, default=-1)


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


def _examine(
    graph: Graph,
    chain: Chain,
    readers: dict[str, list[Node | None]],
    lies_here: bool,
    stored: Collection[str],
) -> None:
    """Find out which values may come early, and whether the root is written over."""
    root = graph[chain.root]
    chain.apart = root.name in stored or (
        not lies_here and _lies_elsewhere(graph, root)
    )
    touched: ExtentIndex[Extent] = ExtentIndex()
    read = all_read = False
    written = 0
    for number, (node, base) in enumerate(zip(chain.stores, chain.bases, strict=True)):
        for reader in readers[base]:
            own = reader is not None and node.name in reader.names
            if own and node.operands.count(base) == 1:
                continue
            if number == 0 and chain.apart:
                continue
            read = True
            if reader is None or reader.op not in _SLICES:
                all_read = True
            else:
                place = extent_of(graph, reader)
                touched.add(place, place)
        extent = place_of(graph, node)
        if not all_read and not any(True for _ in touched.overlapping(extent)):
            written += extent.size
            if node.op == "update":
                chain.early.add(node.name)
        touched.add(extent, extent)
    every = len(chain.early) == len(chain.stores)
    chain.covered = every and not read and written == chain.last.type.size


def _lies_elsewhere(graph: Graph, node: Node) -> bool:
    """Whether a root has another place, or is a view of what has."""
    if node.name in graph.results:
        return True
    while node.op == "reshape":
        node = graph[node.operands[0]]
    return OPS[node.op].kind in _ELSEWHERE
