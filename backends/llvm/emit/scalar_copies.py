"""Statements again, with other values in place of some."""

from __future__ import annotations

from collections.abc import Iterable

from ..kernels.scalar_loop import Compute, Index, Load, Statement, Store
from .scalar_builder import Builder

__all__ = ["copied"]


def copied(b: Builder, statements: Iterable[Statement], names: dict[int, int]) -> None:
    """Append statements without blocks; ``names`` have what stands for each value.

    The values that they make are added to them.
    """
    for one in statements:
        match one:
            case Compute(value, op, operands, _, result):
                renamed = [names.get(x, x) for x in operands]
                names[value] = b.compute(op, renamed, result)
            case Load(value, memory, where):
                made = b.fresh(b.types[value])
                b.block.append(Load(made, memory, _renamed(where, names)))
                names[value] = made
            case Store(memory, where, value):
                value = names.get(value, value)
                b.block.append(Store(memory, _renamed(where, names), value))
            case _:
                raise AssertionError("a statement with blocks")


def _renamed(where: Index, names: dict[int, int]) -> Index:
    return tuple(tuple(names.get(x, x) for x in axis) for axis in where)
