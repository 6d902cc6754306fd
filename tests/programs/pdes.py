"""Differential equations in space: stencils with stores, and sweeps."""

from __future__ import annotations

import numpy as np

from tests.programs.record import program

RNG = np.random.default_rng(2)
GRID = RNG.random((6, 6))


@program(RNG.normal(size=12), 0.1, wrt=(0, 1), second=True)
def stencil_in_1d(u, nu):
    n = len(u)
    for _ in range(3):
        new = u.copy()
        for i in range(1, n - 1):
            new[i] = u[i] - 0.2 * u[i] * (u[i] - u[i - 1])
            new[i] += nu * (u[i + 1] - 2 * u[i] + u[i - 1])
        u = new
    return u


@program(RNG.normal(size=(5, 5)), 0.3, wrt=(0, 1))
def stencil_in_2d(u, weight):
    out = np.zeros_like(u)
    n, m = u.shape
    for i in range(1, n - 1):
        for j in range(1, m - 1):
            around = u[i - 1, j] + u[i + 1, j] + u[i, j - 1] + u[i, j + 1]
            out[i, j] = (1 - weight) * u[i, j] + weight * around / 4
    return out


@program(RNG.normal(size=(4, 4, 4)))
def stencil_in_3d(u):
    out = u.copy()
    for i in range(1, 3):
        for j in range(1, 3):
            for k in range(1, 3):
                out[i, j, k] = -6.0 * u[i, j, k]
                for axis in range(3):
                    for step in (-1, 1):
                        at = [i, j, k]
                        at[axis] += step
                        out[i, j, k] += u[tuple(at)] ** 2
    return out


@program(GRID, 0.2, wrt=(0, 1), second=True)
def heat(u, alpha):
    for _ in range(5):
        lap = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2]
        u[1:-1, 1:-1] += alpha * (lap - 4 * u[1:-1, 1:-1])
        u[0, :] = u[1, :]
        u[-1, :] = u[-2, :]
    return u


@program(RNG.normal(size=8), 0.4, wrt=(0, 1), second=True)
def crank_nicolson(u, r):
    """Heat, implicit: a tridiagonal system for each step, by the Thomas algorithm."""
    n = len(u)
    c, d = np.zeros(n), np.zeros(n)
    for _ in range(2):
        for i in range(n):
            left = u[i - 1] if i > 0 else 0.0
            right = u[i + 1] if i < n - 1 else 0.0
            b = (1 - r) * u[i] + r / 2 * (left + right)
            low = -r / 2 if i > 0 else 0.0
            pivot = 1 + r - low * c[i - 1]
            c[i] = -r / 2 / pivot
            d[i] = (b - low * d[i - 1]) / pivot
        u[n - 1] = d[n - 1]
        for i in range(n - 2, -1, -1):
            u[i] = d[i] - c[i] * u[i + 1]
    return u


@program(np.exp(-(np.linspace(-2, 2, 12) ** 2)), 0.8, wrt=(0, 1))
def wave(u, courant):
    before, now = u.copy(), u.copy()
    after = np.zeros_like(u)
    energy = 0.0
    for _ in range(6):
        lap = now[2:] - 2 * now[1:-1] + now[:-2]
        after[1:-1] = 2 * now[1:-1] - before[1:-1] + courant**2 * lap
        after[0] = after[-1] = 0.0
        before, now, after = now, after, before
        energy += np.sum((now - before) ** 2)
    return now, energy


@program(1.0 + 0.2 * RNG.random((5, 5)), wrt=0)
def shallow_water(h):
    g, dt = 9.8, 0.02
    u, v = np.zeros_like(h), np.zeros_like(h)
    for _ in range(4):
        u[1:-1, :] -= dt * g * (h[2:, :] - h[:-2, :]) / 2
        v[:, 1:-1] -= dt * g * (h[:, 2:] - h[:, :-2]) / 2
        flux_x, flux_y = h * u, h * v
        h[1:-1, 1:-1] -= (
            dt
            * (
                flux_x[2:, 1:-1]
                - flux_x[:-2, 1:-1]
                + flux_y[1:-1, 2:]
                - flux_y[1:-1, :-2]
            )
            / 2
        )
        u[0, :], u[-1, :] = -u[1, :], -u[-2, :]
        v[:, 0], v[:, -1] = -v[:, 1], -v[:, -2]
    return h, u, v


