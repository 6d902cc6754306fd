"""Krylov methods: x with A x = b from products with A alone.

Each takes ``apply``, which is A v, and ``precondition``, about A⁻¹ v. It stops where
the norm of b - A x is at most ``tol`` times that of b, after ``most`` products, or
where it breaks down, and returns x and the number of products.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ..loop import fori_loop, while_loop
from .constants import eye, full, positions

__all__ = ["METHODS", "Solver", "bicgstab", "cg", "gmres"]

Map: TypeAlias = Callable[[Any], Any]
Solver: TypeAlias = Callable[[Map, Any], Any]

RESTART = 30


def norm(v: Any) -> Any:
    """The length of a vector, which neither overflows nor underflows."""
    largest = np.max(np.abs(v))
    safe = np.where(largest > 0, largest, v.dtype.type(1))
    return largest * np.sqrt(np.sum((v / safe) ** 2))


def cg(apply: Map, b: Any, precondition: Map, tol: float, most: int) -> Any:
    """Conjugate gradients, for a symmetric positive definite A.

    Saad, Iterative Methods for Sparse Linear Systems, 2nd edition, algorithm 9.1.
    """
    limit = b.dtype.type(tol) * norm(b)

    def goes_on(state: Any) -> Any:
        _, r, _, rz, count = state
        return (norm(r) > limit) & (rz > 0) & (count < most)

    def step(state: Any) -> Any:
        x, r, p, rz, count = state
        q = apply(p)
        length = rz / np.sum(p * q)
        x, r = x + length * p, r - length * q
        z = precondition(r)
        new = np.sum(r * z)
        return x, r, z + new / rz * p, new, count + 1

    z = precondition(b)
    start = np.zeros_like(b), b, z, np.sum(b * z), np.int64(0)
    x, *_, count = while_loop(goes_on, step, start)
    return x, count


def bicgstab(apply: Map, b: Any, precondition: Map, tol: float, most: int) -> Any:
    """Van der Vorst's stabilised bi-conjugate gradients.

    Saad, algorithm 7.7, preconditioned from the right.
    """
    limit = b.dtype.type(tol) * norm(b)
    one = b.dtype.type(1)

    def goes_on(state: Any) -> Any:
        _, r, _, rho, _, count = state
        return (norm(r) > limit) & (rho != 0) & (count + 2 <= most)

    def step(state: Any) -> Any:
        x, r, p, rho, shadow, count = state
        p_hat = precondition(p)
        v = apply(p_hat)
        alpha = _ratio(rho, np.sum(shadow * v))
        s = r - alpha * v
        s_hat = precondition(s)
        t = apply(s_hat)
        omega = _ratio(np.sum(t * s), np.sum(t * t))
        x = x + alpha * p_hat + omega * s_hat
        r = s - omega * t
        new = np.sum(shadow * r)
        beta = _ratio(new, rho) * _ratio(alpha, omega)
        return x, r, r + beta * (p - omega * v), new, shadow, count + 2

    start = np.zeros_like(b), b, b, np.sum(b * b) * one, b, np.int64(0)
    x, *_, count = while_loop(goes_on, step, start)
    return x, count


def _ratio(a: Any, b: Any) -> Any:
    """The ratio, and 0 where b is 0: the method has broken down, and stops."""
    zero = b == 0
    return np.where(zero, b, a / np.where(zero, b.dtype.type(1), b))


def gmres(
    apply: Map,
    b: Any,
    precondition: Map,
    tol: float,
    most: int,
    restart: int = RESTART,
) -> Any:
    """The least residual over a Krylov space of ``restart`` vectors, again and again.

    Saad, algorithm 6.9 with plane rotations (section 6.5.3), preconditioned from the
    right, so that the residual is that of the system. Vectors are made orthogonal
    twice.
    """
    size = min(restart, b.shape[0])
    limit = b.dtype.type(tol) * norm(b)

    def goes_on(state: Any) -> Any:
        _, r, before, count = state
        return (norm(r) > limit) & (norm(r) < before) & (count < most)

    def cycle(state: Any) -> Any:
        x, r, _, count = state
        step, made = _cycle(apply, precondition, r, limit, size, most - count)
        x = x + step
        return x, b - apply(x), norm(r), count + made

    start = np.zeros_like(b), b, b.dtype.type(np.inf), np.int64(0)
    x, _, _, count = while_loop(goes_on, cycle, start)
    return x, count


def _cycle(
    apply: Map, precondition: Map, r: Any, limit: Any, size: int, most: Any
) -> Any:
    """What one Krylov space of r adds to x, and how many products it took.

    ``upper`` is the triangle that the rotations make of Hessenberg's matrix; columns
    that are not reached are those of the identity, and add nothing.
    """
    kind = r.dtype.type
    beta = norm(r)
    first = np.reshape(r / beta, (1, -1))
    basis = np.concatenate([first, full((size, r.shape[0]), 0.0, r.dtype)])
    upper, turns = eye(size, r.dtype), full((size, 2), 0.0, r.dtype)
    right = np.where(positions(size + 1) == 0, beta, kind(0))

    def goes_on(state: Any) -> Any:
        _, _, _, _, left, j = state
        return (left > limit) & (j < size) & (j < most)

    def step(state: Any) -> Any:
        basis, upper, turns, right, _, j = state
        w = apply(precondition(basis[j]))
        full = norm(w)
        column = basis @ w
        w = w - column @ basis
        again = basis @ w
        w, column = w - again @ basis, column + again
        height = norm(w)
        height = np.where(height > full * kind(4) * np.finfo(r.dtype).eps, height, 0)
        unit = np.where(height > 0, w / np.where(height > 0, height, kind(1)), 0)
        column = _placed(column, j + 1, height)
        column = fori_loop(0, j, partial(_turned, turns), column)
        length = np.hypot(column[j], column[j + 1])
        safe = np.where(length > 0, length, kind(1))
        c = np.where(length > 0, column[j] / safe, kind(1))
        s = column[j + 1] / safe
        turn = np.stack([c, s])
        column = _placed(_placed(column, j, length), j + 1, kind(0))
        # A singular A may leave nothing in a column: such a vector is left out.
        column = np.where((positions(size + 1) == j) & (length == 0), kind(1), column)
        g = right[j]
        right = _placed(right, j, np.where(length > 0, c * g, kind(0)))
        right = _placed(right, j + 1, -s * g)
        basis = _placed(basis, j + 1, unit)
        upper = _placed(upper.T, j, column[:size]).T
        left = np.where(height > 0, np.abs(s * g), kind(0))
        return basis, upper, _placed(turns, j, turn), right, left, j + 1

    start = basis, upper, turns, right, beta, np.int64(0)
    basis, upper, _, right, _, made = while_loop(goes_on, step, start)
    weights = np.linalg.solve(upper, right[:size])
    return precondition(weights @ basis[:size]), made


def _turned(turns: Any, i: Any, column: Any) -> Any:
    """A column after rotation i."""
    c, s = turns[i, 0], turns[i, 1]
    a, b = column[i], column[i + 1]
    return _placed(_placed(column, i, c * a + s * b), i + 1, c * b - s * a)


def _placed(values: Any, i: Any, value: Any) -> Any:
    """``values`` with another row i."""
    made = np.copy(values)
    made[i] = value
    return made


METHODS: dict[str, Callable[..., Any]] = {
    "cg": cg,
    "bicgstab": bicgstab,
    "gmres": gmres,
}
