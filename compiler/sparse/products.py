"""The elements of a sparse derivative as one graph: as many products as colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.types import TensorType
from ..pipeline import run_passes
from ..transforms.adjoint import adjoint
from ..transforms.tangent import tangent
from ..transforms.vmap import vmapped

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

    Behind the inputs of ``graph`` it takes the colour of each column, or by rows of
    each row, one of ``count``; and the place of each element in the products, which
    stand one behind the other. It returns the elements.
    """
    before = len(graph.outputs)
    if by_rows:
        made = adjoint(graph, wrt=wrt, of=of, seeded=True)
    else:
        made = tangent(graph, wrt=wrt, of=of)
    made = run_passes(made.returning(made.outputs[before:]), _TIDY)
    known = len(graph.inputs)
    types = [seed.type for seed in made.inputs[known:]]
    flags = [False] * known + [True] * len(types)
    many, _ = vmapped(made, flags, count, wanted=range(len(made.outputs)))

    b = Builder(graph.name, reserved=many.nodes)
    given = [b.append(node) for node in graph.inputs]
    total = sum(type_.size for type_ in types)
    colours = b.input("colours", TensorType("i64", (total,)))
    places = b.input("places", TensorType("i64", (nonzeros,)))
    results = b.embed(many, [*given, *_seeds(b, colours, types, count)])
    rows = [_flat(b, x, count, dtype) for x in results]
    joined = rows[0] if len(rows) == 1 else b.concatenate(*rows, axis=1)
    flat = b.reshape(joined, (joined.type.size,))
    return b.build([Output(b.take(flat, places, axis=0).name)])


def _seeds(
    b: Builder, colours: Node, types: Sequence[TensorType], count: int
) -> Iterator[Node]:
    """For each colour 1 where elements have it, and 0 elsewhere."""
    first = 0
    for type_ in types:
        own = b.slice(colours, start=(first,), shape=(type_.size,), step=(1,))
        first += type_.size
        whole = TensorType("i64", (count, *type_.shape))
        turn = b.iota(shape=whole.shape, axis=0, dtype="i64")
        one = b.eq(b.broadcast(b.reshape(own, (1, *type_.shape)), whole), turn)
        yield b.cast(one, type_.dtype)


def _flat(b: Builder, x: Node, count: int, dtype: str) -> Node:
    """The products of all colours, each as one row."""
    return b.cast(b.reshape(x, (count, x.type.size // count)), dtype)
