"""Positions that sort rows, and places in sorted rows."""

from __future__ import annotations

import math

from ....ir.graph import Node
from ....ir.types import TensorType
from ..kernels.numpy_sorts import sort_address
from ..kernels.sorting import (
    ArgsortWords,
    RankWords,
    SearchWords,
    SortWords,
    argranked_source,
    argsort_source,
    searchsorted_source,
    sort_source,
)
from ..kernels.source import Source
from ..plan.planner import Planner, emits
from ..plan.view import View


@emits("sort")
def sort(p: Planner, node: Node, x: View) -> View:
    """One step for all rows, over a copy."""
    target = p.allocate(node.type, node.name)
    *outer, length = node.type.shape
    if 0 in node.type.shape:
        return target
    p.copy(node, x, target)
    dtype = node.type.dtype
    words = SortWords(math.prod(outer), length, sort_address(dtype))
    kernel = Source.of(sort_source, dtype=dtype)
    p.call(node, "sort", kernel, (target,), words)
    return target


@emits("argsort")
def argsort(p: Planner, node: Node, x: View) -> View:
    """One step for all rows, which share the memory of what is sorted."""
    target = p.allocate(node.type, node.name)
    *outer, length = node.type.shape
    if 0 in node.type.shape:
        return target
    x = p.contiguous(node, x)
    room = p.allocate(TensorType("u64", (length,)))
    words = ArgsortWords(
        rows=math.prod(outer),
        length=length,
        place_bits=(length - 1).bit_length(),
        sort=sort_address("u64"),
    )
    kernel = Source.of(argsort_source, dtype=x.type.dtype)
    p.call(node, "argsort", kernel, (x, target, room), words)
    return target


@emits("argranked")
def argranked(
    p: Planner, node: Node, x: View, values: View, *, places: tuple[int, ...]
) -> View:
    """A step for each place: a count of what is below its value, and a search."""
    target = p.allocate(node.type, node.name)
    *outer, length = x.type.shape
    if 0 in node.type.shape:
        return target
    x, values = p.contiguous(node, x), p.contiguous(node, values)
    kernel = Source.of(argranked_source, dtype=x.type.dtype)
    for column, place in enumerate(places):
        words = RankWords(math.prod(outer), length, len(places), column, place)
        p.call(node, "argranked", kernel, (x, values, target), words)
    return target


@emits("searchsorted")
def searchsorted(p: Planner, node: Node, a: View, v: View, *, right: bool) -> View:
    """A search by halves for many values at once."""
    a, v = p.contiguous(node, a), p.contiguous(node, v)
    target = p.allocate(node.type, node.name)
    words = SearchWords(length=a.type.shape[0], values=math.prod(v.type.shape))
    kernel = Source.of(searchsorted_source, dtype=a.type.dtype, right=right)
    p.call(node, "searchsorted", kernel, (a, v, target), words)
    return target
