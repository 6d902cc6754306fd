"""The inner loops of NumPy's ufuncs and gufuncs, called at their addresses.

A ufunc holds, for each list of dtypes that it takes, a C function

    void loop(char **args, intptr *sizes, intptr *steps, void *data)

``args`` are the addresses of the operands and then of the results, ``sizes`` how many
elements there are and then the core dimensions of a gufunc, ``steps`` how many bytes
lie between two elements of each, and then the strides along its core dimensions.

NumPy runs these loops without the GIL, in whichever thread calls, for every dtype but
``object``. So may we. What SciPy's functions note about an element that has no value
(``scipy.special.seterr``) is ignored by default; errors that a user asks SciPy for are
raised by SciPy's own calls, not from compiled code.

Addresses belong to a process, and are never part of a text.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from ..ir.types import DTYPES

__all__ = ["Loop", "core_names", "fft_ufunc", "loop_of"]

_LOOP_TYPE = ctypes.CFUNCTYPE(
    None,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_ssize_t),
    ctypes.POINTER(ctypes.c_ssize_t),
    ctypes.c_void_p,
)


class _Record(ctypes.Structure):
    """How `PyUFuncObject` begins, in all versions of NumPy so far."""

    _fields_ = (
        ("head", ctypes.c_byte * object.__basicsize__),
        *((name, ctypes.c_int) for name in ("nin", "nout", "nargs", "identity")),
        ("functions", ctypes.POINTER(ctypes.c_void_p)),
        ("data", ctypes.POINTER(ctypes.c_void_p)),
        ("ntypes", ctypes.c_int),
        ("reserved", ctypes.c_int),
        ("name", ctypes.c_void_p),
        ("types", ctypes.c_void_p),
    )


class Loop(NamedTuple):
    """A loop: its address and that of its data.

    One that is not ``native`` calls Python, takes the GIL, and is not for our threads.
    """

    address: int
    data: int
    native: bool


@cache
def loop_of(ufunc: Any, dtypes: tuple[str, ...]) -> Loop:
    """The loop on operands and results of these dtypes, which the ufunc must have.

    Where NumPy's record is not laid out as we know it, it is a function that calls the
    ufunc.
    """
    wanted = tuple(DTYPES[dtype] for dtype in dtypes)
    signatures: list[Any] = [
        tuple(map(np.dtype, text.replace("->", ""))) for text in ufunc.types
    ]
    if wanted not in signatures:
        raise AssertionError(f"{ufunc.__name__} has no loop on {', '.join(dtypes)}")
    record = _record(ufunc, signatures)
    if record is None:
        return Loop(_call_address(ufunc, wanted), 0, native=False)
    place = signatures.index(wanted)
    data = record.data[place] if record.data else None
    return Loop(record.functions[place] or 0, data or 0, native=True)


def _record(ufunc: Any, signatures: Sequence[tuple[Any, ...]]) -> Any:
    """The record of a ufunc, None unless all that Python knows of it stands there."""
    if ctypes.sizeof(_Record) > np.ufunc.__basicsize__:
        return None
    record = _Record.from_address(id(ufunc))
    found = record.nin, record.nout, record.nargs, record.ntypes
    if found != (ufunc.nin, ufunc.nout, ufunc.nargs, len(signatures)):
        return None
    numbers = bytes(dtype.num for signature in signatures for dtype in signature)
    if not record.types or ctypes.string_at(record.types, len(numbers)) != numbers:
        return None
    return record


_CALLS: list[Any] = []  # what ctypes calls must stay


def _call_address(ufunc: Any, dtypes: Sequence[Any]) -> int:
    """The address of a loop that calls the ufunc."""
    cores = core_names(ufunc)
    names = list(dict.fromkeys(name for core in cores for name in core))

    def loop(args: Any, sizes: Any, steps: Any, data: Any) -> None:
        size = {name: sizes[1 + place] for place, name in enumerate(names)}
        arrays: list[Any] = []
        at = len(cores)
        for number, core in enumerate(cores):
            shape = (sizes[0], *(size[name] for name in core))
            strides = (steps[number], *steps[at : at + len(core)])
            at += len(core)
            arrays.append(_array(args[number], shape, strides, dtypes[number]))
        with np.errstate(all="ignore"):
            ufunc(*arrays[: ufunc.nin], out=tuple(arrays[ufunc.nin :]))

    call = _LOOP_TYPE(loop)
    _CALLS.append(call)
    return ctypes.cast(call, ctypes.c_void_p).value or 0


def _array(address: int, shape: Any, strides: Any, dtype: Any) -> Any:
    """The array whose first element lies at an address."""
    if 0 in shape:
        return np.empty(shape, dtype)
    ends = [(size - 1) * stride for size, stride in zip(shape, strides, strict=True)]
    before = -sum(end for end in ends if end < 0)
    behind = sum(end for end in ends if end > 0) + dtype.itemsize
    memory = (ctypes.c_char * (before + behind)).from_address(address - before)
    return np.ndarray(shape, dtype, memory, before, strides)


def core_names(ufunc: Any) -> list[tuple[str, ...]]:
    """The core dimensions of each operand and result; none for a plain ufunc.

    >>> core_names(np.add), core_names(np.matmul)
    ([(), (), ()], [('n', 'k'), ('k', 'm'), ('n', 'm')])
    """
    if ufunc.signature is None:
        return [()] * ufunc.nargs
    groups = re.findall(r"\(([^)]*)\)", ufunc.signature)
    return [tuple(re.findall(r"\w+", group)) for group in groups]


def fft_ufunc(name: str, size: int) -> Any:
    """The gufunc of a transform of ``size`` numbers: its loop also takes a factor."""
    loops = import_module("numpy.fft._pocketfft_umath")
    if name == "rfft":
        name = "rfft_n_odd" if size % 2 else "rfft_n_even"
    return getattr(loops, name)
