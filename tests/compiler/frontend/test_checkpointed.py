"""Loops of which a gradient keeps what every k-th turn begins with."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from math import comb
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import (
    checkpointed,
    fori_loop,
    grad,
    hvp,
    jit,
    jvp,
    make_ir,
    scan,
    value_and_grad,
    vmap,
)
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler import tapes
from anabranch.compiler.frontend import control, loops
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.compiler.transforms.checkpointed import runs
from anabranch.ir import Graph
from anabranch.ir.errors import ArgumentError
from anabranch.ir.literals import Attrs
from anabranch.ir.ops import OPS

RNG = np.random.default_rng(3)
W, H, XS = RNG.normal(size=(4, 4)) / 2, RNG.normal(size=4), RNG.normal(size=(53, 4))

Iterables = Callable[[Any], Any]


@pytest.fixture(autouse=True)
def _loops_stay_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in control, loops:
        monkeypatch.setattr(module, "MIN_TRIPS", 2)
    monkeypatch.setattr(loops, "MIN_NODES", 0)


def counted(w, h, xs, over: Iterables):
    s = 0.0
    for t in over(range(len(xs))):
        h = np.tanh(w @ h + xs[t] * t)
        s = s + h[0] * h[1]
    return s + np.sum(h)


def rows(w, h, xs, over: Iterables):
    s = 0.0
    for t, x in over(enumerate(xs, 1)):
        h = np.tanh(w @ h + x / t)
        s = s + h[0] * h[1]
    return s + np.sum(h)


def stored(w, h, xs, over: Iterables):
    ys = np.zeros((len(xs) + 1, 4))
    ys[0] = h
    for t in over(range(len(xs))):
        ys[t + 1] = np.sin(w @ ys[t]) + 0.5 * xs[t]
    return np.sum(ys * ys)


def ended(w, h, xs, over: Iterables):
    for x in over(xs):
        h = np.tanh(w @ h + x)
        if h[0] > 0.9:
            break
    return np.sum(h * h)


def grown(w, h, xs, over: Iterables):
    hs = []
    for x in over(reversed(xs)):
        h = np.tanh(w @ h + x)
        hs.append(h)
    return np.sum(np.array(hs) * xs)


@pytest.mark.parametrize("every", [1, 7, 60, None])
@pytest.mark.parametrize("f", [counted, rows, stored, ended, grown])
def test_it_is_the_same_function(f: Any, every: int | None) -> None:
    def wanted(w: Any, h: Any, xs: Any) -> Any:
        return f(w, h, xs, lambda x: x)

    def found(w: Any, h: Any, xs: Any) -> Any:
        return f(w, h, xs, lambda x: checkpointed(x, every))

    assert found(W, H, XS) == wanted(W, H, XS)
    value, bars = value_and_grad(wanted, (0, 1, 2))(W, H, XS)
    again, others = value_and_grad(found, (0, 1, 2))(W, H, XS)
    np.testing.assert_allclose(again, value, rtol=1e-13)
    for bar, other in zip(bars, others, strict=True):
        np.testing.assert_allclose(other, bar, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("memory", [1, 7])
@pytest.mark.parametrize("f", [counted, rows, stored, ended, grown])
def test_so_many_states(f: Any, memory: int) -> None:
    """The same bits on the interpreter, where no segment has sums of its own."""

    def plain(w: Any, h: Any, xs: Any) -> Any:
        return f(w, h, xs, lambda x: x)

    def found(w: Any, h: Any, xs: Any) -> Any:
        return f(w, h, xs, lambda x: checkpointed(x, memory=memory))

    graphs = [make_ir(grad(g, (0, 1, 2)))(W, H, XS) for g in (plain, found)]
    wanted, made = (interpret(graph.verify(), [W, H, XS]) for graph in graphs)
    for bar, other in zip(wanted, made, strict=True):
        if memory == 1:
            np.testing.assert_array_equal(other, bar)
        else:
            np.testing.assert_allclose(other, bar, rtol=1e-12, atol=1e-13)
    if memory > 1:
        for bar, other in zip(wanted, grad(found, (0, 1, 2))(W, H, XS), strict=True):
            np.testing.assert_allclose(other, bar, rtol=1e-10, atol=1e-12)


@cache
def fewest(turns: int, slots: int) -> int:
    """How many are run forwards at least, by trying all places of the next slot."""
    if turns == 1:
        return 0
    if slots == 1:
        return turns * (turns - 1) // 2
    return min(
        m + fewest(turns - m, slots - 1) + fewest(m, slots) for m in range(1, turns)
    )


@pytest.mark.parametrize("slots", [1, 2, 3, 5, 9])
def test_the_fewest_turns_are_run_again(
    slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sines of a graph that no pass has seen: a run for the value, and the way back.

    The loop that fills the slots runs on to the end, for the value. So the first turn
    that is gone back over is run to once more, from the last slot.
    """
    ran = 0

    def counting(x: Any) -> Any:
        nonlocal ran
        ran += 1
        return np.sin(x)

    def swing(x):
        for _ in range(29):
            x = np.sin(x)
        return x

    def held(turns: int) -> Graph:
        graph = make_ir(swing)(0.5)
        nodes = [
            node._replace(attrs=Attrs({**node.attrs, "held": slots, "trips": turns}))
            if node.op == "loop"
            else node
            for node in graph
        ]
        graph = Graph(graph.name, nodes, graph.outputs)
        return adjoint(graph, wrt=[graph.inputs[0].name], of=list(graph.results))

    monkeypatch.setitem(OPS, "sin", replace(OPS["sin"], reference=counting))
    for turns in (slots + 1, slots + 2, 17, 29):
        graph = held(turns).verify()
        ran = 0
        interpret(graph, [np.array(0.5)])
        repeats = next(r for r in range(turns) if comb(slots + r, r) >= turns)
        again = ran - 2 * turns - fewest(turns, slots)
        assert 1 <= again <= 1 + repeats


