"""Arguments and results as pytrees, and the names of their leaves."""

from __future__ import annotations

import dataclasses
import inspect
import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import optree

from ..ir.errors import AnabranchError, ArgumentError, ParseError
from ..ir.types import DEFAULT_DTYPES, TensorType, dtype_name, spec
from .calls.static import Static
from .tracing.captures import check_array
from .tracing.running import is_traced

__all__ = [
    "LeafType",
    "flatten",
    "leaf_names",
    "leaf_type",
    "lists_of_numbers",
    "outline",
    "path_names",
    "positional_names",
    "unflatten",
]

NAMESPACE = "anabranch"
# A function may depend on the order of a dict's items, so the order is kept.
_ordered = optree.dict_insertion_ordered(True, namespace=NAMESPACE)
_ordered.__enter__()
MAX_PATH = 300
_state = threading.local()  # looking: whether this thread is in `_content`

LeafType = tuple[TensorType, bool]
"""The type of a leaf, and whether it is weak: a Python scalar."""


def flatten(
    tree: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[Any], Any]:
    """The leaves and the structure; dataclasses become pytrees as they are met."""
    known: set[type] = set()
    while True:
        leaves, structure = optree.tree_flatten(tree, is_leaf, namespace=NAMESPACE)
        kinds = {leaf.__class__ for leaf in leaves} - known
        unknown = [kind for kind in kinds if _is_dataclass(kind)]
        known.update(unknown)  # what is a leaf all the same is one by `is_leaf`
        if not unknown:
            return leaves, structure
        for kind in unknown:
            _register(kind)


def outline(structure: Any) -> str:
    """A structure as people read it, a star for each leaf.

    >>> outline(flatten({"w": 1.0, "b": [2.0, None]})[1])
    "{'w': *, 'b': [*, None]}"
    """
    text = str(structure).removeprefix("PyTreeSpec(")
    return text.removesuffix(")").removesuffix(f", namespace={NAMESPACE!r}")


def unflatten(structure: Any, leaves: Sequence[Any]) -> Any:
    """The tree again."""
    return optree.tree_unflatten(structure, leaves)


def _is_dataclass(kind: type) -> bool:
    return kind is not np.ndarray and (
        dataclasses.is_dataclass(kind) and not issubclass(kind, TensorType)
    )


def _register(kind: Any) -> None:
    """Make a pytree of a dataclass: its fields, and what else its instances hold.

    ``__post_init__`` may have set more than the fields, and it is not run again on
    tracers, which it could not check or compare. So attributes that have had arrays are
    leaves like the fields, and all else is static.
    """
    fields = tuple(field.name for field in dataclasses.fields(kind))
    # Decided for the class, since trees of numbers stand in for those of arrays, and
    # what is rebuilt holds a parent that does not hold it.
    found: dict[str, set[str]] = {"arrays": set(), "owner": set(), "else": set()}

    def split(value: Any) -> tuple[tuple[Any, ...], Any, tuple[str, ...]]:
        beside = _beside(value, fields)
        for name in beside.keys() - found["owner"] - found["arrays"]:
            found[_content(beside[name], value)].add(name)
        arrays = tuple(name for name in beside if name in found["arrays"])
        rest = tuple(
            (name, held if _has_hash(held) else _Same(held))
            for name, held in beside.items()
            if name not in found["arrays"]
        )
        names = (*fields, *arrays)
        children = tuple(getattr(value, name) for name in names)
        return children, Static((arrays, rest)), names

    def join(beside: Static, children: Any) -> Any:
        made = object.__new__(kind)
        arrays, rest = beside.value
        for name, child in zip((*fields, *arrays), children, strict=True):
            object.__setattr__(made, name, child)
        for name, value in rest:
            kept = value.value if isinstance(value, _Same) else value
            object.__setattr__(made, name, kept)
        return made

    register: Any = optree.register_pytree_node
    try:
        register(kind, split, join, namespace=NAMESPACE)
    except ValueError:  # or another thread met it at the same time
        if register.get(kind, namespace=NAMESPACE) is None:
            raise


class _Same:
    """A value without a hash, equal to itself alone."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def _beside(value: Any, fields: Sequence[str]) -> dict[str, Any]:
    """What an instance holds beside its fields and what its class computes."""
    if getattr(_state, "looking", False):
        return {}
    held: dict[str, Any] = getattr(value, "__dict__", {})
    return {
        name: item
        for name, item in held.items()
        if name not in fields and not _is_computed(type(value), name)
    }


def _is_computed(kind: type, name: str) -> bool:
    """Whether the class computes the attribute when it is read: a cached property."""
    return hasattr(inspect.getattr_static(kind, name, None), "__get__")


def _content(tree: Any, owner: Any) -> str:
    """What an attribute holds: the ``owner`` of it again, ``arrays``, or else.

    Arrays may be traced, and are beside nothing but what can be. Dataclasses count for
    their fields meanwhile, or two that hold each other would never end.
    """
    _state.looking = True
    try:
        leaves, _ = flatten(tree, lambda node: node is owner)
        if any(leaf is owner for leaf in leaves):
            return "owner"
        for leaf in leaves:
            leaf_type(leaf)
    except ArgumentError:
        return "else"
    finally:
        _state.looking = False
    arrays = (np.ndarray, np.generic)
    some = any(isinstance(leaf, arrays) or is_traced(leaf) for leaf in leaves)
    return "arrays" if some else "else"


def _has_hash(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


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
    positional = positional_names(function, len(args))
    names: list[str] = []
    for name, value in [*zip(positional, args, strict=True), *sorted(kwargs.items())]:
        prefix = _clean(name)
        names += [f"{prefix}.{path}" if path else prefix for path in path_names(value)]
    names = [name[:MAX_PATH].rstrip(".") for name in names]
    return [name if not name[0].isdigit() else f"_{name}" for name in names]


def lists_of_numbers(function: Callable[..., Any], args: Any, kwargs: Any) -> list[str]:
    """The parameters that got a (nested) list of numbers, each a leaf of its own."""
    names = positional_names(function, len(args))
    pairs = [*zip(names, args, strict=True), *kwargs.items()]
    return [name for name, value in pairs if _is_list_of_numbers(value)]


def _is_list_of_numbers(value: Any) -> bool:
    if type(value) not in (list, tuple) or not value:
        return False
    return all(
        type(item) in DEFAULT_DTYPES or _is_list_of_numbers(item) for item in value
    )


def positional_names(function: Callable[..., Any], count: int) -> list[str]:
    """The names of so many arguments by position; numbers where there is none."""
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


def leaf_type(leaf: Any, name: str = "an argument") -> LeafType:
    """The type of one leaf; raises `ArgumentError` for what is no array or number."""
    weak = DEFAULT_DTYPES.get(type(leaf))
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
    hint = "make it static (static_argnames=...) or convert it with np.asarray"
    if isinstance(leaf, str):
        with suppress(ParseError):
            hint = f'for a type write anabranch.spec("{spec(leaf)}")'
    raise ArgumentError(
        f"{name} is a {type(leaf).__name__}, not an array or a number", hint=hint
    )
