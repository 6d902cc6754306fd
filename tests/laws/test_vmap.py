"""The laws of the mapping pass: what is mapped is what each example is, stacked.

Every op of the registry is held to it, with all of its operands mapped and with some;
so are random graphs with loops and choices, and their adjoints. Elements that are only
moved keep their bits; others are near, for kernels of many numbers may round as those
of one do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain, product
from typing import Any

import numpy as np
import pytest

from anabranch import fori_loop, make_ir, parse, spec
from anabranch.backends import find_backend
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms import vmap as vmap_pass
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.compiler.transforms.vmap import vmapped
from anabranch.ir import OPS, Builder, Graph, Output, TensorType
from anabranch.ir.errors import BoundsError, LinAlgError
from anabranch.ir.ops import Kind, lanes, loop_vmap
from anabranch.ir.ops.mapped import rule_of
from tests.branching import CHOICES, branching
from tests.laws.complex_samples import COMPLEX_SAMPLES
from tests.laws.op_graphs import one_op
from tests.laws.op_samples import SAMPLES, Array, Sample
from tests.looping import looping

MOVES = set("take pad concatenate slice_at put sort ranked identity select".split())
SIZES = (2, 3, 1, 0)
COMPILED = tuple(range(0, 30, 7))
LANES = TensorType("bool", (3,))

looping = cache(looping)
branching = cache(branching)


def rows_of(sample: Sample) -> list[tuple[Array, ...]]:
    """The operands of examples: those of the sample, and the same backwards."""
    plain = tuple(map(np.asarray, sample.operands))
    return [plain, tuple(map(np.flip, plain))]


def assert_stacked(
    graph: Graph,
    examples: Sequence[Sequence[Array]],
    mapped: Sequence[bool],
    tolerance: float,
    backends: Sequence[str] = (),
    shared: Sequence[Array] = (),
) -> Graph:
    """The mapped graph, which makes of the examples what the graph makes of each."""
    size = len(examples)
    shared = shared or examples[0]
    made, flags = vmapped(graph, mapped, size)
    made.verify()
    assert [*made.nodes][: len(graph.inputs)] == [x.name for x in graph.inputs]
    columns = [
        np.stack([np.asarray(x[k]) for x in examples])
        if one and size
        else np.zeros((0, *np.shape(shared[k])), np.asarray(shared[k]).dtype)
        if one
        else np.asarray(shared[k])
        for k, one in enumerate(mapped)
    ]
    wanted = [
        interpret(graph, [x[k] if one else shared[k] for k, one in enumerate(mapped)])
        for x in examples
    ]
    runs = [lambda arrays: interpret(made, arrays)]
    runs += [find_backend(name).prepare(optimise(made, name)) for name in backends]
    for run in runs:
        found = run(columns)
        for number, (value, one) in enumerate(zip(found, flags, strict=True)):
            type_ = graph[graph.results[number]].type
            assert value.dtype == type_.numpy
            assert value.shape == ((size, *type_.shape) if one else type_.shape)
            for place, row in enumerate(wanted):
                assert_near(value[place] if one else value, row[number], tolerance)
    return made


def assert_near(found: Array, wanted: Array, tolerance: float) -> None:
    if not tolerance or wanted.dtype.kind in "biu":
        np.testing.assert_array_equal(found, wanted)
        return
    eps = float(np.finfo(wanted.dtype).eps)
    finite = wanted[np.isfinite(wanted)]
    largest = float(np.max(np.abs(finite), initial=1.0))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * eps * largest)


def size(graph: Graph) -> int:
    """How many nodes there are, those of regions counted."""
    return sum(1 + sum(map(size, node.regions)) for node in graph)


def test_every_op_has_a_rule() -> None:
    """Sources have no operands, so nothing of theirs is ever mapped."""
    without = {name for name, op in OPS.items() if rule_of(op) is None}
    assert without == {name for name, op in OPS.items() if op.kind is Kind.SOURCE}


EVERY = [
    (op, samples)
    for op, samples in chain(SAMPLES.items(), COMPLEX_SAMPLES.items())
    if OPS[op].arity
]


@pytest.mark.parametrize(("op", "samples"), EVERY, ids=[op for op, _ in EVERY])
def test_a_mapped_op_is_each_example_stacked(
    op: str, samples: Sequence[Sample]
) -> None:
    exact = OPS[op].kind in (Kind.VIEW, Kind.STORE) or op in MOVES
    some = list(product((True, False), repeat=min(OPS[op].arity, 4)))[:-1]
    for number, sample in enumerate(samples):
        count = len(sample.operands)
        mapped = (*some[number % len(some)], *(number % 3 > 0,) * count)[:count]
        rows = rows_of(sample)
        if OPS[op].fails or op in ("put", "slice_at", "update_at", "add_at", "check"):
            rows = rows[:1]
        examples = [rows[k % len(rows)] for k in range(SIZES[number % len(SIZES)])]
        if not any(mapped):
            continue
        with np.errstate(all="ignore"):
            graph = one_op(op, sample)
            assert_stacked(graph, examples, mapped, 0 if exact else 1e3, shared=rows[0])


def test_the_names_of_values_stay() -> None:
    graph = looping(3).graph
    made, _ = vmapped(graph, [True] * len(graph.inputs), 2)
    assert set(graph.nodes) <= set(made.nodes)
    assert made.results == graph.results


def test_what_nothing_mapped_reads_is_computed_once() -> None:
    graph = parse(
        "graph f(%x: f64[3], %w: f64[3,3]) {\n"
        "  %e = exp(%w) : f64[3,3]\n"
        "  %s = reduce_sum(%e) {axes=(0,)} : f64[3]\n"
        "  %y = mul(%x, %s) : f64[3]\n"
        "  return %y, %s\n"
        "}"
    )
    made, flags = vmapped(graph, [True, False], 4)
    assert flags == (True, False)
    assert made["s"] == graph["s"]
    assert str(made["y"].type) == "f64[4,3]"


# Products.


def product_of(left: str, right: str, mapped: Sequence[bool]) -> Graph:
    b = Builder("f")
    made = b.matmul(b.input("x", spec(left)), b.input("y", spec(right)))
    return vmapped(b.build([Output(made.name)]), mapped, 5)[0].verify()


@pytest.mark.parametrize("mapped", [(True, False), (False, True)])
def test_a_shared_factor_makes_one_product(mapped: Sequence[bool]) -> None:
    made = product_of("f64[2,3]", "f64[3,4]", mapped)
    (one,) = [node for node in made if node.op == "matmul"]
    assert one.type.rank == 2
    assert sorted(one.type.shape) == ([4, 10] if mapped[0] else [2, 20])


def test_a_column_times_a_row_is_elementwise() -> None:
    """The gradient of one example's weights."""
    made = product_of("f64[3,1]", "f64[1,4]", (True, True))
    assert {node.op for node in made} == {"input", "broadcast_to", "mul"}


