"""What the kernel language computes with: LLVM's operands, by dtype.

A `Value` is an LLVM operand with a dtype of the IR, or a vector of these, whose dtype
says how many lanes it has: ``f32x16``. A name that is assigned more than once has a
`Slot`. Number literals have no dtype and take that of what they meet.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

__all__ = [
    "FLOAT",
    "INT",
    "LANES",
    "MAX_LANES",
    "REGISTERS",
    "SCALARS",
    "TABLE",
    "LanguageError",
    "Slot",
    "Value",
    "constant",
    "literal",
    "vector",
    "whole_rounds",
]

SCALARS = {
    **{f"{kind}{bits}": f"i{bits}" for kind in "iu" for bits in (8, 16, 32, 64)},
    "f32": "float",
    "f64": "double",
    "bool": "i1",
}
LANES = {f"{dtype}x{n}": n for dtype in SCALARS for n in (2, 4, 8, 16, 32, 64)}
REGISTERS = SCALARS | {
    name: f"<{n} x {SCALARS[name.partition('x')[0]]}>" for name, n in LANES.items()
}
MAX_LANES = max(LANES.values())
INT, FLOAT = "int", "float"  # the dtypes of literals
TABLE = -1  # the label of words and buffers, which kernels only read


class LanguageError(Exception):
    """Source that is not in the kernel language: a defect of whoever wrote it."""


class Value(NamedTuple):
    """An LLVM operand of a dtype; a literal keeps its number and has no dtype yet.

    A pointer has the dtype that it points to and the label of its memory; labels differ
    where memory does not overlap. Behind ``whole`` ones there is room for as many lanes
    as a round has.
    """

    dtype: str
    text: str
    label: int | None = None
    number: int | float | None = None
    whole: bool = False

    @property
    def lanes(self) -> int:
        """How many lanes the value has; 1 for a scalar."""
        return LANES.get(self.dtype, 1)

    @property
    def element(self) -> str:
        """The dtype of one lane."""
        return self.dtype.partition("x")[0]

    @property
    def is_float(self) -> bool:
        """Whether the value is a float or a vector of them, and no literal."""
        return self.dtype[0] == "f" and self.number is None


class Slot(NamedTuple):
    """The stack slot of a name that is assigned more than once."""

    address: str
    dtype: str


def literal(number: float) -> Value:
    """A number that takes the dtype of what it meets."""
    return Value(INT if isinstance(number, int) else FLOAT, "", None, number)


def vector(dtype: str, lanes: int) -> str:
    """The dtype of so many lanes of an element's dtype."""
    return dtype if lanes == 1 else f"{dtype}x{lanes}"


def constant(number: float, dtype: str) -> Value:
    """A number of a dtype, as LLVM writes it; in every lane of a vector."""
    if dtype in LANES:
        one = constant(number, dtype.partition("x")[0])
        return Value(dtype, f"splat ({REGISTERS[one.dtype]} {one.text})")
    if dtype in ("f32", "f64"):
        value = float(number)
        if dtype == "f32":
            (value,) = struct.unpack("<f", struct.pack("<f", value))
        (bits,) = struct.unpack("<Q", struct.pack("<d", value))
        return Value(dtype, f"0x{bits:016X}")
    if dtype == "bool":
        return Value(dtype, "true" if number else "false")
    if number != int(number):
        raise LanguageError(f"{number} is no {dtype}")
    return Value(dtype, str(int(number)))


def whole_rounds(size: int) -> int:
    """Room for ``size`` elements in whole rounds of any loop over lanes."""
    return -(-size // MAX_LANES) * MAX_LANES
