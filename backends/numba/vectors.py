"""Vectors in the kernel language: explicit registers of several floats.

A vector's dtype says what it is made of, ``f32x16``. LLVM splits what is wider than the
machine's registers. The functions, for a pointer to f32 and vectors of 16:

    f32x16_splat(x)                     x in every lane
    f32x16_load(pointer, i, count)      the elements from i on, 0 in lanes from count on
    f32x16_store(pointer, i, v, count)  the first lanes of v to the elements from i on
    multiply_add(v, w, u)               v * w + u, rounded once where the machine can
    f32x16_mask(count)                  the lanes before count; many accesses may have
                                        it in place of the count
    interleaved(v0, v1, ...)            a power of two of vectors: as many, with lane 0
                                        of each, lane 1 of each, and so on
    lane_sums(v0, v1, ...)              as many vectors as lanes: lane i is the sum of
                                        the lanes of vector i
    prefetch(pointer, i)                element i will be written soon, and may lie
                                        outside of all memory
    call_memory(count)                  the address of so many bytes, of this call

A literal count of all lanes makes a plain load or store. Lanes from count on are not
accessed; a vector in place of the count means the lanes where it is not 0. Elements
need no alignment beyond their own. A loop over vectors says ``for i in rolled(n)``: it
is `range`, and LLVM leaves the loop as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import llvmlite.binding as llvm

from .instructions import (
    LANES,
    REGISTERS,
    Emitter,
    LanguageError,
    Value,
    constant,
    literal,
)

__all__ = ["vector_bytes", "vector_primitive"]

_CALL = re.compile(r"((f32|f64)x\d+)_(splat|mask|load|store)\Z")
_SIZES = {"f32": 4, "f64": 8}


@cache
def vector_bytes() -> int:
    """The bytes of this machine's vector registers."""
    features = llvm.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


def vector_primitive(
    function: Emitter, name: str, operands: Sequence[Value]
) -> object | None:
    """Emit a function of vectors, None if ``name`` is not one."""
    if name == "multiply_add":
        return _multiply_add(function, *operands)
    if name == "interleaved":
        return _interleaved(function, operands)
    if name == "lane_sums":
        return _lane_sums(function, operands)
    if name == "call_memory":
        return _call_memory(function, *operands)
    if name == "prefetch":
        return _prefetch(function, *operands)
    found = _CALL.match(name)
    if found is None:
        return None
    vector, element, verb = found.groups()
    if vector not in LANES:
        raise LanguageError(f"no vectors {vector}")
    if verb == "splat":
        return _splat(function, vector, function.typed(operands[0], element))
    if verb == "mask":
        return _lanes_before(function, vector, function.typed(operands[0], "i64"))
    if verb == "load":
        return _load(function, vector, *operands)
    return _store(function, *operands)


def _multiply_add(function: Emitter, a: Value, b: Value, c: Value) -> Value:
    suffix = f"v{LANES[a.dtype]}{a.dtype.partition('x')[0]}"
    return function.call(f"llvm.fmuladd.{suffix}", a.dtype, (a, b, c))


def _call_memory(function: Emitter, count: Value) -> Value:
    slot = f"%{function.fresh('memory')}"
    function.slots.append(f"{slot} = alloca [{count.number} x i8], align 64")
    return function.emit("i64", f"ptrtoint ptr {slot} to i64")


def _prefetch(function: Emitter, pointer: Value, place: Value) -> Value:
    address, _ = function.access(pointer, place)
    function.linkage.declare("llvm.prefetch.p0", "void", ("ptr", "i32", "i32", "i32"))
    kept, data = "i32 3", "i32 1"  # in all caches; no instructions
    line = f"call void @llvm.prefetch.p0(ptr {address}, i32 1, {kept}, {data})"
    function.lines.append(line)
    return literal(0)


def _splat(function: Emitter, dtype: str, x: Value) -> Value:
    kind, element = REGISTERS[dtype], REGISTERS[x.dtype]
    first = f"insertelement {kind} poison, {element} {x.text}, i64 0"
    alone = function.emit(dtype, first)
    return _shuffle(function, alone, alone, [0] * LANES[dtype])


def _shuffle(function: Emitter, a: Value, b: Value, lanes: Sequence[int]) -> Value:
    """The given lanes of ``a`` followed by ``b``."""
    kind = REGISTERS[a.dtype]
    mask = f"<{len(lanes)} x i32> <{', '.join(f'i32 {lane}' for lane in lanes)}>"
    return function.emit(
        a.dtype, f"shufflevector {kind} {a.text}, {kind} {b.text}, {mask}"
    )


