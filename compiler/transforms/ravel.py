"""Trees of arrays as one vector, for solvers and statistics that take vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...ir.errors import ArgumentError
from ..tracing.running import as_array
from ..tree import LeafType, flatten, leaf_type, unflatten

__all__ = ["ravel_pytree"]


def ravel_pytree(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """The arrays of a tree as one vector, and the function that makes the tree again.

    Args:
        tree: A pytree of arrays and numbers, traced or not.

    Returns:
        ``(vector, unravel)``. The vector has the dtype that NumPy promotes those of the
        arrays to. ``unravel`` takes a vector of this size; its arrays have the shapes
        and the dtypes of those of ``tree``.

    Raises:
        ArgumentError: From ``unravel``, for a vector of another shape.

    >>> vector, unravel = ravel_pytree({"w": np.ones((2, 2)), "b": np.zeros(1)})
    >>> vector
    array([1., 1., 1., 1., 0.])
    >>> unravel(vector)["b"]
    array([0.])
    """
    leaves, structure = flatten(tree)
    types = [leaf_type(leaf, "a leaf of the tree") for leaf in leaves]
    unravel = partial(_unraveled, structure, types)
    if not leaves:
        return np.zeros(0), unravel
    return np.concatenate([np.ravel(leaf) for leaf in leaves]), unravel


def _unraveled(structure: Any, types: Sequence[LeafType], vector: Any) -> Any:
    size = sum(type_.size for type_, _ in types)
    if np.shape(vector) != (size,):
        raise ArgumentError(
            f"the vector has shape {np.shape(vector)}, the tree has {size:,} elements",
            hint="pass a vector such as ravel_pytree returned",
        )
    vector = as_array(vector)
    leaves: list[Any] = []
    first = 0
    for type_, _ in types:
        part = vector[first : first + type_.size]
        first += type_.size
        if part.dtype != type_.numpy:
            real = np.iscomplexobj(part) and not type_.is_complex
            part = (np.real(part) if real else part).astype(type_.numpy)
        leaves.append(np.reshape(part, type_.shape))
    return unflatten(structure, leaves)
