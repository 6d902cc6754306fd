"""A plan as data: its steps, its constants, and the sizes of its buffers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TypeAlias

from ....ir.graph import Graph, Node
from ..kernels.form import Kernel, Nest
from ..kernels.source import Source
from .arena import Lifetime, place
from .inplace import in_place

__all__ = ["Plan", "Step", "Words"]

Words: TypeAlias = "Nest | tuple[int, ...]"


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel call: a loop nest or a kernel written by hand, and its words.

    The words of a loop nest are a `Nest`, those of another kernel integers, mostly in
    the record that stands beside its text.
    ``node`` is the node that the step computes, for messages and for the plan's text;
    ``buffers`` are those that it touches. A step with ``tasks`` calls the kernel with
    the words of each instead, in any order, or at once. Products and convolutions say
    how many ``multiplications`` they take.

    A step with ``branches`` runs one of the next lists of steps in the plan, which have
    so many steps each. Then the plan goes on behind the last list. A step that
    ``repeats`` runs the first list about so often, and then the second. One with
    branches and tasks runs all lists, in any order, or at once.
    """

    kernel: Kernel | Source
    words: Words
    node: Node
    label: str
    buffers: tuple[int, ...]
    tasks: tuple[Words, ...] = ()
    multiplications: int = 0
    branches: tuple[int, ...] = ()
    repeats: int = 0

    @property
    def work(self) -> int:
        """About how many elements are computed, or what takes as long."""
        if isinstance(self.words, Nest):
            return math.prod(self.words.sizes)
        return max(math.prod(self.node.type.shape), self.multiplications // 16)


@dataclass
class Plan:
    """Everything that a call needs, besides the arrays.

    ``checks`` are the nodes that may fail: the status of one is its number, from 1 on.
    ``kernels`` are the distinct ones, ``constants`` 64-bit words with their places,
    ``scratch`` the sizes of the scratch buffers in bytes, and ``offsets`` their places
    in an arena of ``arena_bytes``. ``pointers`` says for the buffer of a pointer which
    buffer it points into.
    """

    graph: Graph
    steps: list[Step] = field(default_factory=list[Step])
    checks: list[Node] = field(default_factory=list[Node])
    kernels: dict[Kernel | Source, Kernel | Source] = field(
        default_factory=dict[Kernel | Source, Kernel | Source]
    )
    constants: dict[int, int] = field(default_factory=dict[int, int])
    scratch: list[int] = field(default_factory=list[int])
    offsets: list[int] = field(default_factory=list[int])
    arena_bytes: int = 0
    pointers: dict[int, int] = field(default_factory=dict[int, int])

    @property
    def first_scratch(self) -> int:
        """The number of the first scratch buffer."""
        return len(self.graph.inputs) + len(self.graph.outputs) + 1

    def behind(self, buffer: int) -> list[int]:
        """The buffer, and those that it points into."""
        found = [buffer]
        while found[-1] in self.pointers:
            found.append(self.pointers[found[-1]])
        return found

    @property
    def work(self) -> int:
        """About how many elements a run computes."""
        total, ends = 0, [(len(self.steps), 1)]
        for number, step in enumerate(self.steps):
            while ends[-1][0] <= number:
                ends.pop()
            times = ends[-1][1]
            total += times * step.work
            if step.repeats:
                ends.append((number + 1 + step.branches[0], times * step.repeats))
        return total

    def lifetimes(self) -> list[Lifetime]:
        """When each scratch buffer is alive.

        What is there before a step that repeats is needed in each iteration, so it is
        alive to the end of all of them, and of the step after, which may not write over
        it in place. What lists touch that run at once is alive in all of them.
        """
        spans: dict[int, list[int]] = {}
        for number, step in enumerate(self.steps):
            for buffer in step.buffers:
                spans.setdefault(buffer, []).append(number)
        for number, step in enumerate(self.steps):
            if step.repeats or (step.branches and step.tasks):
                after = number + 1 + sum(step.branches)
                inside = self.steps[number:after]
                for buffer in {buffer for one in inside for buffer in one.buffers}:
                    span = spans[buffer]
                    if step.tasks:
                        span.insert(0, min(span[0], number))
                    if span[0] <= number:
                        span.append(max(span[-1], after))
        found: list[Lifetime] = []
        for buffer, nbytes in enumerate(self.scratch, self.first_scratch):
            touched = spans.get(buffer)
            size = nbytes if touched else 0
            touched = touched or [0]
            found.append(Lifetime(touched[0], touched[-1], size))
        return found

    def lay_out(self) -> None:
        """Give each scratch buffer its place in the arena, or that of another."""
        lifetimes = self.lifetimes()
        self.steps, holder = in_place(
            self.steps, lifetimes, self.first_scratch, self.behind
        )
        for buffer, other in enumerate(holder):
            if other != buffer:
                last = max(lifetimes[other].last, lifetimes[buffer].last)
                lifetimes[other] = lifetimes[other]._replace(last=last)
                lifetimes[buffer] = Lifetime(0, 0, 0)
        offsets, self.arena_bytes = place(lifetimes)
        self.offsets = [offsets[other] for other in holder]
