"""One call of a function: its leaves, their types, and the key of its signature."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np

from ...ir.errors import ArgumentError
from ...ir.types import TensorType
from ..tracing.asked import value_of
from ..tracing.running import is_traced
from ..tree import LeafType, leaf_names, leaf_type, unflatten
from .admit import admitted
from .static import Static, parameters

__all__ = ["Call"]


class Call(NamedTuple):
    """The shape of one call: the function, and the tree of ``(args, kwargs)``."""

    function: Callable[..., Any]
    leaves: Sequence[Any]
    structure: Any

    def admitted(self) -> list[Any]:
        """The leaves, those that are arrays of other libraries as NumPy's."""
        with suppress(ArgumentError):
            return list(map(admitted, self.leaves))
        names = leaf_names(self.function, *self.tree())
        return [
            admitted(leaf, f"argument {name}")
            for leaf, name in zip(self.leaves, names, strict=True)
        ]

    def types(self) -> list[LeafType | None]:
        """The type of each leaf, None for a static one; errors name the argument."""
        with suppress(ArgumentError):
            return [_leaf_type(leaf) for leaf in self.leaves]
        names = leaf_names(self.function, *self.tree())
        pairs = zip(self.leaves, names, strict=True)
        return [_leaf_type(leaf, f"argument {name}") for leaf, name in pairs]

    def key(self) -> tuple[Any, ...]:
        """What distinguishes signatures; hashable if the static arguments are."""
        return (self.structure, *map(_leaf_key, self.leaves))

    def name(self, place: int) -> str:
        """What a leaf is called."""
        numbers = unflatten(self.structure, range(len(self.leaves)))
        return leaf_names(self.function, *numbers)[place]

    def fixed(self, places: Collection[int]) -> Call:
        """The call with some leaves static; a traced one is asked for its value."""
        if not places:
            return self
        leaves = [
            Static(value_of(leaf)) if place in places else leaf
            for place, leaf in enumerate(self.leaves)
        ]
        return self._replace(leaves=leaves)

    def tree(self) -> Any:
        """The arguments as ``(args, kwargs)``."""
        return unflatten(self.structure, self.leaves)

    def positions(self, which: int | str) -> Any:
        """The tree of one argument with the positions of its leaves as leaves.

        Raises `ArgumentError` where the call has no such argument.
        """
        args, kwargs = unflatten(self.structure, range(len(self.leaves)))
        place = _locate(self.function, which, len(args))
        if isinstance(place, int) and -len(args) <= place < len(args):
            return args[place]
        if place in kwargs:
            return kwargs[place]
        names = list(parameters(self.function))
        if which in names:
            raise ArgumentError(
                f"the call leaves {which!r} at its default",
                hint=f"what is differentiated is passed: {which}=...",
            )
        raise ArgumentError(
            f"the call has no argument {which!r}",
            hint=f"argnums counts arguments that are passed by position, from 0; the "
            f"others go by name: {', '.join(map(repr, names))}",
        )


def _leaf_type(leaf: Any, name: str = "an argument") -> LeafType | None:
    return None if isinstance(leaf, Static) else leaf_type(leaf, name)


def _locate(function: Callable[..., Any], which: int | str, count: int) -> int | str:
    """A name as the position that it was passed at, if it was."""
    if isinstance(which, int):
        return which
    names = list(parameters(function))
    position = names.index(which) if which in names else count
    return position if position < count else which


def _leaf_key(leaf: Any) -> Any:
    """What distinguishes leaves, quickly; the full check is `Call.types`."""
    if type(leaf) is np.ndarray:
        return leaf.dtype, leaf.shape
    if isinstance(leaf, Static):
        return leaf
    if isinstance(leaf, TensorType):
        return leaf.numpy, leaf.shape
    if isinstance(leaf, np.generic):
        return leaf.dtype, ()
    if is_traced(leaf):
        return leaf.dtype, leaf.shape, leaf.weak
    return type(leaf), getattr(leaf, "dtype", None), getattr(leaf, "shape", None)
