"""The program of a Jacobian: a derived graph, run on each row of the identity.

The tangent of a function, or its adjoint, is mapped over its seeds. What does not
depend on them is computed once, and products with them are products of matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from ...ir.builder import Builder
from ...ir.errors import GradientError
from ...ir.graph import Graph, Node, Output
from ...ir.types import TensorType
from ..calls.call import Call
from ..program import Program
from ..tracing.notes import Note
from ..tracing.source import definition_line
from ..tree import flatten, unflatten
from .adjoint import adjoint
from .diagonal import with_identity
from .gradient import Argnums, check_aux, chosen_leaves, chosen_names
from .tangent import tangent
from .vmap import vmapped

__all__ = ["Options", "with_jacobian", "with_trace"]


class Options(NamedTuple):
    """How a Jacobian is made. ``mode`` is ``forward``, ``reverse`` or ``chosen``."""

    argnums: Argnums
    mode: str
    has_aux: bool = False
    with_value: bool = False
    holomorphic: bool = False


class _Ends(NamedTuple):
    """The values that are derived, and the inputs that they are derived by."""

    of: Sequence[Node]
    wrt: Sequence[Node]

    @property
    def sizes(self) -> tuple[int, int]:
        """How many elements results and inputs have."""
        made, taken = (sum(x.type.size for x in nodes) for nodes in self)
        return made, taken

    @property
    def names(self) -> tuple[list[str], list[str]]:
        """What they are called."""
        return [x.name for x in self.of], [x.name for x in self.wrt]


def with_jacobian(program: Program, call: Call, *, options: Options) -> Program:
    """The program that returns a Jacobian; see `jacobian`."""
    graph, count = program.graph, len(program.graph.outputs)
    whole = unflatten(program.result, range(count))
    if options.has_aux:
        check_aux(graph.name, whole)
    places, structure = flatten(whole[0] if options.has_aux else whole)
    chosen = chosen_leaves(call, options.argnums)
    wrt = chosen_names(program, chosen, call)
    ends = _Ends([graph[graph.results[p]] for p in places], [graph[x] for x in wrt])
    made, taken = ends.sizes
    forward = _is_forward(ends, options)
    _check(ends, options.holomorphic, forward)
    b = _forward(graph, ends) if forward else _reverse(graph, ends)
    if options.holomorphic and not forward:
        b.blocks = [b.conj(block) for block in b.blocks]
    starts = [count + place * len(wrt) for place in range(len(ends.of))]
    inner = flatten(chosen)[1]
    rows = [unflatten(inner, range(first, first + len(wrt))) for first in starts]
    tree = unflatten(structure, rows)
    if options.with_value:
        tree = whole, tree
    elif options.has_aux:
        tree = tree, whole[1]
    numbers, result = flatten(tree)
    outputs = [*graph.outputs, *(Output(block.name) for block in b.blocks)]
    graph = b.build([outputs[number] for number in numbers], b.sections)
    mode = "forward" if forward else "reverse"
    why = f"made by {mode} mode: {made:,} results, {taken:,} inputs"
    line = definition_line(call.function)
    notes = [*program.notes, *([Note(line, "jacobian", why)] if line else [])]
    return program.with_graph(graph, result)._replace(notes=notes)


def _is_forward(ends: _Ends, options: Options) -> bool:
    """The mode: of those that take such numbers the one with fewer rows."""
    if options.mode != "chosen":
        return options.mode == "forward"
    made, taken = ends.sizes
    if not options.holomorphic:
        complex_made, complex_taken = (any(x.type.is_complex for x in y) for y in ends)
        if complex_made != complex_taken:
            return complex_made
    return taken <= made


def _check(ends: _Ends, holomorphic: bool, forward: bool) -> None:
    """Raise `GradientError` for what has no Jacobian."""
    for node in ends.of:
        if not node.type.has_gradient:
            raise GradientError(
                f"no Jacobian of %{node.name}: it is {node.type}",
                source=node.source,
                hint="only floats have derivatives; what else the function returns can "
                "stand beside them: (result, aux) with has_aux=True",
            )
    for node in (*ends.of, *ends.wrt) if holomorphic else ():
        if not node.type.is_complex:
            raise GradientError(
                f"holomorphic=True, but %{node.name} is {node.type}",
                source=node.source,
                hint="pass z.astype(complex), or leave holomorphic out",
            )
    for node in () if holomorphic else ends.wrt if forward else ends.of:
        if node.type.is_complex:
            what = "argument" if forward else "result"
            raise GradientError(
                f"no Jacobian of a complex {what}: %{node.name} is {node.type}",
                source=node.source,
                hint="take real and imaginary parts apart; of a holomorphic function "
                "jacobian(f, holomorphic=True) is the complex Jacobian",
            )


def _forward(graph: Graph, ends: _Ends) -> _Rows:
    of, wrt = ends.names
    b = _Rows(tangent(graph, wrt=wrt, of=of), ends.wrt, len(of))
    for dot, made in zip(b.rows, ends.of, strict=True):
        for block, taken in zip(b.split(dot), ends.wrt, strict=True):
            rank = block.type.rank
            last = b.transpose(block, (*range(1, rank), 0))
            b.blocks.append(b.reshape(last, (*made.type.shape, *taken.type.shape)))
    return b


def _reverse(graph: Graph, ends: _Ends) -> _Rows:
    of, wrt = ends.names
    b = _Rows(adjoint(graph, wrt=wrt, of=of, seeded=True), ends.of, len(wrt))
    columns = [b.split(bar) for bar in b.rows]
    for place, made in enumerate(ends.of):
        for column, taken in zip(columns, ends.wrt, strict=True):
            shape = *made.type.shape, *taken.type.shape
            b.blocks.append(b.reshape(column[place], shape))
    return b


class _Rows(Builder):
    """A derived graph, run on each row of the identity.

    The identity takes the place of the ``seeds``, the last inputs of the graph, which
    are shaped like ``parts``. The last results of the graph are ``rows``: they have a
    new first axis, along which they are split into those of each part. An identity of
    one row needs no mapping.
    """

    def __init__(self, graph: Graph, parts: Sequence[Node], count: int) -> None:
        self.sizes = [part.type.size for part in parts]
        self.total = sum(self.sizes)
        self.blocks: list[Node] = []
        first = len(graph.inputs) - len(parts)
        ends = range(len(graph.outputs) - count, len(graph.outputs))
        if self.total == 1:
            made = graph
        else:
            flags = [place >= first for place in range(len(graph.inputs))]
            made, _ = vmapped(graph, flags, self.total, wanted=ends)
            if len(parts) == 1:
                made = with_identity(made, made.inputs[first].name)
        self.sections = made.sections
        super().__init__(graph.name, made.inputs[:first], reserved=made.nodes)
        for seed, offset in zip(made.inputs[first:], self._offsets(), strict=True):
            given = self._seed(seed.type, offset)
            self.append(Node(seed.name, "identity", (given.name,), seed.type))
        self.section = len(made.sections)
        for node in made:
            if node.op != "input":
                self.append(node)
        rows = [self[made.results[place]] for place in ends]
        if self.total == 1:
            rows = [self.reshape(row, (1, *row.type.shape)) for row in rows]
        self.rows = rows

    def _seed(self, type_: TensorType, offset: int) -> Node:
        if self.total == 1:
            return self.full(type_, 1.0)
        return _rows_of_identity(self, type_, offset)

    def _offsets(self) -> list[int]:
        return list(accumulate(self.sizes, initial=0))[:-1]

    def split(self, rows: Node) -> list[Node]:
        """The rows that belong to each part."""
        rest = rows.type.shape[1:]
        return [
            self.slice(
                rows,
                start=(offset, *(0 for _ in rest)),
                shape=(size, *rest),
                step=(1,) * rows.type.rank,
            )
            for offset, size in zip(self._offsets(), self.sizes, strict=True)
        ]


def _rows_of_identity(b: Builder, type_: TensorType, offset: int) -> Node:
    """The rows of the columns from ``offset`` on, each in the shape of a seed."""
    count, *shape = type_.shape
    flat = (count, math.prod(shape))
    row = b.iota(shape=flat, axis=0, dtype="i64")
    column = b.iota(shape=flat, axis=1, dtype="i64")
    if offset:
        column = b.add(column, b.like(column, offset))
    return b.reshape(b.cast(b.eq(row, column), type_.dtype), type_.shape)


def with_trace(program: Program, call: Call, *, argnums: int | str) -> Program:
    """The program that returns the trace of a Jacobian, which is of one array."""
    graph = program.graph
    chosen = chosen_leaves(call, argnums)
    wrt = [graph[name] for name in chosen_names(program, chosen, call)]
    of = [graph[name] for name in graph.results]
    shapes = [x.type.shape for x in (*of, *wrt)]
    if len(of) != 1 or len(wrt) != 1 or shapes[0] != shapes[1]:
        taken, made = (", ".join(str(x.type) for x in nodes) for nodes in (wrt, of))
        raise GradientError(
            f"{graph.name} takes {taken} and returns {made}: a divergence is of one "
            "array by one of the same shape",
            hint="pass the coordinates as one array, and return one",
        )
    ends = _Ends(of, wrt)
    _check(ends, holomorphic=False, forward=True)
    b = _forward(graph, ends)
    (block,) = b.blocks
    square = b.reshape(block, (wrt[0].type.size, of[0].type.size))
    diagonal = b.mul(square, _rows_of_identity(b, square.type, 0))
    total = b.reduce_sum(diagonal, axes=(0, 1))
    made = b.build([Output(total.name)], b.sections)
    return program.with_graph(made, flatten(0)[1])
