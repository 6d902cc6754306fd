"""Elementwise ops at NaN, infinities, zeros of both signs, subnormals and extremes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.ir import OPS
from anabranch.ir.ops.special import SCALARS
from anabranch.ir.types import DTYPES
from tests.laws.op_graphs import compiled, one_op
from tests.laws.op_samples import DOMAINS, SAMPLES, Array, Sample
from tests.laws.test_ops_compiled import assert_elementwise

# See `tests.backends.test_special_functions`.
SCIPYS = {*SCALARS, "trigamma", "i2e"} - {"xlogy"}
ELEMENTWISE = [op for op in SAMPLES if OPS[op].scalar is not None and op not in SCIPYS]
ZERO_OF_EITHER_SIGN = "maximum minimum fmax fmin reduce_max reduce_min sort".split()

SHARES = ("share", "log_share")


def specials(dtype: str) -> Array:
    """The values that an op has to get right."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype not in ("f32", "f64"):
        ends = np.iinfo(DTYPES[dtype].name)
        width = ends.bits
        values = [0, 1, 2, 3, 7, width - 1, width, width + 6, ends.max, ends.max - 1]
        if ends.min < 0:
            values += [-1, -2, -7, -width, ends.min, ends.min + 1]
        return np.array(values, DTYPES[dtype])
    ends = np.finfo(DTYPES[dtype].name)
    magnitudes = [
        *(0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 7.0, 7.5, 88.0, 1000.0, 1e-5, 1e10),
        *(np.inf, np.nan, np.pi / 2, 1 - ends.epsneg, 1 + ends.eps),
        *(ends.max, ends.tiny, ends.smallest_subnormal, ends.max / 2),
    ]
    floats: Array = np.array(magnitudes, DTYPES[dtype])
    return np.concatenate([floats, -floats])


def grid(op: str, dtype: str) -> Sample:
    """Every tuple of special values as the operands of one call."""
    arity = 2 if OPS[op].variadic else OPS[op].arity
    pool = specials(dtype)
    if arity >= 3:
        pool = pool[np.isin(pool, [0, 1, -2.5, np.inf, -np.inf]) | (pool != pool)]
    columns = [pool] * arity
    if op == "select":
        columns[0] = np.array([False, True])
    rows = list(product(*columns))
    attrs: dict[str, Any] = {"dtype": dtype} if op == "cast" else {}
    if op in SHARES:
        attrs = {"axes": (0,)}
    arrays = [
        np.array(column, like.dtype)
        for column, like in zip(zip(*rows, strict=True), columns, strict=True)
    ]
    return Sample(tuple(arrays), attrs, dtype)


def same(op: str, sample: Sample) -> None:
    """Reference and compiled agree in every element."""
    graph = one_op(op, sample)
    [expected] = interpret(graph, sample.operands)
    [made] = compiled(graph, sample.operands)
    if op in ZERO_OF_EITHER_SIGN:
        expected, made = expected + 0, made + 0
    for place in np.ndindex(made.shape):
        at = tuple(x[place].item() for x in sample.operands if x.shape == made.shape)
        what = f"{op} {sample.label} {at}: {made[place]} not {expected[place]}"
        here = Sample(
            tuple(x[place, None] for x in sample.operands if x.shape == made.shape),
            {},
            "",
        )
        assert_elementwise(op, here, made[place, None], expected[place, None], what)


@pytest.mark.parametrize("op", ELEMENTWISE)
def test_special_values(op: str) -> None:
    for dtype in sorted(set(DOMAINS[op][0])):
        sample = grid(op, dtype)
        if op == "power" and dtype[0] == "i":  # negative powers never reach the op
            keep = sample.operands[1] >= 0
            sample = Sample(tuple(x[keep] for x in sample.operands), {}, dtype)
        same(op, sample)


