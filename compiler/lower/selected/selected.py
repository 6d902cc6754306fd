"""``x[mask]`` with a traced mask: nobody knows how many elements that is.

So they stay where they are. A `Selected` has an array as large as ``x``, and the mask,
which says what of it counts. Ufuncs work on all of it, since the places that do not
count reach neither a result nor a gradient; a store under the same mask chooses by it.
An index says which of the chosen places count further. The functions of NumPy that
take one are in `rules.py` and beside it, and found in `FUNCTIONS`. Nothing
else is possible without knowing the size, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ....ir.builder import Builder
from ....ir.errors import TraceError
from ....ir.graph import Node
from ...tracing.casts import check_same_kind
from ...tracing.running import is_traced
from ...tracing.trace import Trace
from ...tracing.tracer import Unsized

__all__ = ["FUNCTIONS", "Selected", "has_same_mask", "holds", "lower_selected"]

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""What stands for functions of NumPy where an argument is a `Selected`."""


class Selected(Unsized, NDArrayOperatorsMixin):
    """The elements of ``full`` where ``mask``, which is of its leading axes.

    ``places`` says that they are the numbers of these places along an axis, as
    `np.nonzero` has them, which choose the same as the mask does.
    """

    __hash__ = None  # type: ignore[assignment]  # unhashable, as arrays are

    def __init__(
        self, trace: Trace, full: Any, mask: Any, places: int | None = None
    ) -> None:
        self.owner = trace
        self.full: Any = trace.wrap(trace.node(full))
        self.mask = trace.wrap(trace.node(mask))
        self.places = places
        self._line = trace.builder.source

    def like(self, full: Any, mask: Any = None) -> Selected:
        """Other values at the same places, or at some of them."""
        trace = self.owner.innermost
        return Selected(trace, full, self.mask if mask is None else mask)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.full.dtype

    @property
    def ndim(self) -> int:
        return self.full.ndim - self.mask.ndim + 1

    @property
    def chosen_by(self) -> list[Any]:
        """What stands for this in an index: the mask, once for all axes."""
        if self.places is None:
            self.refuse_here()
        return [] if self.places else [self.mask]

    @property
    def shape(self) -> tuple[Any, ...]:
        return self.rows, *self.full.shape[self.mask.ndim :]

    @property
    def T(self) -> Selected:
        return self if self.ndim == 1 else self.refuse_here()

    @property
    def real(self) -> Any:
        return self.like(np.real(self.full))

    @property
    def imag(self) -> Any:
        return self.like(np.imag(self.full))

    @property
    def size(self) -> Any:
        """How many elements there are, which is traced."""
        return self.rows * math.prod(self.full.shape[self.mask.ndim :])

    @property
    def rows(self) -> Any:
        """How many places the mask chooses, as a Python number."""
        count = np.sum(self.mask)
        return self.owner.innermost.wrap(self.owner.innermost.node(count), weak=True)

    def where(self, other: Any) -> Any:
        """The full array with another value where the mask is false."""
        extra = (1,) * (self.full.ndim - self.mask.ndim)
        mask = np.reshape(self.mask, (*self.mask.shape, *extra))
        return np.where(mask, self.full, np.asarray(other, self.dtype))

    def stored(self, x: Any, mask: Any) -> Any:
        """``x`` after ``x[mask] = self``."""
        if not self._has(mask):
            self.refuse_here()
        extra = (1,) * (x.ndim - mask.ndim)
        chosen = np.reshape(mask, (*mask.shape, *extra))
        return np.where(chosen, self.full.astype(x.dtype), x)

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any
    ) -> Any:
        out = kwargs.pop("out", (None,))[0]
        if ufunc in FUNCTIONS and method == "__call__" and not kwargs and out is None:
            return FUNCTIONS[ufunc](*inputs)
        if method != "__call__" or ufunc.nout > 1 or ufunc.signature or kwargs:
            self.refuse_here()
        made = Selected(self.owner, ufunc(*map(self.plain, inputs)), self.mask)
        if out is None:
            return made
        if out is not self or self.full.here is not self.owner.innermost:
            self.refuse_here()
        trace = self.owner.innermost
        trace.enter()
        check_same_kind(made, self, trace.builder.source)
        self.full = made.full.astype(self.dtype)
        return self

    def plain(self, operand: Any) -> Any:
        """The full array of an operand: of the same places, or a number for all.

        Integers that do not count are 1, which no division and no power minds.
        """
        if isinstance(operand, Selected) and self._has(operand.mask):
            of_floats = operand.dtype.kind == "f"
            return operand.full if of_floats else operand.where(1)
        if isinstance(operand, Selected) or np.ndim(operand):
            self.refuse_here()
        return operand

    def _has(self, mask: Any) -> bool:
        return has_same_mask(self.owner.innermost, self.mask, mask)

    def __array_function__(self, function: Any, types: Any, args: Any, kw: Any) -> Any:
        lowering = FUNCTIONS.get(function)
        if lowering is None:
            self.refuse_here()
        return lowering(*args, **kw)

    def __getitem__(self, index: Any) -> Any:
        return FUNCTIONS[Selected.__getitem__](self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        chosen = self[index]
        here = self.full.here is self.owner.innermost
        if not here or not isinstance(chosen, Selected):
            self.refuse_here()
        value = chosen.plain(value)
        value = value if is_traced(value) else np.asarray(value, self.dtype)
        self.full = np.where(chosen.mask, value, self.full).astype(self.dtype)

    def refuse(self) -> NoReturn:
        """Raise `TraceError` where a value of known size is needed."""
        raise TraceError(
            "indexing with a traced mask has a result of unknown shape, which only "
            "ufuncs, sums and their kin, and stores under the same mask can take",
            source=self._line,
            hint="reduce it (sum, mean, max, np.median, np.sort(...)[0]), or keep the "
            "shape: np.where(mask, x, fill), with a fill that changes nothing",
        )

    def refuse_here(self, *args: Any) -> NoReturn:
        """`refuse`, at the line that asks."""
        trace = self.owner.innermost
        trace.enter()
        self._line = trace.builder.source
        self.refuse()

    __len__ = __iter__ = __bool__ = __array__ = refuse_here
    __float__ = __int__ = __index__ = refuse_here

    def __format__(self, format_spec: str) -> str:
        if format_spec:
            self.refuse_here()
        return str(self)

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name, None)
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(f"a traced array has no attribute {name!r}")
        if function not in FUNCTIONS:
            self.refuse_here()
        return lambda *args, **kwargs: FUNCTIONS[function](self, *args, **kwargs)


