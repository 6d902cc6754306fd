"""Transforms of functions, written once for all libraries that have them.

A case is a function of a library (`Library`) that returns a call without arguments. The
call returns arrays, when they are there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .peers import OLD_JAX, OURS, Unavailable

__all__ = [
    "APART",
    "AUTOGRAD",
    "CASES",
    "JAX",
    "LIBRARIES",
    "TORCH",
    "Library",
    "prepared",
]

JAX, TORCH, AUTOGRAD = "JAX", "PyTorch", "autograd"
Call = Callable[[], Any]


class Library(NamedTuple):
    """What cases are written with: NumPy's names, and the transforms.

    ``fori(n, f, x)`` is ``f(...f(x))``; ``array`` makes an array of the library;
    ``done`` waits for results and returns arrays of NumPy. PyTorch has no ``odeint``.
    """

    xp: Any
    jit: Callable[[Any], Any]
    grad: Callable[[Any], Any]
    jacobian: Callable[[Any], Any]
    hessian: Callable[[Any], Any]
    hvp: Callable[[Any], Any]
    vmap: Callable[..., Any]
    fori: Callable[[int, Any, Any], Any]
    array: Callable[[Any], Any]
    done: Callable[[Any], Any]
    odeint: Callable[..., Any] | None = None


def _anabranch() -> Library:
    import anabranch as ab

    def fori(n: int, f: Any, x: Any) -> Any:
        return ab.fori_loop(0, n, lambda _, x: f(x), x)

    return Library(
        np,
        ab.jit,
        ab.grad,
        ab.jacobian,
        ab.hessian,
        ab.hvp,
        ab.vmap,
        fori,
        np.asarray,
        lambda x: x,
        ab.odeint,
    )


def _jax() -> Library:
    import jax
    from jax.experimental.ode import odeint

    jax.config.update("jax_enable_x64", True)

    def fori(n: int, f: Any, x: Any) -> Any:
        return jax.lax.fori_loop(0, n, lambda _, x: f(x), x)

    return Library(
        jax.numpy,
        jax.jit,
        jax.grad,
        jax.jacrev,
        jax.hessian,
        lambda f: lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1],
        jax.vmap,
        fori,
        jax.numpy.asarray,
        jax.block_until_ready,
        odeint,
    )


def _torch() -> Library:
    import torch

    torch.set_num_threads(1)

    return Library(
        torch,
        lambda f: f,
        torch.func.grad,
        torch.func.jacrev,
        torch.func.hessian,
        lambda f: lambda x, v: torch.func.jvp(torch.func.grad(f), (x,), (v,))[1],
        lambda f, in_axes=0: torch.func.vmap(f, in_dims=in_axes),
        _fori,
        torch.as_tensor,
        lambda x: x,
    )


def _autograd() -> Library:
    autograd, xp = (import_module(name) for name in ("autograd", "autograd.numpy"))

    def vmap(f: Any, in_axes: Any = 0) -> Any:
        raise Unavailable("has no vmap")

    return Library(
        xp,
        lambda f: f,
        autograd.grad,
        autograd.jacobian,
        autograd.hessian,
        autograd.hessian_vector_product,
        vmap,
        _fori,
        np.asarray,
        lambda x: x,
    )


def _fori(n: int, f: Any, x: Any) -> Any:
    for _ in range(n):
        x = f(x)
    return x


LIBRARIES: dict[str, Callable[[], Library]] = {
    OURS: _anabranch,
    JAX: _jax,
    OLD_JAX: _jax,
    TORCH: _torch,
    AUTOGRAD: _autograd,
}


# The gradients of a network's loss by each of 128 examples: 784-64-10 in float32.


def _network() -> list[Any]:
    rng = np.random.default_rng(0)
    sizes = (784, 64, 10)
    weights = [
        (0.05 * rng.normal(size=pair)).astype(np.float32) for pair in pairwise(sizes)
    ]
    offsets = [np.zeros(n, np.float32) for n in sizes[1:]]
    x = rng.normal(size=(128, 784)).astype(np.float32)
    target = np.eye(10, dtype=np.float32)[rng.integers(0, 10, 128)]
    return [*weights, *offsets, x, target]


def _loss(xp: Any, p: Any, x: Any, target: Any) -> Any:
    """Of one example, or of all of them added up."""
    v, w, a, b = p
    z = xp.tanh(x @ v + a) @ w + b
    return xp.sum(xp.log(xp.sum(xp.exp(z), -1))) - xp.sum(z * target)


def _gradients(library: Library) -> Call:
    *p, x, target = map(library.array, _network())
    one = library.grad(partial(_loss, library.xp))
    call = library.jit(library.vmap(one, in_axes=(None, 0, 0)))
    return lambda: library.done(call(tuple(p), x, target))


def _clipped(library: Library) -> Call:
    """Each is cut to length 1, and then they are added up."""
    xp = library.xp
    *p, x, target = map(library.array, _network())
    gradient = library.grad(partial(_loss, xp))

    def one(p: Any, x: Any, target: Any) -> Any:
        found = gradient(p, x, target)
        square = sum(xp.sum(g * g) for g in found)
        scale = xp.where(square > 1.0, 1.0 / xp.sqrt(square), 1.0)
        return tuple(g * scale for g in found)

    each = library.vmap(one, in_axes=(None, 0, 0))
    call = library.jit(lambda *given: tuple(xp.sum(g, 0) for g in each(*given)))
    return lambda: library.done(call(tuple(p), x, target))


def _gradient(library: Library) -> Call:
    *p, x, target = map(library.array, _network())
    call = library.jit(library.grad(partial(_loss, library.xp)))
    return lambda: library.done(call(tuple(p), x, target))


# Three bodies in a plane from 10,000 starts: 100 steps by Runge and Kutta, in float64.


def _bodies(library: Library, chunk: int | None = None) -> Call:
    """``chunk`` starts at a time, where the library has chunks."""
    xp = library.xp
    rng = np.random.default_rng(0)
    mass = library.array(np.array([1.0, 0.5, 0.3]))
    q = library.array(rng.normal(size=(10_000, 3, 2)))
    v = library.array(0.1 * rng.normal(size=(10_000, 3, 2)))
    h = 0.01

    def pull(q: Any) -> Any:
        apart = q[None, :, :] - q[:, None, :]
        square = xp.sum(apart * apart, -1) + 1e-2
        weight = mass[None, :] / (square * xp.sqrt(square))
        return xp.sum(weight[:, :, None] * apart, 1)

    def step(state: Any) -> Any:
        q, v = state
        q1, v1 = v, pull(q)
        q2, v2 = v + h / 2 * v1, pull(q + h / 2 * q1)
        q3, v3 = v + h / 2 * v2, pull(q + h / 2 * q2)
        q4, v4 = v + h * v3, pull(q + h * q3)
        dq, dv = q1 + 2 * q2 + 2 * q3 + q4, v1 + 2 * v2 + 2 * v3 + v4
        return q + h / 6 * dq, v + h / 6 * dv

    options = {"chunk": chunk} if chunk and xp is np else {}
    run = library.vmap(lambda q, v: library.fori(100, step, (q, v)), **options)
    call = library.jit(run)
    return lambda: library.done(call(q, v))


# The gradient of a fit of Lotka and Volterra's equations by 21 times, in float64.


def _hunters(library: Library) -> Call:
    xp, odeint = library.xp, library.odeint
    if odeint is None:
        raise Unavailable("has no odeint")
    times = library.array(np.linspace(0.0, 10.0, 21))
    start = library.array(np.array([10.0, 5.0]))
    parameters = library.array(np.array([1.1, 0.4, 0.4, 0.1]))

    def slope(y: Any, t: Any, p: Any) -> Any:
        return xp.stack([y[0] * (p[0] - p[1] * y[1]), y[1] * (p[3] * y[0] - p[2])])

    def loss(p: Any) -> Any:
        made = odeint(slope, start, times, p, rtol=1e-8, atol=1e-8)
        return xp.sum(xp.sin(made))

    call = library.jit(library.grad(loss))
    return lambda: library.done(call(parameters))


# Derivatives of one function: a network of 100 numbers, Rosenbrock's valley, a logistic
# regression, and an oscillator of 400 steps by its two parameters; all in float64.


def _jacobian(library: Library) -> Call:
    rng = np.random.default_rng(0)
    u, v, w = (library.array(0.1 * rng.normal(size=(100, 100))) for _ in range(3))
    x = library.array(rng.normal(size=100))
    tanh = library.xp.tanh
    call = library.jit(library.jacobian(lambda x: tanh(tanh(x @ u) @ v) @ w))
    return lambda: library.done(call(x))


def _valley(library: Library) -> Call:
    xp = library.xp
    x = library.array(np.random.default_rng(0).normal(size=50))

    def rosenbrock(x: Any) -> Any:
        return xp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    call = library.jit(library.hessian(rosenbrock))
    return lambda: library.done(call(x))


def _product(library: Library) -> Call:
    xp = library.xp
    rng = np.random.default_rng(0)
    x = library.array(rng.normal(size=(1000, 100)))
    y = library.array((rng.random(1000) > 0.5).astype(float))
    w, v = (library.array(0.1 * rng.normal(size=100)) for _ in range(2))

    def regression(w: Any) -> Any:
        z = x @ w
        return xp.mean(xp.log(1 + xp.exp(z)) - y * z) + 0.01 * xp.sum(w * w)

    call = library.jit(library.hvp(regression))
    return lambda: library.done(call(w, v))


def _oscillator(library: Library, derivative: Callable[[Any], Any]) -> Call:
    p = library.array(np.array([2.0, 0.1]))
    sin, h = library.xp.sin, 0.01

    def step(p: Any, state: Any) -> Any:
        q, v, t, loss = state
        v = v - h * (p[0] * q + p[1] * v)
        q = q + h * v
        return q, v, t + h, loss + (q - sin(t)) ** 2

    def fit(p: Any) -> Any:
        start = tuple(library.array(np.array(x)) for x in (1.0, 0.0, 0.0, 0.0))
        return library.fori(400, partial(step, p), start)[3]

    call = library.jit(derivative(fit))
    return lambda: library.done(call(p))


FIT = "Lotka-Volterra fit, adaptive steps"

CASES: dict[str, Callable[[Library], Call]] = {
    "gradient of each example, MLP 784-64-10, batch 128": _gradients,
    "the same, clipped and added up": _clipped,
    "their sum": _gradient,
    "3 bodies, 100 steps, 10,000 starts": _bodies,
    "the same, ours by chunks of 100": partial(_bodies, chunk=100),
    FIT: _hunters,
    "Jacobian 100x100, MLP": _jacobian,
    "Hessian, Rosenbrock 50": _valley,
    "Hessian times vector, regression 1000x100": _product,
    "gradient, oscillator of 400 steps": lambda x: _oscillator(x, x.grad),
    "Hessian, oscillator of 400 steps": lambda x: _oscillator(x, x.hessian),
}
APART: dict[str, float] = {FIT: 1e-6}
"""How far results may be apart that are not exact to rounding."""


def prepared(peer: str, name: str) -> Call:
    """The call of a case by a library."""
    return CASES[name](LIBRARIES[peer]())
