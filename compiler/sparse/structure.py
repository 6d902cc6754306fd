"""The structure of a Jacobian: which elements of the outputs depend on which inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from ...backends.base import Array
from ...ir.errors import GradientError
from ...ir.graph import Graph
from .unions import MAX_PAIRS, Crowded, Numbers, Sets, Unions
from .walk import Walk

__all__ = ["Structure", "structure"]

MAX_VISITS = 1_000_000
"""How many nodes in loops are visited: some seconds."""


class Structure(NamedTuple):
    """Where a Jacobian may be other than zero, row by row, columns rising.

    ``used`` are the inputs whose values it was read for: the integers as they are, of
    floats where they are zero.
    """

    ends: Numbers
    columns: Numbers
    used: tuple[str, ...]


def structure(
    graph: Graph,
    wrt: Sequence[str],
    of: Sequence[str],
    values: Mapping[str, Array],
    zeros: Mapping[str, Array],
) -> Structure:
    """The structure of the Jacobian of values ``of`` by inputs ``wrt``.

    Rows are the elements of the values, columns those of the inputs, one after the
    other in their order. It holds for all values of the inputs but those of
    ``values``, integers and bools which may be read, and of ``zeros``, floats of which
    may be read which are zero.

    Raises `GradientError` where it holds too much to be told apart from dense.
    """
    used: dict[str, None] = {}

    def asked(name: str, array: Array) -> Array:
        used[name] = None
        return array

    sizes = [graph[name].type.size for name in wrt]
    sets: dict[str, Sets] = {}
    first = 1
    for name, size in zip(wrt, sizes, strict=True):
        numbers = np.arange(first, first + size, dtype=np.int64)
        sets[name] = numbers.reshape(graph[name].type.shape)
        first += size
    unions = Unions(first - 1)
    known = {name: partial(asked, name, value) for name, value in values.items()}
    there = {
        name: partial(asked, name, value != 0)
        for name, value in zeros.items()
        if name not in wrt
    }
    walk = Walk(graph, unions, sets, known, budget=[MAX_VISITS], zeros=there)
    walk.run()
    flat = [np.zeros(0, np.int64)]
    for name in of:
        found = walk.sets.get(name)
        shape = graph[name].type.shape
        flat.append(np.broadcast_to(0 if found is None else found, shape).reshape(-1))
    try:
        ends, columns = unions.members(np.concatenate(flat))
    except Crowded:
        raise GradientError(
            f"the Jacobian of {graph.name} is not sparse",
            hint=f"more than {MAX_PAIRS:,} elements may be other than zero, as far as "
            "is known: take products with it, by jvp and vjp, or give its pattern",
        ) from None
    return Structure(ends, columns, tuple(used))