def test_so_many_turns_and_states() -> None:
    for count in (0, 1, 2, 3, 7, 8, 9, 53, 1000, 10_000):
        for memory in (1, 2, 3, 14, 28, 100, 200, 10_000):
            segments = checkpointed(range(count), memory=memory).segments(count)
            assert (segments is None) == (memory >= count)
            if segments is not None:
                every, held, lanes = segments
                rows = every * lanes if every > 1 else 0
                assert (held or count // every) + rows <= memory
                assert count // every % lanes == 0
    assert checkpointed(range(10_000)).segments(10_000) == (100, None, 1)
    assert checkpointed(range(10_000), memory=400).segments(10_000) == (50, None, 4)
    for turns in range(1, 40):
        assert [runs(turns, k) for k in (1, 3, 7)] == [
            fewest(turns, k) for k in (1, 3, 7)
        ]


def test_transforms_of_so_many_states() -> None:
    """Along a direction, mapped, and both orders of modes."""

    def loss(h: Any, over: Iterables) -> Any:
        for t in over(range(12)):
            h = np.tanh(W @ h + XS[t])
        return np.sum(h * h)

    def plain(h: Any) -> Any:
        return loss(h, lambda x: x)

    def few(h: Any) -> Any:
        return loss(h, lambda x: checkpointed(x, memory=2))

    many = np.stack([H, -H, 2 * H])
    for made in (
        lambda f: hvp(f)(H, W[0]),
        lambda f: vmap(grad(f))(many),
        lambda f: grad(lambda h: jvp(f, (h,), (W[0],))[1])(H),
    ):
        np.testing.assert_allclose(made(few), made(plain), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("f", [counted, stored])
def test_second_derivatives(f: Any) -> None:
    def slope(over: Iterables) -> Any:
        inner = grad(lambda w, h: f(w, h, XS[:12], over))
        return grad(lambda h: np.sum(np.sin(inner(W, h))))(H)

    wanted = slope(lambda x: x)
    kept = slope(lambda x: checkpointed(x, 5))
    np.testing.assert_allclose(kept, wanted, rtol=1e-10)
    few = slope(lambda x: checkpointed(x, memory=3))
    np.testing.assert_allclose(few, wanted, rtol=1e-10)


@pytest.mark.parametrize("every", [1, 5, 53, 80])
@pytest.mark.parametrize("reverse", [False, True])
def test_scan(every: int, reverse: bool) -> None:
    def f(w: Any, h: Any, xs: Any, every: int | None) -> Any:
        def step(carry: Any, x: Any) -> Any:
            h, s = carry
            h = np.tanh(w @ h + x)
            return (h, s + h[0]), {"h": h * s, "x": x}

        (h, s), rows = scan(step, (h, 0.0), xs, None, reverse, every)
        return s + np.sum(h) + np.sum(rows["h"] * np.cos(rows["x"]))

    wanted = value_and_grad(f, (0, 1, 2), static_argnums=3)(W, H, XS, None)
    found = value_and_grad(f, (0, 1, 2), static_argnums=3)(W, H, XS, every)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-13)
    for bar, other in zip(wanted[1], found[1], strict=True):
        np.testing.assert_allclose(other, bar, rtol=1e-10, atol=1e-12)
    assert f(W, H, XS, every) == f(W, H, XS, None)


@pytest.mark.parametrize("limits", [(0, 53), (2, 40), (9, 4), (-3, 3)])
@pytest.mark.parametrize("every", [1, 6, 80])
def test_fori_loop(limits: tuple[int, int], every: int) -> None:
    def f(h: Any, lower: Any, upper: Any, every: int | None) -> Any:
        body = lambda t, h: np.sin(W @ h + t)  # noqa: E731
        return np.sum(fori_loop(lower, upper, body, h, every))

    wanted = grad(lambda h: f(h, *limits, None))(H)
    np.testing.assert_allclose(grad(lambda h: f(h, *limits, every))(H), wanted)
    by_limits = grad(f, static_argnums=3)(H, *map(np.int64, limits), every)
    np.testing.assert_allclose(by_limits, wanted)


def test_a_count_that_only_running_tells() -> None:
    def f(h, n):
        for t in checkpointed(range(n), every=4):
            h = np.sin(W @ h + t)
        return np.sum(h)

    def plain(h, n):
        for t in range(n):
            h = np.sin(W @ h + t)
        return np.sum(h)

    slopes, wanted = value_and_grad(f), value_and_grad(plain)
    for n in 0, 3, 4, 9, 23:
        found = slopes(H, np.int64(n))
        np.testing.assert_allclose(found[1], wanted(H, np.int64(n))[1], rtol=1e-12)
    assert slopes.compile_count == 1


def test_what_is_kept_grows_like_the_root() -> None:
    """Tapes of n turns without, and of about 2 * sqrt(n) turns with segments."""

    def kept(over: Iterables, turns: int) -> int:
        xs = np.ones((turns, 4))
        slopes = grad(lambda w, h: counted(w, h, xs, over))
        slopes(W, H)
        found = tapes.tapes(anabranch.parse(slopes.inspect_ir("optimised")))
        assert found
        return sum(tape.turns for tape in found)

    assert kept(lambda x: x, 900) % 900 == 0
    assert kept(checkpointed, 900) < 900 / 4
    assert kept(checkpointed, 3600) <= 2 * kept(checkpointed, 900) + 2
    assert kept(lambda x: checkpointed(x, memory=45), 3600) < kept(checkpointed, 3600)


def test_sums_of_products_keep_no_rows_of_all_turns() -> None:
    """Nor do products of the rows that each turn reads."""

    def arena(over: Iterables) -> int:
        xs = np.ones((900, 4))
        slopes = grad(lambda w, u: deep(w, u, xs, over), (0, 1))
        slopes(W, W)
        return slopes.report().arena_bytes

    def deep(w: Any, u: Any, xs: Any, over: Iterables) -> Any:
        h = H
        for t in over(range(len(xs))):
            h = np.tanh(w @ h + u @ xs[t])
        return np.sum(h)

    assert arena(checkpointed) < arena(lambda x: x) / 5


def numbers(x: Any, over: Iterables) -> Any:
    """As one kernel, in which rows of up to 16 turns are in registers."""
    q, v = x[0], x[1]
    for _ in over(range(1000)):
        v = v - 0.01 * (np.sin(q) + 0.1 * v * np.abs(v))
        q = q + 0.01 * v
    return q * q


@pytest.mark.parametrize("options", [{"every": 5}, {"memory": 40}])
def test_short_segments_of_numbers_keep_no_rows(options: dict[str, int]) -> None:
    """Neither of what they compute, nor tables of what they begin with."""
    x = np.array([1.0, 0.0])
    plain = grad(lambda x: numbers(x, lambda turns: turns))
    kept = grad(lambda x: numbers(x, lambda turns: checkpointed(turns, **options)))
    np.testing.assert_allclose(kept(x), plain(x), rtol=1e-12)
    assert kept.report().arena_bytes < plain.report().arena_bytes / 5
    assert kept.report().steps < 2 * plain.report().steps


def test_segments_of_numbers_run_side_by_side() -> None:
    """Four of them are vectors."""
    plain = lambda x: numbers(x, lambda turns: turns)  # noqa: E731
    x = np.array([1.0, 0.0])

    def few(x: Any) -> Any:
        return numbers(x, lambda turns: checkpointed(turns, memory=130))

    kept = value_and_grad(few)
    value, bars = kept(x)
    again, wanted = value_and_grad(plain)(x)
    assert value == again
    np.testing.assert_allclose(bars, wanted, rtol=1e-12)
    assert "sin(%carried_2) : f64[4]" in re.sub(" +", " ", kept.inspect_ir("optimised"))
    np.testing.assert_allclose(hvp(few)(x, x), hvp(plain)(x, x))


def test_large_tapes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tapes, "LARGE", 2000)
    with pytest.warns(RuntimeWarning, match=r"keeps .* of its loops") as found:
        grad(lambda h: counted(W, h, XS, lambda x: x))(H)
    assert found[0].filename == __file__
    assert "checkpointed" in str(found[0].message)


