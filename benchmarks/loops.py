"""Loops that touch one element at a time: ours against Numba, side by side.

    python -m benchmarks.loops [name]

Each program is written twice: in plain Python, which Numba compiles, and with the
explicit forms of loops. One thread; the best of some rounds, in which all take turns.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

ROUNDS = 7
BATCH_SECONDS = 0.02


class Program(NamedTuple):
    """A function in plain Python, the same with our loops, and arguments."""

    plain: Callable[..., Any]
    ours: Callable[..., Any]
    arguments: Callable[[np.random.Generator], tuple[Any, ...]]


def fori(first: Any, last: Any, body: Callable[[Any, Any], Any], start: Any) -> Any:
    """Our counted loop."""
    import anabranch

    return anabranch.fori_loop(first, last, body, start)


def stored(array: Any, place: Any, value: Any) -> Any:
    """The array but a value at a place."""
    array = array.copy()
    array[place] = value
    return array


def pendulum(angle: float, speed: float, damping: float) -> float:
    """RK4 of a damped pendulum."""
    h = 0.01
    for _ in range(400):
        a1 = speed
        b1 = -damping * speed - math.sin(angle)
        a2 = speed + h / 2 * b1
        b2 = -damping * a2 - math.sin(angle + h / 2 * a1)
        a3 = speed + h / 2 * b2
        b3 = -damping * a3 - math.sin(angle + h / 2 * a2)
        a4 = speed + h * b3
        b4 = -damping * a4 - math.sin(angle + h * a3)
        angle = angle + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        speed = speed + h / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
    return angle


def our_pendulum(angle: Any, speed: Any, damping: Any) -> Any:
    """The same with our loops."""
    h = 0.01

    def rate(angle: Any, speed: Any) -> Any:
        return speed, -damping * speed - np.sin(angle)

    def step(_: Any, state: Any) -> Any:
        angle, speed = state
        a1, b1 = rate(angle, speed)
        a2, b2 = rate(angle + h / 2 * a1, speed + h / 2 * b1)
        a3, b3 = rate(angle + h / 2 * a2, speed + h / 2 * b2)
        a4, b4 = rate(angle + h * a3, speed + h * b3)
        return (
            angle + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4),
            speed + h / 6 * (b1 + 2 * b2 + 2 * b3 + b4),
        )

    return fori(0, 400, step, (angle, speed))[0]


def oscillator(x: float, v: float, k: float) -> float:
    """RK4 of an oscillator."""
    h = 0.01
    for _ in range(400):
        a1 = v
        b1 = -k * x
        a2 = v + h / 2 * b1
        b2 = -k * (x + h / 2 * a1)
        a3 = v + h / 2 * b2
        b3 = -k * (x + h / 2 * a2)
        a4 = v + h * b3
        b4 = -k * (x + h * a3)
        x = x + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        v = v + h / 6 * (b1 + 2 * b2 + 2 * b3 + b4)
    return x


def our_oscillator(x: Any, v: Any, k: Any) -> Any:
    """The same with our loops."""
    h = 0.01

    def step(_: Any, state: Any) -> Any:
        x, v = state
        a1, b1 = v, -k * x
        a2, b2 = v + h / 2 * b1, -k * (x + h / 2 * a1)
        a3, b3 = v + h / 2 * b2, -k * (x + h / 2 * a2)
        a4, b4 = v + h * b3, -k * (x + h * a3)
        return (
            x + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4),
            v + h / 6 * (b1 + 2 * b2 + 2 * b3 + b4),
        )

    return fori(0, 400, step, (x, v))[0]


def logistic(rate: float, x: float) -> float:
    """The logistic map, where it neither settles nor is chaotic."""
    for _ in range(10_000):
        x = rate * x * (1 - x)
    return x


def our_logistic(rate: Any, x: Any) -> Any:
    """The same with our loops."""
    return fori(0, 10_000, lambda _, x: rate * x * (1 - x), x)


def horner(c: Any, x: float) -> float:
    """Horner's rule at one point."""
    total = 0.0
    for i in range(c.shape[0]):
        total = total * x + c[i]
    return total


