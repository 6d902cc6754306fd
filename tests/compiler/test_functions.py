"""The functions that NumPy lacks, against SciPy and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal, special

import anabranch

RTOL = 1e-12
CONVS = [
    ((2, 3, 10), (4, 3, 3), 1, 0),
    ((2, 3, 10), (4, 3, 3), 2, 1),
    ((1, 1, 5), (1, 1, 5), 1, 0),
    ((1, 2, 7), (3, 2, 1), 3, 2),
    ((3, 2, 8), (1, 2, 4), (3,), (2,)),
    ((2, 3, 8, 9), (4, 3, 3, 3), 1, 0),
    ((2, 3, 8, 9), (4, 3, 3, 2), 2, 1),
    ((2, 1, 8, 9), (4, 1, 1, 5), (2, 3), (0, 2)),
    ((1, 2, 5, 5), (2, 2, 5, 5), 1, 0),
    ((1, 2, 5, 5), (2, 2, 2, 2), 3, 3),
]


def sample(*shape, dtype="f8"):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(dtype)


def run(backend, function, *args):
    """The result on plain arrays, after a check that the compiled one is the same."""
    plain = function(*args)
    made = anabranch.jit(function, backend=backend)(*args)
    assert type(made) is type(plain if plain.ndim else plain[()])
    assert (made.dtype, made.shape) == (plain.dtype, plain.shape)
    rtol, atol = (1e-6, 1e-6) if plain.dtype == np.float32 else (1e-12, 1e-14)
    np.testing.assert_allclose(made, plain, rtol=rtol, atol=atol)
    return plain


def per_axis(value, rank):
    return (value,) * rank if np.ndim(value) == 0 else tuple(value)


def padded(x, widths, fill=0.0):
    return np.pad(x, [(0, 0), (0, 0), *widths], constant_values=fill)


def correlated(x, w, stride, widths):
    """A convolution, one pair of channels at a time, by SciPy's correlate."""
    x = padded(x, widths)
    steps = tuple(slice(None, None, by) for by in per_axis(stride, x.ndim - 2))
    images = [[_summed(image, kernel) for kernel in w] for image in x]
    return np.array(images)[(slice(None), slice(None), *steps)]


def _summed(image, kernel):
    pairs = zip(image, kernel, strict=True)
    return np.sum([signal.correlate(a, b, "valid") for a, b in pairs], axis=0)


def pooled(reduce, x, size, stride, padding, fill):
    """Pooling by a loop over the places of the window."""
    rank = x.ndim - 2
    size, padding = per_axis(size, rank), per_axis(padding, rank)
    stride = size if stride is None else per_axis(stride, rank)
    x = padded(x, [(width, width) for width in padding], fill)
    places = [
        range(0, n - k + 1, s)
        for n, k, s in zip(x.shape[2:], size, stride, strict=True)
    ]
    out = np.empty((*x.shape[:2], *map(len, places)))
    for at in np.ndindex(*map(len, places)):
        where = tuple(
            slice(place[i], place[i] + k)
            for place, i, k in zip(places, at, size, strict=True)
        )
        out[(..., *at)] = reduce(x[(..., *where)], axis=tuple(range(2, x.ndim)))
    return out


@pytest.mark.parametrize(("shape", "kernel", "stride", "padding"), CONVS)
def test_conv(backend, shape, kernel, stride, padding):
    x, w = sample(*shape), sample(*kernel)
    made = run(
        backend,
        lambda x, w: anabranch.conv(x, w, stride=stride, padding=padding),
        x,
        w,
    )
    widths = [(width, width) for width in per_axis(padding, x.ndim - 2)]
    expected = correlated(x, w, stride, widths)
    np.testing.assert_allclose(made, expected, rtol=RTOL, atol=RTOL)


