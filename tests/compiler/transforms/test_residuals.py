"""`vjp` and `fwd_and_bwd` called again: the fast path, and the same results."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np
import optree
import pytest

import anabranch
from anabranch import ArgumentError
from anabranch.compiler.calls.entry import Entry
from anabranch.compiler.transforms.residuals import Residuals
from anabranch.compiler.tree import NAMESPACE

RNG = np.random.default_rng(4)
W, X = RNG.normal(size=(3, 3)), RNG.normal(size=(4, 3))


def net(p: Any, x: Any) -> Any:
    h = np.tanh(x @ p["w"])
    return {"y": np.sin(h) * x, "norm": (np.sum(h * h), None)}


def cotangents(scale: float) -> Any:
    return {"y": scale * X, "norm": (scale, None)}


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """The entries that ran by the slow path."""
    found: list[Entry] = []
    run = Entry.run

    def counted(self: Entry, *args: Any) -> Any:
        found.append(self)
        return run(self, *args)

    monkeypatch.setattr(Entry, "run", counted)
    return found


def test_both_halves_go_the_fast_path(runs: list[Entry]) -> None:
    """From the third call on; cotangents of another form learn it anew."""
    forward, backward = anabranch.fwd_and_bwd(net)
    wanted: list[Any] = []
    result, residuals = forward({"w": W}, X)
    for scale in (1.0, 2.0):
        result, residuals = forward({"w": W}, X)
        wanted.append(backward(residuals, cotangents(scale))["w"])
    before = len(runs)
    for scale, bar in zip((1.0, 2.0), wanted, strict=True):
        again, kept = forward({"w": W}, X)
        assert type(kept) is Residuals
        assert dict(kept).keys() == dict(residuals).keys()
        assert kept.backward is residuals.backward
        for name in kept:
            np.testing.assert_array_equal(kept[name], residuals[name])
        np.testing.assert_array_equal(again["y"], result["y"])
        np.testing.assert_array_equal(backward(kept, cotangents(scale))["w"], bar)
    assert len(runs) == before
    other = {"y": X.astype(np.float32), "norm": (np.float64(1.0), None)}
    bar = backward(residuals, other)["w"]
    assert len(runs) == before + 1
    np.testing.assert_allclose(bar, wanted[0], rtol=1e-6)


def test_a_pull_back_of_a_known_function(runs: list[Entry]) -> None:
    def cube(x: Any, y: Any) -> Any:
        return np.sum(x**3 * y)

    for _ in range(2):
        _, pull = anabranch.vjp(cube, X, X)
        pull(1.0)
    before = len(runs)
    for x in X, 2 * X:
        value, pull = anabranch.vjp(cube, x, X)
        np.testing.assert_allclose(value, np.sum(x**3 * X))
        for scale in 1.0, 3.0:
            one, other = pull(scale)
            np.testing.assert_allclose(one, scale * 3 * x**2 * X)
            np.testing.assert_allclose(other, scale * x**3)
    assert len(runs) == before


def test_residuals_are_a_mapping_and_a_tree() -> None:
    forward, backward = anabranch.fwd_and_bwd(net)
    made: list[Any] = [forward({"w": W}, X)[1] for _ in range(3)]
    for residuals in made:  # by either path
        assert issubclass(type(residuals), Mapping)
        assert len(residuals) == len(list(residuals)) > 1
        assert repr(residuals) == f"Residuals({', '.join(residuals)})"
        with pytest.raises(KeyError):
            residuals["nothing"]
        doubled: Any = optree.tree_map(
            lambda x: 2 * x,
            residuals,
            namespace=NAMESPACE,  # type: ignore[arg-type]
        )
        assert type(doubled) is Residuals
        for name, value in residuals.items():
            np.testing.assert_array_equal(doubled[name], 2 * value)
    (*_, residuals) = made
    with pytest.raises(ArgumentError, match=r"is f64\[4,3\], its cotangent f64\[4\]"):
        backward(residuals, {"y": np.ones(4), "norm": (1.0, None)})
    with pytest.raises(ArgumentError, match="structured as"):
        backward(residuals, X)


def mixed(x: Any, z: Any, n: Any) -> Any:
    """Residuals of five dtypes, one of rank 0 and one without elements."""
    y = np.sin(x) * x
    kept = np.where(x > 0.5, y, x * n)
    empty = np.sum(np.exp(x[:0]) * x[:0])
    return np.tanh(np.sum(kept)) + empty, np.abs(z * np.exp(z)) * x.astype(np.float64)


MIXED: Any = (
    RNG.normal(size=5).astype(np.float32),
    RNG.normal(size=5) + 1j * RNG.normal(size=5),
    np.arange(5),
)


def test_one_block_has_values_of_all_dtypes(runs: list[Entry]) -> None:
    forward, backward = anabranch.fwd_and_bwd(mixed, (0, 1))
    bar = np.float64(2.0), RNG.normal(size=5)
    kept: list[Any] = [forward(*MIXED)[1]]
    made = [(kept[0], backward(kept[0], bar))]
    for _ in range(3):
        kept.append(forward(*MIXED)[1])
        made.append((kept[-1], backward(kept[-1], bar)))
    assert len(runs) == 4
    residuals = kept[0]
    types = {(value.dtype.name, value.ndim) for value in residuals.values()}
    assert len({name for name, _ in types}) >= 4
    assert any(rank == 0 for _, rank in types)
    (first, wanted), *_, (last, bars) = made
    for residuals in (first, last):  # by either path
        block = residuals.held
        assert block.dtype == np.uint8
        for value in residuals.values():
            assert isinstance(value, np.generic) == (value.ndim == 0)
            if value.ndim:
                assert value.base is block
                assert value.flags.aligned
    for name, value in first.items():
        np.testing.assert_array_equal(last[name], value)
    for one, other in zip(bars, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
    plain, back = anabranch.fwd_and_bwd(mixed, (0, 1), backend="reference")
    _, residuals = plain(*MIXED)
    assert isinstance(residuals.held, tuple)
    for one, other in zip(back(residuals, bar), bars, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_residuals_of_ones_own_and_none_at_all(runs: list[Entry]) -> None:
    forward, backward = anabranch.fwd_and_bwd(lambda x: np.sum(x * x))
    residuals: Any = forward(X)[1]
    *_, wanted = (backward(residuals, 1.0) for _ in range(3))
    before = len(runs)
    doubled: Any = optree.tree_map(lambda x: 2 * x, residuals, namespace=NAMESPACE)
    np.testing.assert_array_equal(backward(doubled, 1.0), 2 * wanted)
    assert len(runs) == before
    short: Any = optree.tree_map(lambda x: x[1:], residuals, namespace=NAMESPACE)
    with pytest.raises(ArgumentError, match=r"is f64\[4,3\], not f64\[3,3\]"):
        backward(short, 1.0)
    like: Any = anabranch.fwd_and_bwd(lambda x: np.sum(x * x))[0](X[1:])[1]
    with pytest.raises(ArgumentError, match=r"is f64\[4,3\], not f64\[3,3\]"):
        residuals.backward(like, 1.0)
    other: Any = anabranch.fwd_and_bwd(net)[0]({"w": W}, X)[1]
    with pytest.raises(ArgumentError, match="residuals of another function"):
        residuals.backward(other, 1.0)
    forward, backward = anabranch.fwd_and_bwd(lambda x: np.sum(x))
    for _ in range(4):
        _, nothing = forward(X)
        assert not nothing
        np.testing.assert_array_equal(backward(nothing, 3.0), np.full(X.shape, 3.0))


def test_what_is_made_is_freed() -> None:
    forward, backward = anabranch.fwd_and_bwd(lambda p, x: net(p, x))
    _, residuals = forward({"w": W}, X)
    for _ in range(9):  # recipes are made at the 2nd, 4th, 8th call by the slow path
        _, residuals = forward({"w": W}, X)
        backward(residuals, cotangents(1.0))
    first = residuals.held
    assert not isinstance(first, tuple)
    gone = weakref.ref(first)
    counts = sys.getrefcount(residuals.backward)
    many = [forward({"w": W}, X) for _ in range(10)]
    more = sys.getrefcount(residuals.backward) - counts
    assert more == 10
    del many, residuals, first
    gc.collect()
    assert gone() is None


def test_the_interpreter_threads_and_traces() -> None:
    forward, backward = anabranch.fwd_and_bwd(net)
    made = [forward({"w": W}, X)[1] for _ in range(3)]
    wanted, *_ = [backward(kept, cotangents(1.0))["w"] for kept in made]
    residuals = made[0]
    with anabranch.disable_jit():
        bar = backward(residuals, cotangents(1.0))["w"]
    np.testing.assert_allclose(bar, wanted, rtol=1e-12)

    @anabranch.jit
    def inside(w: Any) -> Any:
        _, residuals = forward({"w": w}, X)
        return backward(residuals, cotangents(1.0))["w"]

    np.testing.assert_allclose(inside(W), wanted, rtol=1e-12)
    found: list[Any] = []

    def work() -> None:
        for _ in range(50):
            _, residuals = forward({"w": W}, X)
            found.append(backward(residuals, cotangents(1.0))["w"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    assert all(np.array_equal(one, wanted) for one in found)
