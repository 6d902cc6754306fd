"""What is called in the place of builtins, of `math` and of NumPy's constructors."""

from __future__ import annotations

import itertools
import operator
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from ...ir.errors import TraceError
from ..lower.complex import with_imaginary
from ..lower.numbers import kaiser
from ..lower.ragged.allocations import allocated, counted
from ..lower.selected.selected import Selected
from ..tracing.known import as_known, real
from ..tracing.ragged import Ragged
from ..tracing.running import active_trace, as_array, find_trace, is_traced
from ..tracing.trace import Trace
from .calls import INSTEAD
from .control import and_, or_, truth
from .folds import extreme, total
from .ordering import ordered
from .state import check_entries, check_there, known
from .turns import (
    enumerated,
    enumerated_places,
    numbers,
    places,
    product,
    reversed_,
    zipped,
)

__all__ = ["instead_of", "python_float", "python_int", "stand_in", "unknown"]


def instead_of(*functions: Any) -> Callable[[Any], Any]:
    """Have a function called in the place of others while a trace is made."""

    def add(made: Callable[..., Any]) -> Callable[..., Any]:
        INSTEAD.update(dict.fromkeys(functions, made))
        return made

    return add


def _here() -> Trace:
    trace = active_trace()
    assert trace is not None, "the table is used while a trace is made"
    return trace


def unknown(value: Any) -> bool:
    """Whether a value is traced, and no known array."""
    if isinstance(value, Ragged):
        return True
    return is_traced(value) and value.known is None


def stand_in(value: Any) -> Any:
    """What NumPy's program has in the place of a traced value, but for the numbers."""
    if isinstance(value, (Ragged, Selected)):
        return np.zeros((1,) * value.ndim, value.dtype)
    if not is_traced(value):
        return known(value)
    if value.known is not None:
        return value.known
    if value.shape:
        return np.broadcast_to(np.zeros((), value.dtype), value.shape)
    scalar = value.dtype.type(0)
    return scalar.item() if value.weak else scalar


# Arrays.


@instead_of(np.fromiter)
def _fromiter(values: Any, dtype: Any, count: int = -1, **rest: Any) -> Any:
    items = list(values)
    return _array(items if count < 0 else items[:count], dtype, **rest)


def _refusing(function: Any, name: str, hint: str) -> None:
    @instead_of(function)
    def refuse(*args: Any, **named: Any) -> Any:
        if find_trace((args, named)) is None:
            return function(*map(real, args), **real(named))
        raise TraceError(f"{name} of a traced array is not supported", hint=hint)


_refusing(
    np.frombuffer, "np.frombuffer", "np.ravel makes one axis, astype another dtype"
)
_refusing(np.nditer, "np.nditer", "np.ndenumerate and x.flat go over the elements")
_refusing(np.bmat, "np.bmat", "np.block makes an array")
_refusing(np.asmatrix, "np.asmatrix", "arrays of two axes have @ and .T")


@instead_of(np.kaiser)
def _kaiser(M: Any, beta: Any) -> Any:
    return np.kaiser(M, beta) if not is_traced(beta) else kaiser(_here(), M, beta)


@instead_of(np.array)
def _array(value: Any, dtype: Any = None, *, copy: Any = True, **rest: Any) -> Any:
    if find_trace(value) is None:
        made = np.array(real(value), dtype, copy=copy, **rest)
        return as_known(_here(), made, () if copy else (value,))
    made = _here().array(value)
    made = np.copy(made) if made is value and copy else made
    least = rest.get("ndmin", 0) - made.ndim
    made = np.reshape(made, (1,) * least + made.shape) if least > 0 else made
    return made if dtype is None else made.astype(dtype)


def _converting(function: Any) -> None:
    @instead_of(function)
    def convert(value: Any, dtype: Any = None, *args: Any, **rest: Any) -> Any:
        if find_trace(value) is None:
            made = function(real(value), dtype, *args, **rest)
            return as_known(_here(), made, (value,))
        made = _here().array(value)
        return made if dtype in (None, made.dtype) else made.astype(dtype)


for _function in (
    *(np.asarray, np.asanyarray, np.asarray_chkfinite),
    *(np.ascontiguousarray, np.asfortranarray, np.require),
):
    _converting(_function)


def _new(trace: Trace, shape: Any, make: Callable[[Any], Any]) -> Any:
    """A new array, ``make(shape)``, of which sizes may be traced."""
    if find_trace(shape) is not None:
        return allocated(trace, shape, make)
    return as_known(trace, make(real(shape)), ())


def _filled(function: Any, make: Any) -> None:
    @instead_of(function)
    def convert(shape: Any, dtype: Any = float, *args: Any, **rest: Any) -> Any:
        def full(sizes: Any) -> Any:
            found = make(sizes, dtype, *args, **rest)
            _here().note_full(found)
            return found

        return _new(_here(), shape, full)


_filled(np.zeros, np.zeros)
_filled(np.ones, np.ones)
_filled(np.empty, np.zeros)  # what is there by chance is no part of a program


@instead_of(np.full)
def _full(shape: Any, fill_value: Any, dtype: Any = None, **rest: Any) -> Any:
    if find_trace(fill_value) is None:
        value = real(fill_value)
        return _new(_here(), shape, lambda n: np.full(n, value, dtype, **rest))
    kind = fill_value.dtype if dtype is None else dtype
    made = _new(_here(), shape, lambda sizes: np.zeros(sizes, kind))
    made[...] = fill_value
    return made


@instead_of(np.arange)
def _arange(*args: Any, dtype: Any = None, **rest: Any) -> Any:
    if find_trace(args) is not None:
        return counted(_here(), args, dtype)
    return as_known(_here(), np.arange(*map(real, args), dtype=dtype, **rest), ())


