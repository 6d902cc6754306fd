"""Functions that are made of the program of another one, while they are traced.

A transform that keeps the arguments of a function is a step between tracing and
optimisation (`gradient.py`). One that changes them, such as `jvp`, is a `Transformed`:
a function of other arguments, which traces the user's function for the types that this
is to see, transforms the graph, and builds it into the trace around.

So transforms compose with each other and with everything that is traced. What the
user's function closes over are inputs of its graph like others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any, NamedTuple

from ..calls.call import Call
from ..calls.function import Compiled, Function, OfFunction, Tracing
from ..calls.static import Static
from ..program import Program

__all__ = ["Traced", "Transformed", "as_it_is", "compiled"]


def as_it_is(program: Program, call: Call) -> Program:
    """A step that changes nothing; with one, arguments cannot be written to."""
    return program


class Traced(NamedTuple):
    """The user's function traced for one call."""

    program: Program
    call: Call

    @property
    def leaves(self) -> list[Any]:
        """The arguments' leaves; static ones have no input in the graph."""
        leaves = self.call.leaves
        return [leaf.value if isinstance(leaf, Static) else leaf for leaf in leaves]

    def values(self, leaves: Sequence[Any]) -> list[Any]:
        """What the graph's inputs take where the arguments have these leaves."""
        pairs = zip(leaves, self.program.arguments, strict=True)
        taken = [leaf for leaf, name in pairs if name is not None]
        return [*taken, *self.program.captured]


class Transformed(OfFunction):
    """A function made of another one's program; a subclass says which by its call."""

    def __init__(
        self,
        function: Function,
        static_argnums: int | Sequence[int] | None = (),
        static_argnames: str | Sequence[str] | None = (),
    ) -> None:
        self.inner = Compiled(
            function,
            as_it_is,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
        )
        update_wrapper(self, self.inner, updated=())

    @property
    def py_func(self) -> Callable[..., Any]:
        return self.inner.py_func

    def traced(self, *args: Any, **kwargs: Any) -> Traced:
        """The function traced for such arguments; a type stands for an array of it."""
        return Traced(*self.inner.traced_call(args, kwargs))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


def compiled(transformed: Transformed, backend: str) -> Compiled:
    """A function of ours, compiled: what it calls of the user's is rewritten there."""
    which = transformed.inner.static
    return Compiled(
        transformed,
        backend=backend,
        static_argnums=[w for w in which if isinstance(w, int)],
        static_argnames=[w for w in which if isinstance(w, str)],
        tracing=Tracing(rewrite=False),
    )
