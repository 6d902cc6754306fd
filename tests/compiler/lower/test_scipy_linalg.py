"""What is made of factorizations, in NumPy and in SciPy: values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg
from scipy.optimize import minimize

import anabranch as ab

sl: Any = scipy.linalg
linalg: Any = np.linalg
RNG = np.random.default_rng(0)
A = np.roll(0.3 * RNG.standard_normal((4, 4)) + 2 * np.eye(4), 1, -1)
V = RNG.standard_normal(4)


def spd(a: Any) -> Any:
    return a @ a.T + np.eye(len(a), dtype=a.dtype)


def low(a: Any) -> Any:
    return np.tril(spd(a))


def apart(a: Any) -> Any:
    return a + np.diag(np.arange(4.0)).astype(a.dtype)


def orders(norm: Any, x: Any, *ords: Any) -> Any:
    return np.stack([norm(x, ord) for ord in ords])


OF_SCIPY: dict[str, Any] = {
    "solve_triangular": lambda a: sl.solve_triangular(spd(a), V),
    "lower, transposed": lambda a: sl.solve_triangular(spd(a), a, lower=True, trans=1),
    "unit": lambda a: sl.solve_triangular(spd(a), V, trans="T", unit_diagonal=True),
    "cholesky": lambda a: sl.cholesky(spd(a)),
    "lower cholesky": lambda a: sl.cholesky(spd(a), lower=True),
    "cho_solve": lambda a: sl.cho_solve(sl.cho_factor(spd(a)), V),
    "lower cho_solve": lambda a: sl.cho_solve(sl.cho_factor(spd(a), lower=True), a),
    "lu_factor": lambda a: sl.lu_factor(a),
    "lu_solve": lambda a: sl.lu_solve(sl.lu_factor(a), V),
    "transposed lu_solve": lambda a: sl.lu_solve(sl.lu_factor(a), a * 1.5, trans=1),
    "lu": lambda a: sl.lu(a),
    "lu, permuted": lambda a: sl.lu(a, permute_l=True),
    "lu, indices": lambda a: sl.lu(a, p_indices=True),
    "lu of a tall matrix": lambda a: sl.lu(a[:, :2]),
    "lu of a wide matrix": lambda a: sl.lu(a[:3], permute_l=True),
    "lu of a stack": lambda a: sl.lu(np.stack([a, a.T])[:, :, :3], p_indices=True),
    "solve": lambda a: sl.solve(a, V),
    "solve, definite": lambda a: sl.solve(spd(a), V, assume_a="pos"),
    "solve, symmetric": lambda a: sl.solve(spd(a), a, assume_a="sym"),
    "solve, transposed": lambda a: sl.solve(a, V, transposed=True),
    "solve, lower": lambda a: sl.solve(low(a), V, assume_a="lower triangular"),
    "inv": lambda a: sl.inv(a),
    "det": lambda a: sl.det(a),
    "qr": lambda a: sl.qr(a[:, :3], mode="economic"),
    "full q": lambda a: sl.qr(a)[0],
    "r": lambda a: sl.qr(a, mode="r"),
    "svd": lambda a: sl.svd(apart(a), full_matrices=False),
    "svdvals": lambda a: sl.svdvals(a),
    "eigh": lambda a: (lambda w, v: (w, v * v))(*sl.eigh(spd(a))),
    "eigh of two": lambda a: (lambda w, v: (w, v * v))(*sl.eigh(a + a.T, spd(a))),
    "eigvalsh": lambda a: sl.eigvalsh(spd(a)),
    "polar": lambda a: sl.polar(a),
    "left polar": lambda a: sl.polar(a, side="left"),
}


def of_symmetric(a: Any) -> Any:
    """What does not depend on the signs of singular vectors."""
    u, s, vh = np.linalg.svd(a + a.T, hermitian=True)
    return u * u, s, (u * np.sqrt(s)) @ vh


OF_NUMPY: dict[str, Any] = {
    "norms of matrices": lambda a: orders(
        np.linalg.norm, a, 1, -1, np.inf, -np.inf, 2, -2, "nuc", "fro", None
    ),
    "norms of vectors": lambda a: orders(
        np.linalg.norm, a[0], 1, 2, 3, -1, np.inf, -np.inf, 2.5, None
    ),
    "norm along one axis": lambda a: np.linalg.norm(a, axis=1, ord=3, keepdims=True),
    "norm along two": lambda a: np.linalg.norm(
        a.reshape(2, 2, 4), axis=(0, 2), ord=2, keepdims=True
    ),
    "vector_norm": lambda a: np.linalg.vector_norm(a, ord=1),
    "vector_norm along two": lambda a: np.linalg.vector_norm(
        a.reshape(2, 2, 4), axis=(0, 2), keepdims=True
    ),
    "vector_norm of none": lambda a: np.linalg.vector_norm(a[:, :, None][:0], axis=1),
    "matrix_norm": lambda a: np.linalg.matrix_norm(a, ord="nuc"),
    "cond": lambda a: orders(np.linalg.cond, a, None, 2, -2, 1, np.inf, "fro"),
    "pinv": lambda a: np.linalg.pinv(a[:, :2]),
    "wide pinv": lambda a: np.linalg.pinv(a[:3]),
    "pinv of rank two": lambda a: np.linalg.pinv(a[:, :2] @ a[:2], rcond=1e-5),
    "symmetric pinv": lambda a: np.linalg.pinv(spd(a), hermitian=True),
    "symmetric svd": lambda a: of_symmetric(a),
    "symmetric svdvals": lambda a: np.linalg.svd(
        a + a.T, compute_uv=False, hermitian=True
    ),
    "lstsq": lambda a: np.linalg.lstsq(a[:, :2], V.astype(a.dtype), rcond=None),
    "wide lstsq": lambda a: np.linalg.lstsq(a[:2], a[:2, :3]),
    "matrix_power": lambda a: np.stack(
        [np.linalg.matrix_power(a / 2, n) for n in (-2, -1, 0, 1, 2, 3, 5, 8)]
    ),
    "multi_dot": lambda a: np.linalg.multi_dot([V, a[:, :2], a[:2], a, V]),
    "multi_dot of matrices": lambda a: np.linalg.multi_dot([a[:1], a[:, :2], a[:2]]),
    "cross": lambda a: np.cross(a[:, :3], a[1, :3]),
    "cross along an axis": lambda a: np.linalg.cross(a[:3], a[:3] * 2 + 1, axis=0),
    "flat cross": lambda a: np.cross(np.pad(a[:, :2], ((0, 0), (0, 1))), a[:, 1:]),
    "diagonal": lambda a: np.linalg.diagonal(a, offset=1),
    "trace": lambda a: np.linalg.trace(a),
    "vecdot": lambda a: linalg.vecdot(a, a * 2, axis=0),
    "matrix_transpose": lambda a: np.linalg.matrix_transpose(a),
    "tensordot": lambda a: np.linalg.tensordot(a, a, axes=1),
}
ALL = OF_SCIPY | OF_NUMPY


def parts(made: Any) -> list[Any]:
    return [np.asarray(x) for x in (made if isinstance(made, tuple) else (made,))]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", ALL)
def test_values_are_theirs(backend, name, dtype):
    a = A.astype(dtype)
    rtol = 1e-10 if dtype == np.float64 else 2e-4
    made, expected = parts(ab.jit(ALL[name], backend=backend)(a)), parts(ALL[name](a))
    for one, other in zip(made, expected, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(one, other, rtol, rtol)


@pytest.mark.parametrize("name", ALL)
def test_gradients_agree_with_differences(name):
    def loss(a: Any) -> Any:
        made = ALL[name](a)
        return sum(
            np.sum(np.sin(x) * np.cos(np.arange(x.size).reshape(x.shape)))
            for x in (made if isinstance(made, tuple) else (made,))
            if x.dtype.kind == "f"
        )

    if name != "norm along one axis":  # of a third power, with kinks at 0
        ab.check_grads(loss, (A,), order=1)


def test_the_svd_of_a_symmetric_matrix_at_order_two():
    ab.check_grads(lambda a: np.sum(np.sin(of_symmetric(a)[2])), (A,), order=2)


def test_lu_of_a_tall_matrix_without_full_rank(backend):
    a = np.outer([1.0, 4.0, 2.0, 0.0, -1.0], [1.0, 1.0, 2.0])
    made = ab.jit(lambda a: sl.lu(a), backend=backend)(a)
    for one, other in zip(made, sl.lu(a), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-15)


def test_matrix_rank():
    a = np.stack([A, A[:, :1] @ A[:1], np.zeros((4, 4))])
    for f in (np.linalg.matrix_rank, lambda a: np.linalg.matrix_rank(a, 1e-3)):
        made = ab.jit(lambda a, f=f: f(a))(a)
        np.testing.assert_array_equal(made, f(a))
        assert made.dtype == np.int64


def test_second_derivatives_of_a_pseudo_inverse():
    def fitted(a: Any) -> Any:
        return np.sum(np.sin(np.linalg.lstsq(a[:, :2], V, rcond=None)[0]))

    ab.check_grads(fitted, (A,), order=2)


# Programs.


def gaussian_process(p: Any, x: Any, y: Any) -> Any:
    """The negative log-likelihood, by Cholesky's factor as in textbooks."""
    distance = (x[:, None] - x[None, :]) ** 2
    scale, length, noise = np.exp(p)
    k = scale * np.exp(-distance / (2 * length**2)) + noise * np.eye(len(x))
    factor = np.linalg.cholesky(k)
    alpha = np.linalg.solve(factor.T, np.linalg.solve(factor, y))
    return y @ alpha / 2 + np.sum(np.log(np.diag(factor)))


