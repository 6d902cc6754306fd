"""Steps that call the inner loop of a ufunc, see `backends.ufuncs`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ....ir.graph import Node
from ....ir.types import TensorType
from ...ufuncs import core_names, loop_of
from ..kernels.source import Source
from ..kernels.ufunc import ufunc_source
from ..plan.planner import Planner
from ..plan.tasks import batch_parts
from ..plan.view import View, reshaped_strides

__all__ = ["call_ufunc"]


def call_ufunc(
    p: Planner,
    node: Node,
    ufunc: Any,
    operands: Sequence[View],
    targets: Sequence[View],
    nanoseconds: float,
) -> None:
    """Add a step that computes ``targets`` by the ufunc's loop on these dtypes.

    Operands and targets have equal shapes, but for the core dimensions of a gufunc,
    which come last. An operand may have any strides that one step from element to
    element can say, 0 for a broadcast scalar among them; others are copied.
    ``nanoseconds`` is what one element takes about, or one call on the core dimensions.
    """
    cores = core_names(ufunc)
    rank = targets[0].type.rank - len(cores[-len(targets)])
    outer = targets[0].type.shape[:rank]
    count = math.prod(outer)
    if count == 0:
        return
    rows = [_rows(p, node, view, rank) for view in (*operands, *targets)]
    loop = loop_of(ufunc, tuple(view.type.dtype for view in rows))
    known: dict[str, int] = {}
    for core, view in zip(cores, rows, strict=True):
        known.update(zip(core, view.type.shape[1:], strict=True))
    parts = batch_parts(count, nanoseconds * count) if loop.native else [range(count)]
    table = p.allocate(TensorType("i64", (len(parts), len(rows))))
    steps = [view.strides[0] * view.type.numpy.itemsize for view in rows]
    inner = [
        stride * view.type.numpy.itemsize
        for view in rows
        for stride in view.strides[1:]
    ]

    def words(number: int, part: range) -> tuple[int, ...]:
        starts = [
            place for view in rows for place in view.start(part.start * view.strides[0])
        ]
        return (
            *table.start(number * len(rows)),
            *starts,
            loop.address,
            loop.data,
            len(part),
            *known.values(),
            *steps,
            *inner,
        )

    each = [words(number, part) for number, part in enumerate(parts)]
    kernel = Source.of(ufunc_source, operands=len(rows), sizes=1 + len(known))
    p.step(
        node,
        ufunc.__name__,
        kernel,
        words(0, range(count)),
        [table, *rows],
        each if len(each) > 1 else (),
        int(16 * count * nanoseconds),
    )


def _rows(p: Planner, node: Node, view: View, rank: int) -> View:
    """The view with its first ``rank`` axes as one, copied if it must be."""
    sizes = view.type.shape
    shape = (math.prod(sizes[:rank]), *sizes[rank:])
    strides = reshaped_strides(sizes, view.strides, shape)
    if strides is None:
        return p.contiguous(node, view).reshaped(shape)
    return view.moved(shape, strides)
