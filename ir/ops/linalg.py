"""Matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..types import TensorType
from .spec import OpDef, register, require, require_dtype

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["MATMUL", "MATMUL_ADD", "adjoined", "transposed"]


def transposed(b: Builder, x: Node) -> Node:
    """``x`` with its last two axes exchanged."""
    rank = x.type.rank
    return b.transpose(x, (*range(rank - 2), rank - 1, rank - 2))


def adjoined(b: Builder, x: Node) -> Node:
    """The conjugate transpose; of a real matrix the transpose."""
    return transposed(b, b.conj(x))


def _matmul_type(x: TensorType, y: TensorType) -> TensorType:
    require(
        x.rank == y.rank >= 2 and x.shape[:-2] == y.shape[:-2],
        "matmul",
        f"{x} and {y} are not matrices, or not stacks of one shape",
    )
    require(
        x.shape[-1] == y.shape[-2],
        "matmul",
        f"inner sizes differ, {x.shape[-1]} and {y.shape[-2]}",
    )
    require_dtype(x.dtype == y.dtype, "matmul", f"{x} and {y} differ in dtype")
    return x.with_shape((*x.shape[:-1], y.shape[-1]))


def _matmul_adjoint(
    b: Builder, n: Node, g: Node, x: Node, y: Node
) -> tuple[Node, Node]:
    """``z = x y``;  ``x.bar = z.bar yᴴ``,  ``y.bar = xᴴ z.bar``."""
    return b.matmul(g, adjoined(b, y)), b.matmul(adjoined(b, x), g)


def _matmul_add_type(x: TensorType, y: TensorType, z: TensorType) -> TensorType:
    made = _matmul_type(x, y)
    require(made.shape == z.shape, "matmul_add", f"{made} and {z} differ in shape")
    require_dtype(
        made.is_float and made.dtype == z.dtype,
        "matmul_add",
        f"takes floats of one dtype, not {made} and {z}",
    )
    return made


def _matmul_add_adjoint(
    b: Builder, n: Node, g: Node, x: Node, y: Node, z: Node
) -> tuple[Node, Node, Node]:
    """That of the product, and ``z.bar`` is the cotangent itself."""
    return *_matmul_adjoint(b, n, g, x, y), g


MATMUL = register(
    OpDef("matmul", 2, _matmul_type, np.matmul, _matmul_adjoint, linear=((0,), (1,)))
)
MATMUL_ADD = register(
    OpDef(
        "matmul_add",
        3,
        _matmul_add_type,
        lambda x, y, z: np.matmul(x, y) + z,
        _matmul_add_adjoint,
    )
)
