"""Forward and reverse mode, in any order of the two, agree at special points.

At infinities, zeros and the ends of domains a rule may multiply zero by infinity in one
mode and not in the other. Where a limit exists, all of them are to say it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.passes.prune import prune
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.compiler.transforms.tangent import tangent
from anabranch.ir import OPS, Graph, parse
from anabranch.ir.builder import Builder
from anabranch.ir.graph import Output
from anabranch.ir.ops import NONDIFFERENTIABLE, Kind

INF = np.inf
ENDS = np.array([0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 2.0, -2.0, 25.0, INF, -INF])
PLANE = np.array([0.0, -0.0, 0.5, 1.0, -1.0, 2.0, INF, -INF])

LAST = ("cosine", "bessel_ratio3", "bessel_ratio4", "bessel_ratio5", "power_log4")
"""Derivatives of other ops, of which they are the last that has its digits."""
SMOOTH = [
    op.name
    for op in OPS.values()
    if (op.kind is Kind.ELEMENTWISE or op.ufunc)
    and op.adjoint is not NONDIFFERENTIABLE
    and not op.attrs
    and not op.variadic
    and not op.refused
    and op.name not in LAST
]
NO_FLOATS = ("wofz", "fresnel", "sici", "shichi", "airy", "airye")
"""Of complex numbers, or of several results."""
UNARY = [name for name in SMOOTH if OPS[name].arity == 1 and name not in NO_FLOATS]
BINARY = [
    name
    for name in SMOOTH
    if OPS[name].arity == 2 and OPS[name].kind is Kind.ELEMENTWISE
]
LIMITS = [  # the second derivative at the end
    *(
        (op, end, 0.0)
        for op in ("arctan", "arcsinh", "tanh", "erf")
        for end in (INF, -INF)
    ),
    *((op, end, 0.0) for op in ("sigmoid", "erfc", "ndtr") for end in (INF, -INF)),
    *(
        ("log1p", INF, 0.0),
        ("log1p", -1.0, -INF),
        ("log", 0.0, -INF),
        ("log", INF, 0.0),
    ),
    *(("expm1", -INF, 0.0), ("exp", -INF, 0.0), ("sqrt", 0.0, -INF)),
    *(("arcsin", 1.0, INF), ("arccos", 1.0, -INF), ("arctanh", 1.0, INF)),
    *(("arccosh", 1.0, -INF), ("arccosh", INF, 0.0)),
    *(("log_ndtr", INF, 0.0), ("log_ndtr", -INF, -1.0)),
    *(("exprel", INF, INF), ("exprel", 1000.0, INF), ("exprel", -INF, 0.0)),
    *(("gamma", INF, INF), ("gamma", 1000.0, INF)),
    *(("logit", 0.0, -INF), ("logit", 1.0, INF), ("bessel_ratio0", 0.0, -1 / 3)),
]


def graph_of(op: str) -> Graph:
    """One node whose operands are vectors."""
    count = len(ENDS) if OPS[op].arity == 1 else len(PLANE) ** 2
    names = ["%x", "%y"][: OPS[op].arity]
    head = ", ".join(f"{name}: f64[{count}]" for name in names)
    line = f"%z = {op}({', '.join(names)}) : f64[{count}]"
    return parse(f"graph f({head}) {{\n  {line}\n  return %z\n}}\n")


def derivative(graph: Graph, slot: int, mode: str) -> Graph:
    """That of the result by an input, of each element by its own."""
    name, results = graph.inputs[slot].name, list(graph.results)
    if mode == "r":
        made = adjoint(graph, wrt=[name], of=results, seeded=True)
    else:
        made = tangent(graph, wrt=[name], of=results)
    made = made.returning(made.outputs[len(graph.outputs) :])
    b = Builder("derivative")
    given = [b.input(node.name, node.type) for node in graph.inputs]
    (end,) = b.embed(made, [*given, b.full(made.inputs[-1].type, 1.0)])
    return prune(b.build([Output(end.name)]))


def derivatives(
    graph: Graph, slots: Sequence[int], point: Sequence[Any]
) -> Iterator[tuple[str, Any]]:
    """The derivative by these slots in turn, in each mode."""
    known = {"": graph}
    for modes in map("".join, product("fr", repeat=len(slots))):
        for stop in range(1, len(modes) + 1):
            key, slot = modes[:stop], slots[stop - 1]
            if key not in known:
                known[key] = derivative(known[key[:-1]], slot, key[-1])
        with np.errstate(all="ignore"):
            yield modes, interpret(known[modes], list(point))[0]


def assert_one(op: str, slots: Sequence[int], point: Sequence[Any], use: Any) -> None:
    found = dict(derivatives(graph_of(op), slots, point))
    expected = found.pop("f" * len(slots))
    for modes, made in found.items():
        np.testing.assert_allclose(
            made[use], expected[use], rtol=1e-9, atol=1e-14, err_msg=f"{op} {modes}"
        )


@pytest.mark.parametrize("op", UNARY)
def test_functions_of_one_operand(op: str) -> None:
    with np.errstate(all="ignore"):
        value = interpret(graph_of(op), [ENDS])[0]
    for order in (1, 2, 3):
        assert_one(op, [0] * order, [ENDS], ~np.isnan(value))


@pytest.mark.parametrize("op", BINARY)
def test_functions_of_two_operands(op: str) -> None:
    x, y = (part.ravel() for part in np.meshgrid(PLANE, PLANE, indexing="ij"))
    with np.errstate(all="ignore"):
        value = interpret(graph_of(op), [x, y])[0]
    smooth = [slot for slot in (0, 1) if OPS[op].is_differentiable(slot)]
    for order in (1, 2) if op == "power_log3" else (1, 2, 3):
        for slots in product(smooth, repeat=order):
            assert_one(op, slots, [x, y], ~np.isnan(value))


@pytest.mark.parametrize(("op", "end", "limit"), LIMITS)
def test_limits(op: str, end: float, limit: float) -> None:
    graph, point = graph_of(op), np.full(len(ENDS), end)
    for _, made in derivatives(graph, [0, 0], [point]):
        np.testing.assert_allclose(made, limit, rtol=1e-12)


def test_the_angle_has_limits_at_infinity_and_none_at_zero() -> None:
    graph, count = graph_of("arctan2"), len(PLANE) ** 2
    for y, x in ((1.0, INF), (INF, 1.0), (-INF, -2.0), (INF, -INF)):
        point = [np.full(count, y), np.full(count, x)]
        for slots in ((0,), (1,), (0, 0), (0, 1), (1, 0), (1, 1)):
            for _, made in derivatives(graph, slots, point):
                np.testing.assert_array_equal(made, 0.0)
    for slots in ((0,), (0, 0), (0, 1), (1, 0), (1, 1)):
        for _, made in derivatives(graph, slots, [np.zeros(count)] * 2):
            assert np.isnan(made).all()


FLAT = [(0.5, INF), (0.0, INF), (2.0, -INF), (INF, -INF)]
POWERS = [  # the limits along the exponent
    *((point, slots, 0.0) for point in FLAT for slots in ("x", "y", "xx", "xy", "yx")),
    *(((1.0, INF), slots, INF) for slots in ("x", "xx", "xxy", "xyx", "yxx")),
    *(((1.0, -INF), slots, 1.0) for slots in ("xy", "yx")),
    *(((1.0, INF), slots, 0.0) for slots in ("y", "yy", "xyy", "yxy", "yyx")),
    *(((2.0, INF), slots, INF) for slots in ("x", "y", "xy", "yx", "yy")),
]


@pytest.mark.parametrize(("point", "slots", "limit"), POWERS)
def test_powers_of_an_infinite_exponent(
    point: tuple[float, float], slots: str, limit: float
) -> None:
    graph = graph_of("power")
    full = [np.full(len(PLANE) ** 2, number) for number in point]
    for _, made in derivatives(graph, ["xy".index(slot) for slot in slots], full):
        np.testing.assert_array_equal(made, limit)


def test_the_logarithm_of_a_normal_tail_keeps_its_digits() -> None:
    """h' = -h (x + h) of its slope h, where a square of 1 / h is beyond all floats."""
    graph, x = graph_of("log_ndtr"), np.linspace(20.0, 37.0, len(ENDS))
    h = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    for slots, expected in (([0, 0], -h * x), ([0, 0, 0], h * (x * x - 1))):
        for _, made in derivatives(graph, slots, [x]):
            np.testing.assert_allclose(made, expected, rtol=1e-12)


def test_a_huge_argument_takes_no_longer() -> None:
    """SciPy's Kummer function would never end."""
    (made,) = interpret(derivative(graph_of("exprel"), 0, "r"), [ENDS * 1e300])
    assert made[4] == INF
