"""QR, eigenvalues of symmetric matrices, and singular values, of `numpy.linalg`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.builder import Builder
from ...ir.errors import UnsupportedError
from ...ir.graph import Node
from ...ir.ops.linalg import adjoined
from ..tracing.trace import Trace
from .linalg import lowers_narrowed, matrix, symmetric

__all__ = ["eigen", "singular"]


def eigen(b: Builder, a: Node, uplo: str = "L") -> tuple[Node, ...]:
    """Eigenvalues in ascending order and vectors of a Hermitian matrix."""
    if uplo not in ("L", "U"):
        raise ValueError("UPLO argument must be 'L' or 'U'")
    return b.eigh(symmetric(b, adjoined(b, a) if uplo == "U" else a)).values


def singular(b: Builder, a: Node, complete: bool = False) -> tuple[Node, ...]:
    """``u, s, vt`` with ``a = u diag(s) vt``."""
    return b.svd(a, complete=complete).values


def _wrapped(trace: Trace, kind: Any, values: Any) -> Any:
    return kind(*(trace.wrap(value) for value in values))


@lowers_narrowed(np.linalg.qr)
def _qr(trace: Trace, a: Any, mode: str = "reduced") -> Any:
    node = matrix(trace, a, "qr", square=False)
    if mode == "raw":
        raise UnsupportedError(
            "qr: mode='raw' is not supported", hint="take mode='reduced' or 'complete'"
        )
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"Unrecognized mode '{mode}'")
    values = trace.builder.qr(node, complete=mode == "complete").values
    if mode == "r":
        return trace.wrap(values[1])
    return _wrapped(trace, type(np.linalg.qr(np.eye(1))), values)


@lowers_narrowed(np.linalg.eigh)
def _eigh(trace: Trace, a: Any, UPLO: str = "L") -> Any:
    values = eigen(trace.builder, matrix(trace, a, "eigh"), UPLO.upper())
    return _wrapped(trace, type(np.linalg.eigh(np.eye(1))), values)


@lowers_narrowed(np.linalg.eigvalsh)
def _eigvalsh(trace: Trace, a: Any, UPLO: str = "L") -> Any:
    values = eigen(trace.builder, matrix(trace, a, "eigvalsh"), UPLO.upper())
    return trace.wrap(values[0])


@lowers_narrowed(np.linalg.svd)
def _svd(
    trace: Trace,
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
) -> Any:
    if hermitian:
        return _svd_of_hermitian(trace, a, compute_uv)
    node = matrix(trace, a, "svd", square=False)
    values = singular(trace.builder, node, bool(full_matrices and compute_uv))
    if not compute_uv:
        return trace.wrap(values[1])
    return _wrapped(trace, type(np.linalg.svd(np.eye(1))), values)


def _svd_of_hermitian(trace: Trace, a: Any, compute_uv: bool) -> Any:
    """By eigenvalues: the largest by size is first, and signs go to one side."""
    values, vectors = np.linalg.eigh(a)
    order = np.argsort(np.abs(values), axis=-1)[..., ::-1]
    values = np.take_along_axis(values, order, -1)
    sizes = np.abs(values)
    if not compute_uv:
        return sizes
    u = np.take_along_axis(vectors, order[..., None, :], -1)
    signed = u * np.sign(values)[..., None, :]
    vh: Any = trace.wrap(adjoined(trace.builder, trace.node(signed)))
    return type(np.linalg.svd(np.eye(1)))(u, sizes, vh)


@lowers_narrowed(np.linalg.svdvals)
def _svdvals(trace: Trace, x: Any, /) -> Any:
    return np.linalg.svd(x, compute_uv=False)


@lowers_narrowed(np.linalg.eig)
def _eig(trace: Trace, a: Any) -> Any:
    """Complex of a real matrix too: NumPy's dtype follows from the values."""
    values = trace.builder.eig(matrix(trace, a, "eig")).values
    return _wrapped(trace, type(np.linalg.eig(np.eye(1))), values)


@lowers_narrowed(np.linalg.eigvals)
def _eigvals(trace: Trace, a: Any) -> Any:
    return trace.wrap(trace.builder.eig(matrix(trace, a, "eigvals")).values[0])
