"""Bodies of loops compared and changed: what passes that look into loops share."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output, Value
from ...ir.literals import Attrs
from ...ir.ops import OPS, Kind
from ...ir.ops.parts import Parts, loop_attrs, split_operands
from .prune import prune

__all__ = [
    "Numbers",
    "is_costly",
    "is_view",
    "lifted",
    "parts_of",
    "take_name",
    "with_inputs",
    "with_rows",
    "with_taken",
    "without_carried",
]


class Numbers:
    """Numbers of values: equal ones are made by equal ops of equal values.

    Inputs are equal if whoever numbers a body says so. Loops are equal if they begin
    alike and carry alike; each row of theirs has a number of its own, so one loop may
    stack more than another.
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
            if node.op == "loop":
                found.update(zip(node.names, self._loop(node, operands), strict=True))
                continue
            regions = [region.canonical for region in node.regions]
            text, type_ = node.attrs.text, node.type
            made = self.of(
                (node.op, operands, text, type_.dtype, type_.shape, *regions)
            )
            for place, name in enumerate(node.names):
                found[name] = self.of((made, place)) if place else made
        return found

    def inside(self, loop: Node) -> dict[str, int]:
        """The numbers in the body of a loop, of which only the inputs are known."""
        (body,) = loop.regions
        return self.values(body, [self.of(i) for i in range(len(body.inputs))])

    def inputs(
        self,
        loop: Node,
        rows: Mapping[str, int] | None = None,
        places: Sequence[int] | None = None,
    ) -> list[int]:
        """The numbers of the inputs of a body; ``rows`` are known by their values.

        ``places`` are those that carried values have in another loop.
        """
        parts, role = parts_of(loop), "begun" if rows is None else "back"
        carried = range(len(parts.carried)) if places is None else places
        return [
            self.of("counter"),
            *(self.of(("whole", name)) for name in parts.invariants),
            *(self.of((role, place)) for place in carried),
            *((rows or {}).get(x, self.of(("row", x))) for x in parts.stacked),
        ]

    def of_both(self, first: Node, second: Node) -> tuple[dict[str, int], ...]:
        """The numbers in the bodies of a loop, and of one that reads what it stacked.

        Both run as often, so in an iteration they know the same.
        """
        body, carried = first.regions[0], len(parts_of(first).carried)
        known = self.values(body, self.inputs(first))
        stacked = zip(first.names[carried:], body.results[carried:], strict=True)
        rows = {name: known[inner] for name, inner in stacked}
        return known, self.values(second.regions[0], self.inputs(second, rows))

    def _loop(self, loop: Node, operands: tuple[int, ...]) -> list[int]:
        """The numbers of the values of a loop."""
        inner = self.inside(loop)
        ends = [inner[name] for name in loop.regions[0].results]
        count = len(parts_of(loop).carried)
        types = [node.type for node in loop.regions[0].inputs]
        same = self.of(("loop", operands, loop.attrs.text, *ends[:count], *types))
        carried = [self.of((same, place)) for place in range(count)]
        return [*carried, *(self.of((same, "row", end)) for end in ends[count:])]


def parts_of(loop: Node) -> Parts[str]:
    """The names of a loop's operands, by their role."""
    return split_operands(loop.attrs, loop.operands)


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


def with_taken(
    loop: Node,
    stacked: Sequence[tuple[str, str]],
    whole: Sequence[tuple[str, str]] = (),
) -> Node:
    """The loop that takes more values, in the place of some of its body.

    ``stacked`` has the name of each and, in the body, of the value that its row is, and
    ``whole`` those of invariants.
    """
    if not stacked and not whole:
        return loop
    (body,) = loop.regions
    names: dict[str, str] = {}
    for inner in [inner for _, inner in (*whole, *stacked)]:
        name = f"{inner}.taken"
        while name in body or name in names.values():
            name += "_"
        names[inner] = name
    inputs = [Node(names[x], "input", (), body[x].type) for _, x in (*whole, *stacked)]
    get = names.get
    nodes = [
        node.reading(tuple([get(x, x) for x in node.operands]))
        for node in body
        if node.op != "input"
    ]
    outputs = [Output(get(out.value, out.value), out.label) for out in body.outputs]
    split = len(whole)
    return with_inputs(
        loop,
        [(name, x) for (name, _), x in zip(whole, inputs, strict=False)],
        [(name, x) for (name, _), x in zip(stacked, inputs[split:], strict=True)],
        nodes,
        outputs,
    )


def with_inputs(
    loop: Node,
    whole: Sequence[tuple[str, Node]],
    stacked: Sequence[tuple[str, Node]],
    nodes: Sequence[Node],
    outputs: Sequence[Output],
) -> Node:
    """The loop whose body has these nodes, and more inputs.

    ``whole`` and ``stacked`` have the name of each invariant or stacked value, and the
    input of the body that it is.
    """
    (body,), parts = loop.regions, parts_of(loop)
    first = 1 + len(parts.invariants)
    own = [
        *(*body.inputs[:first], *(x for _, x in whole)),
        *(*body.inputs[first:], *(x for _, x in stacked)),
    ]
    made = parts._replace(
        invariants=[*parts.invariants, *(name for name, _ in whole)],
        stacked=[*parts.stacked, *(name for name, _ in stacked)],
    )
    count = len(made.stacked)
    return loop._replace(
        operands=tuple(made.operands),
        attrs=Attrs(loop_attrs({**loop.attrs, "stacked": count})),
        regions=(body.with_nodes([*own, *nodes], outputs),),
    )


def without_carried(loop: Node, gone: Container[int]) -> Node | None:
    """The loop without these carried values, which nothing else is made of.

    None where it would make nothing.
    """
    (body,) = loop.regions
    parts = parts_of(loop)
    count, first = len(parts.carried), 1 + len(parts.invariants)
    kept = [i for i in range(count) if i not in gone]
    places = [i for i in range(len(loop.names)) if i >= count or i not in gone]
    if not places:
        return None
    names = {body.inputs[first + i].name for i in range(count) if i in gone}
    made = prune(body.returning([body.outputs[i] for i in places]))
    nodes = [node for node in made if node.name not in names]
    several = [Value(x.name, x.type) for x in (loop.values[i] for i in places)]
    left = parts._replace(carried=[parts.carried[i] for i in kept])
    return loop._replace(
        name=several[0].name,
        type=several[0].type,
        several=tuple(several) if len(several) > 1 else (),
        operands=tuple(left.operands),
        attrs=Attrs(loop_attrs({**loop.attrs, "carried": len(kept)})),
        regions=(made.with_nodes(nodes),),
    )


def take_name(name: str, taken: set[str]) -> str:
    """The name, or one like it, that is not taken, which it is from now on."""
    free, count = name, 0
    while free in taken:
        free, count = f"{name}_{count}", count + 1
    taken.add(free)
    return free


def is_view(node: Node) -> bool:
    """Whether it shows elements of its operand at other places."""
    return OPS[node.op].kind is Kind.VIEW


def is_costly(node: Node) -> bool:
    """Whether it takes longer to compute an element than to read it."""
    op = OPS[node.op]
    if op.kind is Kind.ELEMENTWISE:
        return op.arity == 1 and "(" in (op.scalar or "")
    return op.kind not in (Kind.VIEW, Kind.SOURCE)


def lifted(b: Builder, node: Node, whole: Node, trips: int) -> Node:
    """What a transpose or a reshape of each row is of all rows."""
    if node.op == "transpose":
        perm: Any = node.attrs["perm"]
        return b.transpose(whole, (0, *(axis + 1 for axis in perm)))
    return b.reshape(whole, (trips, *node.type.shape))
