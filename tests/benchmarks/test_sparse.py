"""The benchmark of sparse derivatives runs, and what it counts grows as it says."""

from __future__ import annotations

import pytest

from benchmarks import sparse


@pytest.fixture(autouse=True)
def one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "ROUNDS", 1)


def test_bytes_grow_as_the_sizes_do():
    sizes, seconds, most = zip(*sparse.rosenbrock((2_000, 8_000)), strict=True)
    assert sizes == (2_000, 8_000)
    assert all(len(parts) == 3 for parts in seconds)
    assert most[1] < 1.1 * 4 * most[0]


def test_a_bundle_adjustment_is_compared_with_a_dense_one():
    ((shape, _, (few, many)),) = sparse.bundle([(3, 6, 2)])
    assert shape == (24, 36)
    assert few < many
