"""What a backend is: it turns a verified graph into a function of arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

__all__ = ["Array", "Caller", "Executable", "Leaf", "Signature"]

Array: TypeAlias = "np.ndarray[Any, Any]"


class Executable(Protocol):
    """A prepared graph."""

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """Compute the outputs: new, C-contiguous arrays that share no memory.

        ``arrays`` are the inputs in order, C-contiguous and aligned, of the types that
        the graph declares. They are only read.
        """
        ...

    def plan_text(self) -> str:
        """The plan in the manner of IR text."""
        ...

    def source_text(self) -> str:
        """The generated source of the kernels, for people to read."""
        ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of one call: its value, and the number of the input or output that it is.

    Inputs are numbered first, then outputs; a static argument has no number.
    """

    value: Any
    buffer: int | None


@dataclass(frozen=True, slots=True)
class Signature:
    """How the objects of a call become inputs, and outputs become its result.

    ``arguments`` is the pair ``(args, kwargs)`` with a `Leaf` for each leaf;
    ``with_out`` says that ``kwargs["out"]`` holds the outputs. ``captured`` are the
    arrays for the inputs that no argument gives, the last ones. ``result`` has the
    number of an output for each leaf.
    """

    arguments: Any
    captured: Sequence[Array]
    result: Any
    with_out: bool


class Caller(Protocol):
    """A short way from the arguments of a call to its result."""

    @property
    def call(self) -> Callable[[Any], Any]:
        """Take ``(args, kwargs)``; the result, or NotImplemented."""
        ...

    def add(self, executable: Any, signature: Signature) -> None:
        """Know calls of this signature from now on, if they have a form that can be."""
        ...