def test_outside_of_a_function_it_is_a_loop() -> None:
    assert list(checkpointed(range(3))) == [0, 1, 2]
    assert len(checkpointed([1, 2], every=5)) == 2
    assert list(jit(lambda: np.array(list(checkpointed(range(3)))))()) == [0, 1, 2]


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at least 1 turn, not 0"):
        checkpointed(range(3), every=0)
    for every, memory in (3, 3), (None, 0):
        with pytest.raises(ArgumentError, match="give one of the two"):
            checkpointed(range(3), every, memory=memory)
    with pytest.raises(ArgumentError, match="at least 1 turn, not -2"):
        grad(lambda h: scan(lambda c, x: (c, x), np.sum(h), H, None, False, -2)[0])(H)

    def over_a_set(h):
        for t in checkpointed({1.0, 2.0}):
            h = h * t
        return np.sum(h)

    with pytest.raises(ArgumentError, match="nothing says what the turns over a set"):
        jit(over_a_set)(H)

    def by_a_limit(h, n):
        for _ in checkpointed(range(n)):
            h = np.sin(h)
        return np.sum(h)

    with pytest.raises(ArgumentError, match=re.escape("every=100")):
        jit(by_a_limit)(H, np.int64(5))
    assert anabranch.__all__.count("checkpointed") == 1
