"""Sums of products as one product, laid out so that nothing is copied."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from anabranch import grad, make_ir, value_and_grad
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.contract import LIMIT, contract
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.passes.split import MAX_TERMS
from anabranch.compiler.pipeline import run_passes
from anabranch.ir import Graph, parse

RNG = np.random.default_rng(11)


def ops(graph: Graph) -> Counter[str]:
    return Counter(node.op for node in prune(graph))


def elman(wx: Any, wh: Any, b: Any, xs: Any, h: Any) -> Any:
    for x in xs:
        h = np.tanh(x @ wx + h @ wh + b)
    return np.sum(h * h)


def arrays(steps: int, batch: int, width: int = 4) -> list[Any]:
    shape = (batch, width) if batch else (width,)
    return [
        RNG.normal(size=(width, width)),
        RNG.normal(size=(width, width)),
        RNG.normal(size=width),
        RNG.normal(size=(steps, *shape)),
        RNG.normal(size=shape),
    ]


def products_and_copies(function: Any, point: list[Any]) -> tuple[int, int]:
    """How many of them the compiled gradient has, and whether it is right."""
    made = value_and_grad(function, argnums=(0, 1, 2))
    assert_same(made, point)
    found = ops(parse(made.inspect_ir("optimised")))
    products = found["matmul"] + found["matmul_add"]
    return products, made.inspect_ir("plan").count("  copy ")


def assert_same(made: Any, point: list[Any]) -> None:
    """The compiled gradient against that of the graph as the adjoint pass left it."""
    value, bars = made(*point)
    expected = interpret(made.program(*point).graph, point)
    for one, other in zip((value, *bars), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("batch", [0, 1, 3])
def test_a_weight_shared_over_time_has_one_product(batch: int) -> None:
    steps = 7
    products, copies = products_and_copies(elman, arrays(steps, batch))
    assert copies == 1, "the first state, an input"
    forward, backward, weights = steps + 1, steps - 1, 2
    assert products == forward + backward + weights


def test_steps_in_reverse_need_no_copies_either() -> None:
    def reverse(wx: Any, wh: Any, b: Any, xs: Any, h: Any) -> Any:
        return elman(wx, wh, b, xs[::-1], h)

    assert products_and_copies(reverse, arrays(7, 3))[1] == 1


def test_a_long_sum_of_bias_terms_is_one_reduction() -> None:
    made = make_ir(grad(elman, argnums=(1, 2)))(*arrays(MAX_TERMS + 5, 0))
    graph = run_passes(made, ("simplify", "dedupe"))
    assert ops(graph)["add_n"] == 3, "the weight, the bias, and h in h * h"
    assert ops(contract(graph))["add_n"] == 1


def test_weights_shared_by_two_layers_have_one_product_each() -> None:
    def layers(wx: Any, wh: Any, b: Any, xs: Any, h: Any) -> Any:
        g = np.zeros_like(h)
        for x in xs:
            h = np.tanh(x @ wx + h @ wh + b)
            g = np.tanh(h @ wx + g @ wh - b)
        return np.sum(g * h)

    steps = 5
    products, _ = products_and_copies(layers, arrays(steps, 2))
    forward, backward, weights = 4 * steps, 3 * steps - 2, 2
    assert products == forward + backward + weights


def test_products_of_many_rows_stay_apart() -> None:
    def graph(rows: int) -> Graph:
        return parse(f"""
            graph f(%x: f64[{rows},2], %y: f64[{rows},2], %d: f64[{rows},3]) {{
              %s = transpose(%x) {{perm=(1, 0)}} : f64[2,{rows}]
              %t = transpose(%y) {{perm=(1, 0)}} : f64[2,{rows}]
              %p = matmul(%s, %d) : f64[2,3]
              %q = matmul(%t, %d) : f64[2,3]
              %w = add_n(%p, %q)  : f64[2,3]
              return %w
            }}""")

    few, many = graph(LIMIT - 1), graph(LIMIT)
    assert ops(contract(few))["matmul"] == 1
    assert contract(many) is many


def test_a_product_with_another_reader_stays() -> None:
    graph = parse("""
        graph f(%x: f64[1,2], %y: f64[1,2], %d: f64[1,3]) {
          %s = transpose(%x) {perm=(1, 0)} : f64[2,1]
          %t = transpose(%y) {perm=(1, 0)} : f64[2,1]
          %p = matmul(%s, %d) : f64[2,3]
          %q = matmul(%t, %d) : f64[2,3]
          %w = add_n(%p, %q)  : f64[2,3]
          return %w, %p
        }""")
    assert contract(graph) is graph


def test_other_operands_of_the_sum_are_added() -> None:
    graph = parse("""
        graph f(%x: f64[1,2], %y: f64[1,2], %d: f64[1,3], %z: f64[2,3]) {
          %s = transpose(%x) {perm=(1, 0)} : f64[2,1]
          %t = transpose(%y) {perm=(1, 0)} : f64[2,1]
          %p = matmul(%s, %d) : f64[2,3]
          %q = matmul(%t, %d) : f64[2,3]
          %w = add_n(%p, %z, %q)  : f64[2,3]
          return %w
        }""")
    made = contract(graph).verify()
    assert ops(made)["matmul"] == ops(made)["add_n"] == 1
    point = [RNG.normal(size=node.type.shape) for node in graph.inputs]
    (one,), (other,) = interpret(made, point), interpret(graph, point)
    np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_infinities_and_nan_arrive(value: float) -> None:
    point = arrays(5, 2)
    point[3][2, 1, 0] = value
    made = value_and_grad(elman, argnums=(0, 1, 2))
    _, bars = made(*point)
    _, *expected = interpret(made.program(*point).graph, point)
    for one, other in zip(bars, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_the_columns_of_a_batch_are_left_alone() -> None:
    """Samples that are columns lie across the memory."""

    def columns(w: Any, xs: Any) -> Any:
        return sum(np.sum(np.tanh(w @ x)) for x in xs)

    point = [RNG.normal(size=(3, 3)), RNG.normal(size=(4, 3, 5))]
    made = grad(columns)
    expected = interpret(made.program(*point).graph, point)[0]
    np.testing.assert_allclose(made(*point), expected, rtol=1e-12, atol=1e-12)
