"""The distributions of `scipy.stats`: densities, integrals, quantiles; all in f64.

Outside of the support a density is 0 and a logarithm -inf; where a parameter is none,
the result is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import numpy as np

from ....ir.errors import UnsupportedError
from ...tracing.lowerings import lowers_in
from ...tracing.running import as_array, is_traced
from ...tracing.trace import Trace
from .distributions import DISTRIBUTIONS, Distribution
from .more_distributions import MORE

MODULE = "scipy.stats"
ALL = DISTRIBUTIONS | MORE
DRAWS = "draw by anabranch.random, from a key, or outside, and pass the numbers in"

# Below the support, above it.
_OUTSIDE = {
    "density": (0.0, 0.0),
    "log": (-inf, -inf),
    "cdf": (0.0, 1.0),
    "logcdf": (-inf, 0.0),
    "sf": (1.0, 0.0),
    "logsf": (0.0, -inf),
}
_CONTINUOUS = {"pdf": "density", "logpdf": "log"}
_DISCRETE = {"pmf": "density", "logpmf": "log"}
_METHODS = ("cdf", "logcdf", "sf", "logsf", "ppf", "isf")


def _and(conditions: list[Any]) -> Any:
    """All of them, None where there is none or each is known to hold."""
    made: Any = None
    for condition in conditions:
        if is_traced(condition) or not np.all(condition):
            made = condition if made is None else made & condition
    return made


def _is_known(end: Any, value: float) -> bool:
    return isinstance(end, float) and end == value


def _float(trace: Trace, value: Any) -> Any:
    """An array of f64; numbers stay what they are."""
    if isinstance(value, (int, float)):
        return float(value)
    array = as_array(trace.array(value))
    return array if array.dtype == np.float64 else array.astype(np.float64)


def evaluate(
    trace: Trace,
    d: Distribution,
    method: str,
    x: Any,
    shapes: list[Any],
    loc: Any,
    scale: Any,
) -> Any:
    """A method of a distribution, moved by ``loc`` and stretched by ``scale``."""
    formula = d.formula(method)
    assert formula is not None, "methods without a formula have no lowering"
    x, loc, scale = (_float(trace, value) for value in (x, loc, scale))
    shapes = [_float(trace, shape) for shape in shapes]
    valid = [] if d.valid is None else [d.valid(*shapes)]
    if not d.discrete:
        valid.append(scale > 0)
    if method in ("ppf", "isf"):
        low, high = d.support(*shapes)
        low = low - 1 if d.discrete else low  # where there is no probability yet
        ends = (low, high) if method == "ppf" else (high, low)
        made = np.where(x == 0, ends[0], np.where(x == 1, ends[1], formula(x, *shapes)))
        made = made * scale + loc
        known = _and([*valid, (x >= 0) & (x <= 1)])
        return made if known is None else np.where(known, made, np.nan)
    plain = [isinstance(v, float) and v == w for v, w in ((loc, 0.0), (scale, 1.0))]
    y = x if plain[0] else x - loc
    y = y if plain[1] else y / scale
    low, high = d.support(*shapes)
    if d.discrete and method not in _PROBABILITIES:
        y = np.floor(y)
    made = formula(y, *shapes)
    if not plain[1] and method in _PROBABILITIES:
        made = made - np.log(scale) if method == "log" else made / scale
    below, above = _OUTSIDE[method]
    opens, closes = d.open
    plain_ends = _is_known(low, -inf) and not (opens or closes)
    if closes or not _is_known(high, inf):
        made = np.where(y >= high if closes else y > high, above, made)
    if opens or not _is_known(low, -inf):
        made = np.where(y <= low if opens else y < low, below, made)
    if d.discrete and method in _PROBABILITIES:
        made = np.where(y == np.floor(y), made, below)
    known = _and([*valid, *([] if plain_ends else [y == y])])
    return made if known is None else np.where(known, made, np.nan)


_PROBABILITIES = ("density", "log")


def _arguments(
    name: str, d: Distribution, args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[list[Any], Any, Any]:
    """The shape parameters, loc and scale of a call, as SciPy takes them."""
    names = (*d.shapes, "loc", *(() if d.discrete else ("scale",)))
    if len(args) > len(names) or not kwargs.keys() <= set(names[len(args) :]):
        raise TypeError(f"{name} takes the parameters {', '.join(names)}")
    given = {"loc": 0.0, "scale": 1.0, **dict(zip(names, args, strict=False)), **kwargs}
    missing = [shape for shape in d.shapes if shape not in given]
    if missing:
        raise TypeError(f"{name} needs {', '.join(missing)}")
    return [given[shape] for shape in d.shapes], given["loc"], given["scale"]


class Frozen:
    """A distribution with its parameters, some of them traced."""

    def __init__(
        self, trace: Trace, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self._trace, self._name = trace, name
        self._parameters = _arguments(name, ALL[name], args, kwargs)

    def __getattr__(self, method: str) -> Any:
        d = ALL[self._name]
        kind = methods_of(d).get(method)
        if kind is None or method.startswith("__"):
            raise UnsupportedError(
                f"scipy.stats.{self._name} of traced parameters has no {method}",
                hint=DRAWS if method == "rvs" else f"it has {', '.join(methods_of(d))}",
            )
        shapes, loc, scale = self._parameters
        trace = self._trace.innermost
        return lambda x: evaluate(trace, d, kind, x, shapes, loc, scale)


def methods_of(d: Distribution) -> dict[str, str]:
    """The methods of SciPy that there are formulas for."""
    named = {**(_DISCRETE if d.discrete else _CONTINUOUS), **{m: m for m in _METHODS}}
    return {name: kind for name, kind in named.items() if d.formula(kind) is not None}


def _register(name: str, d: Distribution) -> None:
    for method, kind in methods_of(d).items():
        lowers_in(MODULE, f"{name}.{method}")(_lowering(name, d, kind))

    @lowers_in(MODULE, name)
    def freeze(trace: Trace, *args: Any, **kwargs: Any) -> Any:
        return Frozen(trace, name, args, kwargs)


def _lowering(name: str, d: Distribution, kind: str) -> Callable[..., Any]:
    first = "q" if kind in ("ppf", "isf") else "k" if d.discrete else "x"

    def lower(trace: Trace, *args: Any, **kwargs: Any) -> Any:
        x, *rest = (kwargs.pop(first), *args) if first in kwargs else args
        shapes, loc, scale = _arguments(name, d, rest, kwargs)
        return evaluate(trace, d, kind, x, shapes, loc, scale)

    return lower


for _name, _distribution in ALL.items():
    _register(_name, _distribution)
