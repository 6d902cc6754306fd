"""Functions with rules for tangents, and those that change nothing but derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends import find_backend
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.vmap import vmapped
from anabranch.ir import parse
from anabranch.ir.errors import ArgumentError, GradientError, TraceError

X = np.array([0.3, -0.7, 1.1])


def softplus() -> ab.custom_jvp:
    @ab.custom_jvp
    def f(x: Any) -> Any:
        return np.log1p(np.exp(x))

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x,), (dot,) = primals, tangents
        return f(x), dot * (1.0 / (1.0 + np.exp(-x)))

    return f


def plain(x: Any) -> Any:
    return np.log1p(np.exp(x))


def test_values_tangents_and_gradients_of_three_orders() -> None:
    f = softplus()
    np.testing.assert_array_equal(f(X), plain(X))
    np.testing.assert_array_equal(ab.jit(f)(X), plain(X))
    made, expected = (lambda x: np.sum(f(x) * x)), (lambda x: np.sum(plain(x) * x))
    for derive in (
        ab.grad,
        ab.hessian,
        lambda g: ab.jacfwd(ab.hessian(g)),
        lambda g: ab.jacrev(ab.jacrev(ab.jacfwd(g))),
    ):
        np.testing.assert_allclose(derive(made)(X), derive(expected)(X), rtol=1e-9)


def test_the_rule_is_what_counts() -> None:
    @ab.custom_jvp
    def f(x: Any, y: Any) -> Any:
        return x * y

    f.defjvps(lambda dot, value, x, y: 5.0 * dot * value, None)
    assert ab.jvp(f, (2.0, 3.0), (1.0, 1.0)) == (6.0, 30.0)
    assert ab.grad(f, (0, 1))(2.0, 3.0) == (30.0, 0.0)


def test_the_rule_is_used_again_for_what_it_makes_of_the_value() -> None:
    """As exp is its own derivative, so is this three times its own."""

    @ab.custom_jvp
    def f(x: Any) -> Any:
        return np.exp(3.0 * x)

    f.defjvps(lambda dot, value, x: 3.0 * value * dot)
    g = ab.make_ir(ab.grad(ab.grad(f)))(0.2)
    assert sum(node.op == "exp" for node in g) <= 2
    np.testing.assert_allclose(ab.grad(ab.grad(ab.grad(f)))(0.2), 27 * np.exp(0.6))


def test_trees_statics_and_several_results() -> None:
    @ab.custom_jvp
    def f(weights: Any, n: int, name: str) -> Any:
        return {"a": weights["x"] ** n, "k": n, "b": np.sum(weights["y"])}

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        weights, n, name = primals
        moved, none, also = tangents
        assert none is None
        assert also is None
        assert name == "cube"
        dot = n * weights["x"] ** (n - 1) * moved["x"]
        return f(*primals), {"a": dot, "k": None, "b": np.sum(moved["y"])}

    weights = {"x": X, "y": np.ones(2)}
    made = ab.grad(lambda w: np.sum(f(w, 3, "cube")["a"]) + f(w, 3, "cube")["b"])(
        weights
    )
    np.testing.assert_allclose(made["x"], 3 * X**2)
    np.testing.assert_allclose(made["y"], np.ones(2))


def test_arguments_without_a_derivative_come_first() -> None:
    def f(power: Any, x: Any) -> Any:
        return x**power

    made = ab.custom_jvp(f, nondiff_argnums=(0,))
    made.defjvp(lambda power, xs, dots: (xs[0] ** power, 7.0 * dots[0]))
    assert ab.grad(made, 1)(2, 3.0) == 7.0


@pytest.mark.parametrize("generator", ["reference", "llvm", "numba"])
def test_every_backend(generator: str) -> None:
    f = softplus()
    graph = ab.make_ir(lambda x: f(x))(X)
    assert "custom_jvp" in {node.op for node in graph}
    graph = ab.make_ir(ab.grad(lambda x: np.sum(f(x) ** 2)))(X)
    assert parse(str(graph)) == graph
    if generator == "reference":
        made = interpret(graph, [X])
    else:
        made = find_backend(generator).prepare(optimise(graph, generator))([X])
    expected = ab.grad(lambda x: np.sum(plain(x) ** 2))(X)
    np.testing.assert_allclose(made[0], expected, rtol=1e-12)


def test_a_rule_maps() -> None:
    f = softplus()
    graph = ab.make_ir(lambda x: f(x) * 2.0)(1.0)
    mapped, _ = vmapped(graph, [True], 3)
    np.testing.assert_allclose(interpret(mapped.verify(), [X])[0], 2 * plain(X))
    made = ab.jit(ab.grad(lambda x: np.sum(ab.jit(mapped)(x))))(X)
    np.testing.assert_allclose(made, 2.0 / (1.0 + np.exp(-X)), rtol=1e-12)


def test_rules_in_loops() -> None:
    f = softplus()

    def loss(x: Any) -> Any:
        total = x
        for _ in range(50):
            total = f(total) * 0.5
        return np.sum(total)

    made = ab.grad(loss)(X)
    np.testing.assert_allclose(made, ab.jacfwd(loss)(X), rtol=1e-12)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda xs, dots: xs[0], "the rule of f returns a"),
        (lambda xs, dots: (xs[0][:1], dots[0]), r"returns the value f64\[1\]"),
        (lambda xs, dots: (xs[0], dots[0][:1]), "tangent has the shape of the value"),
        (lambda xs, dots: (xs[0], [dots[0]]), "the rule of f returns as"),
    ],
)
def test_wrong_rules_are_named(rule: Any, message: str) -> None:
    def f(x: Any) -> Any:
        return x * 1.0

    made = ab.custom_jvp(f)
    made.defjvp(rule)
    with pytest.raises(TraceError, match=message):
        ab.jvp(made, (X,), (X,))


def test_what_has_no_derivative() -> None:
    made = ab.custom_jvp(lambda x: x)
    with pytest.raises(ArgumentError, match=r"has no rule\n.*\n.*defjvp\(rule\)"):
        ab.jvp(made, (1.0,), (1.0,))
    made.defjvp(lambda xs, dots: (xs[0], np.abs(dots[0])))
    assert ab.jvp(made, (1.0,), (-2.0,))[1] == 2.0
    with pytest.raises(GradientError, match="not linear in its tangents"):
        ab.grad(made)(1.0)

    def closing(y: Any) -> Any:
        f = ab.custom_jvp(lambda x: x * y)
        f.defjvp(lambda xs, dots: (xs[0] * y, dots[0] * y))
        return f(2.0 * y)

    with pytest.raises(GradientError, match="pass it as an argument"):
        ab.jvp(closing, (1.0,), (1.0,))


def test_gradients_are_scaled_and_clipped() -> None:
    np.testing.assert_array_equal(ab.grad_scale(X, -1.0), X)
    reverse = ab.grad(lambda x: np.sum(ab.grad_scale(x, -2.0) ** 2))
    np.testing.assert_allclose(reverse(X), -4 * X)
    each = ab.grad(lambda x: np.sum(ab.grad_scale(x, np.arange(3.0)) ** 2))
    np.testing.assert_allclose(each(X), 2 * X * np.arange(3.0))
    pushed = ab.jvp(lambda x: ab.grad_scale(x, 3.0), (X,), (np.ones(3),))[1]
    np.testing.assert_array_equal(pushed, np.full(3, 3.0))
    clipped = ab.grad(lambda x: np.sum(ab.grad_clip(x, -1.0, 1.0) ** 2))
    np.testing.assert_allclose(clipped(X), np.clip(2 * X, -1, 1))
    with pytest.raises(GradientError, match="not linear in its cotangent"):
        ab.jvp(lambda x: ab.grad_clip(x, -1.0, 1.0), (X,), (X,))
    parts = ab.grad(lambda z: np.abs(ab.grad_clip(z, -1.0, 1.5)) ** 2)
    assert parts(2 - 3j) == 1.5 - 1j
    assert parts(np.complex64(0.25 - 3j)).dtype == np.complex64


def test_rules_are_checked_in_both_modes() -> None:
    both = ("forward", "reverse")
    ab.check_grads(softplus(), (X,), order=2, modes=both)
    ab.check_grads(lambda z, n: np.exp(z) * np.conj(z) ** n, (X + 1j, 2), modes=both)
    wrong = ab.custom_jvp(np.sin)
    wrong.defjvp(lambda xs, dots: (np.sin(xs[0]), 2 * dots[0] * np.cos(xs[0])))
    messages = {"forward": "the tangent along a direction", "reverse": "the gradient"}
    for mode, message in messages.items():
        with pytest.raises(GradientError, match=message):
            ab.check_grads(wrong, (X,), modes=(mode,))
    with pytest.raises(ArgumentError, match="not some of forward, reverse"):
        ab.check_grads(wrong, (X,), modes=("backward",))


def test_what_steers_gradients_may_be_traced_and_has_no_derivative() -> None:
    assert ab.grad(lambda x: ab.grad_scale(x, x) ** 2)(3.0) == 18.0
    assert ab.grad(lambda x: ab.grad_clip(x, -x, x / 4) ** 2)(2.0) == 0.5
    shared = ab.grad(lambda s: ab.grad_scale(X, s) @ X)
    assert shared(2.0) == 0.0
    each = ab.vmap(ab.grad(lambda x, s: ab.grad_scale(x, s) ** 2))
    np.testing.assert_allclose(each(X, np.arange(3.0)), 2 * X * np.arange(3.0))
    assert ab.grad(lambda x, n: x * ab.grad_scale(n, 2.0))(3.0, 2) == 2.0


def test_a_rule_for_each_argument_leaves_none_out() -> None:
    power = ab.custom_jvp(lambda x, n: x**n, nondiff_argnums=(1,))
    with pytest.raises(ArgumentError, match="leave nondiff_argnums out"):
        power.defjvps(lambda dot, value, x, n: n * dot * value / x)
