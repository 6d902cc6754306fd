"""The moves of `strategies.Sketch`: each tries to add one node of one family."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from anabranch.ir import Node
from tests.strategies import Sketch

__all__ = ["MIXED_MOVES", "MOVES"]

Move: TypeAlias = Callable[[Sketch], "Node | None"]

INF = math.inf
DOMAINS: dict[str, tuple[float, float]] = {
    "exp": (-INF, 1.5),
    "exp2": (-INF, 2.0),
    "expm1": (-INF, 1.5),
    "log": (0.2, INF),
    "log2": (0.2, INF),
    "log10": (0.2, INF),
    "log1p": (-0.8, INF),
    "sqrt": (0.2, INF),
    "cbrt": (0.2, INF),
    "sin": (-INF, INF),
    "cos": (-INF, INF),
    "tan": (-1.0, 1.0),
    "arcsin": (-0.8, 0.8),
    "arccos": (-0.8, 0.8),
    "arctan": (-INF, INF),
    "sinh": (-2.0, 2.0),
    "cosh": (-2.0, 2.0),
    "tanh": (-INF, INF),
    "arcsinh": (-INF, INF),
    "arccosh": (1.3, INF),
    "arctanh": (-0.8, 0.8),
    "erf": (-INF, INF),
    "sigmoid": (-INF, INF),
    "neg": (-INF, INF),
    "abs": (-INF, -0.05),
    "identity": (-INF, INF),
    "stop_gradient": (-INF, INF),
    "floor": (0.05, 0.95),
    "sign": (0.05, INF),
}
SECONDS: dict[str, tuple[float, float]] = {
    "add": (-INF, INF),
    "sub": (-INF, INF),
    "mul": (-INF, INF),
    "chain": (-INF, INF),
    "div": (0.4, INF),
    "arctan2": (0.3, INF),
    "hypot": (0.3, INF),
    "logaddexp": (-INF, INF),
    "logaddexp2": (-INF, INF),
    "power": (-2.0, 2.0),
    "float_power": (-2.0, 2.0),
    "copysign": (0.05, INF),
}


def unary(s: Sketch) -> Node | None:
    op = str(s.rng.choice(list(DOMAINS)))
    x = s.pick()
    x = x and s.into(x, *DOMAINS[op])
    return x and s.add(op, x)


def binary(s: Sketch) -> Node | None:
    op = str(s.rng.choice(list(SECONDS)))
    x = s.pick()
    if x is None or (op == "float_power" and x.type.dtype != "f64"):
        return None
    y = s.into(s.like(x), *SECONDS[op])
    if op in ("power", "float_power", "copysign"):
        x = s.into(x, 0.3, 2.0)
    return x and y and s.add(op, x, y)


def derivative(s: Sketch) -> Node | None:
    """The ops that only derivatives are made of, where their operands belong together.

    One that takes a value and its argument, or a value and another with its slope, gets
    those.
    """
    x = s.pick()
    if x is None:
        return None
    op = str(s.rng.choice(OWN_SLOPES + PAIRS + ALONE))
    if op in ALONE:
        x = s.into(x, 0.2, INF)
        return x and s.add(op, x)
    if op in OWN_SLOPES:
        x = s.into(x, -2.5, 2.5)
        y = x and s.add(op.removesuffix("_slope"), x)
        return x and y and s.add(op, y, x)
    if op == "straight_through":
        return s.add(op, x, x)
    y = s.into(s.like(x), 0.3, INF)
    if op.startswith("power_log"):
        x, y = s.into(x, 0.3, 2.0), s.into(s.like(x), -2.0, 2.0)
    return x and y and s.add(op, x, y)


OWN_SLOPES = ["tanh_slope", "sigmoid_slope"]
ALONE = ["root", *(f"bessel_ratio{k}" for k in range(6))]
PAIRS = ["cosine", "chain_both", "straight_through"]
PAIRS.extend(f"power_log{k}" for k in range(1, 5))


def extremum(s: Sketch) -> Node | None:
    x = s.pick()
    y = x and s.like(x)
    if x is None or y is None or not s.far(x, y):
        return None
    op = str(s.rng.choice(["maximum", "minimum", "fmax", "fmin"]))
    return s.add(op, x, y)


def branch(s: Sketch) -> Node | None:
    """``select``, ``pick`` and ``heaviside``, whose first choice is made elsewhere."""
    x = s.pick()
    y = x and s.like(x)
    if x is None or y is None or not s.far(x, y):
        return None
    op = str(s.rng.choice(["select", "pick", "heaviside"]))
    if op == "pick":
        return s.add("pick", s.like(x), x, y)
    if op == "heaviside":
        return s.add("heaviside", s.into(x, 0.05, INF) or x, y)
    mask = s.add(str(s.rng.choice(["lt", "ge", "ne"])), x, y)
    return mask and s.add("select", mask, s.like(x), y)


def quotient(s: Sketch) -> Node | None:
    """``remainder`` and ``fmod`` of a value that stays within one period."""
    x = s.pick()
    y = x and s.like(x)
    y = y and s.into(y, 0.8, 1.6)
    x = x and s.into(x, 0.05, 0.7)
    op = str(s.rng.choice(["remainder", "fmod"]))
    if x is None or y is None:
        return None
    shifted = s.add("add", x, s.add("mul", y, s.constant(y, 2.0)) or x)
    return shifted and _periodic(s, op, shifted, y)


def _periodic(s: Sketch, op: str, x: Node, y: Node) -> Node | None:
    pairs = zip(s.values[x.name], s.values[y.name], strict=True)
    first, *rest = (np.floor(a / b) for a, b in pairs)
    return s.add(op, x, y) if all(np.array_equal(first, m) for m in rest) else None


def product(s: Sketch) -> Node | None:
    x = s.pick(lambda node: node.type.rank >= 2)
    if x is None:
        return None
    lead, inner = x.type.shape[:-2], x.type.shape[-1]
    y = s.pick(
        lambda node: (
            node.type.rank == x.type.rank
            and node.type.dtype == x.type.dtype
            and node.type.shape[:-1] == (*lead, inner)
        )
    )
    y = y or s.input((*lead, inner, *s.shape(1)), x.type.dtype)
    shape = (*x.type.shape[:-1], y.type.shape[-1])
    z = s.pick(lambda node: node.type == x.type.with_shape(shape))
    if z is None or z.type.is_complex:
        return s.add("matmul", x, y)
    return s.add("matmul_add", x, y, z)


def sum_of_products(s: Sketch) -> Node | None:
    """Of products as they are, transposed, and all of them in another shape."""
    *lead, rows, columns = s.shape(int(s.rng.integers(2, 4)))
    flat = s.rng.random() < 0.3
    terms = [_product_of(s, lead, rows, columns, flat) for _ in range(3)]
    known = [term for term in terms if term is not None]
    if len(known) < 3 or s.rng.random() < 0.5:
        return s.add("add_n", *known) if known else None
    first = s.add("add", *known[:2])
    return first and s.add("add", first, known[2])


def _product_of(
    s: Sketch, lead: Sequence[int], rows: int, columns: int, flat: bool
) -> Node | None:
    turned = s.rng.random() < 0.3
    ends = (columns, rows) if turned else (rows, columns)
    inner = int(s.rng.choice((1, 2, 3)))
    x, y = s.input((*lead, ends[0], inner)), s.input((*lead, inner, ends[1]))
    made = s.add("matmul", x, y)
    if turned and made is not None:
        rank = len(lead)
        made = s.add("transpose", made, perm=(*range(rank), rank + 1, rank))
    if flat and made is not None:
        made = s.add("reshape", made, shape=(made.type.size,))
    return made


def reduction(s: Sketch) -> Node | None:
    x = s.pick(lambda node: node.type.rank >= 1)
    if x is None:
        return None
    axes = tuple(axis for axis in range(x.type.rank) if s.rng.random() < 0.6)
    op = str(s.rng.choice(["sum", "prod", "max", "min"]))
    if op in ("max", "min") and not _clear(s, x, axes, 1 if op == "max" else -1):
        return None
    return s.add(f"reduce_{op}", x, axes=axes)


def _clear(s: Sketch, x: Node, axes: tuple[int, ...], sign: int) -> bool:
    """Whether the winner over the axes keeps its lead at all points."""
    for value in s.values[x.name]:
        rest = [axis for axis in range(x.type.rank) if axis not in axes]
        rows = sign * np.transpose(value, (*rest, *axes)).reshape(
            *(value.shape[axis] for axis in rest), -1
        )
        ranked = np.sort(rows, axis=-1)
        if rows.shape[-1] > 1 and np.any(ranked[..., -1] - ranked[..., -2] < 0.03):
            return False
    return True


def sharing(s: Sketch) -> Node | None:
    """``share`` and ``log_share`` of a true softmax; ``with_slope`` of slope 1."""
    x = s.pick(lambda node: node.type.rank >= 1)
    x = x and s.into(x, -2.0, 1.5)
    if x is None:
        return None
    if s.rng.random() < 0.3:
        return s.add("with_slope", x, s.constant(x, 1.0))
    axes = tuple(axis for axis in range(x.type.rank) if s.rng.random() < 0.6)
    power = s.add("exp", x)
    total = power and s.add("reduce_sum", power, axes=axes)
    if power is None or total is None or total.op != "reduce_sum":
        return None
    kept = [1 if axis in axes else n for axis, n in enumerate(x.type.shape)]
    total = s.add("reshape", total, shape=tuple(kept))
    total = total and s.add("broadcast_to", total, shape=x.type.shape)
    made = total and s.add("div", power, total)
    share = made and s.add("share", made, x, axes=axes)
    if share is None or share.op != "share" or s.rng.random() < 0.5:
        return share
    logarithm, rest = s.add("log", share), s.add("sub", s.constant(x, 1.0), share)
    if logarithm is None or rest is None:
        return None
    return s.add("log_share", logarithm, share, rest, x, axes=axes)


def running(s: Sketch) -> Node | None:
    x = s.pick(lambda node: node.type.rank >= 1)
    if x is None:
        return None
    axis, reverse = int(s.rng.integers(x.type.rank)), bool(s.rng.random() < 0.5)
    if s.rng.random() < 0.5:
        return s.add("cumsum", x, axis=axis, reverse=reverse)
    return s.add("recurrence", x, s.like(x), axis=axis, reverse=reverse)


def reshape(s: Sketch) -> Node | None:
    x = s.pick()
    if x is None:
        return None
    size = x.type.size
    first = int(s.rng.choice([n for n in range(1, size + 1) if size % n == 0]))
    shape = [(size,), (first, size // first), (1, first, size // first)]
    return s.add("reshape", x, shape=shape[int(s.rng.integers(3))])


def transpose(s: Sketch) -> Node | None:
    x = s.pick(lambda node: node.type.rank >= 2)
    if x is None:
        return None
    perm = tuple(int(axis) for axis in s.rng.permutation(x.type.rank))
    return s.add("transpose", x, perm=perm)


def broadcast(s: Sketch) -> Node | None:
    x = s.pick(lambda node: node.type.rank <= 2)
    if x is None:
        return None
    inner = [int(s.rng.choice((1, 3))) if n == 1 else n for n in x.type.shape]
    lead = s.shape(int(s.rng.integers(0, 3 - x.type.rank + 1)))
    return s.add("broadcast_to", x, shape=(*lead, *inner))


def slicing(s: Sketch) -> Node | None:
    x = s.pick(lambda node: node.type.rank >= 1)
    return x and s.add("slice", x, **_places(s, x))


def storing(s: Sketch) -> Node | None:
    """One store or two, of a part of the array itself now and then."""
    x = s.pick(lambda node: node.type.rank >= 1)
    if x is None:
        return None
    if s.rng.random() < 0.3:
        axis, sizes = int(s.rng.integers(x.type.rank)), list(x.type.shape)
        where = s.indices((1,), sizes[axis])
        sizes[axis] = 1
        v = s.pick(lambda node: node.type == x.type.with_shape(tuple(sizes)))
        return s.add("put", x, v or s.input(sizes, x.type.dtype), where, axis=axis)
    made: Node | None = x
    for _ in range(int(s.rng.integers(1, 3))):
        places = _places(s, x)
        shape = places.pop("shape")
        v = s.pick(lambda node, shape=shape: node.type == x.type.with_shape(shape))
        if v is None and s.rng.random() < 0.5:
            v = s.add("slice", made or x, **_places(s, x, shape))
        v = v or s.input(shape, x.type.dtype)
        made = made and s.add("update", made, v, **places)
    return made


def moving(s: Sketch) -> Node | None:
    """A slice at positions that are values: read, stored to, added to."""
    x = s.pick(lambda node: node.type.rank >= 1 and 0 not in node.type.shape)
    if x is None:
        return None
    places = _places(s, x)
    shape, start = places["shape"], list(places["start"])
    axes = [axis for axis in range(x.type.rank) if s.rng.random() < 0.6] or [0]
    positions: list[Node] = []
    for axis in axes:
        reach = (shape[axis] - 1) * places["step"][axis]
        start[axis] = -min(reach, 0)
        positions.append(s.indices((), x.type.shape[axis] - abs(reach)))
    attrs = {"axes": tuple(axes), "start": tuple(start), "step": places["step"]}
    op = str(s.rng.choice(["slice_at", "update_at", "add_at"]))
    if op == "slice_at":
        return s.add(op, x, *positions, shape=shape, **attrs)
    v = s.pick(lambda node: node.type == x.type.with_shape(shape))
    v = v or s.input(shape, x.type.dtype)
    return s.add(op, x, v, *positions, **attrs)


def _places(s: Sketch, x: Node, wanted: Sequence[int] = ()) -> dict[str, Any]:
    """Attributes of a slice of ``x``, of a shape if one is given."""
    start: list[int] = []
    shape: list[int] = []
    step: list[int] = []
    for axis, size in enumerate(x.type.shape):
        if wanted:
            start.append(int(s.rng.integers(size - wanted[axis] + 1)))
            shape.append(wanted[axis])
            step.append(1)
            continue
        first = int(s.rng.integers(size))
        by = int(s.rng.choice((-2, -1, 1, 2)))
        most = first // -by + 1 if by < 0 else (size - 1 - first) // by + 1
        start.append(first)
        shape.append(int(s.rng.integers(1, most + 1)))
        step.append(by)
    return {"start": tuple(start), "shape": tuple(shape), "step": tuple(step)}


def padding(s: Sketch) -> Node | None:
    x = s.pick(lambda node: node.type.size <= 24)
    if x is None:
        return None
    low, high, gaps = (
        tuple(int(n) for n in s.rng.integers(0, most, x.type.rank))
        for most in (3, 3, 2)
    )
    value = float(s.rng.choice((0.0, 0.5)))
    return s.add("pad", x, low=low, high=high, interior=gaps, value=value)


def joining(s: Sketch) -> Node | None:
    x = s.pick(lambda node: node.type.rank >= 1 and node.type.size <= 24)
    if x is None:
        return None
    axis = int(s.rng.integers(x.type.rank))

    def fits(node: Node) -> bool:
        mine, other = list(x.type.shape), list(node.type.shape)
        return (
            len(mine) == len(other)
            and mine[:axis] + mine[axis + 1 :] == other[:axis] + other[axis + 1 :]
            and node.type.dtype == x.type.dtype
        )

    parts = [s.pick(fits) or x for _ in range(int(s.rng.integers(0, 3)))]
    return s.add("concatenate", x, *parts, axis=axis)


def gathering(s: Sketch) -> Node | None:
    x = s.pick(lambda node: node.type.rank >= 1 and node.type.size <= 24)
    if x is None:
        return None
    axis = int(s.rng.integers(x.type.rank))
    size = x.type.shape[axis]
    if s.rng.random() < 0.5:
        indices = s.indices(s.shape(int(s.rng.integers(0, 3))), size)
        return s.add("take", x, indices, axis=axis)
    bins = int(s.rng.integers(1, 5))
    return s.add("scatter_add", x, s.indices((size,), bins), axis=axis, size=bins)


def sliding(s: Sketch) -> Node | None:
    """``windows`` of a value, windows folded back, or their maxima there and back."""
    x = s.pick(lambda node: node.type.rank >= 1 and node.type.size <= 24)
    if x is None:
        return None
    length = x.type.shape[-1]
    size, stride = int(s.rng.integers(1, length + 1)), int(s.rng.choice((1, 2)))
    seen = s.add("windows", x, size=(size,), stride=(stride,))
    if seen is None or s.rng.random() < 0.4:
        return seen
    if s.rng.random() < 0.5 and _clear(s, seen, (x.type.rank,), 1):
        top = s.add("max_pool", x, size=(size,), stride=(stride,))
        if top is None or s.rng.random() < 0.5:
            return top
        g = s.like(top)
        return s.add("max_pool_input", g, x, size=(size,), stride=(stride,))
    return s.add("fold", seen, shape=(length,), stride=(stride,))


def convolution(s: Sketch) -> Node | None:
    """One of the three products of a convolution, over one axis or two."""
    x = s.pick(lambda node: 2 <= node.type.size <= 24)
    if x is None:
        return None
    size = x.type.size
    channels = 2 if size % 2 == 0 else 1
    space = (size // channels,)
    if s.rng.random() < 0.4 and space[0] % 2 == 0:
        space = (2, space[0] // 2)
    image = s.add("reshape", x, shape=(1, channels, *space))
    if image is None:
        return None
    window = tuple(int(s.rng.integers(1, min(n, 3) + 1)) for n in space)
    stride = tuple(int(n) for n in s.rng.integers(1, 3, len(space)))
    filters = int(s.rng.integers(1, 3))
    shape = (filters, channels, *window)
    w = s.pick(
        lambda node: node.type.shape == shape and node.type.dtype == x.type.dtype
    )
    w = w or s.input(shape, x.type.dtype)
    y = s.add("conv", image, w, stride=stride)
    kind = int(s.rng.integers(3))
    if y is None or kind == 0:
        return y
    if kind == 1:
        return s.add("conv_input", y, w, shape=space, stride=stride)
    return s.add("conv_kernel", image, y, shape=window, stride=stride)


def casting(s: Sketch) -> Node | None:
    x = s.pick()
    return x and s.add("cast", x, dtype="f32" if x.type.dtype == "f64" else "f64")


def counting(s: Sketch) -> Node | None:
    """Integers and masks made from floats, and floats made from them."""
    x = s.pick()
    y = x and s.like(x)
    if x is None or y is None or not s.far(x, y):
        return None
    mask = s.add("lt", x, y)
    whole = mask and s.add("cast", mask, dtype=str(s.rng.choice(["i8", "i32", "i64"])))
    if mask is None or whole is None:
        return None
    other = s.add("logical_not", mask)
    ramp = whole if other is None else s.add("cast", other, dtype=whole.type.dtype)
    total = ramp and s.add(str(s.rng.choice(["add", "sub", "mul"])), whole, ramp)
    return total and s.add("cast", total, dtype=x.type.dtype)


MOVES: list[Move] = [
    *[unary] * 4,
    *[binary] * 8,
    *[derivative] * 2,
    *[extremum, branch] * 2,
    quotient,
    *[product] * 2,
    sum_of_products,
    *[reduction] * 2,
    running,
    sharing,
    reshape,
    transpose,
    broadcast,
    slicing,
    *[storing] * 3,
    *[moving] * 2,
    padding,
    *[joining] * 2,
    gathering,
    sliding,
    convolution,
]
MIXED_MOVES: list[Move] = [casting, casting, counting]
