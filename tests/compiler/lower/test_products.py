"""Products of vectors, matrices and stacks; einsum in all its spellings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import anabranch

RTOL = 1e-12
SIZES = {"i": 2, "j": 3, "k": 4, "l": 5, "b": 2, "c": 3, "z": 1}
EINSUMS = [
    # one operand: copies, permutations, sums, diagonals, traces
    *(
        "i->i",
        "i->",
        "i",
        "ij->ij",
        "ij->ji",
        "ji",
        "ij->i",
        "ij->j",
        "ij->",
        "ijk->kij",
    ),
    *("ijk->jk", "ijk->k", "ii->i", "ii->", "ii", "iii->i", "iij->ij", "iij->ji"),
    *("iij->j", "iij", "ijij->ij", "ijij->ji", "ijji->", "ijj->i", "zij->ij", "zz->z"),
    # two operands: vectors, matrices, stacks
    *(
        "i,i->",
        "i,i",
        "i,i->i",
        "i,j->ij",
        "i,j->ji",
        "i,j",
        "i,j->",
        "ij,j->i",
        "ij,j",
    ),
    *("ij,ij->", "ij,ij->ij", "ij,ij->i", "ij,ji->", "ij,jk->ik", "ij,jk->ki", "ij,jk"),
    *("ij,kj->ik", "ji,jk->ik", "ij,jk->", "ij,jk->i", "ij,jk->ijk", "ij,jk->kij"),
    *("bij,bjk->bik", "bij,bjk->ikb", "bij,jk->bik", "ij,bjk->bik", "bij,bij->b"),
    *(
        "bci,bck->bik",
        "bcij,bcjk->bcik",
        "bcij,bckj->bcik",
        "bij,cjk->bcik",
        "ij,kl->jl",
    ),
    *("ii,i->", "ii,i->i", "ii,jj->ij", "iij,jk->ik", "ij,->ij", ",ij->ji", ",->", ","),
    *("ij,i->ij", "ij,i->j", "ijk,k->ij", "ijk,jk->i", "ijk,ikj->", "zj,ij->ij"),
    *("ba,ac->bc", "cb,ba", "jI,Ik->jk"),
    # three and more
    *(
        "i,i,i->",
        "i,j,k->ijk",
        "ij,jk,kl->il",
        "ij,jk,ki->",
        "ij,ij,ij->ij",
        "i,ij,j->",
    ),
    *("bij,jk,bkl->bil", "ij,j,k->ik", "ij,jk,k->i", "i,ij,ijk->k", "ij,kl,jk,i->l"),
    "ii,ii,ii->i",
]
ELLIPSES = [
    ("...->...", [(2, 3)]),
    ("...i->...", [(2, 3)]),
    ("i...->i...", [(2, 3, 4)]),
    ("i...->...i", [(2, 3, 4)]),
    ("...ii->...i", [(4, 3, 3)]),
    ("...ij->...ji", [(5, 2, 3)]),
    ("...ij,...jk->...ik", [(5, 2, 3), (5, 3, 4)]),
    ("...ij,...jk->...ik", [(5, 2, 3), (3, 4)]),
    ("...ij,...jk->...ik", [(2, 3), (5, 6, 3, 4)]),
    ("...ij,...jk", [(5, 2, 3), (5, 3, 4)]),
    ("...ij,jk->...ik", [(5, 2, 3), (3, 4)]),
    ("...i,...i->...", [(5, 3), (3,)]),
    ("...i,...i", [(2, 1, 3), (4, 3)]),
    ("i...,i...->...", [(3, 2), (3, 2)]),
    ("...,...->...", [(2, 1), (1, 3)]),
    ("...,...", [(2, 3), (3,)]),
    ("i...j,j...->i...", [(2, 5, 3), (3, 5)]),
    ("...i,...j,...k->...ijk", [(5, 2), (5, 3), (1, 4)]),
    ("b...,b->...", [(2, 3, 4), (2,)]),
    ("... i, i -> ...", [(2, 3), (3,)]),
]
STRETCHED = [
    ("ij,ij->ij", [(2, 1), (2, 3)]),
    ("ij,ij->", [(2, 1), (1, 3)]),
    ("i,i->i", [(1,), (4,)]),
    ("i,i->", [(1,), (4,)]),
    ("ij,jk->ik", [(2, 1), (3, 4)]),
    ("ij,jk->ik", [(2, 3), (1, 4)]),
    ("bij,bjk->bik", [(1, 2, 3), (5, 3, 4)]),
    ("ij,ij,ij->i", [(2, 1), (2, 3), (1, 3)]),
    ("ij,jk,kl->il", [(2, 3), (3, 1), (4, 5)]),
    ("i,i,i->i", [(1,), (1,), (3,)]),
    ("i,i,i->", [(1,), (1,), (3,)]),
    ("ij,ij->i", [(2, 0), (2, 0)]),
    ("ij,jk->ik", [(2, 0), (0, 3)]),
    ("ij,ij->ij", [(2, 1), (2, 0)]),
    ("ij,jk->ik", [(2, 1), (0, 3)]),
]
MATMULS = [
    *[((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4))],
    *[((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (5, 3, 4))],
    *[((1, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)), ((5, 2, 3), (3,))],
    *[((3,), (5, 3, 4)), ((6, 5, 2, 3), (3, 4)), ((2, 0), (0, 3)), ((0, 3), (3, 2))],
    *[((0, 2, 3), (3, 4)), ((1, 1), (1, 1)), ((5, 1, 3), (5, 3, 1)), ((2, 3), (3, 0))],
]
DOTS = [
    *[((), ()), ((), (3,)), ((2, 3), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4))],
    *[((2, 3), (3, 4)), ((5, 2, 3), (3,)), ((2, 3), (5, 3, 4)), ((5, 2, 3), (6, 3, 4))],
    ((3,), (5, 3, 4)),
]


def sample(*shape):
    return np.random.default_rng(sum(shape) + len(shape)).normal(size=shape)


def operands(subscripts):
    """An array for each operand of subscripts without an ellipsis."""
    terms = subscripts.replace(" ", "").split("->")[0].split(",")
    return [sample(*(SIZES.get(label, 3) for label in term)) for term in terms]


@pytest.mark.parametrize("subscripts", EINSUMS)
def test_einsum(same, subscripts):
    same(lambda *xs: np.einsum(subscripts, *xs), *operands(subscripts), rtol=RTOL)


@pytest.mark.parametrize(("subscripts", "shapes"), [*ELLIPSES, *STRETCHED])
def test_einsum_of_shapes(same, subscripts, shapes):
    arrays = [sample(*shape) for shape in shapes]
    same(lambda *xs: np.einsum(subscripts, *xs), *arrays, rtol=RTOL)


@pytest.mark.parametrize("dtype", ["f4", "i4", "u1", "?"])
def test_einsum_of_other_dtypes(same, dtype):
    x = np.array([[1, 0, 1], [1, 1, 0]], dtype)
    for subscripts in ("ij->i", "ij->"):
        same(lambda x, s=subscripts: np.einsum(s, x), x)
    for subscripts in ("ij,ij->", "ij,kj->ik", "ij,ij->ij"):
        same(lambda x, s=subscripts: np.einsum(s, x, x), x)


def test_einsum_options(same):
    x, y = sample(2, 3), sample(3, 4)
    same(lambda x, y: np.einsum("ij,jk", x, y, optimize=True), x, y, rtol=RTOL)
    same(lambda x: np.einsum("ij,jk", x, y), x, rtol=RTOL)
    same(lambda y: np.einsum("ij,jk", [[1.0, 2.0, 3.0]], y), y, rtol=RTOL)
    same(lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [2, 0]), x, y, rtol=RTOL)
    same(lambda x, y: np.einsum(x, [0, 1], y, [1, 2]), x, y, rtol=RTOL)
    turned: list[Any] = [[..., 1], [1, ...]]
    same(lambda x: np.einsum(x, *turned), x, rtol=RTOL)


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (4, 5)]),
        ("ij->ij", [(2, 3, 4)]),
        ("ijk->ijk", [(2, 3)]),
        ("ii->i", [(2, 3)]),
        ("ij,jk->il", [(2, 3), (3, 4)]),
        ("ij->ii", [(2, 3)]),
        ("ij,jk", [(2, 3)]),
        ("i", [(2,), (2,)]),
        ("i1->i", [(2, 3)]),
        ("i-j", [(2, 3)]),
        ("ij->i->j", [(2, 3)]),
        ("..i->i", [(2, 3)]),
        ("...i...->i", [(2, 3)]),
        ("i...->i", [(2, 3)]),
    ],
)
def test_einsum_that_does_not_fit(backend, subscripts, shapes):
    arrays = [np.ones(shape) for shape in shapes]
    with pytest.raises(ValueError):  # noqa: PT011 (of NumPy, any)
        np.einsum(subscripts, *arrays)
    compiled = anabranch.jit(lambda *xs: np.einsum(subscripts, *xs), backend=backend)
    with pytest.raises(anabranch.ShapeError, match="einsum"):
        compiled(*arrays)


@pytest.mark.parametrize(("first", "second"), MATMULS)
def test_matmul(same, first, second):
    x, y = sample(*first), sample(*second)
    same(lambda x, y: (x @ y, np.matmul(x, y)), x, y, rtol=RTOL)
    same(lambda x: x @ y, x, rtol=RTOL)
    same(lambda y: x @ y, y, rtol=RTOL)


@pytest.mark.parametrize(("first", "second"), DOTS)
def test_dot(same, first, second):
    x, y = sample(*first), sample(*second)
    same(np.dot, x, y, rtol=RTOL)
    same(lambda x, y: x.dot(y), x, y, rtol=RTOL)


@pytest.mark.parametrize(
    ("first", "second"),
    [((), (3,)), ((3,), (3,)), ((2, 3), (4, 3)), ((5, 2, 3), (4, 3))],
)
def test_inner(same, first, second):
    same(np.inner, sample(*first), sample(*second), rtol=RTOL)


def test_outer_vdot_tensordot(same):
    x, y = sample(2, 3), sample(3, 4)
    same(np.outer, x, y)
    same(lambda x: np.outer(x, [1.0, 2.0]), x)
    same(np.vdot, x, y[:, :2], rtol=RTOL)
    same(lambda x, y: np.tensordot(x, y, 1), x, y, rtol=RTOL)
    same(lambda x, y: np.tensordot(x, y, 0), x, y, rtol=RTOL)
    same(lambda x: np.tensordot(x, x), x, rtol=RTOL)
    same(lambda x, y: np.tensordot(x, y, ((1,), (0,))), x, y, rtol=RTOL)
    same(lambda x, y: np.tensordot(x, y, (1, 0)), x, y, rtol=RTOL)
    same(lambda x, y: np.tensordot(x, y, (-1, -2)), x, y, rtol=RTOL)
    z = sample(3, 2, 5)
    same(lambda x, z: np.tensordot(x, z, ([0, 1], [1, 0])), x, z, rtol=RTOL)


def test_other_products(same):
    a, b, m = sample(5, 3), sample(5, 3), sample(2, 3)
    same(np.vecdot, a, b, rtol=RTOL)
    same(np.kron, m, a, rtol=RTOL)
    same(lambda m: (np.kron(2.0, m), np.kron(m, [1.0, 3.0]), np.kron(m[0, 0], 2.0)), m)
    same(lambda m: (np.tensordot(2.0, m, 0), np.tensordot(m[0, 0], m, 0)), m)
    same(lambda a, b: np.linalg.matmul(a.T, b), a, b, rtol=RTOL)
    same(lambda a, b: np.linalg.outer(a[0], b[0]), a, b, rtol=RTOL)


@pytest.mark.parametrize("dtype", ["i4", "u1", "?", "f4"])
def test_products_of_other_dtypes(same, dtype):
    x = np.array([[1, 0, 1], [1, 1, 0]], dtype)
    same(lambda x: (x @ x.T, x @ x[0], np.dot(x, x.T), np.outer(x, x)), x)
    same(lambda x: np.tensordot(x, x), x)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((2, 3), (4, 5)),
        ((3,), (4,)),
        ((2, 3), (4,)),
        ((5, 2, 3), (6, 3, 4)),
        ((), (3,)),
    ],
)
def test_matmul_that_does_not_fit(backend, first, second):
    """The message has both types."""
    compiled = anabranch.jit(lambda x, y: x @ y, backend=backend)
    with pytest.raises(anabranch.ShapeError, match=r"f64\[.*\].*f64\[.*\]"):
        compiled(np.ones(first), np.ones(second))


def test_matrices_of_every_layout(same):
    x, y = sample(6, 8), sample(8, 10)
    for left in (x, np.asfortranarray(x), sample(8, 6).T, sample(12, 16)[::2, ::-2]):
        for right in (y, np.asfortranarray(y), sample(10, 8).T, y[:, ::-1]):
            same(lambda x, y: x @ y, left, right, rtol=RTOL)


@pytest.mark.parametrize(
    ("left", "right"),
    [((0, 2), (2, 0)), ((0, 2, 3), (0, 3, 2)), ((2, 0), (0, 3)), ((3, 0, 2), (2, 0))],
)
def test_gradients_of_products_without_elements(left, right):
    def loss(x, y):
        return np.sum(x @ y)

    bars = anabranch.grad(loss, (0, 1))(sample(*left), sample(*right))
    assert [bar.shape for bar in bars] == [left, right]
    assert not any(bar.any() for bar in bars)
