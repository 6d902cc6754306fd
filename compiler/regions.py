"""Functions of the user traced into regions: the branches of `cond`, loops' bodies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ..ir.errors import AnabranchError, ArgumentError, SourceLine, TraceError
from ..ir.graph import Graph, Node, Output
from ..ir.types import DEFAULT_DTYPES, TensorType
from .intervals import Interval
from .program import deeper
from .tracing.running import is_traced
from .tracing.source import definition_line
from .tracing.trace import Trace
from .tree import LeafType, flatten, leaf_names, leaf_type, path_names, unflatten

__all__ = [
    "TracedRegion",
    "check_functions",
    "fits",
    "is_weak",
    "operand_type",
    "region_graph",
    "taken_in",
    "trace_region",
]


class TracedRegion(NamedTuple):
    """One function traced: what it takes, and what it returned, leaf by leaf."""

    name: str
    trace: Trace
    arguments: Sequence[Node]
    leaves: Sequence[Any]
    values: list[Node]
    tree: Any
    paths: Sequence[str]
    line: SourceLine | None

    def closed_over(self) -> list[tuple[Any, Node]]:
        """What the function closed over, each with the input that it became."""
        inputs = list(self.trace.builder.nodes)[len(self.arguments) :]
        taken = [node for node in inputs if node.op == "input"]
        return list(zip(self.trace.closed_over(), taken, strict=True))


def check_functions(what: str, *functions: Any) -> None:
    """Refuse what cannot be called where a function belongs."""
    for function in functions:
        if not callable(function):
            raise ArgumentError(f"{what}: not a function: {function!r}")


def trace_region(
    name: str,
    what: str,
    function: Callable[..., Any],
    structure: Any,
    types: Sequence[LeafType],
    user: Callable[..., Any] | None = None,
    first: Interval | None = None,
    line: SourceLine | None = None,
    labels: Sequence[str] | None = None,
) -> TracedRegion:
    """Run a function on new tracers, and keep what it did and returned.

    ``structure`` is the tree of its arguments, ``what`` says what it is: "a branch of
    cond". Where the function calls one of the ``user``, that is the one to name.
    ``first`` is the interval of the first argument, where that is known, and ``line``
    where it stands, if that is not where the function is defined. ``labels`` are the
    names of the arguments' leaves, if they are not those of the function.
    """
    line = line or definition_line(user or function)
    with deeper() as level:
        trace = Trace(name, level)
        trace.builder.source = line
        if labels is None:
            labels = leaf_names(function, unflatten(structure, range(len(types))), {})
        tracers = [
            trace.argument(label, *type_)
            for label, type_ in zip(labels, types, strict=True)
        ]
        arguments = [tracer.node for tracer in tracers]
        if first is not None:
            trace.intervals.note(arguments[0], first)
        with trace, trace.as_region(what):
            result = function(*unflatten(structure, tracers))
            leaves, tree = flatten(result)
            values = [_result(trace, what, leaf) for leaf in leaves]
    return TracedRegion(
        name, trace, arguments, leaves, values, tree, path_names(result), line
    )


def _result(trace: Trace, what: str, value: Any) -> Node:
    try:
        return trace.node(value)
    except AnabranchError as error:
        text = f"{what} returned a {type(value).__name__}: {error.what}"
        raise TraceError(text, source=trace.builder.source) from None


def operand_type(leaf: Any, what: str) -> LeafType:
    """The type of an operand of ``what``; `ArgumentError` where it has none."""
    try:
        return leaf_type(leaf, f"an operand of {what}")
    except ArgumentError as error:
        hint = "let the functions close over it instead"
        raise ArgumentError(error.what, hint=hint) from None


def is_weak(value: Any) -> bool:
    """Whether a result is a Python scalar."""
    return value.weak if is_traced(value) else type(value) in DEFAULT_DTYPES


def fits(scalar: TensorType, other: TensorType, traced: bool) -> bool:
    """Whether a Python scalar may be cast to a dtype: b, i, u, f, c in this order.

    A ``traced`` integer is not cast to another integer dtype, which may lack room.
    """
    order = "biufc"
    wider = order.index(scalar.numpy.kind) <= order.index(other.numpy.kind)
    return wider and (other.has_gradient or not traced)


def taken_in(
    trace: Trace, region: TracedRegion, found: dict[str, Node]
) -> dict[str, Node]:
    """The inputs for what a region closed over, by the values that they are in a trace.

    ``found`` collects these values, by name.
    """
    own: dict[str, Node] = {}
    for value, node in region.closed_over():
        outer = trace.node(value)
        found[outer.name] = outer
        own[outer.name] = node
    return own


def region_graph(
    region: TracedRegion, own: Mapping[str, Node], found: Mapping[str, Node]
) -> Graph:
    """The graph of a region, with an input for each value that was taken in."""
    b = region.trace.builder
    inputs = [*region.arguments]
    for name, value in found.items():
        inputs.append(own[name] if name in own else b.input("unused", value.type))
    made = b.build([Output(value.name) for value in region.values])
    nodes = [node for node in made if node.op != "input"]
    return Graph(region.name, [*inputs, *nodes], made.outputs)
