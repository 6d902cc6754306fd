"""Values over operands that die: where the plan does so, and that nothing is lost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from anabranch.backends.llvm.engine.engine import compile_kernels
from anabranch.backends.llvm.kernels.form import (
    Access,
    Instruction,
    Kernel,
    Nest,
    Write,
)
from anabranch.backends.llvm.kernels.printer import print_kernel
from anabranch.backends.llvm.machine import current
from anabranch.backends.llvm.plan import step, tasks
from anabranch.backends.llvm.plan.arena import Lifetime
from anabranch.backends.llvm.plan.step import Plan, Step
from anabranch.backends.llvm.run import threads as pool
from anabranch.backends.llvm.run.executable import LLVMExecutable, _planned, prepare
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Graph, parse
from tests.backends.kernels import run_at
from tests.oracles.bits import assert_same_bits
from tests.strategies import random_sample

SEEDS = range(40)


@cache
def gradient(seed: int) -> tuple[Graph, list[Any]]:
    """A random graph with its adjoint as the backends get it, and its inputs."""
    sample = random_sample(seed)
    graph = optimise(adjoint(sample.graph, wrt=sample.floats, seeded=True))
    rng = np.random.default_rng(seed)
    missing = [node.type for node in graph.inputs[len(sample.point) :]]
    cotangents = [rng.uniform(-1, 1, t.shape).astype(t.numpy) for t in missing]
    return graph, [np.ascontiguousarray(x) for x in [*sample.point, *cotangents]]


def over(step: Step) -> dict[int, int]:
    """The buffers that the step writes in place, each with that of the operand."""
    if not (isinstance(step.kernel, Kernel) and isinstance(step.words, Nest)):
        return {}
    kernel = step.kernel
    buffers = [place.buffer for place in step.words.places]
    pairs = enumerate(kernel.writes, len(kernel.reads))
    return {buffers[i]: buffers[w.over] for i, w in pairs if w.over is not None}


def apart(monkeypatch: pytest.MonkeyPatch, graph: Graph) -> LLVMExecutable:
    """Every buffer in memory of its own."""

    def alone(
        steps: Sequence[Step], lifetimes: Sequence[Lifetime], *rest: Any
    ) -> tuple[list[Step], list[int]]:
        return list(steps), list(range(len(lifetimes)))

    def place(buffers: Sequence[Lifetime]) -> tuple[list[int], int]:
        sizes = [-(-buffer.nbytes // 64) * 64 for buffer in buffers]
        return [sum(sizes[:i]) for i in range(len(sizes))], sum(sizes)

    with monkeypatch.context() as patch:
        patch.setattr(step, "in_place", alone)
        patch.setattr(step, "place", place)
        return prepare(graph)


def poisoned(executable: LLVMExecutable, point: list[Any]) -> list[Any]:
    """The results with an arena full of NaN."""
    frame = executable.frame()
    frame.arena[:] = 0xFF
    executable._frames.append(frame)
    return executable(point)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch):
    """Tasks so small that every loop is cut."""
    monkeypatch.setattr(tasks, "TASK", 1e-3)
    monkeypatch.setattr(tasks, "GRAIN", 2)
    monkeypatch.setenv("ANABRANCH_THREADS", "2")
    before = current().threads
    yield
    pool.set_threads(before)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_lives_shares_memory_but_in_place(seed: int) -> None:
    plan = _planned(gradient(seed)[0])
    first, lifetimes = plan.first_scratch, plan.lifetimes()
    spans = [
        (start, start + size, life)
        for start, size, life in zip(plan.offsets, plan.scratch, lifetimes, strict=True)
    ]
    for (a, one), (b, other) in combinations(enumerate(spans), 2):
        if 0 in (one[2].nbytes, other[2].nbytes):
            continue
        if one[0] >= other[1] or other[0] >= one[1]:
            continue
        (early, dying), (late, born) = sorted(
            ((a, one[2]), (b, other[2])), key=lambda pair: pair[1]
        )
        assert dying.last <= born.first
        if dying.last == born.first:
            assert over(plan.steps[born.first])[late + first] == early + first


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_results_are_those_of_buffers_apart(
    seed: int, tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, point = gradient(seed)
    executable, alone = prepare(graph), apart(monkeypatch, graph)
    pool.set_threads(1)
    expected = alone(point)
    for number in (1, 2):
        pool.set_threads(number)
        assert_same_bits(executable(point), expected)
        assert_same_bits(poisoned(executable, point), expected)
        assert_same_bits(poisoned(alone, point), expected)


def test_random_graphs_compute_in_place() -> None:
    plans = [_planned(gradient(seed)[0]) for seed in SEEDS]
    assert sum(bool(over(step)) for plan in plans for step in plan.steps) > 30


def swapping(dtype: str, rank: int) -> Kernel:
    """``-x0`` goes over x1 and ``abs(x1)`` over x0: no store needs the other's load."""
    access = Access(dtype, 1 if rank else 0, scalar=not rank)
    body = Instruction("neg", (0,), dtype), Instruction("abs", (1,), dtype)
    writes = Write(access, 2, over=1), Write(access, 3, over=0)
    return Kernel(rank, (False,) * rank, (access, access), body, writes)


