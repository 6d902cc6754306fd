"""Two layers and n layers: the error goes back through the transposed weights.

    z1 = w1 x + b1          z2 = w2 z1 + b2         L = ½ Σ (z2 - y)²

    δ2 = z2 - y             δ1 = w2ᵀ δ2
    dL/dw2 = δ2 z1ᵀ         dL/dw1 = δ1 xᵀ          dL/db = δ, layer by layer

With an activation a = f(z) between the layers its derivative comes in,
δ1 = (w2ᵀ δ2) f'(z1), and n layers repeat the step n times.
"""

from __future__ import annotations

import itertools

import numpy as np
from show import Array, same, show

from anabranch import Compiled, grad, sigmoid, value_and_grad


def two(w1: Array, b1: Array, w2: Array, b2: Array, x: Array, y: Array) -> Array:
    """The loss of two layers without activation."""
    z1 = w1 @ x + b1
    z2 = w2 @ z1 + b2
    return 0.5 * np.sum(np.square(z2 - y))


def deep(layers: list[dict[str, Array]], x: Array, y: Array) -> Array:
    """The loss of any number of layers, each with a sigmoid."""
    a = x
    for layer in layers:
        a = sigmoid(layer["w"] @ a + layer["b"])
    return 0.5 * np.sum(np.square(a - y))


def deep_by_hand(
    layers: list[dict[str, Array]], x: Array, y: Array
) -> list[dict[str, Array]]:
    """Gradients of `deep` by the rule above."""
    outputs = [x]
    for layer in layers:
        outputs.append(1 / (1 + np.exp(-(layer["w"] @ outputs[-1] + layer["b"]))))
    back = outputs[-1] - y
    gradients: list[dict[str, Array]] = []
    for layer, a_in, a in zip(
        layers[::-1], outputs[-2::-1], outputs[:0:-1], strict=True
    ):
        delta = back * a * (1 - a)
        gradients.insert(0, {"b": delta, "w": delta @ a_in.T})
        back = layer["w"].T @ delta
    return gradients


def main() -> dict[str, Compiled]:
    """Check the gradients; the compiled functions, for whoever wants to look inside."""
    rng = np.random.default_rng(4)
    w1, b1 = rng.standard_normal((3, 2)), rng.standard_normal((3, 1))
    w2, b2 = rng.standard_normal((2, 3)), rng.standard_normal((2, 1))
    x, y = rng.standard_normal((2, 1)), rng.standard_normal((2, 1))

    shallow = value_and_grad(two, argnums=("w1", "b1", "w2", "b2"))
    show("04_two_layers", shallow, w1, b1, w2, b2, x, y)
    dw1, db1, dw2, db2 = shallow(w1, b1, w2, b2, x, y)[1]
    z1 = w1 @ x + b1
    delta2 = w2 @ z1 + b2 - y
    delta1 = w2.T @ delta2
    assert same(dw2, delta2 @ z1.T)
    assert same(db2, delta2)
    assert same(dw1, delta1 @ x.T)
    assert same(db1, delta1)

    net = grad(deep)
    for count in (1, 6, 3):
        sizes = [2, *rng.integers(1, 5, count - 1), 2]
        layers = [
            {"w": rng.standard_normal((n, m)), "b": rng.standard_normal((n, 1))}
            for m, n in itertools.pairwise(sizes)
        ]
        show("04_deep", net, layers, x, y)
        made, expected = net(layers, x, y), deep_by_hand(layers, x, y)
        assert len(made) == count
        for layer, other in zip(made, expected, strict=True):
            assert same(layer["w"], other["w"])
            assert same(layer["b"], other["b"])
    return {"04_two_layers": shallow, "04_deep": net}


if __name__ == "__main__":
    main()