@pytest.mark.parametrize(
    "op", ["reduce_sum", "reduce_prod", "reduce_max", "reduce_min"]
)
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_reductions_of_special_values(op: str, dtype: str) -> None:
    """Every pair of special values, reduced along either axis."""
    pool = specials(dtype)
    pairs = np.array(list(product(pool, pool)), DTYPES[dtype])
    same(op, Sample((pairs,), {"axes": (1,)}, f"{dtype} along 1"))
    same(op, Sample((pairs.T.copy(),), {"axes": (0,)}, f"{dtype} along 0"))


@pytest.mark.parametrize("count", [100, 300_000])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_products_are_made_in_order(count: int, dtype: str) -> None:
    """Zeros before what overflows, and after it."""
    row = np.full(count, np.finfo(DTYPES[dtype].name).max / 2, DTYPES[dtype])
    row[1] = 0
    both: Array = np.stack([row, row[::-1]])
    with np.errstate(over="ignore", invalid="ignore"):
        same("reduce_prod", Sample((both,), {"axes": (1,)}, f"{dtype} along 1"))
        same(
            "reduce_prod", Sample((both.T.copy(),), {"axes": (0,)}, f"{dtype} along 0")
        )


@pytest.mark.parametrize("op", ["argmax", "argmin"])
def test_positions_of_special_values(op: str) -> None:
    """The first NaN wins, and the first of equal zeros."""
    pool = specials("f64")
    triples = np.array(list(product(pool[::3], pool, pool[::3])))
    same(op, Sample((triples,), {"axis": 1}, "triples"))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("count", [7, 60])
def test_order_of_special_values(count: int, dtype: str) -> None:
    """Zeros of both signs are equal, and so are all NaNs, which come last."""
    pool = np.array([*specials(dtype), -np.nan], DTYPES[dtype])
    row = np.random.default_rng(count).choice(pool, count)
    same("argsort", Sample((row,), {}, f"{dtype} {count}"))
    same("sort", Sample((row,), {}, f"{dtype} {count}"))
    for right in (False, True):
        sample = Sample((np.sort(row), row), {"right": right}, f"{dtype} {right}")
        same("searchsorted", sample)


LOW, HIGH = -(2**63), 2**63 - 1
CORNERS: list[tuple[str, tuple[int, ...], int]] = [
    ("floor_divide", (7, 0), 0),
    ("floor_divide", (-7, 2), -4),
    ("floor_divide", (LOW, -1), LOW),
    ("remainder", (7, 0), 0),
    ("remainder", (-7, 2), 1),
    ("remainder", (7, -2), -1),
    ("remainder", (LOW, -1), 0),
    ("fmod", (7, 0), 0),
    ("fmod", (-7, 2), -1),
    ("fmod", (LOW, -1), 0),
    ("abs", (LOW,), LOW),
    ("neg", (LOW,), LOW),
    ("sign", (LOW,), -1),
    ("add", (HIGH, 1), LOW),
    ("sub", (LOW, 1), HIGH),
    ("mul", (HIGH, 2), -2),
    ("power", (3, 41), 3**41 - 2**65),
    ("power", (2, 64), 0),
    ("power", (0, 0), 1),
    ("left_shift", (1, 63), LOW),
    ("left_shift", (1, 64), 0),
    ("left_shift", (1, 70), 0),
    ("right_shift", (-8, 64), -1),
    ("right_shift", (8, 70), 0),
    ("right_shift", (-8, 1), -4),
    ("invert", (LOW,), HIGH),
]


@pytest.mark.parametrize(("op", "operands", "expected"), CORNERS)
def test_integer_corners(op: str, operands: tuple[int, ...], expected: int) -> None:
    """Division by zero, the lowest integer, shifts by the width: as NumPy defines."""
    sample = Sample(tuple(np.array([x]) for x in operands), {}, "i64")
    graph = one_op(op, sample)
    assert interpret(graph, sample.operands)[0].tolist() == [expected]
    assert compiled(graph, sample.operands)[0].tolist() == [expected]
