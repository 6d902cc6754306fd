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
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..ir.errors import ConcretizationError
from .tracer import GETITEM, SETITEM

if TYPE_CHECKING:
    from .trace import Trace

__all__ = ["Ragged", "Read", "View"]


class View(NamedTuple):
    """Which elements of an array a slice has: ``array[at(k)]`` for each k.

    Those of equal keys, of one array, are at the same places.
    """

    array: Any
    at: Callable[[Any], tuple[Any, ...]]
    key: tuple[Any, ...]


class Read(NamedTuple):
    """A view, and the value that its array had when it was read."""

    view: View
    value: Any


Choice = Callable[[Read], Any]
"""Which array to read an element of: the value, or one that has the same there."""


class Ragged(NDArrayOperatorsMixin):
    """``length`` elements, a traced integer from 0 to ``most``.

    ``element(k, choice)`` makes the one at a position, of what it ``reads``. One that
    is a slice itself has a ``view``. ``home`` is the trace that made it.
    """

    __slots__ = ("element", "home", "length", "most", "reads", "view")
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
        self.home = self.owner.innermost

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
        out = kwargs.pop("out", (None,))[0]
        made = self.owner.ufunc(ufunc, method, args, kwargs)
        if not isinstance(out, Ragged):
            return made if out is None else self.refuse()
        if out.view is None:
            return out.become(made)
        out[:] = made
        return out

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
        """Hold from now on what another one does, under all names of this.

        A branch or a loop that did so to a slice of the function around it would do it
        whether or not it runs.
        """
        if self.owner.innermost is not self.home:
            self.refuse()
        self.length, self.element = other.length, other.element
        self.most, self.reads, self.view = other.most, other.reads, other.view
        return self


def _method(function: Any) -> Any:
    def method(self: Ragged, *args: Any, **kwargs: Any) -> Any:
        return self.owner.apply(function, (self, *args), kwargs)

    return method


for _name in ("sum", "prod", "mean", "max", "min", "any", "all", "dot", "copy"):
    setattr(Ragged, _name, _method(getattr(np, _name)))
