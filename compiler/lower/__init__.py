"""How NumPy's functions become nodes; importing this package registers them all."""

from . import (
    einsum,
    indexing,
    integers,
    joins,
    linalg,
    matrices,
    matrix_functions,
    orthogonal,
    products,
    reductions,
    running,
    scatter,
    scipy_linalg,
    shapes,
    ufuncs,
    values,
)

__all__ = [
    "einsum",
    "indexing",
    "integers",
    "joins",
    "linalg",
    "matrices",
    "matrix_functions",
    "orthogonal",
    "products",
    "reductions",
    "running",
    "scatter",
    "scipy_linalg",
    "shapes",
    "ufuncs",
    "values",
]
