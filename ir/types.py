"""Tensor types: a dtype and a shape.

A dtype is written by its short name (``f64``), a dimension is a number (``f32[8,4]``).
Types are values: immutable, hashable, checked when made.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from .errors import DTypeError, ParseError, ShapeError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "COMPLEX",
    "COMPLEX_OF",
    "DEFAULT_DTYPES",
    "DTYPES",
    "FLOATS",
    "INEXACT",
    "PART_OF",
    "Shape",
    "TensorType",
    "dtype_name",
    "spec",
]

Shape: TypeAlias = tuple[int, ...]

DTYPES: dict[str, np.dtype[np.generic]] = {
    "bool": np.dtype(np.bool_),
    **{f"i{8 * size}": np.dtype(f"i{size}") for size in (1, 2, 4, 8)},
    **{f"u{8 * size}": np.dtype(f"u{size}") for size in (1, 2, 4, 8)},
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
    "c64": np.dtype(np.complex64),
    "c128": np.dtype(np.complex128),
}
FLOATS = ("f32", "f64")
COMPLEX = ("c64", "c128")
INEXACT = (*FLOATS, *COMPLEX)
"""The dtypes that have a gradient."""
PART_OF: dict[str, str] = dict(zip(COMPLEX, FLOATS, strict=True))
"""The dtype of the real and of the imaginary part of each complex dtype."""
COMPLEX_OF: dict[str, str] = dict(zip(FLOATS, COMPLEX, strict=True))
DEFAULT_DTYPES: dict[type, str] = {
    bool: "bool",
    int: "i64",
    float: "f64",
    complex: "c128",
}
MAX_BYTES = 2**63 - 1
MAX_RANK = 32

_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_TYPE = re.compile(r"\s*(\w+)\s*\[([^\[\]]*)\]\s*\Z", re.ASCII)
_SIZE = re.compile(r"[0-9]{1,19}\Z")


def dtype_name(dtype: npt.DTypeLike) -> str:
    """The short name of a NumPy dtype: ``float64`` is ``f64``.

    Raises `DTypeError` for dtypes that have no place in the IR (float16, long double,
    object, strings, structures).
    """
    found = np.dtype(dtype)
    native = found.newbyteorder("=") if found.kind in "iufc" else found
    try:
        return _NAMES[native]
    except KeyError:
        raise DTypeError(
            f"dtype {found} is not supported",
            hint=f"the supported ones are {', '.join(DTYPES)}",
        ) from None


@dataclass(frozen=True, slots=True)
class TensorType:
    """The type of a value: ``TensorType("f64", (8, 4))`` prints as ``f64[8,4]``."""

    dtype: str
    shape: Shape

    def __post_init__(self) -> None:
        if self.dtype not in DTYPES:
            raise DTypeError(
                f"unknown dtype {self.dtype[:40]!r}",
                hint=f"one of {', '.join(DTYPES)}",
            )
        if len(self.shape) > MAX_RANK:
            raise ShapeError(f"rank {len(self.shape)} is above {MAX_RANK}")
        nbytes = DTYPES[self.dtype].itemsize
        for dim in self.shape:
            if type(dim) is not int:
                raise ShapeError(f"a dimension is a number, not {dim!r}")
            if dim < 0:
                raise ShapeError(f"negative dimension {dim}")
            nbytes *= max(dim, 1)
        if nbytes > MAX_BYTES:
            raise ShapeError(f"{self} has more than 2**63 bytes")

    def __str__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    @property
    def rank(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """The NumPy dtype."""
        return DTYPES[self.dtype]

    @property
    def is_float(self) -> bool:
        """Whether values of this type are real floats."""
        return self.dtype in FLOATS

    @property
    def is_complex(self) -> bool:
        """Whether values of this type are complex."""
        return self.dtype in COMPLEX

    @property
    def has_gradient(self) -> bool:
        """Whether values of this type can carry a gradient."""
        return self.dtype in INEXACT

    @property
    def part(self) -> TensorType:
        """The type of the real part: of what is not complex, the type itself."""
        return self.with_dtype(PART_OF[self.dtype]) if self.is_complex else self

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The number of bytes of the elements."""
        return self.size * self.numpy.itemsize

    def with_shape(self, shape: Shape) -> TensorType:
        """The same dtype in another shape."""
        return self if shape == self.shape else TensorType(self.dtype, shape)

    def with_dtype(self, dtype: str) -> TensorType:
        """The same shape in another dtype."""
        return TensorType(dtype, self.shape)


def spec(text: str) -> TensorType:
    """Read a type: ``spec("f32[8,4]")``; raises `ParseError`.

    >>> spec("f32[8, 4]").shape
    (8, 4)
    """
    match = _TYPE.match(str(text))
    if match is None:
        raise ParseError(f"not a type: {str(text)[:80]!r}", hint="write it as f64[8,4]")
    dtype, dims = match.groups()
    parts = dims.split(",", MAX_RANK) if dims.strip() else []
    sizes = [part.strip() for part in parts]
    if len(sizes) > MAX_RANK:
        raise ParseError(f"not a type: {text[:80]!r}: the rank is above {MAX_RANK}")
    for size in sizes:
        if not _SIZE.match(size):
            raise ParseError(
                f"not a type: {text[:80]!r}: "
                f"a dimension is a number, not {size[:40]!r}",
                hint="write the size that the array has: for another size the function "
                "is traced again, and nothing is compiled",
            )
    try:
        return TensorType(dtype, tuple(map(int, sizes)))
    except (ShapeError, DTypeError) as error:
        what = f"not a type: {text[:80]!r}: {error.what}"
        raise ParseError(what, hint=error.hint) from None
