"""`scan`, `fori_loop`, `while_loop`, `map`, `switch` as users call them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import (
    fori_loop,
    grad,
    jit,
    make_ir,
    scan,
    switch,
    value_and_grad,
    while_loop,
)
from anabranch.ir.errors import (
    ArgumentError,
    DomainError,
    TraceError,
)
from anabranch.ir.ops import loop_segments
from tests.compiler.conftest import assert_same

RNG = np.random.default_rng(5)
W, H, XS = RNG.normal(size=(3, 3)) / 2, RNG.normal(size=3), RNG.normal(size=(6, 3))


@dataclass
class Cell:
    w: Any
    b: Any


def elman(w: Any, h: Any, xs: Any) -> Any:
    def step(h: Any, x: Any) -> Any:
        h = np.tanh(w @ h + x)
        return h, h * h

    h, ys = scan(step, h, xs)
    return np.sum(h) + np.sum(ys)


def unrolled(w: Any, h: Any, xs: Any) -> Any:
    total = 0.0
    for x in xs:
        h = np.tanh(w @ h + x)
        total = total + np.sum(h * h)
    return np.sum(h) + total


def loops_of(graph: Any) -> list[Any]:
    return [node for node in graph if node.op == "loop"]


def test_a_scan_is_one_node_and_its_gradients_are_those_of_the_steps(
    backend: str,
) -> None:
    assert len(loops_of(make_ir(elman)(W, H, XS))) == 1
    for argnum in range(3):
        made = grad(elman, argnum, backend=backend)(W, H, XS)
        expected = grad(unrolled, argnum)(W, H, XS)
        np.testing.assert_allclose(made, expected, rtol=1e-12, atol=1e-13)

    def second(f: Any) -> Any:
        return lambda w: np.sum(grad(f)(w, H, XS) * np.cos(w))

    made = grad(second(elman), backend=backend)(W)
    np.testing.assert_allclose(made, grad(second(unrolled))(W), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("trips", [0, 1, 6])
def test_scan_is_a_python_loop(same: Any, reverse: bool, trips: int) -> None:
    def run(h: Any, xs: Any) -> Any:
        def step(carry: Any, x: Any) -> Any:
            total, count = carry
            made = {"sum": total + x["a"], "count": count + x["k"]}
            return (np.sin(total) + x["a"], count + 2), made

        (h, count), ys = scan(step, (h, 0), xs, reverse=reverse)
        return h, count + np.int64(0), ys["sum"], ys["count"]

    xs = {"a": XS[:trips], "k": np.arange(trips, dtype=np.int32)}
    same(run, H, xs, rtol=1e-14)


def test_scan_without_arrays_counts(same: Any) -> None:
    def run(x: Any) -> Any:
        return scan(lambda c, _: (c * 0.5, c), x, None, length=4)

    same(run, H)


def test_map(same: Any) -> None:
    same(lambda xs: anabranch.map(lambda x: np.sum(x * x), xs), XS, rtol=1e-15)
    same(lambda x, y: anabranch.map(lambda p: p[0] - p[1], (x, y)), XS, XS[::-1])


def test_fori_loop(same: Any) -> None:
    same(lambda x: fori_loop(2, 7, lambda i, y: y * 0.5 + i, x), H)
    same(lambda x: fori_loop(2, 2, lambda i, y: y * 0.5 + i, x), H)
    same(lambda x, xs: fori_loop(0, 6, lambda i, y: y + xs[i] * i, x), H, XS)
    same(lambda n, x: fori_loop(n - 2, n, lambda i, y: y + i, x), np.int64(5), H)
    same(lambda n, x: fori_loop(0, n, lambda i, y: y + i, x), np.int64(-3), H)


def test_while_loop(same: Any) -> None:
    def newton(a: Any) -> Any:
        return while_loop(
            lambda x: np.abs(x * x - a) > 1e-12,
            lambda x: x - (x * x - a) / (2 * x),
            a * 0.5 + 1.0,
            max_trips=50,
        )

    same(newton, np.float64(2.0))
    same(lambda n: while_loop(lambda k: k > 1, lambda k: k // 2, n), np.int64(1000))
    same(lambda n: while_loop(lambda k: k > 1, lambda k: k // 2, n), np.int64(1))
    for backend in ("llvm", "reference"):
        made = grad(newton, backend=backend)(2.0)
        np.testing.assert_allclose(made, 0.5 / np.sqrt(2.0), rtol=1e-9)


def test_while_loop_does_not_stop_in_silence(backend: str) -> None:
    def run(x: Any) -> Any:
        return while_loop(lambda x: x < 9.0, lambda x: x + 1.0, x, max_trips=3)

    for call in (run, jit(run, backend=backend), grad(run, backend=backend)):
        assert np.isfinite(call(6.0))
        with pytest.raises(DomainError, match="still holds after max_trips=3"):
            call(5.0)


@pytest.mark.parametrize("index", [-1, 0, 1, 2, 3, 7])
def test_switch(same: Any, index: int) -> None:
    branches = [np.sin, np.cos, lambda x: x * 2, lambda x: -x]
    same(lambda i, x: switch(i, branches, x), np.int64(index), H, ulps=1)
    made = grad(lambda x, i: np.sum(switch(i, branches, x)))(H, np.int64(index))
    slopes = [np.cos(H), -np.sin(H), np.full(3, 2.0), np.full(3, -1.0)]
    np.testing.assert_allclose(made, slopes[min(max(index, 0), 3)], rtol=1e-14)


def test_pytrees_and_closures(same: Any) -> None:
    def run(w: Any, b: Any, xs: Any, scale: Any) -> Any:
        def step(cell: Cell, x: Any) -> Any:
            return Cell(cell.w * scale, cell.b + x), (cell.b, [x * cell.w])

        cell, (bs, [ws]) = scan(step, Cell(w, b), xs)
        return cell.w, cell.b, bs, ws

    same(run, H, H * 2, XS, np.float64(0.5))


def test_python_numbers_adapt_and_others_keep_their_dtypes(same: Any) -> None:
    x = np.arange(4, dtype=np.float32)
    made = jit(lambda x: scan(lambda c, v: (c + v, c), 0.0, x))(x)
    assert [one.dtype for one in made] == [np.float32, np.float32]
    made = jit(lambda x: fori_loop(0, 3, lambda i, c: c * 0.5 + i, x))(x)
    assert made.dtype == np.float32
    made = jit(lambda x: fori_loop(0, 3, lambda i, c: (c[0] + x, 1.5), (0, 0)))(x[1])
    assert [one.dtype for one in made] == [np.float32, np.float64]
    same(lambda k: fori_loop(0, 3, lambda i, c: c + i, k), np.int32(4))


WRONG = {
    "dtype": (lambda c, x: (c * 1.5, x), np.arange(3), r"carries i64\[3\].*f64\[3\]"),
    "shape": (lambda c, x: (np.sum(c), x), H, r"carries f64\[3\].*returns f64\[\]"),
    "structure": (lambda c, x: ((c, c), x), H, "structure|carries"),
    "f32": (lambda c, x: (c + x[0], x), np.float32(1), r"carries f32\[\].*f64\[\]"),
    "path": (
        lambda c, x: ({"a": c["a"], "b": c["b"][:1]}, x),
        {"a": H, "b": H},
        r"as \.b.*returns f64\[1\]",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_carried_keeps_its_type(what: str) -> None:
    f, init, match = WRONG[what]
    with pytest.raises(TraceError, match=match) as caught:
        jit(lambda init, xs: scan(f, init, xs))(init, XS)
    assert "test_loop.py" in str(caught.value)


def test_wrong_arguments_are_refused() -> None:
    step = lambda c, x: (c, x)  # noqa: E731
    for run in (lambda f: f(), lambda f: jit(lambda x: f())(H)):
        with pytest.raises(ArgumentError, match="one size"):
            run(lambda: scan(step, 0.0, (XS, XS[:2])))
        with pytest.raises(ArgumentError, match="one size"):
            run(lambda: scan(step, 0.0))
        with pytest.raises(ArgumentError, match="one size"):
            run(lambda: scan(step, 0.0, XS, length=5))
        with pytest.raises(ArgumentError, match="no axis"):
            run(lambda: scan(step, 0.0, 3.0))
        with pytest.raises(ArgumentError, match="not one integer"):
            run(lambda: fori_loop(0, 2.5, lambda i, x: x, 0.0))
        with pytest.raises(ArgumentError, match="not one bool"):
            run(lambda: while_loop(lambda x: x, lambda x: x, 1.0))
        with pytest.raises(ArgumentError, match="below 1"):
            run(lambda: while_loop(lambda x: x > 1, lambda x: x, 1.0, max_trips=0))
        with pytest.raises(ArgumentError, match="no branches"):
            run(lambda: switch(0, []))
    with pytest.raises(TraceError, match="not a pair"):
        jit(lambda xs: scan(lambda c, x: c, 0.0, xs))(XS)
    with pytest.raises(ArgumentError, match="an operand of scan is a str"):
        jit(lambda xs: scan(step, "a", xs))(XS)


def test_a_body_does_not_write_into_what_is_around_it() -> None:
    def run(x: Any) -> Any:
        y = x * 2

        def body(i: Any, c: Any) -> Any:
            y[0] = c[0]
            return c

        return fori_loop(0, 3, body, x)

    with pytest.raises(TraceError, match="the body of fori_loop writes into"):
        jit(run)(H)


def decay(x: Any, steps: float, **bound: int) -> Any:
    return while_loop(
        lambda now: now[0] < steps,
        lambda now: (now[0] + 1.0, np.sin(now[1]) * x),
        (0.0, x),
        **bound,
    )[1]


@pytest.mark.parametrize("steps", [0.0, 1.0, 7.0, 40.0])
def test_the_gradient_of_a_loop_of_unknown_length(backend: str, steps: float) -> None:
    compiled = grad(decay, backend=backend)
    bounded = grad(lambda x, n: decay(x, n, max_trips=50), backend=backend)
    np.testing.assert_allclose(compiled(0.9, steps), bounded(0.9, steps), rtol=1e-14)
    np.testing.assert_allclose(
        grad(compiled)(0.9, steps), grad(bounded)(0.9, steps), rtol=1e-12
    )

    def counted(x: Any, n: Any) -> Any:
        return fori_loop(0, n, lambda i, y: np.sin(y) * x + i * 0.1, x)

    y, slope = 0.9, 1.0
    for i in range(int(steps)):
        y, slope = np.sin(y) * 0.9 + i * 0.1, np.cos(y) * 0.9 * slope + np.sin(y)
    by_limit = grad(counted, backend=backend)
    np.testing.assert_allclose(by_limit(0.9, np.array(int(steps))), slope, rtol=1e-13)
    assert by_limit(0.9, np.array(-3)) == 1.0


def test_the_gradient_of_a_loop_of_many_iterations(backend: str) -> None:
    """More than a level of segments holds."""
    steps = 9000.0 if backend == "llvm" else 4100.0
    compiled = value_and_grad(decay, backend=backend)
    y, slope = 1.5, 1.0
    for _ in range(int(steps)):
        y, slope = np.sin(y) * 1.5, np.cos(y) * 1.5 * slope + np.sin(y)
    np.testing.assert_allclose(compiled(1.5, steps), (y, slope), rtol=1e-11)


def test_a_loop_that_is_too_long_for_its_gradient_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And names the line of the loop, and a way out."""
    monkeypatch.setattr(loop_segments, "MOST_ROWS", 4)
    monkeypatch.setattr(loop_segments, "ENOUGH", 10)
    monkeypatch.setattr(loop_segments, "LEAST_ROWS", 1)
    compiled = grad(decay)
    assert np.isfinite(compiled(0.9, 16.0))
    with pytest.raises(RuntimeError, match="more than 16 iterations") as caught:
        compiled(0.9, 17.0)
    assert "test_loop.py" in str(caught.value)
    assert "max_trips" in str(caught.value)