def lower_selected(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """A call of which an argument is a `Selected`, and another one traced."""
    found = next(arg for arg in args if isinstance(arg, Selected))
    if isinstance(function, np.ufunc):
        kwargs.pop("operator", None)
        return found.__array_ufunc__(function, "__call__", *args, **kwargs)
    return found.__array_function__(function, (), args, kwargs)


def holds(trace: Trace, condition: Any, error: str, message: str) -> Any:
    """A condition that is checked when the function runs, as a bool that is true."""
    node = trace.node(condition, "i64")
    node = trace.builder.check(node, low=1, high=2, error=error, message=message)
    return trace.wrap(trace.builder.cast(node, "bool"))


def has_same_mask(trace: Trace, one: Any, other: Any) -> bool:
    """Whether two masks are the same by what they are computed from."""
    if not (is_traced(one) and is_traced(other)):
        return False
    return _is_same(trace.builder, trace.node(one), trace.node(other))


def _is_same(b: Builder, one: Node, other: Node) -> bool:
    waiting = [(one.name, other.name)]
    seen = set(waiting)
    while waiting:
        pair = waiting.pop()
        first, second = b[pair[0]], b[pair[1]]
        if first is second:
            continue
        alike = first.op == second.op and first.attrs == second.attrs
        special = first.op == "input" or first.regions or first.several
        if not alike or special or first.type != second.type:
            return False
        new = zip(first.operands, second.operands, strict=True)
        waiting += (pair for pair in new if pair not in seen)
        seen.update(waiting)
    return True
