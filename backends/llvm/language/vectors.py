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

from collections.abc import Sequence
from typing import NamedTuple

from .instructions import Emitter
from .values import LANES, REGISTERS, LanguageError, Value, constant, literal, vector

__all__ = [
    "OF_DTYPE",
    "SPREAD",
    "Memory",
    "call_memory",
    "interleaved",
    "lane_sums",
    "multiply_add",
    "numbered",
    "prefetch",
]

SPREAD = (2, 3, 4)  # strides for which elements are accessed side by side


def splat(function: Emitter, x: Value, *, dtype: str) -> Value:
    """A scalar in every lane."""
    element = dtype.partition("x")[0]
    return function.widened(function.typed(x, element), LANES[dtype])


def load(
    function: Emitter, pointer: Value, place: Value, count: Value, *, dtype: str
) -> Value:
    """The elements from a place on."""
    mask = _lanes_of(function, count, dtype)
    return Memory(function, pointer, place, literal(1)).load(LANES[dtype], mask)


def store(
    function: Emitter,
    pointer: Value,
    place: Value,
    value: Value,
    count: Value,
    *,
    dtype: str,
) -> Value:
    """Write the first lanes of a vector."""
    mask = _lanes_of(function, count, dtype)
    Memory(function, pointer, place, literal(1)).store(value, mask)
    return literal(0)


def multiply_add(function: Emitter, a: Value, b: Value, c: Value) -> Value:
    """LLVM's ``fmuladd``."""
    suffix = f"v{LANES[a.dtype]}{a.dtype.partition('x')[0]}"
    return function.call(f"llvm.fmuladd.{suffix}", a.dtype, (a, b, c))


def call_memory(function: Emitter, count: Value) -> Value:
    """The address of room on the stack."""
    slot = function.room(f"[{count.number} x i8], align 64")
    return function.emit("i64", f"ptrtoint ptr {slot} to i64")


def prefetch(function: Emitter, pointer: Value, place: Value) -> Value:
    """Fetch the place of an element, to write it."""
    address, _ = function.access(pointer, place)
    function.linkage.declare("llvm.prefetch.p0", "void", ("ptr", "i32", "i32", "i32"))
    kept, data = "i32 3", "i32 1"  # in all caches; no instructions
    line = f"call void @llvm.prefetch.p0(ptr {address}, i32 1, {kept}, {data})"
    function.lines.append(line)
    return literal(0)


