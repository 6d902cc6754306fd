"""`root` and `fixed_point`: SciPy's roots, and derivatives of the implicit function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize

import anabranch
from anabranch import ArgumentError, DomainError, TraceError
from anabranch.compiler.solvers.entry import _kept

A = np.array([0.3, 1.2])


def coupled(x: Any, a: Any) -> Any:
    return np.stack(
        [x[0] + 0.5 * (x[0] - x[1]) ** 3 - a[0], 0.5 * (x[1] - x[0]) ** 3 + x[1] - a[1]]
    )


def differences(f: Any, x: Any) -> Any:
    """Central ones along each axis."""
    steps = 1e-5 * np.eye(x.size)
    return np.stack([(f(x + e) - f(x - e)) / 2e-5 for e in steps], axis=-1)


def squares(f: Any) -> Any:
    return lambda a: np.sum(f(a) ** 2)


@pytest.mark.parametrize(("jacobian", "orders"), [("dense", 3), ("krylov", 2)])
def test_every_order(jacobian: str, orders: int) -> None:
    def x(a: Any) -> Any:
        return anabranch.root(coupled, np.zeros(2), a, jacobian=jacobian, tol=1e-13).x

    wanted = scipy.optimize.root(coupled, np.zeros(2), args=(A,), tol=1e-13).x
    np.testing.assert_allclose(x(A), wanted, rtol=1e-12)

    f = squares(x)
    for _ in range(orders):
        bar = anabranch.grad(f)
        np.testing.assert_allclose(bar(A), differences(f, A), rtol=1e-6)
        f = squares(bar)


def test_forward_mode_agrees_with_reverse_and_order_two() -> None:
    def loss(a: Any) -> Any:
        return np.sum(np.sin(anabranch.root(coupled, np.zeros(2), a).x))

    v = np.array([0.7, -0.4])
    bar = anabranch.grad(loss)(A)
    _, dot = anabranch.jvp(loss, (A,), (v,))
    np.testing.assert_allclose(dot, bar @ v, rtol=1e-12)
    over = anabranch.hvp(loss)(A, v)
    wanted = differences(anabranch.grad(loss), A) @ v
    np.testing.assert_allclose(over, wanted, rtol=1e-7)


def test_backends_agree(backend: str) -> None:
    f = anabranch.value_and_grad(
        lambda a: np.sum(anabranch.root(coupled, np.zeros(2), a).x ** 2),
        backend=backend,
    )
    value, bar = f(A)
    x = scipy.optimize.root(coupled, np.zeros(2), args=(A,), tol=1e-13).x
    np.testing.assert_allclose(value, np.sum(x**2), rtol=1e-9)
    slope = 1.5 * (x[0] - x[1]) ** 2
    by_x = np.array([[1 + slope, -slope], [-slope, 1 + slope]])
    np.testing.assert_allclose(bar, np.linalg.solve(by_x.T, 2 * x), rtol=1e-9)


def test_what_the_function_closes_over_is_differentiated_like_its_arguments() -> None:
    def by_argument(a: Any) -> Any:
        return anabranch.root(lambda x, a: x**3 + x - a, 1.0, a).x

    def by_closure(a: Any) -> Any:
        double = 2 * a
        return anabranch.root(lambda x: x**3 + x - double / 2, 1.0).x

    def wanted(a: float) -> float:
        return 1 / (3 * by_argument(a) ** 2 + 1)

    for f in (by_argument, by_closure):
        np.testing.assert_allclose(anabranch.grad(f)(2.5), wanted(2.5), rtol=1e-9)


def test_a_root_in_a_root_where_a_rule_reads_an_array() -> None:
    """What is no traced value has no derivative, and no rule is asked for one."""
    table = np.array([1.0, 2.0])

    @anabranch.custom_vjp
    def square(x: Any) -> Any:
        return x * x * table[0]

    square.defvjp(lambda x: (square(x), x), lambda x, g: (2 * x * g * table[0],))

    def x(a: Any) -> Any:
        def outer(y: Any) -> Any:
            return anabranch.root(lambda x: square(x) - y, 1.0).x - a

        return anabranch.root(outer, 1.0).x

    value, slope = anabranch.value_and_grad(x)(3.0)
    np.testing.assert_allclose([value, slope], [9.0, 6.0], rtol=1e-9)


def test_in_a_loop_and_in_a_branch_of_the_users() -> None:
    def total(a: Any) -> Any:
        found = 0.0
        for k in range(1, 40):
            found = found + anabranch.root(lambda x, k=k: x * x - a * k, 1.0).x
        if found > 0:
            found = found + anabranch.root(lambda x: x - a, 0.0).x
        return found

    roots = np.sum(np.sqrt(np.arange(1, 40)))
    value, slope = anabranch.value_and_grad(total)(4.0)
    np.testing.assert_allclose(value, 2 * roots + 4, rtol=1e-9)
    np.testing.assert_allclose(slope, roots / 4 + 1, rtol=1e-9)


def test_pytrees_float32_and_lists() -> None:
    start = {"u": np.float32(1.0), "v": np.ones((1, 2), np.float32)}

    def f(x: Any, a: Any) -> Any:
        return {"u": x["u"] ** 2 - a, "v": x["v"] * x["u"] - 1}

    x = anabranch.root(f, start, np.float32(4.0)).x
    assert x["v"].dtype == np.float32
    np.testing.assert_allclose(x["u"], 2.0, rtol=1e-5)
    np.testing.assert_allclose(x["v"], [[0.5, 0.5]], rtol=1e-5)
    for kind in (list, tuple):
        x = anabranch.root(lambda x, k=kind: k([x[0] - 1, x[1] - x[0] - 1]), [0.0, 0.0])
        np.testing.assert_allclose(x.x, [1.0, 2.0])


def test_steps_are_halved_where_newton_alone_runs_away() -> None:
    made = anabranch.root(np.arctan, 3.0)
    assert made.success
    np.testing.assert_allclose(made.x, 0.0, atol=1e-9)


def test_no_root_is_an_error_at_the_users_line() -> None:
    with pytest.raises(DomainError, match="root: Newton's method has found none") as e:
        anabranch.root(lambda x: x * x + 1, 1.0)
    assert e.value.source is not None
    assert e.value.source.file == __file__
    made = anabranch.root(lambda x: x * x + 1, 1.0, throw=False)
    assert not made.success
    assert made.residual >= 1


def test_a_step_to_infinity_is_no_root() -> None:
    made = anabranch.root(lambda x: np.array([3.0, x[1]]), np.ones(2), throw=False)
    assert not made.success
    made = anabranch.fixed_point(lambda x: 1 / (1 + x), np.inf, throw=False)
    assert not made.success


def test_a_root_without_a_derivative_is_an_error() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        anabranch.grad(lambda a: anabranch.root(lambda x: a * x**3, 1.0, tol=1e-3).x)(
            0.0
        )


def test_many_unknowns_are_solved_by_products_alone() -> None:
    n = 120
    grid = np.linspace(0, 1, n)

    def f(x: Any, a: Any) -> Any:
        ends = np.zeros(1)
        around = np.concatenate([x[1:], ends]) + np.concatenate([ends, x[:-1]])
        return 3 * x - around + a * x**3 - grid

    def total(a: Any, jacobian: str | None = None) -> Any:
        return np.sum(anabranch.root(f, np.zeros(n), a, jacobian=jacobian).x ** 2)

    assert f"f64[{n},{n}]" not in str(anabranch.make_ir(anabranch.grad(total))(0.5))
    made = anabranch.grad(total)(0.5)
    wanted = anabranch.grad(lambda a: total(a, "dense"))(0.5)
    np.testing.assert_allclose(made, wanted, rtol=1e-8)


def test_a_singular_jacobian_of_many_is_an_error_too() -> None:
    def x(a: Any) -> Any:
        return anabranch.root(lambda x: a * x**3, np.zeros(2), jacobian="krylov").x

    with pytest.raises(DomainError, match="GMRES does not solve with its Jacobian"):
        anabranch.grad(lambda a: np.sum(x(a)))(1.0)


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="root: no jacobian 'sparse'"):
        anabranch.root(np.sin, 1.0, jacobian="sparse")
    with pytest.raises(TraceError, match=r"returns \(\*, \*\), not \*"):
        anabranch.root(lambda x: (x, x), 1.0)
    with pytest.raises(ArgumentError, match="has no numbers"):
        anabranch.root(lambda x: x, np.zeros(0))


def test_many_roots_at_once_are_each_alone() -> None:
    def x(a: Any) -> Any:
        return anabranch.root(coupled, A, a).x

    rows = np.array([A, 2 * A, -A])
    made = anabranch.vmap(x)(rows)
    np.testing.assert_allclose(made, list(map(x, rows)), rtol=1e-8)
    bars = anabranch.vmap(anabranch.grad(lambda a: np.sum(x(a))))(rows)
    wanted = [anabranch.grad(lambda a: np.sum(x(a)))(row) for row in rows]
    np.testing.assert_allclose(bars, wanted, rtol=1e-8)


@pytest.mark.parametrize("memory", [0, 1, 5])
def test_fixed_points_and_their_derivatives(memory: int) -> None:
    def x(a: Any) -> Any:
        f = anabranch.fixed_point(
            lambda x: np.tanh(0.9 * x[::-1] + a), np.zeros(2), memory=memory, tol=1e-13
        )
        return f.x

    made = x(A)
    np.testing.assert_allclose(np.tanh(0.9 * made[::-1] + A), made, rtol=1e-12)
    first = anabranch.grad(lambda a: np.sum(np.sin(x(a))))
    wanted = differences(lambda a: np.sum(np.sin(x(a))), A)
    np.testing.assert_allclose(first(A), wanted, rtol=1e-6)


def test_acceleration_needs_fewer_calls_and_the_number_is_told() -> None:
    def f(x: Any) -> Any:
        return np.cos(x * np.array([0.9, 0.5]) + 0.1)

    plain = anabranch.fixed_point(f, np.zeros(2), memory=0)
    mixed = anabranch.fixed_point(f, np.zeros(2))
    assert mixed.iterations < plain.iterations / 2
    np.testing.assert_allclose(mixed.x, plain.x, rtol=1e-8)
    with pytest.raises(DomainError, match="within 3 iterations"):
        anabranch.fixed_point(f, np.zeros(2), memory=0, max_iterations=3)
    with pytest.raises(DomainError, match="iteration has found none"):
        anabranch.fixed_point(lambda x: 2 * x + 1, 0.0, memory=0)


def test_a_known_function_does_not_trace_again() -> None:
    calls: list[int] = []

    def f(x: Any, a: Any) -> Any:
        calls.append(0)
        return x * x - a

    found = [anabranch.root(f, 1.0, a).x for a in (4.0, 9.0, 16.0)]
    np.testing.assert_allclose(found, [2.0, 3.0, 4.0])
    assert len(calls) == 1


def test_functions_of_numpy_are_held_and_changes_are_seen() -> None:
    target = [2.0]

    def f(x: Any) -> Any:
        return x - target[0]

    assert anabranch.root(f, 1.0).x == 2.0
    target[0] = 3.0
    assert anabranch.root(f, 1.0).x == 3.0
    anabranch.fixed_point(np.cos, 1.0)
    before = _kept.cache_info().hits
    anabranch.fixed_point(np.cos, 0.5)
    assert _kept.cache_info().hits == before + 1
