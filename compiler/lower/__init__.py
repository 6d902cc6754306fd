"""How NumPy's functions become nodes; importing this package registers them all."""

from . import (
    complex,
    einsum,
    indexing,
    integers,
    joins,
    products,
    reductions,
    running,
    scatter,
    shapes,
    ufuncs,
    values,
)

__all__ = [
    "complex",
    "einsum",
    "indexing",
    "integers",
    "joins",
    "products",
    "reductions",
    "running",
    "scatter",
    "shapes",
    "ufuncs",
    "values",
]
