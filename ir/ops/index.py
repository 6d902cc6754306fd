"""Indexing by arrays: gather, scatter-add, and the check that makes both safe.

``take`` and ``scatter_add`` trust their indices; whoever builds them puts a ``check``
in front unless the indices are known to be inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import (
    AnabranchError,
    BoundsError,
    DomainError,
    LinAlgError,
    RangeError,
    UnboundError,
)
from ..types import TensorType
from .mapped import same
from .mapped_places import scatter_vmap, take_vmap
from .spec import (
    INT,
    NONDIFFERENTIABLE,
    OPS,
    TEXT,
    OpDef,
    register,
    require,
    require_dtype,
)

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Node

__all__ = ["CHECK", "ERRORS", "SCATTER_ADD", "TAKE", "failure", "failure_of"]


def _take_type(x: TensorType, i: TensorType, *, axis: int) -> TensorType:
    require(0 <= axis < x.rank, "take", f"no axis {axis} in {x}")
    require_dtype(i.dtype == "i64", "take", f"the indices are {i}, not i64")
    return x.with_shape((*x.shape[:axis], *i.shape, *x.shape[axis + 1 :]))


def _take_adjoint(
    b: Builder, n: Node, g: Node, x: Node, i: Node, *, axis: int
) -> tuple[Node, None]:
    return b.scatter_add(g, i, axis=axis, size=x.type.shape[axis]), None


TAKE = register(
    OpDef(
        "take",
        2,
        _take_type,
        lambda x, i, axis: np.take(x, i, axis=axis),
        _take_adjoint,
        {"axis": INT},
        constant_slots=(1,),
        linear=((0,),),
        vmap=take_vmap,
    )
)


def _scatter_type(x: TensorType, i: TensorType, *, axis: int, size: int) -> TensorType:
    end = axis + i.rank
    require(
        axis >= 0 and size >= 0 and x.shape[axis:end] == i.shape,
        "scatter_add",
        f"{x} does not have the indices {i} at axis {axis}",
    )
    require_dtype(i.dtype == "i64", "scatter_add", f"the indices are {i}, not i64")
    require_dtype(x.dtype != "bool", "scatter_add", "adds numbers, not bool")
    return x.with_shape((*x.shape[:axis], size, *x.shape[end:]))


def _scatter_add(x: Any, i: Any, *, axis: int, size: int) -> Any:
    x, i = np.asarray(x), np.asarray(i)
    rows = x.reshape((*x.shape[:axis], i.size, *x.shape[axis + i.ndim :]))
    total = np.zeros((*x.shape[:axis], size, *x.shape[axis + i.ndim :]), x.dtype)
    np.add.at(np.moveaxis(total, axis, 0), i.reshape(-1), np.moveaxis(rows, axis, 0))
    return total


def _scatter_adjoint(
    b: Builder, n: Node, g: Node, x: Node, i: Node, *, axis: int, size: int
) -> tuple[Node, None]:
    return b.take(g, i, axis=axis), None


SCATTER_ADD = register(
    OpDef(
        "scatter_add",
        2,
        _scatter_type,
        _scatter_add,
        _scatter_adjoint,
        {"axis": INT, "size": INT},
        constant_slots=(1,),
        linear=((0,),),
        vmap=scatter_vmap,
    )
)


def _check_type(
    x: TensorType, *, low: int, high: int, error: str, message: str
) -> TensorType:
    require_dtype(x.dtype == "i64", "check", f"takes i64, not {x}")
    require(error in ERRORS, "check", f"error is one of {', '.join(ERRORS)}")
    return x


class Raised:
    """Errors of Python's kinds that say the line, for what the user's code raises."""


def _as_python(kind: type[Exception]) -> type[AnabranchError]:
    """The error of a kind, which stands in `Raised` under its name."""
    name = kind.__name__
    place = {"__module__": __name__, "__qualname__": f"Raised.{name}"}
    made: type[AnabranchError] = type(name, (AnabranchError, kind), place)
    setattr(Raised, name, made)
    return made


_OF_PYTHON: tuple[type[Exception], ...] = (
    *(ArithmeticError, AssertionError, FloatingPointError, IndexError, KeyError),
    *(LookupError, NotImplementedError, OverflowError, RuntimeError, TypeError),
    *(ValueError, ZeroDivisionError, Exception),
)
ERRORS: dict[str, type[AnabranchError]] = {
    "index": BoundsError,
    "value": DomainError,
    "overflow": RangeError,
    "linalg": LinAlgError,
    "unbound": UnboundError,
    **{kind.__name__: _as_python(kind) for kind in _OF_PYTHON if kind is not Exception},
    "Exception": AnabranchError,
}


def failure(node: Node) -> tuple[str, str] | None:
    """The kind of error that a node may raise when it runs, and its message."""
    if node.op == "check":
        return str(node.attrs["error"]), str(node.attrs["message"])
    return OPS[node.op].fails


def failure_of(node: Node) -> AnabranchError:
    """The exception that a node raises which may fail."""
    found = failure(node)
    assert found is not None, "only such nodes have a status"
    error, message = found
    return ERRORS[error](message)


def _check(x: Any, *, low: int, high: int, error: str, message: str) -> Any:
    if np.any((np.asarray(x) < low) | (np.asarray(x) >= high)):
        raise ERRORS[error](message)
    return np.array(x)


CHECK = register(
    OpDef(
        "check",
        1,
        _check_type,
        _check,
        NONDIFFERENTIABLE,
        {"low": INT, "high": INT, "error": TEXT, "message": TEXT},
        vmap=same,
    )
)