def our_horner(c: Any, x: Any) -> Any:
    """The same with our loops."""
    return fori(0, c.shape[0], lambda i, total: total * x + c[i], 0.0)


def seidel(u: Any) -> float:
    """Sweeps of Gauss-Seidel."""
    n = u.shape[0]
    u = u.copy()
    for _ in range(10):
        for i in range(1, n - 1):
            for j in range(1, n - 1):
                u[i, j] = 0.25 * (u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1])
    return np.sum(u * u)


def our_seidel(u: Any) -> Any:
    """The same with our loops."""
    n = u.shape[0]

    def point(i: Any, j: Any, u: Any) -> Any:
        around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
        return stored(u, (i, j), 0.25 * around)

    def sweep(_: Any, u: Any) -> Any:
        return fori(
            1, n - 1, lambda i, u: fori(1, n - 1, lambda j, u: point(i, j, u), u), u
        )

    u = fori(0, 10, sweep, u.copy())
    return np.sum(u * u)


def prefix(x: Any) -> float:
    """Running sums."""
    y = np.zeros(x.shape[0])
    total = 0.0
    for i in range(x.shape[0]):
        total += x[i]
        y[i] = total
    return np.sum(y * y)


def our_prefix(x: Any) -> Any:
    """The same with our loops."""

    def body(i: Any, state: Any) -> Any:
        total, y = state
        total = total + x[i]
        return total, stored(y, i, total)

    y = fori(0, x.shape[0], body, (0.0, np.zeros(x.shape[0])))[1]
    return np.sum(y * y)


def ising(s: Any, field: float) -> float:
    """The energy of spins on a torus."""
    n = s.shape[0]
    energy = 0.0
    for i in range(n):
        for j in range(n):
            around = s[(i + 1) % n, j] + s[i, (j + 1) % n]
            energy -= s[i, j] * around + field * s[i, j]
    return energy


def our_ising(s: Any, field: Any) -> Any:
    """The same with our loops."""
    n = s.shape[0]

    def spin(i: Any, j: Any, energy: Any) -> Any:
        around = s[(i + 1) % n, j] + s[i, (j + 1) % n]
        return energy - (s[i, j] * around + field * s[i, j])

    def row(i: Any, energy: Any) -> Any:
        return fori(0, n, lambda j, energy: spin(i, j, energy), energy)

    return fori(0, n, row, 0.0)


def warping(a: Any, b: Any) -> float:
    """Dynamic time warping."""
    n, m = a.shape[0], b.shape[0]
    d = np.full((n + 1, m + 1), 1e9)
    d[0, 0] = 0.0
    for i in range(n):
        for j in range(m):
            best = min(min(d[i, j], d[i, j + 1]), d[i + 1, j])
            d[i + 1, j + 1] = (a[i] - b[j]) ** 2 + best
    return d[n, m]


def our_warping(a: Any, b: Any) -> Any:
    """The same with our loops."""
    n, m = a.shape[0], b.shape[0]
    d = np.full((n + 1, m + 1), 1e9)
    d[0, 0] = 0.0

    def cell(i: Any, j: Any, d: Any) -> Any:
        best = np.minimum(np.minimum(d[i, j], d[i, j + 1]), d[i + 1, j])
        return stored(d, (i + 1, j + 1), (a[i] - b[j]) ** 2 + best)

    def row(i: Any, d: Any) -> Any:
        return fori(0, m, lambda j, d: cell(i, j, d), d)

    return fori(0, n, row, d)[n, m]


