"""The laws of ops on complex numbers: types, adjoints, both orders, compiled code.

The inner product of complex arrays is Re<u, v>. So a cotangent is held against
differences along the real and along the imaginary axis alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from anabranch.backends.reference.interpreter import interpret
from anabranch.ir import OPS, Graph, parse
from anabranch.ir.graph import Output
from anabranch.ir.literals import Attrs
from anabranch.ir.ops import NONDIFFERENTIABLE
from tests.laws.complex_samples import (
    COMPLEX_ORACLES,
    COMPLEX_SAMPLES,
    smooth_complex,
)
from tests.laws.op_graphs import (
    compiled,
    float_results,
    one_op,
    pulled_back,
    pulled_back_twice,
    type_of,
)
from tests.laws.op_samples import SAMPLES, Array
from tests.laws.test_ops import assert_adjoint

OTHER_SLOPES = (
    "straight_through",
    # Functions of Hermitian matrices, of factors that another node made, and vectors
    # that have phases: `lower/test_complex_linalg`.
    *("cholesky", "solve_lu", "det", "logdet", "pinv", "eigh", "eig", "svd"),
    *(
        "expm",
        "sqrtm",
        "logm",
        "sylvester",
    ),  # `lower/test_scipy_functions`
)
DIFFERENTIABLE = [
    op
    for op in COMPLEX_SAMPLES
    if OPS[op].adjoint is not NONDIFFERENTIABLE and op not in OTHER_SLOPES
]
RTOL = {np.dtype("c16"): 1e-12, np.dtype("c8"): 2e-5}


def normal(rng: np.random.Generator, graph: Graph, names: Sequence[str]) -> list[Array]:
    """Random numbers of the types of values; both parts of complex ones."""
    made: list[Array] = []
    for name in names:
        type_ = graph[name].type
        re, im = rng.standard_normal((2, *type_.shape))
        made.append(np.asarray(re + 1j * im if type_.is_complex else re))
    return made


def assert_near(made: Array, expected: Array, what: str) -> None:
    """Equal types; numbers near for their size, and for the largest."""
    assert type_of(made) == type_of(expected), what
    if made.dtype.kind not in "fc":
        np.testing.assert_array_equal(made, expected, what)
        return
    rtol = RTOL[np.result_type(made.dtype, np.complex64)]
    scale = max(float(np.abs(expected).max(initial=0)), 1.0)
    np.testing.assert_allclose(made, expected, rtol, rtol * scale, err_msg=what)


def test_ops_of_complex_numbers_alone_have_samples() -> None:
    plain = {name for name, op in OPS.items() if not op.regions}
    assert plain - {"input", "const", "callback"} - set(SAMPLES) == set(
        COMPLEX_SAMPLES
    ) - set(SAMPLES)


@pytest.mark.parametrize("op", COMPLEX_SAMPLES)
def test_type_rule_agrees_with_the_reference(op: str) -> None:
    for sample in COMPLEX_SAMPLES[op]:
        types = tuple(type_of(array) for array in sample.operands)
        made = OPS[op].infer(types, Attrs(sample.attrs))
        values = interpret(one_op(op, sample), sample.operands)
        types = made if isinstance(made, tuple) else (made,)
        assert types == tuple(map(type_of, values)), f"{op} {sample.label}"


@pytest.mark.parametrize("op", COMPLEX_ORACLES)
def test_reference_agrees_with_its_oracle(op: str) -> None:
    for sample in COMPLEX_SAMPLES[op]:
        found = interpret(one_op(op, sample), sample.operands)
        expected = COMPLEX_ORACLES[op](*sample.operands, **sample.attrs)
        several = expected if isinstance(expected, tuple) else (expected,)
        for made, other in zip(found, several, strict=True):
            assert_near(made, other.astype(made.dtype), f"{op} {sample.label}")


@pytest.mark.parametrize("op", COMPLEX_SAMPLES)
def test_compiled_op_equals_the_reference(op: str) -> None:
    for sample in COMPLEX_SAMPLES[op]:
        graph = one_op(op, sample)
        expected = interpret(graph, sample.operands)
        for made, other in zip(compiled(graph, sample.operands), expected, strict=True):
            assert_near(made, other, f"{op} {sample.label}")


@pytest.mark.parametrize("op", DIFFERENTIABLE)
def test_adjoint_agrees_with_differences_of_both_parts(op: str) -> None:
    for place, sample in enumerate(smooth_complex(op)):
        graph, wrt = pulled_back(op, sample)
        if not wrt:
            continue
        forward = one_op(op, sample)
        starts = float_results(forward)
        forward = forward.returning([Output(name) for name in starts])
        seed = normal(np.random.default_rng(place), forward, starts)
        point = list(sample.operands)
        found = interpret(graph, [*point, *seed])
        bars = found[-len(wrt) :]
        slots = [forward.inputs.index(forward[name]) for name in wrt]
        what = f"{op} {sample.label}"
        assert_adjoint(
            lambda x, f=forward: interpret(f, x), bars, point, slots, seed, what
        )
        for made, expected in zip(compiled(graph, [*point, *seed]), found, strict=True):
            assert_near(made, expected, what)


@pytest.mark.parametrize("op", DIFFERENTIABLE)
def test_adjoint_of_the_adjoint_agrees_with_differences(op: str) -> None:
    for place, sample in enumerate(smooth_complex(op)[::3]):
        second, wrt = pulled_back_twice(op, sample)
        if not wrt:
            continue
        first, _ = pulled_back(op, sample)
        rng = np.random.default_rng(place)
        given = len(sample.operands)
        names = [node.name for node in first.inputs[given:]]
        point = [*sample.operands, *normal(rng, first, names)]
        count = len(wrt) - len(names)
        seeds = normal(rng, first, first.results[-count:])
        bars = interpret(second, [*point, *seeds])[-len(wrt) :]
        slots = [first.inputs.index(first[name]) for name in wrt]
        what = f"second order of {op} {sample.label}"
        assert_adjoint(
            lambda x, f=first, k=count: interpret(f, x)[-k:],
            bars,
            point,
            slots,
            seeds,
            what,
        )


@pytest.mark.parametrize("op", DIFFERENTIABLE)
def test_adjoints_verify_and_print_and_parse(op: str) -> None:
    for sample in COMPLEX_SAMPLES[op]:
        for graph in (one_op(op, sample), pulled_back_twice(op, sample)[0]):
            assert parse(graph.verify().as_text()) == graph, f"{op} {sample.label}"
