"""Slices whose length is known only when running, such as ``A[i, :j]`` in a loop.

Sizes of a graph are numbers, so no value is such a slice. A `Ragged` is what is left to
do: how each element is made, and how many there are. Elementwise functions put more on
top; a reduction and a store are a loop over the elements with the length for its limit
(`lower/ragged.py`). So ``A[i, j] -= A[i, :j] @ A[j, :j]`` is what it would be in C.

A slice is a view, and reads its array as it is when it is asked. What is computed of it
is computed of what it held then, as in NumPy, so that keeps the values of the arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from ..ir.errors import ConcretizationError
from .tracer import GETITEM, SETITEM

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Ragged", "Read", "View"]


class View(NamedTuple):
    """Which elements of an array a slice has: ``array[index(k)]`` for each k.

    Those of equal keys, of one array, are at the same places.
    """

    array: Any
    index: Callable[[Any], tuple[Any, ...]]
    key: tuple[Any, ...]


class Read(NamedTuple):
    """A view, and the value that its array had when it was read."""

    view: View
    value: Any


Choice = Callable[[Read], Any]
"""Which array to read an element of: the value, or one that has the same there."""


class Ragged:
    """``length`` elements, a traced integer from 0 to ``most``.

    ``element(k, choice)`` makes the one at a position, of what it ``reads``. One that
    is a slice itself has a ``view``.
    """

    __slots__ = ("element", "length", "most", "reads", "view")
    __array_priority__ = 2000.0
    __hash__ = None  # type: ignore[assignment]  # unhashable, as arrays are
    ndim = 1

    def __init__(
        self,
        length: Any,
        most: int,
        element: Callable[[Any, Choice], Any],
        reads: Sequence[Read] = (),
        view: View | None = None,
    ) -> None:
        self.length = length
        self.most = most
        self.element = element
        self.reads = tuple(reads)
        self.view = view

    @property
    def owner(self) -> Trace:
        """The trace of the length."""
        return self.length.owner

    @property
    def shape(self) -> tuple[Any]:
        """The length, traced."""
        return (self.length,)

    @property
    def size(self) -> Any:
        """The length, traced."""
        return self.length

    @property
    def T(self) -> Ragged:
        """Itself: it has one axis."""
        return self

    def refuse(self) -> NoReturn:
        """Raise what is said where an array of a known size is needed."""
        trace = self.owner.innermost
        trace.enter()
        raise ConcretizationError(
            "the size of a slice depends on a traced value",
            source=trace.builder.source,
            hint="elementwise functions, sums and the like, products with another such "
            "slice and stores take one; elsewhere multiply by a mask, "
            "(np.arange(n) < i) * x, or make the argument static",
        )

    def __array_ufunc__(
        self, ufunc: Any, method: str, *args: Any, **kwargs: Any
    ) -> Any:
        return self.owner.ufunc(ufunc, method, args, kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        return self.owner.apply(function, args, kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self.refuse()

    def __len__(self) -> int:
        self.refuse()

    def __iter__(self) -> Any:
        self.refuse()

    def __bool__(self) -> bool:
        self.refuse()

    def __getitem__(self, index: Any) -> Any:
        return self.owner.apply(GETITEM, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self.owner.apply(SETITEM, (self, index, value), {})

    def become(self, other: Ragged) -> Ragged:
        """Hold from now on what another one does, under all names of this."""
        self.length, self.element = other.length, other.element
        self.most, self.reads, self.view = other.most, other.reads, other.view
        return self


def _binary(function: Any, reflected: bool = False) -> Any:
    def method(self: Ragged, other: Any) -> Any:
        pair = (other, self) if reflected else (self, other)
        return self.owner.operator(function, *pair)

    return method


def _unary(function: Any) -> Any:
    def method(self: Ragged) -> Any:
        return self.owner.operator(function, self)

    return method


def _in_place(function: Any) -> Any:
    def method(self: Ragged, other: Any) -> Any:
        made = self.owner.operator(function, self, other)
        if self.view is None:
            return self.become(made)
        self[:] = made
        return self

    return method


def _method(function: Any) -> Any:
    def method(self: Ragged, *args: Any, **kwargs: Any) -> Any:
        return self.owner.apply(function, (self, *args), kwargs)

    return method


for _name in ("sum", "prod", "mean", "max", "min", "any", "all", "dot", "copy"):
    setattr(Ragged, _name, _method(getattr(np, _name)))
for _name, _function in {
    **{"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide},
    **{"floordiv": np.floor_divide, "mod": np.remainder, "pow": np.power},
    **{"matmul": np.matmul, "and": np.bitwise_and, "or": np.bitwise_or},
    "xor": np.bitwise_xor,
}.items():
    setattr(Ragged, f"__{_name}__", _binary(_function))
    setattr(Ragged, f"__r{_name}__", _binary(_function, True))
    setattr(Ragged, f"__i{_name}__", _in_place(_function))
for _name, _function in {
    **{"eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal},
    **{"gt": np.greater, "ge": np.greater_equal},
}.items():
    setattr(Ragged, f"__{_name}__", _binary(_function))
for _name, _function in {
    **{"neg": np.negative, "pos": np.positive, "abs": np.absolute},
    "invert": np.invert,
}.items():
    setattr(Ragged, f"__{_name}__", _unary(_function))
