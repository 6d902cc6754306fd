"""The laws of single ops: type rule, reference, adjoint and its adjoint, text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from anabranch import parse
from anabranch.backends.reference.interpreter import interpret
from anabranch.ir import OPS, Builder, Graph, Node
from anabranch.ir.errors import DTypeError
from anabranch.ir.graph import Output
from anabranch.ir.literals import Attrs
from anabranch.ir.ops import NONDIFFERENTIABLE
from anabranch.ir.types import DTYPES
from tests.laws.complex_samples import COMPLEX_SAMPLES
from tests.laws.op_cases import MATRICES
from tests.laws.op_graphs import (
    float_results,
    one_op,
    pulled_back,
    pulled_back_twice,
    type_of,
)
from tests.laws.op_oracles import ORACLES
from tests.laws.op_samples import SAMPLES, Array, Sample, smooth

DIFFERENTIABLE = [op for op in SAMPLES if OPS[op].adjoint is not NONDIFFERENTIABLE]
OTHER_SLOPES = (
    *("straight_through", "with_slope", "share", "log_share"),
    *("cholesky", "solve_lu", "det", "logdet", "pinv"),  # see `test_matrices`
    *(
        "expm",
        "sqrtm",
        "logm",
        "sylvester",
    ),  # `lower/test_scipy_functions`
)
BY_DIFFERENCES = [op for op in DIFFERENTIABLE if op not in OTHER_SLOPES]
"""The ops whose derivative is that of their value."""
ROUGH = ("betainc", "betaincc", "betaincinv", "betainccinv", "stdtr", "stdtrit")
"""SciPy's own f32 of these is off by up to 7e-6."""
RTOL = 1e-6
STEP = 1e-3


def normal(rng: np.random.Generator, graph: Graph, names: Sequence[str]) -> list[Array]:
    return [np.asarray(rng.standard_normal(graph[name].type.shape)) for name in names]


def difference(function: Callable[[float], float]) -> float:
    """The derivative at 0 by the 5-point formula."""
    near = function(STEP) - function(-STEP)
    far = function(2 * STEP) - function(-2 * STEP)
    return (8 * near - far) / (12 * STEP)


def inner(u: Array, v: Array) -> float:
    """The inner product, of complex arrays its real part."""
    return float(np.vdot(u, v).real)


def assert_adjoint(
    forward: Callable[[Sequence[Array]], Sequence[Array]],
    cotangents: Sequence[Array],
    point: list[Array],
    slots: Sequence[int],
    seeds: Sequence[Array],
    what: str,
) -> None:
    """``cotangents`` of the operands in ``slots`` agree with differences of forward.

    A few entries of each, and one direction through all of them.
    """
    rng = np.random.default_rng(len(what))

    def along(slot: int, direction: Array) -> float:
        def moved(step: float) -> float:
            arrays = [*point]
            arrays[slot] = point[slot] + step * direction
            values = forward(arrays)
            return sum(inner(s, v) for s, v in zip(seeds, values, strict=True))

        return difference(moved)

    for slot, bar in zip(slots, cotangents, strict=True):
        assert bar.shape == point[slot].shape, what
        size = point[slot].size
        directions = [
            np.eye(1, size, int(k)).reshape(bar.shape)
            for k in rng.permutation(size)[:6]
        ]
        directions.append(np.asarray(rng.standard_normal(bar.shape)))
        if bar.dtype.kind == "c":
            directions += [1j * direction for direction in directions]
        for direction in directions:
            expected = along(slot, direction)
            made = inner(bar, direction)
            scale = max(float(np.abs(bar).max(initial=0)), abs(expected), 1e-3)
            assert abs(made - expected) <= RTOL * scale, (
                f"{what}: operand {slot} gets {made}, by differences {expected}"
            )


def evaluated(
    op: str, sample: Sample, function: Callable[..., Any] | None = None
) -> list[Array]:
    """The values that the reference makes, or a function; integers may overflow."""
    with np.errstate(all="ignore"):
        made = (function or OPS[op].reference)(*sample.operands, **sample.attrs)
    return [np.asarray(x) for x in (made if isinstance(made, tuple) else (made,))]


def test_every_op_has_samples() -> None:
    """Those with regions are the subject of `test_branching` and others."""
    plain = {name for name, op in OPS.items() if not op.regions}
    assert {*SAMPLES, *COMPLEX_SAMPLES} == plain - {"input", "const", "callback"}


@pytest.mark.parametrize("op", SAMPLES)
def test_samples_are_many_and_varied(op: str) -> None:
    samples = SAMPLES[op]
    assert len({sample.label for sample in samples}) >= 20
    operands = [array for sample in samples for array in sample.operands]
    if operands:
        assert {0, 1} <= {array.size for array in operands}
        assert any(not array.flags.c_contiguous for array in operands)
        assert any(not array.flags.writeable for array in operands)
        assert any(min(array.strides, default=0) < 0 for array in operands)


