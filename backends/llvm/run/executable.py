"""A plan made callable: kernels compiled, tables filled, one native call to run."""

from __future__ import annotations

import ctypes
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate, chain, islice
from typing import Any

import numpy as np

from ....ir.collection import paused_collection
from ....ir.graph import Graph
from ....ir.ops.index import failure_of
from ....ir.text import format_node
from ...base import Array, Report, Stages
from ...hosts import callback_error
from ..emit import make_plan
from ..engine.engine import (
    assembly,
    compile_kernels,
    executor,
    failure,
    kernel_llvm,
)
from ..kernels.form import Kernel, Nest
from ..kernels.printer import print_kernel
from ..kernels.source import Source
from ..machine import current
from ..plan.arena import ALIGNMENT, LARGE
from ..plan.lane_blocks import blocked
from ..plan.step import Plan, Step
from .freed import keep_freed
from .listing import kernel_numbers, listing
from .threads import parallel_address, pool_address, pool_sources

__all__ = ["LLVMExecutable", "prepare", "scratch_bytes"]

MAX_IDLE_FRAMES = 4


def source_of(kernel: Kernel | Source) -> str:
    """The text of a kernel."""
    return print_kernel(kernel) if isinstance(kernel, Kernel) else kernel.text


class Frame:
    """The memory of one call: the arena, and the table of buffers.

    ``words`` has a place for whoever keeps frames; then the table: the addresses of
    the arrays, which each call fills in, of the constants and of the scratch buffers;
    then ``room`` words for whoever asked for them. ``buffers`` is the table's address.
    """

    __slots__ = ("arena", "buffers", "words")

    def __init__(self, plan: Plan, constants: Array, arena: Array, room: int) -> None:
        self.arena = arena
        start = arena.ctypes.data
        start += -start % ALIGNMENT
        arrays = plan.first_scratch - 1
        scratch = [start + offset for offset in plan.offsets]
        table = [*(0,) * arrays, constants.ctypes.data, *scratch]
        self.words = np.array([0, *table, *(0,) * room], np.int64)
        self.buffers = self.words.ctypes.data + 8


