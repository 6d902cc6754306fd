"""Arrays that a loop stores into: stores undone one by one instead of stacked versions.

A loop backwards that reads the version of an array which each iteration began with
need not have them all. It begins with the last version, and puts back what each store
wrote over, which the loop forwards kept. That is as much as was stored, whatever the
size of the array.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output, Value
from ...ir.iterations import runs_as_often
from ...ir.literals import Attrs
from ...ir.ops.at import STORES
from ...ir.ops.parts import loop_attrs, split_operands
from .bodies import Numbers, parts_of, with_rows
from .undoing import Plan, carried_as, plan_of, small_plan, walk

__all__ = ["undo"]

LESS = 4  # times as much as undoing keeps have slices that had better be undone


def undo(graph: Graph) -> Graph:
    """Carry an array backwards and undo its stores, instead of stacking its versions.

    before:
        graph f(%x: f64[4], %v: f64[1], %g: f64[4]) {
          %a, %as = loop(%v, %x) {trips=4, carried=1} : f64[4], f64[4,4]:
            body(%t: i64[], %v: f64[1], %u: f64[4]) {
              %w = update_at(%u, %v, %t) {axes=(0,), start=(0,), step=(1,)} : f64[4]
              return %w, %u
            }
          %b = loop(%g, %as) {trips=4, carried=1, stacked=1, reverse=True} : f64[4]:
            body(%t: i64[], %h: f64[4], %u: f64[4]) {
              %w = mul(%h, %u) : f64[4]
              return %w
            }
          return %a, %b
        }
    after:
        graph f(%x: f64[4], %v: f64[1], %g: f64[4]) {
          %a, %as, %u.old = loop(%v, %x) {trips=4, carried=1} : f64[4], f64[4,4], \
f64[4,1]:
            body(%t: i64[], %v: f64[1], %u: f64[4]) {
              %u.old = slice_at(%u, %t) {axes=(0,), start=(0,), step=(1,), shape=(1,)} \
: f64[1]
              %w = update_at(%u, %v, %t) {axes=(0,), start=(0,), step=(1,)} : f64[4]
              return %w, %u, %u.old
            }
          %b, %u.begin = loop(%g, %a, %u.old) {trips=4, carried=2, stacked=1, \
reverse=True} : f64[4], f64[4]:
            body(%t: i64[], %h: f64[4], %u.next: f64[4], %kept: f64[1]) {
              %update_at.0 = update_at(%u.next, %kept, %t) {axes=(0,), start=(0,), \
step=(1,)} : f64[4]
              %w = mul(%h, %update_at.0) : f64[4]
              return %w, %update_at.0
            }
          return %a, %b
        }

    It is done where what is kept is less than the array, or than slices of it that are
    stacked. Keeps results bit for bit. `prune` drops the versions that were stacked.
    """
    changed = True
    while changed:
        changed = False
        for second in graph:
            if second.op == "loop":
                made = _sliced(graph, second) or _undone(graph, second)
                if made is not None:
                    graph, changed = made, True
                    break
    return graph


def _undone(graph: Graph, second: Node) -> Graph | None:
    """The graph in which a loop undoes stores; None where it takes no versions."""
    for number, first, row in _rows(graph, second):
        found = small_plan(first, row)
        if found is not None:
            return _applied(graph, first, second, number, *found)
    return None


def _rows(graph: Graph, second: Node) -> Iterator[tuple[int, Node, int]]:
    """What a loop takes of a loop the other way, for itself.

    The numbers of stacked operands, and whose stacked results of which number they are.
    """
    for number, name in enumerate(parts_of(second).stacked):
        first = graph[name]
        if first.op != "loop" or name not in graph.read_once:
            continue
        first = next(node for node in graph if name in node.names)
        if bool(first.attrs.get("reverse")) == bool(second.attrs.get("reverse")):
            continue
        if runs_as_often(graph, first, second):
            yield number, first, first.names.index(name)


def _sliced(graph: Graph, second: Node) -> Graph | None:
    """The graph in which a loop takes versions of an array instead of slices of them.

    None where it has no versions and undoing would not keep much less than the slices.
    """
    slices: dict[tuple[str, int], dict[int, Node]] = {}
    versions: dict[tuple[str, int], int] = {}
    for number, first, row in _rows(graph, second):
        (body,) = first.regions
        shown = body[body.results[row]]
        place = carried_as(first, shown.name)
        if place is not None:
            versions[first.name, place] = number
        elif shown.op == "slice":
            place = carried_as(first, shown.operands[0])
            if place is not None:
                slices.setdefault((first.name, place), {})[number] = shown
    for key, shown in slices.items():
        first, place = graph[key[0]], key[1]
        if key in versions:
            return graph.with_nodes(
                [
                    _slicing(second, shown, versions[key]) if node is second else node
                    for node in graph
                ]
            )
        plan = plan_of(first, place)
        size = sum(node.type.nbytes for node in shown.values())
        if plan is not None and LESS * plan.nbytes <= size:
            return _stacking(graph, first, second, place, shown)
    return None


def _stacking(
    graph: Graph, first: Node, second: Node, place: int, shown: dict[int, Node]
) -> Graph:
    """The graph in which a loop stacks versions, and another one slices them."""
    name, count = f"{first.names[place]}.versions", 0
    while name in graph.nodes:
        name, count = f"{first.names[place]}.versions_{count}", count + 1
    (body,), (back,) = first.regions, second.regions
    version = body.inputs[1 + len(parts_of(first).invariants) + place]
    b = Builder(back.name, reserved=back.nodes)
    taken = Node(b.unique("version"), "input", (), version.type)
    parts = parts_of(second)
    inputs = [*back.inputs, taken]
    made = second._replace(
        operands=(*second.operands, name),
        attrs=Attrs(loop_attrs({**second.attrs, "stacked": len(parts.stacked) + 1})),
        regions=(back.with_nodes([*inputs, *(x for x in back if x.op != "input")]),),
    )
    made = _slicing(made, shown, len(parts.stacked))
    swaps = {first.name: with_rows(first, [(name, version.name)]), second.name: made}
    return graph.with_nodes([swaps.get(node.name, node) for node in graph])


def _slicing(loop: Node, shown: dict[int, Node], version: int) -> Node:
    """The loop that slices one of its stacked values instead of taking others."""
    (body,) = loop.regions
    parts = parts_of(loop)
    begin = len(body.inputs) - len(parts.stacked)
    rows = body.inputs[begin:]
    kept = [number for number in range(len(rows)) if number not in shown]
    slices = [
        node._replace(name=rows[number].name, operands=(rows[version].name,), reads=())
        for number, node in shown.items()
    ]
    nodes = [
        *body.inputs[:begin],
        *(rows[number] for number in kept),
        *(node._replace(section=0) for node in slices),
        *(node for node in body if node.op != "input"),
    ]
    return loop._replace(
        operands=tuple(
            parts._replace(stacked=[parts.stacked[i] for i in kept]).operands
        ),
        attrs=Attrs(loop_attrs({**loop.attrs, "stacked": len(kept)})),
        regions=(body.with_nodes(nodes),),
    )


def _stores_again(
    plan: Plan, known: dict[str, int], back: Graph, found: dict[str, int], begin: str
) -> dict[str, str]:
    """The stores of the iteration that the way back does again, and their versions.

    What they store may come from elsewhere, so their place and what they store into
    have to tell: of stores alike in both there has to be one.
    """
    same: dict[str, str] = {}
    version = begin
    for name in reversed(plan.versions[:-1]):
        store = plan.body[name]
        if store.op not in STORES:
            break
        place = [known[x] for x in store.operands[2:]]
        ours = [
            x
            for x in plan.body
            if (x.op, x.attrs, x.operands[:1])
            == (store.op, store.attrs, store.operands[:1])
        ]
        theirs = [
            x.name
            for x in back
            if (x.op, x.attrs, x.operands[:1]) == (store.op, store.attrs, (version,))
            and x.section < len(back.sections)
            and [found[y] for y in x.operands[2:]] == place
        ]
        if len(ours) != 1 or len(theirs) != 1:
            break
        (version,) = theirs
        same[version] = name
    return same


def _applied(
    graph: Graph, first: Node, second: Node, number: int, place: int, plan: Plan
) -> Graph:
    """The graph with both loops changed."""
    names = set(graph.nodes)
    rows: list[tuple[str, str]] = []
    for inner in plan.kept:
        name = inner
        while name in names:
            name += "_"
        names.add(name)
        rows.append((name, inner))
    keeping = with_rows(first._replace(regions=(plan.body,)), rows)
    (body,) = second.regions
    parts = parts_of(second)
    taken = split_operands({**second.attrs, "limit": False}, body.inputs[1:])
    row = taken.stacked[number]
    b = Builder(body.name, reserved=body.nodes)
    t = b.append(body.inputs[0])
    for node in taken.invariants:
        b.append(node)
    whole = [b.input("whole", graph[name].type) for name in plan.outer]
    for node in taken.carried:
        b.append(node)
    after = b.input(f"{row.name}.next", row.type)
    stacked = [x for k, x in enumerate(taken.stacked) if k != number]
    for node in stacked:
        b.append(node)
    kept = [b.input("kept", plan.body[name].type) for name in plan.kept]
    versions = walk(b, plan, after, t, kept, whole)
    before = versions[-1]
    known, found = Numbers().of_both(keeping, second)
    instead = {known[name]: x.name for name, x in zip(plan.kept, kept, strict=True)}
    walked = dict(zip(plan.versions, [x.name for x in versions], strict=True))
    instead |= {known[version]: name for version, name in walked.items()}
    made = [name for x in body if x.op != "input" for name in x.names] + [row.name]
    swap = {x: instead[found[x]] for x in made if found[x] in instead}
    again = _stores_again(plan, known, body, found, row.name)
    swap |= {x: walked[version] for x, version in again.items()}
    for node in body:
        if node.op != "input":
            b.append(node.reading(tuple(swap.get(x, x) for x in node.operands)))
    count = len(parts.carried)
    ends = [Output(swap.get(x.value, x.value), x.label) for x in body.outputs]
    region = body.with_nodes(
        list(b.nodes), [*ends[:count], Output(before.name), *ends[count:]]
    )
    end = f"{row.name}.begin"
    while end in names:
        end += "_"
    values = [Value(value.name, value.type) for value in second.values]
    values.insert(count, Value(end, row.type))
    operands = parts._replace(
        invariants=[*parts.invariants, *plan.outer],
        carried=[*parts.carried, first.names[place]],
        stacked=[x for k, x in enumerate(parts.stacked) if k != number],
    )
    operands = operands._replace(
        stacked=[*operands.stacked, *(name for name, _ in rows)]
    )
    attrs = {**second.attrs, "carried": count + 1, "stacked": len(operands.stacked)}
    undoing = second._replace(
        name=values[0].name,
        type=values[0].type,
        several=tuple(values),
        operands=tuple(operands.operands),
        attrs=Attrs(loop_attrs(attrs)),
        regions=(region,),
    )
    swaps = {first.name: keeping, second.name: undoing}
    return graph.with_nodes([swaps.get(node.name, node) for node in graph])
