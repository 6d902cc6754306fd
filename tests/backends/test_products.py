"""Matrix products: every kernel by itself, and how the planner chooses and lays out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import anabranch as ab
from anabranch.backends.llvm.kernels import few_rows, products, routines
from anabranch.backends.llvm.kernels.products import (
    KINDS,
    ProductWords,
    product_source,
)
from anabranch.backends.llvm.machine import current, using
from tests.backends.kernels import run

DTYPES = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}
WIDTHS = [16, 32, 64]
ALL = [(kind, dtype, width) for kind in KINDS for dtype in DTYPES for width in WIDTHS]
KERNEL = pytest.mark.parametrize(("kind", "dtype", "width"), ALL)


def operand(rng: np.random.Generator, shape: tuple[int, ...], dtype: str, flag: bool):
    """Matrices, lying transposed where the flag says so."""
    shape = (*shape[:-2], shape[-1], shape[-2]) if flag else shape
    made = rng.standard_normal(shape).astype(DTYPES[dtype])
    return made.swapaxes(-1, -2) if flag else made


def steps(array: np.ndarray) -> list[int]:
    return [stride // array.itemsize for stride in array.strides]


def multiply(
    text: str,
    a: np.ndarray,
    b: np.ndarray,
    c: np.ndarray,
    accumulate: bool = False,
) -> None:
    """Run a product kernel on matrices, or stacks of them with one or two axes."""
    m, k, n = *a.shape[-2:], b.shape[-1]
    stack = [[0, 0, *steps(x)[:-2]] for x in (a, b, c)]
    counts = [1, 1, *a.shape[:-2]]
    inner, outer = ((counts[axis], *(row[axis] for row in stack)) for axis in (-1, -2))
    (down, across), right = steps(a)[-2:], steps(b)[-2:]
    layout = (down, across, *right, steps(c)[-2])
    words = ProductWords._make(
        [*(0, 1, 2, 0, 0, 0), m, n, k, *layout, *inner, int(accumulate), *outer]
    )
    assert run(text, (a, b, c), words) == 0


def assert_close(
    c: np.ndarray, a: np.ndarray, b: np.ndarray, before: np.ndarray | float = 0.0
) -> None:
    """Within k + 1 roundings of the sum of the absolute terms."""
    wide_a, wide_b = (x.astype(np.longdouble) for x in (a, b))
    exact = wide_a @ wide_b + before
    terms = np.abs(wide_a) @ np.abs(wide_b) + np.abs(before)
    bound = (a.shape[-1] + 1) * np.finfo(c.dtype).eps * terms
    assert np.all(np.abs(c - exact) <= bound)


def assert_is_product(
    found: np.ndarray,
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
    x: np.ndarray,
    y: np.ndarray,
) -> None:
    """The same, for a function that is one product of whatever it makes of x and y.

    Of ones it is how many terms each element has.
    """
    wide_x, wide_y = (z.astype(np.longdouble) for z in (x, y))
    exact, terms = function(wide_x, wide_y), function(np.abs(wide_x), np.abs(wide_y))
    count = function(np.ones_like(wide_x), np.ones_like(wide_y))
    bound = (count + 1) * np.finfo(x.dtype).eps * terms
    assert found.dtype == x.dtype
    assert found.shape == exact.shape
    assert np.all(np.abs(found - exact) <= bound)


def edges(unit: int) -> list[int]:
    return [1, unit - 1, unit, unit + 1, 2 * unit + 1]


@KERNEL
def test_sizes_around_the_edges_of_tiles(kind: str, dtype: str, width: int) -> None:
    rng = np.random.default_rng(0)
    text = product_source(kind, dtype, width)
    lanes = width // DTYPES[dtype].itemsize
    heights = {"product": [1, 2, 3, 4, 5, 7, 8, 9, 17], "row": [1], "dots": [1, 2, 3]}
    flags = {
        "product": list(itertools.product([False, True], repeat=2)),
        "row": [(False, False), (True, False)],
        "dots": [(False, True)],
    }
    widths = [*edges(lanes), 4 * lanes, 5 * lanes + 1]
    depths = [*edges(lanes), 2, products.DEPTH, products.DEPTH + 3]
    for m, n, k, (ta, tb) in itertools.product(
        heights[kind], widths, depths, flags[kind]
    ):
        a = operand(rng, (m, k), dtype, ta)
        b = operand(rng, (k, n), dtype, tb)
        c = np.full((m, n), np.nan, a.dtype)
        multiply(text, a, b, c)
        assert_close(c, a, b)
        before = rng.standard_normal((m, n)).astype(a.dtype)
        c = before.copy()
        multiply(text, a, b, c, accumulate=True)
        assert_close(c, a, b, before)


@KERNEL
def test_stacks_with_two_axes_and_gaps(kind: str, dtype: str, width: int) -> None:
    rng = np.random.default_rng(1)
    text = product_source(kind, dtype, width)
    m, n, k = (3 if kind != "row" else 1), 9, 5
    right = kind == "dots"
    a = operand(rng, (2, 4, 3, m, 2 * k), dtype, False)[:, :, 1, :, :k]
    b = operand(rng, (4, 3, k, n), dtype, right)[:, 1]
    b = np.broadcast_to(b, (2, *b.shape))
    whole = np.full((4, 2, m, n + 3), -1, a.dtype)
    c = whole.swapaxes(0, 1)[..., :n]
    multiply(text, a, b, c)
    assert_close(c, a, b)
    assert np.all(whole[..., n:] == -1)


@KERNEL
def test_a_stack_may_be_summed(kind: str, dtype: str, width: int) -> None:
    rng = np.random.default_rng(2)
    text = product_source(kind, dtype, width)
    m = 1 if kind == "row" else 3
    a = operand(rng, (2, 3, m, 5), dtype, False)
    b = operand(rng, (2, 3, 5, 4), dtype, kind == "dots")
    for before in (None, 1.0):
        total = np.full((m, 4), np.nan if before is None else before, a.dtype)
        c = np.broadcast_to(total, (2, 3, m, 4))
        multiply(text, a, b, c, accumulate=before is not None)
        joined = np.concatenate(a.reshape(6, m, 5), -1), b.reshape(30, 4)
        assert_close(total, *joined, before or 0.0)


@KERNEL
def test_nothing_outside_is_read_or_skipped(kind: str, dtype: str, width: int) -> None:
    """NaN around the operands stays out; inf and NaN inside come through."""
    rng = np.random.default_rng(3)
    text = product_source(kind, dtype, width)
    m = 1 if kind == "row" else 3
    flag = kind == "dots"
    a = np.full((m + 2, 9), np.nan, DTYPES[dtype])[1:-1, 1:-1]
    a[...] = rng.standard_normal(a.shape)
    b = operand(rng, (9, 13), dtype, flag)
    b[...] = np.nan
    b = b[1:-1, 1:-1]
    b[...] = rng.standard_normal(b.shape)
    c = np.full((m, 11), np.nan, a.dtype)
    multiply(text, a, b, c)
    assert_close(c, a, b)
    a[0, 2], b[2, 3], b[4, 5], b[5, 6], b[6, 6] = 0, np.inf, np.nan, np.inf, -np.inf
    a[:, 5:] = np.abs(a[:, 5:])
    with np.errstate(invalid="ignore"):
        multiply(text, a, b, c)
    assert np.isnan(c[0, 3])
    assert np.isnan(c[:, [5, 6]]).all()
    assert np.isfinite(np.delete(c, [3, 5, 6], 1)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("flag", [False, True])
def test_bits_do_not_depend_on_the_cut(dtype: str, flag: bool) -> None:
    rng = np.random.default_rng(4)
    text = product_source("product", dtype)
    a = operand(rng, (21, 300), dtype, False)
    b = operand(rng, (300, 45), dtype, flag)
    whole = np.empty((21, 45), a.dtype)
    multiply(text, a, b, whole)
    for cut in (1, 2, 5, 8, 20):
        parts = np.empty_like(whole)
        multiply(text, a[:cut], b, parts[:cut])
        multiply(text, a[cut:], b, parts[cut:])
        np.testing.assert_array_equal(parts, whole)
    for cut in (1, 16, 33):
        columns = np.empty((21, cut), a.dtype)
        multiply(text, a, b[:, :cut], columns)
        np.testing.assert_array_equal(columns, whole[:, :cut])


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_of_a_row_depend_on_no_block(dtype: str) -> None:
    rng = np.random.default_rng(5)
    text = product_source("row", dtype)
    n = 2 * few_rows.BLOCK // DTYPES[dtype].itemsize + 3
    a = operand(rng, (1, 13), dtype, False)
    b = operand(rng, (13, n), dtype, False)
    whole = np.ones((1, n), a.dtype)
    multiply(text, a, b, whole, accumulate=True)
    assert_close(whole, a, b, 1.0)
    for first, last in ((0, 1), (n // 3, n // 2), (n - 40, n)):
        part = np.ones((1, last - first), a.dtype)
        multiply(text, a, b[:, first:last], part, accumulate=True)
        np.testing.assert_array_equal(part, whole[:, first:last])


# How the planner lays out and chooses.


def labels(function: ab.Compiled) -> list[str]:
    """The labels of the steps of the only plan."""
    lines = function.inspect_ir(stage="plan").splitlines()[1:]
    return [line.split()[1] for line in lines if line]


@pytest.fixture(params=["ours", "blas"])
def maker(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Products by our kernels, then all of them by BLAS."""
    limit = 2**40 if request.param == "ours" else 0
    width = 64 if request.param == "ours" else 16
    monkeypatch.setattr(products, "LARGE", {width: limit})
    with using(current()._replace(vector_bytes=width)):
        yield {"ours": "product", "blas": "gemm"}[request.param]


