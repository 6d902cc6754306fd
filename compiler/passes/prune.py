"""Dead code."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.graph import Graph, Node

__all__ = ["prune"]


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
    read, and the operands that a region reads.
    """
    read = set(graph.results)
    kept: list[Node] = []
    changed = False
    for node in reversed(list(graph)):
        if node.makes(read):
            made = _trimmed(node, read) if node.op == "cond" else node
            changed = changed or made is not node
            read.update(made.operands)
            kept.append(made)
        elif node.op == "input":
            kept.append(node)
    same = len(kept) == len(graph) and not changed
    return graph if same else graph.with_nodes(kept[::-1])


def _trimmed(cond: Node, read: set[str]) -> Node:
    """A `cond` without the values that nothing reads, nor what only they need."""
    values = [i for i, name in enumerate(cond.names) if name in read]
    regions = cond.regions
    if len(values) < len(cond.names):
        regions = tuple(
            [
                prune(region.returning([region.outputs[i] for i in values]))
                for region in regions
            ]
        )
    inputs = range(len(cond.operands) - 1)
    needed = [i for i in inputs if any(_is_read(r, r.inputs[i]) for r in regions)]
    if len(needed) < len(inputs):
        regions = tuple([_taking(region, needed) for region in regions])
    if regions == cond.regions:
        return cond
    several = [cond.several[i] for i in values] if len(values) > 1 else []
    first = cond.values[values[0]]
    return first._replace(
        operands=(cond.operands[0], *[cond.operands[i + 1] for i in needed]),
        several=tuple(several),
        regions=regions,
    )


def _is_read(region: Graph, value: Node) -> bool:
    return bool(region.reads[value.name]) or value.name in region.results


def _taking(region: Graph, needed: Sequence[int]) -> Graph:
    """The region with these of its inputs."""
    kept = {region.inputs[i].name for i in needed}
    nodes = [node for node in region if node.op != "input" or node.name in kept]
    return region.with_nodes(nodes)
