"""Shapes and attributes for the op samples: sizes 0 and 1, ranks 0 to 4 and above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, TypeAlias

__all__ = ["CASES", "SHAPES", "Case", "Shape"]

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """The shapes of the operands and the attributes."""

    shapes: tuple[Shape, ...]
    attrs: Mapping[str, Any]


SHAPES: list[Shape] = [
    *((), (1,), (0,), (3,), (5,), (33,), (130,)),
    *((2, 3), (3, 2), (1, 3), (3, 1), (0, 3), (2, 0), (1, 1), (4, 5), (5, 17)),
    *((2, 3, 4), (1, 2, 1), (2, 0, 3), (3, 1, 2)),
    *((2, 1, 2, 3), (1, 1, 1, 1), (0, 1, 0, 1), (2, 2, 1, 2), (2, 1, 1, 2, 2)),
]

REDUCED: list[tuple[Shape, Shape]] = [
    *(((), ()), ((1,), (0,)), ((5,), (0,)), ((3,), ()), ((0,), (0,)), ((130,), (0,))),
    *(((2, 3), (0,)), ((2, 3), (1,)), ((2, 3), (0, 1)), ((2, 3), ())),
    *(((0, 3), (1,)), ((0, 3), (0,)), ((3, 0), (0,)), ((3, 0), (0, 1))),
    *(((1, 4), (0,)), ((4, 1), (1,)), ((3, 40), (1,)), ((40, 3), (0,))),
    *(((2, 3, 4), (0,)), ((2, 3, 4), (1,)), ((2, 3, 4), (2,)), ((2, 3, 4), (0, 2))),
    *(((2, 3, 4), (1, 2)), ((2, 3, 4), (0, 1, 2)), ((1, 1, 1), (1,))),
    *(((2, 1, 3, 2), (1, 3)), ((2, 2, 3, 2), (0, 2)), ((0, 2, 1, 2), (1, 3))),
]

ALONG: list[tuple[Shape, int]] = [
    *(((1,), 0), ((4,), 0), ((0,), 0), ((33,), 0), ((2,), 0)),
    *(((2, 3), 0), ((2, 3), 1), ((1, 3), 0), ((3, 1), 1), ((3, 1), 0)),
    *(((0, 3), 1), ((3, 0), 0), ((0, 3), 0), ((5, 7), 0), ((5, 7), 1)),
    *(((2, 3, 4), 0), ((2, 3, 4), 1), ((2, 3, 4), 2), ((1, 1, 1), 1), ((2, 0, 2), 0)),
    *(((2, 1, 3, 2), 0), ((2, 1, 3, 2), 1), ((2, 1, 3, 2), 2), ((2, 1, 3, 2), 3)),
]

RESHAPED: list[tuple[Shape, Shape]] = [
    *(
        ((), (1,)),
        ((), ()),
        ((1,), ()),
        ((1,), (1, 1, 1)),
        ((6,), (2, 3)),
        ((6,), (6,)),
    ),
    *(((2, 3), (6,)), ((2, 3), (3, 2)), ((2, 3), (1, 6, 1)), ((0,), (0, 3))),
    *(((0, 3), (3, 0)), ((2, 0), (0,)), ((1, 1), ()), ((4, 3), (2, 2, 3))),
    *(((2, 3, 4), (24,)), ((2, 3, 4), (4, 6)), ((2, 3, 4), (6, 4)), ((1, 4, 1), (4,))),
    *(((2, 1, 3, 2), (3, 4)), ((2, 1, 3, 2), (12,)), ((0, 2, 3), (2, 0, 5))),
    *(((12,), (2, 1, 3, 2)), ((3, 1), (1, 3))),
]

PERMUTED: list[tuple[Shape, Shape]] = [
    *(((), ()), ((3,), (0,)), ((0,), (0,)), ((1,), (0,))),
    *(((2, 3), (1, 0)), ((2, 3), (0, 1)), ((0, 3), (1, 0)), ((1, 3), (1, 0))),
    *(((17, 33), (1, 0)), ((1, 1), (1, 0)), ((2, 3, 4), (0, 1, 2))),
    *(((2, 3, 4), (0, 2, 1)), ((2, 3, 4), (1, 0, 2)), ((2, 3, 4), (1, 2, 0))),
    *(((2, 3, 4), (2, 0, 1)), ((2, 3, 4), (2, 1, 0)), ((2, 0, 4), (2, 1, 0))),
    *(
        ((1, 3, 1), (1, 2, 0)),
        ((2, 1, 3, 2), (3, 1, 0, 2)),
        ((2, 1, 3, 2), (0, 2, 1, 3)),
    ),
    *(((2, 2, 3, 4), (1, 0, 3, 2)), ((1, 2, 1, 2, 3), (4, 0, 3, 1, 2))),
]

BROADCAST: list[tuple[Shape, Shape]] = [
    *(((), ()), ((), (1,)), ((), (3,)), ((), (0,)), ((), (2, 3)), ((), (2, 0, 1))),
    *(((1,), (1,)), ((1,), (5,)), ((1,), (0,)), ((3,), (2, 3)), ((1,), (2, 3))),
    *(((3, 1), (3, 4)), ((1, 3), (4, 3)), ((1, 1), (2, 3)), ((0, 1), (0, 3))),
    *(((2, 1), (2, 0)), ((0,), (2, 0)), ((2, 1, 3), (2, 4, 3)), ((3, 1), (2, 3, 4))),
    *(((1, 2, 1), (3, 2, 4)), ((2, 1, 1, 3), (2, 2, 3, 3)), ((4,), (1, 2, 1, 4))),
    *(((2, 3), (2, 3)), ((1, 1), (1, 1, 1))),
]

# (shape, start, count, step) along each axis
SLICED: list[tuple[Shape, Shape, Shape, Shape]] = [
    *(((), (), (), ()), ((5,), (0,), (5,), (1,)), ((5,), (1,), (3,), (1,))),
    *(((5,), (4,), (5,), (-1,)), ((5,), (0,), (3,), (2,)), ((5,), (4,), (3,), (-2,))),
    *(((5,), (2,), (0,), (1,)), ((0,), (0,), (0,), (1,)), ((1,), (0,), (1,), (-1,))),
    *(((7,), (1,), (2,), (3,)), ((7,), (5,), (2,), (-4,)), ((7,), (3,), (1,), (5,))),
    *(((2, 3), (0, 1), (2, 2), (1, 1)), ((4, 5), (3, 0), (2, 3), (-2, 2))),
    *(((4, 5), (1, 4), (3, 5), (1, -1)), ((4, 5), (2, 2), (1, 1), (1, 1))),
    *(((0, 5), (0, 1), (0, 2), (1, 2)), ((3, 0), (2, 0), (2, 0), (-2, 1))),
    *(
        ((3, 4, 5), (2, 0, 4), (3, 2, 2), (-1, 2, -3)),
        ((1, 3, 1), (0,) * 3, (1, 3, 1), (1,) * 3),
    ),
    *(
        ((2, 3, 4), (1, 0, 0), (1, 3, 4), (1, 1, 1)),
        ((2, 3, 4), (0, 2, 0), (2, 0, 4), (1, 1, 1)),
    ),
    *(((2, 1, 3, 4), (1, 0, 2, 3), (2, 1, 2, 2), (-1, 1, -2, -3)),),
    *(((2, 2, 3, 3), (0, 1, 0, 1), (2, 1, 2, 2), (1, 1, 2, 1)),),
]

# (shape, low, high, interior)
PADDED: list[tuple[Shape, Shape, Shape, Shape]] = [
    *(((), (), (), ()), ((3,), (0,), (0,), (0,)), ((3,), (2,), (1,), (0,))),
    *(((3,), (0,), (0,), (2,)), ((3,), (1,), (0,), (1,)), ((1,), (1,), (2,), (3,))),
    *(((0,), (1,), (2,), (3,)), ((0,), (0,), (0,), (1,)), ((130,), (3,), (0,), (0,))),
    *(((2, 3), (1, 0), (0, 2), (0, 0)), ((2, 3), (0, 0), (0, 0), (1, 2))),
    *(((2, 3), (2, 1), (1, 2), (1, 1)), ((0, 3), (1, 1), (0, 1), (0, 0))),
    *(((2, 0), (0, 2), (1, 1), (1, 1)), ((1, 1), (1, 1), (1, 1), (4, 4))),
    *(((2, 3), (0, 0), (0, 0), (0, 0)), ((2, 3, 4), (0, 1, 2), (2, 1, 0), (0, 0, 0))),
    *(
        ((2, 3, 4), (0, 0, 0), (0, 0, 0), (1, 0, 2)),
        ((1, 2, 1), (1, 0, 0), (0, 0, 1), (0, 1, 0)),
    ),
    *(
        ((2, 0, 3), (1, 1, 1), (0, 0, 0), (0, 2, 0)),
        ((2, 1, 2, 2), (0, 1, 0, 1), (1, 0, 1, 0), (0,) * 4),
    ),
    *(((1, 2, 2, 1), (0,) * 4, (0, 0, 1, 2), (1, 1, 1, 1)),),
]

JOINED: list[tuple[tuple[Shape, ...], int]] = [
    *((((3,),), 0), (((2,), (3,)), 0), (((2,), (0,)), 0), (((0,), (0,)), 0)),
    *((((1,), (1,), (1,)), 0), (((1,),) * 7, 0), (((40,), (90,)), 0)),
    *(
        (((2, 3), (1, 3)), 0),
        (((2, 3), (2, 1)), 1),
        (((2, 3),), 1),
        (((2, 0), (2, 2)), 1),
    ),
    *((((0, 3), (2, 3), (0, 3)), 0), (((0, 3), (0, 2)), 1), (((1, 1), (1, 1)), 0)),
    *(
        (((1, 2), (3, 2), (2, 2)), 0),
        (((2, 3, 4), (2, 1, 4)), 1),
        (((2, 3, 4), (1, 3, 4)), 0),
    ),
    *((((2, 3, 1), (2, 3, 2), (2, 3, 3)), 2), (((2, 0, 1), (2, 0, 2)), 2)),
    *((((1, 2, 1, 2), (1, 2, 3, 2)), 2), (((2, 1, 2, 2), (1, 1, 2, 2)), 0)),
    *((((1, 1, 1, 2), (1, 1, 1, 1)), 3),),
]

PRODUCTS: list[tuple[Shape, Shape]] = [
    *(((1, 1), (1, 1)), ((2, 3), (3, 4)), ((1, 3), (3, 4)), ((2, 3), (3, 1))),
    *(((1, 3), (3, 1)), ((3, 1), (1, 3)), ((0, 3), (3, 4)), ((2, 0), (0, 4))),
    *(((2, 3), (3, 0)), ((0, 0), (0, 0)), ((4, 4), (4, 4)), ((9, 17), (17, 5))),
    *(((2, 2, 3), (2, 3, 4)), ((1, 2, 3), (1, 3, 4)), ((0, 2, 3), (0, 3, 4))),
    *(((3, 1, 2), (3, 2, 1)), ((2, 2, 0), (2, 0, 3)), ((2, 0, 2), (2, 2, 3))),
    *(((2, 1, 2, 3), (2, 1, 3, 2)), ((2, 3, 1, 2), (2, 3, 2, 1)), ((33, 2), (2, 33))),
    *(((1, 40), (40, 1)), ((2, 2, 9, 3), (2, 2, 3, 1))),
]

SQUARE: list[Shape] = [
    *((1, 1), (2, 2), (3, 3), (5, 5), (0, 0), (4, 4), (9, 9), (17, 17)),
    *((1, 3, 3), (2, 1, 1), (3, 2, 2), (0, 2, 2), (2, 0, 0), (2, 4, 4), (5, 3, 3)),
    *((2, 2, 2, 2), (1, 2, 3, 3), (2, 0, 2, 2), (2, 1, 5, 5), (3, 1, 1, 1), (6, 6)),
]
RECTANGULAR: list[Shape] = [
    *SQUARE[:4],
    *((5, 3), (3, 5), (1, 4), (4, 1), (0, 3), (3, 0), (9, 4), (4, 9), (7, 2)),
    *((2, 3, 2), (3, 2, 3), (0, 3, 2), (2, 0, 2), (2, 2, 0), (4, 2, 2), (1, 4, 3)),
    *((2, 2, 3, 2), (1, 2, 2, 2), (2, 0, 2, 3)),
]
COLUMNS = (1, 2, 5, 3, 2, 0, 1, 4)

# (shape, size, stride) over the trailing axes
WINDOWED: list[tuple[Shape, Shape, Shape]] = [
    *(((5,), (2,), (1,)), ((5,), (5,), (1,)), ((6,), (2,), (2,)), ((7,), (3,), (2,))),
    *(((1,), (1,), (1,)), ((7,), (2,), (3,)), ((40,), (3,), (1,)), ((4,), (1,), (2,))),
    *(((0, 5), (2,), (1,)), ((3, 5), (2,), (1,)), ((3, 5), (2, 3), (1, 1))),
    *(((4, 4), (2, 2), (2, 2)), ((5, 4), (2, 2), (3, 1)), ((1, 1), (1, 1), (1, 1))),
    *(
        ((2, 3, 5), (2,), (1,)),
        ((2, 3, 5), (2, 2), (1, 2)),
        ((2, 3, 5), (1, 2, 3), (1, 1, 2)),
    ),
    *(
        ((2, 0, 4), (2,), (2,)),
        ((1, 2, 4, 4), (2, 2), (1, 1)),
        ((1, 2, 4, 4), (2, 2), (2, 2)),
    ),
    *(
        ((2, 1, 5, 3), (3, 2), (2, 1)),
        ((2, 2, 3, 3), (3, 3), (1, 1)),
        ((1, 1, 4, 4), (1, 1), (2, 2)),
    ),
]

# (N, C, O, space, window, stride)
CONVOLVED: list[tuple[int, int, int, Shape, Shape, Shape]] = [
    *(
        (1, 1, 1, (3,), (3,), (1,)),
        (1, 1, 1, (5,), (2,), (1,)),
        (2, 3, 4, (7,), (3,), (1,)),
    ),
    *(
        (2, 3, 4, (7,), (3,), (2,)),
        (2, 1, 2, (8,), (3,), (3,)),
        (1, 2, 1, (1,), (1,), (1,)),
    ),
    *(
        (3, 2, 2, (6,), (1,), (2,)),
        (0, 2, 3, (5,), (2,), (1,)),
        (2, 0, 3, (5,), (2,), (1,)),
    ),
    *(
        (2, 3, 0, (5,), (2,), (1,)),
        (1, 1, 5, (33,), (5,), (1,)),
        (4, 3, 1, (4,), (4,), (2,)),
    ),
    *((1, 1, 1, (1, 1), (1, 1), (1, 1)), (1, 1, 1, (4, 4), (3, 3), (1, 1))),
    *((2, 3, 2, (5, 4), (2, 3), (1, 1)), (2, 3, 2, (5, 5), (2, 2), (2, 2))),
    *((2, 1, 3, (6, 5), (3, 2), (2, 1)), (1, 2, 2, (4, 4), (1, 1), (1, 1))),
    *((1, 2, 2, (4, 5), (2, 2), (3, 2)), (0, 1, 2, (3, 3), (2, 2), (1, 1))),
    *((2, 0, 1, (3, 3), (2, 2), (1, 1)), (2, 2, 3, (3, 3), (3, 3), (1, 1))),
    *((1, 2, 2, (3, 2, 3), (2, 1, 2), (1, 1, 1)), (3, 1, 1, (8, 1), (2, 1), (2, 1))),
]

# (shape, index shape, axis); indices are below 3, the axis has 3 entries or more
TAKEN: list[tuple[Shape, Shape, int]] = [
    *(
        ((3,), (), 0),
        ((3,), (1,), 0),
        ((3,), (0,), 0),
        ((3,), (7,), 0),
        ((3,), (2, 2), 0),
    ),
    *(((5,), (0, 2), 0), ((3, 2), (), 0), ((3, 2), (4,), 0), ((3, 2), (2, 2), 0)),
    *(((2, 3), (), 1), ((2, 3), (4,), 1), ((2, 3), (2, 1), 1), ((0, 3), (2,), 1)),
    *(((3, 0), (2,), 0), ((3, 1), (3,), 0), ((2, 3, 4), (5,), 1), ((2, 3, 4), (), 1)),
    *(((2, 3, 4), (2, 3), 1), ((1, 1, 3), (4,), 2), ((3, 2, 2), (0,), 0)),
    *(((2, 1, 3, 2), (4,), 2), ((2, 1, 3, 2), (1, 2), 2), ((3, 1, 1, 2), (2,), 0)),
]

# (shape, index shape, axis); distinct indices, the axis has an entry for each
PUT: list[tuple[Shape, Shape, int]] = [
    *(((3,), (), 0), ((3,), (1,), 0), ((3,), (0,), 0), ((7,), (7,), 0)),
    *(((5,), (2, 2), 0), ((5,), (0, 2), 0), ((3, 2), (), 0), ((4, 2), (4,), 0)),
    *(((6, 2), (2, 2), 0), ((2, 3), (), 1), ((2, 5), (4,), 1), ((2, 3), (2, 1), 1)),
    *(((0, 3), (2,), 1), ((3, 0), (2,), 0), ((3, 1), (3,), 0), ((2, 5, 4), (5,), 1)),
    *(((2, 3, 4), (), 1), ((2, 8, 3), (2, 3), 1), ((1, 1, 4), (4,), 2)),
    *(((3, 2, 2), (0,), 0), ((2, 1, 6, 2), (4,), 2), ((2, 1, 3, 2), (1, 2), 2)),
    *(((3, 1, 1, 2), (2,), 0), ((33, 3), (20,), 0)),
]

# (shape, axes with positions, start, count, step); inside for the positions 1 and 2
MOVED: list[tuple[Shape, Shape, Shape, Shape, Shape]] = [
    *(((5,), (0,), (0,), (1,), (1,)), ((4,), (0,), (1,), (1,), (1,))),
    *(((5,), (0,), (-1,), (3,), (1,)), ((3,), (0,), (-1,), (2,), (1,))),
    *(((7,), (0,), (-1,), (3,), (2,)), ((7,), (0,), (3,), (3,), (-2,))),
    *(((5,), (0,), (9,), (0,), (1,)), ((0,), (0,), (0,), (0,), (1,))),
    *(((130,), (0,), (-1,), (128,), (1,)), ((3, 1), (0,), (0, 0), (1, 1), (1, 1))),
    *(
        ((4, 5), (0,), (-1, 0), (1, 5), (1, 1)),
        ((4, 5), (1,), (0, -1), (4, 1), (1, 1)),
        ((4, 5), (0, 1), (-1, 0), (1, 1), (1, 1)),
        ((4, 5), (0, 1), (0, -1), (2, 3), (1, 1)),
        ((4, 5), (0,), (0, 4), (2, 3), (1, -2)),
        ((4, 5), (1,), (3, 0), (2, 2), (-3, 2)),
    ),
    *(
        ((3, 0), (0,), (-1, 0), (2, 0), (1, 1)),
        ((0, 3), (1,), (0, 0), (0, 1), (1, 1)),
        ((33, 3), (0,), (-1, 0), (31, 3), (1, 1)),
    ),
    *(
        ((2, 3, 4), (1,), (0, 0, 0), (2, 1, 4), (1, 1, 1)),
        ((3, 3, 4), (0, 2), (-1, 0, 0), (1, 3, 2), (1, 1, 1)),
        ((3, 4, 3), (0, 1, 2), (0, -1, 0), (1, 2, 1), (1, 1, 1)),
        ((2, 3, 4), (2,), (1, 0, 0), (2, 2, 2), (-1, 2, 1)),
        ((2, 3, 3, 2), (1, 2), (0, -1, 0, 0), (2, 1, 1, 2), (1, 1, 1, 1)),
    ),
]


def _moved(stores: bool) -> Sequence[Case]:
    """x, what is stored if something is, and a position for each axis that has one."""
    made: list[Case] = []
    for x, axes, start, counts, step in MOVED:
        attrs: dict[str, Any] = {"axes": axes, "start": start, "step": step}
        positions = ((),) * len(axes)
        if stores:
            made.append(Case((x, counts, *positions), attrs))
        else:
            made.append(Case((x, *positions), {**attrs, "shape": counts}))
    return made


def _places(space: Shape, window: Shape, stride: Shape) -> Shape:
    sizes = zip(space, window, stride, strict=True)
    return tuple((whole - size) // step + 1 for whole, size, step in sizes)


def _folded(shape: Shape, size: Shape, stride: Shape) -> Case:
    """The windows of ``shape`` as the operand of ``fold``."""
    rank = len(shape) - len(size)
    lead, space = shape[:rank], shape[rank:]
    windows = (*lead, *_places(space, size, stride), *size)
    return Case((windows,), {"shape": space, "stride": stride})


def _pooling(op: str) -> Sequence[Case]:
    """x [..., *space], and for the way back y [..., *places] before it."""
    made: list[Case] = []
    for x, size, stride in WINDOWED:
        rank = len(x) - len(size)
        y = (*x[:rank], *_places(x[rank:], size, stride))
        shapes = (x,) if op == "max_pool" else (y, x)
        made.append(Case(shapes, {"size": size, "stride": stride}))
    return made


def _convolution(op: str) -> Sequence[Case]:
    """The three products among x [N,C,*space], w [O,C,*window], y [N,O,*places]."""
    made: list[Case] = []
    for n, c, o, space, window, stride in CONVOLVED:
        x, w, y = (
            (n, c, *space),
            (o, c, *window),
            (n, o, *_places(space, window, stride)),
        )
        if op == "conv":
            made.append(Case((x, w), {"stride": stride}))
        elif op == "conv_input":
            made.append(Case((y, w), {"shape": space, "stride": stride}))
        else:
            made.append(Case((x, y), {"shape": window, "stride": stride}))
    return made


def _scattered() -> Sequence[Case]:
    """What ``take`` gave, sent back to an axis of 3, 4 or 5 entries."""
    sizes = cycle((3, 4, 5))
    return [
        Case(
            ((*shape[:axis], *index, *shape[axis + 1 :]), index),
            {"axis": axis, "size": size},
        )
        for (shape, index, axis), size in zip(TAKEN, sizes, strict=False)
    ]


def _padding() -> Sequence[Case]:
    keys = "low high interior value".split()
    values = cycle((0, 1))
    return [
        Case((shape,), dict(zip(keys, (*widths, next(values)), strict=True)))
        for shape, *widths in PADDED
    ]


def ranks(length: int) -> tuple[int, ...]:
    """Places in a row: the middle, the first and the last."""
    return length // 2, 0, length - 1


def _ranked() -> dict[str, list[Case]]:
    rows = [s for s in [*SHAPES, (3, 300)] if s and s[-1]]
    places = [{"places": ranks(s[-1])} for s in rows]
    values = [(*s[:-1], len(p["places"])) for s, p in zip(rows, places, strict=True)]
    both = [Case((s, v), p) for s, v, p in zip(rows, values, places, strict=True)]
    return {
        "ranked": [Case((s,), p) for s, p in zip(rows, places, strict=True)],
        "argranked": both,
    }


def _searched() -> list[Case]:
    flags = cycle((False, True))
    return [
        Case(((length,), shape), {"right": next(flags)})
        for shape in SHAPES
        for length in (0, 1, 7)
    ]


def _matrices() -> dict[str, list[Case]]:
    """Those that factor matrices, or solve with them."""
    flags = [
        {"lower": bool(k & 1), "transposed": bool(k & 2), "unit": bool(k & 4)}
        for k in range(8)
    ]
    sides = [(*a[:-1], k) for a, k in zip(SQUARE, cycle(COLUMNS), strict=False)]
    pairs = list(zip(SQUARE, sides, strict=True))
    values = [Case((a, a, a[:-1], a[:-2]), {}) for a in SQUARE]
    return {
        "cholesky": [Case((a,), {}) for a in SQUARE],
        "cholesky_input": [Case((a, a), {}) for a in SQUARE],
        "lu": [Case((a,), {}) for a in SQUARE],
        "solve_triangular": [
            Case(pair, {**flag, "strict": k % 3 == 0})
            for k, (pair, flag) in enumerate(
                zip(pairs + pairs[:3], cycle(flags), strict=False)
            )
        ],
        "solve_lu": [
            Case((a, a, a[:-1], x), {"transposed": k % 2 == 0, "strict": k % 3 == 0})
            for k, (a, x) in enumerate(pairs)
        ],
        "det": values,
        "logdet": values,
        **{op: [Case((a, a), {}) for a in SQUARE] for op in ("sqrtm", "logm")},
        "sylvester": [Case((a, (*x[:-2], x[-1], x[-1]), x, x), {}) for a, x in pairs],
        "expm": [Case((a, a[:-2], a), {}) for a in SQUARE],
        "pinv": [Case((a, (*a[:-2], a[-1], a[-2])), {}) for a in RECTANGULAR],
        "eigh": [Case((a,), {}) for a in SQUARE],
        "qr": [
            Case((a,), {"complete": a[-2] <= a[-1] and k % 2 == 0})
            for k, a in enumerate(RECTANGULAR)
        ],
        "svd": [
            Case((a,), {"complete": a[-2] == a[-1] and k % 2 == 0})
            for k, a in enumerate(RECTANGULAR)
        ],
    }


def _table() -> dict[str, Sequence[Case]]:
    nonempty = [(s, a) for s, a in REDUCED if all(s[axis] for axis in a)]
    flags = cycle((False, True))
    running = [(s, {"axis": a, "reverse": next(flags)}) for s, a in ALONG]
    table: dict[str, Sequence[Case]] = {
        **{
            f"reduce_{name}": [Case((s,), {"axes": a}) for s, a in REDUCED]
            for name in ("sum", "prod", "any", "all")
        },
        **{
            f"reduce_{name}": [Case((s,), {"axes": a}) for s, a in nonempty]
            for name in ("max", "min")
        },
        **{
            name: [Case((s,), {"axis": a}) for s, a in ALONG if s[a]]
            for name in ("argmax", "argmin")
        },
        "share": [Case((s, s), {"axes": a}) for s, a in REDUCED],
        "log_share": [Case((s,) * 4, {"axes": a}) for s, a in REDUCED],
        "cumsum": [Case((s,), attrs) for s, attrs in running],
        "recurrence": [Case((s, s), attrs) for s, attrs in running],
        "reshape": [Case((s,), {"shape": to}) for s, to in RESHAPED],
        "transpose": [Case((s,), {"perm": perm}) for s, perm in PERMUTED],
        "broadcast_to": [Case((s,), {"shape": to}) for s, to in BROADCAST],
        "slice": [
            Case((s,), dict(zip(("start", "shape", "step"), rest, strict=True)))
            for s, *rest in SLICED
        ],
        "update": [
            Case((s, counts), {"start": start, "step": step})
            for s, start, counts, step in SLICED
        ],
        "slice_at": _moved(stores=False),
        "update_at": _moved(stores=True),
        "add_at": _moved(stores=True),
        "put": [
            Case((s, (*s[:a], *i, *s[a + 1 :]), i), {"axis": a}) for s, i, a in PUT
        ],
        "pad": _padding(),
        "concatenate": [Case(shapes, {"axis": axis}) for shapes, axis in JOINED],
        "matmul": [Case(pair, {}) for pair in PRODUCTS],
        "matmul_add": [Case((x, y, (*x[:-1], y[-1])), {}) for x, y in PRODUCTS],
        "windows": [
            Case((s,), {"size": size, "stride": stride}) for s, size, stride in WINDOWED
        ],
        "fold": [_folded(*case) for case in WINDOWED],
        **{op: _pooling(op) for op in ("max_pool", "max_pool_input")},
        "take": [Case((s, i), {"axis": axis}) for s, i, axis in TAKEN],
        "scatter_add": _scattered(),
        **{
            op: [Case((s,), {}) for s in [*SHAPES, (3, 300), (0, 90)] if s]
            for op in ("sort", "argsort")
        },
        **_ranked(),
        "searchsorted": _searched(),
        **{op: _convolution(op) for op in ("conv", "conv_input", "conv_kernel")},
    }
    dtypes = cycle(("f64", "f32", "i64", "bool", "i32", "u8"))
    table["cast"] = [Case((s,), {"dtype": next(dtypes)}) for s in SHAPES]
    ramps = cycle(("i64", "f64", "i32", "f32", "u8"))
    table["iota"] = [
        Case((), {"shape": s, "axis": a, "dtype": next(ramps)}) for s, a in ALONG
    ]
    limits = {"low": -9, "high": 9, "error": "index", "message": "outside"}
    table["check"] = [Case((s,), limits) for s in SHAPES]
    return table


CASES = _table() | _matrices()
MATRICES = tuple(_matrices())
"""The ops whose operands are matrices of a kind: definite, triangular, factored."""
