"""Forward mode as users call it: `jvp`, `linearize`, `hvp` and `make_hvp`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.compiler.transforms import tangent as tangent_pass
from anabranch.ir.errors import ArgumentError, GradientError, TraceError

SIZE = 3
A = np.random.default_rng(0).normal(size=(SIZE, SIZE)) + 3 * np.eye(SIZE)
B = np.random.default_rng(1).normal(size=(SIZE, SIZE)) + 3 * np.eye(SIZE)


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def difference(f: Any, x: Any, v: Any, step: float = 1e-3) -> Any:
    near = f(x + step * v) - f(x - step * v)
    far = f(x + 2 * step * v) - f(x - 2 * step * v)
    return (8 * near - far) / (12 * step)


def test_jvp_is_the_derivative_along_a_direction() -> None:
    x, v = np.array([0.3, -0.7, 1.1]), np.array([1.0, 2.0, -0.5])
    value, dot = ab.jvp(rosenbrock, (x,), (v,))
    assert value == rosenbrock(x)
    np.testing.assert_allclose(dot, difference(rosenbrock, x, v), rtol=1e-8)


def test_jvp_takes_trees_and_none_for_zeros() -> None:
    def f(weights: Any, n: int, name: str) -> Any:
        total = 0.0
        for k in range(n):
            total = total + np.sin(weights["a"] * k) @ weights["b"]
        return {"total": total, "n": n, "name": len(name)}

    weights = {"a": np.ones(SIZE), "b": np.arange(1.0, 4.0)}
    tangents = {"a": np.ones(SIZE), "b": None}
    value, dot = ab.jvp(f, (weights, 4, "sum"), (tangents, None, None))
    expected = sum(k * np.cos(k) * 6.0 for k in range(4))
    np.testing.assert_allclose(dot["total"], expected, rtol=1e-12)
    assert dot["n"] is None
    assert dot["name"] is None
    assert value["n"] == 4
    zero = ab.jvp(f, (weights, 4, "sum"), (None, None, None))[1]
    assert zero["total"] == 0.0


def test_jvp_hands_on_what_stands_beside_the_result() -> None:
    y, dot, aux = ab.jvp(lambda x: (x**2, x + 1), (3.0,), (1.0,), has_aux=True)
    assert (y, dot, aux) == (9.0, 6.0, 4.0)
    with pytest.raises(GradientError, match=r"should return \(result, aux\)"):
        ab.jvp(lambda x: x**2, (3.0,), (1.0,), has_aux=True)


def test_transforms_compose() -> None:
    """No tangent is taken for another: the inner derivative is 1 for every x."""
    inner = lambda x: ab.jvp(lambda y: x + y, (1.0,), (1.0,))[1]  # noqa: E731
    assert ab.jvp(lambda x: x * inner(x), (3.0,), (1.0,)) == (3.0, 1.0)
    slope = lambda x: ab.jvp(lambda y: np.sin(y) * x, (x,), (1.0,))[1]  # noqa: E731
    expected = np.cos(0.7) - np.sin(0.7) * 0.7
    np.testing.assert_allclose(ab.grad(slope)(0.7), expected, rtol=1e-14)
    np.testing.assert_allclose(
        ab.jvp(ab.grad(rosenbrock), (np.ones(SIZE),), (np.ones(SIZE),))[1],
        ab.hvp(rosenbrock)(np.ones(SIZE), np.ones(SIZE)),
        rtol=1e-14,
    )


def test_third_derivatives_by_forward_mode_alone() -> None:
    def along(f: Any) -> Any:
        return lambda x: ab.jvp(f, (x,), (1.0,))[1]

    f = lambda x: np.exp(np.sin(x)) / (1 + x**2)  # noqa: E731
    made = ab.jit(along(along(along(f))))(0.4)
    expected = ab.grad(ab.grad(ab.grad(f)))(0.4)
    np.testing.assert_allclose(made, expected, rtol=1e-12)


def test_linearize_computes_what_needs_no_tangent_once() -> None:
    x = np.array([0.3, -0.7, 1.1])
    y, push = ab.linearize(lambda x: np.cumsum(np.sin(x) * x), x)
    np.testing.assert_array_equal(y, np.cumsum(np.sin(x) * x))
    for v in np.eye(SIZE):
        expected = ab.jvp(lambda x: np.cumsum(np.sin(x) * x), (x,), (v,))[1]
        np.testing.assert_allclose(push(v), expected, rtol=1e-14)
    inside = ab.jit(lambda x, v: ab.linearize(np.sin, x)[1](v))
    np.testing.assert_allclose(inside(0.3, 2.0), 2 * np.cos(0.3), rtol=1e-14)


def test_linear_parts_hold_no_functions_of_the_point() -> None:
    from anabranch.compiler.transforms.forward import _linear

    made = _linear(lambda x: np.sin(np.exp(x)), None, "llvm")
    _, residuals = made(0.3)
    ops = {node.op for node in residuals.backward.entry.program.graph}
    assert not ops & {"sin", "cos", "exp"}


def test_linear_parts_of_loops_and_branches() -> None:
    def f(x: Any) -> Any:
        total = x
        for t in range(30):
            total = np.sin(total) * x[0] + t
        if total[0] > 0:
            total = total**2
        return total

    x, v = np.array([0.3, -0.7, 1.1]), np.array([1.0, 2.0, -0.5])
    y, push = ab.linearize(f, x)
    np.testing.assert_array_equal(y, f(x))
    np.testing.assert_allclose(push(v), ab.jvp(f, (x,), (v,))[1], rtol=1e-12)
    product, _ = ab.make_hvp(lambda x: np.sum(f(x)))(x)
    expected = ab.hvp(lambda x: np.sum(f(x)))(x, v)
    np.testing.assert_allclose(product(v), expected, rtol=1e-10)


def test_hvp_of_several_arguments() -> None:
    f = lambda a, b: np.sum(a * b) ** 2  # noqa: E731
    a, b, v = np.ones(SIZE), np.arange(3.0), (np.ones(SIZE), np.zeros(SIZE))
    of_a, of_b = ab.hvp(f, argnums=(0, 1))(a, b, v)
    np.testing.assert_allclose(of_a, difference(lambda a: ab.grad(f)(a, b), a, v[0]))
    np.testing.assert_allclose(of_b, difference(lambda a: ab.grad(f, 1)(a, b), a, v[0]))
    np.testing.assert_allclose(ab.hvp(f, "b")(a, b, np.ones(SIZE)), 2 * a * a.sum())


def test_make_hvp_multiplies_with_the_hessian_at_a_point() -> None:
    x = np.array([0.3, -0.7, 1.1])
    product, gradient = ab.make_hvp(rosenbrock)(x)
    np.testing.assert_allclose(gradient, ab.grad(rosenbrock)(x), rtol=1e-14)
    for v in np.eye(SIZE):
        np.testing.assert_allclose(product(v), ab.hvp(rosenbrock)(x, v), rtol=1e-12)


def test_complex_tangents() -> None:
    z, v = 0.3 + 0.4j, 1.0 - 2.0j
    value, dot = ab.jvp(lambda z: z * np.conj(z) * np.exp(z), (z,), (v,))
    expected = (v * np.conj(z) + z * np.conj(v)) * np.exp(z) + value * v
    np.testing.assert_allclose(dot, expected, rtol=1e-14)


def test_functions_that_are_known_are_not_traced_again() -> None:
    traces: list[int] = []

    def f(x: Any) -> Any:
        traces.append(1)
        return x * x

    for k in range(3):
        assert ab.jvp(f, (float(k),), (1.0,))[1] == 2.0 * k
    assert len(traces) == 1


def test_a_changed_global_is_seen() -> None:
    factor = 2.0

    def f(x: Any) -> Any:
        return factor * x

    assert ab.jvp(f, (1.0,), (1.0,))[1] == 2.0
    factor = 5.0
    assert ab.jvp(f, (1.0,), (1.0,))[1] == 5.0


@pytest.mark.parametrize(
    ("primals", "tangents", "message"),
    [
        ((1.0,), (1.0, 2.0), "2 tangents for 1 arguments"),
        (1.0, (1.0,), "jvp: the primals are a float"),
        ((1.0,), 1.0, "jvp: the tangents are a float"),
        ((np.ones(2),), (np.ones(3),), r"x is f64\[2\], and its tangent f64\[3\]"),
        (
            (np.ones(2),),
            (np.ones(2, "f4"),),
            r"and its tangent f32\[2\]",
        ),
        ((1.0,), (1j,), r"x is f64\[\], and its tangent c128\[\]"),
        ((3,), (1.0,), r"argument x has no tangent: it is i64\[\]"),
        (({"a": 1.0},), ({"b": 1.0},), r"the tangent is structured as \{'b': \*\}"),
    ],
)
def test_tangents_that_do_not_fit(primals: Any, tangents: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ab.jvp(lambda x: x, primals, tangents)


def test_linear_parts_refuse_what_does_not_fit() -> None:
    _, push = ab.linearize(np.sin, np.ones(2))
    with pytest.raises(ArgumentError, match=r"is f64\[2\], its tangent f64\[3\]"):
        push(np.ones(3))
    with pytest.raises(ArgumentError, match="the tangent is structured as"):
        push(np.ones(2), np.ones(2))
    with pytest.raises(ArgumentError, match="hvp: there is no vector"):
        ab.hvp(np.sin)(1.0)
    product, x = ab.hvp(lambda a, b: a @ b, argnums=(0, 1)), np.ones(2)
    with pytest.raises(ArgumentError, match="1 tangents for 2 arguments"):
        product(x, x, (x,))
    for vector in (np.ones((2, 2)), 1.0, {"a": x, "b": x}):
        with pytest.raises(
            ArgumentError, match="the tangents of 2 arguments are no tuple"
        ):
            product(x, x, vector)


def test_a_rule_of_the_user_is_transposed() -> None:
    @ab.custom_vjp
    def f(x: Any) -> Any:
        return np.sin(x)

    f.defvjp(lambda x: (np.sin(x), x), lambda x, g: (3.0 * g * np.cos(x),))
    np.testing.assert_allclose(ab.jvp(f, (0.3,), (1.0,))[1], 3 * np.cos(0.3))

    @ab.custom_vjp
    def clipped(x: Any) -> Any:
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, g: (np.clip(g, -1, 1),))
    with pytest.raises(GradientError, match="not linear in its cotangent"):
        ab.jvp(clipped, (0.3,), (1.0,))


def test_functions_that_write_into_their_arguments_are_refused() -> None:
    def f(x: Any) -> Any:
        x[0] = 3.0
        return np.sum(x**2)

    x = np.ones(2)
    for call in (
        lambda: ab.jvp(f, (x,), (x,)),
        lambda: ab.linearize(f, x),
        lambda: ab.hvp(f)(x, x),
        lambda: ab.make_hvp(f)(x),
        lambda: ab.jacfwd(f)(x),
    ):
        with pytest.raises(TraceError, match="into x would change the caller's") as e:
            call()
        assert e.value.source is not None
        assert e.value.source.text == "x[0] = 3.0"


def test_nodes_that_are_alike_have_one_transposed_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[str] = []
    transpose = tangent_pass._transpose

    def noted(node: Any, *rest: Any) -> Any:
        made.append(node.op)
        return transpose(node, *rest)

    def products(x: Any, y: Any) -> Any:
        for _ in range(3):
            x, y = x + np.prod(x, 0), y + np.prod(y, 1)
        return x, y

    monkeypatch.setattr(tangent_pass, "_transpose", noted)
    ab.jvp(products, (A, A), (B, B))
    assert len(made) == 2  # along each axis


def test_nodes_that_are_not_alike_have_rules_of_their_own() -> None:
    """By the axis, by which operands have tangents, by operands that are one value."""
    parts: list[Callable[[Any, Any], Any]] = [
        lambda x, y: np.prod(x, axis=0),
        lambda x, y: np.prod(y, axis=1),
        lambda x, y: np.linalg.solve(x, y),
        lambda x, y: np.linalg.solve(y, x),
        lambda x, y: np.linalg.solve(x, x),
        lambda x, y: np.linalg.solve(x, B),
        lambda x, y: np.linalg.solve(B, x),
    ]
    tangents = (np.cos(A), np.sin(B))
    together = ab.jvp(lambda x, y: [part(x, y) for part in parts], (A, B), tangents)[1]
    for part, found in zip(parts, together, strict=True):
        alone = ab.jvp(part, (A, B), tangents)[1]
        np.testing.assert_allclose(found, alone, rtol=1e-14, atol=1e-14)