def test_loops_in_loops_and_choices_in_loops(backend: str) -> None:
    def model(loop: Any) -> Any:
        def run(a: Any, x: Any) -> Any:
            def outer(i: Any, x: Any) -> Any:
                return loop(0, 3, lambda j, y: np.sin(y * a) + j * 0.1 + i, x)

            def choice(i: Any, x: Any) -> Any:
                return anabranch.cond(i % 2 == 0, np.sin, np.exp, x * a)

            return np.sum(loop(0, 5, choice, loop(0, 4, outer, x)))

        return run

    def python(lower: int, upper: int, body: Any, x: Any) -> Any:
        for i in range(lower, upper):
            x = body(i, x)
        return x

    made = value_and_grad(model(fori_loop), argnums=(0, 1), backend=backend)(0.3, H)
    expected = value_and_grad(model(python), argnums=(0, 1))(0.3, H)
    np.testing.assert_allclose(made[0], expected[0], rtol=1e-12)
    for one, other in zip(made[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11)


def test_the_two_halves_of_a_loop() -> None:
    forward, backward = anabranch.fwd_and_bwd(elman, argnums=(0, 1))
    _, residuals = forward(W, H, XS)
    for one, other in zip(
        backward(residuals, 1.0), grad(unrolled, (0, 1))(W, H, XS), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_steady_calls_out_and_threads() -> None:
    f = value_and_grad(elman, argnums=(0, 2))
    expected = f(W, H, XS)
    found: list[Any] = []

    def work() -> None:
        found.extend(f(W, H, XS) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    for value, bars in found:
        assert value == expected[0]
        for one, other in zip(bars, expected[1], strict=True):
            np.testing.assert_array_equal(one, other)


def test_saved_and_loaded(tmp_path: Any) -> None:
    f = value_and_grad(elman)
    expected = f(W, H, XS)
    f.save(tmp_path / "elman.anabranch")
    made = anabranch.load(tmp_path / "elman.anabranch")(W, H, XS)
    assert_same(made[0], expected[0])
    assert_same(made[1], expected[1])


def test_the_graph_and_the_plan_do_not_grow_with_the_steps() -> None:
    graphs = [make_ir(grad(elman))(W, H, RNG.normal(size=(n, 3))) for n in (10, 1000)]
    few, many = ([node.op for node in graph] for graph in graphs)
    assert few == many


def test_an_index_in_a_body_is_checked(backend: str) -> None:
    f = jit(
        lambda xs, k: fori_loop(0, 9, lambda i, c: c + xs[k + i], 0.0), backend=backend
    )
    assert np.isclose(f(np.arange(12.0), 3), sum(range(3, 12)))
    with pytest.raises(IndexError, match="out of bounds"):
        f(np.arange(12.0), 4)


def halved_unless_positive(c: Any, x: Any) -> Any:
    y = c * 0.5
    if np.sum(x) > 0:
        y = y + x
    return y, c


def test_a_body_is_rewritten_as_the_function_around_it(same: Any) -> None:
    def run(xs: Any) -> Any:
        def step(c: Any, x: Any) -> Any:
            y = np.zeros(3)
            y[0] = x[1]
            if c[0] > 0:
                y = y + c
            return y, np.sum(y)

        return scan(step, xs[0], xs), scan(halved_unless_positive, xs[0], xs)

    same(run, XS, rtol=1e-14)
