"""A loop of unknown length in segments: what it keeps does not grow with it.

A loop back reads what each iteration began with, and a graph has no arrays whose size
only running tells. So the iterations are told off in segments, and these in longer
ones,

    for k in range(n):                        # n = ceil(total / stride) <= rows
        for t in range(k * stride, min((k + 1) * stride, total)):
            c = B(t, I, c)

which is a nest of loops that have ``trips``. Its adjoint keeps what each segment begins
with, and what each iteration begins with in the segment where it is: two arrays of
``rows`` rows for two levels of segments, whatever the total, at the cost of one more
run forwards. This is checkpointing by levels; see Griewank and Walther, Evaluating
Derivatives, chapter 12.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import SourceLine
from ..types import TensorType

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = ["Segments", "counting_down", "counting_from", "in_segments"]

INDEX = TensorType("i64", ())
MOST_ROWS, LEAST_ROWS = 4096, 32
MOST_BYTES = 2**26  # that a level of segments keeps
ENOUGH = 2**20  # iterations, more than this take max_trips


class Segments(NamedTuple):
    """The outermost loop of a nest that runs the iterations of another loop.

    Its ``body`` takes the counter, the iteration that the nest begins with, the one
    that it ends before, and then the invariants and carried values of the other loop.
    There are ``limit`` segments, at most ``trips``, each of ``stride`` iterations but
    the last one, which may be shorter.
    """

    body: Graph
    trips: int
    limit: Node
    stride: int


def in_segments(b: Builder, body: Graph, invariants: int, total: Node) -> Segments:
    """The nest that runs ``body`` for t from 0 to ``total``, an i64 of at least 0.

    Where it is above `ENOUGH` iterations, the nest may raise that it is too long.
    """
    carried = [node.type for node in body.inputs[1 + invariants :]]
    rows = MOST_BYTES // max(sum(type_.nbytes for type_ in carried), 1)
    rows = min(max(rows, LEAST_ROWS), MOST_ROWS)
    made, stride = _numbered(body, "add", "step", "start", "end"), 1
    while rows * stride < ENOUGH:
        made = _segment(made, invariants, rows, stride, b.source)
        stride *= rows
    limit = b.add_node(
        "check",
        _ceiling(b, total, stride),
        low=0,
        high=rows + 1,
        error="RuntimeError",
        message=f"the gradient of a loop of more than {rows * stride:,} iterations; "
        f"say how many there are at most: while_loop(..., max_trips=...)",
    )
    return Segments(made, rows, limit, stride)


def counting_down(body: Graph) -> Graph:
    """The body that takes a last iteration, from which its counter goes down."""
    return _numbered(body, "sub", "step", "last")


def counting_from(body: Graph) -> Graph:
    """The body that takes a first iteration, to which its counter is added."""
    return _numbered(body, "add", "step", "first")


def _numbered(body: Graph, op: str, *names: str) -> Graph:
    """The body whose counter is ``op`` of the second and the first of new inputs."""
    from ..builder import Builder
    from ..graph import Graph, Node

    counter, *others = body.inputs
    b = Builder(body.name, body)
    own = [b.input(name, INDEX) for name in names]
    number = Node(counter.name, op, (own[1].name, own[0].name), INDEX)
    nodes = [*own, *others, number, *(x for x in body if x.op != "input")]
    return Graph(body.name, nodes, body.outputs, body.sections)


def _segment(
    inner: Graph, invariants: int, rows: int, stride: int, source: SourceLine | None
) -> Graph:
    """The body that runs ``inner``, of ``stride`` iterations, up to ``rows`` times."""
    from ..builder import Builder
    from ..graph import Output

    b = Builder("body")
    b.source = source
    step, start, end, *others = [b.input(x.name, x.type) for x in inner.inputs]
    first = b.add(start, b.mul(step, b.const(rows * stride, "i64")))
    left = _ceiling(b, b.sub(end, first), stride)
    limit = b.minimum(left, b.const(rows, "i64"))
    made = b.add_node(
        "loop",
        *(limit, first, end),
        *others,
        regions=(inner,),
        trips=rows,
        carried=len(others) - invariants,
        limit=True,
    )
    return b.build([Output(value.name) for value in made.values])


def _ceiling(b: Builder, x: Node, stride: int) -> Node:
    """How many segments of ``stride`` iterations x iterations take."""
    if stride == 1:
        return x
    more = b.add(x, b.const(stride - 1, "i64"))
    return b.floor_divide(more, b.const(stride, "i64"))
