"""Sets as numbers: unions hold what they are made of, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from anabranch.compiler.sparse import unions as module
from anabranch.compiler.sparse.unions import Crowded, Unions


def held(unions: Unions, sets) -> list[set[int]]:
    """What each set holds, by the numbers of the inputs."""
    ends, columns = unions.members(np.asarray(sets))
    rows = np.split(columns + 1, ends[1:-1])
    assert all(np.all(np.diff(row) > 0) for row in rows), "not sorted, or twice"
    return [set(row.tolist()) for row in rows]


def test_a_union_of_equal_or_empty_sets_is_no_new_one():
    unions = Unions(3)
    made = unions.both(np.array([0, 1, 2, 3]), np.array([1, 0, 2, 1]))
    assert made.tolist() == [1, 1, 2, 4]
    assert held(unions, made) == [{1}, {1}, {2}, {1, 3}]


def test_along_axes_is_the_union_of_what_is_there():
    unions = Unions(6)
    x = np.array([[1, 2, 0], [4, 4, 0], [0, 0, 0]])
    assert held(unions, unions.along(x, (1,))) == [{1, 2}, {4}, set()]
    assert held(unions, unions.along(x, (0, 1)).reshape(1)) == [{1, 2, 4}]
    assert unions.along(x[:, :0], (1,)).tolist() == [0, 0, 0]


def test_groups_that_are_empty_are_the_empty_set():
    unions = Unions(4)
    made = unions.grouped(np.array([1, 2, 3, 0]), np.array([2, 0, 2, 1]), 4)
    assert held(unions, made) == [{2}, set(), {1, 3}, set()]


@pytest.mark.parametrize("inputs", [3, 40])
def test_random_unions_hold_what_sets_of_python_hold(inputs: int):
    """Few inputs are followed up to the sets, many sets down to the inputs."""
    rng = np.random.default_rng(inputs)
    unions = Unions(inputs)
    numbers = np.arange(inputs + 1)
    wanted = [set(), *({number} for number in range(1, inputs + 1))]
    for _ in range(6):
        a, b = rng.integers(0, len(wanted), (2, 9))
        made = unions.both(numbers[a], numbers[b])
        wanted += [wanted[i] | wanted[j] for i, j in zip(a, b, strict=True)]
        numbers = np.concatenate([numbers, made])
    assert held(unions, numbers) == wanted


def test_a_long_chain_is_one_union():
    unions = Unions(500)
    total = np.array([1])
    for number in range(2, 501):
        total = unions.both(total, np.array([number]))
    owners, _ = unions._contracted(total)
    assert set(owners.tolist()) == set(total.tolist())
    assert held(unions, total) == [set(range(1, 501))]


def test_what_is_dense_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_PAIRS", 1_000)
    unions = Unions(100)
    whole = unions.everything([np.arange(1, 101)])
    assert len(held(unions, [whole] * 9)) == 9
    with pytest.raises(Crowded):
        unions.members(np.full(11, whole))
