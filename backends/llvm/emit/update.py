"""Stores: into the memory of their chain, unless the value is there already."""

from __future__ import annotations

import math
from typing import Any

from ....ir.graph import Node
from ..plan.planner import Planner, emits
from ..plan.view import View, strided


@emits("update")
def update(planner: Planner, node: Node) -> View:
    """Copy the value to its places."""
    memory = planner.stores.open(node)
    value = planner.operands(node)[1]
    target = strided(memory, node.attrs["start"], value.type.shape, node.attrs["step"])
    if value.same_memory(target):
        planner.stores.skip(node)
    else:
        planner.stores.vacate(node, target)
        planner.copy(node, planner.operands(node)[1], target)
    return memory


@emits("put")
def put(planner: Planner, node: Node) -> View:
    """Copy the rows to where the indices say."""
    axis: Any = node.attrs["axis"]
    memory = planner.stores.open(node)
    planner.stores.vacate(node, memory)
    _, value, index = planner.operands(node)
    packed = planner.contiguous(node, value)
    places = planner.contiguous(node, index)
    sizes = memory.type.shape
    views = (packed, places, memory)
    words = (
        *(word for view in views for word in (view.buffer, view.offset)),
        math.prod(sizes[:axis]),
        sizes[axis],
        math.prod(index.type.shape),
        math.prod(sizes[axis + 1 :]),
    )
    planner.step(node, "put", f"put {node.type.dtype}", words, views)
    return memory
