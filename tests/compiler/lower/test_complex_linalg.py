"""Linear algebra of complex matrices: values, gradients of two orders, phases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg

import anabranch as ab
from anabranch.ir.errors import LinAlgError

sl: Any = scipy.linalg
linalg: Any = np.linalg
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _drawn_anew() -> None:
    """Each test draws the same numbers, whatever ran before it."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def drawn(*shape: int) -> np.ndarray[Any, Any]:
    """Complex matrices far from singular ones, with singular values apart."""
    re, im = 0.3 * RNG.standard_normal((2, *shape))
    turned = np.roll(np.eye(shape[-2], shape[-1]) * (1.5 + np.arange(shape[-1])), 1, -1)
    return re + 1j * im + (1 + 0.5j) * turned


def turned(a: Any) -> Any:
    return np.conj(np.swapaxes(a, -1, -2))


def definite(a: Any) -> Any:
    return a @ turned(a) + np.eye(a.shape[-1], dtype=a.dtype)


def of_vectors(w: Any, v: Any) -> Any:
    """A function of a matrix by its eigenvalues, and the sizes of the vectors."""
    return (v * np.exp(-w / 9)[..., None, :]) @ turned(v), np.abs(v) ** 2


def of_pairs(u: Any, s: Any, vh: Any) -> Any:
    """What no phase moves: products of a left vector with the right one."""
    return u[..., :, :2] @ vh[..., :2, :], np.abs(u) ** 2, s


OF_NUMPY: dict[str, Any] = {
    "solve": lambda a: np.linalg.solve(a, a[..., :, :2] * 2j),
    "solve for a vector": lambda a: np.linalg.solve(a, np.arange(a.shape[-1]) + 1.0),
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "slogdet": lambda a: tuple(np.linalg.slogdet(a)),
    "cholesky": lambda a: np.linalg.cholesky(definite(a)),
    "upper cholesky": lambda a: np.linalg.cholesky(definite(a), upper=True),
    "qr": lambda a: tuple(np.linalg.qr(a)),
    "eigh": lambda a: of_vectors(*np.linalg.eigh(definite(a))),
    "eigh of the upper one": lambda a: of_vectors(*np.linalg.eigh(definite(a), "U")),
    "eigvalsh": lambda a: np.linalg.eigvalsh(definite(a)),
    "svd": lambda a: of_pairs(*np.linalg.svd(a, full_matrices=False)),
    "hermitian svd": lambda a: of_pairs(
        *np.linalg.svd(definite(a) - 2 * np.eye(a.shape[-1]), hermitian=True)
    ),
    "svdvals": lambda a: np.linalg.svdvals(a),
    "pinv": lambda a: np.linalg.pinv(a),
    "hermitian pinv": lambda a: np.linalg.pinv(definite(a), hermitian=True),
    "matrix_power": lambda a: np.linalg.matrix_power(a / 3, -3),
}
if np.lib.NumpyVersion(np.__version__) >= "2.4.0":  # one before has wider dtypes
    OF_NUMPY["cond"] = lambda a: np.stack(
        [np.linalg.cond(a, p) for p in (None, -2, 1, "fro")]
    )
