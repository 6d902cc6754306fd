"""QR, eigenvalues, singular values: values, gradients, where vectors are free."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab

RNG = np.random.default_rng(0)
FIXED = np.arange(9.0).reshape(3, 3)


def weighted(values: Any) -> Any:
    """A number made of all entries, each with a weight of its own."""
    return sum(
        np.sum(np.sin(x) * np.cos(np.arange(x.size).reshape(x.shape)))
        for x in (values if isinstance(values, tuple) else (values,))
    )


def spread(*shape: int) -> Any:
    """Matrices whose singular values and eigenvalues are apart."""
    n, m = shape[-2:]
    return 0.2 * RNG.standard_normal(shape) + np.eye(n, m) * (1.0 + np.arange(m))


def symmetric(a: Any) -> Any:
    square = a[..., : min(a.shape[-2:]), : min(a.shape[-2:])]
    return square + np.swapaxes(square, -1, -2)


def outer_space(q: Any, k: int) -> Any:
    """What the columns from k on span."""
    rest = q[..., :, k:]
    return rest @ np.swapaxes(rest, -1, -2)


def unsigned(w: Any, v: Any) -> Any:
    """Eigenvalues and the squares of vectors, whose signs are NumPy's for "L" only."""
    return w, v * v


def again(u: Any, s: Any, vh: Any) -> Any:
    """The matrix of singular values, and that without signs."""
    return (u * s[..., None, :]) @ vh, (u * s[..., None, :]) @ np.swapaxes(u, -1, -2)


OF_MATRICES: dict[str, Any] = {
    "qr": np.linalg.qr,
    "r": lambda a: np.linalg.qr(a, mode="r"),
    "svd": lambda a: np.linalg.svd(a, full_matrices=False),
    "singular values": lambda a: np.linalg.svd(a, compute_uv=False),
    "svdvals": np.linalg.svdvals,
    "eigh": lambda a: np.linalg.eigh(symmetric(a)),
    "eigh of the upper triangle": lambda a: unsigned(
        *np.linalg.eigh(symmetric(a), "U")
    ),
    "sizes of eigenvalues": lambda a: np.linalg.svd(
        symmetric(a), compute_uv=False, hermitian=True
    ),
    "hermitian svd": lambda a: again(*np.linalg.svd(symmetric(a), hermitian=True)),
    "eigvalsh": lambda a: np.linalg.eigvalsh(symmetric(a)),
}
OF_SPACES: dict[str, Any] = {
    "complete qr": lambda a: outer_space(
        np.linalg.qr(a, mode="complete").Q, min(a.shape[-2:])
    ),
    "complete u": lambda a: outer_space(np.linalg.svd(a).U, min(a.shape[-2:])),
    "complete vt": lambda a: outer_space(
        np.swapaxes(np.linalg.svd(a)[2], -1, -2), min(a.shape[-2:])
    ),
}
SHAPES = [(3, 3), (5, 3), (2, 4), (2, 4, 3), (1, 1), (3, 1), (2, 1, 3, 2)]
EMPTY = [(0, 0), (3, 0), (0, 2), (0, 3, 2), (2, 0, 2)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", OF_MATRICES | OF_SPACES)
def test_values_are_numpys(backend, name, dtype):
    f = (OF_MATRICES | OF_SPACES)[name]
    rtol = 1e-12 if dtype == np.float64 else 1e-5
    for shape in SHAPES + EMPTY:
        a = spread(*shape).astype(dtype)
        expected, made = f(a), ab.jit(f, backend=backend)(a)
        if not isinstance(expected, tuple):
            expected, made = (expected,), (made,)
        assert isinstance(made, type(expected))
        for one, other in zip(made, expected, strict=True):
            assert (one.dtype, one.shape) == (other.dtype, other.shape), shape
            np.testing.assert_allclose(one, other, rtol, rtol, err_msg=str(shape))


@pytest.mark.parametrize("name", OF_MATRICES | OF_SPACES)
def test_gradients_of_two_orders(name):
    f = (OF_MATRICES | OF_SPACES)[name]
    for shape in SHAPES[:4]:
        ab.check_grads(
            lambda a: weighted(f(a)), (spread(*shape),), order=2, backend="reference"
        )


@pytest.mark.parametrize("name", OF_MATRICES | OF_SPACES)
def test_compiled_gradients_equal_the_reference(name):
    f = (OF_MATRICES | OF_SPACES)[name]
    for shape in SHAPES[:4]:
        a = spread(*shape)
        made, expected = (
            ab.grad(lambda a: weighted(f(a)), backend=backend)(a)
            for backend in ("llvm", "reference")
        )
        np.testing.assert_allclose(made, expected, 1e-10, 1e-10)


def differences(f: Any, a: Any, step: float = 1e-6) -> Any:
    made = np.zeros_like(a)
    for place in np.ndindex(a.shape):
        move = np.zeros_like(a)
        move[place] = step
        made[place] = (f(a + move) - f(a - move)) / (2 * step)
    return made


def test_a_function_of_a_space_is_smooth_at_equal_values():
    """Where JAX and torch have NaN."""

    def projector(a: Any) -> Any:
        v = np.linalg.eigh((a + a.T) / 2)[1][:, 1:]
        return np.sum(np.sin((v @ v.T) * FIXED))

    def polar(a: Any) -> Any:
        u, _, vt = np.linalg.svd(a)
        return np.sum(np.sin((u @ vt) * FIXED))

    for f, a in ((projector, np.diag([1.0, 2.0, 2.0])), (polar, 2 * np.eye(3))):
        np.testing.assert_allclose(ab.grad(f)(a), differences(f, a), atol=1e-8)


def test_values_alone_never_divide():
    a = np.eye(3)
    made = ab.grad(lambda a: np.sum(np.linalg.eigvalsh(a) ** 2))(a)
    np.testing.assert_array_equal(made, 2 * np.eye(3))
    made = ab.grad(lambda a: np.sum(np.linalg.svdvals(a)))(a)
    np.testing.assert_allclose(made, np.eye(3), atol=1e-15)


def test_vectors_that_nothing_reads_may_have_equal_values():
    """The last two components of data whose other variances are 0."""

    def loss(a: Any) -> Any:
        w, v = np.linalg.eigh((a + a.T) / 2)
        kept = (v[:, 3:] * w[3:]) @ v[:, 3:].T
        return np.sum(kept * np.arange(25.0).reshape(5, 5))

    a = np.diag([0.0, 0.0, 0.0, 2.0, 3.0])
    np.testing.assert_allclose(ab.grad(loss)(a), differences(loss, a), atol=1e-7)


def test_what_no_rule_knows_is_nan():
    """A function of the matrix at equal eigenvalues: its cotangents do not tell it."""

    def same(a: Any) -> Any:
        w, v = np.linalg.eigh(a)
        return np.sum((v * w) @ v.T * FIXED)

    assert np.all(np.isnan(ab.grad(same)(np.eye(3))))


def test_principal_components():
    """Of the scatter of points around their mean, as people write it."""
    x = RNG.standard_normal((20, 4)) * [3.0, 2.0, 1.0, 0.3]

    def explained(x: Any) -> Any:
        centred = x - x.mean(axis=0)
        _, s, vt = np.linalg.svd(centred, full_matrices=False)
        scores = centred @ vt[:2].T
        return np.sum(np.sin(scores) ** 2) + s[0] ** 2 / np.sum(s**2)

    np.testing.assert_allclose(ab.jit(explained)(x), explained(x), 1e-12)
    ab.check_grads(explained, (x,), order=1)
