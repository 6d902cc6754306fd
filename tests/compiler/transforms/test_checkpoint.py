"""`checkpoint`: the values and derivatives of the plain function, with less kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from anabranch import (
    ArgumentError,
    Graph,
    TraceError,
    VerifyError,
    checkpoint,
    custom_vjp,
    grad,
    hessian,
    jit,
    jvp,
    make_ir,
    parse,
    value_and_grad,
    vmap,
)
from anabranch.backends import find_backend
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.expand import expand
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Builder, Output
from anabranch.ir.law import contributing_reads
from tests.branching import CHOICES, branching
from tests.looping import looping
from tests.storing import storing
from tests.strategies import random_sample

RNG = np.random.default_rng(5)
WS = [RNG.normal(size=(6, 6)) / 3 for _ in range(12)]
X = RNG.normal(size=(5, 6))

Wrap = Callable[[Any], Any]


def plain(f: Any) -> Any:
    return f


def products(f: Any) -> Any:
    return checkpoint(f, "products")


def nested(f: Any) -> Any:
    return checkpoint(lambda *args: 1.0 * checkpoint(f)(*args))


def deep(wrap: Wrap, ws: Any, x: Any) -> Any:
    def block(x: Any, ws: Any) -> Any:
        for w in ws:
            x = np.tanh(x @ w)
        return x

    for first in range(0, len(ws), 4):
        x = wrap(block)(x, ws[first : first + 4])
    return np.sum(x * x)


def looped(wrap: Wrap, ws: Any, x: Any) -> Any:
    def step(x: Any) -> Any:
        return np.tanh(np.sin(x @ ws[0]) @ ws[1] + x)

    for _ in range(40):
        x = wrap(step)(x)
    return np.sum(x * x)


def chosen(wrap: Wrap, ws: Any, x: Any) -> Any:
    @wrap
    def one(x: Any, w: Any) -> Any:
        if np.sum(x) > 0:
            x = np.exp(-x * x) @ w
        for _ in range(20):
            x = np.sin(x @ ws[1])
        return x

    return np.sum(one(x, ws[0]) * one(-x, ws[0]))


def is_equal(found: Any, wanted: Any) -> bool:
    return all(
        np.array_equal(one, other) for one, other in zip(found, wanted, strict=True)
    )


@cache
def derivatives(f: Any, wrap: Wrap, backend: str) -> list[Any]:
    first = grad(lambda ws, x: f(wrap, ws, x), (0, 1))
    value, (bars, bar) = value_and_grad(
        lambda ws, x: f(wrap, ws, x), (0, 1), backend=backend
    )(WS, X)
    second = grad(lambda x: np.sum(np.sin(first(WS, x)[1])), backend=backend)(X)
    return [value, *bars, bar, second]


@pytest.mark.parametrize("wrap", [checkpoint, products, nested])
@pytest.mark.parametrize("f", [deep, looped, chosen])
def test_values_and_derivatives_are_those_of_the_function(f: Any, wrap: Wrap) -> None:
    """Sums of what several checkpoints contribute are added in another order."""
    for backend in "reference", "llvm":
        wanted, found = derivatives(f, plain, backend), derivatives(f, wrap, backend)
        if f is deep:  # where each weight has one read
            assert is_equal(found[:-1], wanted[:-1])
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-14)


def test_in_numba() -> None:
    def loss(wrap: Wrap, x: Any) -> Any:
        return np.sum(wrap(lambda x: np.sin(x) * x)(x))

    found = grad(lambda x: loss(checkpoint, x), backend="numba")(X)
    assert is_equal(found, grad(lambda x: loss(plain, x), backend="numba")(X))


@pytest.mark.parametrize("wrap", [checkpoint, nested])
def test_a_plan_keeps_less(wrap: Wrap) -> None:
    """16 layers in blocks of 4 keep about 3 + 4 values where they kept 16."""
    x = np.ones((256, 6))

    def arena(wrap: Wrap) -> tuple[Any, int]:
        made = grad(lambda ws: deep(wrap, ws, x))
        return made(WS + WS[:4]), made.report().arena_bytes

    bars, most = arena(plain)
    others, less = arena(wrap)
    assert is_equal(others, bars)
    assert less < 0.6 * most


def test_a_policy_keeps_products() -> None:
    """What is computed again is cheap, and no product is."""
    made = grad(lambda ws: deep(products, ws, X))
    made(WS)
    again = [node for node in parse(made.inspect_ir()) if node.op == "recompute"]
    assert len(again) == 3
    for node in again:
        ops = [inner.op for inner in node.regions[0]]
        assert ops.count("tanh") == 4
        assert ops.count("matmul") in (7, 8)  # those of the way back


def test_a_loop_keeps_what_its_turns_are_given() -> None:
    def arena(wrap: Wrap, f: Any) -> int:
        made = grad(lambda x: f(wrap, WS, x))
        made(X)
        return made.report().arena_bytes

    assert arena(checkpoint, looped) < 0.6 * arena(plain, looped)

    def scalars(wrap: Wrap, ws: Any, x: Any) -> Any:
        @wrap
        def step(u: Any, v: Any) -> Any:
            return u + 0.1 * v, v - 0.1 * np.sin(u) * np.exp(-u * u)

        u, v = x[0, 0], x[0, 1]
        for _ in range(300):
            u, v = step(u, v)
        return u * v

    assert arena(checkpoint, scalars) < 0.6 * arena(plain, scalars)


def floats(graph: Graph) -> list[str]:
    return [node.name for node in graph.inputs if node.type.has_gradient]


def pulled_back(graph: Graph, orders: int) -> Graph:
    wrt, of = floats(graph), None
    for _ in range(orders):
        before = len(graph.outputs)
        graph = adjoint(graph, wrt=wrt, of=of, seeded=True)
        of = graph.results[before:]
    return graph


def wrapped(graph: Graph, kept: int = 0) -> Graph:
    """The graph that is a checkpoint of this one, which keeps that many values."""
    values = [v.name for node in graph for v in node.values if node.op != "input"]
    more = [
        Output(name)
        for name in values
        if graph[name].type.has_gradient and name not in graph.results
    ][:kept]
    b = Builder(graph.name)
    operands = [b.input(node.name, node.type) for node in graph.inputs]
    attrs: Any = {"kept": len(more)} if more else {}
    body = graph.returning([*graph.outputs, *more], "body")
    made = b.add_node("checkpoint", *operands, regions=(body,), **attrs)
    values = made.values[: len(graph.outputs)]
    return b.build([Output(value.name) for value in values]).verify()


def random_graphs(seeds: range) -> Iterator[tuple[Graph, list[Any]]]:
    for seed in seeds:
        sample = random_sample(seed, complexes=seed % 3 == 2)
        yield sample.graph, sample.point
        loops = looping(seed)
        yield loops.graph, loops.point
        choices = branching(seed)
        yield choices.graph, choices.arrays(CHOICES[seed % 3])


@pytest.mark.parametrize("orders", [1, 2])
def test_random_graphs_to_the_bit(orders: int) -> None:
    """With the law of sum nodes, in the region as well, which `verify` looks at."""
    rng = np.random.default_rng(orders)
    for graph, point in random_graphs(range(4 // orders)):
        straight = pulled_back(graph, orders)
        seeds = straight.inputs[len(point) :]
        given = [
            *point,
            *(np.asarray(rng.normal(size=x.type.shape), x.type.numpy) for x in seeds),
        ]
        wanted = interpret(straight, given)
        for kept in 0, 3:
            made = pulled_back(wrapped(graph, kept), orders).verify()
            assert is_equal(interpret(made, given), wanted)
            (back,) = (n for n in made if n.op == "recompute" and n.section == 1)
            assert back.regions[0].sections[-1].lawful
            assert contributing_reads(back.regions[0], 1)
            assert parse(made.as_text()) == made
            assert is_equal(interpret(prune(expand(made)), given), wanted)
        optimise(made).verify()


def test_what_stores_compiled() -> None:
    """A body may write over a copy of what it is given, and never over that."""
    for seed in range(4):
        sample = storing(seed)
        made = pulled_back(wrapped(sample.graph), 1)
        seeds = made.inputs[len(sample.point) :]
        given = [*sample.point, *(np.ones(x.type.shape, x.type.numpy) for x in seeds)]
        before = [array.copy() for array in given]
        found = find_backend("llvm").prepare(optimise(made))(given)
        for one, other in zip(found, interpret(made, given), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
        assert is_equal(given, before)


def test_a_store_in_a_body_is_none_of_what_is_around() -> None:
    graph = parse("""
        graph f(%x: f64[4]) {
          %s = sort(%x) : f64[4]
          %y = recompute(%s) : f64[4]:
            body(%a: f64[4]) {
              %b = slice(%a) {start=(2,), shape=(1,), step=(1,)} : f64[1]
              %u = update(%a, %b) {start=(0,), step=(1,)} : f64[4]
              return %u
            }
          %z = mul(%y, %s) : f64[4]
          %w = sort(%y) : f64[4]
          return %z, %w
        }""").verify()
    given = [np.array([3.0, 1.0, 2.0, 0.5])]
    found = find_backend("llvm").prepare(optimise(graph))(given)
    assert is_equal(found, interpret(graph, given))


@pytest.mark.parametrize("form", ["checkpoint", "custom_vjp"])
def test_what_the_function_reads_is_watched(form: str) -> None:
    scale = 1.0

    def plain(x: Any) -> Any:
        return scale * x

    wrapped: Any = checkpoint(plain)
    if form == "custom_vjp":
        wrapped = custom_vjp(lambda x: 1.0 * x)
        wrapped.defvjp(lambda x: (wrapped(x), None), lambda _, g: (scale * g,))
    slope = grad(lambda x: np.sum(wrapped(x)))
    for _ in range(3):
        assert is_equal(slope(X), np.ones(X.shape))
    scale = 2.0
    assert is_equal(slope(X), np.full(X.shape, 2.0))


def test_the_law_counts_a_checkpoint_as_one_read() -> None:
    graph = make_ir(grad(lambda x: np.sum(checkpoint(np.sin)(x) * x) + np.sum(x)))(X)
    graph.verify()
    (made,) = (node for node in graph if node.op == "checkpoint")
    sums = graph["x.bar"]
    assert sums.op == "add_n"
    assert (made.name, 0) in sums.reads
    assert len(sums.reads) == 3


def test_other_transforms_of_checkpoints() -> None:
    x, stacked = X[0], X
    ways: dict[str, Callable[[Any], Any]] = {
        "jvp": lambda f: jvp(f, (x,), (np.cos(x),))[1],
        "hessian": lambda f: hessian(f)(x),
        "reverse over forward": lambda f: grad(lambda x: jvp(f, (x,), (np.cos(x),))[1])(
            x
        ),
        "each example": lambda f: vmap(grad(f))(stacked),
    }

    def loss(wrap: Wrap, x: Any) -> Any:
        step = wrap(lambda x: np.tanh(WS[0] @ np.sin(WS[0] @ x)))
        for _ in range(3):
            x = step(x)
        return np.sum(x * x)

    for way in ways.values():
        wanted = way(lambda x: loss(plain, x))
        for wrap in (checkpoint, products):
            found = way(lambda x, wrap=wrap: loss(wrap, x))  # type: ignore[misc]
            np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-13)


def test_it_comes_after_what_it_waits_for() -> None:
    graph = parse("""
        graph f(%x: f64[3], %g: c128[2]) {
          %y = recompute(%x, %g) {after=1} : f64[3]:
            body(%v: f64[3]) {
              %s = sin(%v) : f64[3]
              return %s
            }
          return %y
        }""").verify()
    x = np.arange(3.0)
    assert is_equal(interpret(graph, [x, np.ones(2, complex)]), [np.sin(x)])
    (node,) = (node for node in optimise(graph) if node.op == "recompute")
    assert node.attrs["after"] == 2  # the parts of %g
    bars = adjoint(graph, wrt=["x"], seeded=True).verify()
    made = interpret(bars, [x, np.ones(2, complex), np.ones(3)])
    assert is_equal(made, [np.sin(x), np.cos(x)])


def test_arguments_are_trees_methods_and_static_values() -> None:
    class Layer:
        def __init__(self, w: Any) -> None:
            self.w = w

        @checkpoint
        def apply(self, x: Any, *, power: int) -> Any:
            return {"y": np.sin(x @ self.w) ** power, "n": power}

    def loss(w: Any) -> Any:
        made = Layer(w).apply(X, power=2)
        return np.sum(made["y"]) * made["n"]

    wanted = grad(lambda w: 2 * np.sum(np.sin(X @ w) ** 2))(WS[0])
    np.testing.assert_allclose(grad(loss)(WS[0]), wanted, rtol=1e-13)


def test_outside_of_a_trace_and_of_a_gradient() -> None:
    f = checkpoint(lambda x: np.sin(x) + 1)
    assert is_equal(f(X), np.sin(X) + 1)
    assert "recompute" not in (made := jit(lambda x: f(x) * f(x)))(X).dtype.name
    assert {"checkpoint", "recompute"}.isdisjoint(
        node.op for node in parse(made.inspect_ir())
    )


def test_nothing_that_is_traced() -> None:
    """Neither an operand, nor one that the way back reads."""
    ones = checkpoint(lambda: np.ones(3))
    assert is_equal(jit(lambda x: ones() * x)(2.0), [2.0, 2.0, 2.0])
    made = grad(lambda x: np.sum(checkpoint(lambda x: 3.0 * x)(x)))
    assert is_equal(made(X), np.full(X.shape, 3.0))
    empty = checkpoint(lambda x: {})
    assert jit(lambda x: empty(x))(X) == {}


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no op is called 'dots'"):
        checkpoint(np.sin, "dots")
    with pytest.raises(ArgumentError, match="not a function: 3"):
        checkpoint(3)  # type: ignore[arg-type]

    def writes(x: Any) -> Any:
        x[0] = 1.0
        return np.sum(x)

    with pytest.raises(TraceError, match="checkpoint"):
        jit(lambda x: checkpoint(writes)(x * 2))(X)
    with pytest.raises(VerifyError, match=re.escape("the body takes (f64[2])")):
        parse("""
            graph f(%x: f64[3]) {
              %y = recompute(%x) : f64[2]:
                body(%v: f64[2]) {
                  return %v
                }
              return %y
            }""").verify()
