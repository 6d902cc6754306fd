"""Arrays that a loop stores into: what of them has to be there before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch import jit
from anabranch.backends.llvm.emit import make_plan
from anabranch.backends.llvm.plan.begun import stored_first
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.ir import Builder, Graph, parse

N = 30
RNG = np.random.default_rng(11)
CASES: list[tuple[Callable[[Any], Any], list[int]]] = []


def begins_with(*copies: int) -> Callable[[Any], Any]:
    """A function of an array, whose loop begins with copies of so many elements."""

    def add(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        CASES.append((function, list(copies)))
        return function

    return add


@begins_with(N, N, N - 2, N - 2)
def inside(x):
    out = np.ones_like(x)
    for i in range(1, N - 1):
        for j in range(1, N - 1):
            out[i, j] = x[i - 1, j] + x[i, j + 1]
    return out


@begins_with()
def everything(x):
    out = np.ones_like(x)
    for i in range(N):
        for j in range(N):
            out[j, N - 1 - i] = x[i, j]
    return out


@begins_with(2 * N, N - 2)
def what_came_before(x):
    out = np.ones_like(x)
    for i in range(2, N):
        for j in range(1, N):
            out[i, j] = x[i, j] * out[i - 1, j] - out[i, j - 1] / 2
    return out


@begins_with(N, N - 1)
def what_came_before_from_behind(x):
    out = np.ones_like(x)
    for i in range(N - 2, -1, -1):
        for j in range(N - 2, -1, -1):
            out[i, j] = x[i, j] * out[i + 1, j] - out[i, j + 1] / 2
    return out


@begins_with(N * N)
def what_comes_later(x):
    out = np.ones_like(x)
    for i in range(N - 1):
        for j in range(1, N):
            out[i, j] = x[i, j] + out[i + 1, j - 1]
    return out


@begins_with(N * N)
def what_is_stored_next(x):
    out = np.ones_like(x)
    for i in range(N):
        for j in range(N):
            out[i, j] += x[i, j] + out[i, j] * x[j, i]
    return out


@begins_with(N * N)
def some_of_it(x):
    out = np.ones_like(x)
    for i in range(N):
        for j in range(N):
            if x[i, j] > 0:
                out[i, j] = x[i, j]
    return out


@begins_with(N * N)
def every_other_one(x):
    out = np.ones_like(x)
    for i in range(N):
        for j in range(0, N, 2):
            out[i, j] = x[i, j]
    return out


@begins_with(N * N)
def a_diagonal(x):
    out = np.ones_like(x)
    for i in range(N):
        out[i, i] = x[i, 0]
    return out


@begins_with(N * N)
def the_whole_while_it_is_stored(x):
    out = np.ones_like(x)
    for i in range(N):
        out[i] = x[i] + np.sum(out, axis=0)
    return out


@pytest.mark.parametrize(
    ("function", "copies"), CASES, ids=[case[0].__name__ for case in CASES]
)
def test_what_a_loop_stores_is_not_copied_before(function, copies):
    """Called again with other numbers: what is left over from before is no result."""
    compiled = jit(function)
    xs = RNG.normal(size=(3, N, N))
    for x in xs:
        np.testing.assert_allclose(compiled(x), function(x), rtol=1e-12)
    plan = make_plan(optimise(anabranch.make_ir(function)(xs[0])))
    made = [step.work for step in plan.steps if step.label == "copy"]
    assert made[: len(copies) or None] == copies


def nest(seed: int) -> Graph:
    """Two loops that read and store an array at places that their counters move."""
    rng = np.random.default_rng(seed)

    def chance(share: float) -> bool:
        return bool(rng.random() < share)

    signs, swapped = rng.choice([1, -1], size=2), chance(0.3)
    first = rng.integers(0, 8, size=2)

    def place(near: int) -> tuple[str, str]:
        """Positions and attributes of a place like that of the first store."""
        by = rng.choice([1, -1], size=2) if near and chance(0.1) else signs
        moved = ["%t" if by[0] > 0 else "%mt", "%u" if by[1] > 0 else "%mu"]
        start = first + rng.integers(-near, near + 1, 2)
        if swapped != (near > 0 and chance(0.05)):
            moved, by = moved[::-1], by[::-1]
        inside = [
            int(np.clip(at, *((0, 4) if up > 0 else (3, 7))))
            for at, up in zip(start, by, strict=True)
        ]
        attrs = f"axes=(0, 1), start={tuple(inside)}, step=(1, 1)"
        return ", ".join(moved), attrs

    lines: list[str] = []
    version, value = "%a", "%v"
    count = int(rng.integers(1, 5))
    for number in range(count + 1):
        if number == count or chance(0.4):
            at, attrs = place(0 if number == count or chance(0.8) else 1)
            stored = f"update_at({version}, {value}, {at}) {{{attrs}}}"
            version = f"%w{number}"
            lines.append(f"{version} = {stored} : f64[8,8]")
        else:
            at, attrs = place(1)
            read = f"slice_at({version}, {at}) {{{attrs}, shape=(1, 1)}}"
            lines.append(f"%r{number} = {read} : f64[1,1]")
            lines.append(f"%s{number} = add({value}, %r{number}) : f64[1,1]")
            value = f"%s{number}"
    inner, outer = (", reverse=True" if chance(0.3) else "" for _ in range(2))
    return parse(f"""
        graph f(%x: f64[8,8], %v: f64[1,1]) {{
          %y = loop(%v, %x) {{trips=4, carried=1{outer}}} : f64[8,8]:
            body(%t: i64[], %v: f64[1,1], %a: f64[8,8]) {{
              %y = loop(%t, %v, %a) {{trips=4, carried=1{inner}}} : f64[8,8]:
                body(%u: i64[], %t: i64[], %v: f64[1,1], %a: f64[8,8]) {{
                  %m = const() {{value=-1}} : i64[]
                  %mt = mul(%t, %m) : i64[]
                  %mu = mul(%u, %m) : i64[]
                  {chr(10).join(lines)}
                  return {version}
                }}
              return %y
            }}
          return %y
        }}""")


def test_what_is_stored_first_is_never_read_before() -> None:
    """NaN there changes nothing."""
    boxes = 0
    for seed in range(150):
        graph = nest(seed)
        box = stored_first(graph["y"], "y")
        if box is None:
            continue
        boxes += 1
        b = Builder("poisoned", reserved=graph.nodes)
        for node in graph:
            operands = node.operands
            if node.op == "loop":
                nothing = b.full(node.type.with_shape(box.shape), np.nan)
                root = b.update(b["x"], nothing, start=box.start, step=box.step)
                operands = (operands[0], root.name)
            b.append(node._replace(operands=operands))
        point = [RNG.normal(size=(8, 8)), RNG.normal(size=(1, 1))]
        poisoned = interpret(graph.with_nodes(list(b.nodes)), point)
        np.testing.assert_array_equal(poisoned, interpret(graph, point))
    assert boxes > 40


def side_by_side(x):
    out = np.ones(2 * N)
    for i in range(N):
        out[2 * i] = x[0, i]
        out[2 * i + 1] = x[1, i] * x[0, i]
    return out


def one_after_the_other(x):
    out = np.ones(2 * N + 2)
    for i in range(N):
        out[2 * i + 2] = x[0, i]
        out[2 * i] = x[1, i] * x[0, i]
    return out


def read_between(x):
    out = np.ones(2 * N + 3)
    for i in range(N):
        out[2 * i + 3] = x[0, i] + out[2 * i]
        out[2 * i + 2] = x[1, i] * out[2 * i + 1]
    return out


@pytest.mark.parametrize(
    ("function", "in_lanes", "copies"),
    [
        (side_by_side, True, []),
        (one_after_the_other, False, [2 * N + 2]),
        (read_between, False, [2 * N + 3]),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_stores_that_never_meet_are_in_lanes(function, in_lanes, copies):
    compiled = jit(function)
    xs = RNG.normal(size=(3, N, N))
    for x in xs:
        np.testing.assert_allclose(compiled(x), function(x), rtol=1e-12)
    sweeps = compiled.inspect_source().split("# kernel")
    (loop,) = (text for text in sweeps if ", loop, step" in text)
    assert ("lanes(" in loop) == in_lanes
    plan = make_plan(optimise(anabranch.make_ir(function)(xs[0])))
    assert [step.work for step in plan.steps if step.label == "copy"] == copies
