"""What the operands of a `loop` are, in the order in which they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from ..errors import VerifyError

__all__ = ["Parts", "loop_attrs", "split_operands"]

T = TypeVar("T")


class Parts(NamedTuple, Generic[T]):
    """The operands of a loop, or whatever stands for them, by their role.

    ``limit`` has one item where the number of iterations is an operand, else none.
    """

    limit: Sequence[T]
    invariants: Sequence[T]
    carried: Sequence[T]
    stacked: Sequence[T]

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(map(len, self))

    @property
    def taken(self) -> list[T]:
        """Those that the body has an input for, behind the counter."""
        return [*self.invariants, *self.carried, *self.stacked]

    @property
    def operands(self) -> list[T]:
        """All of them in order."""
        return [*self.limit, *self.taken]


def split_operands(attrs: Mapping[str, Any], items: Sequence[T]) -> Parts[T]:
    """Items that stand for the operands of a loop, by their role."""
    limit = 1 if attrs.get("limit") else 0
    carried, stacked = attrs.get("carried", 0), attrs.get("stacked", 0)
    last = len(items) - stacked
    middle = last - carried
    if carried < 0 or stacked < 0 or middle < limit:
        raise VerifyError(
            f"loop: {len(items)} operands cannot be {limit} limits, "
            f"{carried} carried and {stacked} stacked values"
        )
    return Parts(items[:limit], items[limit:middle], items[middle:last], items[last:])


def loop_attrs(given: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a loop, without those that say nothing."""
    return {
        name: value
        for name, value in given.items()
        if (value is not None if name == "trips" else value)
    }
