"""Each call that a lowering refuses says what is wrong with it.

The line of the user is in the whole text of an error, with the call in it, so only what
the error itself says is looked at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.fft
import scipy.integrate
import scipy.linalg
from scipy import interpolate, ndimage, signal, stats

import anabranch
from anabranch.ir.errors import DomainError, DTypeError, ShapeError, UnsupportedError
from tests.compiler.everyday import check_refused

M = np.arange(6.0).reshape(2, 3) + 0.5
f: Any = np
linalg: Any = np.linalg
sl: Any = scipy.linalg
s: Any = signal
n: Any = ndimage
LinAlgError = np.linalg.LinAlgError

CASES: list[Any] = [
    (lambda m: f.vander(m), ValueError, "x must be a one-dimensional array"),
    (
        lambda m: f.lib.stride_tricks.sliding_window_view(m, (-1, 2)),
        ValueError,
        "cannot contain negative values",
    ),
    (lambda m: f.ix_(m, m), ValueError, "Cross index must be 1 dimensional"),
    (
        lambda m: f.convolve(m[0], m[1], "most"),
        ValueError,
        "'valid', 'same', or 'full'",
    ),
    (lambda m: f.convolve(m, m[0]), ValueError, "object too deep"),
    (lambda m: f.gradient(m, edge_order=3), DomainError, "edge_order is 1 or 2"),
    (lambda m: f.compress([[True]], m), ValueError, "condition must be a 1-d array"),
    (
        lambda m: f.choose([0, 5], m[:, 0], mode="far"),
        DomainError,
        "none of raise, clip",
    ),
    (lambda m: scipy.fft.dct(m[:, :1], 1), DomainError, "not defined for size < 2"),
    (lambda m: f.einsum("i?->i", m), ShapeError, "is not made of letters"),
    (lambda m: f.einsum("ij,jk->ik", m, m), ShapeError, "'j' has the sizes 3 and 2"),
    (lambda m: f.einsum("ii->i", m), ShapeError, "has two sizes in"),
    (lambda m: f.fft.fftn(m, (2,), (0, 1)), ShapeError, "1 sizes for 2 axes"),
    (lambda m: s.convolve(m, m[0]), ShapeError, "should have the same dimensionality"),
    (lambda m: s.convolve(m, m.T, "valid"), ShapeError, "is at least as large"),
    (lambda m: n.convolve(m, m, mode="odd"), ValueError, "the mode is one of reflect"),
    (lambda m: n.correlate1d(m, m[0], origin=9), ValueError, "invalid origin"),
    (lambda m: f.take(m, [0], mode="far"), DomainError, "none of raise, clip, wrap"),
    (lambda m: f.take_along_axis(m, f.array([0]), 0), ShapeError, "need the same rank"),
    (lambda m: f.vsplit(m[0], 3), ShapeError, "array of two or more dimensions"),
    (lambda m: linalg.inv(m[0]), LinAlgError, "Array must be at least two-dimensional"),
    (
        lambda m: linalg.tensorsolve(m, m[0]),
        LinAlgError,
        "must satisfy the requirement",
    ),
    (lambda m: linalg.tensorinv(m, 0), ValueError, "Invalid ind argument"),
    (lambda m: linalg.cond(m[:0]), LinAlgError, "not defined on empty arrays"),
    (lambda m: linalg.lstsq(m, m[0]), LinAlgError, "Incompatible dimensions"),
    (
        lambda m: linalg.multi_dot([m, m[None], m]),
        LinAlgError,
        "takes matrices, vectors at the ends",
    ),
    (lambda m: f.cross(m, m[:, :1]), ShapeError, "incompatible dimensions for cross"),
    (lambda m: linalg.norm(m, 3), ValueError, "Invalid norm order for matrices"),
    (lambda m: linalg.norm(m[0][m[0] > 1], "fro"), ValueError, "'fro' for vectors"),
    (lambda m: linalg.eigh(m[:, :2], "X"), ValueError, "must be 'L' or 'U'"),
    (lambda m: f.polyint(m[0], 3, [1, 2]), ValueError, "array of length 1 or >m"),
    (lambda m: f.polyfit(m[0], m[:, 0], 1), ShapeError, "are no points"),
    (lambda m: f.matmul(m, m[0, 0]), ShapeError, "need one dimension or more"),
    (lambda m: f.matmul(m, m), ShapeError, "inner sizes differ, 3 and 2"),
    (lambda m: f.tensordot(m, m, 1), ShapeError, "tensordot: axes"),
    (lambda m: f.vecdot(m, m[0, 0]), ShapeError, "need at least one dimension"),
    (lambda m: f.vecdot(m, m.T), ShapeError, "differ at the end"),
    (lambda m: linalg.outer(m, m), ShapeError, "are not vectors"),
    (
        lambda m: f.quantile(m, 0.5, method="no"),
        DomainError,
        "'no' is none of inverted",
    ),
    (
        lambda m: f.quantile(m[0][m[0] > 1], 0.5, method="no"),
        DomainError,
        "'no' is none of inverted",
    ),
    (lambda m: f.quantile(m, f.full((1, 1, 1), 0.5)), ShapeError, "at most two axes"),
    (lambda m: sl.solve_sylvester(m[:, :2], m[:, 1:], m), ShapeError, "do not fit"),
    (
        lambda m: sl.qr(m, pivoting=True),
        UnsupportedError,
        "pivoting=True is unsupported",
    ),
    (lambda m: sl.polar(m, side="up"), ValueError, "either 'right' or 'left'"),
    (lambda m: f.digitize(m, m), ShapeError, "bins is a row"),
    (
        lambda m: f.interp(m, m[0], m[0], period=0),
        ValueError,
        "must be a non-zero value",
    ),
    (lambda m: f.transpose(m, (0, 0)), ValueError, "repeated axis"),
    (lambda m: f.transpose(m, (0,)), ShapeError, "do not permute the axes of"),
    (lambda m: f.squeeze(m, 0), ShapeError, "not of size 1"),
    (lambda m: f.lexsort((m[0], m[:, 0])), ShapeError, "needs keys of one shape"),
    (
        lambda m: interpolate.CubicSpline([0.0, 2.0, 1.0], m[0]),
        ValueError,
        "strictly increasing",
    ),
    (lambda m: f.cov(m[None]), ShapeError, "variables have at most two axes"),
    (lambda m: f.histogram(m, [0, 2, 1]), ValueError, "must increase monotonically"),
    (lambda m: f.histogram(m, 3, (2, 1)), ValueError, "max must be larger than min"),
    (lambda m: f.select([m > 0], [m, m]), ShapeError, "as many conditions as choices"),
    (
        lambda m: stats.dirichlet.logpdf(m[0] / 4.5, m[:, 0]),
        ShapeError,
        "does not fit alpha of shape",
    ),
    (
        lambda m: scipy.integrate.cumulative_trapezoid(m, initial=3.0),
        ValueError,
        "must be `None` or `0`",
    ),
    (lambda m: f.add.at(f.zeros(3, int), [0], m[0, 0]), TypeError, "into an array of"),
    (lambda m: f.place(m * 1, m > 0, []), ValueError, "insert from an empty array"),
    (lambda m: f.copyto(f.zeros((2, 3), int), m), TypeError, "according to the rule"),
]


@pytest.mark.parametrize(("function", "error", "match"), CASES)
def test_what_is_refused(function, error, match):
    check_refused((M,), function, error, match)


def test_known_samples_of_other_points():
    known = stats.gaussian_kde(np.sin(np.arange(18.0)).reshape(2, 9))
    check_refused((M,), lambda m: known(m.T), ValueError, "points have dimension 3")


def test_dtypes_that_are_refused():
    whole = np.arange(3)
    check_refused((whole,), lambda k: f.ediff1d(k, 0.5), TypeError, "does not fit")
    check_refused(
        (whole,), lambda k: f.bincount(k * 0.5), DTypeError, "row of integers"
    )
    message = "'fro' for vectors"
    with pytest.raises(ValueError, match=message):
        anabranch.grad(lambda x: linalg.norm(x, "fro"))(M[0])