@program(1.0, 0.1, wrt=(0, 1))
def lid_driven_cavity(lid, nu):
    n, dt = 6, 0.01
    dx = 1 / (n - 1)
    psi, omega = np.zeros((n, n)), np.zeros((n, n))
    for _ in range(3):
        for _ in range(3):
            psi[1:-1, 1:-1] = 0.25 * (
                psi[2:, 1:-1]
                + psi[:-2, 1:-1]
                + psi[1:-1, 2:]
                + psi[1:-1, :-2]
                + dx * dx * omega[1:-1, 1:-1]
            )
        omega[:, -1] = -2 * psi[:, -2] / dx**2 - 2 * lid / dx
        omega[:, 0] = -2 * psi[:, 1] / dx**2
        omega[0, :] = -2 * psi[1, :] / dx**2
        omega[-1, :] = -2 * psi[-2, :] / dx**2
        u = (psi[1:-1, 2:] - psi[1:-1, :-2]) / (2 * dx)
        v = -(psi[2:, 1:-1] - psi[:-2, 1:-1]) / (2 * dx)
        w = omega[1:-1, 1:-1]
        lap = omega[2:, 1:-1] + omega[:-2, 1:-1] + omega[1:-1, 2:] + omega[1:-1, :-2]
        slope_x = (omega[2:, 1:-1] - omega[:-2, 1:-1]) / (2 * dx)
        slope_y = (omega[1:-1, 2:] - omega[1:-1, :-2]) / (2 * dx)
        rate = nu * (lap - 4 * w) / dx**2 - u * slope_x - v * slope_y
        omega[1:-1, 1:-1] = w + dt * rate
    return psi, omega


def thomas(low, main, up, right):
    """Solve a tridiagonal system with constant diagonals."""
    n = len(right)
    c, x = np.zeros(n), right.copy()
    c[0] = up / main
    x[0] = right[0] / main
    for i in range(1, n):
        pivot = main - low * c[i - 1]
        c[i] = up / pivot
        x[i] = (x[i] - low * x[i - 1]) / pivot
    for i in range(n - 2, -1, -1):
        x[i] -= c[i] * x[i + 1]
    return x


@program(RNG.normal(size=(4, 4)), 0.5, wrt=(0, 1))
def alternating_directions(u, r):
    n = len(u)
    half = np.zeros((n, n))
    for j in range(n):
        lap = -2 * u[:, j]
        if j > 0:
            lap = lap + u[:, j - 1]
        if j < n - 1:
            lap = lap + u[:, j + 1]
        half[:, j] = thomas(-r, 1 + 2 * r, -r, u[:, j] + r * lap)
    for i in range(n):
        lap = -2 * half[i]
        if i > 0:
            lap += half[i - 1]
        if i < n - 1:
            lap += half[i + 1]
        u[i] = thomas(-r, 1 + 2 * r, -r, half[i] + r * lap)


@program(1.0 + RNG.random(10), second=True)
def finite_difference_time_domain(permittivity):
    n = len(permittivity)
    e, h = np.zeros(n), np.zeros(n - 1)
    probe = np.zeros(12)
    for t in range(12):
        h += 0.5 * (e[1:] - e[:-1])
        e[1:-1] += 0.5 / permittivity[1:-1] * (h[1:] - h[:-1])
        e[2] += np.exp(-(((t - 5.0) / 2.0) ** 2))
        probe[t] = e[-3]
    return np.sum(probe**2), e
