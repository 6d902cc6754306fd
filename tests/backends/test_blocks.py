"""Larger matrices: the way back from Cholesky's factor, and inverses."""

from __future__ import annotations

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.reference.interpreter import interpret
from anabranch.ir import Builder, Graph
from anabranch.ir.graph import Output
from anabranch.ir.ops.lapack import identity
from tests.laws.op_graphs import compiled, type_of

DIGITS = {np.float32: 1e-4, np.float64: 1e-12}
SHAPES = [(0, 0), (0, 9, 9), (9, 9), (2, 3, 10, 10), (63, 63), (64, 64), (65, 65),
          (2, 129, 129), (200, 200)]  # fmt: skip
BOTH = (False, True)


def close(made: np.ndarray, expected: np.ndarray, rtol: float) -> None:
    scale = np.max(np.abs(expected), initial=0.0)
    np.testing.assert_allclose(made, expected, rtol, rtol * scale)


def undone(factor: np.ndarray, bar: np.ndarray) -> np.ndarray:
    b = Builder("f")
    operands = b.input("l", type_of(factor)), b.input("g", type_of(bar))
    graph = b.build([Output(b.cholesky_input(*operands).name)])
    (made,) = compiled(graph, [factor, bar])
    (expected,) = interpret(graph, [factor, bar])
    close(made, expected, DIGITS[factor.dtype.type])
    return made


@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_factor_is_undone_by_blocks_as_by_the_formula(shape, dtype):
    rng = np.random.default_rng(0)
    n = shape[-1]
    a = rng.standard_normal(shape) / max(n, 1) ** 0.5
    factor = np.linalg.cholesky(a @ np.swapaxes(a, -1, -2) + np.eye(n)).astype(dtype)
    made = undone(factor, rng.standard_normal(shape).astype(dtype))
    np.testing.assert_array_equal(made, np.swapaxes(made, -1, -2))


def test_above_the_diagonal_nothing_is_read():
    rng = np.random.default_rng(1)
    above = np.triu(np.full((70, 70), np.nan), 1)
    factor = np.tril(rng.standard_normal((70, 70))) / 9.0 + 2.0 * np.eye(70)
    bar = np.tril(rng.standard_normal((70, 70)))
    b = Builder("f")
    operands = b.input("l", type_of(factor)), b.input("g", type_of(bar))
    graph = b.build([Output(b.cholesky_input(*operands).name)])
    (made,) = compiled(graph, [factor + above, bar + above])
    close(made, undone(factor, bar), 1e-12)


def inverse(a: np.ndarray, transposed: bool) -> Graph:
    b = Builder("f")
    node = b.input("a", type_of(a))
    factors, order, _ = b.lu(node).values
    one = identity(b, node.type)
    made = b.solve_lu(node, factors, order, one, transposed=transposed, strict=False)
    return b.build([Output(made.name)])


@pytest.mark.parametrize("transposed", BOTH)
@pytest.mark.parametrize("dtype", DIGITS)
@pytest.mark.parametrize("shape", SHAPES)
def test_inverses_are_those_of_the_reference(shape, dtype, transposed):
    a = np.random.default_rng(2).standard_normal(shape).astype(dtype)
    a += 0.5 * shape[-1] ** 0.5 * np.eye(shape[-1], dtype=dtype)[::-1]
    graph = inverse(a, transposed)
    (made,) = compiled(graph, [a])
    (expected,) = interpret(graph, [a])
    close(made, expected, 100 * DIGITS[dtype])


def test_an_inverse_is_made_by_its_own_step():
    """Two thirds of the work of solving with as many right sides."""
    inverted = ab.jit(np.linalg.inv)
    inverted(np.eye(9))
    assert "inverse" in inverted.inspect_source()


def test_of_a_singular_matrix_there_are_infinities_and_nan_or_an_error():
    a = np.eye(10)
    a[3, 3] = 0.0
    (made,) = compiled(inverse(a, True), [a])
    assert not np.all(np.isfinite(made))
    with pytest.raises(np.linalg.LinAlgError, match="Singular matrix"):
        ab.jit(np.linalg.inv)(a)