# Positions.


@pytest.mark.parametrize("op", ["slice_at", "update_at", "add_at"])
def test_each_example_has_positions_of_its_own(op: str) -> None:
    """Along one axis or several, backwards, beside axes that are taken in part."""
    rng = np.random.default_rng(1)
    cases: list[Any] = [  # sizes, axes, start, shape, step, the highest positions
        ((5,), (0,), (0,), (1,), (1,), (4,)),
        ((6,), (0,), (1,), (2,), (2,), (2,)),
        ((5, 3), (0,), (0, 0), (1, 3), (1, 1), (4,)),
        ((5, 4), (0,), (0, 3), (2, 2), (1, -2), (3,)),
        ((4, 5), (1,), (1, 0), (2, 3), (2, 1), (2,)),
        ((4, 5, 2), (0, 1), (0, 1, 0), (2, 2, 2), (1, 2, 1), (2, 1)),
        ((3, 2, 4), (0, 2), (0, 1, 0), (1, 1, 2), (1, 1, 1), (2, 2)),
    ]
    for sizes, axes, start, shape, step, highest in cases:
        b = Builder("f")
        x = b.input("x", TensorType("f64", sizes))
        stored = [] if op == "slice_at" else [b.input("v", TensorType("f64", shape))]
        positions = [b.input(f"i{k}", TensorType("i64", ())) for k in range(len(axes))]
        attrs: dict[str, Any] = {"axes": axes, "start": start, "step": step}
        if op == "slice_at":
            attrs["shape"] = shape
        made = b.add_node(op, x, *stored, *positions, **attrs)
        graph = b.build([Output(made.name)])
        examples = [
            [
                *(rng.normal(size=y.type.shape) for y in (x, *stored)),
                *(np.asarray(rng.integers(high + 1)) for high in highest),
            ]
            for _ in range(4)
        ]
        whole = len(stored) + 1
        for head in product((True, False), repeat=whole):
            mapped = [*head, *(True for _ in axes)]
            assert_stacked(graph, examples, mapped, 0.0, ["llvm"] if all(head) else [])
        mapped = [True] * whole + [True] + [False] * (len(axes) - 1)
        assert_stacked(graph, examples, mapped, 0.0)