OF_ONE: dict[str, Any] = {
    "multi_dot": lambda a: np.linalg.multi_dot([a[0], a[:, :2], a[:2], a]),
    "norms": lambda a: np.stack(
        [np.linalg.norm(a, p) for p in (1, -1, np.inf, -np.inf, 2, -2, "nuc", "fro")]
    ),
    "norms of vectors": lambda a: np.stack(
        [np.linalg.norm(a[0], p) for p in (1, 2, 3, -1, np.inf, -np.inf, 2.5, None)]
    ),
    "lstsq": lambda a: linalg.lstsq(a[:, :2], a[:, 2])[:2],
    "tall svd": lambda a: of_pairs(*np.linalg.svd(a[:, :2], full_matrices=False)),
    "wide svd": lambda a: of_pairs(*np.linalg.svd(a[:2], full_matrices=False)),
    "tall qr": lambda a: tuple(np.linalg.qr(a[:, :2])),
    "wide qr": lambda a: tuple(np.linalg.qr(a[:2])),
    "tall pinv": lambda a: np.linalg.pinv(a[:, :2]),
    "tensorsolve": lambda a: np.linalg.tensorsolve(a.reshape(2, 2, 4), a[:2, :2]),
    "tensorinv": lambda a: np.linalg.tensorinv(a.reshape(4, 2, 2), ind=1),
    "a real right side": lambda a: np.linalg.solve(a, np.real(a)),
    "a real matrix": lambda a: np.linalg.solve(definite(a).real, a),
    "scipy's cho_solve": lambda a: sl.cho_solve(sl.cho_factor(definite(a)), a[0]),
    "scipy's lower cho_solve": lambda a: sl.cho_solve(
        sl.cho_factor(definite(a), lower=True), a
    ),
    "solve_triangular": lambda a: np.stack(
        [sl.solve_triangular(definite(a), a, trans=t) for t in (0, 1, 2, "N", "C")]
    ),
    "lu_factor": lambda a: sl.lu_factor(a)[0],
    "lu_solve": lambda a: np.stack(
        [sl.lu_solve(sl.lu_factor(a), a * 1.5, trans=t) for t in (0, 1, 2)]
    ),
    "lu": lambda a: sl.lu(a)[1:],
    "scipy's solve": lambda a: sl.solve(a, a[0]),
    "solve, definite": lambda a: sl.solve(definite(a), a[0], assume_a="pos"),
    "solve, hermitian": lambda a: sl.solve(definite(a), a[0], assume_a="her"),
    "solve, symmetric": lambda a: sl.solve(a + a.T, a[0], assume_a="sym"),
    "scipy's inv": lambda a: sl.inv(a),
    "scipy's qr": lambda a: sl.qr(a[:, :3], mode="economic"),
    "eigh of two": lambda a: (lambda w, v: (w, np.abs(v)))(
        *sl.eigh(a + turned(a), definite(a))
    ),
    "polar": lambda a: sl.polar(a),
    "left polar": lambda a: sl.polar(a, side="left"),
}
OF_EIG: dict[str, Any] = {
    "eigvals": lambda a: np.linalg.eigvals(a),
    "values": lambda a: np.linalg.eig(a)[0],
    "sizes": lambda a: np.abs(np.linalg.eig(a)[1]) ** 2,
    "a function": lambda a: of_eigen(*np.linalg.eig(a)),
}
ALL = OF_NUMPY | OF_ONE
SHAPES = [(1, 1), (5, 5), (4, 2, 2), (2, 1, 3, 3)]
EMPTY = [(0, 0), (0, 3, 3), (2, 0, 0)]
NO_VALUES_OF_NOTHING = ("cond", "svd")


def parts(made: Any) -> list[Any]:
    return [np.asarray(x) for x in (made if isinstance(made, tuple) else (made,))]


def loss(f: Any) -> Any:
    """A number made of the parts of all entries of ``f(a)``."""

    def total(a: Any) -> Any:
        made, found = f(a), 0.0
        for x in made if isinstance(made, tuple) else (made,):
            weights = np.cos(np.arange(x.size).reshape(x.shape))
            found = found + np.sum(np.sin(x.real) * weights)
            if x.dtype.kind == "c":
                found = found + np.sum(np.sin(2 * x.imag) * weights)
        return found

    return total


def assert_same(f: Any, a: Any, backend: str = "llvm") -> None:
    rtol = 1e-10 if a.dtype == np.complex128 else 2e-3
    made, expected = parts(ab.jit(f, backend=backend)(a)), parts(f(a))
    for one, other in zip(made, expected, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), a.shape
        np.testing.assert_allclose(one, other, rtol, rtol, err_msg=str(a.shape))


@pytest.mark.parametrize("name", ALL)
def test_values_are_theirs(backend, name):
    assert_same(ALL[name], drawn(*((4, 4) if name in OF_ONE else (2, 4, 4))), backend)


@pytest.mark.parametrize("name", ALL)
def test_narrow_numbers_stay_narrow(name):
    assert_same(ALL[name], drawn(4, 4).astype(np.complex64))


@pytest.mark.parametrize("name", OF_NUMPY)
def test_values_of_all_sizes(name):
    for shape in SHAPES if name in NO_VALUES_OF_NOTHING else SHAPES + EMPTY:
        assert_same(OF_NUMPY[name], drawn(*shape))


@pytest.mark.parametrize("name", ALL)
def test_gradients_of_two_orders(name):
    for shape in [(4, 4)] if name in OF_ONE else [(1, 1), (2, 3, 3)]:
        ab.check_grads(loss(ALL[name]), (drawn(*shape),), order=2, backend="reference")


@pytest.mark.parametrize("name", OF_NUMPY | OF_EIG)
def test_compiled_gradients_equal_the_reference(name):
    a, f = drawn(2, 3, 3), (OF_NUMPY | OF_EIG)[name]
    made, expected = (
        ab.grad(loss(f), backend=backend)(a) for backend in ("llvm", "reference")
    )
    np.testing.assert_allclose(made, expected, 1e-9, 1e-9)


@pytest.mark.parametrize("name", OF_NUMPY)
def test_matrices_may_lie_anyhow(name):
    f, room = OF_NUMPY[name], np.zeros((3, 10, 10), complex)
    room[:, ::2, ::2] = drawn(3, 5, 5)
    for a in (drawn(5, 5).T, drawn(3, 5, 5)[::-1, ::-1], room[:, ::2, ::2]):
        assert_same(f, a)


