"""How NumPy's functions become nodes; importing this package registers them all."""

from . import (
    distances,
    einsum,
    filters,
    indexing,
    integers,
    integrate,
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
<<<<<<< HEAD
    stores,
=======
    special,
    stats,
>>>>>>> special
    ufuncs,
    values,
)

__all__ = [
    "distances",
    "einsum",
    "filters",
    "indexing",
    "integers",
    "integrate",
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
<<<<<<< HEAD
    "stores",
=======
    "special",
    "stats",
>>>>>>> special
    "ufuncs",
    "values",
]
