"""The printed function of a graph, compiled by Numba and called."""

from __future__ import annotations

import builtins
import linecache
import os
import weakref
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any

import numpy as np

from ...ir.graph import Graph, Node
from ...ir.ops.index import failure, failure_of
from ...ir.text import format_node
from ...ir.types import TensorType
from ..base import Array, Executable, Report, Stages
from ..fused import units
from ..hosts import callback_error
from .callback import callbacks_of
from .functions import helpers_of
from .index import RAISED
from .module import Text, helper_text, imports_of, print_function, print_module
from .ufunc import inner_loop

__all__ = ["helper_space", "prepare"]

_numbers = count()


class NumbaExecutable:
    """A graph compiled as one function.

    Nothing is changed after construction, so any number of threads may call at once.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._seconds = Stages()
        with self._seconds.timed("print"):
            self._text = print_function(graph)
        self._file = f"<anabranch {self._text.name} {next(_numbers)}>"
        with self._seconds.timed("compile"):
            self._run = self._compiled()
        self._types = [graph[name].type for name in graph.results]

    def _compiled(self) -> Any:
        """The machine code, for the types of the graph's inputs."""
        compiled = _define(self._text, self._file)
        weakref.finalize(self, linecache.cache.pop, self._file, None)
        try:
            compiled.compile(tuple(_numba_type(n.type) for n in self.graph.inputs))
        except MemoryError:
            raise
        except Exception as error:  # llvmlite raises more than Numba's own
            raise _failure(self._text, error) from error
        compiled.disable_compile()
        return compiled

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        arguments = [array if array.ndim else array[()] for array in arrays]
        try:
            made = self._run(*arguments)
        except _BASES as error:
            raise self._error(error) or error from None
        results = made if len(self._types) != 1 else (made,)
        return [
            _owned(np.asarray(value, type_.numpy))
            for value, type_ in zip(results, self._types, strict=True)
        ]

    def _error(self, error: BaseException) -> BaseException | None:
        """The error of the check or callback that failed, None where none did."""
        node = _node_of(self._text, self._line(error))
        if node is not None and node.op == "callback":
            return callback_error(node)
        if node is None or failure(node) is None:
            return None
        return failure_of(node).at(node.source, format_node(node))

    def _line(self, error: BaseException) -> int:
        """The line of the printed function that raised, 0 where it was none."""
        traceback = error.__traceback__
        line = 0
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self._file:
                line = traceback.tb_lineno
            traceback = traceback.tb_next
        return line

    def plan_text(self) -> str:
        """There is no plan: the graph as it is printed."""
        return self.graph.as_text()

    def source_text(self) -> str:
        """The module that `to_numba` returns."""
        return print_module(self.graph)

    def report(self) -> Report:
        """One function, compiled by Numba in each process anew."""
        return Report(
            name=self.graph.name,
            nodes=len(self.graph),
            steps=len(units(self.graph)),
            kernels=((self._text.name, "compiled: by Numba"),),
            seconds=self._seconds,
        )


_BASES = tuple(
    {getattr(builtins, name, np.linalg.LinAlgError) for name in RAISED.values()}
)


def _owned(array: Array) -> Array:
    """The array, or a copy of a view, whose memory another result may have."""
    return array if array.flags.owndata else array.copy()


def _define(text: Text, file: str) -> Any:
    """The function of a text; it sees what printed code may name."""
    known = helper_space()
    loops = {loop.name: loop.text for loop in text.loops}
    called = helpers_of("".join([*loops.values(), str(text)]))
    helpers = {name: helper_text(name) for name in called}
    for name, definition in {**helpers, **loops}.items():
        if name not in known:
            exec(imports_of(definition), known)
            _execute(definition, f"<anabranch {name}>", known)
            _take_literals_as_numbers(known[name])
    space = {**known, **callbacks_of(str(text))}
    exec(imports_of(str(text)), space)
    _execute(str(text), file, space)
    return space[text.name]


def _take_literals_as_numbers(dispatcher: Any) -> None:
    """Let calls of a helper share its code where Numba compiles it for each literal."""
    from numba.core.types import unliteral

    made = dispatcher.get_call_template

    def template(args: Sequence[Any], kws: Mapping[str, Any]) -> Any:
        named = {name: unliteral(kind) for name, kind in kws.items()}
        return made(tuple(map(unliteral, args)), named)

    dispatcher.get_call_template = template


def _execute(text: str, file: str, space: dict[str, Any]) -> None:
    """Run a definition, whose lines Numba and tracebacks find."""
    lines = text.splitlines(keepends=True)
    linecache.cache[file] = len(text), None, lines, file
    exec(compile(text, file, "exec"), space)


@cache
def helper_space() -> dict[str, Any]:
    """The names of all printed code: modules, and the functions that it has called.

    Those are compiled once in a process, for each dtype that they meet.
    """
    from numba import njit
    from numba.core.compiler_lock import global_compiler_lock

    # A fork while another thread compiles would leave the child waiting for ever on a
    # lock that nobody in it holds. So the forking thread takes it across the fork.
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=global_compiler_lock.acquire,
            after_in_parent=global_compiler_lock.release,
            after_in_child=global_compiler_lock.release,
        )
    return {"np": np, "njit": njit, "inner_loop": inner_loop}


def _numba_type(type_: TensorType) -> Any:
    """Arrays are only read, and may be read-only."""
    from numba import types

    name = "boolean" if type_.dtype == "bool" else type_.numpy.name
    scalar = getattr(types, name)
    if not type_.rank:
        return scalar
    return types.Array(scalar, type_.rank, "C", readonly=True)


def _node_of(text: Text, line: int) -> Node | None:
    """The node that a line computes."""
    return text.nodes[line - 1] if 0 < line <= len(text.nodes) else None


def _failure(text: Text, error: Exception) -> AssertionError:
    """What is raised where Numba does not take what was printed: a bug of ours."""
    line = int(getattr(getattr(error, "loc", None), "line", 0) or 0)
    node = _node_of(text, line)
    where = f"{format_node(node)}\n" if node else ""
    return AssertionError(f"Numba cannot compile {text.name}\n{where}{error}")


def prepare(graph: Graph) -> Executable:
    """Print a graph and compile it."""
    return NumbaExecutable(graph)
