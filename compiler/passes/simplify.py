"""Algebraic rules that keep NumPy's bits.

``x + 0.0`` stays, for it turns -0.0 into 0.0, and so do ``x * 0`` and ``x - x``, which
are NaN where x is. A rule stands in `RULES` under its op.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...ir.builder import Builder
from ...ir.graph import Graph, Node
from ...ir.ops.at import AT
from ...ir.types import DTYPES
from .at import settle
from .rewrite import rewrite

__all__ = ["RULES", "simplify"]

_LEAST = 2.0**-126  # power of two that is a normal f32, as its inverse is


def simplify(graph: Graph) -> Graph:
    """Apply the rules of `RULES`, each node once, operands first.

    before:
        graph f(%x: f64[2,3]) {
          %one  = const() {value=1.0}                : f64[]
          %ones = broadcast_to(%one) {shape=(2, 3)}  : f64[2,3]
          %a    = mul(%x, %ones)                     : f64[2,3]
          %b    = transpose(%a) {perm=(1, 0)}        : f64[3,2]
          %c    = transpose(%b) {perm=(1, 0)}        : f64[2,3]
          %d    = neg(%c)                            : f64[2,3]
          return %d
        }
    after:
        graph f(%x: f64[2,3]) {
          %one  = const() {value=1.0}                : f64[]
          %ones = broadcast_to(%one) {shape=(2, 3)}  : f64[2,3]
          %b    = transpose(%x) {perm=(1, 0)}        : f64[3,2]
          %d    = neg(%x)                            : f64[2,3]
          return %d
        }

    What a rule leaves without readers is for `prune`.
    """
    return rewrite(graph, RULES)


def _is(b: Builder, node: Node, value: float) -> bool:
    """Whether ``node`` is ``value`` everywhere, sign of zero included."""
    literal = b.literal(node)
    if literal is None or isinstance(literal, bool) or literal != value:
        return False
    return not isinstance(literal, float) or (
        math.copysign(1.0, literal) == math.copysign(1.0, value)
    )


def _add(b: Builder, n: Node, x: Node, y: Node) -> Node | None:
    """``x + -0.0 => x``, ``-0.0 + x => x``; ``x + 0 => x`` for integers."""
    zero = -0.0 if n.type.has_gradient else 0
    return x if _is(b, y, zero) else y if _is(b, x, zero) else None


def _sub(b: Builder, n: Node, x: Node, y: Node) -> Node | None:
    """``x - 0.0 => x``"""
    return x if _is(b, y, 0.0 if n.type.has_gradient else 0) else None


def _mul(b: Builder, n: Node, x: Node, y: Node) -> Node | None:
    """``x * 1 => x``, ``1 * x => x``"""
    return x if _is(b, y, 1) else y if _is(b, x, 1) else None


def _div(b: Builder, n: Node, x: Node, y: Node) -> Node | None:
    """``x / 1 => x``; ``x / 4 => x * 0.25``, which is exact."""
    if _is(b, y, 1):
        return x
    by = b.literal(y)
    if by and _LEAST <= abs(by) <= 1 / _LEAST and abs(math.frexp(by)[0]) == 0.5:
        return b.mul(x, b.like(y, 1 / by))
    return None


def _chain(b: Builder, n: Node, g: Node, d: Node) -> Node | None:
    """``chain => mul`` where the cotangent is not 0 or the derivative is finite."""
    cotangent, derivative = b.literal(g), b.literal(d)
    finite = derivative is not None and math.isfinite(derivative)
    if finite or (cotangent is not None and cotangent != 0):
        return _mul(b, n, g, d) or b.mul(g, d)
    return None


def _chain_both(b: Builder, n: Node, g: Node, h: Node) -> Node | None:
    """``chain_both => mul`` where one of them is a number other than 0."""
    literals = (b.literal(g), b.literal(h))
    if any(value and math.isfinite(value) for value in literals):
        return _mul(b, n, g, h) or b.mul(g, h)
    return None


def _neg(b: Builder, n: Node, x: Node) -> Node | None:
    """``-(-x) => x``"""
    return b[x.operands[0]] if x.op == "neg" else None


def _select(b: Builder, n: Node, c: Node, x: Node, y: Node) -> Node | None:
    """``where(c, x, x) => x``, ``where(True, x, y) => x``"""
    if _alike(b, x, y):
        return x
    literal = b.literal(c)
    return None if literal is None else (x if literal else y)


def _alike(b: Builder, x: Node, y: Node, depth: int = 4) -> bool:
    """Whether two nodes are plainly the same value, as `dedupe` would say."""
    if x.name == y.name or not depth:
        return x.name == y.name
    same = (x.op, x.attrs, x.type) == (y.op, y.attrs, y.type)
    if not same or x.op == "input" or x.several or x.regions:
        return False
    pairs = zip(x.operands, y.operands, strict=False)
    alike = all(_alike(b, b[u], b[v], depth - 1) for u, v in pairs)
    return alike and len(x.operands) == len(y.operands)


def _compared(b: Builder, n: Node, x: Node, y: Node) -> Node | None:
    """``x < x => False``, ``x <= x => True`` where x cannot be NaN"""
    strict = n.op in ("lt", "gt")
    if not _alike(b, x, y) or not (strict or not x.type.has_gradient):
        return None
    return b.like(n, not strict and n.op != "ne")


def _power(b: Builder, n: Node, x: Node, y: Node) -> Node | None:
    """``x**1 => x``, ``x**2 => x * x``"""
    return x if _is(b, y, 1) else b.mul(x, x) if _is(b, y, 2) else None


def _first(b: Builder, n: Node, x: Node) -> Node:
    """``identity(x) => x``"""
    return x


def _cast(b: Builder, n: Node, x: Node) -> Node | None:
    """``cast(x: T, T) => x``; back from a dtype that holds all values of T => x."""
    if x.type.dtype == n.type.dtype:
        return x
    if x.op != "cast":
        return None
    inner = b[x.operands[0]]
    exact = _holds(x.type.dtype, inner.type.dtype) and inner.type == n.type
    return inner if exact else None


def _holds(wide: str, narrow: str) -> bool:
    """Whether every value of ``narrow`` survives in ``wide``."""
    both = (DTYPES[wide], DTYPES[narrow])
    return both[0].kind == both[1].kind and both[0].itemsize >= both[1].itemsize


def _reshape(b: Builder, n: Node, x: Node) -> Node | None:
    """``reshape(reshape(x)) => reshape(x)``, ``reshape(x: S, S) => x``"""
    if x.type == n.type:
        return x
    return b.reshape(b[x.operands[0]], n.type.shape) if x.op == "reshape" else None


def _transpose(b: Builder, n: Node, x: Node) -> Node | None:
    """``transpose(transpose(x)) => transpose(x)``, or x where they cancel"""
    perm: Any = n.attrs["perm"]
    if list(perm) == sorted(perm):
        return x
    if x.op != "transpose":
        return None
    inner: Any = x.attrs["perm"]
    return b.transpose(b[x.operands[0]], [inner[axis] for axis in perm])


def _broadcast_to(b: Builder, n: Node, x: Node) -> Node | None:
    """``broadcast_to(broadcast_to(x)) => broadcast_to(x)``"""
    if x.type == n.type:
        return x
    return b.broadcast(b[x.operands[0]], n.type) if x.op == "broadcast_to" else None


def _slice(b: Builder, n: Node, x: Node) -> Node | None:
    """``slice(slice(x)) => slice(x)``, or x where it is all of x"""
    start: Any = n.attrs["start"]
    step: Any = n.attrs["step"]
    if inside := x.op == "slice":
        first: Any = x.attrs["start"]
        by: Any = x.attrs["step"]
        start = tuple(f + s * k for f, s, k in zip(first, start, by, strict=True))
        step = tuple(s * k for s, k in zip(step, by, strict=True))
        x = b[x.operands[0]]
    if x.type == n.type and not any(start) and set(step) <= {1}:
        return x
    return b.slice(x, start=start, shape=n.type.shape, step=step) if inside else None


def _reduce_sum(b: Builder, n: Node, x: Node) -> Node | None:
    """A sum over no axes ``=> x + 0.0``: sums start at zero, so -0.0 becomes 0.0"""
    if n.attrs["axes"] != ():
        return None
    return b.add(x, b.like(x, 0.0)) if n.type.has_gradient else x


def _reduce(b: Builder, n: Node, x: Node) -> Node | None:
    """A reduction over no axes ``=> x``"""
    return x if n.attrs["axes"] == () else None


RULES: dict[str, Callable[..., Node | None]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "chain": _chain,
    "chain_both": _chain_both,
    "neg": _neg,
    "select": _select,
    **dict.fromkeys(("lt", "gt", "le", "ge", "eq", "ne"), _compared),
    "power": _power,
    "identity": _first,
    "cast": _cast,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast_to,
    "slice": _slice,
    **dict.fromkeys(AT, settle),
    "reduce_sum": _reduce_sum,
    "reduce_prod": _reduce,
    "reduce_max": _reduce,
    "reduce_min": _reduce,
    "reduce_any": _reduce,
    "reduce_all": _reduce,
}
