"""The plan: which kernels run in which order, and where every value lies.

A value is a `View`: a buffer, a byte offset, and a stride per axis. Ops that only move
elements make views of views and no step. A step is a kernel and its words. Buffers are
numbered: the inputs, the outputs, the constants, and the scratch buffers. The
plan depends on the shapes; the kernels do not. Scratch buffers whose lifetimes do not
overlap share memory in the arena, see `memory`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, TypeAlias

import numpy as np

from ....ir.collection import paused_collection
from ....ir.graph import Graph, Node
from ....ir.iterations import rows_beyond
from ....ir.ops import OPS
from ....ir.types import TensorType
from ...fused import needed, units
from ..kernels.form import Instruction, Kernel, Nest
from ..kernels.source import Source
from .concatenation import homes
from .loops import loop_step, workspaces
from .step import Plan, Step, Words
from .stores import Stores
from .tasks import cut, task_count
from .view import View, whole_of

__all__ = ["Planner", "emits", "make_plan"]

# Planned as soon as they can be: what a slice shows is known before a store is made.
_VIEWS = ("slice", "slice_at", "transpose", "broadcast_to")

Emitter: TypeAlias = "Callable[..., View | list[View]]"

EMITTERS: dict[str, Emitter] = {}


def emits(*ops: str) -> Callable[[Any], Any]:
    """Register how the planner makes the value of an op.

    The emitter takes the planner, the node and the views of its operands, and the
    attributes by name. It adds steps, and returns the view, or the list of views of a
    node that makes several values.
    """

    def add(emitter: Emitter) -> Emitter:
        for op in ops:
            EMITTERS[op] = emitter
        return emitter

    return add


class Planner:
    """Adds the steps of one graph to a plan.

    ``views`` has the view of each value that was planned so far, at first those of the
    inputs; ``beyond`` are the `rows_beyond`. ``targets`` are where the results are to
    lie. ``inside`` are inputs that lie where a result is to lie, each with that result,
    which is the last of a chain of stores into it.
    """

    def __init__(
        self,
        graph: Graph,
        plan: Plan,
        inputs: Sequence[View],
        targets: Sequence[View],
        inside: Mapping[str, str] | None = None,
    ) -> None:
        self.graph = graph
        self.plan = plan
        self.views = {
            node.name: view for node, view in zip(graph.inputs, inputs, strict=True)
        }
        self._targets = targets
        self.beyond = rows_beyond(graph)
        self._needed = needed(graph)
        self._only_readers = _only_readers(graph)
        self._slots: dict[str, View] = {}
        self.stores = Stores(self, inside or {})
        self._homes = homes(graph, self.stores.chains)
        self._made: dict[str, View] = {}
        for target, name in zip(targets, graph.results, strict=True):
            self._slots.setdefault(name, target)

    def allocate(self, type_: TensorType, name: str | None = None) -> View:
        """Contiguous memory: a new buffer, or where the value ``name`` has its place.

        An output lies in its own buffer, a part of a concatenation or what is stored
        inside the whole; if a loop nest makes it there may be gaps between its rows.
        """
        slot = self._slots.pop(name, None) if name else None
        if slot is not None:
            return slot
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
        self.plan.scratch.append(type_.nbytes)
        return whole_of(buffer, type_)

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
        constants = self.plan.constants
        place = constants.setdefault(bits, len(constants))
        return View(self.plan.first_scratch - 1, 8 * place, type_, ())

    def operands(self, node: Node) -> list[View]:
        """The views of a node's operands."""
        return [self.views[name] for name in node.operands]

    def status(self, check: Node) -> int:
        """The status of a step in which a check fails."""
        self.plan.checks.append(check)
        return len(self.plan.checks)

    def only_reader(self, node: Node) -> Node | None:
        """The node that reads a value in one slot, where nothing else reads it."""
        return self._only_readers.get(node.name)

    def is_read(self, value: Node) -> bool:
        """Whether something reads a value, or it is a result."""
        return value.name in self._only_readers

    def step(
        self,
        node: Node,
        label: str,
        kernel: Kernel | Source,
        words: Words,
        views: Sequence[View],
        tasks: Sequence[Words] = (),
        multiplications: int = 0,
    ) -> None:
        """Add a call of a kernel that touches ``views``."""
        kernel = self.plan.kernels.setdefault(kernel, kernel)
        touched = {buffer for view in views for buffer in self.plan.behind(view.buffer)}
        buffers = tuple(touched)
        self.plan.steps.append(
            Step(
                kernel,
                words,
                node,
                label,
                buffers,
                tuple(tasks),
                multiplications,
            )
        )

    def call(
        self,
        node: Node,
        label: str,
        kernel: Source,
        views: Sequence[View],
        numbers: Sequence[int] = (),
    ) -> None:
        """Add a call whose words are where ``views`` start, and then ``numbers``."""
        starts = chain.from_iterable(view.start() for view in views)
        self.step(node, label, kernel, (*starts, *numbers), views)

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
        kernel, nest, views = loop_step(
            space, reads, body, writes, reductions, axes, accumulate
        )
        count = task_count(kernel, nest)
        if count == 1 or not kernel.reduced[0]:
            self._nest(node, label, kernel, nest, views, count)
            return
        partial = [
            self.allocate(view.type.with_shape((count, *view.type.shape)))
            for view, _, _ in reductions
        ]
        of_tasks = [
            (row.reshaped(view.type.shape), value, op)
            for row, (view, value, op) in zip(partial, reductions, strict=True)
        ]
        each = loop_step(space, reads, body, writes, of_tasks, axes, accumulate)
        self._nest(node, label, *each, count)
        combined = [(view, i, op) for i, (view, _, op) in enumerate(reductions)]
        shape = partial[0].type.shape
        last = loop_step(shape, partial, (), (), combined, (0,), False)
        self._nest(node, label, *last, 1)

    def _nest(
        self,
        node: Node,
        label: str,
        kernel: Kernel,
        nest: Nest,
        views: Sequence[View],
        count: int,
    ) -> None:
        """Add a loop nest in ``count`` tasks, each with workspaces of its own."""

        def allocate(type_: TensorType) -> View:
            shape = type_.shape if count == 1 else (count, *type_.shape)
            return self.allocate(type_.with_shape(shape))

        whole, rows = workspaces(kernel, nest, allocate)
        tasks = cut(kernel, whole, count) if count > 1 else ()
        self.step(node, label, kernel, whole, [*views, *rows], tasks)

    def copy(self, node: Node, source: View, target: View) -> None:
        """Copy ``source`` into ``target``, a view of the same shape."""
        if source.type.is_complex:
            source, target = source.parts, target.parts
        self.loop(node, "copy", source.type.shape, [source], (), [(target, 0)])

    def fill(self, node: Node, target: View, value: bool | int | float) -> None:
        """Set every element of ``target``; complex ones to a real number or NaN."""
        if target.type.is_complex:
            target = target.parts
        scalar = self.constant(value, target.type.dtype)
        source = scalar.moved(target.type.shape, (0,) * target.type.rank)
        self.loop(node, "fill", target.type.shape, [source], (), [(target, 0)])

    def contiguous(self, node: Node, view: View) -> View:
        """``view`` itself, or a contiguous copy of it."""
        if view.is_contiguous:
            return view
        target = self.allocate(view.type)
        self.copy(node, view, target)
        return target

    def regions(
        self,
        node: Node,
        operands: Sequence[View],
        targets: Sequence[View],
        over: Mapping[int, int],
    ) -> None:
        """Let the last step have the steps of each region of ``node`` as a branch.

        The regions read the operands where they lie, and share constants and scratch
        buffers with the rest of the plan. A buffer's life is counted through all steps
        in order, as if all branches ran. ``over`` says which results lie where an
        operand does.
        """
        steps, place = self.plan.steps, len(self.plan.steps) - 1
        branches: list[int] = []
        for region in node.regions:
            before = len(steps)
            inside = _inside(region, over)
            Planner(region, self.plan, operands, targets, inside).run()
            branches.append(len(steps) - before)
        steps[place] = replace(steps[place], branches=tuple(branches))

    def pointer(
        self,
        type_: TensorType,
        strides: Sequence[int] | None = None,
        whole: View | None = None,
    ) -> View:
        """A value whose address a step puts into the table of buffers when it runs.

        It lies in ``whole``, where that is known: whatever touches it touches that.
        """
        buffer = self.plan.first_scratch + len(self.plan.scratch)
        self.plan.scratch.append(0)
        if whole is not None:
            self.plan.pointers[buffer] = whole.buffer
        made = whole_of(buffer, type_)
        return made if strides is None else made._replace(strides=tuple(strides))

    def repeat(
        self,
        node: Node,
        operands: Sequence[View],
        targets: Sequence[View],
        ends: Sequence[tuple[View, View]],
        repeats: int,
        over: Mapping[int, int],
    ) -> None:
        """Let the last step run the steps of the region of ``node`` again and again.

        Then it copies the ``ends``, sources and targets, which are its second branch.
        ``repeats`` is about how often the steps run. ``over`` says which results lie
        where an input does.
        """
        steps, place = self.plan.steps, len(self.plan.steps) - 1
        (region,) = node.regions
        inside = _inside(region, over)
        Planner(region, self.plan, operands, targets, inside).run()
        body = len(steps) - place - 1
        for source, target in ends:
            self.copy(node, source, target)
        branches = body, len(steps) - place - 1 - body
        steps[place] = replace(steps[place], branches=branches, repeats=repeats)

    def run(self) -> None:
        """Plan every node, then whatever outputs are not in their place yet."""
        for unit in units(self.graph, _VIEWS, self.stores.over):
            first = unit[0]
            if first.kernel is not None:
                self._group(unit)
            else:
                operands = self.operands(first)
                made = EMITTERS[first.op](self, first, *operands, **first.attrs)
                views = made if isinstance(made, list) else [made]
                self.views.update(zip(first.names, views, strict=True))
            self.stores.planned(unit)
        for name, target in zip(self.graph.results, self._targets, strict=True):
            view = self.views[name]
            if not view.same_memory(target):
                self.copy(self.graph[name], view, target)

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
                space = self.graph[node.operands[0]].type.shape
                target = self.allocate(node.type, node.name)
                self.views[node.name] = target
                reductions.append((target, operands[0], node.op))
                continue
            space = node.type.shape
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


def _inside(region: Graph, over: Mapping[int, int]) -> dict[str, str]:
    """The inputs of a region that lie where a result does, by name."""
    inputs, results = region.inputs, region.results
    return {inputs[slot].name: results[number] for number, slot in over.items()}


def make_plan(graph: Graph) -> Plan:
    """The plan of an optimised graph."""
    with paused_collection():
        plan = Plan(graph)
        results = [graph[name] for name in graph.results]
        places = [
            whole_of(number, node.type)
            for number, node in enumerate([*graph.inputs, *results])
        ]
        inputs = len(graph.inputs)
        Planner(graph, plan, places[:inputs], places[inputs:]).run()
        plan.lay_out()
    return plan


def _only_readers(graph: Graph) -> dict[str, Node | None]:
    """The reader of each value, None where there is none or more than one read."""
    found: dict[str, Node | None] = dict.fromkeys(graph.results)
    for node in graph:
        for operand in node.operands:
            found[operand] = None if operand in found else node
    return found
