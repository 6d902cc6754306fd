"""Entries that read and write at places that are given, and those with a mask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

__all__ = ["PLACES"]


def _along(dim: int, places: Any) -> tuple[Any, ...]:
    """The index of ``places`` along an axis, as `np.put_along_axis` makes it."""
    index = list(np.indices(places.shape, sparse=True))
    index[dim] = places
    return tuple(index)


def _gather(x: Any, dim: int, places: Any) -> Any:
    if x.ndim == 0:
        return np.broadcast_to(x, places.shape)
    return x[_along(dim, places)] if places.size else np.zeros(places.shape)


def _scatter(
    x: Any, dim: int, places: Any, source: Any = None, reduce: Any = None, **named: Any
) -> Any:
    source = named.get("value", source)
    at = _along(dim, places) if x.ndim else ()
    if np.ndim(source):
        source = source[tuple(slice(n) for n in places.shape)]
    y = x.copy()
    if reduce == "add":
        np.add.at(y, at, source)
    elif reduce == "multiply":
        np.multiply.at(y, at, source)
    else:
        y[at] = source
    return y


_STARTS = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "amin": np.inf, "amax": -np.inf}
_AT = {
    "sum": np.add.at,
    "mean": np.add.at,
    "prod": np.multiply.at,
    "amin": np.minimum.at,
    "amax": np.maximum.at,
}


def _reduced(x: Any, at: Any, source: Any, reduce: str, include_self: bool) -> Any:
    y = x.copy()
    if not include_self:
        y[at] = _STARTS[reduce]
    _AT[reduce](y, at, source)
    if reduce == "mean":
        count = np.full(x.shape, float(include_self))
        np.add.at(count, at, 1)
        y = y / np.maximum(count, 1)
    return y


def _scatter_reduce(
    x: Any, dim: int, places: Any, source: Any, reduce: str, include_self: bool = True
) -> Any:
    if x.ndim == 0:
        return _scatter_reduce(
            x[None],
            0,
            np.atleast_1d(places),
            np.atleast_1d(source),
            reduce,
            include_self,
        )[0]
    source = source[tuple(slice(n) for n in places.shape)]
    return _reduced(x, _along(dim, places), source, reduce, include_self)


def _rows(x: Any, dim: int, places: Any) -> tuple[Any, ...]:
    return (slice(None),) * (dim % x.ndim) + (places,)


def _index_reduce(
    x: Any, dim: int, places: Any, source: Any, reduce: str, include_self: bool = True
) -> Any:
    if x.ndim == 0:
        made = _index_reduce(
            x[None], 0, places, np.atleast_1d(source), reduce, include_self
        )
        return made[0]
    return _reduced(x, _rows(x, dim, places), source, reduce, include_self)


def _index_add(x: Any, dim: int, places: Any, source: Any, alpha: float = 1) -> Any:
    if x.ndim == 0:
        return x + alpha * np.reshape(source, ())
    y = x.copy()
    np.add.at(y, _rows(x, dim, places), alpha * source)
    return y


def _index_write(x: Any, dim: int, places: Any, value: Any) -> Any:
    if x.ndim == 0:
        return x * 0 + np.reshape(value, ())
    y = x.copy()
    y[_rows(x, dim, places)] = value
    return y


def _index_select(x: Any, dim: int, places: Any) -> Any:
    return np.take(x, places, axis=dim) if x.ndim else x.copy()


def _index_put(x: Any, places: Any, values: Any, accumulate: bool = False) -> Any:
    y = x.copy()
    if accumulate:
        np.add.at(y, tuple(places), values)
    else:
        y[tuple(places)] = values
    return y


def _getitem(x: Any, index: Any) -> Any:
    return x[index]


def _put(x: Any, places: Any, source: Any, accumulate: bool = False) -> Any:
    y = x.copy().reshape(-1)
    if accumulate:
        np.add.at(y, places.ravel(), source.ravel())
    else:
        y[places.ravel()] = source.ravel()
    return y.reshape(x.shape)


def _take_along(x: Any, places: Any, dim: Any = None) -> Any:
    if dim is None:
        return x.ravel()[places.ravel()]
    return np.take_along_axis(x, places, axis=dim)


def _masked_scatter(x: Any, mask: Any, source: Any) -> Any:
    y = np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape)).copy()
    mask = np.broadcast_to(mask, y.shape)
    y[mask] = source.ravel()[: mask.sum()]
    return y


def _masked_select(x: Any, mask: Any) -> Any:
    x, mask = np.broadcast_arrays(x, mask)
    return x[mask]


def _unsafe_masked(x: Any, mask: Any, places: Any, fill: Any) -> Any:
    kept = tuple(np.where(mask, i, 0) for i in places)
    return np.where(mask, x[kept], fill)


def _unsafe_masked_put(x: Any, mask: Any, places: Any, values: Any) -> Any:
    y = x.copy()
    np.add.at(y, tuple(np.where(mask, i, 0) for i in places), np.where(mask, values, 0))
    return y


def _repeat_interleave(
    x: Any, repeats: Any, dim: Any = None, output_size: Any = None
) -> Any:
    return np.repeat(x, repeats, axis=dim)


def _masked(x: Any, mask: Any, fill: float) -> Any:
    return x if mask is None else np.where(mask, x, fill)


def _axes(x: Any, dim: Any) -> Any:
    if dim is None or dim == () or x.ndim == 0:
        return None
    return dim


def _mask_reduced(reduce: Callable[..., Any], fill: float) -> Callable[..., Any]:
    def run(
        x: Any,
        dim: Any = None,
        keepdim: bool = False,
        mask: Any = None,
        dtype: Any = None,
    ) -> Any:
        return reduce(_masked(x, mask, fill), axis=_axes(x, dim), keepdims=keepdim)

    return run


def _mask_mean(
    x: Any, dim: Any = None, keepdim: bool = False, mask: Any = None, dtype: Any = None
) -> Any:
    axes, kept = (
        _axes(x, dim),
        np.ones(x.shape) if mask is None else mask * np.ones(x.shape),
    )
    count = kept.sum(axis=axes, keepdims=keepdim)
    return np.sum(_masked(x, mask, 0.0), axis=axes, keepdims=keepdim) / count


def _mask_var(root: bool) -> Callable[..., Any]:
    def run(
        x: Any,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        mask: Any = None,
        correction: Any = None,
    ) -> Any:
        axes = _axes(x, dim)
        kept = np.ones(x.shape) if mask is None else mask * np.ones(x.shape)
        count = kept.sum(axis=axes, keepdims=True)
        mean = np.sum(kept * x, axis=axes, keepdims=True) / np.maximum(count, 1)
        square = np.sum(kept * (x - mean) ** 2, axis=axes, keepdims=True)
        less = int(unbiased) if correction is None else correction
        made = square / np.maximum(count - less, 0)
        made = made if keepdim else np.squeeze(made, axes)
        return np.sqrt(made) if root else made

    return run


def _mask_norm(
    x: Any,
    ord: float = 2.0,
    dim: Any = None,
    keepdim: bool = False,
    mask: Any = None,
    dtype: Any = None,
) -> Any:
    fill = np.inf if ord == -np.inf else 0.0
    axes = _axes(x, dim)
    return np.linalg.vector_norm(
        _masked(x, mask, fill), ord=ord, axis=axes, keepdims=keepdim
    )


def _mask_softmax(of: Callable[..., Any], sign: float = 1) -> Callable[..., Any]:
    def run(x: Any, dim: int, mask: Any = None, dtype: Any = None) -> Any:
        if x.size == 0:
            return x.copy()
        return of(_masked(sign * x, mask, -np.inf), axis=dim if x.ndim else None)

    return run


def _mask_scan(scan: Callable[..., Any], fill: float) -> Callable[..., Any]:
    return lambda x, dim, mask=None, dtype=None: (
        scan(_masked(x, mask, fill), axis=dim) if x.ndim else _masked(x, mask, fill)
    )


def _mask_normalize(
    x: Any,
    ord: float,
    dim: int,
    mask: Any = None,
    eps: float = 1e-12,
    dtype: Any = None,
) -> Any:
    x = _masked(x, mask, 0.0)
    size = np.linalg.vector_norm(x, ord=ord, axis=_axes(x, dim), keepdims=True)
    return x / np.maximum(size, eps)


def _mask_median(
    x: Any, dim: Any = None, keepdim: bool = False, mask: Any = None
) -> Any:
    x = _masked(x, mask, np.nan)
    return np.nanquantile(x, 0.5, axis=_axes(x, dim), keepdims=keepdim, method="lower")


def _mask_logaddexp(
    x: Any, y: Any, input_mask: Any = None, other_mask: Any = None
) -> Any:
    return np.logaddexp(
        _masked(x, input_mask, -np.inf), _masked(y, other_mask, -np.inf)
    )


PLACES: dict[str, Callable[..., Any]] = {
    "__getitem__": _getitem,
    "_unsafe_masked_index": _unsafe_masked,
    "_unsafe_masked_index_put_accumulate": _unsafe_masked_put,
    "gather": _gather,
    "index_add": _index_add,
    "index_copy": _index_write,
    "index_fill": _index_write,
    "index_put": _index_put,
    **{f"index_reduce.{of}": _index_reduce for of in ("mean", "prod", "amin", "amax")},
    "index_select": _index_select,
    "masked.amax": _mask_reduced(np.max, -np.inf),
    "masked.amin": _mask_reduced(np.min, np.inf),
    "masked.cumprod": _mask_scan(np.cumprod, 1.0),
    "masked.cumsum": _mask_scan(np.cumsum, 0.0),
    "masked.log_softmax": _mask_softmax(sp.log_softmax),
    "masked.logaddexp": _mask_logaddexp,
    "masked.logsumexp": _mask_reduced(sp.logsumexp, -np.inf),
    "masked.mean": _mask_mean,
    "masked.median": _mask_median,
    "masked.norm": _mask_norm,
    "masked.normalize": _mask_normalize,
    "masked.prod": _mask_reduced(np.prod, 1.0),
    "masked.softmax": _mask_softmax(sp.softmax),
    "masked.softmin": _mask_softmax(sp.softmax, -1),
    "masked.std": _mask_var(True),
    "masked.sum": _mask_reduced(np.sum, 0.0),
    "masked.var": _mask_var(False),
    "masked_scatter": _masked_scatter,
    "masked_select": _masked_select,
    "put": _put,
    "repeat_interleave": _repeat_interleave,
    "scatter": _scatter,
    "scatter_add": lambda x, dim, places, source: _scatter(
        x, dim, places, source, "add"
    ),
    **{
        f"scatter_reduce.{of}": _scatter_reduce
        for of in ("sum", "prod", "mean", "amin", "amax")
    },
    "take": lambda x, places: np.take(x, places),
    "take_along_dim": _take_along,
}