@pytest.mark.parametrize("op", ["take", "scatter_add", "put"])
def test_each_example_has_indices_of_its_own(op: str) -> None:
    rng = np.random.default_rng(2)
    for axis in range(3):
        sizes = (4, 3, 5)
        i = TensorType("i64", (2,))
        wide = TensorType("f64", (*sizes[:axis], 2, *sizes[axis + 1 :]))
        b = Builder("f")
        x = b.input("x", wide if op == "scatter_add" else TensorType("f64", sizes))
        stored = [b.input("v", wide)] if op == "put" else []
        attrs: dict[str, Any] = {"axis": axis}
        if op == "scatter_add":
            attrs["size"] = sizes[axis]
        made = b.add_node(op, x, *stored, b.input("i", i), **attrs)
        graph = b.build([Output(made.name)])
        examples = [
            [
                *(rng.normal(size=y.type.shape) for y in (x, *stored)),
                rng.permutation(sizes[axis])[:2],
            ]
            for _ in range(3)
        ]
        for mapped in product((True, False), repeat=len(graph.inputs)):
            if any(mapped):
                assert_stacked(graph, examples, mapped, 0.0)


# Random graphs.


def pulled_back(graph: Graph) -> Graph:
    wrt = [node.name for node in graph.inputs if node.type.is_float]
    of = [name for name in graph.results if graph[name].type.is_float]
    return adjoint(graph, wrt=wrt, of=of, seeded=True)


def with_seeds(graph: Graph, points: list[list[Any]], seed: int) -> list[list[Any]]:
    """The points, with random values for the inputs behind them."""
    rng = np.random.default_rng(seed)
    more = [node.type for node in graph.inputs[len(points[0]) :]]
    return [
        [*point, *(rng.normal(size=x.shape).astype(x.numpy) for x in more)]
        for point in points
    ]


@pytest.mark.parametrize("seed", range(30))
def test_mapped_loops_are_each_example_stacked(seed: int) -> None:
    made = looping(seed)
    graph, count = made.graph, len(made.point)
    points = [made.moved(by) for by in (0.0, 0.3, -0.2)]
    backends = ["llvm"] if seed in COMPILED else []
    one = [k == seed % count for k in range(count)]
    for mapped in ([True] * count, one):
        assert_stacked(graph, points, mapped, 1e5, backends)
    back = pulled_back(graph)
    points = with_seeds(back, points, seed)
    many = assert_stacked(back, points, [True] * len(points[0]), 1e6, backends)
    assert size(many) < 3 * size(back)


@pytest.mark.parametrize("seed", range(12))
def test_mapped_choices_are_each_example_stacked(seed: int) -> None:
    made = branching(seed)
    points = [
        [*map(np.asarray, choice), *made.sample.moved(by)]
        for choice, by in zip(CHOICES, (0.0, 1e-3, -1e-3), strict=True)
    ]
    backends = ["llvm"] if seed == 5 else []
    rest = [True] * (len(points[0]) - 2)
    for mapped in (
        [True, True, *rest],
        [True, False, *(False for _ in rest)],
        [False, True, *rest],
        [False, False, *rest],
    ):
        many = assert_stacked(made.graph, points, mapped, 1e5, backends)
        assert size(many) < 3 * size(made.graph)
    back = pulled_back(made.graph)
    points = with_seeds(back, points, seed)
    assert_stacked(back, points, [True] * len(points[0]), 1e6)