@pytest.mark.parametrize(("size", "window"), [(8, 3), (8, 4), (7, 2), (5, 5), (3, 1)])
def test_conv_that_keeps_the_size(backend, size, window):
    x, w = sample(2, 3, size), sample(4, 3, window)
    made = run(backend, lambda x, w: anabranch.conv(x, w, padding="same"), x, w)
    around = ((window - 1) // 2, window - 1 - (window - 1) // 2)
    expected = correlated(x, w, 1, [around])
    np.testing.assert_allclose(made, expected, rtol=RTOL, atol=RTOL)
    valid = run(backend, lambda x, w: anabranch.conv(x, w, padding="valid"), x, w)
    assert valid.shape == (2, 4, size - window + 1)


@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("size", [7, 8, 9])
def test_size_of_same_with_a_stride(size, stride):
    made = anabranch.conv(
        np.ones((1, 1, size)), np.ones((1, 1, 3)), stride=stride, padding="same"
    )
    assert made.shape == (1, 1, -(-size // stride))


def test_conv_is_a_correlation(backend):
    """The kernel is not flipped; with one channel it is SciPy's correlate."""
    x, w = sample(1, 1, 9), sample(1, 1, 4)
    made = run(backend, lambda x, w: anabranch.conv(x, w), x, w)
    expected = signal.correlate(x[0, 0], w[0, 0], "valid")
    np.testing.assert_allclose(made[0, 0], expected, rtol=RTOL, atol=RTOL)


def test_conv_of_single_precision_and_integers(backend):
    x, w = sample(1, 2, 6, dtype="f4"), sample(3, 2, 3, dtype="f4")
    made = anabranch.jit(anabranch.conv, backend=backend)(x, w)
    assert made.dtype == anabranch.conv(x, w).dtype == np.float32
    assert anabranch.conv(x, w.astype(float)).dtype == np.float64
    ints = np.arange(6).reshape(1, 1, 6)
    assert anabranch.conv(ints, np.ones((1, 1, 2), int)).tolist() == [[[1, 3, 5, 7, 9]]]


@pytest.mark.parametrize(
    ("shape", "kernel", "options"),
    [
        ((2, 3, 8), (4, 2, 3), {}),
        ((3, 8), (4, 3, 3), {}),
        ((2, 3, 8), (4, 3, 3, 3), {}),
        ((2, 3, 8, 8, 8), (4, 3, 3, 3, 3), {}),
        ((2, 3, 2), (4, 3, 3), {}),
        ((2, 3, 8), (4, 3, 3), {"stride": 0}),
    ],
)
def test_conv_that_does_not_fit(backend, shape, kernel, options):
    def function(x, w):
        return anabranch.conv(x, w, **options)

    for call in (function, anabranch.jit(function, backend=backend)):
        with pytest.raises(ValueError, match=r"conv|window") as raised:
            call(np.ones(shape), np.ones(kernel))
        assert isinstance(raised.value, anabranch.AnabranchError)


@pytest.mark.parametrize(
    "options",
    [{"stride": -1}, {"stride": (1, 2)}, {"padding": "full"}, {"padding": -1}],
)
def test_options_that_make_no_sense(options):
    with pytest.raises(anabranch.ArgumentError, match=next(iter(options))):
        anabranch.conv(np.ones((1, 1, 5)), np.ones((1, 1, 3)), **options)


@pytest.mark.parametrize(
    "options", [{"stride": 1.5}, {"stride": None}, {"padding": 0.5}]
)
def test_options_of_the_wrong_type(options):
    with pytest.raises(TypeError):
        anabranch.conv(np.ones((1, 1, 5)), np.ones((1, 1, 3)), **options)


@pytest.mark.parametrize(
    ("shape", "size", "stride", "padding"),
    [
        ((2, 3, 10), 2, None, 0),
        ((2, 3, 10), 3, 1, 1),
        ((2, 3, 11), 3, 2, 0),
        ((2, 3, 8, 9), 2, None, 0),
        ((2, 3, 8, 9), (3, 2), (2, 1), (1, 0)),
        ((1, 1, 4, 4), 4, 1, 0),
    ],
)
def test_pooling(backend, shape, size, stride, padding):
    x = sample(*shape)
    options = {"stride": stride, "padding": padding}
    largest = run(backend, lambda x: anabranch.max_pool(x, size, **options), x)
    expected = pooled(np.max, x, size, stride, padding, -np.inf)
    np.testing.assert_array_equal(largest, expected)
    mean = run(backend, lambda x: anabranch.avg_pool(x, size, **options), x)
    expected = pooled(np.mean, x, size, stride, padding, 0.0)
    np.testing.assert_allclose(mean, expected, rtol=RTOL, atol=RTOL)


def test_pooling_of_nan_and_infinity(backend):
    x = np.array([[[1.0, np.nan, -np.inf, -np.inf, 2.0, np.inf]]])
    made = run(backend, lambda x: anabranch.max_pool(x, 2), x)
    np.testing.assert_array_equal(made, [[[np.nan, -np.inf, np.inf]]])


@pytest.mark.parametrize("function", [anabranch.max_pool, anabranch.avg_pool])
def test_pooling_that_does_not_fit(backend, function):
    for shape, size in (
        ((2, 8), 2),
        ((1, 1, 3), 4),
        ((1, 1, 3, 3, 3), 2),
        ((1, 1, 3), 0),
    ):
        with pytest.raises(anabranch.ShapeError):
            function(np.ones(shape), size)
        with pytest.raises(anabranch.ShapeError):
            anabranch.jit(lambda x, s=size: function(x, s), backend=backend)(
                np.ones(shape)
            )


WIDE = np.array([-1e3, -50.0, -3.0, -1.0, -0.0, 0.0, 1e-8, 0.5, 2.0, 40.0, 1e3])
ENDS = np.array([-np.inf, np.inf, np.nan])


def normal_part(x):
    """``x`` times the normal distribution function, from the complement of erf."""
    return 0.5 * x * special.erfc(-x * np.sqrt(0.5))


def tanh_part(x):
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    return x * special.expit(2 * inner)


@pytest.mark.parametrize(
    ("function", "oracle"),
    [
        (anabranch.sigmoid, special.expit),
        (anabranch.relu, lambda x: np.where(x > 0, x, 0 * x)),
        (anabranch.gelu, normal_part),
        (
            lambda x: anabranch.gelu(x, approximate=True),
            tanh_part,
        ),
    ],
)
def test_activations(backend, function, oracle):
    for x in (WIDE, WIDE.reshape(-1, 1), WIDE.astype(np.float32)):
        made = run(backend, function, x)
        assert made.dtype == x.dtype
        tolerance = 1e-6 if x.dtype == np.float32 else 1e-13
        np.testing.assert_allclose(made, oracle(x), rtol=tolerance, atol=tolerance)


def test_ends_of_activations(backend):
    np.testing.assert_array_equal(run(backend, anabranch.sigmoid, ENDS), [0, 1, np.nan])
    np.testing.assert_array_equal(
        run(backend, anabranch.relu, ENDS), [0, np.inf, np.nan]
    )


SOFT = [
    (anabranch.softmax, special.softmax),
    (anabranch.log_softmax, special.log_softmax),
    (anabranch.logsumexp, special.logsumexp),
]


@pytest.mark.parametrize(("function", "oracle"), SOFT)
def test_softmax_and_its_kin(backend, function, oracle):
    for x in (sample(3, 4), sample(2, 3, 4), sample(5) * 1e3, sample(3, 4) + 1e6):
        for axis in (0, -1):
            made = run(backend, lambda x, a=axis: function(x, axis=a), x)
            np.testing.assert_allclose(
                made, oracle(x, axis=axis), rtol=1e-9, atol=1e-12
            )
    single = run(backend, lambda x: function(x, axis=0), sample(4, dtype="f4"))
    assert single.dtype == np.float32


def test_defaults_of_softmax(backend):
    """Along the last axis; `logsumexp` over all of them, as in SciPy."""
    x = sample(2, 3)
    np.testing.assert_allclose(
        run(backend, lambda x: anabranch.softmax(x), x),
        special.softmax(x, -1),
        rtol=RTOL,
    )
    np.testing.assert_allclose(
        run(backend, lambda x: anabranch.logsumexp(x), x),
        special.logsumexp(x),
        rtol=RTOL,
    )
    kept = run(backend, lambda x: anabranch.logsumexp(x, (0, 1), keepdims=True), x)
    assert kept.shape == (1, 1)


def test_softmax_far_out(backend):
    for x in ([1000.0, 1000.0], [-1000.0, 0.0], [1e300, -1e300], [-np.inf, 0.0]):
        x = np.array(x)
        for function, oracle in SOFT:
            made = run(backend, lambda x, f=function: f(x, axis=0), x)
            np.testing.assert_allclose(made, oracle(x, axis=0), rtol=RTOL)
    rows = np.array([[-np.inf, -np.inf], [np.inf, 0.0], [np.nan, 0.0]])
    made = run(backend, lambda x: anabranch.logsumexp(x, axis=1), rows)
    np.testing.assert_array_equal(made, [-np.inf, np.inf, np.nan])


def test_functions_of_integers_lists_and_numbers(backend):
    ints = np.array([-1, 0, 2])
    for function in (anabranch.sigmoid, anabranch.gelu, anabranch.softmax):
        made = run(backend, function, ints)
        np.testing.assert_allclose(made, function(ints.astype(float)), rtol=RTOL)
        np.testing.assert_allclose(function([-1, 0, 2]), made, rtol=RTOL)
        assert np.isfinite(anabranch.jit(function, backend=backend)(ints)).all()
    assert anabranch.relu(ints).tolist() == [0, 0, 2]
    assert anabranch.relu(-2.0) == 0.0
    assert anabranch.sigmoid(0.0) == 0.5
    assert anabranch.sigmoid(np.float32(0)).dtype == np.float32
    assert anabranch.jit(anabranch.sigmoid, backend=backend)(0) == 0.5
    assert anabranch.logsumexp([0.0]) == 0.0


def test_one_hot(backend):
    labels = np.array([[0, 2], [1, 5]])
    made = run(backend, lambda labels: anabranch.one_hot(labels, 3), labels)
    expected = [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0]]]
    np.testing.assert_array_equal(made, expected)
    assert made.dtype == np.float64
    single = run(backend, lambda n: anabranch.one_hot(n, 4, np.float32), np.array(2))
    assert single.tolist() == [0, 0, 1, 0]
    assert single.dtype == np.float32
    assert anabranch.one_hot([1, -1], 2).tolist() == [[0, 1], [0, 0]]


def test_stop_gradient_of_anything(backend):
    x = np.arange(3.0)
    assert anabranch.stop_gradient(x) is x
    assert anabranch.stop_gradient(2.0) == 2.0
    assert (
        anabranch.jit(anabranch.stop_gradient, backend=backend)(x).tolist()
        == x.tolist()
    )
    gradient = anabranch.grad(
        lambda x: np.sum(x * anabranch.stop_gradient(x * x)), backend=backend
    )
    np.testing.assert_array_equal(gradient(x), x * x)


def test_scipys_ufuncs(same):
    same(lambda x: (special.expit(x), special.erf(x)), WIDE, ulps=4)
