"""Mazur's "A Step by Step Backpropagation Example" (2015), with its numbers.

Two inputs, two hidden units h, two outputs o, all with a sigmoid:

    out_h1 = σ(w1 i1 + w2 i2 + b1)          out_o1 = σ(w5 out_h1 + w6 out_h2 + b2)
    out_h2 = σ(w3 i1 + w4 i2 + b1)          out_o2 = σ(w7 out_h1 + w8 out_h2 + b2)

    E = ½ (t1 - out_o1)² + ½ (t2 - out_o2)²

Both outputs read out_h1, so dE/d out_h1 is the sum of two messages, and it has a sum
node; so has each hidden unit of a deeper net. Then the same with a layer j between h
and o, and with any number of layers.

The error after one update is published as 0.291027924, which is a slip: with the
biases left as they are it is 0.291027774. All other numbers are as published.
"""

from __future__ import annotations

import numpy as np
from show import Array, same, show

from anabranch import Compiled, Graph, sigmoid, value_and_grad

INPUTS, TARGETS, BIASES, RATE = (0.05, 0.10), (0.01, 0.99), (0.35, 0.60), 0.5
WEIGHTS = (0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55)
UPDATED_IH = (0.149780716, 0.19956143, 0.24975114, 0.29950229)
UPDATED_HO = (0.35891648, 0.408666186, 0.511301270, 0.561370121)

Weights = dict[str, float]


def net(w: Weights, i1: float, i2: float, b1: float, b2: float) -> Array:
    """The error of the net with one hidden layer."""
    out_h1 = sigmoid(w["w1"] * i1 + w["w2"] * i2 + b1)
    out_h2 = sigmoid(w["w3"] * i1 + w["w4"] * i2 + b1)
    out_o1 = sigmoid(w["w5"] * out_h1 + w["w6"] * out_h2 + b2)
    out_o2 = sigmoid(w["w7"] * out_h1 + w["w8"] * out_h2 + b2)
    e1 = 0.5 * np.square(TARGETS[0] - out_o1)
    e2 = 0.5 * np.square(TARGETS[1] - out_o2)
    return e1 + e2


def net_with_j(w: Weights, v: Weights, i1: float, i2: float, b: Weights) -> Array:
    """The same with units j1 and j2, of weights v, between h and o."""
    out_h1 = sigmoid(w["w1"] * i1 + w["w2"] * i2 + b["h"])
    out_h2 = sigmoid(w["w3"] * i1 + w["w4"] * i2 + b["h"])
    out_j1 = sigmoid(v["v1"] * out_h1 + v["v2"] * out_h2 + b["j"])
    out_j2 = sigmoid(v["v3"] * out_h1 + v["v4"] * out_h2 + b["j"])
    out_o1 = sigmoid(w["w5"] * out_j1 + w["w6"] * out_j2 + b["o"])
    out_o2 = sigmoid(w["w7"] * out_j1 + w["w8"] * out_j2 + b["o"])
    e1 = 0.5 * np.square(TARGETS[0] - out_o1)
    e2 = 0.5 * np.square(TARGETS[1] - out_o2)
    return e1 + e2


def layered(layers: list[list[list[float]]], i1: float, i2: float, b: float) -> Array:
    """Any number of layers, unit by unit; layers[l][unit] are the unit's weights."""
    outputs = [i1, i2]
    for layer in layers:
        outputs = [
            sigmoid(unit[0] * outputs[0] + unit[1] * outputs[1] + b) for unit in layer
        ]
    e1 = 0.5 * np.square(TARGETS[0] - outputs[0])
    e2 = 0.5 * np.square(TARGETS[1] - outputs[1])
    return e1 + e2


def by_hand(layers: list[Array], biases: list[float]) -> list[Array]:
    """Gradients of the weight matrices of such a net by the delta rule."""
    outputs = [np.array([INPUTS]).T]
    for w, b in zip(layers, biases, strict=True):
        outputs.append(1 / (1 + np.exp(-(w @ outputs[-1] + b))))
    back = outputs[-1] - np.array([TARGETS]).T
    gradients: list[Array] = []
    for number in reversed(range(len(layers))):
        out = outputs[number + 1]
        delta = back * out * (1 - out)
        gradients.insert(0, delta @ outputs[number].T)
        back = layers[number].T @ delta
    return gradients


def explain(graph: Graph, name: str) -> None:
    """Print the messages that make up a unit's cotangent."""
    messages = graph.contributions(name)
    print(f"dE/d {name} is the sum of {len(messages)} messages:")
    print(*messages, sep="\n", end="\n\n")
    assert len(messages) == 2


def step(weights: Weights, gradient: Weights) -> Weights:
    """One step of gradient descent."""
    return {name: weights[name] - RATE * gradient[name] for name in weights}


def published() -> Compiled:
    """The example as published: one update by the numbers, then 10,000 of them."""
    weights = {f"w{number}": weight for number, weight in enumerate(WEIGHTS, 1)}
    descend = value_and_grad(net)
    explain(show("06_mazur", descend, weights, *INPUTS, *BIASES), "out_h1")
    error, gradient = descend(weights, *INPUTS, *BIASES)
    assert round(float(error), 9) == 0.298371109
    assert round(float(gradient["w5"]), 9) == 0.082167041
    for number in range(10_000):
        weights = step(weights, gradient)
        error, gradient = descend(weights, *INPUTS, *BIASES)
        if number == 0:
            updated = [*UPDATED_IH, *UPDATED_HO]
            assert np.allclose(list(weights.values()), updated, rtol=0, atol=5e-9)
            assert round(float(error), 9) == 0.291027774
            print(f"error after one update: {error:.9f}")
    print(f"error after 10,000 updates: {error:.9f}\n")
    assert round(float(error), 7) == 0.0000351
    return descend


def with_j() -> Compiled:
    """A layer j between h and o: dE/d out_h1 comes through j1 and through j2."""
    w = {f"w{number}": weight for number, weight in enumerate(WEIGHTS, 1)}
    v = {"v1": 0.12, "v2": -0.34, "v3": 0.56, "v4": 0.78}
    b = {"h": 0.35, "j": -0.20, "o": 0.60}
    deeper = value_and_grad(net_with_j, argnums=("w", "v"))
    graph = show("06_with_j", deeper, w, v, *INPUTS, b)
    for unit in ("out_h1", "out_h2", "out_j1", "out_j2"):
        explain(graph, unit)
    dw, dv = deeper(w, v, *INPUTS, b)[1]
    first, last = np.reshape(WEIGHTS, (2, 2, 2))
    middle = np.reshape(list(v.values()), (2, 2))
    d1, d2, d3 = by_hand([first, middle, last], [b["h"], b["j"], b["o"]])
    assert same([dw[name] for name in sorted(w)], np.ravel([d1, d3]))
    assert same([dv[name] for name in sorted(v)], np.ravel(d2))
    return deeper


def with_more() -> Compiled:
    """Four layers."""
    rng = np.random.default_rng(6)
    layers = rng.uniform(-1, 1, (4, 2, 2))
    deepest = value_and_grad(layered)
    show("06_layered", deepest, layers.tolist(), *INPUTS, 0.35)
    made = deepest(layers.tolist(), *INPUTS, 0.35)[1]
    assert all(map(same, made, by_hand(list(layers), [0.35] * 4)))
    return deepest


def main() -> dict[str, Compiled]:
    """Check the numbers; the compiled functions, for whoever wants to look inside."""
    return {
        "06_mazur": published(),
        "06_with_j": with_j(),
        "06_layered": with_more(),
    }


if __name__ == "__main__":
    main()
