"""A function that Numba compiled, as a host: its C function takes tables of addresses.

Numba is loaded where such a function exists, and is not imported for others.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from ..ir.hosts import Host
from ..ir.types import TensorType
from .hosts import call_natively

__all__ = ["is_dispatcher", "numba_host"]


def is_dispatcher(function: Any) -> bool:
    """Whether a function is one of ``numba.njit``."""
    registry: Any = sys.modules.get("numba.core.registry")
    return registry is not None and isinstance(function, registry.CPUDispatcher)


def numba_host(
    function: Any, inputs: Sequence[TensorType], outputs: Sequence[TensorType]
) -> Host:
    """The function for arrays and numbers of these types, compiled for C.

    It returns one value, or a tuple of them. Where it raises, its result is 1.
    """
    from numba import cfunc, types
    from numba.np.numpy_support import carray

    table = types.CPointer(types.voidptr)
    space: dict[str, Any] = {"function": function, "carray": carray}
    text = _text(inputs, outputs)
    exec(compile(text, f"<anabranch callback {function.__name__}>", "exec"), space)
    for type_ in (*inputs, *outputs):
        name = "boolean" if type_.dtype == "bool" else type_.numpy.name
        space[type_.dtype] = getattr(types, name)
    compiled: Any = cfunc(types.int32(table, table))(space["entry"])
    entry = compiled.ctypes
    entry.keeps = compiled
    return Host(lambda given, made: call_natively(entry, given, made), compiled.address)


def _text(inputs: Sequence[TensorType], outputs: Sequence[TensorType]) -> str:
    """The source of the C function."""
    given = [
        _array(f"inputs[{i}]", type_) + ("" if type_.rank else "[0]")
        for i, type_ in enumerate(inputs)
    ]
    stores = [
        f"{_array(f'outputs[{i}]', type_)}[:] = "
        + ("made" if len(outputs) == 1 else f"made[{i}]")
        for i, type_ in enumerate(outputs)
    ]
    return "\n".join(
        [
            "def entry(inputs, outputs):",
            "    try:",
            f"        made = function({', '.join(given)})",
            *(f"        {store}" for store in stores),
            "    except Exception:",
            "        return 1",
            "    return 0",
        ]
    )


def _array(address: str, type_: TensorType) -> str:
    return f"carray({address}, {type_.shape or 1}, {type_.dtype})"
