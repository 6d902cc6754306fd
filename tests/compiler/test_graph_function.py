"""Graphs that run: `jit(graph)` and its kin."""

from __future__ import annotations

import inspect
import pickle
import re
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import ArgumentError, Graph, VerifyError, parse
from anabranch.backends import find_backend
from anabranch.ir import Node, Output, TensorType
from tests.strategies import random_sample

NET = """
anabranch 1
graph net(%p.w: f64[3,2], %x: f64[4,3], %scale: f64[]) {
  %a = matmul(%x, %p.w)              : f64[4,2]
  %h = tanh(%a)                      : f64[4,2]
  %s = reduce_sum(%h) {axes=(0, 1)}  : f64[]
  %y = mul(%s, %scale)               : f64[]
  return %y
}
"""
W, X = np.linspace(-1, 1, 6).reshape(3, 2), np.linspace(0, 2, 12).reshape(4, 3)


def net(w: Any, x: Any, scale: Any) -> Any:
    return np.tanh(x @ w).sum() * scale


def returning(result: str) -> Graph:
    line = "%y = exp(%x) : f64[2]"
    return parse(f"graph f(%x: f64[2]) {{\n{line}\nreturn {result}\n}}")


def test_arguments_in_order_or_by_name(backend: str) -> None:
    function = anabranch.jit(parse(NET), backend=backend)
    expected = net(W, X, 2.0)
    calls = [
        lambda: function(W, X, 2.0),
        lambda: function(W, X, np.float64(2.0)),
        lambda: function(W, scale=np.array(2.0), x=X),
        lambda: function(scale=2.0, p_w=W, x=np.asfortranarray(X)),
    ]
    for call in calls * 3:
        assert call() == pytest.approx(expected, rel=1e-14)
    assert function.compile_count == 4


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("%y", "y"),
        ("%y, %x", ("y", "x")),
        ("r.0=%y, r.1=%x", ("y", "x")),
        ("r.0=%y", ("y",)),
        ("loss=%y", {"loss": "y"}),
        ("loss=%y, p.w=%x", {"loss": "y", "p.w": "x"}),
        ("loss=%y, loss=%x", ("y", "x")),
        ("loss=%y, %x", ("y", "x")),
        ("", ()),
    ],
)
def test_the_result_follows_the_labels(
    result: str, expected: Any, backend: str
) -> None:
    x = np.array([0.0, 1.0])
    values = {"y": np.exp(x), "x": x}
    made = anabranch.jit(returning(result), backend=backend)(x)
    assert type(made) is (np.ndarray if expected == "y" else type(expected))
    names = expected.values() if isinstance(expected, dict) else expected
    if isinstance(expected, dict):
        assert list(made) == list(expected)
    parts = made.values() if isinstance(made, dict) else made
    parts, names = (made,) if isinstance(made, np.ndarray) else parts, tuple(names)
    for part, name in zip(parts, names, strict=True):
        np.testing.assert_allclose(part, values[name], rtol=1e-15)


