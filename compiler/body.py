"""The body of a loop: the function of one iteration, traced until its types stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..ir.errors import SourceLine, TraceError
from ..ir.graph import Graph, Node, Output
from ..ir.ops.parts import loop_attrs
from ..ir.types import TensorType
from .intervals import counter_interval
from .regions import TracedRegion, fits, is_weak, operand_type, trace_region
from .tracing.running import is_traced
from .tracing.trace import Trace
from .tree import LeafType, flatten, outline, unflatten

__all__ = ["Body", "Ends", "loop_node", "stable_body"]

_COUNTER: LeafType = TensorType("i64", ()), True


class Body(NamedTuple):
    """The traced body of a loop, the types of what it carries, and its results."""

    traced: TracedRegion
    init: Sequence[Any]
    types: list[LeafType]
    carried: Any
    rest: Any


class Ends(NamedTuple):
    """What a loop makes: what was carried out of it, and what is stacked."""

    carry: Any
    rows: Sequence[Node]


def stable_body(
    what: str,
    step: Callable[..., Any],
    user: Callable[..., Any],
    init: Any,
    elements: Any,
    rows: Sequence[TensorType],
    trips: int | None = None,
    depth: int = 1,
    line: SourceLine | None = None,
) -> Body:
    """Trace ``step(t, carry, x)`` until what it carries keeps its types.

    ``trips`` says how often it runs at most, if that is known. Only Python numbers may
    change their types, and each but once. The user's values are ``depth`` steps down in
    the path of what is carried. ``line`` is where the loop stands, if ``step`` is none
    of the user's.
    """
    leaves, carried = flatten(init)
    types = [operand_type(leaf, what) for leaf in leaves]
    while True:
        taken = [_COUNTER, *types, *((row, False) for row in rows)]
        structure = flatten((0, unflatten(carried, range(len(types))), elements))[1]
        made = trace_region(
            "body",
            f"the body of {what}",
            step,
            structure,
            taken,
            user,
            counter_interval(trips),
            line,
        )
        outer = unflatten(made.tree, range(len(made.values)))
        found, rest = outer
        numbers, tree = flatten(found)
        if tree != carried:
            raise TraceError(
                f"{what} carries {outline(carried)}, and its body returns "
                f"{outline(tree)}\n  body: {made.line}",
                hint="return the same structure as was carried in",
            )
        wanted = [
            _joined(what, made, number, one, depth)
            for number, one in zip(numbers, types, strict=True)
        ]
        if wanted == types:
            return Body(made, leaves, types, carried, flatten(rest)[1])
        types = wanted


def _joined(
    what: str, made: TracedRegion, number: int, carried: LeafType, depth: int
) -> LeafType:
    """The type of a carried value, after what the body returns for it."""
    leaf, (type_, weak) = made.leaves[number], carried
    node = made.values[number]
    scalar = is_weak(leaf)
    if node.type == type_:
        return type_, weak and scalar
    adapts = scalar and not type_.shape and (type_.has_gradient or not weak)
    if adapts and fits(node.type, type_, is_traced(leaf)):
        made.values[number] = made.trace.node(leaf, type_.dtype)
        return carried
    if weak and not node.type.shape and fits(type_, node.type, False):
        return node.type, scalar
    path = ".".join(made.paths[number].split(".")[depth:])
    where = f" as .{path}" if path else ""
    line: SourceLine | None = node.source or made.line
    raise TraceError(
        f"{what} carries {type_}{where}, and its body returns {node.type}\n"
        f"  body: {line}",
        hint=f"return {type_}: cast it with .astype, or start from another value",
    )


def loop_node(
    trace: Trace,
    body: Body,
    stacked: Sequence[Node],
    attrs: dict[str, Any],
    limit: Sequence[Node] = (),
) -> Ends:
    """The loop of a body as a node; what it carries is what stays of ``init``."""
    made = body.traced
    pairs = made.closed_over()
    count = len(body.types)
    values = made.values
    if not values:
        return Ends(unflatten(body.carried, []), [])
    region = made.trace.builder.build([Output(value.name) for value in values])
    inputs = [
        made.arguments[0],
        *(node for _, node in pairs),
        *made.arguments[1:],
    ]
    inner = [node for node in region if node.op != "input"]
    node = trace.builder.add_node(
        "loop",
        *limit,
        *(trace.node(value) for value, _ in pairs),
        *(
            trace.node(leaf, type_.dtype)
            for leaf, (type_, _) in zip(body.init, body.types, strict=True)
        ),
        *stacked,
        regions=(Graph("body", [*inputs, *inner], region.outputs),),
        **loop_attrs({**attrs, "carried": count, "stacked": len(stacked)}),
    )
    ends = [
        trace.wrap(value, weak)
        for value, (_, weak) in zip(node.values[:count], body.types, strict=True)
    ]
    return Ends(unflatten(body.carried, ends), node.values[count:])
