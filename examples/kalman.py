"""An extended Kalman filter: two Jacobians in every step of a loop.

A pendulum swings with friction, and what is seen is where its end is to the side. The
filter goes from step to step with a mean and a covariance: both functions of the model
are linearized at the mean, so each step has the Jacobian of one and of the other. The
likelihood of what was seen is differentiated again, through loop and Jacobians, to find
the length of the pendulum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import anabranch as ab

DT, STEPS = 0.02, 300
DRIVE, NOISE = 1e-4 * np.eye(2), 0.05**2
START = np.array([1.0, 0.0])


def moved(state: Any, length: Any) -> Any:
    """The state after one step: angle and speed."""
    angle, speed = state
    speed = speed - DT * (9.81 / length * np.sin(angle) + 0.1 * speed)
    return np.array([angle + DT * speed, speed])


def seen(state: Any) -> Any:
    """Where the end is to the side."""
    return np.sin(state[0])


def filtered(length: Any, data: Any) -> tuple[Any, Any]:
    """The means, and how unlikely the data are (up to a constant)."""
    mean, cov = START, 0.01 * np.eye(2)
    means, unlikely = np.zeros((STEPS, 2)), 0.0
    for t in range(STEPS):
        f = ab.jacobian(moved)(mean, length)
        mean, cov = moved(mean, length), f @ cov @ f.T + DRIVE
        h = ab.grad(seen)(mean)
        off, spread = data[t] - seen(mean), h @ cov @ h + NOISE
        gain = cov @ h / spread
        mean, cov = mean + gain * off, cov - np.outer(gain, h @ cov)
        means[t] = mean
        unlikely = unlikely + 0.5 * (np.log(spread) + off**2 / spread)
    return means, unlikely


def world(length: float, rng: np.random.Generator) -> tuple[Any, Any]:
    """Where the pendulum was, and what was seen of it."""
    states, state = np.zeros((STEPS, 2)), START
    for t in range(STEPS):
        state = moved(state, length) + 0.01 * rng.normal(size=2)
        states[t] = state
    return states, np.sin(states[:, 0]) + 0.05 * rng.normal(size=STEPS)


def main() -> dict[str, float]:
    """Follow the pendulum, and find its length."""
    states, data = world(1.0, np.random.default_rng(4))
    means, unlikely = ab.jit(filtered)(1.0, data)
    plain = filtered(1.0, data)
    assert np.allclose(means, plain[0])
    assert np.isclose(unlikely, plain[1])
    off = float(np.sqrt(np.mean((np.sin(means[:, 0]) - np.sin(states[:, 0])) ** 2)))
    assert off < 0.6 * 0.05  # closer than what was seen

    slope = ab.grad(lambda length: filtered(length, data)[1])
    bend = ab.hessian(lambda length: filtered(length, data)[1])
    step = 1e-4
    near = (filtered(1 + step, data)[1] - filtered(1 - step, data)[1]) / (2 * step)
    assert np.isclose(slope(1.0), near, rtol=1e-4)
    length = 0.97
    for _ in range(8):  # Newton's method
        length = length - float(slope(length) / bend(length))
    sure = float(1 / np.sqrt(bend(length)))
    print(f"off by {off:.3f}, length {length:.3f} ± {sure:.3f}")
    assert abs(slope(length)) < 1e-6
    assert abs(length - 1.0) < 3 * sure
    return {"off": off, "length": length, "sure": sure}


if __name__ == "__main__":
    main()
