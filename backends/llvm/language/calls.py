"""The kernel language's way out: C functions by address, addresses, atomic words.

``invoke(address, ...)`` calls a C function on 64-bit integers and gives one; ``gemm``
calls that of BLAS, see `kernels.blas`. ``address(pointer)`` is where a pointer points.
``atomic_add(pointer, place, value)`` adds to a word and gives what it held,
``atomic_exchange`` replaces it likewise, and ``atomic_load(pointer, place)`` reads it,
all in one order for all threads.
"""

from __future__ import annotations

from .instructions import Emitter
from .values import Value, literal

__all__ = ["address", "atomic", "atomic_load", "gemm", "invoke"]


def address(function: Emitter, pointer: Value) -> Value:
    """Where a pointer points."""
    return function.emit("i64", f"ptrtoint ptr {pointer.text} to i64")


def invoke(function: Emitter, *operands: Value) -> Value:
    """Call what lies at an address."""
    place, *arguments = (function.typed(operand, "i64") for operand in operands)
    routine = _pointer(function, place)
    listed = ", ".join(f"i64 {argument.text}" for argument in arguments)
    return function.emit("i64", f"call i64 {routine}({listed})")


def atomic(
    function: Emitter, pointer: Value, place: Value, value: Value, *, kind: str
) -> Value:
    """Change a word by LLVM's ``atomicrmw`` of a kind."""
    word = function.element(pointer, function.typed(place, "i64"))
    by = function.typed(value, "i64").text
    return function.emit("i64", f"atomicrmw {kind} ptr {word}, i64 {by} seq_cst")


def atomic_load(function: Emitter, pointer: Value, place: Value) -> Value:
    """Read a word."""
    word = function.element(pointer, function.typed(place, "i64"))
    return function.emit("i64", f"load atomic i64, ptr {word} seq_cst, align 8")


def gemm(
    function: Emitter, words: Value, a: Value, b: Value, c: Value, beta: Value
) -> Value:
    """BLAS's gemm, as `kernels.blas` says: addresses of A, B, C, the word of beta."""

    def word(index: str) -> str:
        step = f"getelementptr i64, ptr {words.text}, i64 {index}"
        return function.emit("", step).text

    listed = [
        *(word(str(i)) for i in (10, 9, 7, 6, 8, 23)),
        *(_pointer(function, b), word("12"), _pointer(function, a), word("11")),
        *(word(function.typed(beta, "i64").text), _pointer(function, c), word("13")),
    ]
    place = word("25")
    routine = _pointer(function, function.emit("i64", f"load i64, ptr {place}"))
    arguments = ", ".join(f"ptr {operand}" for operand in listed)
    function.lines.append(f"call void {routine}({arguments})")
    return literal(0)


def _pointer(function: Emitter, place: Value) -> str:
    return function.emit("", f"inttoptr i64 {place.text} to ptr").text
