"""Order: what puts rows in order, and where values have their place in sorted ones.

Both give positions, which have no derivative. Values are gathered by them, so the
adjoint of a sort is that of a gather, at every order. NaN comes after all numbers, as
in NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..types import TensorType
from .spec import FLAG, NONDIFFERENTIABLE, OpDef, register, require, require_dtype

__all__ = ["ARGSORT", "SEARCHSORTED"]


def _argsort_type(x: TensorType) -> TensorType:
    require_dtype(not x.is_complex, "argsort", f"{x} has no order")
    require(x.rank > 0, "argsort", f"{x} has no axis")
    return x.with_dtype("i64")


ARGSORT = register(
    OpDef(
        "argsort",
        1,
        _argsort_type,
        lambda x: np.argsort(x, axis=-1, kind="stable"),
        NONDIFFERENTIABLE,
    )
)
"""The positions that sort each row, which goes along the last axis; ties in order."""


def _searchsorted_type(a: TensorType, v: TensorType, *, right: bool) -> TensorType:
    require_dtype(not a.is_complex, "searchsorted", f"{a} has no order")
    require(a.rank == 1, "searchsorted", f"{a} is no row")
    require_dtype(a.dtype == v.dtype, "searchsorted", f"{v} is searched in {a}")
    return v.with_dtype("i64")


def _searchsorted(a: Any, v: Any, *, right: bool) -> Any:
    return np.asarray(np.searchsorted(a, v, "right" if right else "left"))


SEARCHSORTED = register(
    OpDef(
        "searchsorted",
        2,
        _searchsorted_type,
        _searchsorted,
        NONDIFFERENTIABLE,
        {"right": FLAG},
    )
)
"""How many entries of the sorted row ``a`` are below each ``v``; ``right``: not above.

What it gives for a row that is not sorted is left open.
"""
