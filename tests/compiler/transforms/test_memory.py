"""`memory_limit`: what is kept is a minimum cut, and the derivatives are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch as ab
from anabranch import ArgumentError, parse
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import TIDY, optimise, run_passes
from anabranch.compiler.transforms import memory
from anabranch.compiler.transforms.memory import bytes_of, within
from anabranch.compiler.transforms.segmented import fewer_and_fewer, segmented
from anabranch.ir import Graph
from tests.compiler.transforms.test_checkpoint import (
    is_equal,
    pulled_back,
    random_graphs,
)

RNG = np.random.default_rng(7)
LAYERS = [(RNG.normal(size=(8, 8)) / 3, RNG.normal(size=8)) for _ in range(16)]
X = RNG.normal(size=(64, 8))
VALUE = X.nbytes


def deep(layers: Any, x: Any) -> Any:
    for w, b in layers:
        x = np.tanh(x @ w + b)
    return np.sum(x * x)


def residual(layers: Any, x: Any) -> Any:
    for w, b in layers:
        x = x + np.tanh(np.sin(x) @ w + b)
    return np.sum(x * x)


def leaves(bars: Any) -> list[Any]:
    return [leaf for pair in bars for leaf in pair]


@pytest.mark.parametrize("f", [deep, residual])
def test_a_limit_halves_the_memory_of_a_deep_network(f: Any) -> None:
    free = ab.value_and_grad(f)
    value, bars = free(LAYERS, X)
    most = free.report().arena_bytes
    for limit in (most, most // 2, most * 2 // 5):
        limited = ab.value_and_grad(f, memory_limit=limit)
        again, others = limited(LAYERS, X)
        assert limited.report().arena_bytes <= limit
        np.testing.assert_allclose(again, value, rtol=1e-13)
        for one, other in zip(leaves(others), leaves(bars), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
        ops = [node.op for node in parse(limited.inspect_ir())]
        assert ("recompute" in ops) == (limit < most)
    arrays = [*leaves(LAYERS), X]
    graphs = [ab.make_ir(made)(LAYERS, X) for made in (free, limited)]
    assert is_equal(*(interpret(graph, arrays) for graph in graphs))


def test_what_is_cheap_is_computed_again_first() -> None:
    """At three quarters no product of the way forwards is computed again."""
    free = ab.grad(residual)
    free(LAYERS, X)
    most = free.report().arena_bytes
    limited = ab.grad(residual, memory_limit=most * 3 // 4)
    limited(LAYERS, X)
    bodies = [x.regions[0] for x in parse(limited.inspect_ir()) if x.op == "recompute"]
    ops = {node.op for body in bodies for node in body} - {"input"}
    assert {"sin", "tanh"} <= ops <= {"sin", "tanh", "add", "broadcast_to"}


def test_a_cut_keeps_the_narrow_value() -> None:
    """What is wide is made of a row and a column again."""

    def outer(x: Any, y: Any) -> Any:
        u, v = np.exp(x @ x) @ y, np.sin(y)
        return np.sum(np.sin(u[:, None] * v) * np.cos(u[:, None] + v))

    square, y = np.eye(32) / 9, np.linspace(0, 1, 32)
    graph = run_passes(ab.make_ir(ab.grad(outer))(square, y), TIDY)
    flow = memory._Flow(graph)  # pyright: ignore[reportPrivateUsage]
    made = flow.cut(1).verify()
    wide = 32 * 32 * 8
    back = [node for node in made if node.section and node.op != "recompute"]
    read = {name for node in back for name in node.operands}
    kept = [made[name] for name in read if made[name].section == 0]
    assert sum(x.type.nbytes == wide for x in kept if x.op != "input") <= 1
    assert any(node.op == "recompute" for node in made)
    arrays = [square, y]
    assert is_equal(interpret(made, arrays), interpret(graph, arrays))


def test_residuals_within_a_limit() -> None:
    free, pull = ab.fwd_and_bwd(deep)
    value, residuals = free(LAYERS, X)
    bars = pull(residuals, 1.0)
    most = sum(array.nbytes for array in residuals.values())
    limited, _ = ab.fwd_and_bwd(deep, memory_limit=most // 2)
    again, fewer = limited(LAYERS, X)
    assert again == value
    assert sum(array.nbytes for array in fewer.values()) <= most // 2
    for one, other in zip(leaves(pull(fewer, 1.0)), leaves(bars), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


def test_second_derivatives_and_loops() -> None:
    def looped(w: Any, x: Any) -> Any:
        for _ in range(4):
            for _ in range(30):
                x = np.tanh(x @ w)
            x = np.sin(x) * np.cos(x)
        return np.sum(x)

    w = LAYERS[0][0]
    free = ab.grad(looped)
    wanted = free(w, X)
    limited = ab.grad(looped, memory_limit=free.report().arena_bytes * 2 // 3)
    np.testing.assert_allclose(limited(w, X), wanted, rtol=1e-9, atol=1e-12)
    free = ab.grad(deep, 1)
    wanted = ab.grad(lambda x: np.sum(np.sin(free(LAYERS[:3], x))))(X)
    inner = ab.grad(deep, 1, memory_limit=6 * VALUE)
    made = ab.grad(lambda x: np.sum(np.sin(inner(LAYERS[:3], x))))(X)
    np.testing.assert_allclose(made, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("orders", [1, 2])
def test_random_graphs_however_they_are_cut(orders: int) -> None:
    """NumPy's products round otherwise where a matrix lies otherwise in memory."""
    rng = np.random.default_rng(orders)
    again = 0
    for graph, point in random_graphs(range(4 // orders)):
        tidy = run_passes(pulled_back(graph, orders), TIDY)
        seeds = tidy.inputs[len(point) :]
        given = [
            *point,
            *(np.asarray(rng.normal(size=x.type.shape), x.type.numpy) for x in seeds),
        ]
        wanted = interpret(tidy, given)
        flow = memory._Flow(tidy)  # pyright: ignore[reportPrivateUsage]
        for every in 0, 1, 3, len(flow.dear) + 1:
            made = flow.cut(every).verify()
            for one, other in zip(interpret(made, given), wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13)
            again += sum(node.op == "recompute" for node in made)
        optimise(made).verify()
    assert again > 10


def recurrent(w: Any, h: Any) -> Any:
    for _ in range(1100):
        h = np.tanh(w @ h)
    return np.sum(h * h)


def test_loops_hold_fewer_states() -> None:
    """First by segments, then by the binomial schedule."""
    w, h = LAYERS[0]
    free = ab.value_and_grad(recurrent, (0, 1))
    value, bars = free(w, h)
    most = free.report().arena_bytes
    for limit in (most // 3, most // 25):
        limited = ab.value_and_grad(recurrent, (0, 1), memory_limit=limit)
        again, others = limited(w, h)
        assert limited.report().arena_bytes <= limit
        np.testing.assert_allclose(again, value, rtol=1e-12)
        for one, other in zip(others, bars, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    forward, pull = ab.fwd_and_bwd(recurrent, (0, 1), memory_limit=most // 10)
    _, residuals = forward(w, h)
    assert sum(array.nbytes for array in residuals.values()) <= most // 10
    for one, other in zip(pull(residuals, 1.0), bars, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("chunk", [None, 8])
def test_the_limit_of_a_mapped_gradient_is_that_of_all_examples(
    chunk: int | None,
) -> None:
    w, hs = LAYERS[0][0], RNG.normal(size=(20, 8))
    axes = None, 0
    free = ab.vmap(ab.grad(recurrent), axes, chunk=chunk)
    wanted = free(w, hs)
    limit = free.report().arena_bytes // 4
    limited = ab.vmap(ab.grad(recurrent, memory_limit=limit), axes, chunk=chunk)
    np.testing.assert_allclose(limited(w, hs), wanted, rtol=1e-9, atol=1e-12)
    assert limited.report().arena_bytes <= limit
    one = ab.grad(recurrent, memory_limit=limit)
    one(w, hs[0])
    assert "recompute" not in one.inspect_ir()


@pytest.mark.parametrize("reverse", [False, True])
def test_loops_over_segments_are_the_loops(reverse: bool) -> None:
    """To the bit: rows in, rows out, what is carried, and a count in the body."""

    def scanned(w: Any, h: Any, xs: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            h, t = carry
            h = np.tanh(w @ h + x * t)
            return (h, t + 1), {"h": h, "x": x * h[0]}

        return ab.scan(step, (h, 0), xs, None, reverse)

    arrays = [LAYERS[0][0], LAYERS[0][1], RNG.normal(size=(31, 8))]
    graph = ab.make_ir(scanned)(*arrays)
    for states in 1, 5, 9, 12, 30:
        made = segmented(graph, states).verify()
        assert len(list(made)) > len(list(graph))
        assert is_equal(interpret(made, arrays), interpret(graph, arrays))
    assert list(fewer_and_fewer(graph)) == [12, 6, 3, 1]


def test_what_cannot_be_kept_is_told() -> None:
    with pytest.raises(
        ArgumentError,
        match=r"deep.grad cannot be computed within memory_limit=1,000 bytes",
    ) as e:
        ab.grad(deep, memory_limit=1000)(LAYERS, X)
    least = int(str(e.value.hint).split()[0].replace(",", ""))
    made = ab.grad(deep, memory_limit=least)
    made(LAYERS, X)
    assert made.report().arena_bytes == least


def test_numbers_of_bytes() -> None:
    assert bytes_of("64MB") == 64_000_000
    assert bytes_of("1.5 gib") == 3 * 2**29
    assert bytes_of("100B") == 100
    for wrong in (-1, 1.5, "64", "MB", "6XB", True, None):
        with pytest.raises(ArgumentError, match="is no number of bytes"):
            bytes_of(wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="reference plans no memory"):
        ab.grad(deep, backend="reference", memory_limit="1MB")
    graph = Graph("f", [], [])
    assert within([graph], 0, lambda graph: 0) is graph
