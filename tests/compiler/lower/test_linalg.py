"""Linear algebra of NumPy: values, gradients of two orders, errors, shared factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.ir.errors import LinAlgError

RNG = np.random.default_rng(0)


def well(*shape: int) -> np.ndarray[Any, Any]:
    """Matrices far from singular ones, whose rows a factorization has to move."""
    n = shape[-1]
    return np.roll(0.3 * RNG.standard_normal(shape) + 2 * np.eye(n), 1, -1)


def definite(a: Any) -> Any:
    return a @ np.swapaxes(a, -1, -2) + np.eye(a.shape[-1])


A, B = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([1.0, 2.0])
SHAPES = [(1, 1), (2, 2), (3, 3), (5, 5), (9, 9), (4, 2, 2), (3, 5, 5), (2, 3, 4, 4)]
EMPTY = [(0, 0), (0, 3, 3), (2, 0, 0)]
OF_MATRICES: dict[str, Any] = {
    "inv": np.linalg.inv,
    "det": np.linalg.det,
    "slogdet": lambda a: np.linalg.slogdet(a)[1],
    "sign of slogdet": lambda a: np.linalg.slogdet(a).sign,
    "solve": lambda a: np.linalg.solve(a, a[..., :, :2] * 2),
    "solve for a vector": lambda a: np.linalg.solve(a, np.arange(a.shape[-1]) + 1.0),
    "cholesky": lambda a: np.linalg.cholesky(definite(a)),
    "upper cholesky": lambda a: np.linalg.cholesky(definite(a), upper=True),
}


def weighted(f: Any) -> Any:
    """A number made of all entries of ``f(a)``, each with a weight of its own."""

    def loss(a: Any) -> Any:
        made = f(a)
        return np.sum(np.sin(made) * np.cos(np.arange(made.size).reshape(made.shape)))

    return loss


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", OF_MATRICES)
def test_values_are_numpys(backend, name, dtype):
    f = OF_MATRICES[name]
    rtol = 1e-11 if dtype == np.float64 else 1e-4
    for shape in SHAPES + EMPTY:
        a = well(*shape).astype(dtype)
        expected = f(a)
        made = ab.jit(f, backend=backend)(a)
        assert (made.dtype, made.shape) == (expected.dtype, expected.shape), shape
        np.testing.assert_allclose(made, expected, rtol, rtol, err_msg=str(shape))


@pytest.mark.parametrize("name", OF_MATRICES)
def test_matrices_may_lie_anyhow(name):
    f, wide = OF_MATRICES[name], np.zeros((3, 10, 10))
    for a in (well(5, 5).T, well(3, 5, 5)[::-1, ::-1], wide[:, ::2, ::2]):
        if a.base is wide:
            a[...] = well(3, 5, 5)
        made = ab.jit(lambda a: f(np.swapaxes(a, -1, -2)))(a)
        np.testing.assert_allclose(made, f(np.swapaxes(a, -1, -2)), 1e-11, 1e-11)


@pytest.mark.parametrize("name", OF_MATRICES)
def test_gradients_of_two_orders(name):
    for shape in [(1, 1), (2, 2), (3, 3), (5, 5), (2, 4, 4)]:
        ab.check_grads(
            weighted(OF_MATRICES[name]), (well(*shape),), order=2, backend="reference"
        )


@pytest.mark.parametrize("name", OF_MATRICES)
def test_compiled_gradients_equal_the_reference(name):
    for shape in [(3, 3), (6, 6), (3, 4, 4)]:
        a, loss = well(*shape), weighted(OF_MATRICES[name])
        made, expected = (
            ab.grad(loss, backend=backend)(a) for backend in ("llvm", "reference")
        )
        np.testing.assert_allclose(made, expected, 1e-10, 1e-10)


def test_stacks_broadcast():
    a, b = well(3, 1, 4, 4), RNG.standard_normal((2, 4, 5))
    made = ab.jit(np.linalg.solve)(a, b)
    np.testing.assert_allclose(made, np.linalg.solve(a, b), 1e-11, 1e-11)
    ab.check_grads(lambda a, b: np.sum(np.sin(np.linalg.solve(a, b))), (a, b), order=1)


def test_integers_are_taken_as_float64():
    a = np.array([[2, 1], [1, 3]])
    for f in (np.linalg.inv, np.linalg.det, np.linalg.cholesky):
        np.testing.assert_allclose(ab.jit(lambda a, f=f: f(a))(a), f(a), 1e-14)


def test_only_the_lower_triangle_is_read():
    a = definite(well(4, 4))
    garbage = np.tril(a) + np.triu(RNG.standard_normal((4, 4)), 1)
    made = ab.jit(np.linalg.cholesky)(garbage)
    np.testing.assert_allclose(made, np.linalg.cholesky(a), 1e-13)


def test_tensors():
    a, b = RNG.standard_normal((2, 3, 6)), RNG.standard_normal((2, 3))
    made = ab.jit(np.linalg.tensorsolve)(a, b)
    np.testing.assert_allclose(made, np.linalg.tensorsolve(a, b), 1e-10)
    c = np.moveaxis(a, 2, 0)
    made = ab.jit(lambda c, b: np.linalg.tensorsolve(c, b, axes=(0,)))(c, b)
    np.testing.assert_allclose(made, np.linalg.tensorsolve(c, b, axes=(0,)), 1e-10)
    d = RNG.standard_normal((4, 6, 8, 3))
    made = ab.jit(np.linalg.tensorinv)(d)
    np.testing.assert_allclose(made, np.linalg.tensorinv(d), 1e-9, 1e-9)


# Errors.


@pytest.mark.parametrize(
    ("f", "a", "message"),
    [
        (np.linalg.inv, np.zeros((2, 2)), "Singular matrix"),
        (np.linalg.inv, np.stack([np.eye(3), np.ones((3, 3))]), "Singular matrix"),
        (lambda a: np.linalg.solve(a, a), np.ones((4, 4)), "Singular matrix"),
        (np.linalg.cholesky, -np.eye(3), "Matrix is not positive definite"),
        (np.linalg.cholesky, np.ones((2, 3, 3)), "Matrix is not positive definite"),
    ],
)
def test_errors_are_numpys_and_name_the_line(backend, f, a, message):
    run = ab.jit(lambda a: f(a) * 2, backend=backend)
    with pytest.raises(np.linalg.LinAlgError, match=message):
        f(a)
    with pytest.raises(LinAlgError) as caught:
        run(a)
    assert isinstance(caught.value, np.linalg.LinAlgError)
    assert message in str(caught.value)
    assert "test_linalg.py" in str(caught.value)


def test_an_error_may_be_caught_and_the_next_call_is_right(backend):
    run = ab.jit(lambda a: np.linalg.inv(a), backend=backend)
    with pytest.raises(np.linalg.LinAlgError):
        run(np.zeros((2, 2)))
    np.testing.assert_allclose(run(A), np.linalg.inv(A), 1e-14)


@pytest.mark.parametrize("a", [np.ones(3), np.ones((2, 3)), np.ones((4, 2, 3))])
@pytest.mark.parametrize("f", [np.linalg.inv, np.linalg.det, np.linalg.cholesky])
def test_wrong_shapes_are_errors_of_the_trace(f, a):
    with pytest.raises(np.linalg.LinAlgError):
        f(a)
    with pytest.raises(np.linalg.LinAlgError):
        ab.jit(lambda a: f(a))(a)


def test_determinants_of_singular_matrices():
    """All are polynomials; logarithms are NumPy's."""
    a = np.array([[1.0, 2.0], [2.0, 4.0]])
    np.testing.assert_allclose(ab.grad(np.linalg.det)(a), [[4.0, -2.0], [-2.0, 1.0]])
    ab.check_grads(np.linalg.det, (np.arange(9.0).reshape(3, 3),), order=2)
    sign, value = ab.jit(lambda a: tuple(np.linalg.slogdet(a)))(np.ones((4, 4)))
    assert (sign, value) == (0.0, -np.inf)
    assert ab.jit(np.linalg.det)(np.ones((4, 4))) == 0.0


