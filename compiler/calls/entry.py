"""What is kept of one signature: the traced graph, what became of it, how it runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from itertools import count
from typing import Any

import numpy as np

from ...backends import find_backend
from ...backends.base import Array, Executable, Stages
from ...backends.signature import Caller, Leaf, Recipe, Signature
from ...ir.errors import ArgumentError, RangeError
from ...ir.graph import Graph
from ...ir.types import TensorType
from ..native import Native
from ..pipeline import optimise
from ..program import Program, inline
from ..tapes import warn_of_large
from ..tracing.asked import Asked
from ..tracing.running import find_trace, is_traced
from ..tree import flatten, unflatten
from .call import Call
from .out import write_arguments
from .progress import shown
from .state import State
from .static import Static

__all__ = ["Entry", "disable_jit", "input_array", "interpreted", "no_fast_path"]

MAX_RECIPES = 4  # of one signature, for calls with and without out, and for threads

interpreted: ContextVar[bool] = ContextVar("interpreted", default=False)
"""Whether `disable_jit` is on."""


def no_fast_path(pair: Any) -> Any:
    """The caller of what has no recipes."""
    return NotImplemented


@contextmanager
def disable_jit() -> Generator[None, None, None]:
    """Run every compiled function by the reference interpreter, node by node."""
    token = interpreted.set(True)
    try:
        yield
    finally:
        interpreted.reset(token)


class Entry:
    """One signature: what was traced, what became of it, and how it runs."""

    def __init__(
        self,
        traced: Program,
        program: Program,
        seconds: Stages | None = None,
        call: Call | None = None,
        state: State | None = None,
        asked: Asked | None = None,
    ) -> None:
        self.call = call  # with the type of each leaf that is not static
        self.state = state  # None where nothing can change
        self.asked = asked or {}
        self.seconds = Stages() if seconds is None else seconds
        self.traced = traced
        self.program = program
        self._types = [node.type for node in program.graph.inputs]
        self._dynamic = [i for i, name in enumerate(program.arguments) if name]
        self._runners: dict[str, Executable] = {}
        self._optimised: dict[tuple[str, ...], Graph] = {}
        self._natives: dict[str, Native] = {}
        self._begin()

    def _begin(self) -> None:
        """What it knows of the calls of one compiled function."""
        self._calls = {False: count(1), True: count(1)}
        self.used = False  # since it was made, or since `was_used` was asked
        self._gone = False
        self._recipes: deque[Recipe] = deque()

    def with_state(self, state: State) -> Entry:
        """This one for another compiled function; what was made of it they share."""
        made = copy(self)
        made.state = state
        made._begin()
        return made

    def optimised(self, backend: str) -> Graph:
        """The graph as a backend takes it: one for all that ask for the same passes."""
        passes = find_backend(backend).passes
        known = self._optimised.get(passes)
        if known is None:
            graph = self.program.graph
            told = f"{len(graph):,} nodes"
            with (
                self.seconds.timed("passes"),
                shown(f"optimising {graph.name}", lambda: told),
            ):
                made = optimise(graph, backend)
            warn_of_large(made)
            known = self._optimised.setdefault(passes, made)
        return known

    @property
    def nested(self) -> bool:
        """Whether the function closed over a value that is being traced."""
        return any(is_traced(value) for value in self.program.captured)

    def runner(self, backend: str) -> Executable:
        """The executable of a backend, prepared when it is first asked for."""
        known = self._runners.get(backend)
        if known is None:
            graph = self.optimised(backend)
            with shown(f"compiling {graph.name}", lambda: f"{len(graph):,} nodes"):
                made = find_backend(backend).prepare(graph)
            known = self._runners.setdefault(backend, made)
        return known

    def native(self, backend: str) -> Native:
        """This signature for native code, made when it is first asked for."""
        known = self._natives.get(backend)
        if known is not None:
            return known
        make_door = find_backend(backend).make_door
        if make_door is None:
            raise ArgumentError(
                f"the backend {backend} makes no functions for native code",
                hint='compile with backend="llvm"',
            )
        if self.nested:
            raise ArgumentError(
                "a function that closes over traced values has no native code",
                hint="ask for it outside of the function that is being traced",
            )
        if self.program.written:
            raise ArgumentError(
                "a function that writes into its arguments has no native code",
                hint="return the new arrays instead",
            )
        captured = self._captured()
        door = make_door(self.runner(backend), captured)
        made = Native(self.program, door, captured)
        return self._natives.setdefault(backend, made)

    def _captured(self) -> list[Array]:
        """The captured arrays, as inputs of the graph."""
        captured = self.program.captured
        types = self._types[len(self._types) - len(captured) :]
        return list(map(input_array, captured, types))

    def is_inlined(self, leaves: Sequence[Any]) -> bool:
        """Whether a call with these leaves becomes nodes of the trace around."""
        return self.nested or find_trace([leaves[i] for i in self._dynamic]) is not None

    def __call__(self, leaves: Sequence[Any], backend: str) -> Any:
        """Run on the leaves of a call, or build the nodes into the trace around."""
        values = [leaves[i] for i in self._dynamic]
        if self.is_inlined(leaves):
            result = inline(self.program, values)
        else:
            arrays = self.run(values, backend)
            result = self.tree([r if r.ndim else r[()] for r in arrays])
        if self.program.written:
            result, contents = result
            write_arguments(leaves, self.program.written, contents)
        return result

    def run(self, values: Sequence[Any], backend: str) -> list[Array]:
        """The leaves of the result, as arrays."""
        backend = "reference" if interpreted.get() else backend
        values = [*values, *self.program.captured]
        arrays = [input_array(v, t) for v, t in zip(values, self._types, strict=True)]
        return self.runner(backend)(arrays)

    def tree(self, leaves: Sequence[Any]) -> Any:
        """The result with these leaves."""
        return unflatten(self.program.result, leaves)

    @property
    def guards(self) -> list[str]:
        """The values that arguments have to have, as a report shows them."""
        if self.call is None or not self.asked:
            return []
        return [
            f"{self.call.name(place)} == {self.call.leaves[place].value!r}, "
            f"asked for at {line or 'an unknown line'}"
            for place, line in self.asked.items()
        ]

    def wants_fast_path(self, with_out: bool) -> bool:
        """Count the calls of the slow path: is this the 2nd, 4th, 8th, ... of its form?

        The second makes a fast path. Those that still come here may be of another form
        (scalars for arrays of rank 0, keys made anew), so others follow, ever fewer.
        A count is one step of Python's, so that of many threads one is told.
        """
        number = next(self._calls[with_out])
        return number > 1 and number & (number - 1) == 0

    def scratch_bytes(self) -> int:
        """The scratch memory that its executables keep for their next call."""
        return sum(runner.report().arena_bytes for runner in self._runners.values())

    def kept_bytes(self) -> int:
        """That, and the bytes of the arrays that the function closed over."""
        arrays = (x for x in self.program.captured if isinstance(x, np.ndarray))
        return self.scratch_bytes() + sum(array.nbytes for array in arrays)

    def was_used(self) -> bool:
        """Whether there was a call since this was last asked, on either path."""
        used, self.used = self.used, False
        return any([used, *(recipe.was_used() for recipe in self._recipes.copy())])

    def add_recipe(self, caller: Caller, backend: str, signature: Signature) -> None:
        """Have a caller know the calls of this signature, as long as this is kept."""
        recipe = caller.add(self.runner(backend), signature)
        if recipe is None:
            return
        self._recipes.append(recipe)
        if len(self._recipes) > MAX_RECIPES:
            caller.discard([self._recipes.popleft()])
        if self._gone:  # meanwhile, by another thread
            self.drop([caller])

    def drop(self, callers: Iterable[Caller]) -> None:
        """Have the callers forget this."""
        self._gone = True
        for caller in callers if self._recipes else ():
            caller.discard(list(self._recipes))

    def signature(self, call: Call, names: Sequence[str], out: Any) -> Signature:
        """What a `Caller` needs to know of calls like this one.

        ``names`` are the keywords in their order; where ``out`` is one of them and none
        of the function's, the outputs are the leaves of ``out``.
        """
        buffers = {position: number for number, position in enumerate(self._dynamic)}
        leaves = [
            Leaf(
                leaf.value if isinstance(leaf, Static) else leaf,
                buffers.get(position),
                position in self.asked,
            )
            for position, leaf in enumerate(call.leaves)
        ]
        args, kwargs = unflatten(call.structure, leaves)
        with_out = len(names) > len(kwargs)
        if with_out:
            first = len(self._types)
            found = [Leaf(leaf, n) for n, leaf in enumerate(flatten(out)[0], first)]
            kwargs["out"] = self.tree(found)
        result = self.tree(range(len(self.program.graph.results)))
        written: list[tuple[int, int]] = []
        if self.program.written:
            result, contents = result
            written = [
                (buffers[position], output)
                for position, output in zip(self.program.written, contents, strict=True)
            ]
        ordered = {name: kwargs[name] for name in names}
        guards = self.state.guards if self.state else ()
        return Signature(
            *((args, ordered), self._captured(), result, with_out, guards, written)
        )


def input_array(leaf: Any, type: TensorType) -> np.ndarray[Any, Any]:
    """The leaf as a C-contiguous, aligned array in native byte order."""
    plain = leaf.__class__ is np.ndarray and leaf.dtype == type.numpy
    if plain and leaf.flags.carray:
        return leaf
    if isinstance(leaf, TensorType):
        raise ArgumentError(f"{leaf} is a type, and only make_ir and save take types")
    try:
        array = np.asarray(leaf, dtype=type.numpy, order="C")
    except OverflowError:
        raise RangeError(f"the argument {leaf} does not fit into {type}") from None
    return array if array.flags.aligned else array.copy()
