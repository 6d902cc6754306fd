"""What rules of `OpDef.vmap` are made of: ops with a new leading axis, of examples.

Most ops take the axis as it is: an elementwise op has larger operands, a reduction goes
along later axes, a factorization takes a stack. `along` makes all of these rules from
the names of the attributes that count axes. Others make the axis a part of one that
the op has (`merged`, `parted`), so that one product or convolution serves all examples.
What nothing does to many examples at once is a loop over them (`in_turn`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..types import TensorType
from .parts import loop_attrs
from .spec import OPS, Kind, OpDef

if TYPE_CHECKING:
    from ..builder import Builder
    from ..graph import Graph, Node

__all__ = [
    "Along",
    "along",
    "chosen",
    "each",
    "in_turn",
    "may_fail",
    "merged",
    "only_if",
    "parted",
    "rule_of",
    "same",
    "stacked",
]

Rule = Callable[..., "Node | Sequence[Node]"]

_BEHIND: dict[str, Callable[[Any, int], Any]] = {
    "axis": lambda axis, size: axis + 1,
    "axes": lambda axes, size: tuple([axis + 1 for axis in axes]),
    "perm": lambda perm, size: (0, *(axis + 1 for axis in perm)),
    "shape": lambda shape, size: (size, *shape),
    "start": lambda start, size: (0, *start),
    "step": lambda step, size: (1, *step),
    "low": lambda low, size: (0, *low),
    "high": lambda high, size: (0, *high),
    "interior": lambda interior, size: (0, *interior),
}
"""What an attribute is where there is one more axis, in front of those it is about."""


def each(b: Builder, x: Node, size: int, is_mapped: bool) -> Node:
    """``x`` with the new axis: repeated along it where it has none."""
    return x if is_mapped else b.broadcast(x, _with(x.type, size))


def _with(type_: TensorType, size: int) -> TensorType:
    return type_.with_shape((size, *type_.shape))


@dataclass(frozen=True)
class Along:
    """The rule of an op that takes one more axis in front of all of its operands.

    The attributes of these ``names`` say which axes there are, or something of each.
    Where ``anywhere``, the op would take the axis at any other place as well.
    """

    names: tuple[str, ...] = ()
    anywhere: bool = True

    def __call__(
        self,
        b: Builder,
        n: Node,
        size: int,
        mapped: Sequence[bool],
        /,
        *operands: Node,
        **attrs: Any,
    ) -> Node:
        taken = [each(b, x, size, one) for x, one in zip(operands, mapped, strict=True)]
        attrs.update({name: _BEHIND[name](attrs[name], size) for name in self.names})
        return b.add_node(n.op, *taken, reads=n.reads, **attrs)


def along(*names: str) -> Along:
    """The rule of an op whose attributes of these names count axes."""
    return Along(names)


same = Along()
"""The rule of an op that does to each element what it does to one."""

stacked = Along(anywhere=False)
"""The rule of an op that does to each row or matrix what it does to one."""

_BY_KIND = {Kind.ELEMENTWISE: same, Kind.REDUCTION: along("axes")}


def rule_of(op: OpDef) -> Rule | None:
    """How the op is mapped: its own rule, or that of its kind.

    Ufuncs are elementwise, whoever computes them.
    """
    return op.vmap or _BY_KIND.get(op.kind) or (same if op.ufunc else None)


def merged(b: Builder, x: Node, axis: int) -> Node:
    """``x`` whose axis of examples became a part of ``axis``, the outer one.

    The axis is counted without that of the examples.
    """
    size, *shape = x.type.shape
    behind = range(axis + 1, x.type.rank)
    moved = b.transpose(x, (*range(1, axis + 1), 0, *behind))
    shape[axis] *= size
    return b.reshape(moved, shape)


def parted(b: Builder, x: Node, axis: int, size: int, length: int) -> Node:
    """``x`` as it was before it was `merged`, when ``axis`` had this length."""
    before, behind = x.type.shape[:axis], x.type.shape[axis + 1 :]
    shaped = b.reshape(x, (*before, size, length, *behind))
    rest = range(axis + 1, shaped.type.rank)
    return b.transpose(shaped, (axis, *range(axis), *rest))


def may_fail(graph: Graph) -> bool:
    """Whether a node of a graph may raise, or run for ever, or call what it is not to.

    The regions in the graph count.
    """
    return any(
        node.op == "check"
        or OPS[node.op].fails is not None
        or (node.op == "loop" and "trips" not in node.attrs)
        or any(map(may_fail, node.regions))
        for node in graph
    )


def chosen(b: Builder, mask: Node, x: Node, y: Node) -> Node:
    """``x`` where the mask is true, else ``y``; the mask's axes are their first."""
    wide = x.type.with_dtype("bool")
    ones = (1,) * (wide.rank - mask.type.rank)
    shaped = b.reshape(mask, (*mask.type.shape, *ones))
    return b.select(b.broadcast(shaped, wide), x, y)


def again(b: Builder, n: Node, *operands: Node) -> Sequence[Node]:
    """What ``n`` makes of other operands of the same types."""
    attrs: dict[str, Any] = dict(n.attrs)
    return b.add_node(n.op, *operands, regions=n.regions, **attrs).values


def only_if(b: Builder, n: Node, p: Node, *operands: Node) -> Sequence[Node]:
    """What ``n`` makes of the operands if ``p`` is true, else zeros."""
    from ..builder import Builder
    from ..graph import Output

    regions: list[Any] = []
    for name in ("then", "else"):
        inner = Builder(name)
        inner.source = n.source
        taken = [inner.input(f"x{k}", x.type) for k, x in enumerate(operands)]
        if name == "then":
            made = again(inner, n, *taken)
        else:
            made = tuple([inner.full(v.type, 0) for v in n.values])
        regions.append(inner.build([Output(value.name) for value in made]))
    return b.add_node("cond", p, *operands, regions=tuple(regions)).values


def in_turn(
    b: Builder,
    n: Node,
    size: int,
    mapped: Sequence[bool],
    /,
    *operands: Node,
    make: Callable[..., Sequence[Node]] = again,
    segments: int = 0,
    **attrs: Any,
) -> Sequence[Node]:
    """A loop over the examples, each of which has what ``make(b, n, *operands)`` is."""
    from ..builder import Builder
    from ..graph import Output

    inner = Builder("body")
    inner.source = n.source
    inner.input("t", TensorType("i64", ()))
    taken: dict[int, Node] = {}
    shared = [slot for slot, one in enumerate(mapped) if not one]
    rows = [slot for slot, one in enumerate(mapped) if one]
    for slot in (*shared, *rows):
        type_ = operands[slot].type
        row = type_.with_shape(type_.shape[1:]) if mapped[slot] else type_
        taken[slot] = inner.input(f"x{slot}", row)
    made = make(inner, n, *(taken[slot] for slot in range(len(operands))))
    body = inner.build([Output(value.name) for value in made])
    return b.add_node(
        "loop",
        *(operands[slot] for slot in (*shared, *rows)),
        regions=(body,),
        **loop_attrs({"trips": size, "stacked": len(rows), "segments": segments}),
    ).values
