"""What Numba makes of a printed graph equals the reference: the second opinion.

It shares with llvm the passes and the reading of scalar templates; neither plans, nor
memory, nor kernels, nor the functions that they call. Bounds are those of
`test_ops_compiled`: 2 units in the last place, integers and bools exactly.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

import anabranch
from anabranch.backends import find_backend
from anabranch.backends.numba import parts
from anabranch.backends.numba.kernels import TOTALS
from anabranch.backends.numba.module import print_module
from anabranch.backends.numba.printer import PRINTERS
from anabranch.backends.reference.interpreter import interpret
from anabranch.ir import OPS, Graph, parse
from anabranch.ir.types import DTYPES
from benchmarks.peers import numpy_names
from tests.benchmarks.test_models import TINY
from tests.laws.complex_samples import COMPLEX_CASES, COMPLEX_SAMPLES
from tests.laws.numba_graphs import Case, distinct, in_groups, side_by_side, values
from tests.laws.op_cases import MATRICES
from tests.laws.op_graphs import one_op
from tests.laws.op_samples import DOMAINS, SAMPLES, Array, Sample
from tests.laws.test_complex_ops import assert_near as assert_complex
from tests.laws.test_ops_compiled import (
    ROUNDED,
    assert_elementwise,
    assert_matrices,
    assert_rounded,
    magnitudes,
)
from tests.laws.test_ops_special import (
    ELEMENTWISE,
    ZERO_OF_EITHER_SIGN,
    grid,
    specials,
)
from tests.laws.test_random_graphs import sample_of, seeded

GOLDEN = Path(__file__).parents[1] / "golden"
ADJOINTS = sorted(path.name for path in GOLDEN.glob("*.adjoint.txt"))


def check(cases: list[Case]) -> None:
    """Every op of the cases, compiled together."""
    found = values(*side_by_side(cases))
    owners = [(op, s) for op, s in cases for _ in one_op(op, s).results]
    for (op, sample), (_, made, expected) in zip(owners, found, strict=True):
        what = f"{op} {sample.label}"
        if op in MATRICES:
            assert_matrices(made, expected, what)
        elif op in ROUNDED:
            [bound] = interpret(one_op(op, sample), magnitudes(sample))
            assert_rounded(made, expected, bound, what)
        else:
            assert_elementwise(op, sample, made, expected, what)


def test_every_op_is_printed() -> None:
    find_backend("numba")  # imports the families, which register
    printed = {name for name, op in OPS.items() if op.scalar is not None}
    expanded = {"checkpoint", "custom_jvp", "custom_vjp", "linear_solve", "ranked"}
    gone = expanded | {"conj", "reciprocal"}  # which `realify` replaces
    assert printed | TOTALS | PRINTERS.keys() == OPS.keys() - {"input"} - gone


SPECIAL_DTYPES = {
    "default": {"bool", "i8", "i64", "u64", "f64"},
    "fuzz": {"i16", "i32", "u8", "u16", "u32", "f32"},
}
CALLED = [op for op in SAMPLES if OPS[op].ufunc and OPS[op].scalar is None]


def printed_apart() -> list[str]:
    """The ops without those that another test, or another op, speaks for.

    `test_special_values` has most elementwise ops. Ufuncs are called in one way, so one
    of each number of operands and results will do.
    """
    found: dict[object, str] = {}
    for op in SAMPLES:
        [(_, sample)] = distinct(op, 1)
        if op in ELEMENTWISE and sample.label.split()[0] in SPECIAL_DTYPES["default"]:
            continue
        sizes = len(sample.operands), len(one_op(op, sample).results)
        found.setdefault(sizes if op in CALLED else op, op)
    return list(found.values())


@pytest.mark.parametrize(
    "ops", in_groups(printed_apart(), 8), ids=lambda ops: f"{ops[0]}-{ops[-1]}"
)
def test_every_op_equals_the_reference(ops: list[str]) -> None:
    check([case for op in ops for case in distinct(op, 1 + needs_another(op))])


def needs_another(op: str) -> bool:
    """Whether one sample says little: its loops are of its own, not of any element."""
    return op not in ELEMENTWISE and not OPS[op].ufunc


def test_ufuncs_are_found_by_printed_code() -> None:
    """Under the names, and with loops of the types, that the text has."""
    graph, _ = side_by_side([case for op in CALLED for case in distinct(op, 1)])
    space: dict[str, object] = {}
    exec(print_module(graph), space)  # nothing is compiled before a call
    loops = [name for name in space if name[0] == "_" and name.endswith("_loop")]
    assert len(loops) == len(CALLED)


def test_ops_of_complex_numbers_alone() -> None:
    cases = [case for op in COMPLEX_CASES for case in distinct(op, 2, COMPLEX_SAMPLES)]
    cases += [("of_complex", x) for x in COMPLEX_SAMPLES["of_complex"][:4]]
    found = values(*side_by_side(cases))
    owners = [(op, s) for op, s in cases for _ in one_op(op, s).results]
    for (op, sample), (_, made, expected) in zip(owners, found, strict=True):
        assert_complex(made, expected, f"{op} {sample.label}")


@pytest.mark.fuzz
@pytest.mark.parametrize("op", SAMPLES)
def test_every_sample_equals_the_reference(op: str) -> None:
    check([(op, sample) for sample in SAMPLES[op]])


def special_cases(op: str, dtypes: set[str]) -> list[Case]:
    found: list[Case] = []
    for dtype in sorted(dtypes.intersection(DOMAINS[op][0])):
        sample = grid(op, dtype)
        if op == "power" and dtype[0] == "i":  # negative powers never reach the op
            keep = sample.operands[1] >= 0
            sample = Sample(tuple(x[keep] for x in sample.operands), {}, dtype)
        found.append((op, sample))
    return found


def check_special(cases: list[Case]) -> None:
    found = values(*side_by_side(cases))
    for (op, sample), (_, made, expected) in zip(cases, found, strict=True):
        if op in ZERO_OF_EITHER_SIGN:
            made, expected = made + 0, expected + 0
        assert_elementwise(op, sample, made, expected, f"{op} {sample.label}")


@pytest.mark.parametrize(
    "dtypes", ["default", pytest.param("fuzz", marks=pytest.mark.fuzz)]
)
@pytest.mark.parametrize(
    "ops", in_groups(ELEMENTWISE, 8), ids=lambda ops: f"{ops[0]}-{ops[-1]}"
)
def test_special_values(ops: list[str], dtypes: str) -> None:
    """NaN, infinities, zeros, subnormals, the ends of integers: each tuple of them."""
    cases = [c for op in ops for c in special_cases(op, SPECIAL_DTYPES[dtypes])]
    if cases:
        check_special(cases)


def test_reductions_of_special_values() -> None:
    """Every pair of special values, reduced along either axis."""
    cases: list[Case] = []
    for op, dtype in product(
        ["reduce_sum", "reduce_prod", "reduce_max", "reduce_min"], ["f32", "f64"]
    ):
        pool = specials(dtype)
        pairs = np.array(list(product(pool, pool)), DTYPES[dtype])
        cases.append((op, Sample((pairs,), {"axes": (1,)}, f"{dtype} along 1")))
        flat = pairs.T.copy()
        cases.append((op, Sample((flat,), {"axes": (0,)}, f"{dtype} along 0")))
    with np.errstate(all="ignore"):
        check_special(cases)


def assert_near(graph: Graph, arrays: list[Array], tolerance: float) -> None:
    """Every result, to a tolerance of the largest entry."""
    for name, made, expected in values(graph, arrays):
        assert (made.dtype, made.shape) == (expected.dtype, expected.shape), name
        assert made.flags.carray, name
        if made.dtype.kind != "f":
            np.testing.assert_array_equal(made, expected, name)
            continue
        largest = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
        error = float(np.max(np.abs(made - expected), initial=0.0))
        assert error <= tolerance * largest, name


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(1), id="0"),  # Numba takes four seconds for each of them
        pytest.param(range(1, 300), id="fuzz", marks=pytest.mark.fuzz),
    ],
)
def test_gradients_of_random_graphs(seeds: range, mixed: bool) -> None:
    for seed in seeds:
        sample = sample_of(seed, mixed=mixed)
        graph, cotangents = seeded(sample, seed)
        tolerance = 64 * float(np.finfo(np.float32).eps) if mixed else 1e-12
        assert_near(graph, [*sample.point, *cotangents], tolerance)


def test_gradients_of_random_graphs_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions that are cut wherever they may be."""
    monkeypatch.setattr(parts, "LENGTH", 1)
    sample = sample_of(8)
    graph, cotangents = seeded(sample, 8)
    assert_near(graph, [*sample.point, *cotangents], 1e-12)


@pytest.mark.parametrize("name", ADJOINTS)
def test_gradients_of_the_examples(name: str) -> None:
    graph = parse((GOLDEN / name).read_text("utf-8"))
    rng = np.random.default_rng(0)
    arrays = [
        np.asarray(rng.normal(size=node.type.shape), node.type.numpy)
        for node in graph.inputs
    ]
    assert_near(graph, arrays, 1e-12)


# Which take Numba up to ten seconds; the others have loops for layers, or are small.
LONG = ("LSTM", "LeNet", "transformer")


@pytest.mark.parametrize(
    "name",
    [pytest.param(x, marks=[pytest.mark.fuzz] if x in LONG else []) for x in TINY],
)
def test_gradients_of_the_models(name: str) -> None:
    make, arguments = TINY[name]
    arrays = arguments(np.random.default_rng(0))
    gradient = anabranch.value_and_grad(make(numpy_names()))
    graph = gradient.program(*arrays).graph
    assert_near(graph, arrays, 64 * float(np.finfo(np.float32).eps))
