"""The laws of forward mode: of each op, and on random graphs with loops and branches.

The tangent J v and the cotangent Jᵀ u are two ways to one number, u · (J v) =
(Jᵀ u) · v. Adjoints are held against differences elsewhere, so this holds tangents
against them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest

from anabranch.backends import find_backend
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.compiler.transforms.tangent import tangent
from anabranch.compiler.transforms.vmap import vmapped
from anabranch.ir import OPS, Graph, parse
from anabranch.ir.errors import GradientError
from anabranch.ir.ops import NONDIFFERENTIABLE
from tests.branching import CHOICES, branching
from tests.laws.complex_samples import COMPLEX_SAMPLES
from tests.laws.op_graphs import one_op
from tests.laws.op_samples import SAMPLES, Array
from tests.looping import looping
from tests.strategies import random_sample

HANDED_ON = ("share", "log_share")
"""They have this law where their values are those of softmax: in random graphs."""
EVERY_SAMPLE = {
    op: [*SAMPLES.get(op, ()), *COMPLEX_SAMPLES.get(op, ())]
    for op in {**SAMPLES, **COMPLEX_SAMPLES}
    if OPS[op].adjoint is not NONDIFFERENTIABLE
    and op not in HANDED_ON
    and len(OPS[op].refused) < OPS[op].arity
}
GRAPHS = range(60)
REGIONS = range(12)
FEW = range(3)

graph_of, looping_of, branching_of = (
    cache(random_sample),
    cache(looping),
    cache(branching),
)


def inner(one: Sequence[Array], other: Sequence[Array]) -> tuple[float, float]:
    """The inner product of several arrays, over the reals, and its scale."""
    terms = [np.ravel(np.real(np.conj(u) * v)) for u, v in zip(one, other, strict=True)]
    whole = np.concatenate([*terms, np.zeros(0)]).astype(float)
    return float(whole.sum()), float(np.abs(whole).sum())


def normal(rng: np.random.Generator, graph: Graph, names: Sequence[str]) -> list[Any]:
    """Random values in the types of these."""
    made: list[Any] = []
    for name in names:
        type_ = graph[name].type
        value = rng.standard_normal(type_.shape)
        if type_.is_complex:
            value = value + 1j * rng.standard_normal(type_.shape)
        made.append(np.asarray(value, type_.numpy))
    return made


def assert_transposed(
    graph: Graph, wrt: Sequence[str], point: Sequence[Any], tolerance: float, what: str
) -> None:
    """The law, at one point, for the inputs ``wrt``."""
    rng = np.random.default_rng(len(what))
    of = [name for name in graph.results if graph[name].type.has_gradient]
    pushed = tangent(graph, wrt=wrt, of=of).verify()
    pulled = adjoint(graph, wrt=wrt, of=of, seeded=True)
    v, u = normal(rng, graph, wrt), normal(rng, graph, of)
    count = len(graph.outputs)
    with np.errstate(all="ignore"):
        results = interpret(pushed, [*point, *v])
        dots = results[count:]
        bars = interpret(pulled, [*point, *u])[count:]
        forward, scale = inner(u, dots)
        backward, other = inner(bars, v)
    for value, expected in zip(results, interpret(graph, list(point)), strict=False):
        np.testing.assert_array_equal(value, expected, err_msg=what)
    if np.isfinite(forward) and np.isfinite(backward):
        assert abs(forward - backward) <= tolerance * max(scale, other, 1e-30), what
    else:
        assert np.isnan(forward) == np.isnan(backward), what


@pytest.mark.parametrize("op", EVERY_SAMPLE)
def test_the_tangent_of_an_op_is_the_transpose_of_its_adjoint(op: str) -> None:
    judged = 0
    for sample in EVERY_SAMPLE[op]:
        graph = one_op(op, sample)
        wrt = [
            node.name
            for slot, node in enumerate(graph.inputs)
            if node.type.has_gradient
            and OPS[op].is_differentiable(slot)
            and slot not in OPS[op].refused
        ]
        if not wrt or not any(graph[r].type.has_gradient for r in graph.results):
            continue
        single = any(node.type.dtype in ("f32", "c64") for node in graph)
        tolerance = 1e-4 if single else 1e-12
        assert_transposed(
            graph, wrt, sample.operands, tolerance, f"{op} {sample.label}"
        )
        judged += 1
    assert judged


def test_random_graphs() -> None:
    for seed in GRAPHS:
        sample = graph_of(seed)
        assert_transposed(sample.graph, sample.floats, sample.point, 1e-11, f"{seed}")


def regions() -> list[tuple[str, Graph, list[Any]]]:
    """Random graphs with loops and branches, each with a point."""
    loops = [looping_of(seed) for seed in REGIONS]
    choices = [branching_of(seed) for seed in REGIONS]
    return [
        *((f"loop {n}", made.graph, made.point) for n, made in enumerate(loops)),
        *(
            (f"cond {n}", made.graph, made.arrays(CHOICES[n % len(CHOICES)]))
            for n, made in enumerate(choices)
        ),
    ]


def test_graphs_with_loops_and_branches() -> None:
    for what, graph, point in regions():
        wrt = [node.name for node in graph.inputs if node.type.is_float]
        assert_transposed(graph, wrt, point, 1e-11, what)


def test_hessians_are_symmetric_and_the_same_both_ways() -> None:
    """Forward over reverse against reverse over reverse."""
    graphs = [(f"{n}", graph_of(n).graph, graph_of(n).point) for n in range(20)]
    for what, graph, point in [*graphs, *regions()]:
        wrt = [node.name for node in graph.inputs if node.type.is_float]
        of = [name for name in graph.results if graph[name].type.is_float]
        first = adjoint(graph, wrt=wrt, of=of, seeded=True)
        bars = list(first.results[len(graph.outputs) :])
        rng = np.random.default_rng(0)
        seeds = normal(rng, graph, of)
        v, w = normal(rng, graph, wrt), normal(rng, graph, wrt)
        forward = tangent(first, wrt=wrt, of=bars).verify()
        reverse = adjoint(first, wrt=wrt, of=bars, seeded=True)
        count = len(first.outputs)
        with np.errstate(all="ignore"):
            pushed = interpret(forward, [*point, *seeds, *v])[count:]
            other = interpret(forward, [*point, *seeds, *w])[count:]
            pulled = interpret(reverse, [*point, *seeds, *v])[count:]
        for one, two in zip(pushed, pulled, strict=True):
            scale = max(1.0, float(np.max(np.abs(two), initial=0.0)))
            np.testing.assert_allclose(one, two, rtol=0, atol=1e-10 * scale)
        (a, scale), (b, more) = inner(pushed, w), inner(other, v)
        assert abs(a - b) <= 1e-10 * max(scale, more, 1.0), what


def test_tangents_have_adjoints_and_tangents_of_their_own() -> None:
    for seed in range(10):
        sample = graph_of(seed)
        first = tangent(sample.graph, wrt=sample.floats)
        dots = list(first.results[len(sample.graph.outputs) :])
        wrt = [*sample.floats, *(f"{name}.dot" for name in sample.floats)]
        point = [*sample.point, *normal(np.random.default_rng(1), first, wrt)]
        point = point[: len(first.inputs)]
        kept = first.returning([out for out in first.outputs if out.value in dots])
        assert_transposed(kept, wrt, point, 1e-10, f"{seed}")


@pytest.mark.parametrize("generator", ["llvm", "numba"])
def test_compiled_tangents_agree_with_the_interpreter(generator: str) -> None:
    made = [(graph_of(n).graph, graph_of(n).point) for n in FEW]
    made += [(graph, point) for _, graph, point in regions()[:: len(REGIONS) // 2]]
    if generator == "numba":  # which takes a second for any graph
        made = made[len(FEW) - 1 : len(FEW) + 1]
    for graph, point in made:
        wrt = [node.name for node in graph.inputs if node.type.is_float]
        pushed = tangent(graph, wrt=wrt)
        v = normal(np.random.default_rng(2), graph, wrt)
        arrays = [np.asarray(x) for x in (*point, *v)]
        with np.errstate(all="ignore"):
            expected = interpret(pushed, arrays)
        found = find_backend(generator).prepare(optimise(pushed, generator))(arrays)
        for one, two in zip(found, expected, strict=True):
            scale = max(1.0, float(np.max(np.abs(two), initial=0.0)))
            np.testing.assert_allclose(one, two, rtol=0, atol=1e-9 * scale)


def test_the_text_names_tangents_and_comes_back() -> None:
    graph = parse("""graph f(%x: f64[3]) {
      %y = sin(%x) : f64[3]
      %z = mul(%y, %x) : f64[3]
      return %z
    }""")
    made = tangent(graph, wrt=["x"])
    assert parse(str(made)) == made
    assert "tangent dot:" in str(made)
    assert {"x.dot", "y.dot", "z.dot"} <= set(made.nodes)
    again = tangent(made, wrt=["x"])
    assert "z.dot.dot2" in again.nodes
    assert "tangent dot2:" in str(again)
    assert "backward bar" in str(adjoint(made, wrt=["x"], of=["z.dot"], seeded=True))


def test_integers_have_no_tangents() -> None:
    graph = parse(
        'graph f(%n: i64[]) {\n  %y = cast(%n) {dtype="f64"} : f64[]\n  return %y\n}'
    )
    with pytest.raises(GradientError, match="no tangent of n: it is i64"):
        tangent(graph, wrt=["n"])


def sums(graph: Graph) -> dict[str, tuple[Any, ...]]:
    """The labels of sum nodes by name, those of regions too."""
    found = {node.name: node.reads for node in graph if node.reads}
    for node in graph:
        for region in node.regions:
            found |= {f"{node.name}.{name}": r for name, r in sums(region).items()}
    return found


def test_what_was_transformed_has_a_lawful_adjoint() -> None:
    """The verifier counts reads; a mapped graph keeps all sum nodes of an adjoint."""
    made = [graph_of(seed).graph for seed in range(8)]
    made += [graph for _, graph, _ in regions()[::6]]
    judged = 0
    for graph in made:
        wrt = [node.name for node in graph.inputs if node.type.is_float]
        first = adjoint(graph, wrt=wrt, seeded=True)
        ones = [node.type.is_float for node in graph.inputs]
        for other in (first, tangent(graph, wrt=wrt), vmapped(graph, ones, 3)[0]):
            of = [name for name in other.results if other[name].type.is_float]
            again = adjoint(other, wrt=wrt, of=of, seeded=True).verify()
            assert again.sections[-1].lawful
            judged += len(sums(again))
        more = len(first.inputs) - len(graph.inputs)
        mapped, _ = vmapped(first, [*ones, *[True] * more], 3)
        assert sums(first).keys() <= sums(mapped).keys()
        assert {name: sums(mapped)[name] for name in sums(first)} == sums(first)
    assert judged > 100
