"""Entries of linear algebra and Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg

__all__ = ["LINALG", "SEEN_LINALG"]

linalg: Any = np.linalg  # whose stubs want literals for orders


def _added(product: Callable[..., Any]) -> Callable[..., Any]:
    return lambda c, a, b, beta=1, alpha=1: beta * c + alpha * product(a, b)


def _cross(x: Any, y: Any, dim: Any = None) -> Any:
    return np.cross(x, y, axis=-1 if dim is None else dim)


def _cholesky(a: Any, upper: bool = False) -> Any:
    factor = np.linalg.cholesky(a)
    return factor.mT if upper else factor


def _gram(factor: Any, upper: bool) -> Any:
    return factor.mT @ factor if upper else factor @ factor.mT


def _cholesky_inverse(factor: Any, upper: bool = False) -> Any:
    return np.linalg.inv(_gram(factor, upper))


def _cholesky_solve(b: Any, factor: Any, upper: bool = False) -> Any:
    return np.linalg.solve(_gram(factor, upper), b)


def _lstsq(a: Any, b: Any, driver: Any = None) -> Any:
    return np.linalg.pinv(a) @ b


def _parts(a: Any) -> tuple[Any, Any]:
    """The triangles of a packed LU factorisation."""
    rows, columns = a.shape[-2:]
    k = min(rows, columns)
    return np.tril(a[..., :k], -1) + np.eye(rows, k), np.triu(a[..., :k, :])


def _order(pivots: Any, rows: int) -> Any:
    """The permutation matrix of LAPACK's row exchanges."""
    made = np.zeros((*pivots.shape[:-1], rows, rows))
    for place in np.ndindex(*pivots.shape[:-1]):
        order = np.arange(rows)
        for i, pivot in enumerate(pivots[place]):
            order[[i, pivot - 1]] = order[[pivot - 1, i]]
        made[place][order, np.arange(rows)] = 1
    return made


def _packed(a: Any, *_: Any, **__: Any) -> Any:
    """Both triangles in one matrix, without the ones of the lower."""
    rows, columns = a.shape[-2:]
    made: Any = scipy.linalg.lu(a)
    _, lower, upper = made
    k = min(rows, columns)
    below = np.tril(lower, -1) @ np.eye(k, columns)
    return below + np.eye(rows, k) @ upper


def _lu_solve(
    packed: Any, pivots: Any, b: Any, left: bool = True, adjoint: bool = False
) -> Any:
    lower, upper = _parts(packed)
    a = _order(pivots, packed.shape[-1]) @ lower @ upper
    a = a.mT if adjoint else a
    return np.linalg.solve(a, b) if left else np.linalg.solve(a.mT, b.mT).mT


def _lu_unpack(packed: Any, pivots: Any, **_: Any) -> Any:
    lower, upper = _parts(packed)
    return _order(pivots, packed.shape[-2]), lower, upper


def _solve(a: Any, b: Any, left: bool = True, **_: Any) -> Any:
    if b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]:
        return np.linalg.solve(a, b[..., None])[..., 0]
    return np.linalg.solve(a, b) if left else np.linalg.solve(a.mT, b.mT).mT


