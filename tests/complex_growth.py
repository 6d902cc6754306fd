"""Moves of `strategies.Sketch` that make complex numbers, and numbers of them.

Functions with a cut get operands away from it; those of moves that only move elements
are those of `growth`, on complex values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from anabranch.ir import Node
from tests import growth
from tests.growth import Move
from tests.strategies import Sketch

__all__ = ["COMPLEX_MOVES", "MIXED_COMPLEX_MOVES"]

COMPLEXES = ("c64", "c128")
SMALL = "log1p tan tanh arctan arcsinh".split()
ENTIRE = "neg conj exp exp2 expm1 sin cos sinh cosh identity".split()
CUT = "log log2 log10 sqrt reciprocal".split()  # along negative numbers, or at 0


def complex_pick(
    s: Sketch, fits: Callable[[Node], bool] = lambda node: True
) -> Node | None:
    with s.among(*COMPLEXES):
        return s.pick(fits)


def on_complex(move: Move) -> Move:
    """The move, on complex values."""

    def moved(s: Sketch) -> Node | None:
        with s.among(*COMPLEXES):
            return move(s)

    return moved


def holds(s: Sketch, z: Node, judge: Callable[[Any], Any]) -> bool:
    """Whether all elements at all points are as they should."""
    return all(np.all(judge(value)) for value in s.values[z.name])


def far_from_cut(s: Sketch, z: Node) -> bool:
    def judge(v: Any) -> Any:
        return (np.abs(v) > 0.2) & ((np.real(v) > 0) | (np.abs(np.imag(v)) > 0.05))

    return holds(s, z, judge)


def joined(s: Sketch) -> Node | None:
    """A complex number from its parts."""
    re = s.pick()
    return re and s.add("complex", re, s.like(re))


def cast(s: Sketch, dtype: str) -> Node | None:
    with s.among("f32", "f64", *COMPLEXES):
        x = s.pick()
    return x and s.add("cast", x, dtype=dtype)


def widened(s: Sketch) -> Node | None:
    return cast(s, "c128")


def narrowed(s: Sketch) -> Node | None:
    return cast(s, "c64")


def taken_apart(s: Sketch) -> Node | None:
    z = complex_pick(s)
    return z and s.add(str(s.rng.choice(["real", "imag"])), z)


def modulus(s: Sketch) -> Node | None:
    """How long a number is, or its angle."""
    z = complex_pick(s)
    if z is None or not far_from_cut(s, z):
        return None
    re, im = s.add("real", z), s.add("imag", z)
    if re is None or im is None or {re.op, im.op} != {"real", "imag"}:
        return None
    return s.add("hypot", re, im) if s.rng.random() < 0.6 else s.add("arctan2", im, re)


def unary(s: Sketch) -> Node | None:
    z = complex_pick(s)
    if z is None:
        return None
    if s.rng.random() < 0.3 and far_from_cut(s, z):
        return s.add(str(s.rng.choice(CUT)), z)
    small = holds(s, z, lambda v: np.abs(v) < 0.8)
    if small and s.rng.random() < 0.3:
        return s.add(str(s.rng.choice(SMALL)), z)
    return s.add(str(s.rng.choice(ENTIRE)), z)


def binary(s: Sketch) -> Node | None:
    z = complex_pick(s)
    if z is None:
        return None
    with s.among(*COMPLEXES):
        w = s.like(z)
    op = str(s.rng.choice(["add", "sub", "mul", "mul", "div", "chain", "power"]))
    if op == "div" and not holds(s, w, lambda v: np.abs(v) > 0.3):
        op = "mul"
    if op == "power" and not far_from_cut(s, z):
        op = "mul"
    return s.add(op, z, w)


def chosen(s: Sketch) -> Node | None:
    """One of two complex numbers, by which of two real ones is larger."""
    z = complex_pick(s)
    x = z and s.pick(lambda node: node.type == z.type.part)
    y = x and s.like(x)
    if z is None or x is None or y is None or not s.far(x, y):
        return None
    mask = s.add("lt", x, y)
    with s.among(*COMPLEXES):
        return mask and s.add("select", mask, s.like(z), z)


def transform(s: Sketch) -> Node | None:
    """To frequencies and back."""
    op = str(s.rng.choice(["fft", "ifft", "rfft", "irfft"]))
    z = s.pick(has_axis) if op == "rfft" else complex_pick(s, has_axis)
    if z is None:
        return None
    if op != "irfft":
        return s.add(op, z)
    count = z.type.shape[-1]
    size = 2 * count - 1 - int(s.rng.integers(2)) if count > 1 else 1
    return s.add(op, z, size=size)


def has_axis(node: Node) -> bool:
    return node.type.rank >= 1 and 0 not in node.type.shape


def total(s: Sketch) -> Node | None:
    z = complex_pick(s, lambda node: node.type.rank >= 1)
    if z is None:
        return None
    axes = tuple(axis for axis in range(z.type.rank) if s.rng.random() < 0.6)
    return s.add(str(s.rng.choice(["reduce_sum", "reduce_prod"])), z, axes=axes)


COMPLEX_MOVES: list[Move] = [
    *[joined] * 3,
    widened,
    *[taken_apart] * 4,
    *[modulus] * 2,
    *[unary] * 4,
    *[binary] * 6,
    chosen,
    *[transform] * 2,
    *[total] * 2,
    *[on_complex(growth.product)] * 2,
    *map(
        on_complex,
        (
            growth.running,
            growth.reshape,
            growth.transpose,
            growth.broadcast,
            growth.slicing,
            growth.storing,
            growth.moving,
            growth.padding,
            growth.joining,
            growth.gathering,
        ),
    ),
]
MIXED_COMPLEX_MOVES: list[Move] = [*COMPLEX_MOVES, narrowed, narrowed]
