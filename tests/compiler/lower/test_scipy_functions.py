"""Functions of matrices, of `scipy.linalg`: values, gradients, hard matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.linalg

import anabranch as ab
from tests.oracles.special_functions import mp

sl: Any = scipy.linalg
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _drawn_anew() -> None:
    """Each test draws the same numbers, whatever ran before it."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def exponential(a: Any) -> Any:
    return sl.expm(a)


def drawn(*shape: int, dtype: Any = np.complex128) -> np.ndarray[Any, Any]:
    re, im = RNG.standard_normal((2, *shape)) / max(shape[-1], 1) ** 0.5
    return (re + 1j * im).astype(dtype) if np.dtype(dtype).kind == "c" else re


def loss(f: Any) -> Any:
    """A number made of the parts of all entries of ``f(a)``."""

    def total(*args: Any) -> Any:
        x = f(*args)
        weights = np.cos(np.arange(x.size).reshape(x.shape))
        made = np.sum(np.sin(x.real) * weights)
        return made + np.sum(np.sin(2 * x.imag) * weights)

    return total


# The exponential.


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_exponentials_are_scipys(backend, dtype):
    run = ab.jit(exponential, backend=backend)
    for shape in [(1, 1), (5, 5), (2, 1, 3, 3), (0, 0), (2, 0, 0), (0, 3, 3)]:
        for scale in (1e-9, 1.0, 30.0):
            a = (scale * drawn(*shape, dtype=dtype)).astype(dtype)
            made, expected = run(a), sl.expm(a)
            assert (made.dtype, made.shape) == (expected.dtype, expected.shape)
            size = np.abs(expected).max(initial=1)
            np.testing.assert_allclose(made / size, expected / size, 1e-11, 1e-12)


def test_narrow_numbers_and_integers():
    for a in (drawn(3, 3).real.astype("f4"), drawn(3, 3).astype("c8"), np.eye(2, 2, 1)):
        made, expected = ab.jit(exponential)(a), sl.expm(a)
        assert made.dtype == expected.dtype
        np.testing.assert_allclose(made, expected, 1e-5, 1e-6)
    whole = np.array([[0, 1], [2, 3]])
    np.testing.assert_allclose(ab.jit(exponential)(whole), sl.expm(whole), 1e-11)


HARD = {
    "nilpotent": [[0.0, 1e60], [0.0, 0.0]],
    "far from normal": [[1.0, 1e6], [0.0, -1.0]],
    "triangular": [[1.0, 30.0, 1e3], [0.0, 1.5, -50.0], [0.0, 0.0, 2.0]],
    "Moler, Van Loan": [[49.0, 24.0], [-64.0, 31.0]],
    "of Ward": [[-131.0, 19.0, 18.0], [-390.0, 56.0, 54.0], [-387.0, 57.0, 52.0]],
    "scales": [[1e-8, 1e8], [0.0, 1e-8]],
}


@pytest.mark.parametrize("name", HARD)
def test_hard_matrices(name):
    """Against sixty digits: where entries are large and eigenvalues are not."""
    with mp.workdps(60):
        exact = mp.expm(mp.matrix(HARD[name])).tolist()
    expected = np.array(exact, float)
    made = ab.jit(exponential)(np.array(HARD[name]))
    assert np.abs(made - expected).max() <= 1e-12 * np.abs(expected).max()


def test_numbers_that_are_none_stay_none():
    for number in (np.nan, np.inf):
        made = ab.jit(exponential)(np.array([[1.0, number], [0.0, 2.0]]))
        assert not np.isfinite(made).all()


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_gradients_of_the_exponential(dtype):
    for shape in [(1, 1), (3, 3), (2, 2, 2)]:
        a = drawn(*shape, dtype=dtype)
        ab.check_grads(loss(exponential), (a,), order=2)
    a = drawn(2, 2, dtype=dtype)
    ab.check_grads(loss(exponential), (a,), order=3, backend="reference")


def test_gradients_of_the_exponential_are_scipys(backend):
    """A large cotangent does not make the matrix be squared more often."""
    a, seed = drawn(5, 5).real * 3, drawn(5, 5).real * 1e12
    made = ab.grad(lambda a: np.sum(sl.expm(a) * seed), backend=backend)(a)
    np.testing.assert_allclose(made, sl.expm_frechet(a.T, seed)[1], 1e-11)


# Square roots, logarithms, Sylvester's equation.


