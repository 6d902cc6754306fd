"""Small matrices: kernels of our own against the reference, and against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.llvm.kernels.small import LARGEST
from anabranch.backends.llvm.machine import using
from anabranch.backends.reference.interpreter import interpret
from anabranch.ir import Builder, Graph
from anabranch.ir.graph import Output
from tests.laws.op_graphs import compiled, type_of
from tests.machines import MACHINES, with_vectors

DTYPES = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}
DIGITS = {"f32": 1e-4, "f64": 1e-12}
COUNTS = [(), (1,), (3,), (2, 11)]  # one, a part of the lanes, some rounds and a part
BOTH = (False, True)


def matrices(count: tuple[int, ...], n: int, dtype: str = "f64") -> np.ndarray:
    rng = np.random.default_rng(n)
    made = rng.standard_normal((*count, n, n)) + 2.0 * np.eye(n)
    order = rng.permuted(np.broadcast_to(np.arange(n), (*count, n)), axis=-1)
    return np.take_along_axis(made, order[..., None], -2).astype(DTYPES[dtype])


def solved(a: np.ndarray, x: np.ndarray, transposed: bool) -> Graph:
    b = Builder("f")
    left, right = b.input("a", type_of(a)), b.input("x", type_of(x))
    factors, order, _ = b.lu(left).values
    made = b.solve_lu(left, factors, order, right, transposed=transposed, strict=True)
    return b.build([Output(made.name)])


def factored(a: np.ndarray) -> Graph:
    b = Builder("f")
    made = b.lu(b.input("a", type_of(a)))
    return b.build([Output(value.name) for value in made.values])


def assert_equal(graph: Graph, arrays: list[np.ndarray], dtype: str) -> None:
    for made, expected in zip(
        compiled(graph, arrays), interpret(graph, arrays), strict=True
    ):
        scale = np.max(np.abs(expected), initial=1.0)
        np.testing.assert_allclose(made, expected, DIGITS[dtype], DIGITS[dtype] * scale)


@pytest.mark.parametrize("transposed", BOTH)
@pytest.mark.parametrize("n", [1, 2, 3, 5, LARGEST, LARGEST + 1])
def test_systems_are_those_of_the_reference(n, transposed):
    for count in COUNTS:
        a = matrices(count, n)
        for columns in {1, n}:
            x = np.random.default_rng(1).standard_normal((*count, n, columns))
            assert_equal(solved(a, x, transposed), [a, x], "f64")


@pytest.mark.parametrize("n", range(1, LARGEST + 2))
def test_factors_and_their_order_are_those_of_the_reference(n):
    for count in COUNTS:
        a = matrices(count, n)
        assert_equal(factored(a), [a], "f64")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("machine", MACHINES)
def test_every_machine_has_the_kernels(machine, dtype):
    a = matrices((19,), 3, dtype)
    x = np.random.default_rng(1).standard_normal((19, 3, 2)).astype(DTYPES[dtype])
    with using(MACHINES[machine]):
        assert_equal(factored(a), [a], dtype)
        for transposed in BOTH:
            assert_equal(solved(a, x, transposed), [a, x], dtype)


@pytest.mark.parametrize("unit", BOTH)
@pytest.mark.parametrize("transposed", BOTH)
@pytest.mark.parametrize("lower", BOTH)
def test_triangles_are_those_of_the_reference(lower, transposed, unit):
    for n, count in [(1, (5,)), (4, (19,)), (LARGEST, (3,))]:
        a = matrices(count, n) + 3.0 * np.eye(n)
        x = np.random.default_rng(1).standard_normal((*count, n, 2))
        b = Builder("f")
        left, right = b.input("a", type_of(a)), b.input("x", type_of(x))
        flags = {"lower": lower, "transposed": transposed, "unit": unit}
        made = b.solve_triangular(left, right, strict=True, **flags)
        assert_equal(b.build([Output(made.name)]), [a, x], "f64")


def test_equal_sizes_are_taken_in_lapacks_order():
    """Of entries as large the first is the pivot, and rows change places in pairs."""
    signs = np.random.default_rng(0).choice([-1.0, 0.0, 1.0], (200, 4, 4))
    graph = factored(signs)
    for made, expected in zip(
        compiled(graph, [signs]), interpret(graph, [signs]), strict=True
    ):
        np.testing.assert_allclose(made, expected, 1e-12, 1e-12)


@pytest.mark.parametrize("n", [2, 3, 5, LARGEST])
def test_badly_scaled_rows_are_solved(n):
    """Rows of sizes from 1e-150 to 1e150; all of the first matrix are subnormal.

    Of that NumPy's solution has no right digit.
    """
    rng = np.random.default_rng(n)
    sizes = 10.0 ** rng.uniform(-150, 150, (40, n, 1))
    sizes[0] = 1e-310
    a, x = matrices((40,), n), rng.standard_normal((40, n, 1))
    made = ab.jit(np.linalg.solve)(a * sizes, x * sizes)
    residual = a @ made - x
    limit = 1e-12 * (np.abs(a) @ np.abs(made) + np.abs(x))
    limit[0] *= 10
    assert np.all(np.abs(residual) <= limit)


@pytest.mark.parametrize("place", [0, 7, 18])
@pytest.mark.parametrize("function", [np.linalg.inv, np.linalg.solve])
def test_one_singular_matrix_of_a_stack_raises(function, place):
    a = matrices((19,), 3)
    a[place, 2] = a[place, 0]
    a[place] = np.round(a[place])
    arrays = [a] if function is np.linalg.inv else [a, np.ones((19, 3, 1))]
    for call in function, ab.jit(function):
        with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
            call(*arrays)


@pytest.mark.parametrize("wrong", [-1.0, 0.0])
def test_one_matrix_of_a_stack_that_is_not_definite_raises(wrong):
    a = np.tile(np.eye(4), (19, 1, 1))
    a[17, 2, 2] = wrong
    for call in np.linalg.cholesky, ab.jit(np.linalg.cholesky):
        with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
            call(a)


def test_nan_goes_through_a_small_factorization():
    a = np.tile(np.eye(4), (19, 1, 1))
    a[17, 2, 2] = np.nan
    made = ab.jit(np.linalg.cholesky)(a)
    assert np.flatnonzero(np.isnan(made).any((1, 2))).tolist() == [17]


@pytest.mark.parametrize("n", [1, 2, 3, 4, LARGEST])
def test_cholesky_reads_and_writes_a_lower_triangle(n):
    for count in COUNTS:
        a = matrices(count, n)
        a = a @ np.swapaxes(a, -1, -2) + np.eye(n)
        above = a + np.triu(np.full((n, n), np.nan), 1)
        made = ab.jit(np.linalg.cholesky)(above)
        np.testing.assert_allclose(made, np.linalg.cholesky(a), 1e-12, 1e-13)


def test_views_of_any_strides_are_read():
    """Transposed, with steps, backwards, and in stacks that have no one stride."""
    rng = np.random.default_rng(3)
    whole, right = rng.standard_normal((3, 6, 5, 4, 3)), rng.standard_normal((5, 8))

    def deep(whole, right):
        a = np.transpose(whole[:, ::2, ::-1], (4, 2, 3, 1, 0))
        return np.linalg.solve(a + 9.0 * np.eye(3), right[0, :3, None])

    def flat(whole, right):
        a = np.transpose(whole[:, ::2, ::-1, 1, 2], (2, 1, 0))
        return np.linalg.solve(a + 9.0 * np.eye(3), right[:, 1:7:2, None])

    for function in deep, flat:
        expected = function(whole, right)
        made = ab.jit(function)(whole, right)
        np.testing.assert_allclose(made, expected, 1e-12, 1e-14)


def test_no_matrices_and_matrices_without_rows():
    for shape in (0, 3, 3), (4, 0, 0), (0, 0):
        empty = np.ones(shape)
        assert ab.jit(np.linalg.inv)(empty).shape == shape
        assert ab.jit(np.linalg.cholesky)(empty).shape == shape
        det = ab.jit(np.linalg.det)(empty)
        np.testing.assert_array_equal(det, np.linalg.det(empty))


def test_bits_do_not_depend_on_lanes():
    a = matrices((19,), 4)
    graph = factored(a)
    found: list[np.ndarray] = []
    for width in (16, 64):
        with using(with_vectors(width)):
            found.append(compiled(graph, [a])[0])
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("function", [np.linalg.inv, np.linalg.det, np.linalg.cholesky])
def test_derivatives_of_stacks(function):
    a = matrices((3,), 4)
    a = a @ np.swapaxes(a, -1, -2) + np.eye(4)
    ab.check_grads(lambda a: np.sum(np.sin(function(0.1 * (a + a.mT)))), [a])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("m", "k", "n"), [(1, 1, 2), (2, 3, 1), (3, 1, 3), (3, 3, 3), (4, 2, 3), (4, 4, 4)]
)
def test_products_of_small_matrices(m, k, n, dtype):
    """Stacks in one step; turned, shared by the stack, with steps, and with inf."""
    rng = np.random.default_rng(m + k + n)
    a = rng.standard_normal((37, m, k)).astype(DTYPES[dtype])
    x = rng.standard_normal((37, n, k)).astype(DTYPES[dtype])
    a[5] = np.inf

    def products(a, x):
        return a @ x.mT, a[0] @ x.mT, (a[::-2] @ x[::2].mT).mT

    compiled_products = ab.jit(products)
    with np.errstate(invalid="ignore"):
        expected = products(a, x)
    for made, one in zip(compiled_products(a, x), expected, strict=True):
        np.testing.assert_allclose(made, one, DIGITS[dtype], DIGITS[dtype])
    assert "small product" in compiled_products.inspect_source()