@pytest.mark.parametrize("seed", range(0, 40, 4))
def test_random_graphs_run_as_they_are_interpreted(seed: int, backend: str) -> None:
    sample = random_sample(seed, mixed=True)
    expected = find_backend("reference").prepare(sample.graph)(sample.point)
    function = anabranch.jit(parse(str(sample.graph)), backend=backend)
    for one, other in zip(flat(function(*sample.point)), expected, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        bound = 1e-5 if one.dtype == np.float32 else 1e-9
        np.testing.assert_allclose(one, other, rtol=bound, atol=bound)


def flat(result: Any) -> list[Any]:
    values = result.values() if isinstance(result, dict) else result
    return list(values) if isinstance(result, (dict, tuple)) else [result]


def test_the_graph_is_kept_as_it_is(backend: str) -> None:
    """With its sections and their law, and through an optimised text."""
    arguments = (W, X, 2.0)
    step = anabranch.value_and_grad(net, (0, 1))
    graph = anabranch.make_ir(step)(*arguments)
    value, (w_bar, x_bar) = step(*arguments)
    function = anabranch.jit(parse(graph.as_text()), backend=backend)
    optimised = anabranch.jit(parse(step.inspect_ir()), backend=backend)
    for run in function, optimised:
        made = run(*arguments)
        for one, other in zip(made, (value, w_bar, x_bar), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13)
    assert anabranch.make_ir(function)(*arguments) == graph
    assert parse(function.inspect_ir("forward")) == graph


def test_gradients_of_a_graph(backend: str) -> None:
    graph = parse(NET)
    expected = anabranch.value_and_grad(net, ("w", "scale"))(W, X, 2.0)
    for given in graph, anabranch.jit(graph):
        value, slopes = anabranch.value_and_grad(
            given, ("p_w", "scale"), backend=backend
        )(W, X, 2.0)
        assert value == pytest.approx(expected[0], rel=1e-14)
        for one, other in zip(slopes, expected[1], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13)
    anabranch.check_grads(anabranch.jit(graph), (W, X, 2.0), order=2)


def test_the_adjoint_of_an_adjoint_graph() -> None:
    cube = anabranch.make_ir(anabranch.grad(lambda x: x**3))(2.0)
    second = anabranch.grad(parse(str(cube)))
    assert second(2.0) == pytest.approx(12.0)
    assert "backward bar2" in second.inspect_ir("adjoint")


def test_other_functions_call_a_graph() -> None:
    function = anabranch.jit(parse(NET))
    outer = anabranch.grad(lambda w: function(w, X, 3.0) + function(w, X, 1.0))
    inner = anabranch.grad(lambda w: net(w, X, 4.0))
    np.testing.assert_allclose(outer(W), inner(W), rtol=1e-13)


def test_a_call_writes_into_out(backend: str) -> None:
    function = anabranch.jit(returning("loss=%y"), backend=backend)
    out = {"loss": np.zeros(2)}
    for _ in range(3):
        assert function(np.zeros(2), out=out) is out
        np.testing.assert_array_equal(out["loss"], [1.0, 1.0])


def test_a_graph_without_inputs(backend: str) -> None:
    graph = parse("graph f() {\n %y = const() {value=2.5} : f64[]\nreturn %y\n}")
    assert anabranch.jit(graph, backend=backend)() == 2.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((W, X[:2], 2.0), r"x is f64\[2,3\], and the graph of net takes f64\[4,3\]"),
        ((W.astype("f4"), X, 2.0), r"p_w is f32\[3,2\], .* takes f64\[3,2\]"),
        ((W, X, 2), r"scale is a Python number as i64\[\], .* takes f64\[\]"),
        ((W, X, [2.0]), "net has no graph for .*scale.0: a Python number as f64"),
        ((W, X), r"net\(p_w, x, scale\): missing a required argument: 'scale'"),
        ((W, X, 2.0, 1.0), "too many positional arguments"),
        ((W, X, "2"), "scale is static '2', and the graph of net takes f64"),
    ],
)
def test_other_arguments_are_refused(
    arguments: tuple[Any, ...], message: str, backend: str
) -> None:
    function = anabranch.jit(parse(NET), backend=backend)
    with pytest.raises(ArgumentError, match=message):
        function(*arguments)


def test_names_of_no_parameter_are_refused() -> None:
    function = anabranch.jit(parse(NET))
    with pytest.raises(ArgumentError, match="unexpected keyword argument 'w'"):
        function(w=W, x=X, scale=1.0, p_w=W)


def test_every_input_is_a_parameter_of_python() -> None:
    """Dots, keywords and names that clash get underscores."""
    names = ["lambda", "a.b", "a_b", "a.b_", "out"]
    nodes = [Node(name, "input", (), TensorType("f64", ())) for name in names]
    graph = Graph("f", nodes, [Output(name) for name in names])
    function = anabranch.jit(graph)
    given = {"lambda_": 0.0, "a_b__": 1.0, "a_b": 2.0, "a_b_": 3.0, "out": 4.0}
    found = re.findall(r"\w+", str(inspect.signature(function)))
    assert sorted(found) == sorted(given)
    result = function(**{name: given[name] for name in reversed(found)})
    assert dict(zip(found, result, strict=True)) == given


def test_a_graph_is_verified_first() -> None:
    node = Node("x", "input", (), TensorType("f64", (2,)))
    wrong = Node("y", "exp", ("x",), TensorType("f64", (3,)))
    with pytest.raises(VerifyError):
        anabranch.jit(Graph("f", [node, wrong], [Output("y")]))


def test_the_plain_function_interprets() -> None:
    function = anabranch.jit(parse(NET))
    assert function.py_func(W, X, 2.0) == pytest.approx(net(W, X, 2.0))
    assert "net" in repr(function)
    assert "1 call" in repr(function.py_func)


def test_pickled() -> None:
    twin = pickle.loads(pickle.dumps(anabranch.jit(parse(NET))))
    assert twin(W, X, 2.0) == pytest.approx(net(W, X, 2.0))
