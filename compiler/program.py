"""A traced program: the graph, and how it connects to the caller's pytrees."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..ir.errors import AnabranchError, ConcretizationError, DTypeError, TraceError
from ..ir.graph import Graph, Node, Output
from .calls.progress import shown
from .frontend.failures import tied
from .tracing.asked import may_be_asked
from .tracing.notes import Note, merged, notes_here, noting
from .tracing.running import active_trace, find_trace, is_traced
from .tracing.source import definition_line, user_line_of
from .tracing.trace import Trace
from .tracing.tracer import Unsized
from .tree import (
    MAX_PATH,
    LeafType,
    flatten,
    leaf_names,
    lists_of_numbers,
    path_names,
    unflatten,
)

__all__ = ["Program", "deeper", "embedded", "inline", "level_of_next", "trace_program"]

_state = threading.local()


class Program(NamedTuple):
    """A graph with its captured arrays and the structure of its result.

    The graph's inputs are the leaves of the arguments and then the captured values; its
    outputs are the leaves of ``result``. ``arguments`` has the input's name for each
    leaf, None for a static one. Where the function wrote into arguments, ``written``
    are their positions, and ``result`` is a pair: what was returned, and what is there.
    ``notes`` say what became of the user's loops.
    """

    graph: Graph
    arguments: tuple[str | None, ...]
    captured: tuple[Any, ...]
    result: Any
    written: tuple[int, ...] = ()
    notes: Sequence[Note] = ()

    def with_graph(self, graph: Graph, result: Any = None) -> Program:
        """This program computing something else from the same inputs."""
        kept = self.result if result is None else result
        return self._replace(graph=graph, result=kept)

    def frozen(self) -> Program:
        """This program with copies of the arrays that it captured."""
        copies = [v if is_traced(v) else v.copy() for v in self.captured]
        return self._replace(captured=tuple(copies))


@contextmanager
def deeper() -> Generator[int, None, None]:
    """The level of a new trace: one more than that of the trace around it."""
    level = level_of_next()
    _state.level = level
    try:
        yield level
    finally:
        _state.level = level - 1


def level_of_next() -> int:
    """The level of the next trace that begins here."""
    return getattr(_state, "level", 0) + 1


def trace_program(
    function: Callable[..., Any],
    structure: Any,
    leaves: Sequence[Any],
    types: Sequence[LeafType | None],
    run: Callable[..., Any],
    *,
    writes: bool = False,
) -> Program:
    """Run ``function`` on tracers and keep what it did.

    ``leaves`` of ``structure``, the tree of ``(args, kwargs)``, are replaced by tracers
    of ``types``; those whose type is None are static and passed as they are. ``run``
    calls the function, rewritten or as it is. With ``writes`` it may write into its
    arguments. Raises `ValueAsked` where it asks for the value of an integer or a bool.
    """
    names = leaf_names(function, *unflatten(structure, range(len(leaves))))
    name = getattr(function, "__name__", type(function).__name__)
    with deeper() as level:
        name = "lambda" if name == "<lambda>" else re.sub(r"\W|^(?=\d)", "_", name)
        trace = Trace(name[:100] or "_", level)
        trace.writes_arguments = writes
        trace.builder.source = definition_line(function)
        tracers = [
            leaf if type_ is None else trace.argument(label, *type_)
            for leaf, type_, label in zip(leaves, types, names, strict=True)
        ]
        trace.numbers = {
            tracer.node.name: place
            for place, tracer in enumerate(tracers)
            if types[place] is not None and may_be_asked(leaves[place])
        }
        arguments = tuple(
            None if type_ is None else tracer.node.name
            for tracer, type_ in zip(tracers, types, strict=True)
        )
        args, kwargs = unflatten(structure, tracers)
        try:
            with noting() as notes, trace, shown(f"tracing {name}", trace.progress):
                result = run(function, *args, **kwargs)
        except Exception as error:
            if isinstance(error, AnabranchError):
                error.at(user_line_of(error))
            if isinstance(error, (TypeError, AttributeError)):
                for given in lists_of_numbers(function, *unflatten(structure, leaves)):
                    error.add_note(
                        f"  {given} is a list of numbers, each traced on its own: pass "
                        f"np.asarray({given}) where it is to be an array"
                    )
            raise
        labels = path_names(result)
        written = [
            place
            for place, (tracer, type_) in enumerate(zip(tracers, types, strict=True))
            if type_ is not None and tracer.memory.is_written
        ]
        if written:
            labels += [f"{arguments[place]}.after" for place in written]
            result = result, [tracers[place] for place in written]
        outputs, result_structure = flatten(result)
        results = tied(trace, [_result(trace, value, function) for value in outputs])
    labels = [label[:MAX_PATH].rstrip(".") for label in labels]
    graph = trace.builder.build(
        [
            Output(node.name, f"r.{label}" if label[:1].isdigit() else label)
            for node, label in zip(results, labels, strict=True)
        ]
    )
    live = tuple(trace.live())
    told = merged(notes.found)
    return Program(graph, arguments, live, result_structure, tuple(written), told)


def _result(trace: Trace, value: Any, function: Any) -> Node:
    try:
        return trace.node(value)
    except ConcretizationError:
        raise
    except (TraceError, DTypeError) as error:
        what = error.what
        if not isinstance(value, Unsized):
            what = f"{trace.builder.name} returned a {type(value).__name__}: {what}"
        raise TraceError(
            what,
            source=error.source or definition_line(function),
            hint=error.hint
            or "return arrays and numbers, alone or in tuples, lists and dicts",
        ) from None


def inline(program: Program, leaves: Sequence[Any]) -> Any:
    """Build the nodes of ``program`` into the trace that ``leaves`` belong to."""
    values = [*leaves, *program.captured]
    return unflatten(program.result, embedded(program.graph, values, program.notes))


def embedded(
    graph: Graph, values: Sequence[Any], notes: Sequence[Note] = ()
) -> list[Any]:
    """The results of a graph, built into the trace that its inputs' values belong to.

    Where none of them is traced it is the trace that runs.
    """
    trace = find_trace(values) or active_trace()
    assert trace is not None, "nothing here is traced"
    trace.enter()
    if (here := notes_here()) is not None:
        here.found += notes
    given = [
        trace.node(value, node.type.dtype)
        for value, node in zip(values, graph.inputs, strict=True)
    ]
    return list(map(trace.wrap, trace.builder.embed(graph, given)))