LAYOUTS = {
    "plain": (lambda x, y: x @ y, (9, 5), (5, 6)),
    "left transposed": (lambda x, y: x.T @ y, (5, 9), (5, 6)),
    "right transposed": (lambda x, y: x @ y.T, (9, 5), (6, 5)),
    "both transposed": (lambda x, y: x.T @ y.T, (5, 9), (6, 5)),
    "a stack and its transpose": (lambda x, y: x @ y.mT, (4, 9, 5), (4, 6, 5)),
    "a shared left operand": (lambda x, y: x @ y, (9, 5), (4, 5, 6)),
    "axes that do not merge": (
        lambda x, y: x.swapaxes(1, 2) @ y.swapaxes(1, 2).mT,
        (2, 7, 3, 5),
        (2, 8, 3, 5),
    ),
    "attention scores": (
        lambda x, y: np.einsum("bqhd,bkhd->bhqk", x, y),
        (2, 7, 3, 5),
        (2, 8, 3, 5),
    ),
    "attention values, transposed at once": (
        lambda x, y: np.einsum("bhqk,bkhd->bqhd", x, y),
        (2, 3, 7, 8),
        (2, 8, 3, 5),
    ),
    "a result that is wanted transposed": (lambda x, y: (x @ y).T, (9, 5), (5, 6)),
    "part of the columns": (lambda x, y: x[:, 1:4] @ y[:3, 2:], (9, 5), (5, 6)),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYOUTS)
