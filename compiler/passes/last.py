"""Slices that a loop keeps of an array where nothing is stored later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...ir.affine import Affine, Range, Scope, Store
from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Value
from ...ir.iterations import is_static
from ...ir.literals import Attrs
from ...ir.ops.at import STORES
from .bodies import parts_of

__all__ = ["last"]

HERE = Range(0, 0)


def last(graph: Graph) -> Graph:
    """Show slices of the versions of an array as slices of the last version.

    before:
        graph f(%x: f64[5], %y: f64[1]) {
          %a, %as = loop(%y, %x) {trips=4, carried=1} : f64[5], f64[4,1]:
            body(%t: i64[], %y: f64[1], %u: f64[5]) {
              %s = slice_at(%u, %t) {axes=(0,), start=(0,), step=(1,), shape=(1,)} \
: f64[1]
              %v = mul(%s, %y) : f64[1]
              %w = update_at(%u, %v, %t) {axes=(0,), start=(1,), step=(1,)} : f64[5]
              return %w, %s
            }
          return %a, %as
        }
    after:
        graph f(%x: f64[5], %y: f64[1]) {
          %a, %as.versions = loop(%y, %x) {trips=4, carried=1} : f64[5], f64[4,1]:
            body(%t: i64[], %y: f64[1], %u: f64[5]) {
              %s = slice_at(%u, %t) {axes=(0,), start=(0,), step=(1,), shape=(1,)} \
: f64[1]
              %v = mul(%s, %y) : f64[1]
              %w = update_at(%u, %v, %t) {axes=(0,), start=(1,), step=(1,)} : f64[5]
              return %w, %s
            }
          %slice.0 = slice(%a) {start=(0,), shape=(4,), step=(1,)} : f64[4]
          %as = reshape(%slice.0) {shape=(4, 1)} : f64[4,1]
          return %a, %as
        }

    A recurrence reads what an iteration before stored, and nothing stores there again:
    what its way back has to know is in the array as it is in the end. It is done where
    the positions are sums of multiples of counters, so that the slices are a view. If
    something is stored into the last version, which has to be copied then, it is done
    where the slices are no less than the array. Keeps results bit for bit. `prune`
    drops what was stacked.
    """
    b = Builder(graph.name, reserved=graph.nodes)
    changed = False
    for node in graph:
        rows = _rows(graph, node) if node.op == "loop" and is_static(node) else {}
        if not rows:
            b.append(node)
            continue
        changed = True
        values = [
            x._replace(name=b.unique(f"{x.name}.versions") if i in rows else x.name)
            for i, x in enumerate(node.several)
        ]
        made = b.append(node._replace(several=tuple(values), name=values[0].name))
        b.section, b.source = node.section, node.source
        for i, view in rows.items():
            _show(b, node.values[i], b[made.names[view.number]], view)
    return graph.with_nodes(list(b.nodes)) if changed else graph


class _View(NamedTuple):
    """Slices of the last version of the carried value ``number``.

    ``scopes`` are those of the loops around, ``places`` the position along each axis,
    and ``node`` is the slice.
    """

    number: int
    scopes: Sequence[Scope]
    places: Sequence[Affine]
    node: Node


def _rows(graph: Graph, loop: Node) -> dict[int, _View]:
    """The stacked results that are such slices, where they are worth it."""
    found: dict[int, _View] = {}
    kept: dict[int, int] = {}
    for row in range(len(parts_of(loop).carried), len(loop.values)):
        view = _view(loop, row)
        if view is not None:
            found[row] = view
            size = loop.values[row].type.nbytes
            kept[view.number] = kept.get(view.number, 0) + size
    return {
        row: view
        for row, view in found.items()
        if kept[view.number] >= loop.values[view.number].type.nbytes
        or not _is_stored_into(graph, loop.names[view.number])
    }


def _is_stored_into(graph: Graph, name: str) -> bool:
    """Whether a value is what a store or a loop begins with."""
    readers = [graph[read.consumer] for read in graph.reads[name]]
    return any(
        name in (parts_of(x).carried if x.op == "loop" else x.operands[:1])
        for x in readers
        if x.op in ("loop", *STORES)
    )


def _view(loop: Node, row: int) -> _View | None:
    """What a stacked result shows of the last version of an array, if it does."""
    scopes = [Scope(loop, None)]
    name = scopes[0].body.results[row]
    while (node := scopes[-1].makers[name]).op == "loop":
        place = node.names.index(name)
        if place < len(parts_of(node).carried) or not is_static(node):
            return None
        scopes.append(Scope(node, scopes[-1]))
        name = scopes[-1].body.results[place]
    if node.op not in ("slice", "slice_at"):
        return None
    places = [x for x in scopes[-1].places(node) if x is not None]
    if len(places) < node.type.rank or not _is_view(places, node):
        return None
    number = _settled(scopes, node, places)
    return None if number is None else _View(number, scopes, places, node)


def _is_view(places: Sequence[Affine], node: Node) -> bool:
    """Whether each axis has one counter or a part of the slice, and these differ."""
    keys = [key for place in places for key in place.terms]
    if len(set(keys)) < len(keys) or any(isinstance(key, str) for key in keys):
        return False
    pairs = zip(places, node.type.shape, strict=True)
    return all(len(place.terms) + (n != 1) <= 1 for place, n in pairs)


def _settled(
    scopes: Sequence[Scope], node: Node, places: Sequence[Affine]
) -> int | None:
    """The carried value of the outermost loop of whose last version this is a slice.

    None where a later store may be there, or if it is a slice of anything else.
    """
    version, number = node.operands[0], None
    inside: str | None = None  # what the loop makes that the slice is in, if it stores
    for scope in reversed(scopes):
        if version in scope.invariants:
            version, number, inside = scope.invariants[version], None, None
            continue
        found = scope.version(version)
        if found is None:
            return None
        number, versions, begun = found
        if inside is not None:
            begun += 1
            if inside not in versions[begun : begun + 1]:
                return None  # what that loop stores is in no later version
        ahead = _ahead(scope)
        for place, made in enumerate(versions[1:], 1):
            stored = scope.stores(made)
            if stored is None:
                return None
            for store in stored:
                if place > begun and not _is_apart(node, places, store):
                    return None
                if ahead and not _is_apart(node, places, store, scope, ahead):
                    return None
        inside = scope.loop.names[number]
        version = parts_of(scope.loop).carried[number]
    return number


def _ahead(scope: Scope) -> Range | None:
    """By how much the counters of later iterations differ; None if there are none."""
    trips: Any = scope.loop.attrs["trips"]
    if trips < 2:
        return None
    ahead = Range(1, trips - 1)
    return ahead.times(-1) if scope.loop.attrs.get("reverse") else ahead


def _is_apart(
    node: Node,
    places: Sequence[Affine],
    store: Store,
    scope: Scope | None = None,
    ahead: Range = HERE,
) -> bool:
    """Whether a slice is elsewhere than a store, in iterations of a scope ``ahead``."""
    shape = store.scope.makers[store.node.operands[1]].type.shape
    theirs = store.scope.places(store.node)
    for axis, (mine, their) in enumerate(zip(places, theirs, strict=True)):
        gap = None if their is None else their.plus(mine, -1).within()
        if their is None or gap is None:
            continue
        by = 0 if scope is None else their.terms.get(scope, 0)
        gap = gap.plus(ahead.times(by))
        own = _reach(node, node.type.shape, axis)
        far = _reach(store.node, shape, axis)
        if gap.low + far.low > own.high or gap.high + far.high < own.low:
            return True
    return False


def _reach(node: Node, shape: Sequence[int], axis: int) -> Range:
    """The first and the last place along an axis, from the position on."""
    attrs: Any = node.attrs
    return (
        Range(0, shape[axis] - 1)
        .times(attrs["step"][axis])
        .plus(Range(attrs["start"][axis], attrs["start"][axis]))
    )


def _show(b: Builder, value: Value | Node, array: Node, view: _View) -> None:
    """Append the slices as a view of the array, with the name of ``value``."""
    attrs: Any = view.node.attrs
    start, shape, step = (list(attrs[x]) for x in ("start", "shape", "step"))
    axes: list[int] = []  # of the array, in the order of the counters
    lengths: list[int] = []
    for scope in view.scopes:
        length = 1
        for axis, place in enumerate(view.places):
            if scope in place.terms:
                length, by = int(str(scope.trips)), place.terms[scope]
                axes.append(axis)
                shape[axis], step[axis] = length, by
        lengths.append(length)
    for axis, place in enumerate(view.places):
        start[axis] += place.number
    made = b.slice(array, start=tuple(start), shape=tuple(shape), step=tuple(step))
    rest = [axis for axis in range(len(shape)) if axis not in axes]
    made = b.transpose(made, (*axes, *rest))
    wide = (*lengths, *view.node.type.shape)
    op, shape = "reshape", wide
    if wide != value.type.shape:
        made, op, shape = b.reshape(made, wide), "broadcast_to", value.type.shape
    attrs = Attrs({"shape": shape})
    shown = Node(value.name, op, (made.name,), value.type, attrs, b.section)
    b.append(shown._replace(source=b.source))
