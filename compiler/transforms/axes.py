"""Which axis of each leaf: trees of axes that are prefixes of those of arguments."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import optree

from ...ir.errors import ArgumentError
from ..tree import NAMESPACE, flatten, outline

__all__ = ["Axes", "leaf_axes"]

Axes: TypeAlias = "Any"
"""An axis, None, or a pytree of these that begins like that of the values."""


def leaf_axes(axes: Axes, tree: Any, what: str) -> list[int | None]:
    """The axis of each leaf of a tree; an axis for a part of it is that of its leaves.

    Raises `ArgumentError` where the trees do not begin alike: ``what`` names both.
    """
    flatten(tree)  # dataclasses become pytrees as they are met
    found: list[int | None] = []
    if not _collect(axes, tree, what, found.append):
        raise ArgumentError(
            f"{what}: {outline(flatten(axes, _is_none)[1])} does not begin like "
            f"{outline(flatten(tree)[1])}",
            hint=_HINT,
        )
    return found


_HINT = (
    "an axis is a number, None for what is not mapped, or a tree of these like the "
    "value"
)


def _is_none(node: Any) -> bool:
    return node is None


def _collect(
    axes: Axes, tree: Any, what: str, add: Callable[[int | None], None]
) -> bool:
    if axes is not None:
        flatten(axes, _is_none)
        if not optree.tree_is_leaf(axes, namespace=NAMESPACE):
            return _collect_parts(axes, tree, what, add)
        try:
            axes = operator.index(axes)
        except TypeError:
            raise ArgumentError(f"{what}: {axes!r} is no axis", hint=_HINT) from None
    for _ in flatten(tree)[0]:
        add(axes)
    return True


def _collect_parts(
    axes: Axes, tree: Any, what: str, add: Callable[[int | None], None]
) -> bool:
    try:
        parts, _, names, _ = optree.tree_flatten_one_level(axes, namespace=NAMESPACE)
        items, _, keys, _ = optree.tree_flatten_one_level(tree, namespace=NAMESPACE)
    except ValueError:  # the value is a leaf
        return False
    known = dict(zip(names, parts, strict=True))
    if type(axes) is not type(tree) or known.keys() != set(keys):
        return False
    pairs = zip(keys, items, strict=True)
    return all(_collect(known[key], item, what, add) for key, item in pairs)
