"""One layer applied to its own result: w and b each have a sum node of two.

    z1 = w x + b            z2 = w z1 + b           L = ½ Σ (z2 - y)²

    δ2 = z2 - y             δ1 = wᵀ δ2
    dL/dw = δ2 z1ᵀ + δ1 xᵀ          dL/db = δ2 + δ1

In the 2x2 case, entry by entry:

    dL/dw11 = δ2₁ z1₁ + (w11 δ2₁ + w21 δ2₂) x₁
    dL/dw12 = δ2₁ z1₂ + (w11 δ2₁ + w21 δ2₂) x₂
    dL/dw21 = δ2₂ z1₁ + (w12 δ2₁ + w22 δ2₂) x₁
    dL/dw22 = δ2₂ z1₂ + (w12 δ2₁ + w22 δ2₂) x₂
    dL/db1  = δ2₁ + (w11 δ2₁ + w21 δ2₂)
    dL/db2  = δ2₂ + (w12 δ2₁ + w22 δ2₂)
"""

from __future__ import annotations

import numpy as np
from show import Array, same, show

from anabranch import Compiled, value_and_grad


def nested(w: Array, b: Array, x: Array, y: Array) -> Array:
    """The loss of the layer applied twice."""
    z1 = w @ x + b
    z2 = w @ z1 + b
    return 0.5 * np.sum(np.square(z2 - y))


def main() -> dict[str, Compiled]:
    """Check the gradients; the compiled function, for whoever wants to look inside."""
    w = np.array([[1.0, 2.0], [3.0, 4.0]])
    b = np.array([[0.0], [1.0]])
    x = np.array([[1.0], [1.0]])
    y = np.array([[18.0], [40.0]])

    net = value_and_grad(nested, argnums=("w", "b"))
    graph = show("05_nested", net, w, b, x, y)
    for name in ("w", "b"):
        print(f"what the reads of {name} send back:")
        print(*graph.contributions(name), sep="\n", end="\n\n")
        assert len(graph.contributions(name)) == 2
    loss, (dw, db) = net(w, b, x, y)
    assert same(loss, 0.5 * (1 + 4))

    z1 = w @ x + b
    d1, d2 = 1.0, 2.0  # δ2, since z2 is (19, 42)
    back1 = w[0, 0] * d1 + w[1, 0] * d2
    back2 = w[0, 1] * d1 + w[1, 1] * d2
    assert same(dw[0, 0], d1 * z1[0, 0] + back1 * x[0, 0])
    assert same(dw[0, 1], d1 * z1[1, 0] + back1 * x[1, 0])
    assert same(dw[1, 0], d2 * z1[0, 0] + back2 * x[0, 0])
    assert same(dw[1, 1], d2 * z1[1, 0] + back2 * x[1, 0])
    assert same(db, [[d1 + back1], [d2 + back2]])
    return {"05_nested": net}


if __name__ == "__main__":
    main()
