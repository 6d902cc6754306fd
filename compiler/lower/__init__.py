"""How NumPy's functions become nodes; importing this package registers them all."""

from . import (
    complex,
    einsum,
    fft,
    indexing,
    integers,
    joins,
    matrices,
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
    "fft",
    "indexing",
    "integers",
    "joins",
    "matrices",
    "products",
    "reductions",
    "running",
    "scatter",
    "shapes",
    "ufuncs",
    "values",
]
