"""What ops on complex numbers are in real ones, for `realify`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from ...ir.builder import Builder
from ...ir.graph import Graph, Node, Output
from ...ir.ops.parts import loop_attrs
from ...ir.types import TensorType

__all__ = ["BY_PARTS", "OPAQUE", "RULES", "Pair"]


class Pair(NamedTuple):
    """The real and the imaginary part of a complex value."""

    re: Node
    im: Node


BY_PARTS = frozenset(
    "neg add sub add_n identity stop_gradient straight_through select reshape "
    "transpose broadcast_to slice update put take scatter_add slice_at update_at "
    "add_at concatenate windows fold reduce_sum cumsum".split()
)
"""The ops that do to each part what they do to the whole."""

OPAQUE = frozenset(
    "fft ifft rfft irfft callback wofz lambertw cholesky solve_triangular lu "
    "solve_lu qr eigh svd schur eig".split()
)
"""The ops that take complex numbers whole, and are no functions of single numbers."""


def _const(b: Builder, n: Node, *, value: complex, dtype: str = "") -> Pair:
    part = n.type.part.dtype
    value = complex(value)
    return Pair(b.const(value.real, part), b.const(value.imag, part))


def _cast(b: Builder, n: Node, x: Any, *, dtype: str) -> Pair | Node:
    if isinstance(x, Node):
        re = b.cast(x, n.type.part.dtype)
        return Pair(re, b.like(re, 0.0))
    if n.type.is_complex:
        return Pair(*(b.cast(part, n.type.part.dtype) for part in x))
    if dtype == "bool":
        return b.logical_or(*(b.cast(part, dtype) for part in x))
    return b.cast(x.re, dtype)


def _pad(b: Builder, n: Node, x: Pair, *, value: complex, **around: Any) -> Pair:
    value = complex(value)
    return Pair(
        b.pad(x.re, value=value.real, **around), b.pad(x.im, value=value.imag, **around)
    )


def _product(op: str) -> Callable[..., Pair]:
    """The product of complex numbers by four products of real ones."""

    def rule(b: Builder, n: Node, x: Pair, y: Pair) -> Pair:
        def times(p: Node, q: Node) -> Node:
            return b.add_node(op, p, q)

        re = b.sub(times(x.re, y.re), times(x.im, y.im))
        return Pair(re, b.add(times(x.re, y.im), times(x.im, y.re)))

    return rule


_times, _chained = _product("mul"), _product("chain")


def _matmul(b: Builder, n: Node, x: Pair, y: Pair) -> Pair:
    """Sums of two products each, which BLAS adds up."""
    re = b.add_n(b.matmul(x.re, y.re), b.matmul(b.neg(x.im), y.im))
    return Pair(re, b.add_n(b.matmul(x.re, y.im), b.matmul(x.im, y.re)))


def _div(b: Builder, n: Node, x: Pair, y: Pair) -> Pair:
    """Smith's way, as NumPy does it (R. L. Smith, Algorithm 116, CACM 1962)."""
    size, other = b.abs(y.re), b.abs(y.im)
    by_real, zero = b.ge(size, other), b.like(size, 0.0)
    large, small = b.select(by_real, y.re, y.im), b.select(by_real, y.im, y.re)
    ratio = b.div(small, large)
    scale = b.div(b.like(large, 1.0), b.add(large, b.mul(small, ratio)))
    p, q = b.select(by_real, x.re, x.im), b.select(by_real, x.im, x.re)
    turned = b.mul(p, ratio)
    re = b.mul(b.add(p, b.mul(q, ratio)), scale)
    im = b.mul(b.select(by_real, b.sub(q, turned), b.sub(turned, q)), scale)
    nothing = b.logical_and(b.eq(size, zero), b.eq(other, zero))
    return Pair(
        b.select(nothing, b.div(x.re, size), re),
        b.select(nothing, b.div(x.im, size), im),
    )


_LARGE = {"f64": 709.0, "f32": 88.0}


def _exp(b: Builder, n: Node, z: Pair) -> Pair:
    """``e^x (cos y + i sin y)``, with the special values of C's ``cexp``.

    Beyond the largest exponent e^x is taken in two factors: the cosine may be small.
    """
    x, y = z
    limit = _LARGE[x.type.dtype]
    large = b.gt(x, b.like(x, limit))
    size = b.exp(b.select(large, b.sub(x, b.like(x, limit)), x))
    factor = b.select(large, b.like(x, math.exp(limit)), b.like(x, 1.0))
    bounded = b.isfinite(y)
    vanishes = b.logical_and(b.eq(x, b.like(x, -math.inf)), b.logical_not(bounded))
    grows = b.logical_and(b.eq(x, b.like(x, math.inf)), b.logical_not(bounded))
    still = b.eq(y, b.like(y, 0.0))
    re = b.mul(b.mul(b.cos(y), size), factor)
    im = b.mul(b.mul(b.sin(y), size), factor)
    re = b.select(vanishes, b.like(x, 0.0), b.select(grows, x, re))
    im = b.select(vanishes, b.copysign(b.like(x, 0.0), y), im)
    return Pair(b.select(still, b.exp(x), re), b.select(still, y, im))


def _log(b: Builder, n: Node, z: Pair) -> Pair:
    """``log|z| + i arg z``; near the circle |z| = 1 the first by ``log1p``."""
    x, y = b.abs(z.re), b.abs(z.im)
    large, small = b.maximum(x, y), b.minimum(x, y)
    one = b.like(large, 1.0)
    beyond = b.mul(b.sub(large, one), b.add(large, one))
    near = b.logical_and(
        b.gt(large, b.like(large, 0.5)), b.lt(large, b.like(large, 2.0))
    )
    inner = b.add(beyond, b.mul(small, small))
    close = b.mul(b.log1p(b.select(near, inner, b.like(inner, 0.0))), b.like(one, 0.5))
    return Pair(
        b.select(near, close, b.log(b.hypot(z.re, z.im))), b.arctan2(z.im, z.re)
    )


