"""How NumPy's functions become nodes; importing this package registers them all."""

from . import (
    einsum,
    indexing,
    integers,
    joins,
    matrices,
    products,
    reductions,
    running,
    scatter,
    shapes,
    special,
    stats,
    ufuncs,
    values,
)

__all__ = [
    "einsum",
    "indexing",
    "integers",
    "joins",
    "matrices",
    "products",
    "reductions",
    "running",
    "scatter",
    "shapes",
    "special",
    "stats",
    "ufuncs",
    "values",
]
