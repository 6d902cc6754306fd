"""Curves, rays and cameras."""

from __future__ import annotations

import numpy as np

from tests.programs.record import program

RNG = np.random.default_rng(7)


@program(
    np.linspace(0.0, 4.0, 5), RNG.normal(size=5), np.array([0.3, 1.7, 3.9]), wrt=(1, 2)
)
def cubic_spline(knots, values, points):
    """A natural spline, its second derivatives by elimination."""
    n = len(knots)
    curve, slack = np.zeros(n), np.zeros(n)
    for i in range(1, n - 1):
        left, right = knots[i] - knots[i - 1], knots[i + 1] - knots[i]
        share = left / (left + right)
        p = share * curve[i - 1] + 2.0
        bend = (values[i + 1] - values[i]) / right - (values[i] - values[i - 1]) / left
        curve[i] = (share - 1.0) / p
        slack[i] = (6.0 * bend / (left + right) - share * slack[i - 1]) / p
    for i in range(n - 2, -1, -1):
        curve[i] = curve[i] * curve[i + 1] + slack[i]
    out = np.zeros(len(points))
    for j in range(len(points)):
        low = 0
        for i in range(1, n - 1):
            if points[j] >= knots[i]:
                low = i
        h = knots[low + 1] - knots[low]
        a, b = (knots[low + 1] - points[j]) / h, (points[j] - knots[low]) / h
        bent = (a**3 - a) * curve[low] + (b**3 - b) * curve[low + 1]
        out[j] = a * values[low] + b * values[low + 1] + bent * h * h / 6.0
    return out


@program(
    np.array([0.1, -0.2, -3.0]),
    np.array([0.05, 0.1, 1.0]),
    1.0,
    wrt=(0, 1, 2),
)
def ray_marching(eye, direction, radius):
    d = direction / np.linalg.norm(direction)
    t, steps = 0.0, 0
    while t < 20.0 and steps < 100:
        p = eye + t * d
        sphere = np.linalg.norm(p) - radius
        floor = p[1] + 1.5
        distance = min(sphere, floor)
        if distance < 1e-9:
            break
        t += distance
        steps += 1
    return t


def rotation(v):
    angle = np.sqrt(v @ v)
    k = v / angle
    cross = np.zeros((3, 3))
    cross[0, 1], cross[0, 2], cross[1, 2] = -k[2], k[1], -k[0]
    cross -= cross.T
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


CAMERAS = np.concatenate(
    [
        0.3 * RNG.normal(size=(2, 3)),
        RNG.normal(size=(2, 3)),
        [[500.0, 0.1], [450.0, 0.2]],
    ],
    axis=1,
)


@program(
    CAMERAS,
    np.array([0.0, 0.0, 6.0]) + RNG.normal(size=(3, 3)),
    RNG.normal(size=(6, 2)),
    [(0, 0), (0, 1), (1, 1), (1, 2)],
    wrt=(0, 1),
)
def bundle_adjustment(cameras, points, pixels, seen_by):
    cost = 0.0
    for n, (c, p) in enumerate(seen_by):
        camera = cameras[c]
        x, y, z = rotation(camera[:3]) @ points[p] + camera[3:6]
        u, v = x / z, y / z
        r2 = u * u + v * v
        scale = 1e-2 * camera[6] * (1.0 + camera[7] * r2)
        cost += (scale * u - pixels[n, 0]) ** 2 + (scale * v - pixels[n, 1]) ** 2
    return 0.5 * cost
