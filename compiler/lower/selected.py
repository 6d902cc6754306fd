"""``x[mask]`` with a traced mask: nobody knows how many elements that is.

So they stay where they are. A `Selected` has an array as large as ``x``, and the mask,
which says what of it counts. Ufuncs work on all of it, since the places that do not
count reach neither a result nor a gradient; reductions put their neutral element there,
and a store under the same mask chooses by it. Nothing else is possible without knowing
the size, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ...ir.builder import Builder
from ...ir.errors import TraceError
from ...ir.graph import Node
from ..running import is_traced
from ..trace import Trace

__all__ = ["Selected", "has_same_mask"]

_FUNCTIONS: dict[Any, Callable[..., Any]] = {}


class Selected(NDArrayOperatorsMixin):
    """The elements of ``full`` where ``mask``, which is of its leading axes."""

    __hash__ = None  # type: ignore[assignment]  # unhashable, as arrays are

    def __init__(self, trace: Trace, full: Any, mask: Any) -> None:
        self.owner = trace
        self.full = trace.wrap(trace.node(full))
        self.mask = trace.wrap(trace.node(mask))
        self._line = trace.builder.source

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.full.dtype

    @property
    def ndim(self) -> int:
        return self.full.ndim - self.mask.ndim + 1

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
        if method != "__call__" or ufunc.nout > 1 or ufunc.signature or kwargs:
            self.refuse_here()
        made = Selected(self.owner, ufunc(*map(self._plain, inputs)), self.mask)
        if out is None:
            return made
        if out is not self or self.full.here is not self.owner.innermost:
            self.refuse_here()
        self.full = made.full.astype(self.dtype)
        return self

    def _plain(self, operand: Any) -> Any:
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
        lowering = _FUNCTIONS.get(function)
        if lowering is None or not args or not isinstance(args[0], Selected):
            self.refuse_here()
        return lowering(*args, **kw)

    def refuse(self) -> NoReturn:
        """Raise `TraceError` where a value of known size is needed."""
        raise TraceError(
            "indexing with a traced mask has a result of unknown shape, which only "
            "ufuncs, sums and their kin, and stores under the same mask can take",
            source=self._line,
            hint="choose with np.where(mask, x, 0), or multiply by the mask",
        )

    def refuse_here(self, *args: Any) -> NoReturn:
        """`refuse`, at the line that asks."""
        trace = self.owner.innermost
        trace.enter()
        self._line = trace.builder.source
        self.refuse()

    __len__ = __iter__ = __getitem__ = __setitem__ = __bool__ = __array__ = refuse_here
    __float__ = __int__ = __index__ = refuse_here

    def __getattr__(self, name: str) -> Any:
        function = getattr(np, name, None)
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(name)
        if function not in _FUNCTIONS:
            self.refuse_here()
        return lambda *args, **kwargs: _FUNCTIONS[function](self, *args, **kwargs)


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


def _axes(x: Selected, axis: Any) -> tuple[int, ...] | None:
    """The axes of the full array for all axes of the selection, or for its first."""
    if axis is None:
        return None
    if axis not in (0, -x.ndim):
        x.refuse_here()
    return tuple(range(x.mask.ndim))


def _reduction(
    *functions: Any,
) -> Callable[[Callable[[Selected, Any], Any]], Callable[[Selected, Any], Any]]:
    """Have a reduction stand for NumPy's, with ``axis`` as its one option."""

    def add(lower: Callable[[Selected, Any], Any]) -> Callable[[Selected, Any], Any]:
        def reduce(x: Selected, axis: Any = None, **options: Any) -> Any:
            if options:
                x.refuse_here()
            return lower(x, axis)

        _FUNCTIONS.update(dict.fromkeys(functions, reduce))
        return lower

    return add


@_reduction(np.sum)
def _sum(x: Selected, axis: Any) -> Any:
    return np.sum(x.where(0), axis=_axes(x, axis))


@_reduction(np.prod)
def _prod(x: Selected, axis: Any) -> Any:
    return np.prod(x.where(1), axis=_axes(x, axis))


@_reduction(np.any)
def _any(x: Selected, axis: Any) -> Any:
    return np.any(x.where(0), axis=_axes(x, axis))


@_reduction(np.all)
def _all(x: Selected, axis: Any) -> Any:
    return np.all(x.where(1), axis=_axes(x, axis))


@_reduction(np.count_nonzero)
def _count_nonzero(x: Selected, axis: Any) -> Any:
    return np.count_nonzero(x.where(0), axis=_axes(x, axis))


@_reduction(np.mean)
def _mean(x: Selected, axis: Any) -> Any:
    return _sum(x, axis) / (x.size if axis is None else x.rows)


def _extreme(
    function: Any, ufunc: str, neutral: Callable[[Any], Any]
) -> Callable[[Selected, Any], Any]:
    """The largest or the smallest element, of which there has to be one."""

    def lower(x: Selected, axis: Any) -> Any:
        trace = x.owner.innermost
        count = trace.builder.check(
            trace.node(x.rows, "i64"),
            low=1,
            high=2**62,
            error="value",
            message=f"zero-size array to reduction operation {ufunc} which has no "
            "identity",
        )
        full = x.where(neutral(x.dtype))
        some = np.reshape(trace.wrap(count) > 0, (1,) * full.ndim)
        return function(
            np.where(some, full, np.zeros((), x.dtype)), axis=_axes(x, axis)
        )

    return lower


def _lowest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return -np.inf
    return False if dtype.kind == "b" else np.iinfo(dtype).min


def _highest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        return np.inf
    return True if dtype.kind == "b" else np.iinfo(dtype).max


_reduction(np.max)(_extreme(np.max, "maximum", _lowest))
_reduction(np.min)(_extreme(np.min, "minimum", _highest))


def _var(x: Selected, axis: Any = None, *, ddof: int = 0, **options: Any) -> Any:
    if options or axis not in (None, 0, -x.ndim) or x.ndim > 1:
        x.refuse_here()
    apart = x - _mean(x, None)
    return _sum(apart * apart, None) / (x.size - ddof)


def _dot(x: Selected, y: Any) -> Any:
    if x.ndim > 1:
        x.refuse_here()
    return _sum(x * y, None)


def _norm(x: Selected) -> Any:
    return np.sqrt(_sum(x * x, None))


_OTHERS: dict[Any, Callable[..., Any]] = {
    np.var: _var,
    np.std: lambda x, *args, **options: np.sqrt(_var(x, *args, **options)),
    np.dot: _dot,
    np.inner: _dot,
    np.vdot: _dot,
    np.linalg.norm: _norm,
    np.size: lambda x: x.size,
    np.ndim: lambda x: x.ndim,
}
_FUNCTIONS.update(_OTHERS)
