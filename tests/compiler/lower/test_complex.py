"""NumPy's functions of complex numbers: values, special values, gradients, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd
import autograd.numpy
import numpy as np
import pytest

import anabranch as ab

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(3, 4)) + 1j * RNG.normal(size=(3, 4))
W = RNG.normal(size=(4, 3)) + 1j * RNG.normal(size=(4, 3))

PARTS = (0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan, 800.0, 1e-310)
SPECIAL = np.array([complex(x, y) for x in PARTS for y in PARTS])
UNARY = (
    "negative positive square reciprocal sqrt exp exp2 expm1 log log2 log10 log1p sin "
    "cos tan arcsin arccos arctan sinh cosh tanh arcsinh arccosh arctanh absolute "
    "conjugate sign isnan isinf isfinite rint real imag angle"
).split()
BINARY = (
    "add subtract multiply divide power equal not_equal less less_equal greater "
    "greater_equal maximum minimum fmax fmin logical_and"
).split()


def kind(x: Any) -> Any:
    """What a special value is: which infinity, which zero, NaN, or a number's sign."""
    if x.dtype.kind == "b":
        return x
    sign = np.where(np.signbit(x), -1.0, 1.0)
    size = np.where(np.isinf(x), 3.0, np.where(x == 0, 1.0, 2.0))
    return np.where(np.isnan(x), 9.0, sign * size)


def assert_special(made: Any, expected: Any, operands: Any) -> None:
    """Equal in kind in both parts, and near where they are numbers."""
    assert made.dtype == expected.dtype
    for part in (np.real, np.imag):
        x, y = np.asarray(part(made)), np.asarray(part(expected))
        different = np.flatnonzero(kind(x) != kind(y))
        shown = [[z[i] for z in operands] for i in different[:3]]
        assert not different.size, f"{shown}: {x[different[:3]]}, {y[different[:3]]}"
        finite = np.isfinite(y) & (np.abs(y) > 1e-300) if y.dtype.kind == "f" else []
        np.testing.assert_allclose(x[finite], y[finite], rtol=1e-11)


@pytest.mark.parametrize("name", UNARY)
def test_special_values_of_functions(backend: str, name: str) -> None:
    function = getattr(np, name)
    with np.errstate(all="ignore"):
        expected = function(SPECIAL)
    assert_special(ab.jit(function, backend=backend)(SPECIAL), expected, [SPECIAL])


@pytest.mark.parametrize("name", BINARY)
def test_special_values_of_pairs(backend: str, name: str) -> None:
    function = getattr(np, name)
    pairs = [x.ravel() for x in np.meshgrid(SPECIAL, SPECIAL)]
    with np.errstate(all="ignore"):
        expected = function(*pairs)
    made = ab.jit(lambda x, y: function(x, y), backend=backend)(*pairs)
    assert_special(made, expected, pairs)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sums": lambda z: (z.sum(), z.sum(0), np.mean(z, 1), np.cumsum(z), z.prod()),
    "cumprod": lambda z: (np.cumprod(z), np.cumprod(z, axis=0)),
    "spread": lambda z: (np.var(z), np.std(z, axis=0, ddof=1)),
    "products": lambda z: (z @ W, z @ z[0], np.dot(W, z), np.outer(z, z)),
    "conjugated": lambda z: (np.vdot(z, z), np.vecdot(z, z), np.inner(z, z)),
    "einsum": lambda z: (np.einsum("ij,kj->ik", z, z.conj()), np.tensordot(z, W, 1)),
    "mixed": lambda z: (z * 2, 1j + z, z / np.arange(1.0, 5), z**2, z**-1, 2**z),
    "norms": lambda z: (np.linalg.norm(z), np.linalg.norm(z, axis=0)),
    "parts": lambda z: (z.real, z.imag, np.real(z), np.imag(z.real), z.conj().T),
    "angles": lambda z: (np.angle(z), np.angle(z, deg=True), abs(z)),
    "where": lambda z: (np.where(z.real > 0, z, 1j), np.where(z == 1, z.real, z)),
    "index": lambda z: (z[1], z[:, ::-2], z[[0, 2, 0]], z[..., None], z.T.ravel()),
    "joined": lambda z: (
        np.concatenate([z, z.real]),
        np.stack([z, 2 * z]),
        np.pad(z, 1),
    ),
    "like": lambda z: (np.zeros_like(z), np.full_like(z, 1 + 2j), np.ones_like(z.real)),
    "rounded": lambda z: (np.round(z, 2), np.round(z), np.nan_to_num(z / 0.5)),
    "tests": lambda z: (np.isreal(z), np.iscomplex(z), z == z, z != 0, z.astype(bool)),
    "cast": lambda z: (z.astype(np.complex64), z.real.astype(complex)),
    "objects": lambda z: z * (2 if np.iscomplexobj(z) and not np.isrealobj(z) else 3),
    "empty": lambda z: (z[:0].sum(), z[:0].prod(), z[:0] @ W),
    "kron": lambda z: (np.kron(z, z[0]), np.trace(z @ W), np.diff(z), np.roll(z, 1)),
}


