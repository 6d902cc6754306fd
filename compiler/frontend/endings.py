"""What a place holds at the end of a branch, and the type that two values have."""

from __future__ import annotations

from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from ...ir.graph import Node
from ...ir.types import DEFAULT_DTYPES, TensorType, dtype_name
from ..tracing.running import is_traced
from ..tracing.trace import Trace
from ..tree import flatten, unflatten
from .shared import containers_in
from .state import UNBOUND

__all__ = [
    "UNSET",
    "Ending",
    "ending_of",
    "is_alike",
    "is_same",
    "joined",
    "type_of",
    "with_place_holders",
]


class Unset:
    """What a function returns, before it did."""

    def __repr__(self) -> str:
        return "no value yet"


UNSET = Unset()


class Ending(NamedTuple):
    """The value of a place at the end of a branch; traced leaves with their nodes.

    Of a leaf that may have no value, ``bound`` has what says whether it has.
    ``containers`` are those in the value.
    """

    value: Any
    leaves: list[Any]
    tree: Any
    nodes: list[Node | None]
    bound: list[Node | bool]
    containers: list[Any]


def ending_of(trace: Trace, value: Any) -> Ending:
    """How a place ends that holds a value in a branch."""
    leaves, tree = flatten(value)
    unknown = [is_traced(leaf) and leaf.known is None for leaf in leaves]
    nodes = [
        trace.unchecked(leaf) if traced else None
        for leaf, traced in zip(leaves, unknown, strict=True)
    ]
    bound = [
        trace.node(leaf.bound[0]) if traced and leaf.bound else True
        for leaf, traced in zip(leaves, unknown, strict=True)
    ]
    return Ending(value, leaves, tree, nodes, bound, containers_in(value))


def with_place_holders(ends: list[Ending], is_variable: bool) -> list[Ending]:
    """Zeros for a result that is not there yet, and for a variable without a value.

    The flag of early returns says that the first are not used.
    """
    for i, end in enumerate(ends):
        full = ends[1 - i]
        missing = end.value is UNSET or (end.value is UNBOUND and is_variable)
        if not missing or any(full.value is v for v in (UNSET, UNBOUND)):
            continue
        if not all(type_of(leaf) for leaf in full.leaves):
            continue
        if end.value is UNBOUND and not full.leaves:
            continue
        leaves = [_zeros_like(leaf) for leaf in full.leaves]
        made = unflatten(full.tree, leaves)
        bound: list[Node | bool] = [end.value is UNSET] * len(leaves)
        ends[i] = Ending(made, leaves, full.tree, [None] * len(leaves), bound, [])
    return ends


def _zeros_like(leaf: Any) -> Any:
    if not is_traced(leaf) and np.ndim(leaf) == 0:
        return type(leaf)(0)
    zeros = np.zeros(leaf.shape, leaf.dtype)
    zeros.flags.writeable = False  # no other name refers to it
    return zeros.item() if is_traced(leaf) and leaf.weak else zeros


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same number or text, with the same type."""
    plain = isinstance(one, (bool, int, float, str, np.generic))
    return plain and type(one) is type(other) and repr(one) == repr(other)


def is_alike(one: Any, other: Any) -> bool:
    """Whether two values that are no arrays are one, or functions that do the same.

    A function that is defined again has the same code, cells and defaults.
    """
    if one is other or is_same(one, other):
        return True
    if not (isinstance(one, FunctionType) and isinstance(other, FunctionType)):
        return False
    held, others = _held(one), _held(other)
    return len(held) == len(others) and all(map(is_alike, held, others))


def _held(function: FunctionType) -> list[Any]:
    """What makes a function do what it does."""
    named = function.__kwdefaults__ or {}
    return [
        function.__code__,
        *(function.__closure__ or ()),
        *(function.__defaults__ or ()),
        *named.values(),
        *function.__dict__.values(),
    ]


def type_of(leaf: Any) -> Any:
    """The type of a leaf and whether it is weak, None for what is no array."""
    if is_traced(leaf):
        return leaf.type, leaf.weak
    if type(leaf) in DEFAULT_DTYPES:
        return TensorType(DEFAULT_DTYPES[type(leaf)], ()), True
    if isinstance(leaf, (np.ndarray, np.generic)) and leaf.dtype.kind in "biufc":
        return TensorType(dtype_name(leaf.dtype), leaf.shape), False
    return None


def joined(one: TensorType, weak: bool, other: TensorType, other_weak: bool) -> str:
    """The dtype that holds both: a Python number adapts."""
    if weak != other_weak:
        loose, strong = (one, other) if weak else (other, one)
        order = "biufc"
        if order.index(loose.numpy.kind) <= order.index(strong.numpy.kind):
            return strong.dtype
    return dtype_name(np.result_type(one.numpy, other.numpy))
