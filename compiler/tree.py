"""Arguments and results as pytrees, and the names of their leaves."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optree

from ..ir.errors import AnabranchError, ArgumentError
from ..ir.types import TensorType, dtype_name
from .trace import check_array, is_traced

__all__ = ["Kind", "flatten", "kind_of", "leaf_names", "unflatten"]

NAMESPACE = "anabranch"
# A function may depend on the order of a dict's items, so the order is kept.
_ordered = optree.dict_insertion_ordered(True, namespace=NAMESPACE)
_ordered.__enter__()
MAX_PATH = 300

Kind = tuple[TensorType, bool]
"""The type of a leaf, and whether it is weak: a Python scalar."""


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves and the structure; dataclasses become pytrees as they are met."""
    while True:
        leaves, structure = optree.tree_flatten(tree, namespace=NAMESPACE)
        kinds = {leaf.__class__ for leaf in leaves}
        unknown = [kind for kind in kinds if _is_dataclass(kind)]
        if not unknown:
            return leaves, structure
        for kind in unknown:
            _register(kind)


def unflatten(structure: Any, leaves: Sequence[Any]) -> Any:
    """The tree again."""
    return optree.tree_unflatten(structure, leaves)


def _is_dataclass(kind: type) -> bool:
    return kind is not np.ndarray and (
        dataclasses.is_dataclass(kind) and not issubclass(kind, TensorType)
    )


def _register(kind: Any) -> None:
    names = tuple(field.name for field in dataclasses.fields(kind))

    def split(value: Any) -> tuple[tuple[Any, ...], None, tuple[str, ...]]:
        return tuple(getattr(value, name) for name in names), None, names

    def join(_: None, children: Any) -> Any:
        made = object.__new__(kind)
        for name, child in zip(names, children, strict=True):
            object.__setattr__(made, name, child)
        return made

    register: Any = optree.register_pytree_node
    try:
        register(kind, split, join, namespace=NAMESPACE)
    except ValueError:  # or another thread met it at the same time
        if register.get(kind, namespace=NAMESPACE) is None:
            raise


def _clean(part: Any) -> str:
    """One step of a path as part of a value's name."""
    text = re.sub(r"\W", "_", str(part)) or "_"
    return f"{text}_" if re.fullmatch(r"bar\d*|return", text) else text


def path_names(tree: Any) -> list[str]:
    """The path of each leaf, joined by dots; empty for a tree that is one leaf."""
    flatten(tree)
    paths = optree.tree_accessors(tree, namespace=NAMESPACE)
    return [".".join(_clean(_step(entry)) for entry in path) for path in paths]


def _step(entry: Any) -> Any:
    """One step of a path: a key, an index, or the name of a field."""
    return entry.field if isinstance(entry, optree.NamedTupleEntry) else entry.entry


def leaf_names(function: Callable[..., Any], args: Any, kwargs: Any) -> list[str]:
    """A name for each leaf of ``(args, kwargs)``: the parameter and its path."""
    positional = _positional_names(function, len(args))
    names: list[str] = []
    for name, value in [*zip(positional, args, strict=True), *sorted(kwargs.items())]:
        prefix = _clean(name)
        names += [f"{prefix}.{path}" if path else prefix for path in path_names(value)]
    names = [name[:MAX_PATH].rstrip(".") for name in names]
    return [name if not name[0].isdigit() else f"_{name}" for name in names]


def _positional_names(function: Callable[..., Any], count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names: list[str] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}_{i}" for i in range(count - len(names))]
        elif parameter.kind in (
            parameter.POSITIONAL_ONLY,
            parameter.POSITIONAL_OR_KEYWORD,
        ):
            names.append(parameter.name)
    names += [f"arg_{i}" for i in range(len(names), count)]
    return names[:count]


_WEAK = {bool: "bool", int: "i64", float: "f64"}


def kind_of(leaf: Any, name: str = "an argument") -> Kind:
    """The kind of one leaf; raises `ArgumentError` for what is no array or number."""
    weak = _WEAK.get(type(leaf))
    if weak is not None:
        return TensorType(weak, ()), True
    if isinstance(leaf, TensorType):
        return leaf, False
    if is_traced(leaf):
        return leaf.node.type, leaf.weak
    try:
        if isinstance(leaf, np.generic):
            return TensorType(dtype_name(leaf.dtype), ()), False
        if isinstance(leaf, np.ndarray):
            check_array(leaf, name)
            return TensorType(dtype_name(leaf.dtype), leaf.shape), False
    except AnabranchError as error:
        raise ArgumentError(f"{name}: {error.what}", hint=error.hint) from None
    raise ArgumentError(
        f"{name} is a {type(leaf).__name__}, not an array or a number",
        hint="make it static (static_argnames=...) or convert it with np.asarray",
    )
