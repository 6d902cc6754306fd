"""A neural ODE: a network is the right-hand side, and learns a spiral from samples.

The samples are of y' = A y³ (Chen et al., Neural Ordinary Differential Equations,
2018). A network dy/dt = W₂ tanh(W₁ y³ + b) is solved from each sample to the next, and
BFGS finds the weights: the whole fit, with a solution and its gradient in each step, is
one compiled call. Then it is solved from the first sample to the last.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import anabranch

TIMES = np.linspace(0.0, 3.0, 61)
START = np.array([2.0, 0.0])
HIDDEN = 8


def spiral(y: Any, t: Any) -> Any:
    """What the samples are of."""
    return np.array([[-0.1, 2.0], [-2.0, -0.1]]) @ y**3


def network(y: Any, t: Any, p: Any) -> Any:
    """What learns it; a column of y is one state."""
    return p["w2"] @ np.tanh(p["w1"] @ y**3 + p["b"])


def loss(p: Any, samples: Any, gradient: str = "steps") -> Any:
    """The mean square of what a solution is off at the next sample."""
    ends = anabranch.odeint(
        network, samples[:-1].T, TIMES[:2], p, rtol=1e-6, atol=1e-6, gradient=gradient
    )
    return np.mean((ends[1] - samples[1:].T) ** 2)


def weights(seed: int) -> dict[str, Any]:
    """Where the fit begins."""
    rng = np.random.default_rng(seed)
    return {
        "w1": 0.3 * rng.normal(size=(HIDDEN, 2)),
        "b": np.zeros((HIDDEN, 1)),
        "w2": rng.normal(size=(2, HIDDEN)),
    }


def main() -> dict[str, float]:
    """Fit the network; how far it is off before and after."""
    samples = anabranch.odeint(spiral, START, TIMES)
    p = weights(0)
    steps, adjoint = [
        anabranch.grad(lambda p, g=g: loss(p, samples, g))(p)
        for g in ("steps", "adjoint")
    ]
    for name in p:
        assert np.allclose(steps[name], adjoint[name], rtol=1e-3, atol=1e-6)

    found = anabranch.minimize(loss, p, samples, max_iterations=150, throw=False)
    whole = anabranch.odeint(lambda y, t: network(y, t, found.x), START[:, None], TIMES)
    off = float(np.max(np.abs(whole[..., 0] - samples)))
    before = float(loss(p, samples))
    print(f"loss {before:.3g} -> {found.fun:.3g} in {found.iterations} steps of BFGS")
    print(f"the whole spiral is off by {off:.3g} at most")
    assert found.fun < 1e-3 * before
    assert off < 0.3
    return {"before": before, "after": float(found.fun), "off": off}


if __name__ == "__main__":
    main()
