"""Trees of arguments and results as literals of the IR, for saved functions.

A tree is a tuple of items in preorder, so that reading recurses nowhere:

    item := leaf | None
          | ("list", COUNT) | ("tuple", COUNT) | ("dict", key, ...)
          | ("namedtuple", CLASS, field, ...) | ("dataclass", CLASS, field, ...)
          | ("residuals", NUMBER, COUNT)

After an item come its children, as many as it says. A leaf is any other literal. A
CLASS is a module and a qualified name with a colon between. It is never imported: who
reads the tree gives the classes that may occur.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import optree

from ...ir.errors import ArgumentError, ParseError
from ...ir.literals import Literal
from ..calls.static import Static
from ..transforms.residuals import Backward, Residuals
from ..tree import NAMESPACE, flatten, unflatten

__all__ = ["class_name", "is_literal", "read_tree", "tree_items"]

MAX_DEPTH = 400  # flattening a tree recurses, in C++ and up to 1000
MAX_LITERAL = 16  # the depth of keys and static values, half of what `literals` reads
PLAIN = (bool, int, float, str, type(None))

Number: TypeAlias = Callable[[Backward], int]


def is_literal(value: Any) -> bool:
    """Whether a value is a literal that can be saved, and equal when read back.

    Subclasses are none, nor are integers of hundreds of digits.
    """
    waiting = [(value, 0)]
    while waiting:
        item, depth = waiting.pop()
        if type(item) is tuple and depth < MAX_LITERAL:
            waiting += [(part, depth + 1) for part in item]
        elif type(item) not in PLAIN or (type(item) is int and abs(item) >= 10**300):
            return False
    return True


def class_name(kind: type) -> str:
    """The name that a class has in a saved tree."""
    return f"{kind.__module__}:{kind.__qualname__}"


def tree_items(
    structure: Any, leaves: Sequence[Literal], number: Number
) -> tuple[Literal, ...]:
    """The items of a structure with these leaves.

    ``number`` gives each backward pass that residuals belong to a number. Raises
    `ArgumentError` for a container that could not be read back.
    """
    items: list[Literal] = []
    waiting = [(unflatten(structure, range(len(leaves))), 0)]
    while waiting:
        tree, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ArgumentError(f"a tree deeper than {MAX_DEPTH} cannot be saved")
        if type(tree) is int:
            items.append(leaves[tree])
            continue
        item, children = _item(tree, number)
        items.append(item)
        waiting += [(child, depth + 1) for child in reversed(children)]
    return tuple(items)


def _item(tree: Any, number: Number) -> tuple[Literal, Sequence[Any]]:
    """The item of a container, and its children."""
    kind: Any = tree.__class__
    if tree is None:
        return None, ()
    if kind is list or kind is tuple:
        return (kind.__name__, len(tree)), tree
    if kind is dict:
        bad = [key for key in tree if not is_literal(key)]
        if bad:
            raise ArgumentError(
                f"the key {bad[0]!r} of a dict cannot be saved",
                hint="keys are numbers, strings and tuples of them",
            )
        return ("dict", *tree), list(tree.values())
    if kind is Residuals:
        return ("residuals", number(tree.backward), len(tree)), list(tree.arrays)
    if optree.is_namedtuple_class(kind):
        return ("namedtuple", class_name(kind), *kind._fields), tree
    if hasattr(kind, "__dataclass_fields__"):
        one: Any = optree.tree_flatten_one_level(tree, namespace=NAMESPACE)
        fields = _fields(kind)
        if one[1] != Static(((), ())):
            raise ArgumentError(
                f"a {kind.__name__} that holds more than its fields cannot be saved"
            )
        return ("dataclass", class_name(kind), *fields), one[0]
    raise ArgumentError(
        f"a {class_name(kind)} cannot be saved",
        hint="dicts, lists, tuples, named tuples and dataclasses can",
    )


def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def read_tree(
    items: Iterable[Literal],
    is_leaf: Callable[[Literal], bool],
    classes: Mapping[str, type],
    backward: Sequence[Backward],
) -> tuple[Any, list[Literal]]:
    """The structure and the leaves of a tree.

    Raises `ParseError` for what is no tree, and `ArgumentError` for a class that is not
    among ``classes`` or has other fields now.
    """
    leaves: list[Literal] = []
    made: list[tuple[Any, int]] = []  # from the end: trees, with their depths
    for item in reversed(tuple(items)):
        if is_leaf(item):
            leaves.append(item)
            made.append((0, 0))
            continue
        count, make = _maker(item, classes, backward)
        if count > len(made):
            raise ParseError(f"the tree ends inside of {str(item)[:60]}")
        children = [made.pop() for _ in range(count)]
        depth = 1 + max((depth for _, depth in children), default=0)
        if depth > MAX_DEPTH:
            raise ParseError(f"a tree deeper than {MAX_DEPTH}")
        made.append((make([child for child, _ in children]), depth))
    if len(made) != 1:
        raise ParseError(f"{len(made)} trees where one is expected")
    return flatten(made[0][0])[1], leaves[::-1]


def _maker(
    item: Literal, classes: Mapping[str, type], backward: Sequence[Backward]
) -> tuple[int, Callable[[list[Any]], Any]]:
    """How many children the container of an item has, and what makes it of them."""
    match item:
        case None:
            return 0, lambda children: None
        case ("list", int(count)) if _is_count(count):
            return count, list
        case ("tuple", int(count)) if _is_count(count):
            return count, tuple
        case ("dict", *keys) if len(set(keys)) == len(keys):
            return len(keys), lambda children: dict(zip(keys, children, strict=True))
        case ("residuals", int(number), int(count)) if (
            type(number) is int
            and 0 <= number < len(backward)
            and count == len(backward[number].names)
        ):
            return count, lambda children: Residuals(backward[number], children)
        case (("namedtuple" | "dataclass") as form, str(name), *fields):
            kind = _class(form, name, fields, classes)
            return len(fields), lambda children: _instance(kind, children)
        case _:
            raise ParseError(f"not an item of a tree: {str(item)[:60]}")


def _is_count(count: int) -> bool:
    return type(count) is int and count >= 0


def _class(
    form: str, name: str, fields: list[Literal], classes: Mapping[str, type]
) -> Any:
    kind: Any = classes.get(name)
    if kind is None:
        raise ArgumentError(
            f"there is a {form} {name[:80]!r} in it",
            hint=f"give its class: load(path, types=[{name.rpartition(':')[2][:80]}])",
        )
    named = optree.is_namedtuple_class(kind)
    if form != ("namedtuple" if named else "dataclass"):
        raise ArgumentError(f"{name[:80]} was a {form} when it was saved")
    known = kind._fields if named else _fields(kind)
    if tuple(fields) != known:
        raise ArgumentError(f"{name[:80]} had the fields {fields}, and has {known}")
    return kind


def _instance(kind: Any, children: list[Any]) -> Any:
    """An instance without its constructor, as flattened trees are rebuilt."""
    if optree.is_namedtuple_class(kind):
        return kind._make(children)
    made = object.__new__(kind)
    for name, child in zip(_fields(kind), children, strict=True):
        object.__setattr__(made, name, child)
    return made
