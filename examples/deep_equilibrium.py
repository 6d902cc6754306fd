"""A deep equilibrium layer: its output is the z with z = tanh(W z + U x + b).

Bai, Kolter and Koltun, Deep Equilibrium Models, 2019. The layer has as many layers as
it takes, all of one weight, and keeps none of them: the derivative of a fixed point is
one linear system. It learns to tell two moons apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import anabranch

HIDDEN, POINTS = 8, 60


def layer(p: Any, x: Any) -> Any:
    """The fixed point, a column for each point; W is scaled so that there is one."""
    w = p["w"] / (1 + np.sqrt(np.sum(p["w"] ** 2)))
    drive = p["u"] @ x + p["b"]
    start = np.zeros((HIDDEN, x.shape[1]))
    return anabranch.fixed_point(
        lambda z: np.tanh(w @ z + drive), start, tol=1e-9, jacobian="krylov"
    ).x


def loss(p: Any, x: Any, label: Any) -> Any:
    """The logistic loss, of labels -1 and 1."""
    return np.mean(np.logaddexp(0.0, -label * (p["out"] @ layer(p, x))))


def moons(rng: np.random.Generator) -> tuple[Any, Any]:
    """Points on two half circles, one through the other."""
    angle = rng.uniform(0, np.pi, POINTS)
    label = np.where(np.arange(POINTS) % 2, 1.0, -1.0)
    x = np.stack([np.cos(angle) + (label < 0), np.sin(angle)])
    x[1] = np.where(label < 0, 0.5 - x[1], x[1])
    return x + 0.1 * rng.normal(size=x.shape), label


def unrolled(p: Any, x: Any, label: Any) -> Any:
    """The loss by 100 layers, which a gradient goes back through."""
    w = p["w"] / (1 + np.sqrt(np.sum(p["w"] ** 2)))
    z = np.zeros((HIDDEN, x.shape[1]))
    for _ in range(100):
        z = np.tanh(w @ z + p["u"] @ x + p["b"])
    return np.mean(np.logaddexp(0.0, -label * (p["out"] @ z)))


def main() -> dict[str, float]:
    """Train it; the share of points that it tells apart."""
    rng = np.random.default_rng(1)
    x, label = moons(rng)
    p: dict[str, Any] = {
        "w": rng.normal(size=(HIDDEN, HIDDEN)),
        "u": rng.normal(size=(HIDDEN, 2)),
        "b": np.zeros((HIDDEN, 1)),
        "out": 0.1 * rng.normal(size=HIDDEN),
    }
    step = anabranch.value_and_grad(loss)
    exact = anabranch.grad(unrolled)(p, x, label)
    bars = step(p, x, label)[1]
    for name in p:
        assert np.allclose(bars[name], exact[name], rtol=1e-6, atol=1e-9)

    before = float(loss(p, x, label))
    speed = {name: np.zeros_like(value) for name, value in p.items()}
    for _ in range(300):
        _, bars = step(p, x, label)
        for name in p:
            speed[name] = 0.9 * speed[name] + bars[name]
            p[name] = p[name] - 0.2 * speed[name]
    after = float(loss(p, x, label))
    right = float(np.mean(np.sign(p["out"] @ layer(p, x)) == label))
    print(f"loss {before:.3f} -> {after:.3f}, {right:.0%} of the points are told apart")
    assert after < 0.2 * before
    assert right > 0.95
    return {"before": before, "after": after, "right": right}


if __name__ == "__main__":
    main()
