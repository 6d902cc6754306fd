"""Extents against sets of places, and the index against a list."""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.ir.extent import Extent, ExtentIndex, whole


def drawn(rng: np.random.Generator, sizes: tuple[int, ...]) -> Extent:
    start, shape, step = [], [], []
    for size in sizes:
        by = int(rng.choice((-3, -2, -1, 1, 1, 2, 3)))
        first = int(rng.integers(size))
        most = first // -by + 1 if by < 0 else (size - 1 - first) // by + 1
        start.append(first)
        shape.append(int(rng.integers(rng.random() > 0.1, most + 1)))
        step.append(by)
    return Extent(tuple(start), tuple(shape), tuple(step))


def places(extent: Extent, sizes: tuple[int, ...]) -> np.ndarray:
    """The flat positions of the elements, in the shape of the extent."""
    flat = np.arange(np.prod(sizes, dtype=int)).reshape(sizes)
    axes = [s + b * np.arange(n) for s, n, b in zip(*extent, strict=True)]
    return flat[np.ix_(*axes)] if axes else flat


@pytest.mark.parametrize("sizes", [(), (7,), (12,), (4, 5), (3, 4, 2)])
def test_extents_are_sets_of_places(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    met = apart = inside = 0
    for _ in range(400):
        one, other = drawn(rng, sizes), drawn(rng, sizes)
        a, b = places(one, sizes), places(other, sizes)
        shared = np.intersect1d(a, b)
        assert one.overlaps(other) == other.overlaps(one) == bool(shared.size)
        met, apart = met + bool(shared.size), apart + (not shared.size)
        found = one.inside(other)
        assert (found is not None) == bool(np.isin(a, b).all())
        if found is not None:
            inside += 1
            np.testing.assert_array_equal(places(found, b.shape), np.argsort(
                b.ravel())[np.searchsorted(np.sort(b.ravel()), a)])  # fmt: skip
            assert other.of(found).shape == one.shape
            np.testing.assert_array_equal(places(other.of(found), sizes), a)
        everything = np.array_equal(a, places(whole(sizes), sizes))
        assert one.covers(sizes) == everything
    assert met > 20
    assert inside > 20 or len(sizes) > 1
    assert apart > 20 or not sizes


@pytest.mark.parametrize("sizes", [(), (40,), (9, 11), (4, 5, 6)])
def test_the_index_finds_what_overlaps(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    index: ExtentIndex[int] = ExtentIndex()
    known: dict[int, Extent] = {}
    for number in range(300):
        key = int(rng.integers(60))
        if key in known and rng.random() < 0.4:
            index.discard(key)
            del known[key]
        else:
            known[key] = drawn(rng, sizes)
            index.add(key, known[key])
        wanted = drawn(rng, sizes)
        found = sorted(index.overlapping(wanted))
        assert found == sorted(k for k, e in known.items() if e.overlaps(wanted))
        assert all((key in index) == (key in known) for key in range(60)), number


@pytest.mark.parametrize("axis", [0, 1])
def test_a_search_among_rows_looks_at_few(
    axis: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    index: ExtentIndex[int] = ExtentIndex()

    def row(k: int) -> Extent:
        start, shape = [0, 0], [500, 500]
        start[axis], shape[axis] = k, 1
        return Extent(tuple(start), tuple(shape), (1, 1))

    for k in range(500):
        index.add(k, row(k))
    looked = []
    overlaps = Extent.overlaps

    def counted(one: Extent, other: Extent) -> bool:
        looked.append(other)
        return overlaps(one, other)

    monkeypatch.setattr(Extent, "overlaps", counted)
    assert [list(index.overlapping(row(k))) for k in range(500)] == [
        [k] for k in range(500)
    ]
    assert len(looked) <= 3 * 500
