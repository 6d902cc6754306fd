"""Work cut into tasks: the same bits on any number of threads, the values of one loop.

Here tasks are tiny, so that every loop of small random graphs is cut.
"""

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anabranch import conv, jit, max_pool, value_and_grad
from anabranch.backends.llvm.kernels import products
from anabranch.backends.llvm.machine import current, using
from anabranch.backends.llvm.plan import step as plan_step
from anabranch.backends.llvm.plan import tasks
from anabranch.backends.llvm.plan.arena import Lifetime
from anabranch.backends.llvm.run import threads as pool
from anabranch.backends.llvm.run.executable import LLVMExecutable, _planned, prepare
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Graph
from tests.oracles.bits import assert_same_bits
from tests.oracles.work import HANGS
from tests.strategies import random_sample

SEEDS = range(40)


@pytest.fixture(autouse=True)
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is one thread, nothing is handed out."""
    monkeypatch.setenv("ANABRANCH_THREADS", "2")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tasks, "TASK", 1e-3)
    monkeypatch.setattr(tasks, "GRAIN", 2)
    yield
    pool.set_threads(current().threads)


def gradient(seed: int) -> tuple[Graph, list[Any]]:
    """A random graph with its adjoint as the backends get it, and its inputs."""
    sample = random_sample(seed)
    graph = adjoint(sample.graph, wrt=sample.floats, seeded=True)
    rng = np.random.default_rng(seed)
    missing = [node.type for node in graph.inputs[len(sample.point) :]]
    seeds = [rng.uniform(-1, 1, t.shape).astype(t.numpy) for t in missing]
    return optimise(graph), [*sample.point, *seeds]


def run(executable: LLVMExecutable, point: Sequence[Any]) -> list[Any]:
    arrays = [np.ascontiguousarray(value) for value in point]
    pairs = zip(arrays, point, strict=True)
    return executable([array.reshape(np.shape(value)) for array, value in pairs])


def assert_close(made: list[Any], expected: list[Any]) -> None:
    for a, b in zip(made, expected, strict=True):
        if b.dtype.kind == "f":
            rtol = 64 * float(np.finfo(b.dtype).eps)
            scale = float(np.max(np.abs(b), initial=0, where=np.isfinite(b)))
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale)
        else:
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_tasks_change_nothing_but_rounding(seed: int, tiny: None) -> None:
    graph, point = gradient(seed)
    cut = prepare(graph)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "TASK", float("inf"))
        whole = prepare(graph)
    assert not any(step.tasks for step in whole.plan.steps)
    pool.set_threads(1)
    expected = run(cut, point)
    assert_close(expected, run(whole, point))
    for count in (2, 4):
        pool.set_threads(count)
        for _ in range(3):
            assert_same_bits(run(cut, point), expected)


def test_a_single_thread_has_the_tasks_as_steps(tiny: None) -> None:
    graph, point = gradient(0)
    shared = prepare(graph)
    with using(current()._replace(threads=1)):
        alone = prepare(graph)
    steps = alone.plan.steps
    assert shared.steps == len(steps) < alone.steps
    assert alone.steps == sum(max(len(step.tasks), 1) for step in steps)
    assert_same_bits(run(alone, point), run(shared, point))


def test_the_graphs_above_are_cut(tiny: None) -> None:
    steps = [step for seed in SEEDS for step in _planned(gradient(seed)[0]).steps]
    assert sum(bool(step.tasks) for step in steps) > 100


@given(size=st.integers(1, 5000), count=st.integers(1, 40))
def test_ranges_cover_everything_once(size: int, count: int) -> None:
    ranges = tasks.ranges(size, count)
    assert len(ranges) <= count
    assert ranges[0].start == 0
    assert ranges[-1].stop == size
    assert all(len(part) > 0 for part in ranges)
    assert all(one.stop == two.start for one, two in pairwise(ranges))
    assert tasks.ranges(size, len(ranges)) == ranges


def poisoned(executable: LLVMExecutable, point: Sequence[Any]) -> list[Any]:
    """Run with an arena full of NaN."""
    frame = executable.frame()
    frame.arena[:] = 0xFF
    executable._frames.append(frame)
    return run(executable, point)


def no_reuse(buffers: Sequence[Lifetime]) -> tuple[list[int], int]:
    """Every buffer in a place of its own."""
    offsets, total = [], 0
    for buffer in buffers:
        offsets.append(total)
        total += -(-buffer.nbytes // 64) * 64
    return offsets, total


@pytest.mark.parametrize("seed", SEEDS[1::2])
def test_memory_is_written_before_it_is_read(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, point = gradient(seed)
    executable = prepare(graph)
    expected = run(executable, point)
    monkeypatch.setattr(plan_step, "place", no_reuse)
    apart = prepare(graph)
    assert apart.plan.arena_bytes >= executable.plan.arena_bytes
    assert_same_bits(poisoned(executable, point), expected)
    assert_same_bits(run(apart, point), expected)
    assert_same_bits(poisoned(apart, point), expected)


def large(x: Any) -> Any:
    return np.sum(np.exp(x), axis=0), np.max(x), np.tanh(x) * x


X = np.random.default_rng(0).normal(size=(700, 300))


def test_threads_share_the_workers() -> None:
    compiled = jit(large)
    expected = compiled(X)
    assert any(step.tasks for step in _steps(compiled))
    pool.set_threads(3)
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(50):
            for a, b in zip(compiled(X), expected, strict=True):
                if not np.array_equal(a, b):
                    wrong.append(number)

    callers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(HANGS)
        assert not caller.is_alive()
    assert not wrong


def _steps(compiled: Any) -> Any:
    return compiled._newest().runner("llvm").plan.steps


def _child(channel: Any, compiled: Any) -> None:
    channel.send([compiled(X) for _ in range(3)])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_children_compute_the_same(method: str) -> None:
    compiled = jit(large)
    pool.set_threads(2)
    expected = compiled(X)
    context: Any = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=_child, args=(theirs, compiled), daemon=True)
    child.start()
    assert ours.poll(HANGS), "the child hangs"
    for result in ours.recv():
        assert_same_bits(result, expected)
    child.join(HANGS)
    assert child.exitcode == 0


SCRIPT = """
import hashlib, numpy as np, anabranch
x = np.random.default_rng(0).normal(size=(900, 400)).astype(np.float32)
w = np.random.default_rng(1).normal(size=(400, 300)).astype(np.float32)
f = anabranch.value_and_grad(lambda w: np.sum(np.tanh(x @ w) ** 2), argnums=0)
value, gradient = f(w)
print(hashlib.sha256(value.tobytes() + gradient.tobytes()).hexdigest())
"""


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    prints = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "ANABRANCH_THREADS": str(count)},
            capture_output=True,
            text=True,
            check=True,
            timeout=HANGS,
        ).stdout
        for count in (1, 2, 5)
    }
    assert len(prints) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((90, 70), (70, 80)),
        ((1, 300), (300, 200)),
        ((200, 3), (3, 1)),
        ((5, 40, 30), (5, 30, 20)),
        ((5, 40, 30), (30, 20)),
        ((2, 3, 20, 30), (2, 3, 30, 20)),
    ],
    ids=str,
)
def test_products_are_cut(
    left: Any, right: Any, dtype: Any, tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By kernels of our own, also where BLAS would be faster."""
    monkeypatch.setattr(products, "LARGE", dict.fromkeys(products.LARGE, 2**27))
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=shape).astype(dtype) for shape in (left, right))

    def both(x: Any, y: Any) -> Any:
        x_turned, y_turned = (np.swapaxes(z, -1, -2).copy() for z in (x, y))
        return x @ y, np.swapaxes(x_turned, -1, -2) @ np.swapaxes(y_turned, -1, -2)

    compiled = jit(both)
    pool.set_threads(1)
    expected = compiled(x, y)
    assert any(step.tasks and step.label != "copy" for step in _steps(compiled))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "TASK", float("inf"))
        assert_same_bits(jit(both)(x, y), expected)
    pool.set_threads(3)
    for _ in range(3):
        assert_same_bits(compiled(x, y), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shape", [(7, 3, 12, 11), (33, 2, 9)], ids=str)
def test_convolutions_are_cut(shape: Any, stride: int, dtype: Any, tiny: None) -> None:
    rng = np.random.default_rng(0)
    window = (5, shape[1], *(3,) * (len(shape) - 2))
    x, w = (rng.normal(size=size).astype(dtype) for size in (shape, window))

    def loss(x: Any, w: Any) -> Any:
        return np.sum(np.tanh(conv(x, w, stride=stride)))

    compiled = value_and_grad(loss, argnums=(0, 1))
    pool.set_threads(1)
    value, gradients = compiled(x, w)
    cut = {step.label for step in _steps(compiled) if step.tasks}
    assert {"correlate", "spread", "dots"} <= cut
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "TASK", float("inf"))
        whole_value, whole = value_and_grad(loss, argnums=(0, 1))(x, w)
    assert_close([value, *gradients], [whole_value, *whole])
    pool.set_threads(3)
    for _ in range(3):
        again, same = compiled(x, w)
        assert_same_bits([again, *same], [value, *gradients])


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_pooling_is_cut(size: int, stride: int, tiny: None) -> None:
    x = np.random.default_rng(0).integers(0, 9, (5, 3, 8, 9)).astype(np.float32)

    def loss(x: Any) -> Any:
        return np.sum(np.tanh(max_pool(x, size, stride=stride)))

    compiled = value_and_grad(loss)
    pool.set_threads(1)
    expected = compiled(x)
    cut = {step.label for step in _steps(compiled) if step.tasks}
    assert {"max_pool", "max_pool_input"} <= cut
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks, "TASK", float("inf"))
        assert_same_bits(value_and_grad(loss)(x)[1], expected[1])
    pool.set_threads(3)
    for _ in range(3):
        assert_same_bits(compiled(x), expected)
