"""Newton's method as one compiled function: gradient and Hessian in a loop.

The loop ends when the gradient is small, and each step is halved until the loss falls.
None of it runs in Python: the `while` on traced values is a loop in machine code, with
the derivatives, the linear system and the line search in its body.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize

import anabranch as ab


def loss(w: Any, x: Any, label: Any) -> Any:
    """Logistic regression, of labels -1 and 1, with a small penalty."""
    return np.mean(np.logaddexp(0.0, -label * (x @ w))) + 0.5e-3 * np.sum(w**2)


def newton(w: Any, x: Any, label: Any) -> tuple[Any, Any]:
    """The weights where the gradient is 0, and how many steps that took."""
    steps = 0
    g = ab.grad(loss)(w, x, label)
    while np.max(np.abs(g)) > 1e-10 and steps < 50:
        step = np.linalg.solve(ab.hessian(loss)(w, x, label), g)
        size, value = 1.0, loss(w, x, label)
        while loss(w - size * step, x, label) > value - 1e-4 * size * (g @ step):
            size = 0.5 * size
        w, steps = w - size * step, steps + 1
        g = ab.grad(loss)(w, x, label)
    return w, steps


def main() -> dict[str, float]:
    """Fit the model; how many steps it took, and how far SciPy is from it."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(500, 8))
    label = np.sign(x @ rng.normal(size=8) + 0.5 * rng.normal(size=500))
    start = 3.0 * rng.normal(size=8)
    compiled = ab.jit(newton)
    w, steps = compiled(start, x, label)
    plain, count = newton(start, x, label)
    assert np.allclose(w, plain, rtol=1e-8)
    assert steps == count

    assert np.max(np.abs(ab.grad(loss)(w, x, label))) < 1e-10
    assert np.linalg.eigvalsh(ab.hessian(loss)(w, x, label))[0] > 0
    assert 3 < steps < 15
    slope = ab.value_and_grad(loss)
    found = minimize(slope, start, (x, label), jac=True, method="BFGS", tol=1e-9)
    away = float(np.max(np.abs(found.x - w)))
    print(f"{int(steps)} steps, BFGS took {found.nit} to the same weights: {away:.1e}")
    assert away < 1e-5
    assert found.nit > steps
    return {"steps": float(steps), "away": away}


if __name__ == "__main__":
    main()