@pytest.mark.parametrize("op", SAMPLES)
def test_type_rule_agrees_with_the_reference(op: str) -> None:
    for sample in SAMPLES[op]:
        types = tuple(type_of(array) for array in sample.operands)
        found = OPS[op].infer(types, Attrs(sample.attrs))
        made = found if isinstance(found, tuple) else (found,)
        expected = tuple(map(type_of, evaluated(op, sample)))
        assert made == expected, f"{op} {sample.label}"


def test_every_op_is_numpys_or_has_an_oracle() -> None:
    for op in SAMPLES:
        assert isinstance(OPS[op].reference, np.ufunc) or op in ORACLES, op


@pytest.mark.parametrize("op", ORACLES)
def test_reference_agrees_with_its_oracle(op: str) -> None:
    step = 3 if OPS[op].ufunc else 1  # SciPy's do with each element the same
    for sample in SAMPLES[op][::step]:
        pairs = zip(
            evaluated(op, sample), evaluated(op, sample, ORACLES[op]), strict=True
        )
        for made, expected in pairs:
            message = f"{op} {sample.label}"
            assert made.shape == expected.shape, message
            if made.dtype.kind != "f":
                np.testing.assert_array_equal(made, expected, message)
                continue
            single = 1e-5 if op in ROUGH else 1e-6
            rtol = single if made.dtype == np.float32 else 1e-12
            rtol *= 10 if op in MATRICES else 1
            np.testing.assert_allclose(made, expected, rtol, rtol, err_msg=message)


@pytest.mark.parametrize("op", SAMPLES)
def test_reference_leaves_its_operands_alone(op: str) -> None:
    for sample in SAMPLES[op]:
        before = [array.copy() for array in sample.operands]
        interpret(one_op(op, sample), sample.operands)
        for array, kept in zip(sample.operands, before, strict=True):
            np.testing.assert_array_equal(array, kept, f"{op} {sample.label}")


@pytest.mark.parametrize(
    "op", "add add_n reduce_sum cumsum recurrence scatter_add fold".split()
)
def test_ops_that_add_take_no_bools(op: str) -> None:
    """NumPy's or is `logical_or`; an op that adds has no meaning of its own for it."""
    for sample in SAMPLES[op]:
        types = [type_of(array).with_dtype("bool") for array in sample.operands]
        if op == "scatter_add":
            types[1] = types[1].with_dtype("i64")
        with pytest.raises(DTypeError):
            OPS[op].infer(tuple(types), Attrs(sample.attrs))


@pytest.mark.parametrize("op", BY_DIFFERENCES)
def test_adjoint_agrees_with_differences(op: str) -> None:
    for number, sample in enumerate(smooth(op)):
        graph, wrt = pulled_back(op, sample)
        if not wrt:
            continue
        forward = one_op(op, sample)
        floats = float_results(forward)
        seed = normal(np.random.default_rng(number), forward, floats)
        bars = interpret(graph, [*sample.operands, *seed])[-len(wrt) :]
        slots = [forward.inputs.index(forward[name]) for name in wrt]
        forward = forward.returning([Output(name) for name in floats])
        assert_adjoint(
            lambda arrays, forward=forward: interpret(forward, arrays),
            bars,
            list(sample.operands),
            slots,
            seed,
            f"{op} {sample.label}",
        )


@pytest.mark.parametrize("op", BY_DIFFERENCES)
def test_adjoint_of_the_adjoint_agrees_with_differences(op: str) -> None:
    """Of ops of elements, which know of no shapes, a third of the samples."""
    of_elements = OPS[op].scalar is not None or OPS[op].ufunc is not None
    for number, sample in enumerate(smooth(op)[:: 3 if of_elements else 1]):
        second, wrt = pulled_back_twice(op, sample)
        if not wrt:
            continue
        first, once = pulled_back(op, sample)
        rng = np.random.default_rng(number)
        arity = len(sample.operands)
        given = [node.name for node in first.inputs[arity:]]
        point = [*sample.operands, *normal(rng, first, given)]
        seeds = normal(rng, first, first.results[-len(once) :])
        bars = interpret(second, [*point, *seeds])[len(first.results) :]
        wanted = first.returning(first.outputs[-len(once) :])
        assert_adjoint(
            lambda arrays, wanted=wanted: interpret(wanted, arrays),
            bars,
            point,
            [first.inputs.index(first[name]) for name in wrt],
            seeds,
            f"second order of {op} {sample.label}",
        )


def test_straight_through_has_the_gradient_of_its_second_operand() -> None:
    sample = Sample((np.array([1.0, 2.0]), np.array([5.0, 7.0])), {}, "")
    graph, wrt = pulled_back("straight_through", sample)
    value, *bars = interpret(graph, [*sample.operands, np.array([3.0, 4.0])])
    assert len(wrt) == len(bars) == 1
    np.testing.assert_array_equal(value, [1.0, 2.0])
    np.testing.assert_array_equal(bars[0], [3.0, 4.0])


