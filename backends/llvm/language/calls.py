"""The kernel language's way out: C functions by address, addresses, atomic words.

``invoke(address, ...)`` calls a C function on 64-bit integers and gives one;
``address(pointer)`` is where a pointer points; ``atomic_add(pointer, place, value)``
adds to a word and gives what it held, ``atomic_exchange`` replaces it likewise, and
``atomic_load(pointer, place)`` reads it, all in one order for all threads.
"""

from __future__ import annotations

from .instructions import Emitter, Value

__all__ = ["native_primitive"]


def native_primitive(
    function: Emitter, name: str, operands: list[Value]
) -> object | None:
    """Emit one of the above; None for any other name."""
    if name == "address":
        (pointer,) = operands
        return function.emit("i64", f"ptrtoint ptr {pointer.text} to i64")
    if name == "invoke":
        address, *arguments = (function.typed(operand, "i64") for operand in operands)
        routine = function.emit("", f"inttoptr i64 {address.text} to ptr").text
        listed = ", ".join(f"i64 {argument.text}" for argument in arguments)
        return function.emit("i64", f"call i64 {routine}({listed})")
    if name in ("atomic_add", "atomic_exchange", "atomic_load"):
        pointer, place, *rest = operands
        word = function.element(pointer, function.typed(place, "i64"))
        if name == "atomic_load":
            return function.emit("i64", f"load atomic i64, ptr {word} seq_cst, align 8")
        value = function.typed(rest[0], "i64").text
        kind = "add" if name == "atomic_add" else "xchg"
        return function.emit("i64", f"atomicrmw {kind} ptr {word}, i64 {value} seq_cst")
    return None
