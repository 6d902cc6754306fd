"""The elements of a sparse derivative as one graph: as many products as colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.ops.mapped import in_turn
from ...ir.types import TensorType
from ..pipeline import run_passes
from ..transforms.adjoint import adjoint
from ..transforms.tangent import tangent
from ..transforms.vmap import vmapped
from .unions import Numbers

__all__ = ["Chunks", "chunks_of", "one_product", "products"]

_TIDY = ("prune", "dedupe")


class Chunks(NamedTuple):
    """Where elements are if not all products are taken at once.

    ``size`` products are taken in a turn. A row of ``places`` has the places in them of
    the elements of a turn, ``order`` that of each element in all rows.
    """

    size: int
    places: Numbers
    order: Numbers


def chunks_of(places: Numbers, count: int, length: int, chunk: int) -> Chunks:
    """The chunks of ``count`` products of a length, at most so many in each.

    ``places`` are those of elements in all products, one behind the other.
    """
    turns = -(-count // chunk)
    size = -(-count // turns)
    turn, place = np.divmod(places, size * length)
    counts = np.bincount(turn, minlength=turns)
    order = np.argsort(turn, kind="stable")
    slots = np.empty_like(places)
    slots[order] = np.arange(places.size) - np.repeat(
        np.cumsum(counts) - counts, counts
    )
    width = int(counts.max())
    table = np.zeros((turns, width), np.int64)
    table[turn, slots] = place
    return Chunks(size, table, turn * width + slots)


def products(
    graph: Graph,
    wrt: Sequence[str],
    of: Sequence[str],
    *,
    count: int,
    nonzeros: int,
    dtype: str,
    by_rows: bool,
    chunks: Chunks | None = None,
) -> Graph:
    """The graph that makes the elements of the Jacobian of ``of`` by ``wrt``.

    Behind the inputs of ``graph`` it takes the colour of each column, or by rows of
    each row, one of ``count``; and the place of each element in the products, which
    stand one behind the other. With ``chunks`` it is a loop, and takes the places and
    the order of these. It returns the elements.
    """
    made = _derived(graph, wrt, of, by_rows)
    seeds = [seed.type for seed in made.inputs[len(graph.inputs) :]]
    together = count if chunks is None else chunks.size
    flags = [False] * len(graph.inputs) + [True] * len(seeds)
    wanted = range(len(made.outputs))
    many, _ = vmapped(made, flags, together, wanted=wanted)

    def taken(b: Builder, given: Sequence[Node], first: Node | None) -> Node:
        """The elements that the products of ``together`` colours have."""
        *given, colours, places = given
        results = b.embed(many, [*given, *_seeds(b, colours, seeds, together, first)])
        rows = [_flat(b, x, together, dtype) for x in results]
        joined = rows[0] if len(rows) == 1 else b.concatenate(*rows, axis=1)
        return b.take(b.reshape(joined, (joined.type.size,)), places, axis=0)

    b = Builder(graph.name, reserved=many.nodes)
    given = [b.append(node) for node in graph.inputs]
    total = sum(type_.size for type_ in seeds)
    given.append(b.input("colours", TensorType("i64", (total,))))
    if chunks is None:
        given.append(b.input("places", TensorType("i64", (nonzeros,))))
        return b.build([Output(taken(b, given, None).name)])
    turns = chunks.places.shape[0]
    first = b.iota(shape=(turns,), axis=0, dtype="i64")
    first = b.mul(first, b.like(first, together))
    shared = [False] * len(given)
    given += [b.input("places", TensorType("i64", chunks.places.shape)), first]
    (rows,) = in_turn(
        b,
        given[0],
        turns,
        [*shared, True, True],
        *given,
        make=lambda inner, n, *taken_in: [taken(inner, taken_in[:-1], taken_in[-1])],
    )
    order = b.input("order", TensorType("i64", (nonzeros,)))
    flat = b.reshape(rows, (rows.type.size,))
    return b.build([Output(b.take(flat, order, axis=0).name)])


def one_product(
    graph: Graph, wrt: Sequence[str], of: Sequence[str], *, dtype: str, by_rows: bool
) -> Graph:
    """The graph that makes the product of the Jacobian with a vector, its last input.

    By rows it is that of the transposed Jacobian.
    """
    made = _derived(graph, wrt, of, by_rows)
    b = Builder(graph.name, reserved=made.nodes)
    given = [b.append(node) for node in graph.inputs]
    seeds = [seed.type for seed in made.inputs[len(given) :]]
    total = sum(type_.size for type_ in seeds)
    vector = b.input("vector", TensorType(dtype, (total,)))
    parts = [
        b.cast(b.reshape(part, type_.shape), type_.dtype)
        for part, type_ in zip(_parts(b, vector, seeds), seeds, strict=True)
    ]
    results = b.embed(made, [*given, *parts])
    rows = [_flat(b, x, 1, dtype) for x in results]
    joined = rows[0] if len(rows) == 1 else b.concatenate(*rows, axis=1)
    return b.build([Output(b.reshape(joined, (joined.type.size,)).name)])


def _derived(
    graph: Graph, wrt: Sequence[str], of: Sequence[str], by_rows: bool
) -> Graph:
    """The graph of one product, whose last inputs are the seeds."""
    before = len(graph.outputs)
    if by_rows:
        made = adjoint(graph, wrt=wrt, of=of, seeded=True)
    else:
        made = tangent(graph, wrt=wrt, of=of)
    return run_passes(made.returning(made.outputs[before:]), _TIDY)


def _parts(b: Builder, flat: Node, types: Sequence[TensorType]) -> Iterator[Node]:
    """The elements of each of the seeds, one behind the other."""
    first = 0
    for type_ in types:
        yield b.slice(flat, start=(first,), shape=(type_.size,), step=(1,))
        first += type_.size


def _seeds(
    b: Builder,
    colours: Node,
    types: Sequence[TensorType],
    count: int,
    first: Node | None,
) -> Iterator[Node]:
    """For each colour, from the first on, 1 where elements have it, and 0 elsewhere."""
    for own, type_ in zip(_parts(b, colours, types), types, strict=True):
        whole = TensorType("i64", (count, *type_.shape))
        turn = b.iota(shape=whole.shape, axis=0, dtype="i64")
        if first is not None:
            turn = b.add(turn, b.broadcast(first, whole))
        one = b.eq(b.broadcast(b.reshape(own, (1, *type_.shape)), whole), turn)
        yield b.cast(one, type_.dtype)


def _flat(b: Builder, x: Node, count: int, dtype: str) -> Node:
    """The products of all colours, each as one row."""
    return b.cast(b.reshape(x, (count, x.type.size // count)), dtype)
