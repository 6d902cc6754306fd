"""Entries that reduce, scan, sort and integrate, and those with a mask."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.integrate
import scipy.special as sp

__all__ = ["REDUCTIONS"]


def _axis(dim: Any) -> Any:
    """An empty tuple is all axes too."""
    return None if dim is None or dim in ((), []) else dim


def _axes(dim: Any) -> Any:
    dim = _axis(dim)
    return tuple(dim) if isinstance(dim, list) else dim


def _reduced(reduce: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: Any, dim: Any = None, keepdim: Any = False, dtype: Any = None) -> Any:
        return reduce(x, axis=_axes(dim), keepdims=keepdim)

    return run


def _spread(reduce: Callable[..., Any], mean: bool = False) -> Callable[..., Any]:
    """``np.var`` or ``np.std``, with Bessel's correction unless told otherwise."""

    def run(
        x: Any,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: Any = False,
        correction: Any = None,
    ) -> Any:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        axes, ddof = _axes(dim), int(unbiased) if correction is None else correction
        made = reduce(x, axis=axes, ddof=ddof, keepdims=keepdim)
        return (made, np.mean(x, axis=axes, keepdims=keepdim)) if mean else made

    return run


def _lower_median(x: Any, dim: Any = None, keepdim: Any = False) -> Any:
    """The lower of the two in the middle, NaN where there is one."""
    if dim is None:
        return np.quantile(x, 0.5, method="lower")
    return np.quantile(x, 0.5, axis=dim, keepdims=keepdim, method="lower")


def _nanmedian(x: Any, dim: Any = None, keepdim: Any = False) -> Any:
    return np.nanquantile(x, 0.5, axis=dim, keepdims=keepdim, method="lower")


def _quantile(of: Callable[..., Any]) -> Callable[..., Any]:
    def run(
        x: Any,
        q: Any,
        dim: Any = None,
        keepdim: Any = False,
        interpolation: str = "linear",
    ) -> Any:
        return of(x, q, axis=dim, keepdims=keepdim, method=interpolation)

    return run


def _sorted(
    x: Any, dim: int = -1, descending: bool = False, stable: bool = False
) -> Any:
    if x.ndim == 0:
        return x.copy()
    y = np.sort(x, axis=dim)
    return np.flip(y, dim) if descending else y


