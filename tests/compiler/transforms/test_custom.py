"""`custom_vjp`: the function's value, the rule's derivative, at every order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import ArgumentError, GradientError, TraceError, parse
from anabranch.compiler.passes.expand import expand
from anabranch.compiler.transforms.adjoint import adjoint

X = np.array([0.1, 0.2, 0.7])
Y = np.array([1.0, 2.0, 3.0])


@anabranch.custom_vjp
def wave(x: Any, y: Any) -> Any:
    return np.sin(x) * y


wave.defvjp(
    lambda x, y: (wave(x, y), (np.cos(x), np.sin(x), y)),
    lambda kept, g: (kept[0] * g * kept[2], kept[1] * g),
)


def plain(x: Any, y: Any) -> Any:
    return np.sin(x) * y


def test_without_a_gradient_it_is_the_function(backend: str) -> None:
    np.testing.assert_array_equal(wave(X, Y), plain(X, Y))
    made = anabranch.jit(lambda x, y: wave(x, y), backend=backend)(X, Y)
    np.testing.assert_allclose(made, plain(X, Y), rtol=1e-15)


def test_three_orders_are_those_of_the_plain_function(backend: str) -> None:
    def orders(f: Any) -> list[Any]:
        def loss(x: Any, y: Any) -> Any:
            return np.sum(f(x, y) ** 2)

        def second(x: Any, y: Any) -> Any:
            return sum(np.sum(g**2) for g in anabranch.grad(loss, (0, 1))(x, y))

        def third(x: Any, y: Any) -> Any:
            return sum(np.sum(g**2) for g in anabranch.grad(second, (0, 1))(x, y))

        return [
            anabranch.grad(each, (0, 1), backend=backend)(X, Y)
            for each in (loss, second, third)
        ]

    for made, wanted in zip(orders(wave), orders(plain), strict=True):
        np.testing.assert_allclose(made, wanted, rtol=1e-12)


def test_the_rule_counts_and_not_the_derivative_of_the_function() -> None:
    @anabranch.custom_vjp
    def rounded(x: Any) -> Any:
        return np.round(x)

    rounded.defvjp(lambda x: (rounded(x), x), lambda x, g: (3.0 * x * g,))
    bars = anabranch.grad(lambda x: np.sum(rounded(x) ** 2))(Y)
    np.testing.assert_allclose(bars, 2 * Y * 3 * Y)


def test_residuals_made_of_the_value_have_the_rule_again() -> None:
    """The second derivative of a step with a straight line for a slope."""

    @anabranch.custom_vjp
    def step(x: Any) -> Any:
        return np.floor(x)

    def forward(x: Any) -> Any:
        value = step(x)
        return value, value

    step.defvjp(forward, lambda value, g: (g * value,))
    first = anabranch.grad(lambda x: np.sum(step(x)))
    second = anabranch.grad(lambda x: np.sum(first(x)))
    x = np.array([1.5, 2.5])
    np.testing.assert_allclose(first(x), [1.0, 2.0])
    np.testing.assert_allclose(second(x), [1.0, 2.0])


def test_a_branch_and_a_loop_inside(backend: str) -> None:
    @anabranch.custom_vjp
    def power(x: Any) -> Any:
        total = x
        for _ in range(500):
            total = total * 1.001
        return np.where(x.sum() > 0, total, x)

    power.defvjp(lambda x: (power(x), None), lambda _, g: (1.001**500 * g,))
    bars = anabranch.grad(lambda x: np.sum(power(x)), backend=backend)(X)
    np.testing.assert_allclose(bars, np.full(3, 1.001**500))


def test_in_a_loop_of_many_turns(backend: str) -> None:
    def loss(f: Any) -> Any:
        def run(x: Any, y: Any) -> Any:
            total = 0.0
            for i in range(1500):
                total = total + np.sum(f(x, y * i))
            return total

        return anabranch.grad(run, (0, 1), backend=backend)(X, Y)

    np.testing.assert_allclose(loss(wave), loss(plain), rtol=1e-12)


def test_value_and_residuals_are_computed_once() -> None:
    graph = anabranch.make_ir(
        anabranch.value_and_grad(lambda x, y: np.sum(wave(x, y)), (0, 1))
    )(X, Y)
    ops = [node.op for node in expand(graph)]
    assert "custom_vjp" not in ops
    forward, _, names = split_of(lambda x, y: np.sum(wave(x, y)))
    assert [node.op for node in forward].count("sin") == 1
    assert names


def split_of(f: Any) -> Any:
    from anabranch.compiler.pipeline import run_passes
    from anabranch.compiler.transforms.residuals import split

    graph = anabranch.make_ir(f)(X, Y)
    made = adjoint(graph, wrt=["x", "y"], seeded=True)
    return split(run_passes(made, ("expand", "prune", "dedupe", "prune")), 1, 1)


def test_methods_pytrees_keywords_and_what_is_no_array() -> None:
    class Net:
        gain = 2.0

        @anabranch.custom_vjp
        def act(self, p: Any, kind: Any = np.exp) -> Any:
            return {"y": kind(p["w"]) * self.gain, "n": p["n"]}

        def _forward(self, p: Any, kind: Any = np.exp) -> Any:
            return self.act(p, kind), (kind, p["w"])

        def _backward(self: Any, g: Any) -> Any:
            kind, w = self  # the residuals
            return None, {"w": g["y"] * kind(w) * 10, "n": None}, None

        act.defvjp(_forward, _backward)

    net = Net()

    def loss(w: Any) -> Any:
        return np.sum(net.act({"w": w, "n": 3}, kind=np.cos)["y"])

    np.testing.assert_allclose(anabranch.grad(loss)(X), 10 * np.cos(X))


def test_arguments_without_a_derivative() -> None:
    def scaled(f: Any, x: Any) -> Any:
        return f(x)

    rule = anabranch.custom_vjp(scaled, nondiff_argnums=(0,))
    rule.defvjp(lambda f, x: (f(x), x), lambda f, x, g: (g * f(x),))
    bars = anabranch.grad(lambda x: np.sum(rule(np.exp, x)))(X)
    np.testing.assert_allclose(bars, np.exp(X))


def test_weights_that_are_closed_over_are_read_at_each_call() -> None:
    w = np.array([2.0, 3.0, 4.0])

    @anabranch.custom_vjp
    def scale(x: Any) -> Any:
        return x * w

    scale.defvjp(lambda x: (x * w, None), lambda _, g: (g * w,))
    gradient = anabranch.grad(lambda x: np.sum(scale(x)))
    np.testing.assert_array_equal(gradient(X), w)
    w[:] = 7.0
    np.testing.assert_array_equal(gradient(X), w)


def wrong(forward: Any, backward: Any) -> str:
    """What is said of a rule."""

    @anabranch.custom_vjp
    def f(x: Any, y: Any) -> Any:
        return x * y

    f.defvjp(forward, backward)
    with pytest.raises(TraceError) as caught:
        anabranch.grad(lambda x, y: np.sum(f(x, y)))(X, Y)
    assert caught.value.source is not None
    assert caught.value.source.file == __file__
    return str(caught.value)


def fine(x: Any, y: Any) -> Any:
    return x * y, (x, y)


def both(kept: Any, g: Any) -> Any:
    return kept[1] * g, kept[0] * g


def test_wrong_rules_are_named() -> None:
    pair = "a pair: the value, and what backward needs"
    assert pair in wrong(lambda x, y: x * y, both)
    assert "the value (*, *), and" in wrong(lambda x, y: ((x, y), (x, y)), both)
    assert "the value f64[], and the function returns f64[3]" in wrong(
        lambda x, y: ((x * y).sum(), (x, y)), both
    )
    assert "returns an array of shape (3,)" in wrong(fine, lambda kept, g: g)
    assert "a tuple of 1" in wrong(fine, lambda kept, g: (g,))
    assert "of f64[3] an array of shape ()" in wrong(fine, lambda kept, g: (g.sum(), g))
    assert "of f64[3] a tuple of 2" in wrong(fine, lambda kept, g: (g, (g, g)))


def test_a_pytree_of_another_structure_is_named() -> None:
    @anabranch.custom_vjp
    def f(p: Any) -> Any:
        return p["a"] * p["b"]

    f.defvjp(lambda p: (f(p), p), lambda p, g: ({"a": g * p["b"]},))
    with pytest.raises(TraceError, match="cotangent of argument 0"):
        anabranch.grad(lambda x, y: np.sum(f({"a": x, "b": y})))(X, Y)


def test_no_rule() -> None:
    f = anabranch.custom_vjp(lambda x: x)
    np.testing.assert_array_equal(f(X), X)
    with pytest.raises(ArgumentError, match=r"has no rule(.|\n)*defvjp"):
        anabranch.jit(lambda x: f(x))(X)


def test_a_gradient_of_what_is_closed_over_is_refused() -> None:
    def loss(x: Any) -> Any:
        z = 2 * x

        @anabranch.custom_vjp
        def f(y: Any) -> Any:
            return y * z

        f.defvjp(lambda y: (y * z, None), lambda _, g: (g * z,))
        return np.sum(f(x))

    np.testing.assert_allclose(anabranch.jit(loss)(X), np.sum(2 * X * X))
    with pytest.raises(GradientError, match="no argument of it") as caught:
        anabranch.grad(loss)(X)
    assert caught.value.source is not None
    assert "np.sum(f(x))" in caught.value.source.text


TEXT = """
graph f(%x: f64[3], %n: i64[]) {
  %y, %z = custom_vjp(%x, %n) {arguments=2} : f64[3], f64[]:
    value(%v: f64[3], %n: i64[]) {
      %s = sin(%v) : f64[3]
      %t = reduce_sum(%s) {axes=(0,)} : f64[]
      return %s, %t
    }
    forward(%v: f64[3], %n: i64[], %s: f64[3], %t: f64[]) {
      %c = cos(%v) : f64[3]
      return %c
    }
    backward(%c: f64[3], %g: f64[3], %h: f64[]) {
      %b = broadcast_to(%h) {shape=(3,)} : f64[3]
      %a = add(%g, %b) : f64[3]
      %r = mul(%c, %a) : f64[3]
      return %r
    }
  %w = mul(%y, %y) : f64[3]
  %u = reduce_sum(%w) {axes=(0,)} : f64[]
  %o = add(%u, %z) : f64[]
  return %o
}
"""


def test_text_and_law() -> None:
    graph = parse(TEXT).verify()
    assert parse(str(graph)) == graph
    made = adjoint(adjoint(graph, wrt=["x"]), wrt=["x"], of=["o"]).verify()
    assert parse(str(made)) == made


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("arguments=2", "arguments=3", "3 of 2 operands"),
        ("return %s, %t", "return %s, %s", "forward takes"),
        ("      return %r", "      return %c, %r", "backward makes"),
        ("return %c\n    }\n    backward", "return %n\n    }\n    backward", "takes"),
    ],
)
def test_regions_that_do_not_fit_are_named(old: str, new: str, what: str) -> None:
    from anabranch import VerifyError

    assert old in TEXT
    with pytest.raises((VerifyError, anabranch.ParseError), match=what):
        parse(TEXT.replace(old, new)).verify()
