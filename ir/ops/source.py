"""Ops without operands: inputs, constants, index ramps."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import VerifyError
from ..literals import Attrs
from ..types import DEFAULT_DTYPES, DTYPES, Shape, TensorType
from .spec import (
    DTYPE,
    INT,
    INTS,
    NONDIFFERENTIABLE,
    NUMBER,
    Kind,
    OpDef,
    register,
    require,
)

__all__ = ["CONST", "INPUT", "IOTA"]


def _no_rule() -> TensorType:
    raise VerifyError("an input stands in the graph's parameter list")


INPUT = register(
    OpDef("input", 0, _no_rule, lambda: None, NONDIFFERENTIABLE, kind=Kind.SOURCE)
)


def const_attrs(value: bool | int | float | complex, dtype: str) -> Attrs:
    """The attributes of a constant: the dtype is said where the literal does not."""
    if DEFAULT_DTYPES[type(value)] == dtype:
        return Attrs({"value": value})
    return Attrs({"value": value, "dtype": dtype})


def _const_type(
    *, value: bool | int | float | complex, dtype: str | None = None
) -> TensorType:
    type_ = TensorType(dtype or DEFAULT_DTYPES[type(value)], ())
    with np.errstate(all="ignore"):
        try:
            exact = type_.numpy.type(value).item()
        except (OverflowError, ValueError):
            exact = None
    same = type(exact) is type(value) and (exact == value or value != value)
    require(same, "const", f"{value!r} is not a value of {type_.dtype}")
    return type_


def _const(*, value: Any, dtype: str | None = None) -> Any:
    return np.array(value, DTYPES[dtype or DEFAULT_DTYPES[type(value)]])


CONST = register(
    OpDef(
        "const",
        0,
        _const_type,
        _const,
        NONDIFFERENTIABLE,
        {"value": NUMBER, "dtype": DTYPE},
        optional=("dtype",),
        kind=Kind.SOURCE,
    )
)


def _iota_type(*, shape: Shape, axis: int, dtype: str) -> TensorType:
    require(0 <= axis < len(shape), "iota", f"no axis {axis} in {shape}")
    return TensorType(dtype, shape)


def _iota(*, shape: tuple[int, ...], axis: int, dtype: str) -> Any:
    ramp = np.arange(shape[axis], dtype=DTYPES[dtype])
    along = [1] * len(shape)
    along[axis] = shape[axis]
    return np.broadcast_to(ramp.reshape(along), shape)


IOTA = register(
    OpDef(
        "iota",
        0,
        _iota_type,
        _iota,
        NONDIFFERENTIABLE,
        {"shape": INTS, "axis": INT, "dtype": DTYPE},
        kind=Kind.SOURCE,
    )
)
