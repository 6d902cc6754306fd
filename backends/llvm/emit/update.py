"""Stores: into the memory of their chain, unless the value is there already.

The views of operands are looked up when there is room for the store, for they may have
to move until then.
"""

from __future__ import annotations

from ....ir.graph import Node
from ..kernels.index import put_source
from ..plan.planner import Planner, emits
from ..plan.view import View, strided
from .index import move_rows

Ints = tuple[int, ...]


@emits("update")
def update(p: Planner, node: Node, *operands: View, start: Ints, step: Ints) -> View:
    """Copy the value to its places."""
    memory = p.stores.open(node)
    value = p.operands(node)[1]
    target = strided(memory, start, value.type.shape, step)
    if value.same_memory(target):
        p.stores.skip(node)
    else:
        p.stores.vacate(node)
        p.copy(node, p.operands(node)[1], target)
    return memory


@emits("put")
def put(p: Planner, node: Node, *operands: View, axis: int) -> View:
    """Copy the rows to where the indices say."""
    memory = p.stores.open(node)
    p.stores.vacate(node)
    _, value, index = p.operands(node)
    move_rows(p, node, "put", put_source, value, index, memory, memory, axis)
    return memory