def thomas(a: Any, b: Any, c: Any, d: Any) -> float:
    """A tridiagonal system by Thomas's algorithm."""
    n = d.shape[0]
    p = np.zeros(n)
    q = np.zeros(n)
    x = np.zeros(n)
    p[0] = c[0] / b[0]
    q[0] = d[0] / b[0]
    for i in range(1, n):
        w = b[i] - a[i] * p[i - 1]
        p[i] = c[i] / w
        q[i] = (d[i] - a[i] * q[i - 1]) / w
    x[n - 1] = q[n - 1]
    for k in range(1, n):
        i = n - 1 - k
        x[i] = q[i] - p[i] * x[i + 1]
    return np.sum(x * x)


def our_thomas(a: Any, b: Any, c: Any, d: Any) -> Any:
    """The same with our loops."""
    n = d.shape[0]
    p, q, x = np.zeros(n), np.zeros(n), np.zeros(n)
    p[0] = c[0] / b[0]
    q[0] = d[0] / b[0]

    def down(i: Any, state: Any) -> Any:
        p, q = state
        w = b[i] - a[i] * p[i - 1]
        return stored(p, i, c[i] / w), stored(q, i, (d[i] - a[i] * q[i - 1]) / w)

    p, q = fori(1, n, down, (p, q))
    x[n - 1] = q[n - 1]

    def up(k: Any, x: Any) -> Any:
        i = n - 1 - k
        return stored(x, i, q[i] - p[i] * x[i + 1])

    x = fori(1, n, up, x)
    return np.sum(x * x)


def levinson(r: Any) -> float:
    """Levinson-Durbin."""
    n = r.shape[0]
    y = np.zeros(n)
    z = np.zeros(n)
    y[0] = -r[0]
    beta = 1.0
    alpha = -r[0]
    for k in range(1, n):
        beta = (1 - alpha * alpha) * beta
        total = 0.0
        for i in range(k):
            total += r[k - i - 1] * y[i]
        alpha = -(r[k] + total) / beta
        for i in range(k):
            z[i] = y[i] + alpha * y[k - i - 1]
        for i in range(k):
            y[i] = z[i]
        y[k] = alpha
    return np.sum(y * y)


def our_levinson(r: Any) -> Any:
    """The same with our loops."""
    n = r.shape[0]
    y, z = np.zeros(n), np.zeros(n)
    y[0] = -r[0]

    def order(k: Any, state: Any) -> Any:
        y, z, alpha, beta = state
        beta = (1 - alpha * alpha) * beta
        total = fori(0, k, lambda i, total: total + r[k - i - 1] * y[i], 0.0)
        alpha = -(r[k] + total) / beta
        z = fori(0, k, lambda i, z: stored(z, i, y[i] + alpha * y[k - i - 1]), z)
        y = fori(0, k, lambda i, y: stored(y, i, z[i]), y)
        return stored(y, k, alpha), z, alpha, beta

    y = fori(1, n, order, (y, z, -r[0], 1.0))[0]
    return np.sum(y * y)


def newton(a: Any) -> float:
    """Roots of x**3 = a by Newton's method."""
    total = 0.0
    for i in range(a.shape[0]):
        x = a[i]
        while abs(x * x * x - a[i]) > 1e-12 * a[i]:
            x = x - (x * x * x - a[i]) / (3 * x * x)
        total += x
    return total


def our_newton(a: Any) -> Any:
    """The same with our loops."""
    import anabranch

    def root(i: Any) -> Any:
        return anabranch.while_loop(
            lambda x: np.abs(x * x * x - a[i]) > 1e-12 * a[i],
            lambda x: x - (x * x * x - a[i]) / (3 * x * x),
            a[i],
            max_trips=50,
        )

    return fori(0, a.shape[0], lambda i, total: total + root(i), 0.0)


