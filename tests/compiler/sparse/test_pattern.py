"""Patterns as objects: text, picture, SciPy's matrices and back."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
import scipy.sparse as sp

from anabranch import ArgumentError, Sparsity
from anabranch.compiler.sparse.picture import LARGEST

SVG = "{http://www.w3.org/2000/svg}"
MATRIX = np.array([[1, 0, 2], [0, 0, 3]])


def squares(pattern: Sparsity) -> list[ElementTree.Element]:
    """The squares of a picture, without the frame and the background."""
    found = ElementTree.fromstring(pattern.to_svg()).iter(f"{SVG}rect")
    return [rect for rect in found if rect.find(f"{SVG}title") is not None]


def test_one_line_says_how_large_it_is():
    assert (
        str(Sparsity.of(MATRIX)) == "2x3, 3 nonzeros (0.5 of all), 2 colours of columns"
    )
    assert str(Sparsity.of(np.eye(3))).endswith("1 colour of columns")
    assert str(Sparsity.of(np.zeros((0, 0)))).startswith("0x0, 0 nonzeros")


@pytest.mark.parametrize("form", [np.asarray, sp.csc_array, sp.coo_matrix])
def test_any_matrix_is_a_pattern(form):
    pattern = Sparsity.of(form(MATRIX))
    assert pattern.nnz == 3
    np.testing.assert_array_equal(pattern.toarray(), MATRIX != 0)
    np.testing.assert_array_equal(pattern.tocsr().toarray(), MATRIX != 0)
    assert pattern == Sparsity.of(pattern)
    assert pattern != Sparsity.of(MATRIX[:, ::-1])


def test_zeros_that_a_sparse_matrix_stores_count():
    stored = sp.coo_array(([0.0, 1.0, 1.0], ([0, 1, 1], [0, 1, 1])), shape=(2, 2))
    assert Sparsity.of(stored).toarray().tolist() == [[True, False], [False, True]]


def test_a_symmetric_pattern_has_both_sides():
    made = Sparsity.of([[0, 1], [0, 0]], symmetric=True)
    assert made.toarray().tolist() == [[False, True], [True, False]]
    assert Sparsity.of(made, symmetric=True) is made
    with pytest.raises(
        ArgumentError, match="the pattern of a Hessian is square, not 2 by 3"
    ):
        Sparsity.of(MATRIX, symmetric=True)
    with pytest.raises(ArgumentError, match="a pattern is a matrix, not of 1 axes"):
        Sparsity.of([1, 2])


def test_a_small_picture_shows_each_element():
    pattern = Sparsity.of(np.eye(3))
    titles = [rect.findtext(f"{SVG}title") for rect in squares(pattern)]
    assert titles == [f"({i}, {i}), colour 0" for i in range(3)]
    assert pattern._repr_svg_() == pattern.to_svg()
    two = Sparsity.of(np.ones((1, 2)), symmetric=False)
    assert len({rect.get("fill") for rect in squares(two)}) == 1  # one row, one group


def test_colours_are_those_of_groups():
    pattern = Sparsity.of(np.tri(4) - np.tri(4, k=-2))
    fills = [rect.get("fill") for rect in squares(pattern)]
    colours = pattern.colouring.colours[pattern.indices]
    assert len(set(fills)) == pattern.colouring.products == 2
    assert len(set(zip(fills, colours.tolist(), strict=True))) == 2


def test_a_large_picture_shows_how_full_parts_are():
    size = 10 * LARGEST
    whole = sp.eye_array(size).tolil()
    whole[:10, -10:] = 1
    rects = squares(Sparsity.of(whole.tocsr()))
    assert len(rects) == LARGEST + 1
    counts = [int(rect.findtext(f"{SVG}title", "").split()[0]) for rect in rects]
    assert sum(counts) == whole.nnz
    full = rects[counts.index(100)].get("fill-opacity")
    assert full == "1.00"
    assert {r.get("fill-opacity") for r in rects if r is not full} != {full}


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (500, 3)])
def test_any_shape_is_a_picture(shape: tuple[int, int]):
    ElementTree.fromstring(Sparsity.of(np.ones(shape)).to_svg())


def test_what_users_take_of_a_pattern_is_theirs():
    pattern = Sparsity.of(np.eye(3))
    made = pattern.tocsr()
    made.indices[:], made.indptr[:] = 0, 0
    assert np.array_equal(pattern.toarray(), np.eye(3))
