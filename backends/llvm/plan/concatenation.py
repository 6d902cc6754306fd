"""Which values are made in their place in a concatenation or where they are stored.

The parts of a complex value are made where that lies.

A value has one home. Of the wholes that want it the largest gets it; the
others find it side by side with its neighbours there, or copy it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from ....ir.extent import extent_of
from ....ir.graph import Graph, Node
from ....ir.ops import OPS, Kind
from .chains import Chain
from .view import View, reshaped_strides, row_strides, strided

__all__ = ["Home", "homes"]


class Home(NamedTuple):
    """The whole in which a value is made: a concatenation, or the last of a chain.

    ``stored`` says that a store writes the value, so that the array must be there first
    and the place free.
    """

    whole: str
    view: View
    stored: bool = False


def homes(graph: Graph, chains: Sequence[Chain] = ()) -> dict[str, Home]:
    """The home of each value that has one.

    So have rows of loops that a slice shows in the other order: there.

    A concatenation that is itself a part of a larger one is not named: its parts have
    their home in the larger one. Inputs, constants and results have a place already. A
    part with gaps between its rows is a home for what loop nests and concatenations
    write; others write contiguous memory.

    >>> from anabranch.ir import parse
    >>> found = homes(parse('''
    ...     graph f(%x: f64[3]) {
    ...       %a = exp(%x)                          : f64[3]
    ...       %b = concatenate(%x, %a) {axis=0}     : f64[6]
    ...       %c = concatenate(%b, %b) {axis=0}     : f64[12]
    ...       return %c
    ...     }'''))
    >>> {name: (home.whole, home.view.offset) for name, home in found.items()}
    {'b': ('c', 0), 'a': ('c', 24)}
    """
    parts_of = {chain.last.name: chain for chain in chains}
    wholes = [graph[name] for name in parts_of]
    wholes += [node for node in graph if node.op in ("concatenate", "complex")]
    taken = {*graph.results, *(node.name for node in graph.inputs)}
    found: dict[str, Home] = {}
    for node in sorted(wholes, key=lambda node: -node.type.nbytes):
        chain = parts_of.get(node.name)
        full = View(0, 0, node.type, row_strides(node.type.shape))
        if chain is not None:
            parts = _stored(graph, chain, Home(node.name, full))
        else:
            join = _joined if node.op == "concatenate" else _paired
            parts = join(graph, node, found.get(node.name, Home(node.name, full)))
        for part, home in parts:
            part, home = _before_reshapes(graph, part, home)
            if part not in taken and _can_live(graph, part, home.view):
                taken.add(part)
                found[part] = home
    alone = (node for node in graph if node.name not in found)
    found.update(_in_other_order(graph, alone))
    return found


def _in_other_order(graph: Graph, nodes: Iterable[Node]) -> Iterator[tuple[str, Home]]:
    """The rows of loops that one of the nodes shows from the last one to the first.

    They are made in that order; along the other axes they lie as ever.
    """
    for node in nodes:
        if node.op != "slice" or node.type.rank < 2:
            continue
        (name,), step = node.operands, node.attrs["step"]
        maker, shape = graph[name], node.type.shape
        if maker.op != "loop" or name not in graph.read_once or name in graph.results:
            continue
        carried: Any = maker.attrs.get("carried", 0)
        number = maker.names.index(name)
        whole = number >= carried and maker.values[number].type.shape == shape
        if whole and shape[0] > 1 and step == (-1, *(1 for _ in shape[1:])):
            start = shape[0] - 1, *(0 for _ in shape[1:])
            full = View(0, 0, node.type, row_strides(shape))
            yield name, Home(node.name, strided(full, start, shape, step))


def _before_reshapes(graph: Graph, part: str, home: Home) -> tuple[str, Home]:
    """What a part is a reshape of, and how that lies in its home."""
    while (node := graph[part]).op == "reshape":
        (inner,), view = node.operands, home.view
        sizes = graph[inner].type.shape
        strides = reshaped_strides(view.type.shape, view.strides, sizes)
        if strides is None:
            break
        part, home = inner, home._replace(view=view.moved(sizes, strides))
    return part, home


def _can_live(graph: Graph, part: str, view: View) -> bool:
    """Whether what makes a value can write it there: of loops it is their rows."""
    node = graph[part]
    if 0 in view.type.shape:
        return False
    if node.op == "loop":
        carried: Any = node.attrs.get("carried", 0)
        return node.names.index(part) >= carried and view.is_contiguous
    if node.op == "const" or node.regions or OPS[node.op].kind is Kind.STORE:
        return False
    by_rows = node.kernel is not None or node.op == "concatenate"
    return by_rows or view.is_contiguous


def _joined(graph: Graph, node: Node, home: Home) -> Iterator[tuple[str, Home]]:
    """The parts of a concatenation, side by side in its home."""
    axis: Any = node.attrs["axis"]
    view, start = home.view, 0
    for part, value in zip(node.operands, graph.operands(node), strict=True):
        sizes = value.type.shape
        moved = view.moved(sizes, view.strides, start * view.strides[axis])
        start += sizes[axis]
        yield part, home._replace(view=moved)


def _paired(graph: Graph, node: Node, home: Home) -> Iterator[tuple[str, Home]]:
    """The real and the imaginary part of complex numbers, in their home."""
    for which, part in enumerate(node.operands):
        yield part, home._replace(view=home.view.part(which))


def _stored(graph: Graph, chain: Chain, home: Home) -> Iterator[tuple[str, Home]]:
    """What is stored and may lie in its place early, and what it is stored in."""
    if not chain.apart:
        yield chain.root, home
    for node in chain.stores:
        if node.name in chain.early:
            value = node.operands[1]
            start, shape, step = extent_of(graph, node)
            view = strided(home.view, start, shape, step)
            yield value, home._replace(view=view, stored=True)
