"""Arrays whose sizes are known only when running, as ``A[i, :j]`` is in a loop.

Sizes of a graph are numbers, so no value is such an array. A `Ragged` is what is left
to do: how each element is made, and how many there are. It is a view of an array, which
reads that as it is when it is asked, or it is computed of what its arrays held when it
was made, as in NumPy. `lower/ragged.py` has what is done to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...ir.errors import ConcretizationError
from ..intervals import Interval
from .casts import check_same_kind
from .tracer import GETITEM, SETITEM, Tracer

if TYPE_CHECKING:
    from .trace import Trace

__all__ = [
    "Axis",
    "Choice",
    "Element",
    "Place",
    "Ragged",
    "Read",
    "View",
    "axes_of_shape",
    "whole_view",
]


class Axis(NamedTuple):
    """How long an axis is, a number or traced, and the most that it may be."""

    length: Any
    most: int

    @property
    def is_known(self) -> bool:
        """Whether the length is a number."""
        return isinstance(self.length, int)

    @property
    def is_one(self) -> bool:
        """Whether the length is the number 1, so that it stretches to any other."""
        return isinstance(self.length, int) and self.length == 1


def axes_of_shape(shape: Sequence[int]) -> tuple[Axis, ...]:
    """The axes of an array of known sizes."""
    return tuple(Axis(n, n) for n in shape)


class Place(NamedTuple):
    """Where along an axis of an array the elements of a slice of it are.

    At ``start``, or at ``start + step * k`` for k along an ``axis`` of the slice.
    """

    start: Any
    step: int = 0
    axis: int | None = None

    def at(self, ks: Sequence[Any]) -> Any:
        """The position of the element of the slice at ``ks``."""
        if self.axis is None:
            return self.start
        k, start = ks[self.axis], self.start
        if type(k) is int and k == 0:
            return start
        if self.step == 1:
            return k if type(start) is int and start == 0 else start + k
        return start - k if self.step == -1 else start + k * self.step


class View(NamedTuple):
    """A slice of an array: a place for each axis of that."""

    array: Any
    places: tuple[Place, ...]

    def at(self, ks: Sequence[Any]) -> tuple[Any, ...]:
        """The index of the element of the slice at ``ks``."""
        pairs = zip(self.places, self.array.shape, strict=True)
        return tuple(_inside(place.at(ks), size) for place, size in pairs)

    @property
    def runs_along(self) -> int | None:
        """The axis of the slice that is the last one in memory."""
        return self.places[-1].axis if self.places else None


def _inside(index: Any, size: int) -> Any:
    """A position that is known to be inside."""
    if isinstance(index, Tracer):
        here = index.reader
        found = here.intervals.of(index.unchecked_node)
        if found is None or not found.within(0, size - 1):
            here.intervals.note(index.unchecked_node, Interval(0, size - 1))
    return index


class Read(NamedTuple):
    """A view with its axes, and the value that its array had when it was read."""

    view: View
    axes: tuple[Axis, ...]
    value: Any


Choice = Callable[[Read], Any]
"""Which array to read an element of: the value, or one that has the same there."""
Element = Callable[[Sequence[Any], Choice], Any]
"""Makes the element at a position along each axis, a scalar, of what is read."""


class Ragged(NDArrayOperatorsMixin):
    """An array with an axis at least whose length is traced.

    One that has a ``view`` is a slice of an array. Any other is an expression: its
    elements are made of what it ``reads``. ``home`` is the trace that made it.
    """

    __slots__ = ("axes", "dtype", "element", "home", "reads", "view")
    __array_priority__ = 2000.0
    __hash__ = None  # type: ignore[assignment]  # unhashable, as arrays are

    def __init__(
        self,
        home: Trace,
        axes: Sequence[Axis],
        dtype: np.dtype[Any],
        element: Element,
        reads: Sequence[Read] = (),
    ) -> None:
        self.home = home
        self.axes = tuple(axes)
        self.dtype = dtype
        self.element = element
        self.reads = tuple(reads)
        self.view: View | None = None

    @classmethod
    def of_view(cls, home: Trace, axes: Sequence[Axis], view: View) -> Ragged:
        """A slice of an array."""

        def element(ks: Sequence[Any], choice: Choice) -> Any:
            return view.array[view.at(ks)]

        made = cls(home, axes, view.array.dtype, element)
        made.view = view
        return made

    @property
    def shape(self) -> tuple[Any, ...]:
        """The lengths, of which one at least is traced."""
        return tuple(axis.length for axis in self.axes)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.axes)

    @property
    def size(self) -> Any:
        """How many elements there are, traced."""
        first, *rest = self.shape
        for length in rest:
            first = first * length
        return first

    @property
    def T(self) -> Any:
        """With the axes in the other order."""
        return self.home.apply(np.transpose, (self,), {})

    def refuse(self) -> NoReturn:
        """Raise what is said where an array of a known size is needed."""
        trace = self.home.innermost
        trace.enter()
        raise ConcretizationError(
            "the size of a slice depends on a traced value",
            source=trace.builder.source,
            hint="elementwise functions, sums and the like, products and stores take "
            "one; elsewhere multiply by a mask, (np.arange(n) < i) * x, or make the "
            "argument static",
        )

    def __getattr__(self, name: str) -> Any:
        """What arrays have and this does not is refused, and so a loop unrolls."""
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a traced array has no attribute {name!r}")
        self.refuse()

    def __array_ufunc__(
        self, ufunc: Any, method: str, *args: Any, **kwargs: Any
    ) -> Any:
        out = kwargs.pop("out", (None,))[0]
        made = self.home.ufunc(ufunc, method, args, kwargs)
        if out is None:
            return made
        if not isinstance(out, Ragged):
            self.refuse()
        check_same_kind(made, out, self.home.innermost.builder.source)
        out[...] = made
        return out

    def __array_function__(
        self, function: Any, types: Any, args: Any, kwargs: Any
    ) -> Any:
        return self.home.apply(function, args, kwargs)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        self.refuse()

    def __len__(self) -> int:
        self.refuse()

    def __iter__(self) -> Any:
        self.refuse()

    def __bool__(self) -> bool:
        self.refuse()

    def __format__(self, format_spec: str) -> str:
        if format_spec:
            self.refuse()
        return str(self)

    def __getitem__(self, index: Any) -> Any:
        return self.home.apply(GETITEM, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self.home.apply(SETITEM, (self, index, value), {})

    def fill(self, value: Any) -> None:
        """Store a number into all elements."""
        self[...] = value

    def transpose(self, *axes: Any) -> Any:
        """With the axes in another order."""
        wanted = axes[0] if len(axes) == 1 else (axes or None)
        return self.home.apply(np.transpose, (self, wanted), {})

    def astype(self, dtype: Any) -> Any:
        """With elements of another dtype."""
        return self.home.apply(np.astype, (self, np.dtype(dtype)), {})

    def become(self, array: Any) -> None:
        """Be a view of an array that has the elements, under all names of this."""
        self.view = whole_view(array)
        made = Ragged.of_view(self.home, self.axes, self.view)
        self.element, self.reads = made.element, ()


def whole_view(array: Any) -> View:
    """The elements of an array at the positions that they have in it."""
    return View(array, tuple(Place(0, 1, axis) for axis in range(array.ndim)))


def _method(function: Any) -> Any:
    def method(self: Ragged, *args: Any, **kwargs: Any) -> Any:
        return self.home.apply(function, (self, *args), kwargs)

    return method


for _name in "sum prod mean max min any all var std dot copy".split():
    setattr(Ragged, _name, _method(getattr(np, _name)))
