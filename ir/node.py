"""A node: one operation and the values that it makes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from .errors import SourceLine
from .literals import NO_ATTRS, Attrs
from .types import TensorType

if TYPE_CHECKING:
    from .graph import Graph

__all__ = ["Node", "Read", "Value", "by_value"]


class Value(NamedTuple):
    """The name and the type of one of several values of a node."""

    name: str
    type: TensorType


class Read(NamedTuple):
    """One consumer slot of a value."""

    consumer: str
    slot: int


class Node(NamedTuple):
    """One operation and the value that it makes.

    ``section`` is 0 in the forward graph and k in the part that the k-th adjoint
    pass added. ``kernel`` is the label of the fused kernel that computes the node.
    ``reads`` are the labels of a sum node: the read that each term comes from.
    ``regions`` are closed graphs: all they read are their inputs.
    Two nodes are equal when they print alike: the user's line is not compared.

    A node that makes several values has them all in ``several``, and goes by the name
    of the first. Each is seen as a record of its own, which has the value's name and
    type and is the node in all else; see `values`.
    """

    name: str
    op: str
    operands: tuple[str, ...]
    type: TensorType
    attrs: Attrs = NO_ATTRS
    section: int = 0
    kernel: int | None = None
    reads: tuple[Read, ...] = ()
    several: tuple[Value, ...] = ()
    regions: tuple[Graph, ...] = ()
    source: SourceLine | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values that the node makes."""
        if self.several:
            return tuple([value.name for value in self.several])
        return (self.name,)

    def makes(self, names: Container[str]) -> bool:
        """Whether one of the values that the node makes is among ``names``."""
        if self.several:
            return any(value.name in names for value in self.several)
        return self.name in names

    @property
    def values(self) -> tuple[Node, ...]:
        """The values that the node makes, each as a record; one value is the node."""
        if not self.several:
            return (self,)
        op, operands, rest = self.op, self.operands, self[4:]
        return tuple([Node(v.name, op, operands, v.type, *rest) for v in self.several])

    @property
    def floats(self) -> list[str]:
        """The names of the values that can carry a gradient."""
        if self.several:
            return [value.name for value in self.several if value.type.has_gradient]
        return [self.name] if self.type.has_gradient else []

    def reading(self, operands: tuple[str, ...]) -> Node:
        """The node with other operands; itself where they are the same."""
        if operands == self.operands:
            return self
        return Node(self.name, self.op, operands, *self[3:])

    def fused(self, kernel: int | None) -> Node:
        """The node as part of a kernel; itself where it is."""
        if kernel == self.kernel:
            return self
        return Node(*self[:6], kernel, *self[7:])

    def renamed(self, names: Mapping[str, str]) -> Node:
        """The node with other names in it, and itself where they are the same.

        Names outside the mapping stay. Regions have names of their own.
        """
        get = names.get
        name = get(self.name, self.name)
        operands = tuple(map(get, self.operands, self.operands))
        if self.reads or self.several:
            reads = tuple([Read(get(read[0], read[0]), read[1]) for read in self.reads])
            several = tuple([Value(get(v.name, v.name), v.type) for v in self.several])
            if reads != self.reads or several != self.several:
                return self._replace(
                    name=name, operands=operands, reads=reads, several=several
                )
        if name == self.name and operands == self.operands:
            return self
        return Node(name, self.op, operands, *self[3:])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and self[:-1] == other[:-1]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:-1])


_SEVERAL = attrgetter("several")


def by_value(nodes: Iterable[Node]) -> dict[str, Node]:
    """The values that nodes make, by name and in order; of equal names, the last."""
    made = tuple(nodes)
    if any(map(_SEVERAL, made)):
        return {value.name: value for node in made for value in node.values}
    return {node.name: node for node in made}
