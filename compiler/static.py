"""Values that are part of the kind of a call."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np

__all__ = ["Static", "exact"]


class Static:
    """A static argument: part of the kind of a call, compared by type and value.

    No dataclass, for those are pytrees.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and exact(self.value) == exact(other.value)

    def __hash__(self) -> int:
        return hash(exact(self.value))


def exact(value: Any) -> Any:
    """A key that tells 1 from True and 1.0, and 0.0 from -0.0, inside of it too."""
    if isinstance(value, (float, complex, np.generic)):
        return type(value), repr(value)
    if isinstance(value, (tuple, frozenset)):
        items = cast("tuple[Any, ...] | frozenset[Any]", value)
        keys = [exact(item) for item in items]
        return type(items), tuple(keys) if isinstance(items, tuple) else frozenset(keys)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (getattr(value, field.name) for field in dataclasses.fields(value))
        return value, tuple(exact(field) for field in fields)
    return type(value), value