def cofactors(a: Any) -> Any:
    made = np.zeros_like(a)
    for i, j in np.ndindex(a.shape):
        minor = np.delete(np.delete(a, i, 0), j, 1)
        made[i, j] = (-1) ** (i + j) * np.linalg.det(minor)
    return made


SINGULAR = {
    "equal columns": lambda a: a[:, [0, 0, *range(2, len(a))]],
    "a row of zeros": lambda a: a * (np.arange(len(a)) != 2)[:, None],
    "shifted": lambda a: np.eye(len(a), k=1),
    "of rank one": lambda a: np.outer(a[0], np.ones(len(a))),
    "nothing": np.zeros_like,
    "complex": lambda a: (a + 1j * a[::-1])[:, [0, 0, *range(2, len(a))]],
    "regular": lambda a: a,
}


@pytest.mark.parametrize("size", [4, 9])
@pytest.mark.parametrize("name", SINGULAR)
def test_the_gradient_of_a_determinant_is_its_cofactors(backend, name, size):
    a = SINGULAR[name](well(size, size))
    slope = ab.grad(lambda a: np.linalg.det(a).real, backend=backend)
    scale = np.linalg.norm(a, 2) ** (size - 1)
    expected = np.conj(cofactors(a))
    np.testing.assert_allclose(slope(a), expected, rtol=1e-11, atol=1e-13 * scale)


def test_cofactors_of_a_stack(backend):
    a = np.stack([make(well(4, 4)) for make in SINGULAR.values()][:5])
    slope = ab.grad(lambda a: np.linalg.det(a).sum(), backend=backend)
    expected = np.stack([cofactors(x) for x in a])
    np.testing.assert_allclose(slope(a), expected, rtol=1e-11, atol=1e-12)


