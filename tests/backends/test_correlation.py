"""Convolutions by the kernels of `correlation`, at the edges of their tiles."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import pytest

from anabranch.backends.llvm.emit import make_plan
from anabranch.backends.llvm.kernels.correlation import TILE_VECTORS, lanes, tile
from anabranch.backends.llvm.machine import using
from anabranch.backends.llvm.run.executable import LLVMExecutable, prepare
from anabranch.backends.reference.interpreter import interpret
from anabranch.ir import Graph, parse
from tests.machines import WIDTHS, with_vectors

FLOATS = {"f32": np.float32, "f64": np.float64}
RTOL = {"f32": 1e-6, "f64": 1e-15}

Size: TypeAlias = (
    "tuple[int, int, int, tuple[int, ...], tuple[int, ...], tuple[int, ...]]"
)

# (N, C, O, space, window, stride)
SIZES: list[Size] = [
    (3, 1, 6, (28, 28), (5, 5), (1, 1)),
    (2, 6, 16, (14, 14), (5, 5), (1, 1)),
    (2, 3, 9, (17, 19), (3, 3), (1, 1)),
    (2, 5, 13, (9, 33), (2, 4), (1, 1)),
    (2, 7, 17, (15, 14), (3, 3), (2, 2)),
    (2, 3, 5, (16, 11), (3, 2), (2, 3)),
    (2, 4, 3, (11, 9), (2, 2), (3, 4)),
    (3, 20, 24, (9, 8), (1, 1), (1, 1)),
    (2, 3, 4, (9, 9), (1, 1), (2, 2)),
    (2, 3, 7, (50,), (6,), (1,)),
    (2, 2, 4, (41,), (4,), (3,)),
    (1, 2, 3, (5, 6, 7), (2, 3, 2), (1, 2, 1)),
    (40, 2, 3, (48, 48), (3, 3), (1, 1)),
]


def places(
    space: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...]
) -> tuple[int, ...]:
    sizes = zip(space, window, stride, strict=True)
    return tuple((whole - size) // step + 1 for whole, size, step in sizes)


def graph(op: str, dtype: str, size: Size) -> Graph:
    n, c, o, space, window, stride = size
    x, w = (n, c, *space), (o, c, *window)
    y = (n, o, *places(space, window, stride))
    shapes, result, attr = {
        "conv": ((x, w), y, ""),
        "conv_input": ((y, w), x, f", shape={space}"),
        "conv_kernel": ((x, y), w, f", shape={window}"),
    }[op]
    types = [f"{dtype}[{','.join(map(str, s))}]" for s in (*shapes, result)]
    return parse(
        f"graph g(%a: {types[0]}, %b: {types[1]}) {{\n"
        f"  %r = {op}(%a, %b) {{stride={stride}{attr}}} : {types[2]}\n"
        "  return %r\n}"
    )


def arrays(made: Graph, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [
        rng.standard_normal(node.type.shape).astype(node.type.numpy)
        for node in made.inputs
    ]


def dirty(made: Graph) -> LLVMExecutable:
    """The compiled graph, its scratch memory NaN."""
    executable = prepare(made)
    frame = executable.frame()
    frame.arena[:] = 255
    executable._frames.append(frame)
    return executable


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("op", ["conv", "conv_input", "conv_kernel"])
def test_equals_the_reference(op: str, size: Size, dtype: str) -> None:
    """With vectors of any width, and so with tiles of any size."""
    made = graph(op, dtype, size)
    operands = arrays(made)
    exact, wide = graph(op, "f64", size), [a.astype(np.float64) for a in operands]
    [expected] = interpret(exact, wide)
    [bound] = interpret(exact, [np.abs(a) for a in wide])
    for width in WIDTHS:
        with using(with_vectors(width)):
            [found] = dirty(made)(operands)
        assert found.dtype == FLOATS[dtype]
        assert np.all(np.abs(found - expected) <= RTOL[dtype] * bound), width


@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("operand", [0, 1])
@pytest.mark.parametrize("stride", [(1, 1), (2, 2)])
@pytest.mark.parametrize("op", ["conv", "conv_input", "conv_kernel"])
def test_what_is_not_finite_stays_where_it_belongs(
    op: str, stride: tuple[int, int], operand: int, value: float
) -> None:
    """No product with the junk between rows or beyond the ends."""
    made = graph(op, "f64", (2, 2, 3, (6, 7), (3, 2), stride))
    executable, operands = dirty(made), arrays(made)
    flat = operands[operand].reshape(-1)
    whole = flat.copy()
    for at in range(flat.size):
        flat[:] = whole
        flat[at] = value
        [found] = executable(operands)
        [expected] = interpret(made, operands)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("op", ["conv", "conv_input", "conv_kernel"])
def test_a_batch_changes_words_only(op: str) -> None:
    plans = [
        make_plan(graph(op, "f32", (n, 3, 8, (12, 12), (3, 3), (1, 1))))
        for n in (2, 3, 50)
    ]
    kernels = [[step.kernel for step in plan.steps] for plan in plans]
    assert kernels[0] == kernels[1] == kernels[2]


@pytest.mark.parametrize("op", ["conv", "conv_input", "conv_kernel"])
def test_no_windows_are_copied(op: str) -> None:
    """Scratch is less than a quarter of the columns of im2col."""
    n, c, o, space, window = 64, 6, 16, (14, 14), (5, 5)
    plan = make_plan(graph(op, "f32", (n, c, o, space, window, (1, 1))))
    columns = 4 * n * c * math.prod((*window, *places(space, window, (1, 1))))
    assert plan.arena_bytes < columns / 4


@pytest.mark.parametrize("rows", range(1, 40))
def test_a_tile_fits_the_rows(rows: int) -> None:
    for vectors in range(1, 60):
        height, width = tile(rows, vectors)
        assert 1 <= height <= rows
        assert 1 <= width <= TILE_VECTORS
    assert lanes("f32") == 2 * lanes("f64")
