"""The elements of a sparse derivative as one graph: as many products as colours."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.types import TensorType
from ..adjoint import adjoint
from ..pipeline import run_passes
from ..tangent import tangent
from ..vmap import vmapped

__all__ = ["products"]

_TIDY = ("prune", "dedupe")


def products(
    graph: Graph,
    wrt: Sequence[str],
    of: Sequence[str],
    *,
    count: int,
    nonzeros: int,
    dtype: str,
    by_rows: bool,
) -> Graph:
    """The graph that makes the elements of the Jacobian of ``of`` by ``wrt``.

    Behind the inputs of ``graph`` it takes seeds, ``count`` of each input of ``wrt``,
    or by rows of each value of ``of``; and the place of each element in the products,
    which stand one behind the other. It returns the elements.
    """
    known = len(graph.inputs)
    before = len(graph.outputs)
    if by_rows:
        made = adjoint(graph, wrt=wrt, of=of, seeded=True)
    else:
        made = tangent(graph, wrt=wrt, of=of)
    made = run_passes(made.returning(made.outputs[before:]), _TIDY)
    seeds = len(made.inputs) - known
    flags = [False] * known + [True] * seeds
    outputs = range(len(made.outputs))
    many, _ = vmapped(made, flags, count, wanted=tuple(outputs))
    b = Builder(graph.name, many)
    rows = [_flat(b, b[name], count, dtype) for name in many.results]
    joined = rows[0] if len(rows) == 1 else b.concatenate(*rows, axis=1)
    places = b.input("places", TensorType("i64", (nonzeros,)))
    flat = b.reshape(joined, (joined.type.size,))
    return b.build([Output(b.take(flat, places, axis=0).name)], many.sections)


def _flat(b: Builder, x: Node, count: int, dtype: str) -> Node:
    size = x.type.size // count
    return b.cast(b.reshape(x, (count, size)), dtype)