def second_derivatives(a: Any) -> Any:
    """The determinants without two rows and two columns."""
    made = np.zeros(a.shape * 2, a.dtype)
    for i, j, k, m in np.ndindex(made.shape):
        if i != k and j != m:
            minor = np.delete(np.delete(a, [i, k], 0), [j, m], 1)
            turned = -1 if (i < k) != (j < m) else 1
            made[i, j, k, m] = turned * (-1) ** (i + j + k + m) * np.linalg.det(minor)
    return made


@pytest.mark.parametrize("size", [2, 3, 4, 6])
def test_the_second_derivative_of_a_determinant_is_its_minors(backend, size):
    """Of all ranks, and where rounding alone has left a determinant."""
    a = well(size, size)
    thin = [a[:, :rank] @ a[:rank] for rank in range(max(size - 3, 0), size)]
    stack = np.stack([a, np.eye(size, k=1), np.diag(np.arange(size) // 2.0), *thin])
    for f in (
        ab.vmap(ab.hessian(np.linalg.det, backend=backend)),
        ab.vmap(ab.jacfwd(ab.jacfwd(np.linalg.det, backend=backend))),
    ):
        for x, found in zip(stack, f(stack), strict=True):
            scale = np.linalg.norm(x, 2) ** (size - 2) if size > 2 else 1.0
            expected = second_derivatives(x)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11 * scale)


def test_the_second_derivative_of_a_complex_determinant():
    a = SINGULAR["complex"](well(5, 5))
    slope = ab.hessian(lambda x: np.linalg.det(x + 1j * a.imag).real)(a.real)
    np.testing.assert_allclose(slope, second_derivatives(a).real, atol=1e-10)


def test_the_third_derivative_of_a_determinant_of_rank_three():
    """That of a polynomial along a line, which six values tell."""
    a, move = np.diag([0.0, 0.0, 3.0, 2.0, 1.0]), well(5, 5)

    def along(t: Any) -> Any:
        return np.linalg.det(a + t * move)

    t = np.linspace(-1.0, 1.0, 6)
    expected = 6 * np.polyfit(t, [along(x) for x in t], 5)[2]
    np.testing.assert_allclose(ab.grad(ab.grad(ab.grad(along)))(0.0), expected, 1e-9)


def test_ranks_and_products_along_other_axes(backend):
    for shape in [(0, 0), (2, 0, 0), (0, 3, 3)]:
        made = ab.jit(np.linalg.matrix_rank, backend=backend)(np.zeros(shape))
        np.testing.assert_array_equal(made, np.zeros(shape[:-2], int), strict=True)
    vecdot: Any = np.vecdot
    made = ab.jit(lambda a: vecdot(a, 2j * a, axis=0), backend=backend)(A)
    np.testing.assert_allclose(made, vecdot(A, 2j * A, axis=0))


@pytest.mark.parametrize("scale", [1e-150, 1e120])
def test_derivatives_of_determinants_of_large_and_small_numbers(scale):
    for size in (2, 3):
        a = scale * (np.eye(size) + 1 / 8)
        slope = ab.grad(np.linalg.det)(a)
        np.testing.assert_allclose(slope, cofactors(a), rtol=1e-13)
        second = ab.hessian(np.linalg.det)(a)
        np.testing.assert_allclose(second, second_derivatives(a), rtol=1e-13)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("scale", [1e200, 1e-200, 1.0])
def test_determinants_of_large_and_small_numbers(backend, size, scale):
    """As LAPACK has them: products that go beyond the numbers are no NaN."""
    a = scale * (np.eye(size) + 1 / 8)
    b = scale * np.arange(1.0, size * size + 1).reshape(size, size)
    mixed = np.diag([1e300, 1e-300, 1e300][:size])
    stack = np.stack([a, b, np.full_like(a, scale), mixed])
    made = ab.jit(np.linalg.det, backend=backend)(stack)
    np.testing.assert_allclose(made[0], np.linalg.det(a), rtol=1e-14)
    assert made[2] == 0
    np.testing.assert_allclose(made[3], np.prod(np.diag(mixed)), rtol=1e-15)
    cornered = a.copy()
    cornered[0] = np.arange(size)
    slope = ab.grad(np.linalg.det, backend=backend)(cornered)
    np.testing.assert_allclose(slope[0], cofactors(cornered)[0], rtol=1e-12)


# One factorization.


def count(f: Any, op: str, *args: Any) -> int:
    """How many nodes of an op the optimised graph has."""
    f(*args)
    return str(f.inspect_ir("optimised")).count(f"= {op}(")


def test_what_is_asked_of_one_matrix_factors_it_once():
    def loss(a, b):
        first = np.linalg.solve(a, b)
        second = np.linalg.solve(a, np.sin(first))
        return np.sum(second) + np.linalg.slogdet(a)[1] + np.sum(np.linalg.inv(a) ** 2)

    a, b = well(5, 5), RNG.standard_normal((5, 2))
    both = ab.value_and_grad(loss, argnums=(0, 1))
    assert count(both, "lu", a, b) == 1
    ab.check_grads(loss, (a, b), order=2)
