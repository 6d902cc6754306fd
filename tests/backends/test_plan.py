"""Plans of large loops: built once, and without memory that no step touches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.emit import make_plan
from anabranch.backends.llvm.plan import loops
from anabranch.backends.llvm.plan import planner as plan
from anabranch.compiler.pipeline import optimise

LARGE = np.ones((3000, 400))
LOOPS: dict[str, Callable[[Any], Any]] = {
    "elementwise": np.exp,
    "row by row": lambda x: np.sum(np.exp(x), 1),
    "column by column": lambda x: np.sum(np.exp(x), 0),
    "a stack of columns": lambda x: np.max(np.reshape(x, (30, 100, 400)), 1),
    "everything": np.sum,
}


def plan_of(function: Callable[[Any], Any]) -> plan.Plan:
    made = make_plan(optimise(anabranch.make_ir(function)(LARGE)))
    assert any(step.tasks for step in made.steps)
    return made


@pytest.mark.parametrize("function", LOOPS.values(), ids=LOOPS.keys())
def test_a_large_loop_touches_all_memory_that_it_gets(function: Any) -> None:
    made = plan_of(function)
    touched = {buffer for step in made.steps for buffer in step.buffers}
    scratch = range(made.first_scratch, made.first_scratch + len(made.scratch))
    assert touched.issuperset(scratch)


def test_ten_times_the_steps_make_no_more_forms_of_loops() -> None:
    """What a step of a graph that repeats itself costs is its words."""

    def chain(steps: int) -> Callable[[Any], Any]:
        def function(x: Any) -> Any:
            for _ in [None] * steps:  # which unrolls, for it is over a list
                x = np.tanh(x @ x) + 0.5
            return x

        return function

    made: list[int] = []
    for steps in (20, 200):
        graph = optimise(anabranch.make_ir(chain(steps))(np.ones((7, 7))))
        loops._form.cache_clear()  # pyright: ignore[reportPrivateUsage]
        assert len(make_plan(graph).steps) >= 2 * steps
        made.append(loops._form.cache_info().misses)  # pyright: ignore[reportPrivateUsage]
    assert made[0] == made[1] <= 3


@pytest.mark.parametrize(
    ("loop", "nests"),
    [("elementwise", 1), ("row by row", 1), ("a stack of columns", 1)],
)
def test_a_large_loop_is_made_once(
    loop: str, nests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless its tasks have results of their own, which change the loop."""
    made: list[Any] = []
    loop_step = plan.loop_step

    def counted(*args: Any) -> Any:
        made.append(args)
        return loop_step(*args)

    monkeypatch.setattr(plan, "loop_step", counted)
    assert len(plan_of(LOOPS[loop]).steps) == nests == len(made)