def test_operands_are_not_copied(name: str, dtype: str, maker: str) -> None:
    function, *shapes = LAYOUTS[name]
    rng = np.random.default_rng(5)
    x, y = (rng.standard_normal(shape).astype(DTYPES[dtype]) for shape in shapes)
    compiled = ab.jit(function)
    assert_is_product(compiled(x, y), function, x, y)
    assert labels(compiled) == [maker]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x[:, ::2] @ y[::2, ::2],
        lambda x, y: x[::-1, ::-1] @ y[::-1, ::-1],
        lambda x, y: np.broadcast_to(x[:1, :1], (3, 6)) @ y,
        lambda x, y: x @ np.broadcast_to(y[:, :1], (6, 4)),
        lambda x, y: (
            x @ np.broadcast_to(y[::2, ::2], (2, 3, 3, 4)).reshape(2, 3, 6, 2)[1]
        ),
    ],
)
def test_any_strides_will_do(function, maker: str) -> None:
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((3, 6)), rng.standard_normal((6, 8))
    assert_is_product(ab.jit(function)(x, y), function, x, y)


def test_more_axes_than_a_step_has(maker: str) -> None:
    """Five axes of a stack, no two of which merge: a step for each outer index."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((2, 4, 2, 3, 2, 3))
    y = rng.standard_normal((3, 2, 2, 2, 3, 5))

    def function(x, y):
        return x.transpose(2, 0, 4, 3, 1, 5) @ y.transpose(2, 1, 3, 0, 4, 5)

    compiled = ab.jit(function)
    assert_is_product(compiled(x, y), function, x, y)
    assert set(labels(compiled)) == {maker}


@pytest.mark.parametrize(
    "shapes",
    [
        ((0, 5), (5, 6)),
        ((3, 0), (0, 6)),
        ((3, 5), (5, 0)),
        ((0, 3, 5), (0, 5, 6)),
        ((4, 3, 0), (4, 0, 6)),
        ((1, 0), (0, 1)),
        ((1, 1), (1, 1)),
        ((3, 5, 1), (3, 1, 7)),
        ((1, 7), (7, 1)),
        ((7, 1), (1, 1)),
        ((1, 9), (9, 700)),
        ((700, 9), (9, 1)),
        ((4, 1, 9), (4, 9, 1)),
    ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_degenerate_sizes(shapes, dtype: str, maker: str) -> None:
    rng = np.random.default_rng(8)
    x, y = (rng.standard_normal(shape).astype(DTYPES[dtype]) for shape in shapes)
    for function in (np.matmul, lambda x, y: (y.mT @ x.mT).mT):
        assert_is_product(ab.jit(function)(x, y), np.matmul, x, y)


@pytest.mark.parametrize(
    ("sizes", "b_rows", "a_rows", "kinds"),
    [
        ((16, 16, 16), True, True, ("gemm", "product", "product")),
        ((100, 100, 100), True, True, ("gemm", "gemm", "product")),
        ((600, 600, 600), True, True, ("gemm", "gemm", "gemm")),
        ((1, 1000, 1000), True, True, ("gemm", "row", "row")),
        ((1, 1000, 1000), False, True, ("gemm", "dots", "dots")),
        ((1, 1000, 1000), False, False, ("gemm", "product", "product")),
        ((2, 2, 2), False, True, ("gemm", "product", "product")),
    ],
    ids=str,
)
def test_the_choice_follows_the_sizes(
    sizes: tuple[int, int, int], b_rows: bool, a_rows: bool, kinds: tuple[str, ...]
) -> None:
    """And the vectors: of 16, 32 and 64 bytes."""
    for width, kind in zip(WIDTHS, kinds, strict=True):
        with using(current()._replace(vector_bytes=width)):
            assert products.kernel_for(*sizes, b_rows, a_rows) == kind


@pytest.mark.parametrize(
    "symbols", [routines.NUMPY_SYMBOLS, ()], ids=["NumPy's", "SciPy's"]
)
def test_either_library(
    symbols: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setattr(routines, "NUMPY_SYMBOLS", symbols)
    routines.routine.cache_clear()
    request.addfinalizer(routines.routine.cache_clear)
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64):
        a, b = (rng.normal(size=(300, 300)).astype(dtype) for _ in "ab")
        made = ab.jit(lambda a, b: a @ b.T)(a, b)
        bound = 300 * np.finfo(dtype).eps * (np.abs(a) @ np.abs(b).T)
        assert np.all(np.abs(made - a @ b.T) <= bound)
