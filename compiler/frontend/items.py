"""Operators of items and attributes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

__all__ = ["augment", "delete_item", "get_item", "set_attribute", "set_item"]

_IN_PLACE: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.iadd,
    "Sub": operator.isub,
    "Mult": operator.imul,
    "Div": operator.itruediv,
    "FloorDiv": operator.ifloordiv,
    "Mod": operator.imod,
    "Pow": operator.ipow,
    "MatMult": operator.imatmul,
    "BitAnd": operator.iand,
    "BitOr": operator.ior,
    "BitXor": operator.ixor,
    "LShift": operator.ilshift,
    "RShift": operator.irshift,
}


def augment(kind: str, value: Any, other: Any) -> Any:
    """``value += other``, and what ``value`` is then."""
    return _IN_PLACE[kind](value, other)


def get_item(x: Any, index: Any) -> Any:
    """``x[index]``."""
    return x[index]


def set_item(value: Any, x: Any, index: Any) -> None:
    """``x[index] = value``."""
    x[index] = value


def delete_item(x: Any, index: Any) -> None:
    """``del x[index]``."""
    del x[index]


def set_attribute(value: Any, x: Any, name: str) -> None:
    """``x.name = value``."""
    setattr(x, name, value)
