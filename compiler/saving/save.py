"""Compiled functions as files: what `Compiled.save` writes, and `load` reads.

The text in the file (see `container`) has a line for the function, and for each
signature a line and the text of its graph:

    function {name=..., backend=..., static=(2, "n"), parameters=(PARAMETER, ...)}
    backward {outputs=TREE, result=TREE}
    graph ...
    call {arguments=TREE, result=TREE, captured=(0, 1)}
    graph ...

A PARAMETER is a name, the name of its kind in `inspect`, and whether it has a default.
A TREE is as in `tree_text`. ``arguments`` is a dict by parameter, whose leaves are
"array", "number" (one of Python's) or ("static", value). The inputs of the graph are
its arrays and numbers in this order, and then the arrays of the file that ``captured``
counts; its outputs are the leaves of ``result``. A ``backward`` is a backward pass that
residuals in a result belong to: it takes these and then the leaves of ``outputs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from inspect import Parameter
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ...backends.base import Array
from ...ir.errors import ArgumentError
from ...ir.graph import Graph
from ...ir.literals import MAX_LITERALS, Attrs, Literal
from ...ir.text import MAX_NAME
from ..calls.call import Call
from ..calls.entry import Entry
from ..calls.function import Compiled
from ..calls.static import Static
from ..graph_function import Argument, Case, bound_order, reordered, signature_of
from ..program import Program
from ..transforms.residuals import Backward
from .container import write_container
from .tree_text import is_literal, tree_items

__all__ = ["save"]


def save(
    function: Compiled, path: str | PathLike[str], entries: Sequence[Entry]
) -> None:
    """Write the entries of a function to one file; see `Compiled.save`."""
    if any(entry.program.written for entry in entries):
        raise ArgumentError(
            "a function that writes into its arguments cannot be saved",
            hint="return the new arrays instead",
        )
    for entry in entries:
        _check_no_callback(entry.program.graph)
    cases = [
        _case(entry.call, entry.program)
        for entry in entries
        if entry.call is not None and not entry.nested
    ]
    if not cases:
        raise ArgumentError(
            "there is no graph to save yet",
            hint="call the function first, or give save its arguments or their types",
        )
    # Types in place of arrays, and another order of keywords, make other signatures.
    distinct = {(case.structure, case.arguments): case for case in cases}
    write_container(Path(path), *_Writer().write(function, list(distinct.values())))


def _check_no_callback(graph: Graph) -> None:
    """Raise `ArgumentError` where a graph calls what a file cannot hold."""
    for node in graph:
        if node.op == "callback":
            raise ArgumentError(
                f"a function with a callback, {node.attrs['function']}, "
                "cannot be saved",
                source=node.source,
                hint="a file holds graphs, and no Python functions",
            )
        for region in node.regions:
            _check_no_callback(region)


def _case(call: Call, program: Program) -> Case:
    """What a file keeps of a call, its leaves sorted by parameter."""
    order, structure = bound_order(call.function, call.structure)
    arguments = tuple(call.leaves[position] for position in order)
    return Case(structure, arguments, reordered(program, order))


class _Writer:
    """Makes the text, and collects the arrays and the backward passes for it."""

    def __init__(self) -> None:
        self._arrays: list[Array] = []
        self._places: dict[tuple[object, ...], int] = {}
        self._backward: list[Backward] = []

    def write(
        self, function: Compiled, cases: Sequence[Case]
    ) -> tuple[str, list[Array]]:
        """The text, and the arrays that it counts."""
        name = str(getattr(function, "__name__", ""))
        head = _record(
            "function",
            name=name[:MAX_NAME] if name.isprintable() else "",
            backend=function.backend,
            static=function.static,
            parameters=tuple(
                (p.name, p.kind.name, p.default is not Parameter.empty)
                for p in signature_of(function).parameters.values()
            ),
        )
        calls = [self._call(case) for case in cases]
        backward = [self._pass(known) for known in self._backward]
        return "".join([head, *backward, *calls]), self._arrays

    def _call(self, case: Case) -> str:
        leaves = [_leaf(argument) for argument in case.arguments]
        return _record(
            "call",
            case.program.graph,
            arguments=tree_items(case.structure, leaves, self._number),
            result=self._arrays_in(case.program.result),
            captured=tuple(map(self._place, case.program.captured)),
        )

    def _pass(self, backward: Backward) -> str:
        program = backward.entry.program
        return _record(
            "backward",
            program.graph,
            outputs=self._arrays_in(backward.outputs),
            result=self._arrays_in(program.result),
        )

    def _arrays_in(self, structure: Any) -> tuple[Literal, ...]:
        """A tree whose leaves are arrays."""
        leaves = ["array"] * structure.num_leaves
        return tree_items(structure, leaves, self._number)

    def _number(self, backward: Backward) -> int:
        if backward not in self._backward:
            self._backward.append(backward)
        return self._backward.index(backward)

    def _place(self, value: Any) -> int:
        """The number of an array in the file; equal ones are kept once."""
        array = np.asarray(value, order="C")
        digest = sha256(array.reshape(-1).view(np.uint8).data).digest()
        key = (array.dtype, array.shape, digest)
        place = self._places.setdefault(key, len(self._arrays))
        if place == len(self._arrays):
            self._arrays.append(array)
        return place


def _leaf(argument: Argument) -> Literal:
    if not isinstance(argument, Static):
        return "number" if argument[1] else "array"
    if not is_literal(argument.value):
        raise ArgumentError(
            f"a static {type(argument.value).__name__} cannot be saved",
            hint="numbers, strings, None and tuples of them can",
        )
    return ("static", argument.value)


def _record(word: str, graph: Graph | None = None, **fields: Literal) -> str:
    """One record, and below it the text of its graph."""
    text = Attrs(fields).text
    if text.count(",") > MAX_LITERALS:
        raise ArgumentError(f"a tree of more than {MAX_LITERALS} items")
    below = graph.as_text(version=True) if graph else ""
    return f"{word} {{{text}}}\n{below}"
