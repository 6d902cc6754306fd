"""Positions that sort rows, and places in sorted rows."""

from __future__ import annotations

import math

from ....ir.graph import Node
from ....ir.types import TensorType
from ..kernels.sorting import (
    COUNTS,
    SearchWords,
    SortWords,
    argsort_source,
    key_dtype,
    searchsorted_source,
)
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View


@emits("argsort")
def argsort(p: Planner, node: Node, x: View) -> View:
    """One step for all rows, which share the memory of keys and counts."""
    x = p.contiguous(node, x)
    target = p.allocate(node.type, node.name)
    *outer, length = node.type.shape
    keys = p.allocate(TensorType(key_dtype(x.type.dtype), (2 * length,)))
    spare = p.allocate(TensorType("i64", (length,)))
    counts = p.allocate(TensorType("i64", (COUNTS,)))
    words = SortWords(rows=math.prod(outer), length=length)
    kernel = Source.of(argsort_source, dtype=x.type.dtype)
    p.call(node, "argsort", kernel, (x, target, keys, spare, counts), words)
    return target


@emits("searchsorted")
def searchsorted(p: Planner, node: Node, a: View, v: View, *, right: bool) -> View:
    """A search by halves for each value."""
    a, v = p.contiguous(node, a), p.contiguous(node, v)
    target = p.allocate(node.type, node.name)
    words = SearchWords(length=a.type.shape[0], values=math.prod(v.type.shape))
    kernel = Source.of(searchsorted_source, dtype=a.type.dtype, right=right)
    p.call(node, "searchsorted", kernel, (a, v, target), words)
    return target