def _topk(
    x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> Any:
    return np.take(_sorted(x, dim, largest), range(k), axis=dim) if x.ndim else x.copy()


def _kthvalue(x: Any, k: int, dim: int = -1, keepdim: Any = False) -> Any:
    if x.ndim == 0:
        return x.copy()
    y = np.take(np.sort(x, axis=dim), [k - 1], axis=dim)
    return y if keepdim else np.squeeze(y, dim)


def _diff(
    x: Any, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None
) -> Any:
    given = {"prepend": prepend, "append": append}
    given = {name: value for name, value in given.items() if value is not None}
    return np.diff(x, n, axis=dim, **given)


def _gradient(x: Any, spacing: Any = None, dim: Any = None, edge_order: Any = 1) -> Any:
    axes = _axes(dim)
    if isinstance(axes, int):
        axes = (axes,)
    count = x.ndim if axes is None else len(axes)
    if spacing is None:
        steps = []
    elif isinstance(spacing, (list, tuple)):
        steps = list(spacing)
    else:
        steps = [spacing] * (1 if np.ndim(spacing) == 0 else count)
    return np.gradient(x, *steps, axis=axes, edge_order=edge_order)


def _trapezoid(rule: Callable[..., Any]) -> Callable[..., Any]:
    def run(y: Any, x: Any = None, dim: int = -1, dx: float = 1.0) -> Any:
        return rule(y, x, dx=dx, axis=dim)

    return run


def _cov(
    x: Any, correction: int = 1, fweights: Any = None, aweights: Any = None
) -> Any:
    return np.cov(x, ddof=correction, fweights=fweights, aweights=aweights)


def _running(extreme: np.ufunc) -> Callable[..., Any]:
    return lambda x, dim: extreme.accumulate(x, axis=dim) if x.ndim else np.copy(x)


def _scan(scan: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, dim, dtype=None: (
        scan(x, axis=dim, dtype=dtype) if x.ndim else np.copy(x)
    )


def _extremes(x: Any, dim: Any = None, keepdim: Any = False) -> Any:
    if x.ndim == 0:
        return x.copy(), x.copy()
    return (
        np.min(x, axis=dim, keepdims=keepdim),
        np.max(x, axis=dim, keepdims=keepdim),
    )


def _first(reduce: Callable[..., Any]) -> Callable[..., Any]:
    """An extreme along one axis, whose slope goes to the first that has it."""

    def run(x: Any, dim: int | None = None, keepdim: Any = False) -> Any:
        if x.ndim == 0:
            return x.copy()
        return reduce(x, axis=dim, keepdims=keepdim)

    return run


def _mode(x: Any, dim: int = -1, keepdim: Any = False) -> Any:
    """Of numbers that are all different: the least."""
    return _first(np.min)(x, dim, keepdim)


def _renorm(x: Any, p: float, dim: int, maxnorm: float) -> Any:
    axes = tuple(i for i in range(x.ndim) if i != dim % x.ndim)
    size = np.linalg.vector_norm(x, ord=p, axis=axes, keepdims=True)
    return x * np.where(size > maxnorm, maxnorm / (size + 1e-7), 1.0)


def _norm(x: Any, p: Any = "fro", dim: Any = None, keepdim: Any = False) -> Any:
    axes = _axes(dim)
    if p == "nuc":
        return np.linalg.matrix_norm(
            x if axes is None else np.moveaxis(x, axes, (-2, -1)), ord="nuc"
        )
    order = 2 if p in ("fro", None) else p
    if x.ndim == 0:
        axes = None
    return np.linalg.vector_norm(x, ord=order, axis=axes, keepdims=keepdim)


def _segments(
    x: Any,
    reduce: str,
    lengths: Any = None,
    offsets: Any = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: Any = None,
) -> Any:
    """One reduction for each of the parts that follow one another along an axis."""
    if offsets is None:
        start = np.zeros_like(lengths[..., :1])
        offsets = np.cumsum(np.concatenate([start, lengths], axis=-1), axis=-1)
    if axis:
        return np.stack(
            [
                _segments(row, reduce, offsets=places, initial=initial)
                for row, places in zip(x, offsets, strict=True)
            ]
        )
    parts = [x[a:b] for a, b in pairwise(offsets)]
    if reduce == "mean":
        sums = [
            (p.sum(0) + (initial or 0)) / len(p) if len(p) else p.sum(0) for p in parts
        ]
        empty = np.nan if initial is None else initial
        return np.stack(
            [np.where(len(p) > 0, s, empty) for p, s in zip(parts, sums, strict=True)]
        )
    run, start = {
        "sum": (np.sum, 0.0),
        "prod": (np.prod, 1.0),
        "max": (np.max, -np.inf),
        "min": (np.min, np.inf),
    }[reduce]
    return np.stack(
        [run(p, axis=0, initial=start if initial is None else initial) for p in parts]
    )


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "_segment_reduce.lengths": _segments,
    "_segment_reduce.offsets": _segments,
    "amax": _reduced(np.max),
    "amin": _reduced(np.min),
    "aminmax": _extremes,
    "corrcoef": np.corrcoef,
    "cov": _cov,
    "cummax": _running(np.maximum),
    "cummin": _running(np.minimum),
    "cumprod": _scan(np.cumprod),
    "cumsum": _scan(np.cumsum),
    "cumulative_trapezoid": _trapezoid(scipy.integrate.cumulative_trapezoid),
    "diff": _diff,
    "dist": lambda x, y, p=2: np.linalg.vector_norm(x - y, ord=p),
    "gradient": _gradient,
    "kthvalue": _kthvalue,
    "logcumsumexp": lambda x, dim: (
        np.logaddexp.accumulate(x, axis=dim) if x.ndim else np.copy(x)
    ),
    "logsumexp": lambda x, dim, keepdim=False: sp.logsumexp(
        x, axis=dim if x.ndim else None, keepdims=keepdim
    ),
    "max.reduction_no_dim": np.max,
    "max.reduction_with_dim": _first(np.max),
    "mean": _reduced(np.mean),
    "median": _lower_median,
    "min.reduction_no_dim": np.min,
    "min.reduction_with_dim": _first(np.min),
    "mode": _mode,
    "msort": lambda x: np.sort(x, axis=0),
    "nanmean": _reduced(np.nanmean),
    "nanmedian": _nanmedian,
    "nanquantile": _quantile(np.nanquantile),
    "nansum": _reduced(np.nansum),
    "norm": _norm,
    "norm.fro": _norm,
    "norm.inf": _norm,
    "norm.nuc": _norm,
    "prod": _reduced(np.prod),
    "quantile": _quantile(np.quantile),
    "renorm": _renorm,
    "sort": _sorted,
    "std": _spread(np.std),
    "std.unbiased": _spread(np.std),
    "std_mean": _spread(np.std, mean=True),
    "std_mean.unbiased": _spread(np.std, mean=True),
    "sum": _reduced(np.sum),
    "topk": _topk,
    "trace": np.trace,
    "trapezoid": _trapezoid(np.trapezoid),
    "trapz": _trapezoid(np.trapezoid),
    "var": _spread(np.var),
    "var.unbiased": _spread(np.var),
    "var_mean": _spread(np.var, mean=True),
    "var_mean.unbiased": _spread(np.var, mean=True),
}
