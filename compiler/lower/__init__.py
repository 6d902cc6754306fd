"""How NumPy's functions become nodes; importing this package registers them all."""

from . import indexing, joins, products, reductions, shapes, ufuncs, values

__all__ = ["indexing", "joins", "products", "reductions", "shapes", "ufuncs", "values"]
