"""Factorizations, systems and functions of matrices, of `scipy.linalg`.

Arguments that say how SciPy works (``overwrite_a``, ``check_finite``, drivers) change
nothing here. Results are float32 where all arrays are. What is singular raises; SciPy
warns of some of it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from ....ir.errors import UnsupportedError
from ....ir.ops.linalg import adjoined
from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace
from ..linalg import NARROW_OF, broadcast_stacks, cholesky, matrix, narrowed, wide
from ..orthogonal import eigen, singular
from ..ufuncs import reject

__all__: list[str] = []

_HOW = ("overwrite_a", "overwrite_b", "check_finite", "lwork", "lapack_driver")


def lowers_scipy(*names: str, arrays: int = 1) -> Callable[[Any], Any]:
    """Register a lowering that computes in wide numbers; narrow ones of narrow ones."""

    def add(lowering: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(lowering)
        def lower(trace: Trace, *args: Any, **named: Any) -> Any:
            given = [*args, *named.values()][:arrays]
            flat = [x for g in given for x in (g if isinstance(g, tuple) else (g,))]
            kinds = {
                np.dtype(array.dtype)
                for array in map(trace.array, flat)
                if getattr(array, "dtype", None) is not None
                and np.dtype(array.dtype).kind in "fc"
            }
            made = lowering(trace, *args, **named)
            is_narrow = kinds and kinds <= {*NARROW_OF.values()}
            return narrowed(made) if is_narrow else made

        return lowers_in("scipy.linalg", *names)(lower)

    return add


def _without_how(named: dict[str, Any]) -> None:
    """Raise for arguments other than those that say how SciPy works."""
    reject({name: value for name, value in named.items() if name not in _HOW})


def _columns(trace: Trace, b: Any) -> tuple[Any, bool]:
    """A right side as a matrix, and whether it is a vector."""
    array = trace.wrap(wide(trace, trace.array(b)))
    vector = array.ndim == 1
    return (array[:, None] if vector else array), vector


def _adjoined(trace: Trace, x: Any) -> Any:
    """The conjugate transpose."""
    return trace.wrap(adjoined(trace.builder, trace.node(x)))


def triangular(
    trace: Trace, a: Any, b: Any, *, lower: bool, trans: Any = 0, unit: bool = False
) -> Any:
    """Solve with a triangle, its transpose, or (2, "C") its conjugate transpose."""
    build, plain = trace.builder, matrix(trace, a, "solve_triangular")
    left = build.conj(plain) if trans in (2, "C") else plain
    left, right = broadcast_stacks(trace, left, wide(trace, b))
    flags = {"lower": lower, "transposed": trans not in (0, "N"), "unit": unit}
    return trace.wrap(build.solve_triangular(left, right, **flags, strict=True))


@lowers_scipy("solve_triangular", arrays=2)
def _solve_triangular(
    trace: Trace,
    a: Any,
    b: Any,
    trans: Any = 0,
    lower: bool = False,
    unit_diagonal: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    right, vector = _columns(trace, b)
    made = triangular(
        trace,
        a,
        right,
        lower=bool(lower),
        trans=trans,
        unit=bool(unit_diagonal),
    )
    return made[:, 0] if vector else made


@lowers_scipy("cholesky")
def _cholesky(
    trace: Trace,
    a: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
) -> Any:
    node = matrix(trace, a, "cholesky")
    return trace.wrap(cholesky(trace.builder, node, upper=not lower))


@lowers_scipy("cho_factor")
def _cho_factor(
    trace: Trace,
    a: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
) -> Any:
    """The factor with zeros in the other triangle, of which nothing is promised."""
    return _cholesky(trace, a, lower), bool(lower)


@lowers_scipy("cho_solve", arrays=2)
def _cho_solve(
    trace: Trace,
    c_and_lower: Any,
    b: Any,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    factor, lower = c_and_lower
    made, vector = _columns(trace, b)
    for trans in (0, "C") if lower else ("C", 0):
        made = triangular(trace, factor, made, lower=bool(lower), trans=trans)
    return made[:, 0] if vector else made


@lowers_scipy("lu_factor")
def _lu_factor(
    trace: Trace, a: Any, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """The factors, and the exchanges of rows as SciPy counts them."""
    factors, order, _ = trace.builder.lu(matrix(trace, a, "lu_factor")).values
    return trace.wrap(factors), _exchanges(trace.wrap(order))


def _exchanges(order: Any) -> Any:
    """With which row each was exchanged, one after the other."""
    n = order.shape[-1]
    rows = np.zeros_like(order) + np.arange(n)
    made: list[Any] = []
    for i in range(n):
        wanted = order[..., i : i + 1]
        place = np.argmax(np.equal(rows, wanted), axis=-1)
        made.append(place)
        moved = np.where(np.arange(n) == place[..., None], rows[..., i : i + 1], rows)
        rows = np.where(np.arange(n) == i, wanted, moved)
    return np.stack(made, axis=-1).astype(np.int32) if made else order.astype("i4")


@lowers_scipy("lu_solve", arrays=2)
def _lu_solve(
    trace: Trace,
    lu_and_piv: Any,
    b: Any,
    trans: Any = 0,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """Two triangular systems, and the exchanges one by one."""
    factors, exchanges = lu_and_piv
    made, vector = _columns(trace, b)
    n = made.shape[0]
    order = trace.wrap(trace.node(np.arange(n)))
    for i in range(n):
        other = trace.array(exchanges)[i]
        here, there = order[i], np.take(order, other)
        swapped = np.where(np.arange(n) == other, here, order)
        order = np.where(np.arange(n) == i, there, swapped)
    if trans in (0, "N"):
        made = np.take(made, order, axis=0)
        made = triangular(trace, factors, made, lower=True, unit=True)
        made = triangular(trace, factors, made, lower=False)
    else:
        made = triangular(trace, factors, made, lower=False, trans=trans)
        made = triangular(trace, factors, made, lower=True, trans=trans, unit=True)
        places = np.argmax(np.equal(order[None, :], np.arange(n)[:, None]), axis=1)
        made = np.take(made, places, axis=0)
    return made[:, 0] if vector else made


def _square_triangles(trace: Trace, node: Any) -> tuple[Any, Any, Any]:
    made, order, _ = trace.builder.lu(node).values
    factors = trace.wrap(made)
    unit = np.tril(factors, -1) + np.eye(node.type.shape[-1])
    return trace.wrap(order), unit, np.triu(factors)


def _triangles(trace: Trace, node: Any) -> tuple[Any, Any, Any]:
    """The order of the rows, and the factors of matrices of any shape.

    Of wide ones the square in front is factored. Of tall ones a square with zeros at
    its side tells the order and what is below; the square on top has the derivative.
    """
    b, (rows, columns) = trace.builder, node.type.shape[-2:]
    if rows == columns:
        return _square_triangles(trace, node)
    a: Any = trace.wrap(node)
    if rows < columns:
        order, unit, upper = _square_triangles(trace, trace.node(a[..., :rows]))
        rest = np.take_along_axis(a[..., rows:], order[..., None], -2)
        flags = {"lower": True, "transposed": False, "unit": True, "strict": False}
        solved = b.solve_triangular(trace.node(unit), trace.node(rest), **flags)
        return order, unit, np.concatenate([upper, trace.wrap(solved)], -1)
    widths = [(0, 0)] * (a.ndim - 1) + [(0, rows - columns)]
    whole = b.stop_gradient(trace.node(np.pad(a, widths)))
    order, known, _ = _square_triangles(trace, whole)
    a = trace.apply(np.take_along_axis, (a, order[..., None], -2), {})
    _, unit, upper = _square_triangles(trace, trace.node(a[..., :columns, :]))
    flags = {"lower": False, "transposed": True, "unit": False, "strict": False}
    below = trace.node(a[..., columns:, :].mT)
    solved = trace.wrap(b.solve_triangular(trace.node(upper), below, **flags)).mT
    found = known[..., columns:, :columns]
    below = b.straight_through(trace.node(found), trace.node(solved))
    return order, np.concatenate([unit, trace.wrap(below)], -2), upper


@lowers_scipy("lu")
def _lu(
    trace: Trace,
    a: Any,
    permute_l: bool = False,
    overwrite_a: bool = False,
    check_finite: bool = True,
    p_indices: bool = False,
) -> Any:
    node = matrix(trace, a, "lu", square=False)
    order, unit, upper = _triangles(trace, node)
    rows = np.arange(node.type.shape[-2])
    places = np.equal(order[..., None, :], rows[:, None])
    if permute_l:
        return places.astype(np.float64) @ unit, upper
    if p_indices:
        return np.argmax(places, axis=-1).astype(np.int32), unit, upper
    return places.astype(np.float64), unit, upper


@lowers_scipy("solve", arrays=2)
def _solve(
    trace: Trace,
    a: Any,
    b: Any,
    lower: bool = False,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    assume_a: Any = None,
    transposed: bool = False,
) -> Any:
    """By the factorization that ``assume_a`` allows; without it by LU."""
    left = trace.wrap(matrix(trace, a, "solve"))
    right, vector = _columns(trace, b)
    kind = {"positive definite": "pos", "symmetric": "sym"}.get(assume_a, assume_a)
    if kind in ("lower triangular", "upper triangular"):
        made = triangular(
            trace,
            left,
            right,
            lower=kind == "lower triangular",
            trans=int(transposed),
        )
    elif kind == "pos":
        factor = _cholesky(trace, left, lower)
        made = _cho_solve(trace, (factor, bool(lower)), right)
    elif kind in (None, "gen", "general", "sym", "her", "hermitian"):
        if kind not in (None, "gen", "general"):
            half = np.tril(left) if lower else np.triu(left)
            other = np.tril(left, -1) if lower else np.triu(left, 1)
            is_hermitian = kind in ("her", "hermitian")
            left = half + (_adjoined(trace, other) if is_hermitian else other.mT)
        turned = np.swapaxes(left, -1, -2) if transposed else left
        made = np.linalg.solve(turned, right)
    else:
        raise UnsupportedError(f"solve: assume_a={assume_a!r} is not supported")
    return made[..., 0] if vector else made


@lowers_scipy("inv")
def _inv(trace: Trace, a: Any, *how: Any, **named: Any) -> Any:
    _without_how(named)
    return np.linalg.inv(trace.wrap(matrix(trace, a, "inv")))


@lowers_in("scipy.linalg", "det")
def _det(trace: Trace, a: Any, *how: Any, **named: Any) -> Any:
    _without_how(named)
    return np.linalg.det(trace.wrap(matrix(trace, a, "det")))


@lowers_scipy("qr")
def _qr(
    trace: Trace,
    a: Any,
    overwrite_a: bool = False,
    lwork: Any = None,
    mode: str = "full",
    pivoting: bool = False,
    check_finite: bool = True,
) -> Any:
    if pivoting or mode not in ("full", "economic", "r"):
        raise UnsupportedError(f"qr: mode={mode!r}, pivoting={pivoting} is unsupported")
    node = matrix(trace, a, "qr", square=False)
    q, r = trace.builder.qr(node, complete=mode != "economic").values
    return (trace.wrap(r),) if mode == "r" else (trace.wrap(q), trace.wrap(r))


@lowers_scipy("svd")
def _svd(
    trace: Trace,
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    overwrite_a: bool = False,
    check_finite: bool = True,
    lapack_driver: str = "gesdd",
) -> Any:
    node = matrix(trace, a, "svd", square=False)
    values = singular(trace.builder, node, bool(full_matrices and compute_uv))
    made = tuple(trace.wrap(value) for value in values)
    return made if compute_uv else made[1]


@lowers_scipy("svdvals")
def _svdvals(
    trace: Trace, a: Any, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    return _svd(trace, a, compute_uv=False)


@lowers_scipy("eigh", arrays=2)
def _eigh(
    trace: Trace,
    a: Any,
    b: Any = None,
    *,
    lower: bool = True,
    eigvals_only: bool = False,
    **named: Any,
) -> Any:
    """With ``b`` definite: ``a v = b v diag(w)``, by the Cholesky factor of b."""
    _without_how({k: v for k, v in named.items() if (k, v) not in _USUAL})
    node, uplo = matrix(trace, a, "eigh"), "L" if lower else "U"
    factor = None
    if b is not None:
        factor = _cholesky(trace, b, True)
        whole = trace.wrap(node)
        half = np.tril(whole, -1) if lower else np.triu(whole, 1)
        kept = np.tril(whole) if lower else np.triu(whole)
        both = kept + _adjoined(trace, half)
        left = triangular(trace, factor, both, lower=True)
        inner = triangular(trace, factor, _adjoined(trace, left), lower=True)
        node, uplo = trace.node(inner), "L"
    values, vectors = (trace.wrap(x) for x in eigen(trace.builder, node, uplo))
    if eigvals_only:
        return values
    if factor is not None:
        vectors = triangular(trace, factor, vectors, lower=True, trans="C")
    return values, vectors


_USUAL = (("type", 1), ("driver", "evd"), ("driver", "evr"), ("driver", "ev"))


@lowers_scipy("eigvalsh", arrays=2)
def _eigvalsh(trace: Trace, a: Any, b: Any = None, **named: Any) -> Any:
    return _eigh(trace, a, b, eigvals_only=True, **named)


@lowers_scipy("polar")
def _polar(trace: Trace, a: Any, side: str = "right") -> Any:
    """``a = u p``, or ``a = p u``, by singular values."""
    if side not in ("right", "left"):
        raise ValueError("side must be either 'right' or 'left'")
    w, s, vt = _svd(trace, a, full_matrices=False)
    if side == "right":
        return w @ vt, (_adjoined(trace, vt) * s) @ vt
    return w @ vt, (w * s) @ _adjoined(trace, w)
