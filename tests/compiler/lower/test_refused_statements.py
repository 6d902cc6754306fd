"""Statements and loops that lowerings refuse, and what they take as SciPy does."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import fft, ndimage, signal, stats
from scipy.interpolate import CubicSpline

import anabranch
from anabranch import jit
from tests.compiler.everyday import check_said

st: Any = stats
M = np.arange(6.0).reshape(2, 3) + 0.5


def sets_an_imaginary_part(m):
    m = m + 0
    m.imag = 1.0
    return m


def asks_for_nothing_there(m):
    return m.nonsense


def asks_a_selection_for_nothing_there(m):
    return m[m > 1].nonsense


def stores_nothing_at_a_mask(m):
    m = m + 0
    m[m > 2] = np.zeros(0)
    return m


def joins_a_selection_with_a_matrix(m):
    return np.concatenate([m[m > 1], m]).sum()


STATEMENTS: list[tuple[Callable[[Any], Any], str]] = [
    (sets_an_imaginary_part, "the imaginary part of a real array cannot be set"),
    (stores_nothing_at_a_mask, "cannot store (0,) at what a mask chooses"),
    (joins_a_selection_with_a_matrix, "all the input array dimensions must match"),
    (asks_for_nothing_there, "a traced array has no attribute 'nonsense'"),
    (
        asks_a_selection_for_nothing_there,
        "a traced array has no attribute 'nonsense'",
    ),
]


@pytest.mark.parametrize(
    ("program", "message"), STATEMENTS, ids=[one.__name__ for one, _ in STATEMENTS]
)
def test_programs_that_numpy_refuses(
    program: Callable[[Any], Any], message: str
) -> None:
    """With an error of the same class."""
    kinds: Any = IndexError, ValueError, TypeError, ArithmeticError, AttributeError
    with pytest.raises(kinds) as theirs:
        program(M)
    kind = next(kind for kind in kinds if isinstance(theirs.value, kind))
    with pytest.raises(kind) as ours:
        jit(program)(M)
    assert message in str(ours.value)
    lines = [e.filename for e in traceback.extract_tb(ours.value.__traceback__)]
    assert __file__ in lines


def ragged(m: Any, i: Any, width: int) -> Any:
    """Rows of which there are as many as a counter says."""
    return np.ones((i % 3 + 1, width)) * m[0, 0]


def adds_floats_to_integers(m: Any, i: Any) -> Any:
    y = np.zeros(i % 3 + 1, int)
    y += m[0, : i % 3 + 1]
    return y


Body = Callable[[Any, Any], Any]
TURNS: list[tuple[Body, type[Exception], str]] = [
    (
        lambda m, i: m[0, i : i + 3],
        anabranch.TraceError,
        "a slice at a traced position may reach over an end of its array, where",
    ),
    (
        lambda m, i: m[0, : i % 3 + 1][0, 0],
        IndexError,
        "2 indices are too many for 1 axes",
    ),
    (
        lambda m, i: ragged(m, i, 3)[0, 5],
        IndexError,
        "index 5 is out of bounds for size 3",
    ),
    (
        lambda m, i: ragged(m, i, 3) @ np.ones(4),
        anabranch.ShapeError,
        "matmul: inner sizes differ, 3 and 4",
    ),
    (
        lambda m, i: ragged(m, i, 3) + ragged(m, i, 2),
        anabranch.ShapeError,
        "axes of the sizes [2, 3] do not broadcast",
    ),
    (
        lambda m, i: np.max(ragged(m, i, 0), axis=1),
        anabranch.ShapeError,
        "a slice without elements has no largest and no smallest one",
    ),
    (
        lambda m, i: (m[0, : i % 3 + 1] * 2).nonsense,
        AttributeError,
        "a traced array has no attribute 'nonsense'",
    ),
    (
        adds_floats_to_integers,
        anabranch.TraceError,
        "cannot write float64 into an array of",
    ),
    (lambda m, i: m[0, : i % 3 + 1][::0], ValueError, "slice step cannot be zero"),
    (lambda m, i: np.arange(0, i, 0), ZeroDivisionError, "division by zero"),
]


@pytest.mark.parametrize(
    ("body", "kind", "message"), TURNS, ids=[said for *_, said in TURNS]
)
def test_refused_where_sizes_follow_from_a_counter(
    body: Body, kind: type[Exception], message: str
) -> None:
    def run(m: Any) -> Any:
        return anabranch.fori_loop(0, 10, lambda i, s: s + np.sum(body(m, i)), 0.0)

    check_said(run, M, kind, message)


def test_a_matrix_at_the_places_of_a_mask():
    def store(m):
        m = m + 0
        m[m > 2] = np.zeros((2, 2))
        return m

    said = "cannot store (2, 2) at what a mask chooses"
    check_said(store, M, anabranch.ShapeError, said)


def test_sections_of_an_integer_argument():
    """It is asked for, as sizes are."""
    for split in (np.split, np.array_split, np.hsplit):
        made = jit(lambda m, n, split=split: split(m, n))(M.T[:2], 2)
        for one, other in zip(made, split(M.T[:2], 2), strict=True):
            np.testing.assert_array_equal(one, other)


TAKEN: list[Callable[[Any], Any]] = [
    lambda m: st.skew(m, axis=(0, 1)),
    lambda m: st.kurtosis(m, axis=(0, 1), bias=False),
    lambda m: st.sem(m, axis=(0, 1)),
    lambda m: fft.fftn(m, 5),
    lambda m: fft.fftn(m, axes=1),
    lambda m: fft.dctn(m, s=5),
    lambda m: signal.lfilter_zi(m[0], [0.0, 1.0, 0.2]),
    lambda m: signal.filtfilt([1.0, 0.5], [1.0], m, padlen=-2),
]


@pytest.mark.parametrize("call", TAKEN)
def test_what_is_not_refused(call: Callable[[Any], Any]):
    """Axes and sizes as one number or several, where SciPy takes both."""
    made, expected = jit(call)(M), call(M)
    np.testing.assert_allclose(made, expected, rtol=1e-12)
    assert made.shape == np.shape(expected)


def test_moments_along_several_axes_at_order_two():
    anabranch.check_grads(lambda m: st.skew(m, axis=(0, 1)), (M,), order=2)


f: Any = np
poly: Any = np.polynomial
strided: Any = np.lib.stride_tricks.as_strided
sg: Any = signal
FUNCTIONS: list[tuple[Callable[[Any], Any], Any, type[Exception], str, str]] = [
    (
        lambda x: f.r_["0,2", x],
        M[0],
        anabranch.TraceError,
        "np.r_ and np.c_ with a text are not supported for traced values",
        "np.concatenate",
    ),
    (
        lambda x: poly.chebyshev.chebroots(x),
        M[0],
        anabranch.TraceError,
        "numpy.polynomial's chebroots of traced values is not supported",
        "polyval and its kin",
    ),
    (
        lambda x: poly.Polynomial(x).roots(),
        M[0],
        anabranch.TraceError,
        ".roots of a polynomial with traced coefficients is not supported",
        "evaluations are",
    ),
    (
        lambda x: f.bmat([[x]]),
        M[0],
        anabranch.TraceError,
        "np.bmat of a traced array is not supported",
        "np.block makes an array",
    ),
    (
        lambda x: f.sum(x, nonsense=1),
        M[0],
        anabranch.TraceError,
        "np.sum is not supported with all of its arguments: nonsense",
        "",
    ),
    (
        lambda x: CubicSpline([0.0, 1.0, 2.0], x).roots(),
        M[0],
        anabranch.TraceError,
        "a spline of traced values has no roots",
        "can be called",
    ),
    (
        lambda m: f.fft.fftn(m, (2,), (0, 1)),
        M,
        anabranch.ShapeError,
        "1 sizes for 2 axes to transform along",
        "",
    ),
    (
        lambda m: f.average(m, 1, weights=np.ones(2)),
        M,
        anabranch.ShapeError,
        "average: weights of (2,) do not fit (2, 3) along axis 1",
        "",
    ),
    (
        lambda m: f.linalg.eigh(m[:, :2], "X"),
        M,
        ValueError,
        "UPLO argument must be 'L' or 'U'",
        "",
    ),
    (
        lambda m: sg.filtfilt([1.0], [1.0], m, padtype="x"),
        M,
        ValueError,
        "given to padtype. padtype must be 'even', 'odd', 'constant', or None.",
        "",
    ),
    (
        lambda m: sg.welch(m, average="max"),
        M,
        ValueError,
        "average must be 'median' or 'mean', got max",
        "",
    ),
    (
        lambda m: sg.periodogram(m, scaling="none"),
        M,
        ValueError,
        "Unknown scaling: 'none'",
        "",
    ),
    (
        lambda x: strided(x + 0, (2, 3), (8, 8)),
        M[0],
        anabranch.BoundsError,
        "as_strided reads places 0 to 3 of an array of 3 elements",
        "",
    ),
    (
        lambda m: ndimage.uniform_filter(m, 3, mode="odd"),
        M,
        ValueError,
        "the mode is one of reflect",
        "",
    ),
]


@pytest.mark.parametrize(
    ("call", "given", "kind", "message", "hint"),
    FUNCTIONS,
    ids=[row[3] for row in FUNCTIONS],
)
def test_refused_with_a_hint(
    call: Callable[[Any], Any],
    given: Any,
    kind: type[Exception],
    message: str,
    hint: str,
) -> None:
    assert hint in (check_said(call, given, kind, message) or "")