def gaussian_process_by_slogdet(p: Any, x: Any, y: Any) -> Any:
    distance = (x[:, None] - x[None, :]) ** 2
    scale, length, noise = np.exp(p)
    k = scale * np.exp(-distance / (2 * length**2)) + noise * np.eye(len(x))
    return y @ np.linalg.solve(k, y) / 2 + np.linalg.slogdet(k)[1] / 2


def test_gaussian_process(backend):
    x = np.linspace(0, 3, 12)
    y, p = np.sin(x), np.array([0.1, -0.3, -2.0])
    values = []
    for f in (gaussian_process, gaussian_process_by_slogdet):
        value, made = ab.value_and_grad(f, backend=backend)(p, x, y)
        np.testing.assert_allclose(value, f(p, x, y), 1e-11)
        values.append(made)
        ab.check_grads(f, (p, x, y), order=1)
    np.testing.assert_allclose(values[0], values[1], 1e-9)
    y = y + 0.2 * np.cos(17 * x)
    loss = ab.value_and_grad(gaussian_process, backend=backend)
    found = minimize(loss, p, (x, y), jac=True, method="L-BFGS-B", tol=1e-12)
    assert found.success
    ends = [gaussian_process(found.x + move, x, y) for move in 0.01 * np.eye(3)]
    assert found.fun < min(gaussian_process(p, x, y), *ends)
    np.testing.assert_allclose(loss(found.x, x, y)[1], 0, atol=1e-4)


