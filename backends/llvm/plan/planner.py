"""The plan: which kernels run in which order, and where every value lies.

A value is a `View`: a buffer, a byte offset, and a stride per axis. Ops that only move
elements make views of views and no step. A step is a kernel and its words. Buffers are
numbered: the inputs, the outputs, the constants, and the scratch buffers. The
plan depends on the shapes; the kernels do not. Scratch buffers whose lifetimes do not
overlap share memory in the arena, see `memory`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....ir.graph import Graph, Node
from ....ir.ops import OPS
from ....ir.types import TensorType
from ...fused import needed, units
from ..kernels.form import Instruction, Kernel
from .arena import Lifetime, place
from .concatenation import homes
from .inplace import in_place
from .loops import loop_step, workspaces
from .step import Plan, Step
from .stores import Stores
from .tasks import cut, task_count
from .view import View, row_strides

__all__ = ["Planner", "emits"]

# Planned as soon as they can be: what a slice shows is known before a store is made.
_VIEWS = ("slice", "transpose", "broadcast_to")

EMITTERS: dict[str, Callable[[Planner, Node], View]] = {}


def emits(*ops: str) -> Callable[[Any], Any]:
    """Register how the planner makes the value of an op.

    The emitter takes the planner and the node, adds steps, and returns the view.
    """

    def add(
        emitter: Callable[[Planner, Node], View],
    ) -> Callable[[Planner, Node], View]:
        for op in ops:
            EMITTERS[op] = emitter
        return emitter

    return add


class Planner:
    """Builds the plan of one graph.

    ``views`` has the view of each value that was planned so far.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.plan = Plan(graph)
        self.views: dict[str, View] = {}
        inputs, outputs = len(graph.inputs), len(graph.outputs)
        self._constants = inputs + outputs
        self._pool: dict[int, int] = {}
        self._kernels: dict[Kernel | str, Kernel | str] = {}
        self._needed = needed(graph)
        self._only_readers = _only_readers(graph)
        self._slots: dict[str, int] = {}
        self.stores = Stores(self)
        self._homes = homes(graph, self.stores.chains)
        self._made: dict[str, View] = {}
        for number, name in enumerate(graph.results):
            self._slots.setdefault(name, inputs + number)
        for number, node in enumerate(graph.inputs):
            self.views[node.name] = self._whole(number, node.type)

    def _whole(self, buffer: int, type_: TensorType) -> View:
        return View(buffer, 0, type_, row_strides(type_.sizes))

    def allocate(self, type_: TensorType, name: str | None = None) -> View:
        """Contiguous memory: a new buffer, or where the value ``name`` has its place.

        An output lies in its own buffer, a part of a concatenation or what is stored
        inside the whole; if a loop nest makes it there may be gaps between its rows.
        """
        slot = self._slots.pop(name, None) if name else None
        if slot is not None:
            return self._whole(slot, type_)
        home = self._homes.pop(name, None) if name else None
        if home is not None and home.whole in self.stores:
            view = self.stores.place(home)
            if view is not None:
                return view
        elif home is not None:
            whole = self.concatenation(self.graph[home.whole])
            return home.view._replace(
                buffer=whole.buffer, offset=whole.offset + home.view.offset
            )
        buffer = self.plan.first_scratch + len(self.plan.scratch)
        self.plan.scratch.append(math.prod(type_.sizes) * type_.numpy.itemsize)
        return self._whole(buffer, type_)

    def concatenation(self, node: Node) -> View:
        """The memory of a concatenation, the same at every call."""
        if node.name not in self._made:
            self._made[node.name] = self.allocate(node.type, node.name)
        return self._made[node.name]

    def constant(self, value: bool | int | float, dtype: str) -> View:
        """A scalar of the constant pool; equal bits share their place."""
        type_ = TensorType(dtype, ())
        raw = np.array(value, type_.numpy).tobytes().ljust(8, b"\0")
        bits = int.from_bytes(raw, "little", signed=True)
        place = self._pool.setdefault(bits, len(self._pool))
        if place == len(self.plan.constants):
            self.plan.constants.append(bits)
        return View(self._constants, 8 * place, type_, ())

    def operands(self, node: Node) -> list[View]:
        """The views of a node's operands."""
        return [self.views[name] for name in node.operands]

    def only_reader(self, node: Node) -> Node | None:
        """The node that reads a value in one slot, where nothing else reads it."""
        return self._only_readers.get(node.name)

    def step(
        self,
        node: Node,
        label: str,
        kernel: Kernel | str,
        words: Sequence[int],
        views: Sequence[View],
        tasks: Sequence[tuple[int, ...]] = (),
        multiplications: int = 0,
    ) -> None:
        """Add a call of a kernel that touches ``views``."""
        kernel = self._kernels.setdefault(kernel, kernel)
        buffers = tuple({view.buffer for view in views})
        self.plan.steps.append(
            Step(
                kernel,
                tuple(words),
                node,
                label,
                buffers,
                tuple(tasks),
                multiplications,
            )
        )

    def loop(
        self,
        node: Node,
        label: str,
        space: Sequence[int],
        reads: Sequence[View],
        body: Sequence[Instruction] = (),
        writes: Sequence[tuple[View, int]] = (),
        *,
        reductions: Sequence[tuple[View, int, str]] = (),
        axes: Sequence[int] = (),
        accumulate: bool = False,
    ) -> None:
        """Add a loop nest over ``space``, in tasks if it is large.

        See `loops.loop_step` and `tasks`.
        """
        if 0 in space and not reductions:
            return
        kernel, words, views = loop_step(
            space, reads, body, writes, reductions, axes, accumulate
        )
        count = task_count(kernel, words)
        if count == 1 or not kernel.reduced[0]:
            self._nest(node, label, kernel, words, views, count)
            return
        partial = [
            self.allocate(view.type.with_shape((count, *view.type.sizes)))
            for view, _, _ in reductions
        ]
        of_tasks = [
            (row.reshaped(view.type.sizes), value, op)
            for row, (view, value, op) in zip(partial, reductions, strict=True)
        ]
        nest = loop_step(space, reads, body, writes, of_tasks, axes, accumulate)
        self._nest(node, label, *nest, count)
        combined = [(view, i, op) for i, (view, _, op) in enumerate(reductions)]
        shape = partial[0].type.sizes
        last = loop_step(shape, partial, (), (), combined, (0,), False)
        self._nest(node, label, *last, 1)

    def _nest(
        self,
        node: Node,
        label: str,
        kernel: Kernel,
        words: Sequence[int],
        views: Sequence[View],
        count: int,
    ) -> None:
        """Add a loop nest in ``count`` tasks, each with workspaces of its own."""

        def allocate(type_: TensorType) -> View:
            shape = type_.shape if count == 1 else (count, *type_.shape)
            return self.allocate(type_.with_shape(shape))

        added, rows = workspaces(kernel, words, allocate)
        whole = [*words, *added]
        tasks = cut(kernel, whole, count) if count > 1 else ()
        self.step(node, label, kernel, whole, [*views, *rows], tasks)

    def copy(self, node: Node, source: View, target: View) -> None:
        """Copy ``source`` into ``target``, a view of the same shape."""
        self.loop(node, "copy", source.type.sizes, [source], (), [(target, 0)])

    def fill(self, node: Node, target: View, value: bool | int | float) -> None:
        """Set every element of ``target``."""
        scalar = self.constant(value, target.type.dtype)
        source = scalar.moved(target.type.sizes, (0,) * target.type.rank)
        self.loop(node, "fill", target.type.sizes, [source], (), [(target, 0)])

    def contiguous(self, node: Node, view: View) -> View:
        """``view`` itself, or a contiguous copy of it."""
        if view.is_contiguous:
            return view
        target = self.allocate(view.type)
        self.copy(node, view, target)
        return target

    def run(self) -> Plan:
        """Plan every node, then whatever outputs are not in their place yet."""
        for unit in units(self.graph, early=_VIEWS):
            if unit[0].kernel is not None:
                self._group(unit)
            else:
                self.views[unit[0].name] = EMITTERS[unit[0].op](self, unit[0])
            self.stores.planned(unit)
        inputs = len(self.graph.inputs)
        for number, name in enumerate(self.graph.results):
            view = self.views[name]
            if view.buffer != inputs + number:
                node = self.graph[name]
                self.copy(node, view, self._whole(inputs + number, node.type))
        plan = self.plan
        self._lay_out(plan)
        return plan

    def _lay_out(self, plan: Plan) -> None:
        """Give each scratch buffer its place in the arena, or that of another."""
        lifetimes = plan.lifetimes()
        plan.steps, holder = in_place(plan.steps, lifetimes, plan.first_scratch)
        for buffer, other in enumerate(holder):
            if other != buffer:
                last = max(lifetimes[other].last, lifetimes[buffer].last)
                lifetimes[other] = lifetimes[other]._replace(last=last)
                lifetimes[buffer] = Lifetime(0, 0, 0)
        offsets, plan.arena_bytes = place(lifetimes)
        plan.offsets = [offsets[other] for other in holder]

    def _group(self, members: list[Node]) -> None:
        """One loop nest for the nodes of one fused kernel."""
        inside = {node.name for node in members}
        reads: dict[str, int] = {}
        for node in members:
            for name in node.operands:
                if name not in inside:
                    reads.setdefault(name, len(reads))
        numbers = dict(reads)
        body: list[Instruction] = []
        writes: list[tuple[View, int]] = []
        reductions: list[tuple[View, int, str]] = []
        space: tuple[int, ...] = ()
        axes: Any = ()
        for node in members:
            operands = tuple(numbers[name] for name in node.operands)
            if OPS[node.op].scalar is None:
                axes = node.attrs["axes"]
                space = self.graph[node.operands[0]].type.sizes
                target = self.allocate(node.type, node.name)
                self.views[node.name] = target
                reductions.append((target, operands[0], node.op))
                continue
            space = node.type.sizes
            numbers[node.name] = len(reads) + len(body)
            body.append(Instruction(node.op, operands, node.type.dtype))
            if node.name in self._needed:
                target = self.allocate(node.type, node.name)
                self.views[node.name] = target
                writes.append((target, numbers[node.name]))
        self.loop(
            members[-1],
            f"k{members[0].kernel}",
            space,
            [self.views[name] for name in reads],
            body,
            writes,
            reductions=reductions,
            axes=axes,
        )


def _only_readers(graph: Graph) -> dict[str, Node | None]:
    """The reader of each value, None where there is none or more than one read."""
    found: dict[str, Node | None] = dict.fromkeys(graph.results)
    for node in graph:
        for operand in node.operands:
            found[operand] = None if operand in found else node
    return found
