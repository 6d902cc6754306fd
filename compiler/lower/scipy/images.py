"""Filters of `scipy.ndimage` for means, slopes and curvatures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace
from ..reductions import root
from ..ufuncs import reject
from .filters import NDIMAGE, along_axis, each_axis, gaussian_filter

__all__: list[str] = []

_SMOOTH = {"sobel": [1.0, 2.0, 1.0], "prewitt": [1.0, 1.0, 1.0]}


@lowers_in(NDIMAGE, "uniform_filter1d")
def _uniform_filter1d(
    trace: Trace,
    input: Any,
    size: int,
    axis: int = -1,
    output: Any = None,
    mode: str = "reflect",
    cval: float = 0.0,
    origin: int = 0,
) -> Any:
    """Sums first, so that means of integers are cut off as SciPy's."""
    reject({"output": output})
    if size < 1:
        raise RuntimeError("incorrect filter size")
    x = trace.array(input)
    wide = x if x.dtype.kind == "f" else x.astype(np.float64)
    ones = np.ones(size, wide.dtype)
    sums = along_axis(trace, (wide, ones), axis, mode, cval, origin, turned=False)
    return (sums / wide.dtype.type(size)).astype(x.dtype)


@lowers_in(NDIMAGE, "uniform_filter")
def _uniform_filter(
    trace: Trace,
    input: Any,
    size: Any = 3,
    output: Any = None,
    mode: Any = "reflect",
    cval: float = 0.0,
    origin: Any = 0,
    *,
    axes: Any = None,
) -> Any:
    reject({"output": output, "axes": axes})
    made = trace.array(input)
    settings = each_axis(np.ndim(made), size, mode, origin)
    for axis, (length, edge, shift) in enumerate(settings):
        if length > 1:
            made = _uniform_filter1d(trace, made, length, axis, None, edge, cval, shift)
    return made


def _slope(name: str) -> None:
    @lowers_in(NDIMAGE, name)
    def lower(
        trace: Trace,
        input: Any,
        axis: int = -1,
        output: Any = None,
        mode: Any = "reflect",
        cval: float = 0.0,
    ) -> Any:
        """Differences along an axis, smoothed along the others."""
        reject({"output": output})
        made = trace.array(input)
        rank = np.ndim(made)
        for other, (edge,) in enumerate(each_axis(rank, mode)):
            if other != axis % rank:
                given = made, np.array(_SMOOTH[name])
                made = along_axis(trace, given, other, edge, cval, 0, turned=False)
        edge = list(each_axis(rank, mode))[axis][0]
        given = made, np.array([-1.0, 0.0, 1.0])
        return along_axis(trace, given, axis, edge, cval, 0, turned=False)


for _name in _SMOOTH:
    _slope(_name)


@lowers_in(NDIMAGE, "laplace")
def _laplace(
    trace: Trace,
    input: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: float = 0.0,
    *,
    axes: Any = None,
) -> Any:
    reject({"output": output, "axes": axes})
    x = trace.array(input)
    given = x, np.array([1.0, -2.0, 1.0])
    parts = [
        along_axis(trace, given, axis, edge, cval, 0, turned=False)
        for axis, (edge,) in enumerate(each_axis(np.ndim(x), mode))
    ]
    return sum(parts[1:], parts[0])


def _of_gaussians(
    trace: Trace, x: Any, sigma: Any, order: int, mode: Any, cval: float, named: Any
) -> list[Any]:
    """The smooth image differentiated along each axis in turn."""
    rank = np.ndim(x)
    orders = order * np.eye(rank, dtype=int)
    rest = {"mode": mode, "cval": cval, **named}
    return [gaussian_filter(trace, x, sigma, list(row), **rest) for row in orders]


@lowers_in(NDIMAGE, "gaussian_laplace")
def _gaussian_laplace(
    trace: Trace,
    input: Any,
    sigma: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: float = 0.0,
    *,
    axes: Any = None,
    **named: Any,
) -> Any:
    reject({"output": output, "axes": axes})
    x = trace.array(input)
    parts = _of_gaussians(trace, x, sigma, 2, mode, cval, named)
    return sum(parts[1:], parts[0])


@lowers_in(NDIMAGE, "gaussian_gradient_magnitude")
def _gaussian_gradient_magnitude(
    trace: Trace,
    input: Any,
    sigma: Any,
    output: Any = None,
    mode: Any = "reflect",
    cval: float = 0.0,
    *,
    axes: Any = None,
    **named: Any,
) -> Any:
    reject({"output": output, "axes": axes})
    x = trace.array(input)
    parts = _of_gaussians(trace, x, sigma, 1, mode, cval, named)
    total = sum(part * part for part in parts[1:]) + parts[0] * parts[0]
    return root(trace, total) if x.dtype.kind == "f" else np.sqrt(total)
