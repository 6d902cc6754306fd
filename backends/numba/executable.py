"""The printed function of a graph, compiled by Numba and called."""

from __future__ import annotations

import builtins
import linecache
import os
import weakref
from collections.abc import Sequence
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
from .module import Text, helper_text, print_function, print_module

__all__ = ["prepare"]

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
        from numba import njit

        function = _define(self._text, self._file)
        weakref.finalize(self, linecache.cache.pop, self._file, None)
        free = not self._text.is_called
        compiled: Any = njit(error_model="numpy", nogil=free)(function)
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
    """The Python function of a text; it sees what printed code may name."""
    known = _helper_space()
    for name in helpers_of(str(text)):
        if name not in known:
            _execute(helper_text(name), f"<anabranch {name}>", known)
    space = {**known, **callbacks_of(str(text))}
    if text.is_called:
        from numba import objmode
        from scipy import linalg, special

        space.update(objmode=objmode, linalg=linalg, special=special)
    _execute(str(text), file, space)
    return space[text.name]


def _execute(text: str, file: str, space: dict[str, Any]) -> None:
    """Run a definition, whose lines Numba and tracebacks find."""
    lines = text.splitlines(keepends=True)
    linecache.cache[file] = len(text), None, lines, file
    exec(compile(text, file, "exec"), space)


@cache
def _helper_space() -> dict[str, Any]:
    """The names of all printed code: modules, and the functions that it has called.

    Those are compiled once in a process, for each dtype that they meet.
    """
    import math

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
    return {"np": np, "math": math, "njit": njit}


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
