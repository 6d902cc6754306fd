"""Max pooling compiled: ties, NaN, infinities, at the edges of windows and vectors."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pytest

import anabranch
from anabranch.backends.llvm.run.executable import prepare
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Graph, TensorType, parse
from tests.oracles.bits import assert_same_bits

Ints: TypeAlias = "tuple[int, ...]"

# (shape, window, stride)
SIZES: list[tuple[Ints, Ints, Ints]] = [
    ((2, 3, 28, 28), (2, 2), (2, 2)),
    ((3, 9, 7), (2, 3), (2, 3)),
    ((2, 3, 71), (2,), (2,)),
    ((2, 40, 37), (3, 3), (2, 2)),
    ((2, 20, 21), (2, 3), (1, 1)),
    ((1, 3, 3), (3, 3), (2, 2)),
    ((2, 10, 38), (2, 2), (3, 4)),
    ((2, 9, 40), (2, 2), (4, 1)),
    ((2, 30, 30), (30, 30), (1, 1)),
    ((2, 6, 7, 40), (2, 1, 3), (1, 2, 3)),
]
VALUES = [-np.inf, -1.0, 0.5, 0.5, 2.0, 2.0]
ODD = [*VALUES, np.inf, np.nan]


def pooled(shape: Ints, size: Ints, stride: Ints, dtype: str) -> Graph:
    lead = len(shape) - len(size)
    sizes = zip(shape[lead:], size, stride, strict=True)
    places = [(whole - part) // step + 1 for whole, part, step in sizes]
    x = TensorType(dtype, shape)
    y = TensorType(dtype, (*shape[:lead], *places))
    return parse(
        f"graph f(%x: {x}) {{\n"
        f"  %y = max_pool(%x) {{size={size}, stride={stride}}} : {y}\n"
        "  return %y\n}"
    )


def as_windows(graph: Graph) -> Graph:
    """The same maxima, as a reduction over windows."""
    x, y = graph.inputs[0].type, graph["y"].type
    size: Any = graph["y"].attrs["size"]
    stride = graph["y"].attrs["stride"]
    seen = y.with_shape((*y.shape, *size))
    axes = tuple(range(x.rank, seen.rank))
    return parse(
        f"graph f(%x: {x}) {{\n"
        f"  %w = windows(%x) {{size={size}, stride={stride}}} : {seen}\n"
        f"  %y = reduce_max(%w) {{axes={axes}}} : {y}\n"
        "  return %y\n}"
    )


@pytest.mark.parametrize("values", [VALUES, ODD], ids=["ties", "nan"])
@pytest.mark.parametrize("dtype", ["f32", "f64"])
@pytest.mark.parametrize("case", SIZES, ids=str)
def test_equals_a_reduction_over_windows(
    case: tuple[Ints, Ints, Ints], dtype: str, values: list[float]
) -> None:
    """Bit for bit, forward, backward and the reference; a cotangent has zeros too."""
    forward = pooled(*case, dtype)
    graph = adjoint(forward, wrt=("x",), seeded=True)
    written_out = adjoint(as_windows(forward), wrt=("x",), seeded=True)
    rng = np.random.default_rng(0)
    x, seed = (
        rng.choice(numbers, node.type.shape).astype(node.type.numpy)
        for node, numbers in zip(graph.inputs, (values, [0.0, 0.3, -1.7]), strict=True)
    )
    expected = interpret(written_out, [x, seed])
    assert_same_bits(interpret(graph, [x, seed]), expected)
    executable = prepare(graph)
    frame = executable.frame()
    frame.arena[:] = 0xFF
    executable._frames.append(frame)
    assert_same_bits(executable([x, seed]), expected)


def test_the_second_derivative_goes_to_the_maxima() -> None:
    x = np.array([[[1.0, 3.0, 2.0, 2.0]]])

    def slope(x: Any) -> Any:
        first = anabranch.grad(lambda x: np.sum(anabranch.max_pool(x, 2) ** 3))(x)
        return np.sum(first * np.array([1.0, 1.0, 1.0, 5.0]))

    second = anabranch.grad(slope)(x)
    # slope is 3 a**2 + 9 b**2 for the maxima a = 3 and b = 2; b's tie shares its part
    np.testing.assert_allclose(second, [[[0.0, 18.0, 18.0, 18.0]]])
