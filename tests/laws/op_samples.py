"""Sample operands for every op: the one table that drives the laws of single ops.

``SAMPLES[op]`` has at least 20 combinations of shapes, dtypes and memory layouts.
``smooth(op)`` draws the same shapes in float64. All values stand away from kinks, by
more than the steps of the differences that the adjoints are held against.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.random import Generator
from scipy import linalg
from scipy.special import expit

from anabranch.ir import OPS
from anabranch.ir.types import DTYPES
from tests.laws.op_cases import CASES, SHAPES, Case, Shape, ranks
from tests.oracles.special_functions import INTERVALS

__all__ = ["DOMAINS", "SAMPLES", "Sample", "lay_out", "smooth"]

Array: TypeAlias = "np.ndarray[Any, Any]"
Draw: TypeAlias = Callable[[Generator, Shape, str], Array]
Domain: TypeAlias = Callable[[Generator, Sequence[Shape], str], Sequence[Array]]

FLOATS = ("f64", "f32")
INTEGERS = ("i64", "i32", "i16", "i8", "u64", "u32", "u16", "u8")
NUMBERS = ("f64", "i64", "f32", "i32", "f64", "u8", "f32", "i8", "u64", "i16")
LOGIC = ("bool",)
ANY = (*NUMBERS, "bool", "u32", "u16")
LAYOUTS = ("C", "F", "reversed", "strided", "read-only")


@dataclass(frozen=True)
class Sample:
    """Operands and attributes of one op; ``label`` says what they are."""

    operands: tuple[Array, ...]
    attrs: Mapping[str, Any]
    label: str


def lay_out(x: Array, layout: str) -> Array:
    """``x`` in another memory layout."""
    if layout == "F":
        return np.array(x, order="F")
    if layout == "reversed":
        backwards = (..., *(slice(None, None, -1),) * x.ndim)
        return x[backwards].copy()[backwards]
    if layout == "strided":
        wide = np.zeros([2 * size for size in x.shape], x.dtype)
        view = wide[(..., *(slice(None, None, 2),) * x.ndim)]
        view[...] = x
        return view
    made = x.copy()
    made.flags.writeable = layout != "read-only"
    return made


def between(low: float, high: float, *, signed: bool = False) -> Draw:
    """Floats whose magnitude lies in a range; small integers that are not 0; bools."""

    def draw(rng: Generator, shape: Shape, dtype: str) -> Array:
        if dtype == "bool":
            return np.asarray(rng.random(shape) < 0.5)
        negative = (rng.random(shape) < 0.5) & signed & (dtype[0] != "u")
        floats = dtype in FLOATS
        size = rng.uniform(low, high, shape) if floats else rng.integers(1, 6, shape)
        values: Array = np.asarray(size).astype(DTYPES[dtype])
        return np.where(negative, np.zeros_like(values) - values, values)

    return draw


number = between(0.3, 2.0, signed=True)
positive = between(0.3, 2.5)
inside = between(0.1, 0.8, signed=True)
angle = between(0.1, 1.2, signed=True)
fraction = between(0.05, 0.95)
above_one = between(1.3, 3.0)
gap = between(0.2, 1.0, signed=True)


def each(draw: Draw) -> Domain:
    """Every operand drawn alike."""
    return lambda rng, shapes, dtype: [draw(rng, shape, dtype) for shape in shapes]


def _distinct(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """One operand without ties, as long as its dtype has enough values."""
    if dtype == "bool":
        return [number(rng, shapes[0], dtype)]
    ranks = rng.permutation(int(np.prod(shapes[0]))).reshape(shapes[0])
    scale = 0.11 if dtype in FLOATS else 1
    return [
        ((ranks - (dtype[0] != "u") * ranks.size // 2) * scale).astype(DTYPES[dtype])
    ]


def _apart(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """Operands of which the last two differ everywhere, by 0.2 or more if floats."""
    *first, x = (number(rng, shape, dtype) for shape in shapes[:-1])
    if dtype == "bool":
        return [*first, x, ~x]
    return [*first, x, x + gap(rng, shapes[-1], dtype)]


def _quotient(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """x and y with x / y well between two integers, where they are floats."""
    y = between(0.7, 2.0, signed=True)(rng, shapes[1], dtype)
    if dtype not in FLOATS:
        return [number(rng, shapes[0], dtype), y]
    ratio = rng.integers(-3, 3, shapes[0]) + rng.uniform(0.2, 0.8, shapes[0])
    return [np.asarray(y * ratio).astype(DTYPES[dtype]), y]


def _base_and_exponent(
    rng: Generator, shapes: Sequence[Shape], dtype: str
) -> list[Array]:
    draw = number if dtype in FLOATS else positive
    return [positive(rng, shapes[0], dtype), draw(rng, shapes[1], dtype)]


def _value_and_argument(function: Callable[[Array], Array]) -> Domain:
    """y = f(x) and x: of a slope that is made of both."""

    def draw(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
        x = number(rng, shapes[0], dtype)
        return [np.asarray(function(x)), x]

    return draw


def _choice(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    return [
        number(rng, shapes[0], "bool"),
        *(number(rng, shape, dtype) for shape in shapes[1:]),
    ]


def _pooled(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """A cotangent, and an operand without ties."""
    return [number(rng, shapes[0], dtype), *_distinct(rng, shapes[1:], dtype)]


def _indexed(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """Operand and indices below 3, repeated ones among them."""
    return [number(rng, shapes[0], dtype), rng.integers(0, 3, shapes[1])]


def _stored(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """An array, what is stored in it, and distinct indices."""
    count = int(np.prod(shapes[2]))
    places = rng.permutation(max(count, 3))[:count].reshape(shapes[2])
    return [*(number(rng, shape, dtype) for shape in shapes[:2]), places]


def _tied(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """Values of which many are equal, so that a stable order can be told."""
    values = number(rng, shapes[0], dtype)
    return [np.where(rng.random(shapes[0]) < 0.5, values, np.ones_like(values))]


def _ranks(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """Rows with ties, and some of their entries in order."""
    [rows] = _tied(rng, shapes, dtype)
    return [rows, np.sort(rows)[..., list(ranks(shapes[0][-1]))]]


def _searched(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """A row in order, and what is looked for: some of its entries, and others."""
    row, values = (number(rng, shape, dtype) for shape in shapes)
    row = np.sort(row)
    if row.size:
        entries = rng.choice(row, shapes[1])
        values = np.where(rng.random(shapes[1]) < 0.5, entries, values)
    return [row, values]


def _at(arrays: int) -> Domain:
    """Some arrays, and then positions of 1 or 2."""

    def draw(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
        made = [number(rng, shape, dtype) for shape in shapes[:arrays]]
        return [*made, *(rng.integers(1, 3, ()) for _ in shapes[arrays:])]

    return draw


def _from(intervals: Sequence[tuple[float, float]]) -> Domain:
    """Each operand from an interval of its own."""

    def draw(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
        return [
            np.asarray(rng.uniform(low, high, shape)).astype(DTYPES[dtype])
            for (low, high), shape in zip(intervals, shapes, strict=True)
        ]

    return draw


def _special(name: str) -> tuple[tuple[str, ...], Domain]:
    """A function of `scipy.special`, whose orders are integers."""
    places = INTERVALS[name]
    orders = len(OPS[name].constant_slots)
    if not orders:
        return FLOATS, _from(places)

    def draw(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
        made = _from(places)(rng, shapes, dtype)
        return [x.astype(int) if k < orders else x for k, x in enumerate(made)]

    return ("f64",), draw


def _turned(rng: Generator, shape: Shape, dtype: str) -> Array:
    """Well conditioned matrices whose rows a factorization has to move."""
    *_, n, m = shape
    order = rng.permutation(n)
    return (0.3 * number(rng, shape, dtype) + 2 * np.eye(n, m)[order]).astype(
        DTYPES[dtype]
    )


def _definite(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """Definite by their lower triangle; above it is what nobody reads."""
    [shape] = shapes
    n = shape[-1]
    a = 0.3 * number(rng, shape, dtype) + (2 + n / 3) * np.eye(n)
    return [np.asarray(a, DTYPES[dtype])]


def _triangular(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    n = shapes[0][-1]
    a = number(rng, shapes[0], dtype) * 0.3 / max(n, 1) ** 0.5 + 1.5 * np.eye(n)
    return [np.asarray(a, DTYPES[dtype]), number(rng, shapes[1], dtype)]


def _spread(rng: Generator, shape: Shape, dtype: str) -> Array:
    """Singular values, and eigenvalues by the lower triangle, that are well apart."""
    n, m = shape[-2:]
    steps = np.eye(n, m) * (1.0 + np.arange(m))
    a = 0.3 * number(rng, shape, dtype) / max(n, m, 1) ** 0.5 + steps
    return np.asarray(a, DTYPES[dtype])


def _inverted(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """Matrices of full rank and their pseudo-inverses."""
    a = _spread(rng, shapes[0], dtype)
    return [a, np.asarray(np.linalg.pinv(a), a.dtype)]


def _exponentials(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """Small matrices, how often they are halved, and their exponentials."""
    a = np.asarray(0.4 * number(rng, shapes[0], dtype), DTYPES[dtype])
    value = np.asarray(linalg.expm(a) if a.size else a, a.dtype)
    return [a, np.ones(shapes[1], np.int64), value]


def _function_of(name: str) -> Domain:
    """Matrices near to diagonal ones, and what a function of SciPy makes of them."""

    def draw(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
        a = np.asarray(_spread(rng, shapes[0], dtype), DTYPES[dtype])
        made = np.zeros(a.shape, np.complex128)
        for place in np.ndindex(a.shape[:-2]) if a.size else ():
            made[place] = getattr(linalg, name)(a[place].astype(np.float64))
        return [a, np.asarray(made.real, a.dtype)]

    return draw


def _solved(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """``p x + x q = c`` and x."""
    p, q = (_spread(rng, shape, dtype) for shape in shapes[:2])
    x = number(rng, shapes[2], dtype)
    return [p, q, np.asarray(p @ x + x @ q, x.dtype), x]


def _factored(rng: Generator, shapes: Sequence[Shape], dtype: str) -> list[Array]:
    """Matrices, what lu makes of them, and one more operand."""
    a = _turned(rng, shapes[0], dtype)
    factors, order, _ = OPS["lu"].reference(a)
    return [a, factors, order, number(rng, shapes[3], dtype)]


def _table() -> dict[str, tuple[tuple[str, ...], Domain]]:
    """The dtypes and the domain of each op."""
    signed = (FLOATS, each(number))
    table: dict[str, tuple[tuple[str, ...], Domain]] = {}
    for name in (
        "exp exp2 expm1 cbrt sin cos sinh cosh tanh arctan arcsinh erf sigmoid floor "
        "ceil trunc rint isnan isinf isfinite signbit chain chain_both div arctan2 "
        "hypot cosine straight_through bessel_ratio0 bessel_ratio1 bessel_ratio2 "
        "bessel_ratio3 bessel_ratio4 bessel_ratio5 logaddexp logaddexp2 copysign "
        "heaviside with_slope conv conv_input conv_kernel matmul_add"
    ).split():
        table[name] = signed
    for name in "log log2 log10 log1p sqrt root".split():
        table[name] = FLOATS, each(positive)
    for name in "arcsin arccos arctanh".split():
        table[name] = FLOATS, each(inside)
    for name in (
        "neg abs sign add sub mul add_n reduce_sum reduce_prod cumsum recurrence "
        "fold matmul"
    ).split():
        table[name] = NUMBERS, each(number)
    for name in "floor_divide remainder fmod".split():
        table[name] = NUMBERS, _quotient
    for name in "fmax fmin pick".split():
        table[name] = FLOATS, _apart
    for name in "maximum minimum eq ne lt le gt ge".split():
        table[name] = ANY, _apart
    for name in "reduce_max reduce_min argmax argmin".split():
        table[name] = ANY, _distinct
    for name in "logical_and logical_or logical_xor logical_not".split():
        table[name] = LOGIC, each(number)
    for (
        name
    ) in "bitwise_and bitwise_or bitwise_xor invert left_shift right_shift".split():
        table[name] = INTEGERS, each(positive if "shift" in name else number)
    for name in (
        "identity stop_gradient reshape transpose broadcast_to slice update "
        "pad concatenate windows"
    ).split():
        table[name] = ANY, each(number)
    for name in "power_log1 power_log2 power_log3 power_log4".split():
        table[name] = FLOATS, _base_and_exponent
    return table | {
        "share": (FLOATS, each(fraction)),
        "log_share": (FLOATS, each(fraction)),
        "tanh_slope": (FLOATS, _value_and_argument(np.tanh)),
        "sigmoid_slope": (FLOATS, _value_and_argument(expit)),
        "cast": (ANY, each(positive)),
        "tan": (FLOATS, each(angle)),
        "arccosh": (FLOATS, each(above_one)),
        "power": (NUMBERS, _base_and_exponent),
        "float_power": (("f64",), _base_and_exponent),
        "select": (ANY, _choice),
        "take": (ANY, _indexed),
        "sort": (ANY, _distinct),
        "argsort": (ANY, _tied),
        "ranked": (ANY, _distinct),
        "argranked": (ANY, _ranks),
        "searchsorted": (ANY, _searched),
        "put": (ANY, _stored),
        "scatter_add": (NUMBERS, _indexed),
        "slice_at": (ANY, _at(1)),
        "update_at": (ANY, _at(2)),
        "add_at": (NUMBERS, _at(2)),
        "reduce_any": (LOGIC, each(number)),
        "reduce_all": (LOGIC, each(number)),
        "max_pool": (FLOATS, _distinct),
        "max_pool_input": (FLOATS, _pooled),
        "check": (("i64",), each(number)),
        "cholesky": (FLOATS, _definite),
        "lu": (FLOATS, each(_turned)),
        "expm": (FLOATS, _exponentials),
        **{name: (("f64",), _function_of(name)) for name in ("sqrtm", "logm")},
        "sylvester": (("f64",), _solved),
        "pinv": (FLOATS, _inverted),
        **dict.fromkeys(("qr", "eigh", "svd"), (("f64",), each(_spread))),
        **dict.fromkeys(("solve_triangular", "cholesky_input"), (FLOATS, _triangular)),
        **dict.fromkeys(("solve_lu", "det", "logdet"), (FLOATS, _factored)),
        "iota": (("i64",), each(number)),
        **{name: _special(name) for name in INTERVALS},
    }


DOMAINS = _table()


def _cases(op: str) -> Sequence[Case]:
    """The operand shapes and attributes of an op; equal shapes if it is elementwise."""
    record = OPS[op]
    if op in CASES:
        return CASES[op]
    arity = 3 if record.variadic else record.arity
    return [Case((shape,) * arity, {}) for shape in SHAPES]


def _samples(
    op: str, dtypes: Sequence[str], cases: Sequence[Case]
) -> tuple[Sample, ...]:
    rng = np.random.default_rng(zlib.crc32(op.encode()))
    _, domain = DOMAINS[op]
    made: list[Sample] = []
    for number_, case in enumerate(cases):
        dtype = dtypes[number_ % len(dtypes)]
        layout = LAYOUTS[(number_ + number_ // 5) % 5]
        arrays = domain(rng, case.shapes, dtype)
        label = f"{dtype} {list(case.shapes)} {layout} {dict(case.attrs)}"
        laid = tuple(lay_out(np.asarray(array), layout) for array in arrays)
        made.append(Sample(laid, case.attrs, label))
    return tuple(made)


@cache
def smooth(op: str) -> tuple[Sample, ...]:
    """The samples of a differentiable op in float64, before and after a cast too."""
    made = _cases(op)
    if op == "cast":
        made = [Case(case.shapes, {"dtype": "f64"}) for case in made]
    return _samples(op, ("f64",), made)


SAMPLES = {op: _samples(op, dtypes, _cases(op)) for op, (dtypes, _) in DOMAINS.items()}
