"""One layer: the error times the input, transposed the right way.

    z = w x + b             L = ½ Σ (z - y)²

With the error δ = dL/dz = z - y

    dL/dw = δ xᵀ            dL/dx = wᵀ δ            dL/db = δ

With a sigmoid, 1 / (1 + e⁻ᶻ), whose derivative is s (1 - s), the error is
δ = (s - y) s (1 - s) and the three lines stay as they are.
"""

from __future__ import annotations

import numpy as np
from show import Array, same, show

import anabranch
from anabranch import Compiled, value_and_grad

ARGUMENTS = ("w", "x", "b")


def linear(w: Array, x: Array, b: Array, y: Array) -> Array:
    """The loss of one layer; vectors are columns."""
    z = w @ x + b
    return 0.5 * np.sum(np.square(z - y))


def bent(w: Array, x: Array, b: Array, y: Array) -> Array:
    """The same with a sigmoid, written out."""
    z = w @ x + b
    s = 1 / (1 + np.exp(-z))
    return 0.5 * np.sum(np.square(s - y))


def library(w: Array, x: Array, b: Array, y: Array) -> Array:
    """The same with the library's sigmoid, which is safe for large arguments."""
    s = anabranch.sigmoid(w @ x + b)
    return 0.5 * np.sum(np.square(s - y))


def main() -> dict[str, Compiled]:
    """Check the gradients; the compiled functions, for whoever wants to look inside."""
    w = np.array([[1.0, 2.0, -1.0], [0.5, -1.5, 3.0]])
    x = np.array([[2.0], [1.0], [-1.0]])
    b = np.array([[0.5], [-0.5]])
    y = np.array([[5.0], [-4.0]])

    plain = value_and_grad(linear, argnums=ARGUMENTS)
    show("03_linear", plain, w, x, b, y)
    loss, (dw, dx, db) = plain(w, x, b, y)
    delta = np.array([[5.5 - 5.0], [-4.0 + 4.0]])
    assert same(loss, 0.125)
    assert same(dw, delta @ x.T)
    assert same(dx, w.T @ delta)
    assert same(db, delta)

    s = 1 / (1 + np.exp(-np.array([[5.5], [-4.0]])))
    delta = (s - y) * s * (1 - s)
    curved = value_and_grad(bent, argnums=ARGUMENTS)
    show("03_sigmoid", curved, w, x, b, y)
    ready = value_and_grad(library, argnums=ARGUMENTS)
    show("03_library_sigmoid", ready, w, x, b, y)
    for net in (curved, ready):
        loss, (dw, dx, db) = net(w, x, b, y)
        assert same(dw, delta @ x.T)
        assert same(dx, w.T @ delta)
        assert same(db, delta)
    return {"03_linear": plain, "03_sigmoid": curved, "03_library_sigmoid": ready}


if __name__ == "__main__":
    main()