def test_with_slope_has_the_slope_of_its_second_operand() -> None:
    sample = Sample((np.array([1.0, 2.0]), np.array([5.0, np.inf])), {}, "")
    graph, wrt = pulled_back("with_slope", sample)
    value, *bars = interpret(graph, [*sample.operands, np.array([3.0, 0.0])])
    assert len(wrt) == len(bars) == 1
    np.testing.assert_array_equal(value, [1.0, 2.0])
    np.testing.assert_array_equal(bars[0], [15.0, 0.0])


SHARES = np.array([[0.5, 0.3, 0.2], [0.1, 0.85, 0.05], [0.76, 0.24, 0.0], [0, 0, 1.0]])


@pytest.mark.parametrize("axes", [(0,), (1,)])
def test_rules_of_shares_are_those_of_softmax(axes: tuple[int, ...]) -> None:
    """Rows without a large share, with one, and with nothing else."""
    p = SHARES if axes == (1,) else SHARES.T
    x, g = np.log(p + 1e-30), np.random.default_rng(0).standard_normal(p.shape)
    sample = Sample((p, x), {"axes": axes}, "")
    graph, _ = pulled_back("share", sample)
    value, bar = interpret(graph, [p, x, g])
    np.testing.assert_array_equal(value, p)
    expected = p * (g - np.sum(p * g, axis=axes, keepdims=True))
    np.testing.assert_allclose(bar, expected, rtol=1e-12, atol=1e-15)
    rest = np.sum(np.where(p > 0.75, 0.0, p), axis=axes, keepdims=True)
    operands = [x, p, np.broadcast_to(rest, p.shape), x]
    graph, _ = pulled_back("log_share", Sample(tuple(operands), {"axes": axes}, ""))
    value, bar = interpret(graph, [*operands, g])
    np.testing.assert_array_equal(value, x)
    expected = g - p * np.sum(g, axis=axes, keepdims=True)
    np.testing.assert_allclose(bar, expected, rtol=1e-12, atol=1e-15)


def _contributions(
    b: Builder, node: Node, operands: list[Node], sample: Sample
) -> Sequence[Node | None]:
    """What the rule sends back for cotangents of all float values, ``g``, ``g_1``..."""
    bars = [b.input("g", v.type) if v.type.is_float else None for v in node.values]
    rule: Any = OPS[node.op].adjoint
    g = tuple(bars) if node.several else bars[0]
    return rule(b, node, g, *operands, **sample.attrs)


@pytest.mark.parametrize("op", DIFFERENTIABLE)
def test_rule_contributes_exactly_to_the_float_operands(op: str) -> None:
    for sample in SAMPLES[op]:
        b = Builder("f")
        operands = [
            b.input(f"x{slot}", type_of(array))
            for slot, array in enumerate(sample.operands)
        ]
        node = b.add_node(op, *operands, **sample.attrs)
        if not node.floats:
            continue
        made = _contributions(b, node, operands, sample)
        assert len(made) == len(operands), f"{op} {sample.label}"
        for slot, (contribution, operand) in enumerate(
            zip(made, operands, strict=True)
        ):
            known = OPS[op].is_differentiable(slot) and slot not in OPS[op].refused
            wanted = operand.type.is_float and known
            assert (contribution is not None) == wanted, f"{op} {sample.label} {slot}"
            if contribution is not None:
                assert contribution.type == operand.type, f"{op} {sample.label} {slot}"


@pytest.mark.parametrize("op", DIFFERENTIABLE)
def test_every_contribution_reads_its_cotangent(op: str) -> None:
    """Else a sum node could lose its readers, and its law with them."""
    for sample in smooth(op):
        b = Builder("f")
        operands = [
            b.input(f"x{slot}", type_of(array))
            for slot, array in enumerate(sample.operands)
        ]
        node = b.add_node(op, *operands, **sample.attrs)
        if not node.floats:
            continue
        for made in _contributions(b, node, operands, sample):
            if made is None:
                continue
            seen, todo = {made.name}, [made]
            while todo:
                new = [b[name] for name in todo.pop().operands if name not in seen]
                seen.update(operand.name for operand in new)
                todo += new
            assert seen & {"g", "g_1"}, f"{op} {sample.label}"


@pytest.mark.parametrize(("before", "after"), [("f64", "f32"), ("f32", "f64")])
def test_cotangent_of_a_cast_is_cast_back(before: str, after: str) -> None:
    x, seed = np.array([0.1, 0.2], DTYPES[before]), np.array([0.3, 0.7], DTYPES[after])
    graph, _ = pulled_back("cast", Sample((x,), {"dtype": after}, ""))
    _, bar = interpret(graph, [x, seed])
    assert bar.dtype == DTYPES[before]
    np.testing.assert_array_equal(bar, seed.astype(DTYPES[before]))


@pytest.mark.parametrize("op", DIFFERENTIABLE)
def test_adjoints_verify_and_print_and_parse(op: str) -> None:
    for sample in SAMPLES[op]:
        for graph in (
            one_op(op, sample),
            pulled_back(op, sample)[0],
            pulled_back_twice(op, sample)[0],
        ):
            assert parse(graph.verify().as_text()) == graph, f"{op} {sample.label}"
