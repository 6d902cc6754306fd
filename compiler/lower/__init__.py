"""How NumPy's functions become nodes; importing this package registers them all."""

from . import (
    einsum,
    indexing,
    integers,
    joins,
    matrices,
    products,
    quantiles,
    reductions,
    running,
    scatter,
    searching,
    shapes,
    sorting,
    stores,
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
    "quantiles",
    "reductions",
    "running",
    "scatter",
    "searching",
    "shapes",
    "sorting",
    "stores",
    "ufuncs",
    "values",
]
