"""`cond` as users call it: traced or not, what it takes, and what it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import cond, grad, jit, make_ir, value_and_grad
from anabranch.ir.errors import (
    ArgumentError,
    BoundsError,
    ConcretizationError,
    TraceError,
    UnsupportedError,
)

X = np.array([0.5, 1.5, 2.5])
BACKENDS = ["llvm", "reference"]


@dataclass
class Layer:
    w: Any
    b: Any


def steps(f: Any, x: Any) -> Any:
    """The gradient of a scalar function by differences."""
    h = 1e-6
    return np.array([(f(x + h * d) - f(x - h * d)) / (2 * h) for d in np.eye(len(x))])


def loss(x: Any) -> Any:
    total = np.sum(x)
    return cond(
        total > 2.0,
        lambda u: np.sum(np.log(u) * total),
        lambda u: np.sum(np.exp(u) * u) * total,
        x,
    )


@pytest.mark.parametrize("x", [X, X - 1.2])
def test_value_and_gradients_of_three_orders(x: Any, backend: str) -> None:
    def second(x: Any) -> Any:
        return np.sum(grad(loss)(x) * np.cos(x))

    def third(x: Any) -> Any:
        return np.sum(grad(second)(x) * np.sin(x))

    assert np.isclose(jit(loss, backend=backend)(x), loss(x), rtol=1e-14)
    for f in (loss, second, third):
        made = grad(f, backend=backend)(x)
        np.testing.assert_allclose(made, steps(f, x), rtol=2e-5, atol=1e-6)


def test_only_the_chosen_derivative_counts(backend: str) -> None:
    """The other has a NaN, or an infinite slope, in its value and gradient."""

    def safe(x: Any) -> Any:
        return cond(x > 0, lambda x: np.log(x) + np.sqrt(x - 1), lambda x: x * x, x)

    value, slope = value_and_grad(safe, backend=backend)(np.float64(-3.0))
    assert (value, slope) == (9.0, -6.0)
    assert grad(grad(safe), backend=backend)(np.float64(0.0)) == 2.0


def test_only_the_chosen_branch_runs(backend: str) -> None:
    """A check of the other one does not fail."""

    def pick(x: Any, i: Any) -> Any:
        def rest() -> Any:
            return cond(i > 5, lambda: x[0], lambda: x[1])

        return cond(i < 3, lambda: np.take(x, i), rest)

    made = jit(pick, backend=backend)
    assert [made(X, i) for i in map(np.int64, (2, 4, 9))] == [2.5, 1.5, 0.5]
    with pytest.raises(BoundsError, match="out of bounds") as caught:
        made(X, np.int64(-9))
    assert "np.take(x, i)" in str(caught.value)


@pytest.mark.parametrize("p", [True, np.True_, np.array(True)])
def test_a_known_condition_calls_one_function(p: Any) -> None:
    def never(x: Any) -> Any:
        raise AssertionError

    assert cond(p, np.sin, never, 0.0) == 0.0
    assert jit(lambda x: cond(p, np.sin, never, x))(0.0) == 0.0
    graph = make_ir(lambda x: cond(p, np.sin, never, x))(0.0)
    assert [node.op for node in graph] == ["input", "sin"]


def test_pytrees_go_in_and_come_out(backend: str) -> None:
    def run(layer: Layer, x: Any) -> Any:
        return cond(
            np.any(x > 1),
            lambda layer, x: {"h": layer.w @ x + layer.b, "rest": (x, None)},
            lambda layer, x: {"h": layer.b - x, "rest": (layer.b * 2, None)},
            layer,
            x,
        )

    layer = Layer(np.arange(9.0).reshape(3, 3), np.ones(3))
    for x in (X, X - 2):
        made, expected = jit(run, backend=backend)(layer, x), run(layer, x)
        np.testing.assert_allclose(made["h"], expected["h"])
        np.testing.assert_allclose(made["rest"][0], expected["rest"][0])
        assert made["rest"][1] is None


def test_what_the_functions_close_over_becomes_operands() -> None:
    table = np.arange(3.0)

    def run(x: Any, y: Any) -> Any:
        s = np.sin(x)
        return cond(np.sum(x) > 0, lambda: s + table, lambda: y * table + s)

    graph = make_ir(run)(X, X)
    (node,) = (node for node in graph if node.op == "cond")
    assert node.operands == ("gt.0", "s", "captured.0", "y")
    assert [len(region.inputs) for region in node.regions] == [3, 3]
    for x in (X, -X):
        np.testing.assert_array_equal(jit(run)(x, X), run(x, X))
    made = grad(lambda y: np.sum(run(-X, y)))(X)
    np.testing.assert_array_equal(made, table)


def test_what_a_branch_computes_of_outer_values_belongs_to_it() -> None:
    graph = make_ir(lambda x: cond(x[0] > 0, lambda: np.log(x), lambda: -x))(X)
    assert "log" not in [node.op for node in graph]
    (node,) = (node for node in graph if node.op == "cond")
    assert [[n.op for n in region] for region in node.regions] == [
        ["input", "log"],
        ["input", "neg"],
    ]


def test_compiled_functions_and_gradients_inside_of_branches() -> None:
    inner = jit(lambda x: np.sum(x**3))

    def run(x: Any) -> Any:
        return cond(x[0] > 0, lambda: grad(inner)(x), lambda: inner(x) * x)

    for x in (X, -X):
        np.testing.assert_allclose(
            jit(run)(x), 3 * x**2 if x[0] > 0 else np.sum(x**3) * x
        )
        expected = steps(lambda x: np.sum(np.sin(np.asarray(run(x)))), x)
        made = grad(lambda x: np.sum(np.sin(run(x))))(x)
        np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-6)


def test_fwd_and_bwd_and_disable_jit() -> None:
    forward, backward = anabranch.fwd_and_bwd(loss)
    for x in (X, X - 1.2):
        value, residuals = forward(x)
        assert np.isclose(value, loss(x))
        np.testing.assert_allclose(backward(residuals, 1.0), grad(loss)(x))
        with anabranch.disable_jit():
            np.testing.assert_allclose(jit(loss)(x), loss(x))


def test_a_python_scalar_adapts_to_the_other_result() -> None:
    def run(x: Any) -> Any:
        return cond(x > 0, lambda x: x * 2, lambda x: 0, x)

    for dtype in (np.float32, np.float64, np.int8):
        assert jit(run)(dtype(3)) == 6
        made = jit(run)(dtype(-3))
        assert (made, made.dtype) == (0, dtype)
    weak = make_ir(lambda x: cond(x > 0, lambda: 1.0, lambda: 2.0) * x)(np.float32(1))
    assert weak[weak.results[0]].type.dtype == "f32"


def test_large_steps_of_a_branch_are_shared_by_threads() -> None:
    def run(x: Any) -> Any:
        return cond(x[0] > 0, lambda: np.sum(np.tanh(x)), lambda: np.sum(np.exp(-x)))

    made = jit(run)
    for sign in (1, -1):
        x = sign * np.linspace(0.1, 1, 400_000)
        np.testing.assert_allclose(made(x), run(x), rtol=1e-13)
    runner: Any = made._newest().runner("llvm")
    assert any(step.tasks for step in runner.plan.steps)


def test_stores_in_a_branch_leave_its_operands_alone() -> None:
    def fill(y: Any) -> Any:
        y = y.copy()
        y[1:] = y[:-1] * 2
        return y

    def run(x: Any) -> Any:
        y = np.sin(x)
        z = cond(x[0] > 0, fill, lambda y: y, y)
        return z + y, np.concatenate([z, y, z])

    for x in (X, -X):
        for made, expected in zip(jit(run)(x), run(x), strict=True):
            np.testing.assert_allclose(made, expected, rtol=1e-15)


def test_the_plan_shows_the_steps_of_branches() -> None:
    made = jit(loss)
    made(X)
    text = made.inspect_ir("plan")
    choice = next(line for line in text.splitlines() if " cond " in line)
    inner = [line for line in text.splitlines() if line.startswith("    ")]
    assert choice.startswith("  ")
    assert len(inner) >= 2
    assert "sum_node" not in text
    assert made.report().steps == len(text.strip().splitlines()) - 1


def mismatched(x: Any, other: Any) -> Any:
    return cond(x[0] > 0, lambda x: x, other, x)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda x: x[:2], r"f64\[3\] and f64\[2\]"),
        (lambda x: x > 0, r"f64\[3\] and bool\[3\]"),
        (lambda x: 0.0, r"f64\[3\] and f64\[\]"),
        (lambda x: (x,), r"the structures \*? ?.*and"),
        (lambda x: None, "the structures"),
        (lambda x: "text", "a branch of cond returned a str"),
    ],
)
def test_results_that_differ_are_refused(other: Any, message: str) -> None:
    with pytest.raises(TraceError, match=message) as caught:
        jit(lambda x: mismatched(x, other))(X)
    assert "test_cond.py" in str(caught.value)


def test_the_error_has_both_lines_and_the_path() -> None:
    def run(x: Any) -> Any:
        return cond(
            x[0] > 0,
            lambda x: {"a": np.sin(x)},
            lambda x: {"a": np.sum(x)},
            x,
        )

    with pytest.raises(TraceError) as caught:
        jit(run)(X)
    text = str(caught.value)
    assert "f64[3] and f64[] as .a" in text
    assert "then: " in text
    assert 'lambda x: {"a": np.sin(x)}' in text
    assert 'lambda x: {"a": np.sum(x)}' in text


@pytest.mark.parametrize("p", [1, 0.0, None, "yes", np.array([True]), np.int64(1)])
def test_a_condition_that_is_no_bool(p: Any) -> None:
    with pytest.raises(ArgumentError, match="not one bool"):
        cond(p, abs, abs, 1)


def test_a_traced_condition_that_is_no_bool() -> None:
    for change in (lambda x: x, lambda x: x > 0, lambda x: x[0]):
        with pytest.raises(ArgumentError, match=r"not one bool[\s\S]*test_cond\.py"):
            jit(lambda x, change=change: cond(change(x), abs, abs, 1))(X)


def test_an_operand_that_is_no_array() -> None:
    with pytest.raises(ArgumentError, match=r"close over it"):
        jit(lambda x: cond(x[0] > 0, lambda x, s: x, lambda x, s: x, x, "s"))(X)


def write_operand(x: Any, y: Any) -> Any:
    x[0] = 1.0
    return x


def test_writing_into_what_a_branch_did_not_make() -> None:
    def closure(x: Any) -> Any:
        y = x.copy()

        def write() -> Any:
            y[0] = 1.0
            return y

        return cond(x[0] > 0, write, lambda: y)

    def augmented(x: Any) -> Any:
        y = x.copy()

        def write(y: Any = y) -> Any:
            y += 1.0
            return y

        return cond(x[0] > 0, write, lambda: y)

    for f in (closure, augmented):
        with pytest.raises(TraceError, match="a branch of cond writes") as caught:
            jit(f)(X)
        assert "y" in str(caught.value.source)
    with pytest.raises(TraceError, match="would change the caller's array"):
        jit(lambda x: cond(x[0] > 0, write_operand, lambda x, y: x, x, x))(X)


def test_a_value_that_leaves_its_branch_is_refused() -> None:
    def leak(x: Any) -> Any:
        kept: list[Any] = []
        cond(x[0] > 0, lambda: kept.append(x * 2), lambda: None)
        return kept[0] + 1

    with pytest.raises(TraceError, match="outside of its call"):
        jit(leak)(X)


def test_errors_inside_of_a_branch_name_its_line() -> None:
    def ask(x: Any) -> Any:
        return x if x[0] > 1 else -x

    with pytest.raises(ConcretizationError, match="return x if") as caught:
        jit(lambda x: cond(x[0] > 0, lambda: ask(x), lambda: x), rewrite=False)(X)
    assert "np.where" in str(caught.value)
    with pytest.raises(UnsupportedError, match="frexp"):
        jit(lambda x: cond(x[0] > 0, lambda: np.frexp(x)[0], lambda: x))(X)


def test_a_branch_without_results() -> None:
    assert jit(lambda x: (cond(x[0] > 0, lambda: (), lambda: ()), x[1]))(X) == ((), 1.5)


def test_names_are_the_users() -> None:
    def run(x: Any) -> Any:
        y = cond(x[0] > 0, np.sin, np.cos, x)
        return y * y

    assert "%y" in make_ir(run)(X).as_text()
