"""The laws of adjoints, text and backends, on random graphs with complex numbers.

The inner product of complex arrays is Re<u, v>, by which a cotangent is held against
differences along both parts.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from anabranch.backends import find_backend
from anabranch.backends.reference.interpreter import interpret
from anabranch.compiler.pipeline import optimise
from anabranch.compiler.transforms.adjoint import adjoint
from anabranch.ir import Graph, TensorType, parse
from tests.strategies import STEP, Sample, random_sample

COUNT = 40
MANY = 1_000

ranges = pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(COUNT), id="default"),
        pytest.param(range(COUNT, MANY), id="fuzz", marks=pytest.mark.fuzz),
    ],
)
either_width = pytest.mark.parametrize("mixed", [False, True])


@cache
def sample_of(seed: int, *, mixed: bool = False) -> Sample:
    return random_sample(seed, mixed=mixed, complexes=True)


def drawn(rng: np.random.Generator, type_: TensorType) -> Any:
    """Random numbers of a type; both parts of complex ones."""
    re, im = rng.uniform(-1, 1, (2, *type_.shape))
    return np.asarray(re + 1j * im if type_.is_complex else re).astype(type_.numpy)


def seeded(sample: Sample, seed: int) -> tuple[Graph, list[Any]]:
    """The adjoint of the sample's graph, and a random cotangent for each output."""
    rng, graph = np.random.default_rng(seed), sample.graph
    types = [graph[name].type for name in graph.results]
    made = adjoint(graph, wrt=sample.floats, seeded=True)
    return made, [drawn(rng, type_) for type_ in types if type_.has_gradient]


def inner(us: list[Any], vs: list[Any]) -> tuple[float, float]:
    """Σ Re<u, v>, and the sum of the sizes of its terms."""
    terms = [np.ravel(np.real(np.conj(u) * v)) for u, v in zip(us, vs, strict=True)]
    every = np.concatenate([*terms, [0.0]])
    return float(every.sum()), float(np.abs(every).sum())


def inexact(values: list[Any]) -> list[Any]:
    return [value for value in values if value.dtype.kind in "fc"]


def test_the_samples_have_every_kind_of_op() -> None:
    found: set[str] = set()
    for seed in range(COUNT):
        graph = sample_of(seed).graph
        for node in graph:
            types = [node.type, *(graph[name].type for name in node.operands)]
            if any(type_.is_complex for type_ in types):
                found.add(node.op)
    assert found >= {
        *("complex real imag conj mul div power exp sqrt log matmul add_n").split(),
        *("reduce_sum reduce_prod cumsum fft ifft rfft irfft select slice").split(),
        *("pad concatenate take scatter_add transpose reshape cast").split(),
    }


@ranges
def test_adjoint_agrees_with_differences(seeds: range) -> None:
    for seed in seeds:
        sample = sample_of(seed)
        if any(node.op == "stop_gradient" for node in sample.graph):
            continue
        made, cotangents = seeded(sample, seed)
        count = len(sample.graph.outputs)
        bars = interpret(made, [*sample.point, *cotangents])[count:]
        moves = [move for move in sample.direction if move is not None]
        backward, scale = inner(bars, moves)

        def loss(steps: int, sample: Sample = sample, us: Any = cotangents) -> float:
            results = interpret(sample.graph, sample.moved(steps * STEP))
            return inner(us, inexact(results))[0]

        numeric = (loss(-2) - 8 * loss(-1) + 8 * loss(1) - loss(2)) / (12 * STEP)
        assert abs(numeric - backward) <= 1e-6 * max(1.0, scale), f"seed {seed}"


@ranges
def test_the_adjoint_of_an_adjoint_agrees_with_differences(seeds: range) -> None:
    for seed in seeds[::3]:
        sample = sample_of(seed)
        first, cotangents = seeded(sample, seed)
        count = len(sample.graph.outputs)
        second = adjoint(
            first, wrt=sample.floats, of=first.results[count:], seeded=True
        ).verify()
        rng = np.random.default_rng(seed)
        weights = [drawn(rng, first[name].type) for name in first.results[count:]]
        found = interpret(second, [*sample.point, *cotangents, *weights])
        moves = [move for move in sample.direction if move is not None]
        backward, scale = inner(found[len(first.outputs) :], moves)

        def slope(
            steps: int, at: Any = (sample, first, cotangents, weights, count)
        ) -> float:
            sample, first, cotangents, weights, count = at
            point = [*sample.moved(steps * STEP), *cotangents]
            return inner(weights, interpret(first, point)[count:])[0]

        numeric = (slope(-2) - 8 * slope(-1) + 8 * slope(1) - slope(2)) / (12 * STEP)
        assert abs(numeric - backward) <= 1e-5 * max(1.0, scale), f"seed {seed}"


@either_width
@ranges
def test_text_round_trip_of_graphs_and_their_adjoints(
    seeds: range, mixed: bool
) -> None:
    for seed in seeds:
        sample = sample_of(seed, mixed=mixed)
        first, _ = seeded(sample, seed)
        for graph in (sample.graph, first, optimise(first)):
            assert parse(graph.verify().as_text()) == graph


@either_width
@ranges
def test_llvm_agrees_with_the_reference(seeds: range, mixed: bool) -> None:
    for seed in seeds:
        check(seed, mixed, "llvm")


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(2), id="default"),
        pytest.param(range(2, 400), id="fuzz", marks=pytest.mark.fuzz),
    ],
)
def test_numba_agrees_with_the_reference(seeds: range) -> None:
    """Odd ones are mixed."""
    for seed in seeds:
        check(seed, seed % 2 == 1, "numba")


def check(seed: int, mixed: bool, backend: str) -> None:
    """Gradients too: to 1e-12 of the largest entry, to f32's where f32 is mixed in."""
    sample = sample_of(seed, mixed=mixed)
    made, cotangents = seeded(sample, seed)
    arrays = [*sample.point, *cotangents]
    expected = interpret(made, arrays)
    results = find_backend(backend).prepare(optimise(made, backend))(arrays)
    tolerance = 64 * np.finfo(np.float32).eps if mixed else 1e-12
    for name, one, other in zip(made.results, results, expected, strict=True):
        note = f"seed {seed}, %{name}"
        assert (one.dtype, one.shape) == (other.dtype, other.shape), note
        if one.dtype.kind not in "fc":
            assert np.array_equal(one, other), note
            continue
        largest = max(1.0, float(np.max(np.abs(other), initial=0.0)))
        error = float(np.max(np.abs(one - other), initial=0.0))
        assert error <= tolerance * largest, note
