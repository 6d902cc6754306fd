"""What need not be in an array when a loop begins to store into it.

``out = np.zeros(...)`` and a loop that fills its inside need zeros around that alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from ....ir.affine import Affine, Scope, Store
from ....ir.extent import Extent, whole
from ....ir.graph import Node
from ....ir.iterations import is_static

__all__ = ["around", "begun_with", "stored_first"]

MOST_TILES = 16
PIECE = 128  # elements that are copied in the time that another step takes

_SLICES = ("slice", "slice_at")
_STORES = ("update", "update_at")  # those that read nothing


def begun_with(store: Node) -> list[Extent]:
    """What of an array has to be there in front of the first store into it.

    ``store`` is seen as the array that it makes.
    """
    sizes = store.type.shape
    box = stored_first(store, store.name) if store.op == "loop" else None
    pieces = [] if box is None else list(around(box, sizes))
    if box is None or box.size < PIECE * (len(pieces) - 1):
        return [whole(sizes)]
    return pieces


def around(box: Extent, sizes: Sequence[int]) -> Iterator[Extent]:
    """All of an array but a box, in boxes.

    >>> [piece[:2] for piece in around(Extent((1, 0), (2, 3), (1, 1)), (4, 5))]
    [((0, 0), (1, 5)), ((3, 0), (1, 5)), ((1, 3), (2, 2))]
    """
    rank = len(sizes)
    for axis, (first, count, size) in enumerate(
        zip(box.start, box.shape, sizes, strict=True)
    ):
        for low, high in ((0, first), (first + count, size)):
            if low < high:
                start = (*box.start[:axis], low, *(0,) * (rank - axis - 1))
                shape = (*box.shape[:axis], high - low, *sizes[axis + 1 :])
                yield Extent(start, shape, (1,) * rank)


def stored_first(loop: Node, name: str) -> Extent | None:
    """The box that a loop is sure to store into an array before it reads there.

    ``name`` is the array as it is in the end. What an iteration reads has to be outside
    of the box, or what an earlier one stored, or this one before.

    >>> from anabranch.ir import parse
    >>> graph = parse('''
    ...     graph f(%x: f64[6], %v: f64[1]) {
    ...       %y = loop(%v, %x) {trips=4, carried=1} : f64[6]:
    ...         body(%t: i64[], %v: f64[1], %a: f64[6]) {
    ...           %r = slice_at(%a, %t) {axes=(0,), start=(0,), step=(1,), \
shape=(1,)} : f64[1]
    ...           %s = mul(%r, %v) : f64[1]
    ...           %b = update_at(%a, %s, %t) {axes=(0,), start=(1,), step=(1,)} : f64[6]
    ...           return %b
    ...         }
    ...       return %y
    ...     }''')
    >>> stored_first(graph["y"], "y")
    Extent(start=(1,), shape=(4,), step=(1,))
    """
    levels: list[tuple[Scope, list[str]]] = []
    node, number = loop, loop.names.index(name)
    while node.op == "loop":
        scope = Scope(node, levels[-1][0] if levels else None)
        versions = scope.versions(number) if is_static(node) else None
        if versions is None or len(versions) < 2:
            return None
        levels.append((scope, versions))
        node = scope.makers[versions[1]]
        number = node.names.index(versions[1])
    first, looks = _first(levels[-1][0], node), False
    for scope, versions in levels:
        if [x for x in scope.body.results if x in versions] != versions[-1:]:
            return None
        for version, following in zip(versions, [*versions[1:], None], strict=True):
            for reader in _readers(scope, version):
                if following in reader.names:
                    is_next = version == versions[0] or reader.op in _STORES
                    if not is_next or reader.operands.count(version) > 1:
                        return None
                    continue
                looks, behind = True, version != versions[0]
                if first is None or reader.op not in _SLICES:
                    return None
                if not first.is_there(scope, reader, behind):
                    return None
    scope, versions = levels[-1]
    tiled = (
        None if looks else _tiled([Store(scope, scope.makers[x]) for x in versions[1:]])
    )
    return tiled or (first and first.box)


def _tiled(stores: Sequence[Store]) -> Extent | None:
    """The box that stores fill together, each a part of it."""
    extents = [x.extent() if x.node.op in _STORES else None for x in stores]
    known = [extent for extent in extents if extent is not None]
    if len(known) < len(extents) or len(known) > MOST_TILES:
        return None
    ends = [
        [(a, a + (n - 1) * by) for a, n, by in zip(*extent, strict=True)]
        for extent in known
    ]
    low = [min(map(min, axis)) for axis in zip(*ends, strict=True)]
    high = [max(map(max, axis)) for axis in zip(*ends, strict=True)]
    shape = tuple(b - a + 1 for a, b in zip(low, high, strict=True))
    box = Extent(tuple(low), shape, (1,) * len(shape))
    apart = not any(one.overlaps(other) for one, other in combinations(known, 2))
    return box if apart and sum(x.size for x in known) == box.size else None


def _readers(scope: Scope, name: str) -> list[Node]:
    return [scope.body[read.consumer] for read in scope.body.reads[name]]


class _First(NamedTuple):
    """The store that the innermost of some loops begins with.

    ``places`` are its position along each axis, ``axes`` those along which the counters
    move it, and ``box`` is what it stores in all iterations.
    """

    scope: Scope
    node: Node
    places: Sequence[Affine]
    axes: Mapping[Scope, int]
    box: Extent

    def is_there(self, scope: Scope, node: Node, behind: bool) -> bool:
        """Whether a slice is of what was stored, or outside of the box.

        ``behind`` says that it is of an array in which this iteration stored.
        """
        places = _places(scope, node)
        if places is None:
            return False
        if any(map(_is_apart, places, node.type.shape, *self.box[:2])):
            return True
        if scope is not self.scope:
            return False
        for around, axis in _from_outside(self.axes):
            ahead = places[axis].plus(self.places[axis], -1)
            if ahead.terms or node.type.shape[axis] != 1:
                return False
            if ahead.number:
                forwards = self.places[axis].terms[around] > 0
                is_later = (ahead.number > 0) == forwards
                return is_later == bool(around.loop.attrs.get("reverse"))
        return behind


def _from_outside(axes: Mapping[Scope, int]) -> list[tuple[Scope, int]]:
    """The scopes with their axes, from the outermost one."""

    def depth(scope: Scope) -> int:
        return 0 if scope.outer is None else 1 + depth(scope.outer)

    return sorted(axes.items(), key=lambda pair: depth(pair[0]))


def _places(scope: Scope, node: Node) -> list[Affine] | None:
    """Where a slice or a store begins along each axis."""
    attrs: Any = node.attrs
    found = [
        place and place.plus(Affine(start, {}))
        for place, start in zip(scope.places(node), attrs["start"], strict=True)
    ]
    known = [place for place in found if place is not None]
    steps = zip(attrs["step"], _shape(scope, node), strict=True)
    alike = all(by == 1 or count == 1 for by, count in steps)
    return known if alike and len(known) == len(found) else None


def _shape(scope: Scope, node: Node) -> Sequence[int]:
    part = node if node.op in _SLICES else scope.makers[node.operands[1]]
    return part.type.shape


def _is_apart(place: Affine, count: int, first: int, size: int) -> bool:
    """Whether a slice is outside of a box along an axis, in all iterations."""
    span = place.within()
    return span is not None and (span.high + count <= first or span.low >= first + size)


def _first(scope: Scope, node: Node) -> _First | None:
    """A store as the first one, None where all iterations store no box."""
    places = _places(scope, node) if node.op in _STORES else None
    if places is None:
        return None
    axes: dict[Scope, int] = {}
    start: list[int] = []
    shape: list[int] = []
    for axis, (place, count) in enumerate(
        zip(places, _shape(scope, node), strict=True)
    ):
        for key, by in place.terms.items():
            if isinstance(key, str) or key in axes or count > 1 or abs(by) > 1:
                return None
            axes[key] = axis
        span = place.within()
        if span is None or len(place.terms) > 1:
            return None
        start.append(span.low)
        shape.append(span.high - span.low + count)
    return _First(
        scope, node, places, axes, Extent(tuple(start), tuple(shape), (1,) * len(shape))
    )