def test_loops_in_loops_are_mapped_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finds out by itself which values it carries from one to the next."""
    walks: list[int] = []
    walk: Any = getattr(vmap_pass, "_Walk")  # noqa: B009

    def counted(*given: Any) -> Any:
        walks.append(1)
        return walk(*given)

    def nest(depth: int, x: Any) -> Any:
        def step(t: Any, carry: Any) -> Any:
            a, b, c = carry
            return b, c, nest(depth - 1, a + c) if depth else np.sin(c) + a

        return fori_loop(0, 5, step, (np.zeros(2), np.ones(2), x))[0]

    graph = make_ir(lambda x: nest(5, x))(spec("f64[2]"))
    monkeypatch.setattr(vmap_pass, "_Walk", counted)
    made, _ = vmapped(graph, [x.name == "x" for x in graph.inputs], 3)
    assert len(walks) < 5 * 6
    made.verify()


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Loops put the axis of any number of examples last; which of them did."""
    moved: list[bool] = []

    def lanes_last(*given: Any) -> Graph | None:
        made = lanes.lanes_last(*given)
        moved.append(made is not None)
        return made

    monkeypatch.setattr(lanes, "MANY", 2)
    monkeypatch.setattr(loop_vmap, "lanes_last", lanes_last)
    return moved


@pytest.mark.parametrize("axis", range(3))
def test_an_axis_that_is_moved_in_a_loop_is_back_behind_it(
    axis: int, few_are_many: list[bool]
) -> None:
    """Loops without products put it last, whatever else they do; others do not."""
    for seed in range(axis, 30, 3):
        made = looping(seed)
        points = [made.moved(by) for by in (0.0, 0.3, -0.2)]
        mapped = [True] * len(made.point)
        backends = ["llvm"] if seed in (4, 5) else []
        assert_stacked(made.graph, points, mapped, 1e5, backends)
        back = pulled_back(made.graph)
        points = with_seeds(back, points, seed)
        assert_stacked(back, points, [True] * len(points[0]), 1e6)
    assert {True, False} == set(few_are_many)


MOVED = """graph f(%x: f64[2,4], %w: f64[2,4], %rows: f64[3,2,4]) {
  %c, %s = loop(%w, %x, %rows) {trips=3, carried=1, stacked=1} :
    f64[2,4], f64[3,4,2]:
    body(%t: i64[], %w: f64[2,4], %x: f64[2,4], %row: f64[2,4]) {
      %sum = reduce_sum(%x) {axes=(0,)} : f64[4]
      %one = reshape(%sum) {shape=(1, 4)} : f64[1,4]
      %wide = broadcast_to(%one) {shape=(2, 4)} : f64[2,4]
      %cum = cumsum(%row) {axis=1, reverse=True} : f64[2,4]
      %cut = slice(%cum) {start=(1, 3), shape=(1, 2), step=(1, -2)} : f64[1,2]
      %put = update(%wide, %cut) {start=(0, 1), step=(1, 2)} : f64[2,4]
      %i = iota() {shape=(2,), axis=0, dtype="i64"} : i64[2]
      %two = take(%put, %i) {axis=1} : f64[2,2]
      %back = scatter_add(%two, %i) {axis=1, size=4} : f64[2,4]
      %all = put(%back, %two, %i) {axis=1} : f64[2,4]
      %at = slice_at(%all, %t)
        {axes=(1,), start=(0, 0), shape=(2, 1), step=(1, 1)} : f64[2,1]
      %more = update_at(%x, %at, %t) {axes=(1,), start=(0, 0), step=(1, 1)} : f64[2,4]
      %most = add_at(%more, %at, %t) {axes=(1,), start=(0, 0), step=(1, 1)} : f64[2,4]
      %low = slice(%most) {start=(0, 0), shape=(2, 3), step=(1, 1)} : f64[2,3]
      %pad = pad(%low) {low=(0, 1), high=(0, 0), interior=(0, 0), value=0.0} : f64[2,4]
      %both = concatenate(%pad, %w) {axis=0} : f64[4,4]
      %top = argmax(%both) {axis=0} : i64[4]
      %float = cast(%top) {dtype="f64"} : f64[4]
      %again = broadcast_to(%float) {shape=(2, 4)} : f64[2,4]
      %end = add(%again, %most) : f64[2,4]
      %turn = transpose(%end) {perm=(1, 0)} : f64[4,2]
      return %end, %turn
    }
  return %c, %s
}""".replace(":\n    f64", ": f64").replace("\n        {", " {")


