"""Each op and its adjoint, compiled, equal the reference.

Elementwise values agree to 2 units in the last place (for logaddexp: of its largest
term), integers and bools exactly; sums
and products to 1e-12 in float64 and 1e-6 in float32 of what the same op makes of the
magnitudes, for that is what rounding errors of sums grow with.
"""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.backends.llvm.machine import using
from anabranch.backends.reference.interpreter import interpret
from anabranch.ir import OPS
from anabranch.ir.ops import NONDIFFERENTIABLE
from tests.laws.op_cases import MATRICES
from tests.laws.op_graphs import compiled, one_op, pulled_back, type_of
from tests.laws.op_samples import SAMPLES, Array, Sample, smooth
from tests.machines import MACHINES

DIFFERENTIABLE = [op for op in SAMPLES if OPS[op].adjoint is not NONDIFFERENTIABLE]
ULPS = 2
FACTORS = {
    # Products of so many functions.
    **{f"power_log{k}": k + 1 for k in range(1, 5)},
    # SciPy's errors; ours are less, see `tests.backends.test_special_functions`.
    **dict.fromkeys(("gammaln", "loggamma"), 50),
    **dict.fromkeys("erfc erfcinv erfcx i0e i1e i2e".split(), 5),
    **dict.fromkeys("log_ndtr logit ndtr trigamma".split(), 5),
}
ROUNDED = (
    "reduce_sum reduce_prod cumsum recurrence matmul matmul_add scatter_add fold conv "
    "conv_input conv_kernel"
).split()
CANCELLING = ("logaddexp", "logaddexp2")
RTOL = {"f32": 1e-6, "f64": 1e-12}


def assert_ulps(made: Array, expected: Array, what: str, ulps: int = ULPS) -> None:
    """Equal types, equal NaNs, signs of zeros and infinities; the rest to some ulp."""
    assert type_of(made) == type_of(expected), what
    if made.dtype.kind != "f":
        np.testing.assert_array_equal(made, expected, what)
        return
    ordinary = np.isfinite(expected) & (expected != 0) & np.isfinite(made)
    np.testing.assert_array_equal(
        np.where(ordinary, 0, made), np.where(ordinary, 0, expected), what
    )
    same_sign = np.signbit(made) == np.signbit(expected)
    assert np.all(same_sign | np.isnan(expected)), what
    bits = np.int32 if made.dtype == np.float32 else np.int64
    steps = made[ordinary].view(bits) - expected[ordinary].view(bits)
    worst = np.abs(steps).max(initial=0)
    assert worst <= ulps, f"{what}: {worst} ulp"


def assert_elementwise(
    op: str, sample: Sample, made: Array, expected: Array, what: str
) -> None:
    """2 ulp of each factor, and for logaddexp 2 ulp of the largest of its terms.

    Where the terms of logaddexp cancel, one ulp of an operand moves the value by many
    of its own; there NumPy and compiled code are both hundreds of ulp from the truth.
    """
    if op not in CANCELLING:
        assert_ulps(made, expected, what, ULPS * FACTORS.get(op, 1))
        return
    assert type_of(made) == type_of(expected), what
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(made[~finite], expected[~finite], what)
    terms = [np.abs(x)[finite] for x in (*sample.operands, expected)]
    largest = np.maximum.reduce(terms)
    ulp = np.spacing(np.minimum(largest, np.finfo(made.dtype).max / 2))
    assert np.all(np.abs(made[finite] - expected[finite]) <= ULPS * ulp), what


def assert_rounded(made: Array, expected: Array, bound: Array, what: str) -> None:
    """Equal types; numbers as near as rounding errors of sums allow."""
    assert type_of(made) == type_of(expected), what
    if made.dtype.kind != "f":
        np.testing.assert_array_equal(made, expected, what)
        return
    rtol = RTOL[type_of(made).dtype]
    assert np.all(np.abs(made - expected) <= rtol * np.abs(bound)), what


def assert_matrices(made: Array, expected: Array, what: str) -> None:
    """As near as the largest entry allows; the samples are well conditioned."""
    largest = np.abs(expected.astype(np.float64)).max(initial=0)
    assert_rounded(made, expected, np.asarray(10 * largest), what)


def magnitudes(sample: Sample) -> list[Array]:
    return [np.abs(x) if x.dtype.kind == "f" else x for x in sample.operands]


def check_op(op: str, sample: Sample, what: str) -> None:
    graph = one_op(op, sample)
    if op in MATRICES:
        for made, expected in zip(
            compiled(graph, sample.operands),
            interpret(graph, sample.operands),
            strict=True,
        ):
            assert_matrices(made, expected, what)
        return
    several = interpret(graph, sample.operands)
    found = compiled(graph, sample.operands)
    for place, (made, expected) in enumerate(zip(found, several, strict=True)):
        if op in ROUNDED:
            bound = interpret(graph, magnitudes(sample))[place]
            assert_rounded(made, expected, bound, what)
        else:
            assert_elementwise(op, sample, made, expected, what)


@pytest.mark.parametrize("op", SAMPLES)
def test_compiled_op_equals_the_reference(op: str) -> None:
    for sample in SAMPLES[op]:
        check_op(op, sample, f"{op} {sample.label}")


@pytest.mark.parametrize("op", SAMPLES)
def test_an_op_may_be_compiled_for_any_machine(op: str) -> None:
    """One sample, the largest: it has the most rounds of vectors."""
    sample = max(SAMPLES[op], key=lambda s: sum(x.size for x in s.operands))
    for name, machine in MACHINES.items():
        with using(machine):
            check_op(op, sample, f"{op} {sample.label}, {name}")


@pytest.mark.parametrize("op", DIFFERENTIABLE)
def test_compiled_adjoint_equals_the_reference(op: str) -> None:
    """To 1e-12 of the largest entry: a cotangent is a short sum of products."""
    for number, sample in enumerate(smooth(op)):
        graph, wrt = pulled_back(op, sample)
        if not wrt:
            continue
        rng = np.random.default_rng(number)
        seeds = [
            np.asarray(rng.standard_normal(node.type.shape))
            for node in graph.inputs[len(sample.operands) :]
        ]
        arrays = [*sample.operands, *seeds]
        pairs = zip(interpret(graph, arrays), compiled(graph, arrays), strict=True)
        for expected, made in pairs:
            bound = np.abs(expected).max(initial=0) * (10 if op in MATRICES else 1)
            assert_rounded(made, expected, bound, f"adjoint of {op} {sample.label}")
