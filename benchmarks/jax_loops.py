"""The programs for JAX, with its loops or as whole arrays where they can be.

Each has the arguments of its namesake in the tests, and returns what that returns and
writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["WITH_JAX"]

WITH_JAX: dict[str, Callable[..., Any]] = {}


def _program(function: Callable[..., Any]) -> Callable[..., Any]:
    WITH_JAX[function.__name__] = function
    return function


@_program
def n_body(x: Any, v: Any, m: Any) -> Any:
    import jax.numpy as jnp

    dt = 0.02
    for _ in range(2):
        d = x[None] - x[:, None]
        r2 = jnp.sum(d * d, axis=2) + 0.01
        v = v + dt * jnp.sum((m[None] / (r2 * jnp.sqrt(r2)))[:, :, None] * d, axis=1)
        x = x + dt * v
    return 0.5 * jnp.sum(m[:, None] * v**2), x, v


@_program
def lennard_jones(x: Any, sigma: Any) -> Any:
    import jax.numpy as jnp
    import numpy as np

    i, j = np.triu_indices(len(x), 1)
    d = x[i] - x[j]
    r2 = jnp.sum(d * d, axis=1)
    near = r2 < 25.0
    s6 = (sigma * sigma / r2) ** 3
    energy = jnp.sum(jnp.where(near, 4.0 * (s6 * s6 - s6), 0.0))
    scale = jnp.where(near, 24.0 * (2.0 * s6 * s6 - s6) / r2, 0.0)
    f = scale[:, None] * d
    return energy, jnp.zeros_like(x).at[i].add(f).at[j].add(-f)


@_program
def cholesky(a: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    n = len(a)
    rows = jnp.arange(n)

    def column(j: Any, low: Any) -> Any:
        s = a[:, j] - low @ low[j]
        pivot = jnp.sqrt(s[j])
        return low.at[:, j].set(jnp.where(rows > j, s / pivot, 0.0).at[j].set(pivot))

    return lax.fori_loop(0, n, column, jnp.zeros_like(a))


@_program
def lu_in_place(a: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    n = len(a)
    at = jnp.arange(n)

    def step(k: Any, a: Any) -> Any:
        below = at > k
        column = jnp.where(below, a[:, k] / a[k, k], a[:, k])
        a = a.at[:, k].set(column)
        factor, row = jnp.where(below, column, 0.0), jnp.where(at > k, a[k], 0.0)
        return a - factor[:, None] * row[None]

    return lax.fori_loop(0, n - 1, step, a)


@_program
def householder(a: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    m, n = a.shape
    rows = jnp.arange(m)

    def reflect(k: Any, state: Any) -> Any:
        r, q = state
        x = jnp.where(rows >= k, r[:, k], 0.0)
        alpha = jnp.sqrt(jnp.sum(x * x))
        v = x.at[k].add(jnp.where(x[k] > 0, alpha, -alpha))
        v = v / jnp.sqrt(jnp.sum(v * v))
        r = r - 2 * jnp.outer(v, v @ r)
        return r, q - 2 * jnp.outer(q @ v, v)

    r, q = lax.fori_loop(0, n, reflect, (a, jnp.eye(m)))
    return q, r


@_program
def causal_attention(q: Any, k: Any, v: Any) -> Any:
    import jax.numpy as jnp

    n, d = q.shape
    scores = jnp.where(jnp.tri(n, dtype=bool), q @ k.T / jnp.sqrt(d), -jnp.inf)
    scores = jnp.exp(scores - jnp.max(scores, axis=1, keepdims=True))
    return scores / jnp.sum(scores, axis=1, keepdims=True) @ v


@_program
def forward_substitution(low: Any, b: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    def row(i: Any, x: Any) -> Any:
        return x.at[i].set((b[i] - low[i] @ x) / low[i, i])

    return lax.fori_loop(0, len(b), row, jnp.zeros_like(b))


@_program
def back_substitution(up: Any, b: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    n = len(b)

    def row(t: Any, x: Any) -> Any:
        i = n - 1 - t
        return x.at[i].set((b[i] - up[i] @ x) / up[i, i])

    return lax.fori_loop(0, n, row, jnp.zeros_like(b))


@_program
def gauss_seidel(a: Any, b: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    def row(t: Any, x: Any) -> Any:
        i = t % len(b)
        return x.at[i].set((b[i] - a[i] @ x + a[i, i] * x[i]) / a[i, i])

    return lax.fori_loop(0, 4 * len(b), row, jnp.zeros_like(b))


@_program
def stencil_in_1d(u: Any, nu: Any) -> Any:
    for _ in range(3):
        new = u[1:-1] - 0.2 * u[1:-1] * (u[1:-1] - u[:-2])
        u = u.at[1:-1].set(new + nu * (u[2:] - 2 * u[1:-1] + u[:-2]))
    return u


@_program
def stencil_in_2d(u: Any, weight: Any) -> Any:
    import jax.numpy as jnp

    around = u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]
    new = (1 - weight) * u[1:-1, 1:-1] + weight * around / 4
    return jnp.zeros_like(u).at[1:-1, 1:-1].set(new)


@_program
def heat(u: Any, alpha: Any) -> Any:
    from jax import lax

    def step(_: Any, u: Any) -> Any:
        lap = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        u = u.at[1:-1, 1:-1].add(alpha * (lap - 4 * u[1:-1, 1:-1]))
        u = u.at[0].set(u[1])
        return u.at[-1].set(u[-2])

    made = lax.fori_loop(0, 5, step, u)
    return made, made


@_program
def crank_nicolson(u: Any, r: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    for _ in range(2):
        left = jnp.concatenate([jnp.zeros(1), u[:-1]])
        right = jnp.concatenate([u[1:], jnp.zeros(1)])
        b = (1 - r) * u + r / 2 * (left + right)
        low = jnp.full(len(u), -r / 2).at[0].set(0.0)

        def eliminate(carry: Any, row: Any, r: Any = r) -> Any:
            c, d = carry
            b, low = row
            pivot = 1 + r - low * c
            made = -r / 2 / pivot, (b - low * d) / pivot
            return made, made

        _, (c, d) = lax.scan(eliminate, (0.0, 0.0), (b, low))

        def substitute(after: Any, row: Any) -> Any:
            c, d = row
            made = d - c * after
            return made, made

        _, head = lax.scan(substitute, d[-1], (c[:-1], d[:-1]), reverse=True)
        u = jnp.concatenate([head, d[-1:]])
    return u, u


@_program
def wave(u: Any, courant: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    def step(carry: Any, _: Any) -> Any:
        before, now, energy = carry
        lap = now[2:] - 2 * now[1:-1] + now[:-2]
        after = 2 * now[1:-1] - before[1:-1] + courant**2 * lap
        after = jnp.concatenate([jnp.zeros(1), after, jnp.zeros(1)])
        return (now, after, energy + jnp.sum((after - now) ** 2)), None

    (_, now, energy), _ = lax.scan(step, (u, u, 0.0), None, length=6)
    return now, energy


@_program
def finite_difference_time_domain(permittivity: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    n = len(permittivity)

    def step(carry: Any, t: Any) -> Any:
        e, h = carry
        h = h + 0.5 * (e[1:] - e[:-1])
        e = e.at[1:-1].add(0.5 / permittivity[1:-1] * (h[1:] - h[:-1]))
        e = e.at[2].add(jnp.exp(-(((t - 5.0) / 2.0) ** 2)))
        return (e, h), e[-3]

    start = jnp.zeros(n), jnp.zeros(n - 1)
    (e, _), probe = lax.scan(step, start, jnp.arange(12.0))
    return jnp.sum(probe**2), e


@_program
def floyd_warshall(distance: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    def step(k: Any, d: Any) -> Any:
        through = d[:, k][:, None] + d[k][None]
        return jnp.where(through < d, through, d)

    return lax.fori_loop(0, len(distance), step, distance)


@_program
def time_warping(a: Any, b: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    def row(above: Any, x: Any) -> Any:
        d = (x - b) ** 2

        def entry(left: Any, item: Any) -> Any:
            d, up, corner = item
            made = d + jnp.minimum(jnp.minimum(up, left), corner)
            return made, made

        _, made = lax.scan(entry, jnp.inf, (d, above[1:], above[:-1]))
        return jnp.concatenate([jnp.array([jnp.inf]), made]), None

    start = jnp.full(len(b) + 1, jnp.inf).at[0].set(0.0)
    return lax.scan(row, start, a)[0][-1]


@_program
def forward_of_a_markov_model(start: Any, move: Any, emit: Any, seen: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    def step(alpha: Any, o: Any) -> Any:
        return (alpha @ move) * emit[:, o], None

    alpha = lax.scan(step, start * emit[:, seen[0]], seen[1:])[0]
    return jnp.log(jnp.sum(alpha))


@_program
def viterbi(start: Any, move: Any, emit: Any, seen: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    moves, emits = jnp.log(move), jnp.log(emit)

    def step(score: Any, o: Any) -> Any:
        return jnp.max(score[:, None] + moves, axis=0) + emits[:, o], None

    score = lax.scan(step, jnp.log(start) + emits[:, seen[0]], seen[1:])[0]
    return jnp.max(score)


@_program
def kalman_filter(z: Any, q: Any, r: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    f, h = jnp.array([[1.0, 1.0], [0.0, 1.0]]), jnp.array([[1.0, 0.0]])

    def step(carry: Any, z: Any) -> Any:
        x, p, score = carry
        x = f @ x
        p = f @ p @ f.T + q * jnp.eye(2)
        s = (h @ p @ h.T)[0, 0] + r
        y = z - (h @ x)[0]
        gain = (p @ h.T)[:, 0] / s
        x = x + gain * y
        p = p - jnp.outer(gain, h @ p)
        return (x, p, score - 0.5 * (jnp.log(2 * jnp.pi * s) + y * y / s)), x

    (_, _, score), found = lax.scan(step, (jnp.zeros(2), jnp.eye(2), 0.0), z)
    return score, found


@_program
def horner(coefficients: Any, x: Any) -> Any:
    from jax import lax

    def step(carry: Any, c: Any) -> Any:
        y, slope = carry
        return (y * x + c, slope * x + y), None

    return lax.scan(step, (0.0, 0.0), coefficients[::-1])[0]


@_program
def clenshaw(coefficients: Any, x: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    def step(carry: Any, c: Any) -> Any:
        b1, b2 = carry
        return (c + 2 * x * b1 - b2, b1), None

    start = jnp.zeros_like(x), jnp.zeros_like(x)
    (b1, b2), _ = lax.scan(step, start, coefficients[1:], reverse=True)
    return coefficients[0] + x * b1 - b2


@_program
def ising_energy(spins: Any, coupling: Any, field: Any) -> Any:
    import jax.numpy as jnp

    around = jnp.roll(spins, -1, 1) + jnp.roll(spins, -1, 0)
    return -jnp.sum(coupling * spins * around) - field * jnp.sum(spins)


@_program
def metropolis(scale: Any, x: Any, moves: Any, chances: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    def log_density(x: Any) -> Any:
        return -0.5 * x[0] ** 2 - 2.0 * (x[1] - x[0] ** 2) ** 2

    def step(carry: Any, given: Any) -> Any:
        x, now = carry
        move, chance = given
        proposal = x + scale * move
        new = log_density(proposal)
        taken = jnp.log(chance) < new - now
        x, now = jnp.where(taken, proposal, x), jnp.where(taken, new, now)
        return (x, now), x

    return lax.scan(step, (x, log_density(x)), (moves, chances))[1]


@_program
def weighted_histogram(x: Any, w: Any, bins: Any) -> Any:
    import jax.numpy as jnp

    return jnp.zeros(20).at[(x * bins).astype(int)].add(w)


@_program
def black_scholes_by_simulation(s0: Any, sigma: Any, r: Any, z: Any) -> Any:
    import jax.numpy as jnp

    dt = 1.0 / z.shape[1]
    drift = (r - 0.5 * sigma**2) * dt
    s = s0 * jnp.exp(jnp.sum(drift + sigma * jnp.sqrt(dt) * z, axis=1))
    return jnp.exp(-r) * jnp.mean(jnp.maximum(s - 95.0, 0.0))


@_program
def plackett_luce(utility: Any, rankings: Any) -> Any:
    import jax.numpy as jnp

    ranked = utility[rankings]
    rest = jnp.cumsum(jnp.exp(ranked[:, ::-1]), axis=1)[:, ::-1]
    return jnp.sum((ranked - jnp.log(rest))[:, :-1])


@_program
def convolution(image: Any, kernels: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    out = lax.conv(image[None, None], kernels[:, None], (1, 1), "VALID")
    return jnp.maximum(out[0], 0.0)


@_program
def max_pooling(x: Any) -> Any:
    n, m = x.shape[0] // 2, x.shape[1] // 2
    return x.reshape(n, 2, m, 2).max(axis=(1, 3))


@_program
def elman_network(wx: Any, wh: Any, xs: Any) -> Any:
    import jax.numpy as jnp
    from jax import lax

    def step(h: Any, x: Any) -> Any:
        h = jnp.tanh(wx @ x + wh @ h)
        return h, h

    h, hs = lax.scan(step, jnp.zeros(3), xs)
    return jnp.sum(h**2), hs
