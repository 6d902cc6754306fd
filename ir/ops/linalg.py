"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..types import TensorType
from .mapped import each, merged, parted
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


def _matmul_vmap(
    b: Builder, n: Node, size: int, mapped: Sequence[bool], x: Node, y: Node
) -> Node:
    """One product where all examples share an operand: the others' rows together.

    ``z = x y`` is ``zᵀ = yᵀ xᵀ`` where that is ``x``. Else there is a stack of
    products, of which those of a column and a row are elementwise.
    """
    if all(mapped):
        return _products(b, x, y)
    if mapped[1]:
        turned = transposed(b, y), transposed(b, x)
        return transposed(b, _matmul_vmap(b, n, size, (True, False), *turned))
    axis = y.type.rank - 2
    made = b.matmul(merged(b, x, axis), y)
    return parted(b, made, axis, size, x.type.shape[-2])


def _products(b: Builder, x: Node, y: Node) -> Node:
    if x.type.shape[-1] != 1 or x.type.dtype == "bool":
        return b.matmul(x, y)
    type_ = x.type.with_shape((*x.type.shape[:-1], y.type.shape[-1]))
    return b.mul(b.broadcast(x, type_), b.broadcast(y, type_))


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


def _matmul_add_vmap(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    x: Node,
    y: Node,
    z: Node,
) -> Node:
    """A product and a sum; passes make one of them where that is faster."""
    if any(mapped[:2]):
        made = _matmul_vmap(b, n, size, mapped[:2], x, y)
    else:
        made = each(b, b.matmul(x, y), size, False)
    return b.add(made, each(b, z, size, mapped[2]))


MATMUL = register(
    OpDef(
        "matmul",
        2,
        _matmul_type,
        np.matmul,
        _matmul_adjoint,
        linear=((0,), (1,)),
        vmap=_matmul_vmap,
    )
)
MATMUL_ADD = register(
    OpDef(
        "matmul_add",
        3,
        _matmul_add_type,
        lambda x, y, z: np.matmul(x, y) + z,
        _matmul_add_adjoint,
        vmap=_matmul_add_vmap,
    )
)