@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_elements_are_read_before_they_are_overwritten(dtype: str, rank: int) -> None:
    """Whatever the compiler knows of the pointers, and in what order it stores."""
    source = print_kernel(swapping(dtype, rank))
    assert "y0" not in source, "one pointer for one memory"
    address = compile_kernels([source])[source].address
    rng = np.random.default_rng(0)
    for columns in (1, 3, 16, 17, 100) if rank else (1,):
        sizes = (5, columns)[2 - rank :]
        strides = (columns + 3, 1)[2 - rank :]
        x, y = rng.normal(size=(2, 5, columns + 3)).astype(dtype.replace("f", "float"))
        shown = [array[: sizes[0] if rank == 2 else 1, :columns] for array in (x, y)]
        before = [np.copy(array) for array in shown]
        words = [*sizes, *(w for b in (0, 1, 1, 0) for w in (b, 0, *strides))]
        assert run_at(address, (x, y), words) == 0
        np.testing.assert_array_equal(shown[0], np.abs(before[1]))
        np.testing.assert_array_equal(shown[1], -before[0])


def plan_of(*lines: str) -> Plan:
    body = "\n".join(lines)
    inputs = "%x: f64[40,50], %y: f64[50,50]"
    return prepare(optimise(parse(f"graph f({inputs}) {{\n{body}\n}}"))).plan


PRODUCT = "%a = matmul(%x, %y) : f64[40,50]"


def test_a_chain_of_layers_needs_two_places() -> None:
    lines = [PRODUCT]
    for i in range(4):
        last = "a" if i == 0 else f"p{i - 1}"
        lines.append(f"%t{i} = tanh(%{last}) : f64[40,50]")
        lines.append(f"%p{i} = matmul(%t{i}, %y) : f64[40,50]")
    plan = plan_of(*lines, "return %p3")
    assert plan.arena_bytes == 2 * 40 * 50 * 8
    assert sum(map(bool, map(over, plan.steps))) == 4


@pytest.mark.parametrize(
    "lines",
    [
        # The operand is read later.
        ("%t = tanh(%a) : f64[40,50]", "%p = matmul(%t, %y) : f64[40,50]",
         "%q = matmul(%p, %y) : f64[40,50]", "%s = concatenate(%q, %a) {axis=0} : "
         "f64[80,50]", "return %s"),
        # It is read at other places of the same step.
        ("%r = reshape(%a) {shape=(50,40)} : f64[50,40]",
         "%t = transpose(%r) {perm=(1,0)} : f64[40,50]",
         "%s = add(%t, %a) : f64[40,50]", "%p = matmul(%s, %y) : f64[40,50]",
         "return %p"),
        # The result has another dtype, though the same bytes.
        ("%t = cast(%a) {dtype=\"i64\"} : i64[40,50]",
         "%u = transpose(%t) {perm=(1,0)} : i64[50,40]",
         "%p = matmul(%u, %t) : i64[50,50]", "return %p"),
        # The result is an output, the operand an input.
        ("%t = tanh(%a) : f64[40,50]", "return %t"),
        ("%t = tanh(%x) : f64[40,50]", "%p = matmul(%t, %y) : f64[40,50]",
         "return %p"),
    ],
)  # fmt: skip
def test_what_is_not_in_place(lines: Sequence[str]) -> None:
    assert not any(map(over, plan_of(PRODUCT, *lines).steps))
