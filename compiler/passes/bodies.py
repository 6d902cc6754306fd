"""Bodies of loops compared and changed: what passes that look into loops share."""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.graph import Graph, Node, Output, Value, canonical
from ...ir.literals import Attrs
from ...ir.ops.parts import Parts, loop_attrs, split_operands

__all__ = ["Numbers", "counts", "parts_of", "runs_alike", "with_rows", "with_taken"]


class Numbers:
    """Numbers of values: equal ones are made by equal ops of equal values.

    Inputs are equal if whoever numbers a body says so.
    """

    def __init__(self) -> None:
        self._known: dict[object, int] = {}

    def of(self, key: object) -> int:
        """The number of what is described by ``key``."""
        return self._known.setdefault(key, len(self._known))

    def values(self, body: Graph, inputs: Sequence[int]) -> dict[str, int]:
        """The number of each value of ``body``, whose inputs have these."""
        found = {x.name: n for x, n in zip(body.inputs, inputs, strict=True)}
        for node in body:
            if node.op == "input":
                continue
            operands = tuple([found[name] for name in node.operands])
            regions = [canonical(region) for region in node.regions]
            text, type_ = node.attrs.text, node.type
            made = self.of(
                (node.op, operands, text, type_.dtype, type_.shape, *regions)
            )
            for place, name in enumerate(node.names):
                found[name] = self.of((made, place)) if place else made
        return found


def parts_of(loop: Node) -> Parts[str]:
    """The names of a loop's operands, by their role."""
    return split_operands(loop.attrs, loop.operands)


def runs_alike(loop: Node) -> tuple[object, ...]:
    """What two loops have in common that run as often, in the same order."""
    attrs, limit = loop.attrs, tuple(parts_of(loop).limit)
    flags = [bool(attrs.get(name)) for name in ("test", "reverse")]
    return attrs.get("trips"), limit, *flags


def counts(loop: Node, number: int) -> bool:
    """Whether a carried value counts the iterations of its loop.

    It has to begin at 0, which is for the caller to see.
    """
    (body,) = loop.regions
    place = 1 + len(parts_of(loop).invariants) + number
    made = body[body.results[number]]
    if made.op != "add" or body.inputs[place].name not in made.operands:
        return False
    others = [body[x] for x in made.operands if x != body.inputs[place].name]
    return [(x.op, x.attrs.get("value")) for x in others] == [("const", 1)]


def with_rows(loop: Node, rows: Sequence[tuple[str, str]]) -> Node:
    """The loop that also returns values of its body, stacked.

    ``rows`` has a name for each and that in the body.
    """
    if not rows:
        return loop
    (body,) = loop.regions
    trips = loop.attrs["trips"]
    several = [Value(value.name, value.type) for value in loop.values]
    for name, inner in rows:
        type_ = body[inner].type
        several.append(Value(name, type_.with_shape((int(str(trips)), *type_.shape))))
    outputs = [*body.outputs, *(Output(inner) for _, inner in rows)]
    return loop._replace(
        name=several[0].name,
        type=several[0].type,
        several=tuple(several) if len(several) > 1 else (),
        regions=(body.returning(outputs),),
    )


def with_taken(loop: Node, stacked: Sequence[tuple[str, str]]) -> Node:
    """The loop that takes more stacked values, in the place of some of its body.

    ``stacked`` has the name of each and, in the body, of the value that its row is.
    """
    if not stacked:
        return loop
    (body,) = loop.regions
    inputs: list[Node] = []
    names: dict[str, str] = {}
    for _, inner in stacked:
        name = f"{inner}.row"
        while name in body or name in names.values():
            name += "_"
        names[inner] = name
        inputs.append(Node(name, "input", (), body[inner].type))
    get = names.get
    nodes = [
        node.reading(tuple([get(x, x) for x in node.operands]))
        for node in body
        if node.op != "input"
    ]
    outputs = [Output(get(out.value, out.value), out.label) for out in body.outputs]
    made = body.with_nodes([*body.inputs, *inputs, *nodes], outputs)
    count = len(parts_of(loop).stacked) + len(stacked)
    return loop._replace(
        operands=(*loop.operands, *(name for name, _ in stacked)),
        attrs=Attrs(loop_attrs({**loop.attrs, "stacked": count})),
        regions=(made,),
    )
