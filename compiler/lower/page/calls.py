"""A call of each function with matrices, which shows what its lowering can do.

Most functions are called with one to four matrices, or in one of the other common ways:
the first that can be traced is taken. Those that need more have calls of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

__all__ = ["CALLS", "MATRIX", "calls_of"]

MATRIX = np.array([[0.9, 0.1, 0.2], [0.1, 0.8, 0.3], [0.2, 0.3, 0.7]])

_COMMON: list[Callable[..., Any]] = [
    lambda f, a: f(a),
    lambda f, a, b: f(a, b),
    lambda f, a, b, c: f(a, b, c),
    lambda f, a, b, c, d: f(a, b, c, d),
    lambda f, a: f(a, 1),
    lambda f, a: f(1, a),
    lambda f, a: f(a[0]),
    lambda f, a, b: f(a[0], b[0]),
]


def _written(f: Any, a: Any, *rest: Any) -> Any:
    """A copy of an array after the function wrote into it."""
    a = a.copy()
    f(a, *rest)
    return a


def _spline(f: Any, a: Any) -> Any:
    from scipy.interpolate import CubicSpline

    return f(CubicSpline(np.arange(5.0), np.arange(5.0) ** 2), a)


def _known(module: str, name: str, *args: Any) -> Any:
    return getattr(import_module(f"scipy.{module}"), name)(*args)


def _of_kernels(f: Any, a: Any) -> Any:
    return f(_known("stats", "gaussian_kde", np.arange(5.0)), a[0])


def _on_grid(f: Any, a: Any) -> Any:
    known = _known("interpolate", "RegularGridInterpolator", _GRID, MATRIX)
    return f(known, a[:, :2])


_GRID = np.arange(3.0), np.arange(3.0)
_PLACES = np.arange(3.0), np.arange(3.0) ** 2
_SPLINES = "CubicSpline PchipInterpolator interp1d".split()
_ORDERED = (
    *(f"eval_{name}" for name in "hermite hermitenorm chebyt chebyu legendre".split()),
    "eval_laguerre",
    *(f"spherical_{kind}n" for kind in "jyik"),
)

CALLS: dict[str, Callable[..., Any]] = {
    "np.apply_along_axis": lambda f, a: f(lambda row: row * 2, 0, a),
    "np.apply_over_axes": lambda f, a: f(np.sum, a, [0]),
    "np.array_split": lambda f, a: f(a, 2),
    "np.astype": lambda f, a: f(a, np.float64),
    "np.bincount": lambda f, a, b: f(np.arange(3), b[0]),
    "np.broadcast_to": lambda f, a: f(a, (2, 3, 3)),
    "np.choose": lambda f, a, b: f([0, 1, 0], [a, b]),
    "np.clip": lambda f, a, b, c: f(a, b, c),
    "np.compress": lambda f, a: f([True, False, True], a),
    "np.concatenate": lambda f, a, b: f([a, b]),
    "np.copyto": lambda f, a, b: _written(f, a, b),
    "np.delete": lambda f, a: f(a, 1, 0),
    "np.dsplit": lambda f, a: f(a[None], 3),
    "np.einsum": lambda f, a, b: f("ij,jk->ik", a, b),
    "np.expand_dims": lambda f, a: f(a, 0),
    "np.extract": lambda f, a: f(np.eye(3) > 0, a),
    "np.fill_diagonal": lambda f, a, b: _written(f, a, b[0, 0]),
    "np.flatnonzero": lambda f, a: np.sum(f(a)),
    "np.full_like": lambda f, a, b: f(a, b[0]),
    "np.hsplit": lambda f, a: f(a, 3),
    "np.insert": lambda f, a, b: f(a, 1, b[0], 0),
    "np.interp": lambda f, a, b, c: f(a, b[0], c[0]),
    "np.isin": lambda f, a, b: f(a, b),
    "np.ldexp": lambda f, a: f(a, 2),
    "np.lib.stride_tricks.sliding_window_view": lambda f, a: f(a, 2, axis=0),
    "np.lib.stride_tricks.as_strided": lambda f, a: f(
        a.copy(), (2, 2), (3 * a.dtype.itemsize, a.dtype.itemsize)
    ),
    "np.linalg.matrix_power": lambda f, a: f(a, 3),
    "np.linalg.multi_dot": lambda f, a, b, c: f([a, b, c]),
    "np.linalg.tensorinv": lambda f, a: f(a, 1),
    "np.linalg.tensorsolve": lambda f, a, b: f(a, b[0]),
    "np.moveaxis": lambda f, a: f(a, 0, 1),
    "np.nanpercentile": lambda f, a: f(a, 50),
    "np.nanquantile": lambda f, a: f(a, 0.5),
    "np.nonzero": lambda f, a: np.sum(f(a)[0]),
    "np.pad": lambda f, a: f(a, 1),
    "np.percentile": lambda f, a: f(a, 50),
    "np.piecewise": lambda f, a: f(a, [a > 0], [lambda x: x * x, 0]),
    "np.place": lambda f, a, b: _written(f, a, np.eye(3) > 0, b[0]),
    "np.polyfit": lambda f, a: f(np.arange(3), a[0], 1),
    "np.polyder": lambda f, a: f(a[0]),
    "np.put": lambda f, a, b: _written(f, a, [0, 2], b[0, :2]),
    "np.put_along_axis": lambda f, a, b: _written(f, a, np.eye(3, dtype=int), b, 1),
    "np.putmask": lambda f, a, b: _written(f, a, np.eye(3) > 0, b),
    "np.quantile": lambda f, a: f(a, 0.5),
    "np.ravel_multi_index": lambda f, a: f((a > 0).astype(int), (3, 3, 3)),
    "np.roots": lambda f, a: f(a[0]),
    "np.repeat": lambda f, a: f(a, 2),
    "np.reshape": lambda f, a: f(a, (9,)),
    "np.resize": lambda f, a: f(a, (2, 3)),
    "np.result_type": lambda f, a: f(a, np.float32).itemsize,
    "np.select": lambda f, a, b: f([a > 0], [a], b),
    "np.split": lambda f, a: f(a, 3),
    "np.stack": lambda f, a, b: f([a, b]),
    "np.swapaxes": lambda f, a: f(a, 0, 1),
    "np.take": lambda f, a: f(a, [0, 2], 0),
    "np.take_along_axis": lambda f, a: f(a, np.eye(3, dtype=int), 0),
    "np.unravel_index": lambda f, a: f((a > 0).astype(int), (3, 3)),
    "np.where": lambda f, a, b: f(a > 0, a, b),
    "scipy.interpolate.PPoly.__call__": _spline,
    "scipy.interpolate.BSpline.__call__": lambda f, a: f(
        _known("interpolate", "make_interp_spline", *_PLACES, 1), a
    ),
    "scipy.interpolate.interp1d.__call__": lambda f, a: f(
        _known("interpolate", "interp1d", *_PLACES), a
    ),
    "scipy.interpolate.make_interp_spline": lambda f, a: f(_PLACES[0], a[0], 1)(0.5),
    **{
        f"scipy.interpolate.{name}": lambda f, a: f(_PLACES[0], a[0])(0.5)
        for name in _SPLINES
    },
    **{f"scipy.special.{name}": lambda f, a: f(3, a) for name in _ORDERED},
    "scipy.special.eval_gegenbauer": lambda f, a, b: f(3, a, b),
    "scipy.special.eval_genlaguerre": lambda f, a, b: f(3, a, b),
    "scipy.special.eval_jacobi": lambda f, a, b, c: f(3, a, b, c),
    "scipy.stats.moment": lambda f, a: f(a, 2),
    **{
        f"scipy.sparse.{name}_array.dot": lambda f, a: f(
            _known("sparse", "csr_array", np.eye(3)), a
        )
        for name in ("csr", "coo")
    },
    **{
        f"scipy.stats.gaussian_kde.{name}": _of_kernels
        for name in ("evaluate", "pdf", "logpdf")
    },
    "scipy.interpolate.RegularGridInterpolator": lambda f, a: f(_GRID, a)([0.5, 1.5]),
    "scipy.interpolate.RegularGridInterpolator.__call__": _on_grid,
    "scipy.interpolate.interpn": lambda f, a, b: f(_GRID, a, b[:, :2]),
    "scipy.ndimage.map_coordinates": lambda f, a, b: f(a, b[:2]),
    "scipy.ndimage.shift": lambda f, a, b: f(a, b[0, :2]),
    "scipy.ndimage.zoom": lambda f, a: f(a, 2),
    "scipy.ndimage.rotate": lambda f, a, b: f(a, b[0, 0], reshape=False),
    "scipy.ndimage.affine_transform": lambda f, a, b: f(a, b[:2, :2]),
    "scipy.interpolate.CubicHermiteSpline": lambda f, a, b: f(_PLACES[0], a[0], b[0])(
        0.5
    ),
    "scipy.linalg.convolution_matrix": lambda f, a: f(a[0], 2),
    "scipy.linalg.solve_toeplitz": lambda f, a, b: f(a[0], b),
    "scipy.linalg.solve_circulant": lambda f, a, b: f(a[0], b),
    "scipy.linalg.block_diag": lambda f, a, b: f(a, b),
    "scipy.linalg.cho_solve": lambda f, a, b: f((a, True), b),
    "scipy.linalg.lu_solve": lambda f, a, b: f((a, np.arange(3)), b),
    "scipy.signal.decimate": lambda f, a: f(a, 2, 1, "fir"),
    "scipy.signal.resample": lambda f, a: f(a, 5),
    "scipy.signal.resample_poly": lambda f, a: f(a, 3, 2),
    "scipy.signal.upfirdn": lambda f, a, b: f(a[0], b),
    "scipy.signal.lfilter": lambda f, a, b: f(a[0], b[0], np.arange(9.0)),
    "scipy.signal.filtfilt": lambda f, a, b: f(a[0], b[0], np.arange(12.0)),
    "scipy.signal.savgol_filter": lambda f, a: f(a, 3, 1),
    "scipy.signal.sosfilt": lambda f, a, b: f(a.reshape(-1)[None, :6], b),
    "scipy.signal.sosfilt_zi": lambda f, a: f(a.reshape(-1)[None, :6]),
    "scipy.signal.sosfiltfilt": lambda f, a, b: f(a.reshape(-1)[None, :6], b, padlen=1),
}
"""By the name of the function; its matrices are the arguments after it."""
for _name in ("hstack", "vstack", "dstack", "column_stack", "block"):
    CALLS[f"np.{_name}"] = CALLS["np.concatenate"]


_OF_METHODS: dict[str, list[Callable[..., Any]]] = {
    "at": [
        lambda f, a, b: _written(f, a, [0, 2], b[:2]),
        lambda f, a: _written(f, a, [0, 2]),
    ],
    "reduceat": [lambda f, a: f(a, [0, 2])],
}


def calls_of(name: str) -> list[Callable[..., Any]]:
    """The calls to try: the function's own, its method's, or the common ones."""
    if name in CALLS:
        return [CALLS[name]]
    return _OF_METHODS.get(name.rpartition(".")[2], _COMMON)