def _like(function: Any, make: Callable[..., Any]) -> None:
    @instead_of(function)
    def convert(
        prototype: Any, dtype: Any = None, *args: Any, shape: Any = None, **rest: Any
    ) -> Any:
        if unknown(prototype) or find_trace(shape) is not None:
            sizes = prototype.shape if shape is None else shape
            kind = prototype.dtype if dtype is None else dtype

            def full(sizes: Any) -> Any:
                found = make(sizes, kind)
                _here().note_full(found)
                return found

            return _new(_here(), sizes, full)
        else:
            like = np.zeros_like if make is np.zeros else np.ones_like
            sizes = real(shape)
            made = like(real(prototype), dtype, *args, shape=sizes, **rest)
        return as_known(_here(), made, ())


_like(np.zeros_like, np.zeros)
_like(np.empty_like, np.zeros)
_like(np.ones_like, np.ones)


@instead_of(np.full_like)
def _full_like(
    prototype: Any, fill_value: Any, dtype: Any = None, *args: Any, **rest: Any
) -> Any:
    if find_trace((prototype, fill_value)) is None:
        array = real(prototype)
        made = np.full_like(array, real(fill_value), dtype, *args, **rest)
        return as_known(_here(), made, ())
    like = as_array(prototype)
    sizes = rest.get("shape")
    kind = like.dtype if dtype is None else dtype
    return _full(like.shape if sizes is None else sizes, fill_value, kind)


def _scalar_type(kind: Any) -> None:
    @instead_of(kind)
    def convert(value: Any = 0, *args: Any) -> Any:
        if unknown(value):
            return value.astype(kind)
        return kind(real(value), *args)


for _kind in (
    *(np.bool_, np.int32, np.int64, np.float32, np.float64),
    *(np.complex64, np.complex128),
):
    _scalar_type(_kind)


@instead_of(complex)
def _complex(real_part: Any = 0.0, *imaginary: Any) -> Any:
    """Of real numbers the two parts, else ``x + 1j * y`` as Python has it."""
    if not any(map(unknown, (real_part, *imaginary))):
        return complex(real(real_part), *map(real, imaginary))
    if not imaginary:
        return real_part.astype(complex)
    if np.iscomplexobj(real_part) or np.iscomplexobj(imaginary[0]):
        return real_part + 1j * imaginary[0]
    return with_imaginary(real_part, imaginary[0]).astype(complex)


# What a value is.


@instead_of(isinstance)
def _isinstance(value: Any, kinds: Any) -> bool:
    return isinstance(stand_in(value), kinds)


@instead_of(type)
def _type(value: Any, *rest: Any) -> Any:
    return type(stand_in(value), *rest)


@instead_of(hasattr)
def _hasattr(value: Any, name: str) -> bool:
    check_there(getattr(value, "__dict__", {}).get(name))
    return hasattr(stand_in(value), name)


@instead_of(np.isscalar)
def _isscalar(value: Any) -> bool:
    return np.isscalar(stand_in(value))


@instead_of(warnings.warn)
def _warn(message: Any, category: Any = None, stacklevel: int = 1, **rest: Any) -> None:
    """A warning of the user's line: each call has a frame of ours, and this one two."""
    warnings.warn(message, category, 2 * stacklevel + 2, **rest)


# What a loop goes over.

INSTEAD.update(
    {
        enumerate: enumerated,
        itertools.product: product,
        np.ndenumerate: enumerated_places,
        np.ndindex: places,
        range: numbers,
        reversed: reversed_,
        zip: zipped,
    }
)

# Python's numbers.


@instead_of(len)
def _len(value: Any) -> Any:
    if isinstance(value, Ragged):
        return value.shape[0]
    check_entries(value)
    return value.rows if isinstance(value, Selected) else len(value)


@instead_of(float)
def python_float(value: Any = 0.0) -> Any:
    """``float(value)``."""
    if unknown(value) and value.size == 1:
        trace = _here()
        made = np.reshape(value, ()).astype(np.float64)
        return trace.wrap(trace.node(made), weak=True)
    return float(real(value))


@instead_of(int)
def _int(value: Any = 0, *args: Any, **rest: Any) -> Any:
    if unknown(value) and value.size == 1:
        return python_int(np.reshape(value, ()))
    return int(real(value), *args, **rest)


def python_int(value: Any) -> Any:
    """A traced number without a fraction as an integer of Python's."""
    trace = _here()
    return trace.wrap(trace.node(value.astype(np.int64)), weak=True)


@instead_of(bool)
def _bool(value: Any = False) -> Any:
    return truth(value)


@instead_of(any)
def _any(values: Any) -> Any:
    made: Any = False
    for value in values:
        made = or_(made, lambda value=value: value)
        if not is_traced(made) and made:
            return True
    return truth(made)


@instead_of(all)
def _all(values: Any) -> Any:
    made: Any = True
    for value in values:
        made = and_(made, lambda value=value: value)
        if not is_traced(made) and not made:
            return False
    return truth(made)


INSTEAD.update(
    {
        sorted: ordered,
        sum: total,
        min: extreme(min, lambda one, other: one < other),
        max: extreme(max, lambda one, other: one > other),
    }
)


# What asks for a number in a way that no traced one can answer.


def _counting(function: Any) -> None:
    @instead_of(function)
    def counted(*args: Any, **named: Any) -> Any:
        given = {name: _index(count) for name, count in named.items()}
        return function(*args[:1], *map(_index, args[1:]), **given)


def _index(value: Any) -> Any:
    return operator.index(value) if is_traced(value) else value


for _function in (deque, itertools.islice, itertools.permutations):
    _counting(_function)