@pytest.mark.parametrize("dtype", [np.complex128, np.complex64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_numpys(backend: str, name: str, dtype: Any) -> None:
    z, function = Z.astype(dtype), FUNCTIONS[name]
    with np.errstate(all="ignore"):
        expected = function(z)
    made = ab.jit(function, backend=backend)(z)
    pairs = (
        zip(made, expected, strict=True)
        if isinstance(made, tuple)
        else [(made, expected)]
    )
    for x, y in pairs:
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        rtol = 1e-12 if dtype == np.complex128 else 1e-4
        np.testing.assert_allclose(x, y, rtol, rtol)


def test_scalars_and_promotion(backend: str) -> None:
    for x in (1 + 2j, np.complex64(1 + 2j), 2.0, np.float32(2), 3, True):
        for f in (lambda x: x * 2j, lambda x: x + np.float32(1), lambda x: x * 1.5):
            made, expected = ab.jit(f, backend=backend)(x), f(x)
            assert np.asarray(made).dtype == np.asarray(expected).dtype
            assert made == expected


def stored(z: Any) -> Any:
    y = np.zeros(8, complex)
    y[1:4] = z[0, :3]
    y[5] = z[1, 1]
    y.real = np.arange(8) * z[0, 0].real
    y *= 1j
    x = z.copy()
    x.imag = 2.0
    x[0] += y[:4]
    return x, y


def looped(z: Any) -> Any:
    s = z[0, 0] * 0
    for t in range(30):
        s = s * z[1, 1] * 0.3 + z[t % 3, t % 4]
    return s


def branched(z: Any) -> Any:
    w = z * 2j if z.real.sum() > 0 else z / 3
    return w if abs(w).max() > 1 else complex(w[0, 0].real, 1.0) * z


def halted(z: Any) -> Any:
    s, n = z[0, 0], 0
    while abs(s) < 100:
        s, n = s * (1.1 + 0.3j) + 1j, n + 1
    return s, n


@pytest.mark.parametrize("function", [stored, looped, branched, halted])
def test_statements(backend: str, function: Any) -> None:
    made, expected = ab.jit(function, backend=backend)(Z), function(Z)
    if not isinstance(made, tuple):
        made, expected = (made,), (expected,)
    for x, y in zip(made, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)
    if function is not halted:
        ab.check_grads(function, (Z,), backend=backend)


def test_carried_values_of_loops(backend: str) -> None:
    def steps(z: Any) -> Any:
        end, rows = ab.scan(lambda c, x: (c * x + 1j, abs(c)), 1 + 0j, z[0])
        return ab.fori_loop(0, 5, lambda i, c: c * z[1, 1] + rows[0], end)

    expected = ab.jit(steps, backend="reference")(Z)
    np.testing.assert_allclose(ab.jit(steps, backend=backend)(Z), expected)
    ab.check_grads(steps, (Z,), order=2, backend=backend)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_agree_with_differences(name: str) -> None:
    if name in ("cast", "tests", "rounded", "objects", "like"):
        pytest.skip("its results are of single precision, or have no gradient")
    ab.check_grads(FUNCTIONS[name], (Z,))


LOSSES: dict[str, Callable[..., Any]] = {
    "abs": lambda np, z: np.sum(np.abs(z) ** 3),
    "product": lambda np, z: np.abs(np.sum(z * np.conj(z) * z[0])) ** 2,
    "functions": lambda np, z: np.sum(np.real(np.exp(z) * np.sin(z) / (z + 3))),
    "powers": lambda np, z: np.sum(np.imag(z**3 - np.sqrt(z) + np.log(z))),
    "matrices": lambda np, z: np.sum(np.abs(z @ np.conj(z).T) ** 2),
    "parts": lambda np, z: np.sum(np.real(z) ** 2 * np.imag(z) + np.angle(z)),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_the_conjugates_of_autograds(name: str) -> None:
    loss = LOSSES[name]
    made = ab.grad(lambda z: loss(np, z))(Z)
    grad: Any = autograd.grad
    theirs = grad(lambda z: loss(autograd.numpy, z))
    np.testing.assert_allclose(made, np.conj(theirs(Z)), rtol=1e-9)


def test_gradient_descends() -> None:
    target = np.exp(1j * np.arange(12.0)).reshape(3, 4)
    descend = ab.value_and_grad(lambda z: np.sum(np.abs(z**2 - target) ** 2))
    z = Z.copy()
    losses: list[float] = []
    for _ in range(200):
        loss, gradient = descend(z)
        losses.append(float(loss))
        z -= 0.02 * gradient
    assert losses[-1] < 1e-3 * losses[0]
    assert losses == sorted(losses, reverse=True)


def test_holomorphic_derivatives(backend: str) -> None:
    """f'(z), at both orders."""

    def f(z: Any) -> Any:
        return np.exp(2j * z) * z

    z = 0.3 + 0.7j
    first = ab.grad(f, holomorphic=True, backend=backend)
    np.testing.assert_allclose(first(z), np.exp(2j * z) * (1 + 2j * z))
    second = ab.grad(first, holomorphic=True, backend=backend)
    np.testing.assert_allclose(second(z), np.exp(2j * z) * (4j - 4 * z))


def test_a_complex_loss_is_refused() -> None:
    with pytest.raises(ab.GradientError, match="no gradient of a complex result"):
        ab.grad(lambda z: z * z)(1j)
    with pytest.raises(ab.GradientError, match="holomorphic=True, but %z is f64"):
        ab.grad(lambda z: z * 1j, holomorphic=True)(2.0)
    with pytest.raises(ab.GradientError, match="holomorphic=True, but"):
        ab.grad(lambda z: abs(z), holomorphic=True)(2j)


def test_cotangents(backend: str) -> None:
    """Of a complex result complex or real, of a real one real."""
    _, pull = ab.vjp(lambda z: (z * z, abs(z)), Z, backend=backend)
    (made,) = pull((1j * Z, np.ones(Z.shape)))
    np.testing.assert_allclose(made, 2j * abs(Z) ** 2 + Z / abs(Z))
    with pytest.raises(ab.ArgumentError, match="its cotangent c128"):
        pull((Z, Z))


def test_what_has_no_order_and_no_parts_is_refused() -> None:
    for function in (np.max, np.min, np.argmax, np.argmin, np.ptp):
        with pytest.raises(ab.DTypeError, match="has no order"):
            ab.jit(function)(Z)
    for function in (np.floor, np.cbrt, np.arctan2, np.remainder, np.hypot):
        with pytest.raises(TypeError, match="not supported for the input types"):
            ab.jit(lambda z, f=function: f(*(z,) * f.nin))(Z)
    with pytest.raises(ab.DTypeError, match="takes real numbers"):
        ab.jit(ab.softmax)(Z)
    with pytest.raises(ab.TraceError, match=r"dtype that only the values[\s\S]*z.real"):
        ab.jit(np.real_if_close)(Z)


def test_views_of_the_parts_are_written(same: Any) -> None:
    def write(z: Any, x: Any) -> Any:
        y: Any = z.copy()
        made: Any = np.zeros(z.shape, complex)
        y.real[0] = 1.0
        y.imag *= x.real
        made.real[1:] = x.real[1:]
        part = made.imag
        made[0] = x[0]
        part[-1] = 5.0
        return y, made, part, y[::-1].imag

    same(write, Z, Z[::-1].copy())

    def loss(z: Any) -> Any:
        return np.abs(write(z, z[::-1])[0]) ** 2

    ab.check_grads(loss, (Z,), order=2)


def test_a_cast_to_real_warns(backend: str) -> None:
    with pytest.warns(np.exceptions.ComplexWarning, match="discards the imaginary"):
        made = ab.jit(lambda z: z.astype(float), backend=backend)(Z)
    np.testing.assert_array_equal(made, Z.real)


def test_a_saved_function(tmp_path: Any) -> None:
    function = ab.value_and_grad(lambda z: np.sum(np.abs(z * (1 - 0.0j) + 2j) ** 2))
    value, gradient = function(Z)
    function.save(tmp_path / "f")
    again = ab.load(tmp_path / "f")(Z)
    np.testing.assert_array_equal(again[0], value)
    np.testing.assert_array_equal(again[1], gradient)


def test_the_fast_call_and_out() -> None:
    function = ab.jit(lambda z, w: z * w)
    out = np.zeros(Z.shape, complex)
    for k in range(4):
        np.testing.assert_array_equal(function(Z[::-1], 1j * k), Z[::-1] * 1j * k)
        function(Z, 2j, out=out)
        np.testing.assert_array_equal(out, Z * 2j)
    numbers = ab.jit(lambda z: (z * 2, z + 1, z.real))
    for x in (1 + 2j, np.complex64(1 - 2j), np.complex128(3j)):
        for _ in range(4):
            assert numbers(x) == (x * 2, x + 1, x.real)


def test_the_header_of_a_native_function() -> None:
    header = ab.jit(lambda z: abs(z)).native(Z).header
    assert "double _Complex z[3][4]" in header


# Programs, as people write them.


def retrieve(phase: Any, intensity: Any, support: Any) -> Any:
    """Phase retrieval: the misfit of the intensity in the far field."""
    field = np.fft.fft2(support * np.exp(1j * phase), norm="ortho")
    return np.sum((np.abs(field) ** 2 - intensity) ** 2)


def spectral(x: Any, target: Any) -> Any:
    """The distance of two signals' log spectra, in windows."""
    frames = np.stack([x[k : k + 16] * np.hanning(16) for k in range(0, 48, 8)])
    spectrum = np.abs(np.fft.rfft(frames, axis=-1))
    return np.mean((np.log1p(spectrum) - target) ** 2)


def two_level(pulse: Any, steps: int = 12) -> Any:
    """The chance to end in the other state, by the series of exp(-i H t)."""
    state = np.array([1, 0], complex)
    for k in range(steps):
        h = np.array([[0.5, pulse[k]], [np.conj(pulse[k]), -0.5]])
        term, propagator = np.eye(2, dtype=complex), np.eye(2, dtype=complex)
        for order in range(1, 12):
            term = term @ (-1j * 0.2 * h) / order
            propagator = propagator + term
        state = propagator @ state
    return np.abs(state[1]) ** 2


def test_phase_retrieval(backend: str) -> None:
    support = np.zeros((6, 6))
    support[1:4, 2:5] = 1
    phase = RNG.normal(size=(6, 6))
    intensity = np.abs(np.fft.fft2(support, norm="ortho")) ** 2

    def loss(phase: Any) -> Any:
        return retrieve(phase, intensity, support)

    value = ab.jit(loss, backend=backend)(phase)
    np.testing.assert_allclose(value, loss(phase))
    ab.check_grads(loss, (phase,), order=2, backend=backend)


def test_spectral_loss(backend: str) -> None:
    x, target = RNG.normal(size=64), np.abs(RNG.normal(size=(6, 9)))
    value = ab.jit(spectral, backend=backend)(x, target)
    np.testing.assert_allclose(value, spectral(x, target))
    ab.check_grads(lambda x: spectral(x, target), (x,), backend=backend)


def test_two_level_system(backend: str) -> None:
    pulse = RNG.normal(size=12) + 1j * RNG.normal(size=12)
    value = ab.jit(two_level, backend=backend)(pulse)
    np.testing.assert_allclose(value, two_level(pulse), rtol=1e-11)
    ab.check_grads(two_level, (pulse,), backend=backend)
