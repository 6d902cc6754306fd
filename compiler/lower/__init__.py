"""How NumPy's functions become nodes; importing this package registers them all."""

from . import einsum, indexing, joins, products, reductions, shapes, ufuncs, values

__all__ = [
    "einsum",
    "indexing",
    "joins",
    "products",
    "reductions",
    "shapes",
    "ufuncs",
    "values",
]
