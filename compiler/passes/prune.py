"""Dead code."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakValueDictionary

from ...ir.graph import Graph, Node
from ...ir.literals import Attrs
from ...ir.ops.parts import loop_attrs, split_operands

__all__ = ["prune"]


_bare: WeakValueDictionary[int, Graph] = WeakValueDictionary()
"""Graphs of which nothing can be dropped: regions are asked again by each outer one."""


def prune(graph: Graph) -> Graph:
    """Drop the nodes that no output depends on; inputs stay.

    before:
        graph f(%x: f64[4]) {
          %a = exp(%x)      : f64[4]
          %b = mul(%x, %x)  : f64[4]
          return %b
        }
    after:
        graph f(%x: f64[4]) {
          %b = mul(%x, %x)  : f64[4]
          return %b
        }

    A check whose value is not used goes as well. A `cond` keeps the values that are
    read, and the operands that a region reads. So do a `recompute`, which keeps what it
    comes ``after``, and a `loop`, which also keeps what is carried from one iteration
    to what is read of the next.
    """
    if _bare.get(id(graph)) is graph:
        return graph
    read = set(graph.results)
    kept: list[Node] = []
    changed = False
    for node in reversed(list(graph)):
        if node.makes(read):
            trim = _TRIMS.get(node.op)
            made = trim(node, read) if trim else node
            changed = changed or made is not node
            read.update(made.operands)
            kept.append(made)
        elif node.op == "input":
            kept.append(node)
    if changed or len(kept) < len(graph):
        return graph.with_nodes(kept[::-1])
    _bare[id(graph)] = graph
    return graph


def _trimmed_cond(cond: Node, read: set[str]) -> Node:
    """A `cond` without the values that nothing reads, nor what only they need."""
    values = [i for i, name in enumerate(cond.names) if name in read]
    regions = cond.regions
    if len(values) < len(cond.names):
        regions = tuple([_pruned(region, values) for region in regions])
    inputs = range(len(cond.operands) - 1)
    taken = [_inputs_read(region) for region in regions]
    needed = [i for i in inputs if any(each[i] for each in taken)]
    if len(needed) < len(inputs):
        regions = tuple([_taking(region, needed) for region in regions])
    if regions == cond.regions:
        return cond
    return _making(cond, values)._replace(
        operands=(cond.operands[0], *[cond.operands[i + 1] for i in needed]),
        regions=regions,
    )


def _trimmed_body(node: Node, read: set[str]) -> Node:
    """A `recompute` without values that nothing reads, nor what only they need."""
    values = [i for i, name in enumerate(node.names) if name in read]
    (body,) = node.regions
    if len(values) < len(node.names):
        body = _pruned(body, values)
    needed = [i for i, is_read in enumerate(_inputs_read(body)) if is_read] or [0]
    if len(needed) < len(body.inputs):
        body = _taking(body, needed)
    if body is node.regions[0]:
        return node
    behind = node.operands[len(node.regions[0].inputs) :]
    return _making(node, values)._replace(
        operands=(*[node.operands[i] for i in needed], *behind),
        regions=(body,),
    )


def _making(node: Node, values: Sequence[int]) -> Node:
    """The node with these of its values."""
    several = tuple([node.several[i] for i in values]) if len(values) > 1 else ()
    return node.values[values[0]]._replace(several=several)


def _trimmed_loop(loop: Node, read: set[str]) -> Node:
    """A `loop` without values that nothing reads, nor what only they need."""
    (body,) = loop.regions
    parts = split_operands(loop.attrs, loop.operands)
    count, first = len(parts.carried), 1 + len(parts.invariants)
    rows = [i for i, name in enumerate(loop.names) if i >= count and name in read]
    needed = {i for i, name in enumerate(loop.names[:count]) if name in read}
    if loop.attrs.get("test"):
        needed.add(0)
    while True:  # what an iteration reads is carried by the one before
        made = _pruned(body, (*needed, *rows))
        kept = _inputs_read(made)
        more = {i for i in range(count) if kept[first + i]} - needed
        if not more:
            break
        needed |= more
    carried = sorted(needed)
    values = [*carried, *rows]
    inputs = range(1, len(kept))
    taken = split_operands({**loop.attrs, "limit": False}, inputs)
    left = taken._replace(
        invariants=[i for i in taken.invariants if kept[i]],
        carried=[first + i for i in carried],
        stacked=[i for i in taken.stacked if kept[i]],
    )
    if len(values) == len(loop.names) and left.total == len(inputs):
        return loop
    made = _pruned(body, values)
    attrs = loop_attrs(
        {**loop.attrs, "carried": len(carried), "stacked": len(left.stacked)}
    )
    places = [i - 1 + len(parts.limit) for i in left.taken]
    return _making(loop, values)._replace(
        operands=(*parts.limit, *[loop.operands[i] for i in places]),
        attrs=Attrs(attrs),
        regions=(_taking(made, [0, *left.taken]),),
    )


_TRIMS = {"cond": _trimmed_cond, "loop": _trimmed_loop, "recompute": _trimmed_body}


def _pruned(region: Graph, values: Sequence[int]) -> Graph:
    """What a region needs for these of its outputs."""
    if len(values) < len(region.outputs):
        region = region.returning([region.outputs[i] for i in values])
    return prune(region)


def _inputs_read(region: Graph) -> list[bool]:
    """Whether each input of a region is read."""
    read = {*region.results}
    for node in region:
        read.update(node.operands)
    return [value.name in read for value in region.inputs]


def _taking(region: Graph, needed: Sequence[int]) -> Graph:
    """The region with these of its inputs."""
    kept = {region.inputs[i].name for i in needed}
    nodes = [node for node in region if node.op != "input" or node.name in kept]
    return region.with_nodes(nodes)