def near_one(*shape: int, dtype: Any = np.float64) -> np.ndarray[Any, Any]:
    """Matrices without negative eigenvalues, the complex ones off the real axis."""
    turn = 1 + 0.3j if np.dtype(dtype).kind == "c" else 1.0
    return drawn(*shape, dtype=dtype) / 2 + 2 * turn * np.eye(shape[-1])


OF_TRIANGLES: dict[str, Any] = {
    "sqrtm": lambda a: sl.sqrtm(a),
    "logm": lambda a: sl.logm(a),
    "solve_sylvester": lambda a: sl.solve_sylvester(a, a[:2, :2] + 1, a[:, :2]),
}
KINDS = [np.float64, np.complex128]


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("name", OF_TRIANGLES)
def test_functions_are_scipys(backend, name, dtype):
    run = ab.jit(OF_TRIANGLES[name], backend=backend)
    shapes = [(5, 5)] if name == "solve_sylvester" else [(1, 1), (5, 5), (2, 3, 3)]
    for shape in shapes:
        a = near_one(*shape, dtype=dtype)
        made, expected = run(a), OF_TRIANGLES[name](a)
        assert (made.dtype, made.shape) == (expected.dtype, expected.shape)
        np.testing.assert_allclose(made, expected, 1e-10, 1e-11)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("name", OF_TRIANGLES)
def test_gradients_of_functions(name, dtype):
    shapes = [(3, 3)] if name == "solve_sylvester" else [(1, 1), (3, 3), (2, 2, 2)]
    for shape in shapes:
        a = near_one(*shape, dtype=dtype)
        ab.check_grads(loss(OF_TRIANGLES[name]), (a,), order=2)
    a = near_one(2, 2, dtype=dtype)
    ab.check_grads(loss(OF_TRIANGLES[name]), (a,), order=3, backend="reference")


def test_each_matrix_of_an_equation_has_its_gradient():
    a, b, q = near_one(4, 4), near_one(2, 2), drawn(4, 2, dtype=np.complex128)
    run = loss(lambda a, b, q: sl.solve_sylvester(a, b, q))
    ab.check_grads(run, (a, b, q), order=2)


def test_matrices_of_no_size():
    for f in (OF_TRIANGLES["sqrtm"], OF_TRIANGLES["logm"]):
        assert ab.jit(f)(np.zeros((2, 0, 0))).shape == (2, 0, 0)


def test_logarithms_of_hard_matrices():
    for a in ([[1e4, 1e3], [0.0, 1e-4]], [[1.0, 1e6], [0.0, 2.0]]):
        with mp.workdps(40):
            exact = mp.logm(mp.matrix(a)).tolist()
        expected = np.real(np.array(exact).astype(complex))
        made = ab.jit(OF_TRIANGLES["logm"])(np.array(a))
        assert np.abs(made - expected).max() <= 1e-13 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["sqrtm", "logm"])
def test_real_matrices_with_complex_results_are_refused(backend, name):
    """SciPy's dtype follows from the values; a graph has one."""
    f, a = OF_TRIANGLES[name], np.array([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(np.linalg.LinAlgError, match=r"complex: pass a.astype") as error:
        ab.jit(lambda a: f(a) * 2, backend=backend)(a)
    assert "test_scipy_functions.py" in str(error.value)
    made = ab.jit(f, backend=backend)(a.astype(complex))
    np.testing.assert_allclose(made, f(a), 1e-12)


def test_roots_of_singular_matrices():
    """One eigenvalue may be 0; with more of them there is no telling."""
    a = np.diag([0.0, 1.0, 4.0])
    np.testing.assert_allclose(ab.jit(OF_TRIANGLES["sqrtm"])(a), np.sqrt(a))
    assert np.isnan(ab.jit(OF_TRIANGLES["sqrtm"])(np.zeros((2, 2)))).all()
    assert np.isnan(ab.jit(OF_TRIANGLES["logm"])(a)).any()


def test_equations_without_one_solution_name_the_line():
    run = ab.jit(lambda a: sl.solve_sylvester(a, -a, a))
    with pytest.raises(np.linalg.LinAlgError, match="Singular") as error:
        run(np.eye(2))
    assert "test_scipy_functions.py" in str(error.value)


def test_refusals_name_what_does_not_fit():
    with pytest.raises(ab.ShapeError, match="do not fit"):
        ab.jit(lambda a: sl.solve_sylvester(a, a, a[:, :2]))(np.eye(3))
