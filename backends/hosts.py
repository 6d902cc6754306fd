"""Functions outside of graphs as C functions, for the backends that compile.

    int f(const void *const *inputs, void *const *outputs);

A Python function is called with the GIL, which its C function takes. What it raises
waits in the thread until the error of the call is asked for; the result is 1 then.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from ..ir.errors import DomainError
from ..ir.graph import Node
from ..ir.hosts import Host, host_called
from ..ir.text import format_node
from ..ir.types import TensorType
from .base import Array

__all__ = [
    "call_natively",
    "callback_error",
    "host_address",
    "is_native",
    "native_host",
]

TABLE = ctypes.POINTER(ctypes.c_void_p)
ENTRY = ctypes.CFUNCTYPE(ctypes.c_int, TABLE, TABLE)
_PLAIN = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_Native: Any = _PLAIN.__mro__[1]  # the class of all of ctypes' functions
_state = threading.local()  # raised: what the last callback raised


def host_address(
    key: str, inputs: Sequence[TensorType], outputs: Sequence[TensorType]
) -> int:
    """The address of the C function for operands and results of these types."""
    host = host_called(key)
    if host.address is not None:
        return host.address
    entry: Any = _entry(host, tuple(inputs), tuple(outputs))
    return ctypes.cast(entry, ctypes.c_void_p).value or 0


@cache  # the code that holds an address is kept as long as the process
def _entry(
    host: Host, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]
) -> Callable[..., int]:
    """The C function of a Python function."""

    def call(sources: Any, targets: Any) -> int:
        try:
            host.fill(
                [_array(sources[i], type_).copy() for i, type_ in enumerate(inputs)],
                [_array(targets[i], type_) for i, type_ in enumerate(outputs)],
            )
        except BaseException as error:  # also an interrupt: C cannot pass it on
            _state.raised = error
            return 1
        return 0

    return ENTRY(call)


def _array(address: int | None, type_: TensorType) -> Array:
    """The array at an address."""
    if not type_.nbytes or address is None:
        return np.empty(type_.shape, type_.numpy)
    memory: Any = (ctypes.c_char * type_.nbytes).from_address(address)
    return np.frombuffer(memory, type_.numpy).reshape(type_.shape)


def is_native(function: Any) -> bool:
    """Whether a function is C's, as ctypes has it."""
    return isinstance(function, _Native)


def native_host(function: Any) -> Host:
    """A C function of the module's form."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    return Host(lambda given, made: call_natively(function, given, made), address)


def call_natively(
    function: Any, inputs: Sequence[Array], outputs: Sequence[Array]
) -> None:
    """Call a C function of this form from Python; `DomainError` where it fails."""
    tables = [
        (ctypes.c_void_p * max(len(arrays), 1))(*(x.ctypes.data for x in arrays))
        for arrays in (inputs, outputs)
    ]
    address = ctypes.cast(function, ctypes.c_void_p).value or 0
    status = _PLAIN(address)(*tables)
    if status:
        raise DomainError(f"a callback returned {status}")


def callback_error(node: Node) -> BaseException:
    """What the callback of a node raised in this thread."""
    error: BaseException | None = getattr(_state, "raised", None)
    _state.raised = None
    if error is None:
        what = f"the callback {node.attrs['function']} failed"
        return DomainError(what).at(node.source, format_node(node))
    if node.source is not None:
        error.add_note(f"  called from {node.source}")
    return error