def _solve_triangular(
    a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    a = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        a = a - a * np.eye(a.shape[-1]) + np.eye(a.shape[-1])
    return np.linalg.solve(a, b) if left else np.linalg.solve(a.mT, b.mT).mT


def _triangular_solve(
    b: Any,
    a: Any,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> Any:
    triangle = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        triangle = triangle - triangle * np.eye(a.shape[-1]) + np.eye(a.shape[-1])
    return np.linalg.solve(triangle.mT if transpose else triangle, b), a.copy()


def _norm(
    x: Any, ord: Any = None, dim: Any = None, keepdim: Any = False, dtype: Any = None
) -> Any:
    if ord is None or ((dim is None and x.ndim != 2) and not isinstance(ord, str)):
        return linalg.vector_norm(
            x, ord=2 if ord is None else ord, axis=dim, keepdims=keepdim
        )
    axes: Any = dim[0] if isinstance(dim, (tuple, list)) and len(dim) == 1 else dim
    return linalg.norm(x, ord, axes, keepdims=keepdim)


def _matrix_norm(
    x: Any, ord: Any = "fro", dim: Any = (-2, -1), keepdim: Any = False
) -> Any:
    return linalg.norm(x, ord, dim, keepdims=keepdim)


def _vector_norm(
    x: Any, ord: Any = 2, dim: Any = None, keepdim: Any = False, dtype: Any = None
) -> Any:
    axes = None if dim is None or x.ndim == 0 else dim
    return linalg.vector_norm(x, ord=ord, axis=axes, keepdims=keepdim)


def _householder(a: Any, tau: Any) -> Any:
    """``H₁ H₂ ... Hₖ``, of which the columns that ``a`` has are kept."""
    rows, columns = a.shape[-2:]
    vectors = np.tril(a, -1) + np.eye(rows, columns)
    q = np.eye(rows)
    for i in range(tau.shape[-1]):
        v = vectors[..., :, i : i + 1]
        q = q - tau[..., i, None, None] * (q @ v) @ v.mT
    return q[..., :columns] + np.zeros((*a.shape[:-2], 1, 1))


def _ormqr(a: Any, tau: Any, c: Any, left: bool = True, transpose: bool = False) -> Any:
    rows = a.shape[-2]
    vectors = np.tril(a, -1) + np.eye(rows, a.shape[-1])
    q = np.eye(rows)
    for i in range(tau.shape[-1]):
        v = vectors[..., :, i : i + 1]
        q = q - tau[..., i, None, None] * (q @ v) @ v.mT
    q = q.mT if transpose else q
    return q @ c if left else c @ q


def _svd(a: Any, **_: Any) -> Any:
    """All of it but signs, and vectors of which any others would do."""
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    return np.abs(u), s, np.abs(vt)


def _low_rank(a: Any, b: Any, q: int, M: Any = None, center: bool = False) -> Any:
    product = a @ b.mT if M is None else a @ b.mT - M
    if center:
        product = product - product.mean(-2, keepdims=True)
    u, s, vt = np.linalg.svd(product, full_matrices=False)
    return np.abs(u[..., :q]), s[..., :q], np.abs(vt[..., :q, :])


def _eigh(a: Any, UPLO: Any = "L") -> Any:
    values, vectors = np.linalg.eigh(a, UPLO)
    return values, np.abs(vectors)


def _tensorsolve(a: Any, b: Any, dims: Any = None) -> Any:
    return np.linalg.tensorsolve(a, b, dims)


def _vander(x: Any, N: Any = None) -> Any:
    x = np.atleast_1d(x)
    return x[..., None] ** np.arange(N or x.shape[-1])


def _slices(of: Callable[..., Any], count: int) -> Callable[..., Any]:
    """A transform of one, two or more axes with torch's names of arguments."""
    if count == 1:
        return lambda x, n=None, dim=-1, norm=None: of(x, n, dim, norm)
    default = (-2, -1) if count == 2 else None

    def run(x: Any, s: Any = None, dim: Any = default, norm: Any = None) -> Any:
        axes = (dim,) if isinstance(dim, int) else dim
        return of(x, s, axes, norm)

    return run


def _hfftn(of: str) -> Callable[..., Any]:
    """Those of Hermitian symmetry in several axes: the real ones, turned around."""
    inverse = of == "ihfft"

    def run(x: Any, s: Any, axes: Any, norm: Any) -> Any:
        if axes is None:
            axes = tuple(range(-x.ndim if s is None else -len(s), 0))
        other = {"forward": None, None: "forward", "backward": "forward"}
        turned: Any = other.get(norm, norm)
        if inverse:
            return np.conj(np.fft.rfftn(x, s, axes, turned))
        return np.fft.irfftn(np.conj(x), s, axes, turned)

    return run


def _shifted(of: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, dim=None: of(x, dim)


_TRANSFORMS: dict[str, Callable[..., Any]] = {
    f"fft.{name}": _slices(getattr(np.fft, name), count)
    for stem in ("fft", "ifft", "rfft", "irfft")
    for count, name in ((1, stem), (2, f"{stem}2"), (3, f"{stem}n"))
}

LINALG: dict[str, Callable[..., Any]] = {
    **_TRANSFORMS,
    "linalg.eigvals": lambda a: np.linalg.eigvals(a),
    "matrix_exp": lambda a: scipy.linalg.expm(a),
    "__rmatmul__": lambda a, b: b @ a,
    "addbmm": _added(lambda a, b: np.sum(a @ b, axis=0)),
    "addmm": _added(np.matmul),
    "addmm.decomposed": _added(np.matmul),
    "addmv": _added(np.dot),
    "addr": _added(np.outer),
    "baddbmm": _added(np.matmul),
    "bmm": np.matmul,
    "cholesky": _cholesky,
    "cholesky_inverse": _cholesky_inverse,
    "cholesky_solve": _cholesky_solve,
    "cross": _cross,
    "dot": np.dot,
    "einsum": lambda xs, subscripts: np.einsum(subscripts, *xs),
    "fft.fftshift": _shifted(np.fft.fftshift),
    "fft.hfft": _slices(np.fft.hfft, 1),
    "fft.hfft2": _slices(_hfftn("hfft"), 2),
    "fft.hfftn": _slices(_hfftn("hfft"), 3),
    "fft.ifftshift": _shifted(np.fft.ifftshift),
    "fft.ihfft": _slices(np.fft.ihfft, 1),
    "fft.ihfft2": _slices(_hfftn("ihfft"), 2),
    "fft.ihfftn": _slices(_hfftn("ihfft"), 3),
    "inner": np.inner,
    "kron": np.kron,
    "linalg.cholesky": _cholesky,
    "linalg.cholesky_ex": _cholesky,
    "linalg.cond": np.linalg.cond,
    "linalg.cross": _cross,
    "linalg.det": np.linalg.det,
    "linalg.eigh": _eigh,
    "linalg.eigvalsh": np.linalg.eigvalsh,
    "linalg.householder_product": _householder,
    "linalg.inv": np.linalg.inv,
    "linalg.inv_ex": np.linalg.inv,
    "linalg.lstsq": _lstsq,
    "linalg.lstsq.grad_oriented": _lstsq,
    "linalg.lu": lambda a, **_: scipy.linalg.lu(a),
    "linalg.lu_factor": _packed,
    "linalg.lu_factor_ex": _packed,
    "linalg.lu_solve": _lu_solve,
    "linalg.matrix_norm": _matrix_norm,
    "linalg.matrix_power": np.linalg.matrix_power,
    "linalg.multi_dot": np.linalg.multi_dot,
    "linalg.norm": _norm,
    "linalg.norm.subgradients_at_zero": _norm,
    "linalg.pinv": lambda a, rtol=None: np.linalg.pinv(a, rtol),
    "linalg.pinv.hermitian": np.linalg.pinv,
    "linalg.pinv.singular": lambda a, b: np.linalg.pinv(a @ b.mT),
    "linalg.qr": np.linalg.qr,
    "linalg.slogdet": np.linalg.slogdet,
    "linalg.solve": _solve,
    "linalg.solve_ex": _solve,
    "linalg.solve_triangular": _solve_triangular,
    "linalg.svd": _svd,
    "linalg.svdvals": np.linalg.svdvals,
    "linalg.tensorinv": np.linalg.tensorinv,
    "linalg.tensorsolve": _tensorsolve,
    "linalg.vander": _vander,
    "linalg.vecdot": lambda x, y, dim=-1: linalg.vecdot(x, y, axis=dim),
    "linalg.vector_norm": _vector_norm,
    "logdet": lambda a: np.linalg.slogdet(a)[1],
    "lu": _packed,
    "lu_solve": lambda b, packed, pivots: _lu_solve(packed, pivots, b),
    "lu_unpack": _lu_unpack,
    "matmul": np.matmul,
    "mm": np.matmul,
    "mv": np.dot,
    "ormqr": _ormqr,
    "outer": np.outer,
    "pca_lowrank": _low_rank,
    "pinverse": np.linalg.pinv,
    "qr": lambda a, some=True: np.linalg.qr(a, "reduced" if some else "complete"),
    "svd": _svd,
    "svd_lowrank": _low_rank,
    "tensordot": lambda a, b, dims: np.tensordot(a, b, dims),
    "triangular_solve": _triangular_solve,
    "vdot": np.vdot,
}


def _see_svd(made: Any) -> Any:
    u, s, vh = made
    k = s.shape[-1]
    return u[..., :k].abs(), s, vh[..., :k, :].abs()


SEEN_LINALG: dict[str, Callable[..., Any]] = {
    "linalg.lstsq": lambda made: made[0],
    "linalg.lstsq.grad_oriented": lambda made: made[0],
    "linalg.lu": lambda made: made,
    "linalg.svd": _see_svd,
    "lu_unpack": lambda made: made,
    "pca_lowrank": lambda made: _see_svd((*made[:2], made[2].mT)),
    "svd": lambda made: _see_svd((*made[:2], made[2].mT)),
    "svd_lowrank": lambda made: _see_svd((*made[:2], made[2].mT)),
}
"""What is compared of torch's results, where signs and the like are free."""
