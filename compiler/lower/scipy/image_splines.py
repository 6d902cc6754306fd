"""Splines through the pixels of images: their coefficients, and what they weigh.

Unser 1999, "Splines: a perfect fit for signal and image processing".
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from ....ir.errors import UnsupportedError
from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace
from .filters import NDIMAGE, along_axis

__all__ = ["coefficients", "spline_weights"]

_REACH = 48  # beyond it the coefficients of an impulse are below the rounding
_EDGES = {
    **dict.fromkeys(("constant", "grid-constant", "mirror", "wrap"), "mirror"),
    **dict.fromkeys(("nearest", "reflect", "grid-mirror"), "reflect"),
    "grid-wrap": "grid-wrap",
}
"""How SciPy's filter goes on beyond the edges, by the mode that it is asked for."""


def spline_weights(offset: Any, order: int) -> list[Any]:
    """What the pixels around a place count, from the lowest.

    ``offset`` is the place less the lowest of the two pixels beside it, or for an even
    order less the lower edge of its pixel. By the recursion of Cox and de Boor.
    """
    weights: list[Any] = [np.ones_like(offset)]
    for degree in range(1, order + 1):
        none = np.zeros_like(offset)
        pairs = zip([none, *weights], [*weights, none], strict=True)
        weights = [
            ((offset + (degree - k)) * before + ((k + 1) - offset) * here) / degree
            for k, (before, here) in enumerate(pairs)
        ]
    return weights


@cache
def _of_units(size: int, order: int, mode: str) -> Any:
    """The coefficients of unit vectors, a column each, by SciPy's own filter."""
    filtered = import_module(NDIMAGE).spline_filter1d
    return filtered(np.eye(size), order, axis=0, mode=mode)


def _along(trace: Trace, x: Any, order: int, axis: int, mode: str) -> Any:
    """A product with a matrix, or along many pixels a sum of neighbours."""
    if order not in range(6):
        raise RuntimeError("spline order not supported")
    if mode not in _EDGES:
        raise ValueError(f"the mode is one of {', '.join(_EDGES)}, not {mode!r}")
    size = np.shape(x)[axis]
    if order < 2 or size < 2:
        return x
    if size <= 2 * _REACH:
        units = _of_units(size, order, _EDGES[mode])
        return np.moveaxis(np.moveaxis(x, axis, -1) @ units.T, -1, axis)
    impulse = _of_units(2 * _REACH + 1, order, "mirror")[:, _REACH]
    return along_axis(trace, (x, impulse), axis, _EDGES[mode], 0.0, 0, turned=False)


def coefficients(
    trace: Trace, x: Any, order: int, mode: str, axes: Iterable[int]
) -> Any:
    """Of the spline that goes through all pixels along some axes, in float64."""
    made = _wide(x)
    for axis in axes:
        made = _along(trace, made, order, axis, mode)
    return made


def _wide(x: Any) -> Any:
    if x.dtype.kind == "c":
        raise UnsupportedError(
            "a spline filter of complex numbers is not supported",
            hint="filter x.real and x.imag",
        )
    return x.astype(np.float64)


def _made_as(made: Any, output: Any) -> Any:
    if not isinstance(output, (str, type, np.dtype)):
        raise UnsupportedError(
            "a spline filter into an array, output=, is not supported",
            hint="pass a dtype, or store the result",
        )
    return made.astype(output)


@lowers_in(NDIMAGE, "spline_filter1d")
def _spline_filter1d(
    trace: Trace,
    input: Any,
    order: int = 3,
    axis: int = -1,
    output: Any = np.float64,
    mode: str = "mirror",
) -> Any:
    made = _along(trace, _wide(trace.array(input)), order, axis, mode)
    return _made_as(made, output)


@lowers_in(NDIMAGE, "spline_filter")
def _spline_filter(
    trace: Trace,
    input: Any,
    order: int = 3,
    output: Any = np.float64,
    mode: str = "mirror",
) -> Any:
    if order not in range(2, 6):
        raise RuntimeError("spline order not supported")
    x = trace.array(input)
    made = coefficients(trace, x, order, mode, range(np.ndim(x)))
    return _made_as(made, output)
