"""Colourings tell elements apart, and take no more colours than they have to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from anabranch import Sparsity
from anabranch.compiler.sparse import colouring as module


def banded(size: int, width: int) -> Any:
    """A matrix with ``width`` diagonals on either side of the middle."""
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    return distance <= width


def arrow(size: int, tip: int) -> Any:
    made = np.eye(size, dtype=bool)
    made[tip], made[:, tip] = True, True
    return made


def compressed(matrix: Any, pattern: Sparsity) -> Any:
    """The products of a matrix with the seeds of a pattern, and its elements again."""
    colours, by_rows = pattern.colouring
    seeds = 1.0 * (colours == np.arange(pattern.colouring.products)[:, None])
    made = seeds @ matrix if by_rows else seeds @ matrix.T
    return made.reshape(-1)[pattern.places]


@pytest.mark.parametrize("symmetric", [False, True])
def test_every_element_is_read_off_the_products(symmetric: bool):
    rng = np.random.default_rng(0)
    for height in range(1, 13):
        width = height if symmetric else int(rng.integers(1, 13))
        matrix = rng.normal(size=(height, width))
        matrix *= rng.random((height, width)) < rng.uniform(0, 0.6)
        matrix = matrix + matrix.T if symmetric else matrix
        pattern = Sparsity.of(matrix, symmetric=symmetric)
        wanted = matrix[pattern.rows, pattern.indices]
        np.testing.assert_array_equal(compressed(matrix, pattern), wanted)


def test_a_hessian_is_symmetric_to_the_bit():
    """Whichever side an element is taken from, both places get it."""
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(9, 9)) * (rng.random((9, 9)) < 0.3)  # two sides differ
    pattern = Sparsity.of(matrix, symmetric=True)
    made = np.zeros((9, 9))
    made[pattern.rows, pattern.indices] = compressed(matrix, pattern)
    np.testing.assert_array_equal(made, made.T)


@pytest.mark.parametrize(
    ("matrix", "symmetric", "count", "by_rows"),
    [
        (np.eye(20), False, 1, False),
        (banded(30, 1), False, 3, False),
        (banded(30, 2), False, 5, False),
        (banded(30, 1), True, 3, False),
        (np.ones((2, 30)), False, 2, True),
        (np.ones((30, 2)), False, 2, False),
        (arrow(30, 0), True, 2, False),
        (arrow(30, 29), True, 2, False),
        (arrow(30, 0), False, 30, False),
        (np.repeat(banded(9, 1), 3, axis=0), False, 3, False),
        (np.zeros((4, 4)), False, 1, False),
        (np.zeros((0, 4)), False, 0, True),
    ],
)
def test_known_matrices(matrix: Any, symmetric: bool, count: int, by_rows: bool):
    colouring = Sparsity.of(matrix, symmetric=symmetric).colouring
    assert (colouring.products, colouring.by_rows) == (count, by_rows)


def test_networkx_finds_fewer_colours_where_the_order_is_bad():
    """The crown graph: in order each pair takes a new colour, and two are enough."""
    pairs = [(2 * i, 2 * j + 1) for i in range(6) for j in range(6) if i != j]
    matrix = np.zeros((len(pairs), 12), bool)
    for row, pair in enumerate(pairs):
        matrix[row, list(pair)] = True
    pattern = Sparsity.of(matrix)
    alone = module._greedy(pattern.indptr, pattern.indices, 12)
    assert alone.max() + 1 == 6
    assert pattern.colouring.products == 2
