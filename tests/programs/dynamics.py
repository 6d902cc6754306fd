"""Particles, trajectories, roots and control."""

from __future__ import annotations

import math

import numpy as np

from tests.programs.record import program

RNG = np.random.default_rng(3)
POINTS = RNG.normal(size=(4, 3))


@program(POINTS, np.zeros((4, 3)), np.array([1.0, 2.0, 0.5, 1.5]), wrt=(0, 2))
def n_body(x, v, m):
    n, dt = len(m), 0.02
    for _ in range(2):
        a = np.zeros_like(x)
        for i in range(n):
            for j in range(n):
                if i == j:
                    continue
                d = x[j] - x[i]
                r2 = d @ d + 0.01
                a[i] += m[j] * d / (r2 * math.sqrt(r2))
        v += dt * a
        x += dt * v
    return 0.5 * np.sum(m[:, None] * v**2)


@program(1.5 * POINTS, 0.8, wrt=(0, 1), second=True)
def lennard_jones(x, sigma):
    energy = 0.0
    force = np.zeros_like(x)
    for i in range(len(x) - 1):
        for j in range(i + 1, len(x)):
            d = x[i] - x[j]
            r2 = np.dot(d, d)
            if r2 < 25.0:
                s6 = (sigma * sigma / r2) ** 3
                energy += 4.0 * (s6 * s6 - s6)
                f = 24.0 * (2.0 * s6 * s6 - s6) / r2 * d
                force[i] += f
                force[j] -= f
    return energy, force


def kernel(r, h):
    q = r / h
    if q < 1.0:
        return 1 - 1.5 * q**2 + 0.75 * q**3
    elif q < 2.0:
        return 0.25 * (2 - q) ** 3
    return 0.0


@program(RNG.random((4, 2)), 0.3 * RNG.normal(size=(4, 2)), 0.45, wrt=(0, 1, 2))
def smoothed_particles(x, v, h):
    n = len(x)
    density = np.zeros(n)
    for i in range(n):
        for j in range(n):
            if i == j:
                density[i] += 1.0
            else:
                density[i] += kernel(np.linalg.norm(x[i] - x[j]), h)
    pressure = 2.0 * (density - 1.0)
    for i in range(n):
        for j in range(n):
            if i != j:
                d = x[i] - x[j]
                r = np.sqrt(np.sum(d**2) + 1e-4)
                v[i] += 0.01 * (pressure[i] + pressure[j]) / density[j] * d / r
    x += 0.05 * v


def pendulum(y, damping):
    return np.array([y[1], -np.sin(y[0]) - damping * y[1]])


@program(np.array([1.0, 0.0]), 0.3, wrt=(0, 1), second=True)
def runge_kutta(y0, damping):
    steps, dt = 6, 0.2
    path = np.zeros((steps + 1, 2))
    path[0] = y0
    for i in range(steps):
        y = path[i]
        k1 = pendulum(y, damping)
        k2 = pendulum(y + dt / 2 * k1, damping)
        k3 = pendulum(y + dt / 2 * k2, damping)
        k4 = pendulum(y + dt * k3, damping)
        path[i + 1] = y + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return path


STAGES = np.zeros((7, 7))
STAGES[1, :1] = [1 / 5]
STAGES[2, :2] = [3 / 40, 9 / 40]
STAGES[3, :3] = [44 / 45, -56 / 15, 32 / 9]
STAGES[4, :4] = [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729]
STAGES[5, :5] = [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656]
STAGES[6, :6] = [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84]
ERRORS = np.array(
    [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40]
)


@program(np.array([1.0, 0.0]), 0.3, wrt=(0, 1))
def adaptive_runge_kutta(y0, damping):
    """Dormand and Prince's pair, whose steps are as long as its error allows."""
    path = np.zeros((40, 2))
    path[0] = y0
    y, t, dt, n = y0, 0.0, 0.3, 0
    while t < 2.0 and n < 39:
        k = np.zeros((7, 2))
        for i in range(7):
            k[i] = pendulum(y + dt * STAGES[i] @ k, damping)
        error = np.max(np.abs(dt * ERRORS @ k))
        if error < 1e-6:
            n += 1
            t += dt
            y = y + dt * STAGES[6] @ k
            path[n] = y
        dt *= min(2.0, max(0.2, 0.9 * (1e-6 / (error + 1e-14)) ** 0.2))
    return path, n


@program(2.0, 0.5, wrt=(0, 1))
def newton_root(a, b):
    x = 1.0
    f = x**3 + b * x - a
    while abs(f) > 1e-12:
        x -= f / (3 * x**2 + b)
        f = x**3 + b * x - a
    return x


@program(0.3, 0.7, wrt=(0, 1), second=True)
def fixed_point(a, e):
    """Kepler's equation."""
    x = a
    for _ in range(12):
        new = a + 0.4 * e * np.sin(x)
        if abs(new - x) < 1e-14:
            break
        x = new
    return x


@program(0.0, 2.03, 1.7, wrt=(0, 1))
def bisection(low, high, target):
    for _ in range(6):
        middle = 0.5 * (low + high)
        if middle**3 > target:
            high = middle
        else:
            low = middle
    return 0.5 * (low + high)


@program(np.array([0.4, -0.8, 0.3, 0.1]), np.array([0.9, 0.0]), wrt=(0, 1), second=True)
def pendulum_control(policy, state):
    angle, speed = state
    cost = 0.0
    for t in range(10):
        torque = np.tanh(policy[0] * np.sin(angle) + policy[1] * speed + policy[2])
        torque = 2.0 * torque + policy[3]
        speed = speed + 0.05 * (15.0 * np.sin(angle) + 3.0 * torque)
        angle = angle + 0.05 * speed
        cost += 0.95**t * (angle**2 + 0.1 * speed**2 + 0.001 * torque**2)
    return cost


@program(np.array([1.9, 1.1]), 10.0, wrt=(0, 1))
def landing_controller(gains, height):
    velocity, fuel, dt = -2.0, 5.0, 0.25
    for _ in range(30):
        thrust = gains[0] * (0.1 - velocity) - gains[1] * height * 0.1
        if thrust < 0.0:
            thrust = 0.0
        if fuel <= 0.0:
            thrust = 0.0
        velocity += dt * (thrust - 1.62)
        height += dt * velocity
        fuel -= 0.1 * dt * thrust
        if height < 0.0:
            break
    return height, velocity, fuel