def test_all_that_moves_elements_takes_the_axis_last(few_are_many: list[bool]) -> None:
    graph = parse(MOVED)
    rng = np.random.default_rng(3)
    points = [[rng.normal(size=x.type.shape) for x in graph.inputs] for _ in range(3)]
    for mapped in product((True, False), repeat=3):
        if any(mapped[::2]):
            assert_stacked(graph, points, mapped, 0.0, ["llvm"] if all(mapped) else [])
    assert all(few_are_many)


def test_numba_runs_mapped_loops_and_choices() -> None:
    made = looping(7)
    points = [made.moved(by) for by in (0.0, 0.3)]
    assert_stacked(made.graph, points, [True] * len(made.point), 1e5, ["numba"])


@pytest.mark.parametrize("seed", range(0, 30, 3))
def test_what_is_mapped_twice_is_what_is_mapped_once(seed: int) -> None:
    """Over examples of examples, by one axis for all of them."""
    made = looping(seed)
    graph, count = made.graph, len(made.point)
    once, flags = vmapped(graph, [True] * count, 6)
    inner, _ = vmapped(graph, [True] * count, 3)
    twice, _ = vmapped(inner, [True] * count, 2)
    columns = [
        np.stack([np.asarray(made.moved(0.1 * by)[k]) for by in range(6)])
        for k in range(count)
    ]
    wanted = interpret(once, columns)
    found = interpret(twice.verify(), [x.reshape(2, 3, *x.shape[1:]) for x in columns])
    for one, two, of_each in zip(wanted, found, flags, strict=True):
        two = two.reshape(one.shape) if of_each else two
        assert_near(two, one, 1e5)


@pytest.mark.parametrize("seed", range(0, 30, 4))
@pytest.mark.parametrize("count", [0, 1])
def test_no_examples_and_one(seed: int, count: int) -> None:
    for made, first in ((looping(seed).graph, []), (branching(seed).graph, [True] * 2)):
        point = looping(seed).point if not first else branching(seed).sample.point
        shared = [*map(np.asarray, first), *point]
        examples = [shared] * count
        mapped = [True] * len(shared)
        backends = ["llvm"] if seed == 8 else []
        assert_stacked(made, examples, mapped, 1e5, backends, shared)


# Iterations that only some examples have.


COUNTED = """graph f(%n: i64[], %x: f64[2]) {
  %c = const() {value=0} : i64[]
  %count, %y, %rows = loop(%n, %c, %x) {carried=2, limit=True LIMITS} : TYPES:
    body(%t: i64[], %k: i64[], %v: f64[2]) {
      %one = const() {value=1} : i64[]
      %next = add(%k, %one) : i64[]
      %f = cast(%t) {dtype="f64"} : f64[]
      %w = broadcast_to(%f) {shape=(2,)} : f64[2]
      %two = add(%v, %v) : f64[2]
      %z = add(%two, %w) : f64[2]
      return %next, %z, %z
    }
  return %count, %y, %rows
}"""


@pytest.mark.parametrize("reverse", [False, True])
def test_each_example_has_as_many_iterations_as_its_limit(reverse: bool) -> None:
    """Rows that it does not have are zeros, also where it runs backwards."""
    limits = f", trips=4{', reverse=True' if reverse else ''}"
    text = COUNTED.replace(" LIMITS", limits).replace(
        "TYPES", "i64[], f64[2], f64[4,2]"
    )
    counts = [np.asarray(n) for n in (2, 0, 4, -1, 9)]
    points = [[n, np.array([0.5, k])] for k, n in enumerate(counts)]
    graph = parse(text)
    assert_stacked(graph, points, [True, True], 0.0, ["llvm"])
    assert_stacked(graph, points, [True, False], 0.0)


NEWTON = """graph f(%a: f64[], %start: bool[]) {
  %one = const() {value=1.0} : f64[]
  %go, %x, %n = loop(%a, %start, %one, %one) {carried=3, test=True} :
    bool[], f64[], f64[]:
    body(%t: i64[], %i: f64[], %p: bool[], %x: f64[], %n: f64[]) {
      %q = div(%i, %x) : f64[]
      %s = add(%x, %q) : f64[]
      %half = const() {value=0.5} : f64[]
      %y = mul(%s, %half) : f64[]
      %d = sub(%y, %x) : f64[]
      %e = abs(%d) : f64[]
      %small = const() {value=1e-12} : f64[]
      %more = gt(%e, %small) : bool[]
      %one = const() {value=1.0} : f64[]
      %m = add(%n, %one) : f64[]
      return %more, %y, %m
    }
  return %go, %x, %n
}""".replace(":\n    bool", ": bool")