class Memory(NamedTuple):
    """Elements of a pointer from one place on, ``stride`` elements apart."""

    function: Emitter
    pointer: Value
    place: Value
    stride: Value

    def load(self, lanes: int, mask: Value | None = None) -> Value:
        """The elements as a vector; 0, not accessed, in lanes where the mask is not."""
        if self.stride.number in SPREAD:
            return self._load_spread(lanes, mask)
        dtype = vector(self._stored, lanes)
        kind = REGISTERS[dtype]
        if mask is None and self.stride.number == 1:
            address, tag = self.function.access(self.pointer, self.place)
            line = f"load {kind}, ptr {address}, align {self._bytes}{tag}"
        elif mask is None and self.stride.number == -1:
            first = self.function.binary("Sub", self.place, literal(lanes - 1))
            there = self._replace(place=first, stride=literal(1)).load(lanes)
            return self.function.shuffle(there, there, range(lanes - 1, -1, -1))
        else:
            symbol, types, listed, tag = self._masked("load", "gather", lanes, mask)
            self.function.linkage.declare(symbol, kind, [*types, kind])
            line = f"call {kind} @{symbol}({listed}, {kind} zeroinitializer){tag}"
        loaded = self.function.emit(dtype, line)
        return self.function.cast(loaded, self.pointer.dtype)

    def store(self, value: Value, mask: Value | None = None) -> None:
        """Write the lanes of a vector, only those where the mask is."""
        if self.stride.number in SPREAD:
            self._store_spread(value, mask)
            return
        value = self.function.cast(value, self._stored)
        kind = REGISTERS[value.dtype]
        if mask is None and self.stride.number == 1:
            address, tag = self.function.access(self.pointer, self.place)
            line = f"store {kind} {value.text}, ptr {address}, align {self._bytes}{tag}"
        else:
            symbol, types, listed, tag = self._masked(
                "store", "scatter", value.lanes, mask
            )
            self.function.linkage.declare(symbol, "void", [kind, *types])
            line = f"call void @{symbol}({kind} {value.text}, {listed}){tag}"
        self.function.lines.append(line)

    def _load_spread(self, lanes: int, mask: Value | None) -> Value:
        """Vectors side by side, from the first element to the last one."""
        by = int(self.stride.number or 0)
        span = by * (lanes - 1) + 1
        firsts = [min(first, span - lanes) for first in range(0, span, lanes)]
        vectors = [
            self._beside(first).load(lanes, mask and self._spread_mask(mask, first))
            for first in firsts
        ]
        picked = vectors[0]
        at = [min(place, lanes - 1) for place in range(0, span, by)]
        for first, one in zip(firsts[1:], vectors[1:], strict=True):
            wanted = zip(range(-first, span - first, by), at, strict=True)
            places = [lanes + x if 0 <= x < lanes else known for x, known in wanted]
            picked = self.function.shuffle(picked, one, places)
            at = list(range(lanes))
        return picked

    def _store_spread(self, value: Value, mask: Value | None) -> None:
        """Vectors side by side, in which each lane stands several times."""
        by, count = int(self.stride.number or 0), value.lanes
        mask = mask or constant(1, vector("bool", count))
        for first in range(0, by * (count - 1) + 1, count):
            lanes = [(first + lane) // by for lane in range(count)]
            spread = self.function.shuffle(value, value, lanes)
            self._beside(first).store(spread, self._spread_mask(mask, first))

    def _beside(self, first: int) -> Memory:
        """Elements that lie side by side, from one on."""
        place = self.function.binary("Add", self.place, literal(first))
        return self._replace(place=place, stride=literal(1))

    def _spread_mask(self, mask: Value, first: int) -> Value:
        """Which of the elements from one on are those of a mask."""
        by, never = int(self.stride.number or 0), constant(0, mask.dtype)
        places = range(first, first + mask.lanes)
        lanes = [place // by if place % by == 0 else mask.lanes for place in places]
        return self.function.shuffle(mask, never, lanes)

    @property
    def _stored(self) -> str:
        """The dtype in memory, where a bool is a byte."""
        return "u8" if self.pointer.dtype == "bool" else self.pointer.dtype

    @property
    def _bytes(self) -> int:
        return int(self._stored[1:]) // 8

    def _masked(
        self, packed: str, spread: str, lanes: int, mask: Value | None
    ) -> tuple[str, list[str], str, str]:
        """LLVM's function, and types and texts of its operands: places and mask."""
        function = self.function
        address, tag = function.access(self.pointer, self.place)
        verb, pointer, mangled = packed, "ptr", "p0"
        if self.stride.number != 1:
            verb, pointer, mangled = spread, f"<{lanes} x ptr>", f"v{lanes}p0"
            steps = function.binary("Mult", numbered("i64", lanes), self.stride)
            element = REGISTERS[self._stored]
            places = f"{REGISTERS[steps.dtype]} {steps.text}"
            step = f"getelementptr {element}, ptr {address}, {places}"
            address = function.emit("", step).text
        mask = mask or constant(1, vector("bool", lanes))
        element = f"{'f' if self._stored[0] == 'f' else 'i'}{self._stored[1:]}"
        flags = REGISTERS[mask.dtype]
        listed = f"{pointer} align {self._bytes} {address}, {flags} {mask.text}"
        symbol = f"llvm.masked.{verb}.v{lanes}{element}.{mangled}"
        return symbol, [pointer, flags], listed, tag


def numbered(dtype: str, lanes: int) -> Value:
    """0, 1, 2, ... in the lanes of a vector of integers."""
    numbers = ", ".join(f"i{dtype[1:]} {lane}" for lane in range(lanes))
    return Value(vector(dtype, lanes), f"<{numbers}>")


def lanes_before(function: Emitter, count: Value, *, dtype: str) -> Value:
    """A mask from a word's bits: a comparison, LLVM would repeat at every use."""
    lanes, kind = LANES[dtype], vector("bool", LANES[dtype])
    count = function.typed(count, "i64")
    count = function.call("llvm.smin.i64", "i64", (count, constant(lanes, "i64")))
    count = function.call("llvm.smax.i64", "i64", (count, constant(0, "i64")))
    ones = function.emit("i64", f"shl nsw i64 -1, {count.text}").text
    bits = function.emit("i64", f"xor i64 {ones}, -1").text
    word = function.emit("", f"trunc i64 {bits} to i{lanes}").text
    return function.emit(kind, f"bitcast i{lanes} {word} to {REGISTERS[kind]}")


def _lanes_of(function: Emitter, count: Value, dtype: str) -> Value | None:
    """Which lanes come before ``count``, or are not 0 in a vector; None for all."""
    lanes = LANES[dtype]
    if count.number == lanes:
        return None
    if count.dtype in LANES:
        return function.truth(count)
    return function.compare("Lt", numbered("i64", lanes), count)


def interleaved(function: Emitter, *operands: Value) -> tuple[Value, ...]:
    """Each round interleaves the first half of the vectors with the second."""
    vectors = list(operands)
    count = len(vectors)
    half = count // 2
    if len({vector.dtype for vector in vectors}) != 1 or count & (count - 1):
        raise LanguageError(f"{count} vectors cannot be interleaved")
    lanes = LANES[vectors[0].dtype]
    low = [lane for i in range(lanes // 2) for lane in (i, lanes + i)]
    high = [lane + lanes // 2 for lane in low]
    for _ in range(half.bit_length()):
        vectors = [
            function.shuffle(vectors[i], vectors[i + half], mask)
            for i in range(half)
            for mask in (low, high)
        ]
    return tuple(vectors)


def lane_sums(function: Emitter, *operands: Value) -> Value:
    """Each round adds the even and the odd lanes of two vectors, in one."""
    vectors = list(operands)
    lanes = _square(vectors)
    even = list(range(0, 2 * lanes, 2))
    odd = list(range(1, 2 * lanes, 2))
    while len(vectors) > 1:
        vectors = [
            function.binary(
                "Add",
                function.shuffle(vectors[i], vectors[i + 1], even),
                function.shuffle(vectors[i], vectors[i + 1], odd),
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


# The functions whose names begin with the dtype of a vector.
OF_DTYPE = {"splat": splat, "mask": lanes_before, "load": load, "store": store}
