"""Whether a pattern that the user gives holds all that there is.

What a graph may depend on is read off it. Where that is within the pattern, there is
nothing to ask. Else the pattern may still be right, for what is read is at worst too
large, and one product tells: that of the matrix with a random vector is that of the
function's derivative. It misses no element of more than the square root of a rounding
of its row. What is zero at this point alone, as `x[0] * x[1]` is at zeros, is seen by
a second product at a point beside it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...backends.base import Array
from ...ir.errors import ArgumentError
from .pattern import Sparsity
from .unions import Numbers

__all__ = ["UNKNOWN", "Doubts", "beside", "doubts", "random_vector", "refuse_if_apart"]

_TOLD = 3  # columns of an error


class Doubts(NamedTuple):
    """Elements that are not in a pattern, and may be other than zero."""

    rows: Numbers
    columns: Numbers


UNKNOWN = Doubts(np.zeros(0, np.int64), np.zeros(0, np.int64))
"""Those of a graph of which too much may be other than zero to be told."""


def doubts(given: Sparsity, found: Sparsity) -> Doubts | None:
    """What a pattern lacks of what was read; None where it lacks nothing."""
    width = given.shape[1]
    keys = found.rows * width + found.indices
    lacking = ~np.isin(keys, given.rows * width + given.indices)
    if not lacking.any():
        return None
    return Doubts(found.rows[lacking], found.indices[lacking])


def random_vector(size: int, dtype: np.dtype[Any]) -> Array:
    """The vector of the product, the same each time."""
    return np.random.default_rng(0).normal(size=size).astype(dtype)


def beside(x: Array) -> Array:
    """An array moved at random: by more than a product is uncertain, and not far."""
    by = float(np.finfo(x.dtype).eps) ** 0.25 * (np.abs(x).max(initial=0) or 1.0)
    return x + (by * random_vector(x.size, x.dtype).reshape(x.shape)).astype(x.dtype)


def refuse_if_apart(
    name: str,
    matrix: Any,
    vector: Array,
    product: Array,
    lacking: Doubts,
    by_rows: bool,
) -> None:
    """Raise `ArgumentError` where a matrix times a vector is not the product.

    By rows it is that of the transposed matrix. Rounding is no difference, nor is what
    is not finite.
    """
    of, along, across = matrix, lacking.rows, lacking.columns
    if by_rows:
        of, along, across = matrix.T, across, along
    size = abs(of) @ abs(vector)
    eps = float(np.finfo(product.dtype).eps)
    noise = eps**0.5 * size + eps**0.75 * size.max(initial=0)
    apart = np.flatnonzero(np.abs(of @ vector - product) > noise)
    if not apart.size:
        return
    line = apart[0]
    others = across[along == line]
    one, many = ("column", "rows") if by_rows else ("row", "columns")
    told = ", ".join(map(str, others[:_TOLD])) + ", ..." * (len(others) > _TOLD)
    raise ArgumentError(
        f"the pattern of the derivative of {name} lacks an element of {one} {line}"
        + f", among {many} {told}" * bool(told),
        hint="leave out pattern, and it is found; or take sparsity(f)(*args)",
    )