class LLVMExecutable:
    """A prepared graph.

    Everything but the frame is shared and constant after construction, so that any
    number of threads may call at once: each call takes a frame of its own.
    """

    def __init__(self, plan: Plan, seconds: Stages) -> None:
        self.plan = plan
        self._seconds = seconds
        kernels = dict.fromkeys(step.kernel for step in plan.steps)
        distinct = {kernel: source_of(kernel) for kernel in kernels}
        self.sources = list(distinct.values())
        with seconds.timed("compile"):
            has_tasks = any(step.tasks for step in plan.steps)
            self._shares = has_tasks and current().threads > 1
            also = pool_sources() if self._shares else ()
            loaded = compile_kernels([*self.sources, *also])
            self._run = executor()
        labels = {distinct[step.kernel]: step.label for step in reversed(plan.steps)}
        self._kernels = [(labels[s], loaded[s].origin) for s in self.sources]
        self._addresses = {k: loaded[source].address for k, source in distinct.items()}
        self._tables: list[Array] = []
        self.program, self.steps = self._program(plan.steps)
        self.work = plan.work
        self.checked = bool(plan.checks)
        self.constants = np.array(list(plan.constants) or [0], np.int64)
        graph = plan.graph
        self._outputs = [
            (graph[name].type.shape, graph[name].type.numpy) for name in graph.results
        ]
        self._count = len(graph.inputs) + len(self._outputs)
        self._objects: Any = ctypes.py_object * self._count
        self._frames: deque[Frame] = deque(maxlen=MAX_IDLE_FRAMES)

    def _table(self, words: Iterable[int]) -> int:
        """The address of a table of words that lives as long as this."""
        table = np.fromiter(words, np.int64)
        self._tables.append(table)
        return table.ctypes.data

    def _program(self, steps: Sequence[Step]) -> tuple[int, int]:
        """The address of a row for each step, and how many there are.

        A row is a kernel, and the address of its words; all words lie in one table. The
        row of a step with tasks is the kernel that hands them out, and its words say
        where the rows of the tasks are; a single thread has them in place of the step.
        A step with branches has the program of each, one that has tasks too gives one
        to each of them.
        """
        outer: list[Step] = []
        rest = iter(steps)
        for step in rest:
            if step.branches:
                run: Any = self._run
                words = [*step.words, ctypes.cast(run, ctypes.c_void_p).value or 0]
                programs = [
                    self._program(list(islice(rest, count))) for count in step.branches
                ]
                each = [(*words, *one) for one in programs] if step.tasks else ()
                words += chain.from_iterable(programs)
                step = replace(step, words=tuple(words), tasks=tuple(each))
            outer.append(step)
        calls = [
            words.words if isinstance(words, Nest) else words
            for step in outer
            for words in step.tasks or (step.words,)
        ]
        start = self._table(chain.from_iterable(calls))
        places = (
            start + 8 * offset for offset in accumulate(map(len, calls), initial=0)
        )
        rows: list[int] = []
        for step in outer:
            kernel = self._addresses[step.kernel]
            own = [w for _ in step.tasks or (step,) for w in (kernel, next(places))]
            if step.tasks and self._shares:
                tasks = self._table(own), len(step.tasks)
                own = [parallel_address(), self._table((pool_address(), *tasks, 1))]
            rows += own
        return self._table(rows), len(rows) // 2

    def frame(self, room: int = 0) -> Frame:
        """A frame with ``room`` words more; it takes over the arena of an idle one."""
        try:
            arena = self._frames.pop().arena
        except IndexError:
            arena = np.empty(self.plan.arena_bytes + ALIGNMENT, np.uint8)
            keep_freed(self.plan.arena_bytes)
        return Frame(self.plan, self.constants, arena, room)

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        results = [_aligned(shape, dtype) for shape, dtype in self._outputs]
        try:
            frame = self._frames.pop()
        except IndexError:
            frame = self.frame()
        status = self._run(
            self.program,
            self.steps,
            frame.buffers,
            self._objects(*arrays, *results),
            self._count,
        )
        self._frames.append(frame)
        if status:
            raise self.error(failure(status)[1] - 1)
        return results

    def error(self, number: int) -> BaseException:
        """The error of the check or callback of a number."""
        node = self.plan.checks[number]
        if node.op == "callback":
            return callback_error(node)
        return failure_of(node).at(node.source, format_node(node))

    def plan_text(self) -> str:
        """One step a line: the kernel, what it computes, and the scratch it touches.

        The steps of branches stand below the step that chooses, further to the right.
        """
        plan = self.plan
        kernels = kernel_numbers(plan.steps)
        lines = [
            f"plan {plan.graph.name}: {len(plan.steps)} steps, {len(kernels)} distinct "
            f"kernels, arena {plan.arena_bytes} bytes for {sum(plan.scratch)}"
        ]
        ends: list[int] = []  # of the branches that a step is in
        for number, step in enumerate(plan.steps):
            while ends and ends[-1] <= number:
                ends.pop()
            value = f"%{step.node.name} : {step.node.type}"
            label = step.label + (f" x{len(step.tasks)}" if step.tasks else "")
            margin = "  " * len(ends)
            if step.branches:
                ends.append(number + 1 + sum(step.branches))
            lines.append(
                f"{margin}  {number:>4}  {label:<8} kernel {kernels[step.kernel]:<3} "
                f"{value:<40} {self._scratch(step)}".rstrip()
            )
        return "\n".join([*lines, ""])

    def _scratch(self, step: Step) -> str:
        """The ranges of the arena that a step touches."""
        first = self.plan.first_scratch
        numbers = [buffer - first for buffer in sorted(step.buffers) if buffer >= first]
        ranges = [
            f"{self.plan.offsets[i]}:{self.plan.offsets[i] + self.plan.scratch[i]}"
            for i in numbers
        ]
        return f"arena[{', '.join(ranges)}]" if ranges else ""

    def source_text(self) -> str:
        """The generated source of the distinct kernels, each under a heading."""
        return listing(self.plan, self.sources, str)

    def llvm_text(self) -> str:
        """Their LLVM assembly before optimisation."""
        return listing(self.plan, self.sources, kernel_llvm, ";")

    def assembly_text(self) -> str:
        """Their machine code, as assembly for the processor that is used."""
        return listing(self.plan, self.sources, assembly)

    def report(self) -> Report:
        """What planning and compiling took."""
        plan = self.plan
        return Report(
            name=plan.graph.name,
            nodes=len(plan.graph),
            steps=len(plan.steps),
            kernels=self._kernels,
            arena_bytes=plan.arena_bytes,
            seconds=self._seconds,
        )


def _aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array; the memory of a large one begins where stores are fastest."""
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE:
        return np.empty(shape, dtype)
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def prepare(graph: Graph) -> LLVMExecutable:
    """Plan a graph and compile the kernels that this process has not met."""
    seconds = Stages()
    with paused_collection():
        with seconds.timed("plan"):
            plan = _planned(graph)
        return LLVMExecutable(plan, seconds)


def scratch_bytes(graph: Graph) -> int:
    """How much scratch memory the plan of a graph has."""
    return _planned(graph).arena_bytes


def _planned(graph: Graph) -> Plan:
    return make_plan(blocked(graph))