def _power_log(order: int) -> Callable[..., Pair]:
    def rule(b: Builder, n: Node, x: Pair, y: Pair) -> Pair:
        base, exponent = b.complex(*x), b.complex(*y)
        power = b.of_complex(base, exponent, function="power")
        factor = logarithm = _log(b, n, x)
        for _ in range(order - 1):
            factor = _times(b, n, factor, logarithm)
        return _chained(b, n, Pair(b.real(power), b.imag(power)), factor)

    return rule


def _test(op: str, combine: str) -> Callable[..., Node]:
    """A test of both parts."""

    def rule(b: Builder, n: Node, *operands: Pair) -> Node:
        tests = [b.add_node(op, *parts) for parts in zip(*operands, strict=True)]
        return b.add_node(combine, *tests)

    return rule


def _reduce_prod(b: Builder, n: Node, x: Pair, *, axes: tuple[int, ...]) -> Pair:
    """The product of one half with the other, until one element is left."""
    rank = n.type.rank
    kept = [axis for axis in range(x.re.type.rank) if axis not in axes]
    count = math.prod(x.re.type.shape[axis] for axis in axes)
    if 0 in x.re.type.shape:
        ones = b.full(n.type.part, 1.0)
        return Pair(ones, b.like(ones, 0.0))
    flat = Pair(
        *(
            b.reshape(b.transpose(part, (*kept, *axes)), (*n.type.shape, count))
            for part in x
        )
    )

    def cut(part: Node, start: int, length: int) -> Node:
        return b.slice(
            part,
            start=(*(0,) * rank, start),
            shape=(*n.type.shape, length),
            step=(1,) * (rank + 1),
        )

    while count > 1:
        half = count // 2
        low = Pair(*(cut(part, 0, half) for part in flat))
        high = Pair(*(cut(part, half, half) for part in flat))
        product = _times(b, n, low, high)
        if count % 2:
            rest = Pair(*(cut(part, count - 1, 1) for part in flat))
            pairs = zip(product, rest, strict=True)
            product = Pair(*(b.concatenate(*both, axis=rank) for both in pairs))
        flat, count = product, half + count % 2
    return Pair(*(b.reshape(part, n.type.shape) for part in flat))


def _recurrence(
    b: Builder, n: Node, a: Pair, x: Pair, *, axis: int, reverse: bool
) -> Pair:
    """A loop along the axis, which carries the pair."""
    rank, length = n.type.rank, n.type.shape[axis]
    if 0 in n.type.shape:
        return x
    perm = (axis, *(other for other in range(rank) if other != axis))
    stacked = [b.transpose(part, perm) for part in (*a, *x)]
    row = stacked[0].type.with_shape(stacked[0].type.shape[1:])
    start = b.full(row, 0.0)
    attrs = {"trips": length, "carried": 2, "stacked": 4, "reverse": reverse}
    rows = b.add_node(
        "loop",
        start,
        start,
        *stacked,
        regions=(_step(row, length - 1 if reverse else 0),),
        **loop_attrs(attrs),
    )
    back = [perm.index(other) for other in range(rank)]
    made = [b[name] for name in rows.names[2:]]
    return Pair(*(b.transpose(part, back) for part in made))


def _step(row: TensorType, first: int) -> Graph:
    """The body of that loop: ``a s + x``, but x in the ``first`` iteration."""
    b = Builder("body")
    t = b.input("t", TensorType("i64", ()))
    names = ("s.re", "s.im", "a.re", "a.im", "x.re", "x.im")
    inputs = [b.input(name, row) for name in names]
    state, a, x = (Pair(*inputs[place : place + 2]) for place in (0, 2, 4))
    begins = b.broadcast(b.eq(t, b.const(first, "i64")), row.with_dtype("bool"))
    product = _times(b, t, a, state)
    made = [
        b.select(begins, one, b.add(moved, one))
        for moved, one in zip(product, x, strict=True)
    ]
    return b.build([Output(node.name) for node in (*made, *made)])


def _handed_on(b: Builder, n: Node, *operands: Any) -> Any:
    """The value, the last operand."""
    return operands[-1]


RULES: dict[str, Callable[..., Any]] = {
    "const": _const,
    "cast": _cast,
    "pad": _pad,
    "mul": _times,
    "chain": _chained,
    "chain_both": _product("chain_both"),
    "matmul": _matmul,
    "div": _div,
    "exp": _exp,
    "log": _log,
    **{f"power_log{k}": _power_log(k) for k in range(1, 5)},
    "conj": lambda b, n, z: Pair(z.re, b.neg(z.im)),
    "real": lambda b, n, z: z.re,
    "imag": lambda b, n, z: z.im,
    "complex": lambda b, n, x, y: Pair(x, y),
    "eq": _test("eq", "logical_and"),
    "ne": _test("ne", "logical_or"),
    "isnan": _test("isnan", "logical_or"),
    "isinf": _test("isinf", "logical_or"),
    "isfinite": _test("isfinite", "logical_and"),
    "reduce_prod": _reduce_prod,
    "recurrence": _recurrence,
    **dict.fromkeys(
        ("det", "logdet", "pinv", "expm", "sqrtm", "logm", "sylvester"), _handed_on
    ),
}