PROGRAMS = {
    "oscillator 400": Program(
        oscillator, our_oscillator, lambda rng: (1.0, 0.5, rng.uniform(1, 2))
    ),
    "pendulum 400": Program(
        pendulum, our_pendulum, lambda rng: (1.0, 0.5, rng.uniform(0.1, 0.2))
    ),
    "logistic 10000": Program(
        logistic, our_logistic, lambda rng: (3.5699456, rng.uniform(0.4, 0.6))
    ),
    "horner 1000": Program(
        horner, our_horner, lambda rng: (rng.normal(size=1000), 0.99)
    ),
    "seidel 10x100x100": Program(
        seidel, our_seidel, lambda rng: (rng.normal(size=(100, 100)),)
    ),
    "prefix 10000": Program(prefix, our_prefix, lambda rng: (rng.normal(size=10_000),)),
    "ising 100x100": Program(
        ising, our_ising, lambda rng: (rng.choice([-1.0, 1.0], (100, 100)), 0.1)
    ),
    "warping 100x100": Program(
        warping, our_warping, lambda rng: (rng.normal(size=100), rng.normal(size=100))
    ),
    "thomas 1000": Program(
        thomas,
        our_thomas,
        lambda rng: (
            rng.uniform(0, 1, 1000),
            rng.uniform(3, 4, 1000),
            rng.uniform(0, 1, 1000),
            rng.normal(size=1000),
        ),
    ),
    "levinson 300": Program(
        levinson, our_levinson, lambda rng: (0.5 ** np.arange(1.0, 301.0),)
    ),
    "newton 1000": Program(newton, our_newton, lambda rng: (rng.uniform(1, 9, 1000),)),
}


class Timed(NamedTuple):
    """Seconds of a call, and of the first one."""

    steady: dict[str, float]
    first: dict[str, float]


def timed(program: Program) -> Timed:
    """All three ways to run a program, in turns."""
    import numba

    import anabranch

    arguments = program.arguments(np.random.default_rng(0))
    wrt = tuple(range(len(arguments)))
    ways: dict[str, Callable[..., Any]] = {
        "numba": numba.njit(program.plain),
        "ours": anabranch.jit(program.ours),
        "gradient": anabranch.value_and_grad(program.ours, argnums=wrt),
    }
    first: dict[str, float] = {}
    values: dict[str, float] = {}
    for name, way in ways.items():
        began = time.perf_counter()
        made = way(*arguments)
        first[name] = time.perf_counter() - began
        values[name] = float(made[0] if name == "gradient" else made)
    for name, value in values.items():
        if not math.isclose(value, values["numba"], rel_tol=1e-9):
            raise SystemExit(f"{name} gives {value}, not {values['numba']}")
    best = dict.fromkeys(ways, math.inf)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            best[name] = min(best[name], _once(way, arguments))
    return Timed(best, first)


def _once(way: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """Seconds of processor time of a call, the mean of a batch."""
    count, spent = 0, 0.0
    began = time.process_time()
    while spent < BATCH_SECONDS:
        way(*arguments)
        count += 1
        spent = time.process_time() - began
    return spent / count


def main() -> None:
    """Measure and print."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    print(
        f"{'':20} numba us   ours us   v+g us  fwd/numba  v+g/numba  first s: fwd, v+g"
    )
    ratios: list[tuple[float, float]] = []
    for name, program in PROGRAMS.items():
        if asked not in name:
            continue
        steady, first = timed(program)
        numba, ours, gradient = (steady[k] * 1e6 for k in ("numba", "ours", "gradient"))
        ratios.append((ours / numba, gradient / numba))
        print(
            f"{name:20} {numba:8.1f} {ours:9.1f} {gradient:8.1f} "
            f"{ratios[-1][0]:10.2f} {ratios[-1][1]:10.2f}  "
            f"{first['ours']:8.2f}, {first['gradient']:.2f}",
            flush=True,
        )
    means = [
        math.exp(sum(map(math.log, x)) / len(x)) for x in zip(*ratios, strict=True)
    ]
    print(f"{'geometric mean':49} {means[0]:10.2f} {means[1]:10.2f}")


if __name__ == "__main__":
    main()