def test_phases_of_vectors_are_not_moved():
    """``vᴴ dv = 0``: what a phase says has no derivative, the rest has its own."""
    a = definite(drawn(3, 3))

    def phase(a: Any) -> Any:
        _, v = np.linalg.eigh(a)
        return np.sum(np.imag(np.conj(v[:, 0]) * ab.stop_gradient(v[:, 0])))

    np.testing.assert_allclose(ab.grad(phase)(a), np.zeros((3, 3)), atol=1e-13)


def test_a_hermitian_gradient():
    """A change of an entry counts half, and half for the one across the diagonal."""
    a = definite(drawn(4, 4))
    for f in (np.linalg.eigvalsh, np.linalg.cholesky):
        made = ab.grad(lambda a, f=f: np.sum(np.abs(f(a)) ** 3))(a)
        np.testing.assert_allclose(made, made.conj().T, 1e-12)


def test_spaces_of_equal_eigenvalues_have_a_derivative():
    a = np.diag([1.0, 1.0, 2.0, 3.0]).astype(complex)

    def projector(a: Any) -> Any:
        v = np.linalg.eigh(a)[1][:, :2]
        return np.sum(np.real(v @ v.conj().T) * np.arange(16.0).reshape(4, 4))

    made = ab.grad(projector)(a)
    step = 1e-6 * (drawn(4, 4) + turned(drawn(4, 4)))
    step = step + step.conj().T
    moved = projector(a + step) - projector(a - step)
    expected = 2 * np.sum(np.real(np.conj(made) * step))
    np.testing.assert_allclose(moved, expected, 1e-5)


# Matrices that are not Hermitian.


def of_eigen(w: Any, v: Any) -> Any:
    return (v * np.exp(w / 9)[..., None, :]) @ np.linalg.inv(v)


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("name", OF_EIG)
def test_eig(backend, name, dtype):
    """Of a real matrix as NumPy's, with complex eigenvalues or none."""
    f = OF_EIG[name]
    for shape in [(1, 1), (5, 5), (2, 4, 4), (0, 0), (2, 0, 0)]:
        a = (drawn(*shape) if dtype == np.complex128 else drawn(*shape).real).copy()
        made, expected = ab.jit(f, backend=backend)(a), f(a)
        assert made.shape == expected.shape
        assert made.dtype == (np.float64 if name == "sizes" else np.complex128)
        np.testing.assert_allclose(made, expected, 1e-10, 1e-10)
    a = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 5.0]])
    np.testing.assert_allclose(ab.jit(f, backend=backend)(a), f(a), 1e-12, 1e-12)


@pytest.mark.parametrize("name", OF_EIG)
def test_gradients_of_eig(name):
    for shape in [(1, 1), (3, 3), (2, 3, 3)]:
        for a in (drawn(*shape), drawn(*shape).real.copy()):
            ab.check_grads(loss(OF_EIG[name]), (a,), order=2, backend="reference")


def test_vectors_of_eig_have_numpys_phases():
    for a in (drawn(4, 4), drawn(4, 4).real.copy()):
        made = ab.jit(lambda a: np.linalg.eig(a).eigenvectors)(a)
        np.testing.assert_allclose(made, np.linalg.eig(a).eigenvectors, 1e-11, 1e-11)


def test_eigenvectors_that_are_not_determined_have_no_gradient():
    for a in (np.array([[1.0, 1.0], [0.0, 1.0]]), np.eye(2)):
        made = ab.grad(lambda a: np.sum(np.abs(np.linalg.eig(a)[1]) ** 4))(a)
        assert not np.isfinite(made).all()


def test_narrow_numbers_have_narrow_eigenvalues():
    made = ab.jit(np.linalg.eigvals)(drawn(3, 3).astype(np.complex64))
    assert made.dtype == np.complex64


@pytest.mark.parametrize(
    ("f", "a", "message"),
    [
        (np.linalg.inv, np.zeros((2, 2), complex), "Singular matrix"),
        (np.linalg.inv, np.stack([np.eye(3), np.ones((3, 3))]) * 1j, "Singular matrix"),
        (np.linalg.cholesky, -1j * np.eye(3), "Matrix is not positive definite"),
    ],
)
def test_errors_are_numpys_and_name_the_line(backend, f, a, message):
    run = ab.jit(lambda a: f(a) * 2, backend=backend)
    with pytest.raises(np.linalg.LinAlgError, match=message):
        f(a)
    with pytest.raises(LinAlgError, match=message) as caught:
        run(a)
    assert "test_complex_linalg.py" in str(caught.value)


def test_one_factorization_is_shared():
    def total(a: Any) -> Any:
        first = np.linalg.solve(a, a[:, :2])
        return np.sum(np.abs(first)) + np.linalg.slogdet(a)[1]

    both = ab.value_and_grad(total)
    both(drawn(5, 5))
    assert str(both.inspect_ir("optimised")).count("= lu(") == 1
