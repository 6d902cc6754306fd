"""Functions outside of the graph, called by the address of their C function."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any

from ...ir.graph import Node
from ..hosts import host_address
from .access import Access, whole
from .printer import Printer, prints
from .scalars import dtype_text

__all__ = ["callback_text", "callbacks_of"]

_ENTRY = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_NAME = re.compile(r"\bcallback_0x([0-9a-f]+)\b")


@prints("callback")
def _callback(
    p: Printer, node: Node, *operands: Access, function: str, **attrs: Any
) -> Access | list[Access]:
    """Two tables of addresses, and the call; numbers are arrays of one element."""
    types = p.types(node)
    made = [value.type for value in node.values]
    sources: list[str] = []
    for name, access, type_ in zip(node.operands, operands, types, strict=True):
        array = p.lines.names.new(name)
        if type_.rank:
            p.lines.add(f"{array} = {p.array(name, access, type_)}")
        else:
            dtype = dtype_text(type_.dtype)
            p.lines.add(f"{array} = np.full(1, {access.at(())}, {dtype})")
        sources.append(array)
    targets = [
        whole(p.lines.names.new(value.name), value.type.shape or (1,))
        for value in node.values
    ]
    for target, type_ in zip(targets, made, strict=True):
        p.new(target.array, type_.with_shape(target.sizes))
    results = [target.array for target in targets]
    inputs, outputs = (_table(p, arrays) for arrays in (sources, results))
    address = host_address(function, types, made)
    call = f"callback_{address:#x}({inputs}.ctypes, {outputs}.ctypes)"
    alive = " + ".join(f"{array}.size" for array in [*sources, *results])
    with p.lines.indented(f"if {call} != 0 or {alive} < 0:"):  # read behind the call
        p.lines.add('raise ValueError("a callback failed")')
    reads = [
        target if type_.rank else Access(f"{target.array}[0]")
        for target, type_ in zip(targets, made, strict=True)
    ]
    return reads if node.several else reads[0]


def _table(p: Printer, arrays: Sequence[str]) -> str:
    """A new array with the addresses of others."""
    name = p.lines.names.new("table")
    addresses = ", ".join(f"{array}.ctypes.data" for array in arrays)
    listed = f"np.array([{addresses}], np.uintp)" if arrays else "np.empty(0, np.uintp)"
    p.lines.add(f"{name} = {listed}")
    return name


def callbacks_of(text: str) -> dict[str, Any]:
    """The C functions that a text calls, by their names in it."""
    return {match[0]: _ENTRY(int(match[1], 16)) for match in _NAME.finditer(text)}


def callback_text(name: str) -> str:
    """The definition of such a name in a module."""
    entry = "ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)"
    address = name.removeprefix("callback_")
    return f"{name} = {entry}({address})  # in this process only\n"
