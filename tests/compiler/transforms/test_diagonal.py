"""Products that a Jacobian is spared, for its seeds are an identity."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import run_passes
from anabranch.compiler.transforms.diagonal import with_identity

RNG = np.random.default_rng(3)
N = 4
W, U = RNG.normal(size=(N, N)), RNG.normal(size=(N, 3))
X = RNG.normal(size=N)

# Each with how many products of matrices its two Jacobians have.
FUNCTIONS: dict[str, tuple[Callable[[Any], Any], int, int]] = {
    "linear": (lambda x: x @ W, 0, 0),
    "linear from the left": (lambda x: W @ x, 0, 0),
    "a layer": (lambda x: np.tanh(x @ W), 0, 0),
    "two layers": (lambda x: np.tanh(x @ W) @ U, 1, 1),
    "scaled first": (lambda x: (X * x) @ U, 0, 0),
    "divided first": (lambda x: (x / X) @ U, 0, 0),
    "bent first": (lambda x: 2.0 * np.exp(x) * X @ W, 0, 0),
    "read twice": (lambda x: np.tanh(x @ W) * x, 0, 0),
    "as columns": (lambda x: (W @ x[:, None])[:, 0], 0, 0),
    "not diagonal": (lambda x: np.cumsum(x) @ W, 1, 0),
}


def products(made: Any) -> int:
    """How many products of two matrices there are, behind those with a vector."""
    graph = run_passes(ab.make_ir(made)(X), ("simplify", "dedupe", "prune"))
    found = [graph.operands(node) for node in graph if node.op == "matmul"]
    return sum(1 not in x.type.shape + y.type.shape for x, y in found)


def by_differences(f: Callable[[Any], Any]) -> Any:
    step = 1e-3
    rows = [
        (8 * (f(X + e) - f(X - e)) - (f(X + 2 * e) - f(X - 2 * e))) / (12 * step)
        for e in step * np.eye(N)
    ]
    return np.stack(rows, -1)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jacobians_multiply_with_no_identity(name: str, backend: str) -> None:
    f, forward, reverse = FUNCTIONS[name]
    for make, count in ((ab.jacfwd, forward), (ab.jacrev, reverse)):
        made = make(f, backend=backend)
        np.testing.assert_allclose(made(X), by_differences(f), rtol=1e-8, atol=1e-9)
        assert products(made) == count


def test_a_hessian_of_a_regression_has_one_product() -> None:
    made = ab.hessian(lambda x: np.sum(np.log(1.0 + np.exp(x @ U))))
    s = 1 / (1 + np.exp(-(X @ U)))
    np.testing.assert_allclose(made(X), U * (s * (1 - s)) @ U.T, rtol=1e-12)
    assert products(made) == 1


def test_what_is_infinite_reaches_its_own_entries_only() -> None:
    w = W.copy()
    w[1, 2] = np.inf
    for make in (ab.jacfwd, ab.jacrev):
        np.testing.assert_array_equal(make(lambda x: x @ w)(X), w.T)


def test_several_arguments_and_matrices_keep_their_products() -> None:
    def f(x: Any, y: Any) -> Any:
        return np.tanh(x @ W) * (y @ W)

    of_x, of_y = ab.jacfwd(f, (0, 1))(X, 2 * X)
    slope = 1 - np.tanh(X @ W) ** 2
    np.testing.assert_allclose(of_x, (W * slope * (2 * X @ W)).T, rtol=1e-12)
    np.testing.assert_allclose(of_y, (W * np.tanh(X @ W)).T, rtol=1e-12)
    square = RNG.normal(size=(2, 2))
    made = ab.jacfwd(lambda x: x @ square)(square)
    expected = np.einsum("ia,bj->ijab", np.eye(2), square)
    np.testing.assert_allclose(made, expected, rtol=1e-12)


GRAPHS = {
    "of reshapes": """
        graph f(%seed: f64[3,3], %w: f64[3,5]) {
          %a = reshape(%seed) {shape=(3, 1, 3)}   : f64[3,1,3]
          %b = transpose(%a) {perm=(0, 2, 1)}     : f64[3,3,1]
          %c = reshape(%b) {shape=(3, 3)}         : f64[3,3]
          %y = matmul(%c, %w)                     : f64[3,5]
          return %y
        }""",
    "of equal rows, twice": """
        graph f(%seed: f64[3,3], %s: f64[3], %k: f64[], %w: f64[3,5]) {
          %rows = broadcast_to(%s) {shape=(3, 3)} : f64[3,3]
          %all  = broadcast_to(%k) {shape=(3, 3)} : f64[3,3]
          %c    = chain(%seed, %rows)             : f64[3,3]
          %d    = div(%c, %all)                   : f64[3,3]
          %y    = matmul(%d, %w)                  : f64[3,5]
          return %y
        }""",
    "of rows that differ": """
        graph f(%seed: f64[3,3], %s: f64[3,1], %w: f64[3,5]) {
          %columns = broadcast_to(%s) {shape=(3, 3)} : f64[3,3]
          %c       = mul(%seed, %columns)            : f64[3,3]
          %y       = matmul(%c, %w)                  : f64[3,5]
          return %y
        }""",
    "of a reshape across rows": """
        graph f(%seed: f64[4,2,2], %w: f64[2,3]) {
          %c = reshape(%seed) {shape=(8, 2)} : f64[8,2]
          %y = matmul(%c, %w)                : f64[8,3]
          return %y
        }""",
    "that divides by it": """
        graph f(%seed: f64[3,3], %s: f64[3], %w: f64[3,5]) {
          %rows = broadcast_to(%s) {shape=(3, 3)} : f64[3,3]
          %one  = const() {value=1.0}             : f64[]
          %ones = broadcast_to(%one) {shape=(3, 3)} : f64[3,3]
          %two  = add(%seed, %ones)               : f64[3,3]
          %c    = div(%rows, %two)                : f64[3,3]
          %y    = matmul(%c, %w)                  : f64[3,5]
          return %y
        }""",
}


@pytest.mark.parametrize("name", GRAPHS)
def test_values_stay_for_an_identity(name: str) -> None:
    graph = ab.parse(GRAPHS[name])
    made = with_identity(graph, "seed")
    made.verify()
    assert ("matmul" in str(made)) == (name.split()[1] in ("rows", "a", "divides"))
    operands = [RNG.uniform(1, 2, size=node.type.shape) for node in graph.inputs]
    size = graph.inputs[0].type.shape[0]
    operands[0] = np.eye(size).reshape(graph.inputs[0].type.shape)
    for one, two in zip(
        interpret(graph, operands), interpret(made, operands), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-15)


@pytest.mark.skipif(sys.flags.optimize > 1, reason="Python has dropped docstrings")
def test_the_before_and_after_of_the_docstring_hold() -> None:
    doc = inspect.getdoc(with_identity) or ""
    before, after = map(ab.parse, re.findall(r"graph f.*?\n    \}", doc, re.S))
    made = run_passes(with_identity(before, "seed"), ("simplify", "prune"))
    assert made.as_text() == after.as_text()
