"""The page of the docs that lists every function with a lowering, made of the registry.

Functions of one family that have the same facts share a row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from ...tracing.lowerings import lowering_of
from ...tracing.unsupported import function_name
from ..refused import REFUSED
from .facts import Facts, facts_of, public_functions

__all__ = ["functions_page"]

_INTRODUCTION = """\
# Functions that can be compiled

`python -m anabranch.compiler.lower` makes this page of the registry of lowerings.
It traces a call of each function, and looks at what is in the graph.
`anabranch docs numpy` says what differs for all functions, and what else there is.

- **dtypes** are those of arguments: `c64` is `complex64`, and `i64` any integer.
- **gradient** is that of float64 arguments, and by the parameters that are not named.
  It is `zero` where results are constant in pieces, `none` where they are no floats.
- **second** is the derivative of that, `zero` where the graph shows it to be.
  Higher ones are there too.
- Functions of SciPy that are no ufuncs are found where rewritten functions call them.
"""
_HEAD = """
| functions | dtypes | gradient | second | what differs |
|---|---|---|---|---|
"""
_REFUSED = """
## Refused

Sizes or dtypes of their results are what only values tell.

| functions | what to write |
|---|---|
"""
_FAMILIES = {
    "Ufuncs and complex numbers": "ufuncs complex numbers neighbours",
    "Methods of ufuncs": "methods scatter",
    "Choosing, filling, rounding": "values choosing",
    "Reductions": "reductions running missing",
    "Products": "products einsum",
    "Shapes, joining, splitting": "shapes joins padding",
    "Building": "building strided",
    "Indexing and storing": "indexing storing selected.items",
    "Sorting and searching": "sorting searching",
    "Statistics": "statistics quantiles",
    "Differences, integrals, convolutions": "calculus scipy.integrate",
    "Polynomials, splines, distances": "polynomials scipy.splines grids "
    "scipy.distances",
    "Linear algebra": "linalg orthogonal matrix_functions",
    "Linear algebra of SciPy": "scipy.linalg scipy.systems scipy.matrices matrices "
    "scipy.sparse",
    "Fourier transforms": "fft scipy.cosines",
    "Filters, spectra, images": "scipy.filters scipy.rank_filters scipy.signals "
    "scipy.resampling scipy.spectra "
    "scipy.short_time scipy.images scipy.pixels scipy.image_splines",
    "`scipy.special`": "scipy.special scipy.special_formulas",
    "`scipy.stats`": "scipy.stats scipy.multivariate scipy.summaries",
}
_HOMES = (
    "np",
    "fft",
    "linalg",
    "special",
    "signal",
    "ndimage",
    "integrate",
    "distance",
)
"""Where functions are at home, unlike ufuncs and distributions, which have methods."""
_TITLES = {name: title for title, names in _FAMILIES.items() for name in names.split()}


def functions_page() -> str:
    """The text of the page."""
    families: dict[str, dict[Facts, list[str]]] = {title: {} for title in _FAMILIES}
    for name, function in public_functions():
        rows = families.setdefault(_title(function), {})
        rows.setdefault(facts_of(name, function), []).extend(_names(name, function))
    parts = [_INTRODUCTION]
    for title, rows in families.items():
        parts += [f"\n## {title}\n", _HEAD]
        parts += [
            f"| {_shortened(names)} | {' | '.join(facts)} |\n"
            for facts, names in rows.items()
        ]
    hints: dict[str, list[str]] = {}
    for function, hint in REFUSED.items():
        name = function_name(function).replace("np.lib.scimath", "np.emath")
        hints.setdefault(hint, []).append(name)
    parts.append(_REFUSED)
    parts += [f"| {_shortened(names)} | {hint} |\n" for hint, names in hints.items()]
    return "".join(parts)


def _names(name: str, function: Any) -> list[str]:
    """The name of a function, and the others that it has at the same place."""
    home, _, _ = name.rpartition(".")
    module = sys.modules.get(home.replace("np", "numpy", 1))
    if module is None or isinstance(function, tuple):
        return [name.removesuffix(".__call__")]
    public = vars(module).items()
    found = [f"{home}.{other}" for other, value in public if value is function]
    return [name, *(other for other in found if other != name)]


def _title(function: Any) -> str:
    """The family of a function's lowering; what its module is, where that has none."""
    module = str(getattr(lowering_of(function), "__module__", ""))
    first, *_ = str(sys.modules[module].__doc__).splitlines()
    return _TITLES.get(module.partition(".lower.")[2], first.rstrip("."))


def _shortened(names: Iterable[str]) -> str:
    """The names as code; after ``np.add.outer`` its ``np.add.at`` is ``.at``."""
    made: list[str] = []
    last = ""
    for name in names:
        owner, _, method = name.rpartition(".")
        again = owner == last and not owner.endswith(_HOMES)
        made.append(f"`.{method}`" if again else f"`{name}`")
        last = owner
    return " ".join(made)
