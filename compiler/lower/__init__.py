"""How NumPy's functions become nodes; importing this package registers them all."""

from . import indexing, products, reductions, shapes, ufuncs

__all__ = ["indexing", "products", "reductions", "shapes", "ufuncs"]
