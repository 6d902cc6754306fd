"""`linear_solve`: what it solves, and that derivatives are those of A⁻¹ b."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import ArgumentError, DomainError, TraceError, VerifyError, parse
from anabranch.compiler.tree import flatten

N = 5
_rng = np.random.default_rng(3)
A = _rng.normal(size=(N, N)) + 4 * np.eye(N)
B = _rng.normal(size=N)
DIRECTION = _rng.normal(size=N)


def solved(method: str, **options: Any) -> Any:
    def x(a: Any, b: Any) -> Any:
        a = a.T @ a if method == "cg" else a
        return anabranch.linear_solve(lambda v: a @ v, b, method=method, **options).x

    return x


def exact(method: str) -> Any:
    return lambda a, b: np.linalg.solve(a.T @ a if method == "cg" else a, b)


@pytest.mark.parametrize("method", ["cg", "bicgstab", "gmres"])
def test_values_and_derivatives_are_those_of_the_dense_solution(method: str) -> None:
    def orders(f: Any) -> list[Any]:
        first = anabranch.value_and_grad(lambda a, b: np.sum(np.sin(f(a, b))), (0, 1))
        made = [*flatten(first(A, B))[0]]
        if method == "cg":
            return made

        def second(a: Any, b: Any) -> Any:
            return sum(np.sum(g**2) for g in first(a, b)[1])

        return [*made, *anabranch.grad(second, (0, 1))(A, B)]

    pairs = zip(orders(solved(method)), orders(exact(method)), strict=True)
    for made, wanted in pairs:
        np.testing.assert_allclose(made, wanted, rtol=1e-7, atol=1e-11)


def test_forward_mode_and_backends(backend: str) -> None:
    f = anabranch.jit(solved("bicgstab"), backend=backend)
    np.testing.assert_allclose(f(A, B), np.linalg.solve(A, B), rtol=1e-9)
    _, dot = anabranch.jvp(lambda a: solved("bicgstab")(a, B), (A,), (A * A,))
    wanted = -np.linalg.solve(A, A * A @ np.linalg.solve(A, B))
    np.testing.assert_allclose(dot, wanted, rtol=1e-8)


def test_the_operator_may_be_an_array_and_b_a_pytree() -> None:
    made = anabranch.linear_solve(A, B)
    np.testing.assert_allclose(made.x, np.linalg.solve(A, B), rtol=1e-9)
    assert made.success
    assert made.residual <= 1e-9 * np.linalg.norm(B)
    tree = {"u": np.float32(6.0), "v": np.array([[1.0, 2.0]])}
    made = anabranch.linear_solve(lambda v: {"u": 2 * v["u"], "v": 4 * v["v"]}, tree)
    assert made.x["u"].dtype == np.float32
    np.testing.assert_allclose(made.x["u"], 3.0)
    np.testing.assert_allclose(made.x["v"], [[0.25, 0.5]])


def test_a_preconditioner_saves_iterations_and_changes_no_derivative() -> None:
    scale = 10.0 ** np.arange(N)
    stiff = scale[:, None] * A

    def run(b: Any, **options: Any) -> Any:
        return anabranch.linear_solve(lambda v: stiff @ v, b, **options)

    def near(v: Any) -> Any:
        return np.linalg.solve(stiff, v)

    made = run(B, preconditioner=near)
    assert made.iterations < run(B).iterations
    np.testing.assert_allclose(made.x, np.linalg.solve(stiff, B), rtol=1e-7)
    bar = anabranch.grad(lambda b: DIRECTION @ run(b, preconditioner=near).x)(B)
    np.testing.assert_allclose(bar, np.linalg.solve(stiff.T, DIRECTION), rtol=1e-7)


def test_gmres_starts_again_and_a_zero_is_solved() -> None:
    """More unknowns than vectors that are kept."""
    n = 80
    ring = 2.5 * np.eye(n) - np.roll(np.eye(n), 1, 0) - 0.5 * np.roll(np.eye(n), -1, 0)
    right = np.cos(np.arange(n) ** 2)
    made = anabranch.linear_solve(ring, right, tol=1e-12)
    assert made.iterations > 30
    np.testing.assert_allclose(made.x, np.linalg.solve(ring, right), rtol=1e-9)
    made = anabranch.linear_solve(A, np.zeros(N))
    assert made.iterations == 0
    np.testing.assert_array_equal(made.x, np.zeros(N))


def test_a_singular_system_is_an_error_at_the_users_line() -> None:
    singular = np.diag([1.0, 2.0, 0.0])
    with pytest.raises(DomainError, match="gmres leaves too large a residual") as e:
        anabranch.linear_solve(lambda v: singular @ v, np.ones(3))
    assert e.value.source is not None
    assert e.value.source.file == __file__
    made = anabranch.linear_solve(lambda v: singular @ v, np.ones(3), throw=False)
    assert not made.success
    assert np.isfinite(made.residual)


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no method 'qmr'"):
        anabranch.linear_solve(A, B, method="qmr")
    with pytest.raises(ArgumentError, match=r"c128\[5\], not of real numbers"):
        anabranch.linear_solve(A, B + 1j)
    with pytest.raises(TraceError, match=r"operator returns a value of shape \(3,\)"):
        anabranch.linear_solve(lambda v: v[:3], B)


def test_many_systems_at_once_are_each_alone() -> None:
    stack = A + np.arange(3)[:, None, None] * np.eye(N)
    made = anabranch.vmap(solved("bicgstab"), in_axes=(0, None))(stack, B)
    wanted = [np.linalg.solve(a, B) for a in stack]
    np.testing.assert_allclose(made, wanted, rtol=1e-8)

    def total(b: Any) -> Any:
        return np.sum(anabranch.vmap(solved("cg"), in_axes=(0, None))(stack, b))

    bar = sum(np.linalg.solve(a.T @ a, np.ones(N)) for a in stack)
    np.testing.assert_allclose(anabranch.grad(total)(B), bar, rtol=1e-7)


@pytest.mark.parametrize("method", ["cg", "bicgstab", "gmres"])
def test_no_more_products_than_asked_for(method: str) -> None:
    for most in (0, 3):
        made = anabranch.linear_solve(
            A @ A.T, B, method=method, max_iterations=most, throw=False
        )
        assert made.iterations <= most
        assert not made.success


def test_the_graph_is_text_and_its_regions_are_checked() -> None:
    graph = anabranch.make_ir(solved("cg"))(A, B)
    assert "linear_solve(" in str(graph)
    assert str(parse(str(graph))) == str(graph)
    wrong = """graph f(%b: f64[2]) {
      %x = linear_solve(%b) : f64[2]:
        solve(%v: f64[2]) {
          return %v
        }
        apply(%v: f64[2]) {
          %s = reduce_sum(%v) {axes=(0,)} : f64[]
          return %s
        }
        solve_adjoint(%v: f64[2]) {
          return %v
        }
        apply_adjoint(%v: f64[2]) {
          return %v
        }
      return %x
    }"""
    with pytest.raises(VerifyError, match="does not make a value like b"):
        parse(wrong)