def kalman(q: Any, r: Any, y: Any) -> Any:
    """The negative log-likelihood of a filter, a loop in Python."""
    f = np.array([[1.0, 0.1], [0.0, 1.0]])
    h = np.array([[1.0, 0.0], [0.5, 1.0]])
    m, p, total = np.zeros(2), np.eye(2), 0.0
    for t in range(len(y)):
        m, p = f @ m, f @ p @ f.T + q * np.eye(2)
        s = h @ p @ h.T + r * np.eye(2)
        rest = y[t] - h @ m
        gain = np.linalg.solve(s, h @ p).T
        total = total + rest @ np.linalg.solve(s, rest) + np.linalg.slogdet(s)[1]
        m, p = m + gain @ rest, p - gain @ s @ gain.T
    return total / 2


def test_kalman_filter(backend):
    """Fifty turns are one loop in the graph; its body factors each matrix once."""
    y = RNG.standard_normal((50, 2))
    run = ab.value_and_grad(kalman, argnums=(0, 1), backend=backend)
    value, _ = run(0.1, 0.5, y)
    np.testing.assert_allclose(value, kalman(0.1, 0.5, y), 1e-11)
    ab.check_grads(lambda p: kalman(p[0], p[1], y), (np.array([0.1, 0.5]),), order=1)


def mixture(p: Any, x: Any) -> Any:
    """The log-likelihood of Gaussians with Cholesky factors."""
    logits, means, raw = p
    parts = []
    for k in range(2):
        factor = np.tril(raw[k], -1) + np.diag(np.exp(np.diag(raw[k])))
        z = sl.solve_triangular(factor, (x - means[k]).T, lower=True)
        parts.append(
            logits[k] - np.sum(z * z, axis=0) / 2 - np.sum(np.log(np.diag(factor)))
        )
    top = np.maximum(parts[0], parts[1])
    total = np.log(sum(np.exp(part - top) for part in parts)) + top
    return np.sum(total) - len(x) * np.log(np.sum(np.exp(logits)))


def test_mixture_of_gaussians(backend):
    x = RNG.standard_normal((15, 3))
    p = (
        np.array([0.2, -0.1]),
        RNG.standard_normal((2, 3)),
        0.3 * RNG.standard_normal((2, 3, 3)),
    )
    value, _ = ab.value_and_grad(mixture, backend=backend)(p, x)
    np.testing.assert_allclose(value, mixture(p, x), 1e-11)
    ab.check_grads(lambda p: mixture(p, x), (p,), order=1)