def test_each_example_stops_by_its_own_test() -> None:
    points = [
        [np.asarray(a), np.asarray(p)]
        for a, p in ((2.0, True), (1e8, True), (1.0, True), (5.0, False))
    ]
    graph = parse(NEWTON)
    for mapped in ([True, True], [True, False], [False, True]):
        assert_stacked(graph, points, mapped, 0.0)
    assert_stacked(graph, points, [True, True], 8.0, ["llvm", "numba"])


# What may fail, where only some examples get there.


def chooses(then: str, other: str, operands: str, types: str, result: str) -> Graph:
    return parse(
        f"graph f(%p: bool[], {types}) {{\n"
        f"  %r = cond(%p, {operands}) : {result}:\n"
        f"    then({types}) {{\n{then}    }}\n"
        f"    else({types}) {{\n{other}    }}\n"
        f"  return %r\n}}"
    )


INDEXED = chooses(
    '      %j = check(%i) {low=0, high=3, error="index", message="outside"} : i64[]\n'
    "      %y = take(%v, %j) {axis=0} : f64[]\n      return %y\n",
    "      %z = const() {value=-1.0} : f64[]\n      return %z\n",
    "%v, %i",
    "%v: f64[3], %i: i64[]",
    "f64[]",
)


def test_a_check_is_of_those_that_chose_its_branch() -> None:
    v = np.array([1.0, 2.0, 3.0])
    points = [[np.asarray(i < 3), v, np.asarray(i)] for i in (1, 99, 2, 1_000_000)]
    for mapped in ([True, False, True], [True, True, True]):
        assert_stacked(INDEXED, points, mapped, 0.0, ["llvm"])
    alike = [[np.asarray(False), v, np.asarray(99)]] * 2
    assert_stacked(INDEXED, alike, [True, False, False], 0.0, ["llvm"])
    made, _ = vmapped(INDEXED, [True, False, True], 2)
    for run in (interpret, lambda g, x: find_backend("llvm").prepare(optimise(g))(x)):
        with pytest.raises(BoundsError, match="outside"):
            run(made, [np.array([True, False]), v, np.array([3, 99])])


FACTORED = chooses(
    "      %l = cholesky(%a) : f64[2,2]\n      return %l\n",
    "      %n = neg(%a) : f64[2,2]\n      return %n\n",
    "%a",
    "%a: f64[2,2]",
    "f64[2,2]",
)


def test_a_factorization_is_of_those_that_chose_its_branch() -> None:
    good, bad = np.array([[2.0, 1.0], [1.0, 2.0]]), -np.eye(2)
    points = [[np.asarray(True), good], [np.asarray(False), bad]]
    assert_stacked(FACTORED, points, [True, True], 4.0, ["llvm"])
    made, _ = vmapped(FACTORED, [True, False], 2)
    assert len(interpret(made, [np.array([False, False]), bad])) == 1
    with pytest.raises(LinAlgError, match="positive definite"):
        interpret(made, [np.array([False, True]), bad])


ENDLESS = chooses(
    "      %go, %y = loop(%w, %w, %x) {carried=2, test=True} : bool[], f64[]:\n"
    "        body(%t: i64[], %i: bool[], %q: bool[], %u: f64[]) {\n"
    "          %z = add(%u, %u) : f64[]\n"
    "          return %i, %z\n"
    "        }\n"
    "      return %y\n",
    "      return %x\n",
    "%w, %x",
    "%w: bool[], %x: f64[]",
    "f64[]",
)


def test_a_loop_does_not_run_for_those_that_did_not_choose_its_branch() -> None:
    """It would not end for them."""
    points = [
        [np.asarray(True), np.asarray(False), np.asarray(1.0)],
        [np.asarray(False), np.asarray(True), np.asarray(2.0)],
    ]
    assert_stacked(ENDLESS, points, [True, True, True], 0.0, ["llvm"])
    alike = [[np.asarray(False), np.asarray(True), np.asarray(k)] for k in (1.0, 2.0)]
    assert_stacked(ENDLESS, alike, [True, False, True], 0.0, ["llvm"])
    assert_stacked(ENDLESS, alike, [True, False, False], 0.0, ["llvm"])
