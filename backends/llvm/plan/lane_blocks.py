"""Loops over many lanes, in blocks of lanes that each run all turns.

Ten thousand examples of a small system are carried as arrays of ten thousand lanes, and
each step of a turn goes through all of them: megabytes that no fast cache holds until
the next step. Where no lane needs another one, a block of lanes runs through all turns
before the next block does, and stays in the cache.

The lanes are the one axis of their number in each value. An op keeps them apart if it
is elementwise, or moves, repeats or reduces other axes only. Any other op leaves the
loop as it is. Each lane has the bits that it had.

Threads share the blocks: each takes some of them, with memory of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ....ir.builder import Builder
from ....ir.graph import Graph, Node
from ....ir.literals import Attrs
from ....ir.ops import OPS
from ....ir.ops.mapped import in_turn, may_fail
from ....ir.ops.parts import split_operands
from ....ir.ops.spec import Kind
from ....ir.types import TensorType
from ..machine import Machine

__all__ = ["are_shared", "blocked"]

LEAST = 64  # lanes of a block
MIN_TURNS = 8
MIN_BYTES = 4 << 20  # of all values of a turn: less stays in the cache as it is
PART_BYTES = 4 << 20  # of those of a turn, of which each part has its own memory
BLOCK_BYTES = 1 << 20  # of those of a block, most of which are never stored


def blocked(graph: Graph) -> Graph:
    """The graph with its loops in blocks of lanes, where that is worth it."""
    if not any(node.op == "loop" for node in graph):
        return graph
    sizes = {node.name: _block(graph, node) for node in graph if node.op == "loop"}
    if not any(sizes.values()):
        return graph
    b = Builder(graph.name, reserved=graph.nodes)
    values: dict[str, Node] = {}
    for node in graph:
        operands = [values[name] for name in node.operands]
        block = sizes.get(node.name)
        if block:
            made = _in_blocks(b, node, operands, block)
        else:
            made = b.append(node.reading(tuple([x.name for x in operands]))).values
        values.update(zip(node.names, made, strict=True))
    outputs = [
        output._replace(value=values[output.value].name) for output in graph.outputs
    ]
    return b.build(outputs, graph.sections)


def are_shared(loop: Node, machine: Machine) -> bool:
    """Whether threads share the turns of a loop, as those over blocks.

    Each turn is one loop over little memory. It does not read which turn it is, and
    cannot fail, so nobody sees in which order they run.
    """
    (body,) = loop.regions
    inner = [node for node in body if node.op != "input"]
    if machine.threads == 1 or loop.attrs.get("carried"):
        return False
    if [node.op for node in inner] != ["loop"] or may_fail(body):
        return False
    (turn,) = inner
    if body.inputs[0].name in (*turn.operands, *body.results):
        return False
    each = sum(node.type.nbytes for node in turn.regions[0])
    trips: Any = loop.attrs["trips"]
    return each <= PART_BYTES and each * trips >= MIN_BYTES


class _Block(NamedTuple):
    """A loop of ``lanes``, of which ``size`` are a block, and the body of one."""

    lanes: int
    size: int
    body: Graph


def _block(graph: Graph, loop: Node) -> _Block | None:
    """The block that a loop is best cut into; None where it is to stay whole."""
    attrs: dict[str, Any] = dict(loop.attrs)
    parts = split_operands(attrs, [graph[name].type for name in loop.operands])
    (body,) = loop.regions
    if attrs.get("trips", 0) < MIN_TURNS or parts.stacked or not parts.carried:
        return None
    if attrs.get("test") or len(loop.names) != len(parts.carried):
        return None
    lanes = max(max(type_.shape, default=0) for type_ in parts.carried)
    if lanes < 2 * LEAST or not all(_keeps_apart(body, node, lanes) for node in body):
        return None
    total = sum(node.type.nbytes for node in body if lanes in node.type.shape)
    size = _nearest_divisor(lanes, BLOCK_BYTES * lanes // max(total, 1))
    if total < MIN_BYTES or size is None:
        return None
    return _Block(lanes, size, _narrowed(body, lanes, size))


def _nearest_divisor(lanes: int, wanted: int) -> int | None:
    """About so many lanes, of which the whole is a multiple; full vectors if it can be.

    >>> _nearest_divisor(10_000, 85), _nearest_divisor(4096, 100)
    (80, 128)
    """
    wanted = max(wanted, LEAST)
    near = range(max(LEAST, wanted // 2), min(2 * wanted, lanes // 2) + 1)
    found = [size for size in near if not lanes % size]
    whole = [size for size in found if not size % 8]
    return min(whole or found, key=lambda size: abs(size - wanted), default=None)


def _keeps_apart(body: Graph, node: Node, lanes: int) -> bool:
    """Whether a node of a body makes each lane of that lane alone."""
    operands = [body[name].type for name in node.operands]
    types = [node.type, *operands]
    if max(type_.shape.count(lanes) for type_ in types) > 1 or node.several:
        return False
    if not any(lanes in type_.shape for type_ in types):
        return not node.regions
    rule = _RULES.get(node.op)
    if rule is None:
        kind = OPS[node.op].kind
        return kind is Kind.ELEMENTWISE or (
            kind is Kind.REDUCTION and _reduces_others(node, operands, lanes)
        )
    return rule(node, operands, lanes)


def _always(node: Node, operands: Sequence[TensorType], lanes: int) -> bool:
    return True


def _reduces_others(node: Node, operands: Sequence[TensorType], lanes: int) -> bool:
    axes: Any = node.attrs.get("axes")
    (x,) = operands
    return axes is not None and lanes in x.shape and x.shape.index(lanes) not in axes


def _leaves_in_place(node: Node, operands: Sequence[TensorType], lanes: int) -> bool:
    """Whether a reshape has as many elements in front of the lanes as before."""
    shapes = operands[0].shape, node.type.shape
    if not all(lanes in shape for shape in shapes):
        return False
    before, after = (math.prod(shape[: shape.index(lanes)]) for shape in shapes)
    return before == after


def _takes_all(node: Node, operands: Sequence[TensorType], lanes: int) -> bool:
    """Whether a slice has all lanes in order."""
    steps: Any = node.attrs["step"]
    (x,) = operands
    if lanes not in x.shape or lanes not in node.type.shape:
        return False
    axis = x.shape.index(lanes)
    return node.type.shape[axis] == lanes and steps[axis] == 1


def _joins_others(node: Node, operands: Sequence[TensorType], lanes: int) -> bool:
    axis: Any = node.attrs["axis"]
    return all(lanes in x.shape and x.shape.index(lanes) != axis for x in operands)


_RULES: dict[str, Callable[[Node, Sequence[TensorType], int], bool]] = {
    "input": _always,
    "transpose": _always,
    "broadcast_to": _always,
    "reshape": _leaves_in_place,
    "slice": _takes_all,
    "concatenate": _joins_others,
}


def _narrowed(body: Graph, lanes: int, size: int) -> Graph:
    """A body for so many of the lanes."""

    def fewer(shape: Sequence[int]) -> tuple[int, ...]:
        return tuple([size if n == lanes else n for n in shape])

    nodes: list[Node] = []
    for node in body:
        attrs: dict[str, Any] = dict(node.attrs)
        if "shape" in attrs:
            attrs["shape"] = fewer(attrs["shape"])
        type_ = node.type.with_shape(fewer(node.type.shape))
        nodes.append(node._replace(type=type_, attrs=Attrs(attrs)))
    return Graph(body.name, nodes, body.outputs, body.sections)


def _in_blocks(
    b: Builder, loop: Node, operands: Sequence[Node], block: _Block
) -> list[Node]:
    """The values of a loop, made block by block."""
    lanes, size, body = block
    count = lanes // size
    mapped = [lanes in x.type.shape for x in operands]

    def cut(x: Node) -> Node:
        """``x`` with a new first axis, of the blocks."""
        shape, axis = x.type.shape, x.type.shape.index(lanes)
        whole = b.reshape(x, (*shape[:axis], count, size, *shape[axis + 1 :]))
        rest = [k for k in range(whole.type.rank) if k != axis]
        return b.transpose(whole, (axis, *rest))

    def joined(x: Node, axis: int) -> Node:
        order = [*range(1, axis + 1), 0, *range(axis + 1, x.type.rank)]
        shape = x.type.shape[1:]
        whole = (*shape[:axis], lanes, *shape[axis + 1 :])
        return b.reshape(b.transpose(x, order), whole)

    attrs: Any = loop.attrs
    made = in_turn(
        b,
        loop,
        count,
        mapped,
        *[cut(x) if one else x for x, one in zip(operands, mapped, strict=True)],
        make=lambda inner, n, *taken: (
            inner.add_node("loop", *taken, regions=(body,), **attrs).values
        ),
    )
    values: list[Node] = []
    for x, value in zip(made, loop.values, strict=True):
        if lanes in value.type.shape:
            values.append(joined(x, value.type.shape.index(lanes)))
        else:  # what has no lanes is the same in each block
            values.append(b.reshape(b.rows_of(x, 0, 1), value.type.shape))
    return values