def _lanes_before(function: Emitter, dtype: str, count: Value) -> Value:
    """A mask from a word's bits: a comparison, LLVM would repeat at every use."""
    lanes, kind = LANES[dtype], f"boolx{LANES[dtype]}"
    count = function.call("llvm.smin.i64", "i64", (count, constant(lanes, "i64")))
    count = function.call("llvm.smax.i64", "i64", (count, constant(0, "i64")))
    ones = function.emit("i64", f"shl nsw i64 -1, {count.text}").text
    bits = function.emit("i64", f"xor i64 {ones}, -1").text
    word = function.emit("", f"trunc i64 {bits} to i{lanes}").text
    return function.emit(kind, f"bitcast i{lanes} {word} to {REGISTERS[kind]}")


def _mask(function: Emitter, dtype: str, count: Value) -> str:
    """Which lanes come before ``count``, or are not 0 in a vector."""
    lanes = LANES[dtype]
    if count.dtype.startswith("boolx"):
        return f"<{lanes} x i1> {count.text}"
    if count.dtype in LANES:
        step = f"fcmp une {REGISTERS[dtype]} {count.text}, zeroinitializer"
        return f"<{lanes} x i1> {function.emit('', step).text}"
    kind = f"<{lanes} x i64>"
    numbers = ", ".join(f"i64 {lane}" for lane in range(lanes))
    first = f"insertelement {kind} poison, i64 {count.text}, i64 0"
    alone = function.emit("", first).text
    zeros = f"<{lanes} x i32> zeroinitializer"
    bound = function.emit("", f"shufflevector {kind} {alone}, {kind} {alone}, {zeros}")
    flags = function.emit("", f"icmp slt {kind} <{numbers}>, {bound.text}")
    return f"<{lanes} x i1> {flags.text}"


def _load(
    function: Emitter, dtype: str, pointer: Value, place: Value, count: Value
) -> Value:
    address, tag = function.access(pointer, place)
    kind, align = REGISTERS[dtype], _SIZES[pointer.dtype]
    if count.number == LANES[dtype]:
        return function.emit(dtype, f"load {kind}, ptr {address}, align {align}{tag}")
    mask = _mask(function, dtype, function.settled(count, "i64"))
    symbol = f"llvm.masked.load.v{LANES[dtype]}{pointer.dtype}.p0"
    lanes = mask.partition(" %")[0]
    function.linkage.declare(symbol, kind, ("ptr", lanes, kind))
    return function.emit(
        dtype,
        f"call {kind} @{symbol}(ptr align {align} {address}, {mask}, "
        f"{kind} zeroinitializer){tag}",
    )


def _store(
    function: Emitter, pointer: Value, place: Value, value: Value, count: Value
) -> Value:
    dtype = value.dtype
    address, tag = function.access(pointer, place)
    kind, align = REGISTERS[dtype], _SIZES[pointer.dtype]
    if count.number == LANES[dtype]:
        line = f"store {kind} {value.text}, ptr {address}, align {align}{tag}"
    else:
        mask = _mask(function, dtype, function.settled(count, "i64"))
        symbol = f"llvm.masked.store.v{LANES[dtype]}{pointer.dtype}.p0"
        lanes = mask.partition(" %")[0]
        function.linkage.declare(symbol, "void", (kind, "ptr", lanes))
        line = (
            f"call void @{symbol}({kind} {value.text}, ptr align {align} {address}, "
            f"{mask}){tag}"
        )
    function.lines.append(line)
    return literal(0)


def _interleaved(function: Emitter, vectors: Sequence[Value]) -> tuple[Value, ...]:
    """Each round interleaves the first half of the vectors with the second."""
    count = len(vectors)
    half = count // 2
    if len({vector.dtype for vector in vectors}) != 1 or count & (count - 1):
        raise LanguageError(f"{count} vectors cannot be interleaved")
    lanes = LANES[vectors[0].dtype]
    low = [lane for i in range(lanes // 2) for lane in (i, lanes + i)]
    high = [lane + lanes // 2 for lane in low]
    for _ in range(half.bit_length()):
        vectors = [
            _shuffle(function, vectors[i], vectors[i + half], mask)
            for i in range(half)
            for mask in (low, high)
        ]
    return tuple(vectors)


def _lane_sums(function: Emitter, vectors: Sequence[Value]) -> Value:
    """Each round adds the even and the odd lanes of two vectors, in one."""
    lanes = _square(vectors)
    even = list(range(0, 2 * lanes, 2))
    odd = list(range(1, 2 * lanes, 2))
    while len(vectors) > 1:
        vectors = [
            function.binary(
                "Add",
                _shuffle(function, vectors[i], vectors[i + 1], even),
                _shuffle(function, vectors[i], vectors[i + 1], odd),
            )
            for i in range(0, len(vectors), 2)
        ]
    return vectors[0]


def _square(vectors: Sequence[Value]) -> int:
    """The number of lanes, which has to be the number of vectors."""
    lanes = LANES.get(vectors[0].dtype, 0)
    if lanes != len(vectors):
        raise LanguageError(f"{len(vectors)} vectors where {lanes} are wanted")
    return lanes
