"""How the objects of a call become inputs, and the protocol of the fast path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..ir.types import TensorType

__all__ = [
    "ABSENT",
    "Caller",
    "Constant",
    "Guard",
    "Leaf",
    "Packed",
    "Recipe",
    "Signature",
    "Slotted",
    "Statics",
]


ABSENT = object()


class Leaf:
    """A leaf of one call: its value, and the number of the input or output that it is.

    Inputs are numbered first, then outputs; a static argument has no number. Nor has a
    number that is ``guarded``: it has to be equal. No tuple, for those are containers.
    """

    __slots__ = ("buffer", "guarded", "value")

    def __init__(self, value: Any, buffer: int | None, guarded: bool = False) -> None:
        self.value = value
        self.buffer = buffer
        self.guarded = guarded


class Packed:
    """Several inputs or outputs that lie in one array of ``nbytes`` bytes.

    ``numbers`` are theirs, in ascending order, and ``types`` what the array is made
    for; ``offsets`` are where each of them lies, the first one at 0. Arguments have it
    in the place of the array.
    """

    __slots__ = ("nbytes", "numbers", "offsets", "types")

    def __init__(
        self,
        numbers: Sequence[int],
        types: Sequence[TensorType],
        offsets: Sequence[int],
        nbytes: int,
    ) -> None:
        self.numbers = numbers
        self.types = types
        self.offsets = offsets
        self.nbytes = nbytes


class Constant:
    """An object that a result holds at every call. No tuple, as a `Leaf` is none."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Slotted:
    """An object of a result that is made by filling its slots, and by no constructor.

    It has no place for anything but its slots, which lie in the order of their names.
    """

    __slots__ = ()

    def filling(self) -> Sequence[Any]:
        """What the slots hold, in their order: parts of a result."""
        raise NotImplementedError


class Guard(NamedTuple):
    """A place outside of the arguments, and the object that a call has to find there.

    The place is the entry of a dict, or the content of a closure cell, which has no
    ``key``. Nothing is there if the value is `ABSENT`. An equal float, integer or text
    will do.
    """

    holder: Any
    key: str | None
    value: Any


class Signature(NamedTuple):
    """How the objects of a call become inputs, and outputs become its result.

    ``arguments`` is the pair ``(args, kwargs)``, or any other that calls are given by,
    with a `Leaf` for each leaf;
    ``with_out`` says that ``kwargs["out"]`` holds the outputs. ``captured`` are the
    arrays for the inputs that no argument gives, the last ones. ``result`` has the
    number of an output for each leaf, and may have a `Constant` in a `Slotted`. Both
    may have a `Packed`, which is new at each call in a result. All
    ``guards`` have to hold. ``written`` are pairs of an input, an array, and the output
    that it is to hold after the call.
    """

    arguments: Any
    captured: Sequence[np.ndarray[Any, Any]]
    result: Any
    with_out: bool
    guards: Sequence[Guard] = ()
    written: Sequence[tuple[int, int]] = ()


class Statics(Protocol):
    """Which arguments of a function are static."""

    @property
    def names(self) -> Sequence[str]:
        """The keywords whose arguments are."""
        ...

    def positions(self, count: int) -> Sequence[int]:
        """Which of so many positional arguments are."""
        ...


class Recipe(Protocol):
    """What a `Caller` knows of the calls of one signature."""

    def was_used(self) -> bool:
        """Whether a call needed it since it was last asked."""
        ...


class Caller(Protocol):
    """The fast path: from the arguments of a call to its result."""

    @property
    def call(self) -> Callable[[Any], Any]:
        """Take a pair, as ``(args, kwargs)``; the result, or NotImplemented."""
        ...

    def add(self, executable: Any, signature: Signature) -> Recipe | None:
        """Know calls of this signature from now on, if they have a form that can be."""
        ...

    def discard(self, recipes: Iterable[Any]) -> None:
        """Know them no more."""
        ...
