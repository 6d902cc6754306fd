"""A weight that slides: dE/dw0 is a sum over all paths from w0 to the output.

A first kernel [w0, 0, 0], an activation, a second kernel [w1, w2, w3]:

    h[i] = f(w0 x[i])
    o[j] = w1 h[j] + w2 h[j+1] + w3 h[j+2]

From w0 to one output node o[j] there are three paths, one through each of h[j],
h[j+1], h[j+2]:

    dE/dw0 = dE/do[j] ( w1 f'(w0 x[j])   x[j]
                      + w2 f'(w0 x[j+1]) x[j+1]
                      + w3 f'(w0 x[j+2]) x[j+2] )

Written out, w0 is read three times and has a sum node of three. With `conv` it is read
once, and the same sum is inside the op that makes the kernel's cotangent.
"""

from __future__ import annotations

import numpy as np
from show import Array, same, show

from anabranch import Compiled, conv, grad, max_pool, sigmoid, value_and_grad


def paths(w0: Array, second: Array, x: Array) -> Array:
    """One output node, its three paths written out."""
    h0 = sigmoid(w0 * x[0])
    h1 = sigmoid(w0 * x[1])
    h2 = sigmoid(w0 * x[2])
    return second[0] * h0 + second[1] * h1 + second[2] * h2


def kernels(w0: Array, second: Array, x: Array) -> Array:
    """All output nodes of the two layers, with `conv`."""
    first = np.stack([w0, 0.0, 0.0])
    h = sigmoid(conv(x[None, None, :], first[None, None, :]))
    return conv(h, second[None, None, :])[0, 0]


def one_node(w0: Array, second: Array, x: Array) -> Array:
    """The first output node."""
    return kernels(w0, second, x)[0]


def pooled(w0: Array, second: Array, dense: Array, x: Array, t: Array) -> Array:
    """The two layers, max pooling over pairs, a dense layer and a squared error."""
    o = kernels(w0, second, x)
    p = max_pool(o[None, None, :], 2)[0, 0]
    y = dense @ p
    return 0.5 * np.sum(np.square(y - t))


def path_by_hand(w0: float, weight: float, x: float) -> float:
    """One of the three paths: w f'(w0 x) x with f' = f (1 - f)."""
    f = 1 / (1 + np.exp(-w0 * x))
    return weight * f * (1 - f) * x


def pooled_by_hand(
    w0: float, second: Array, dense: Array, x: Array, t: Array
) -> tuple[float, Array, Array]:
    """Gradients of `pooled`, node by node, in loops."""
    h = [1 / (1 + np.exp(-w0 * value)) for value in x[: len(x) - 2]]
    o = [sum(second[k] * h[j + k] for k in range(3)) for j in range(len(h) - 2)]
    winners = [
        2 * i if o[2 * i] > o[2 * i + 1] else 2 * i + 1 for i in range(len(o) // 2)
    ]
    p = np.array([o[j] for j in winners])
    delta = dense @ p - t
    d_w0, d_second, d_p = 0.0, np.zeros(3), dense.T @ delta
    for i, j in enumerate(winners):
        for k in range(3):
            d_second[k] += d_p[i] * h[j + k]
            d_w0 += d_p[i] * path_by_hand(w0, second[k], x[j + k])
    return d_w0, d_second, np.outer(delta, p)


def main() -> dict[str, Compiled]:
    """Check the gradients; the compiled functions, for whoever wants to look inside."""
    w0, second = 0.7, np.array([0.3, -0.8, 1.1])
    x = np.array([0.5, -1.0, 2.0, 0.25, -0.75, 1.5, 0.1, 0.9, -1.2, 0.6])
    three = [path_by_hand(w0, weight, x[k]) for k, weight in enumerate(second)]

    summed = grad(paths)
    graph = show("02_paths", summed, w0, second, x)
    print("what the reads of w0 send back:")
    print(*graph.contributions("w0"), sep="\n", end="\n\n")
    assert len(graph.contributions("w0")) == 3
    assert same(summed(w0, second, x), sum(three))

    slid = grad(one_node)
    show("02_conv", slid, w0, second, x)
    assert same(slid(w0, second, x), sum(three))

    rng = np.random.default_rng(2)
    dense, t = rng.standard_normal((2, 3)), rng.standard_normal(2)
    net = value_and_grad(pooled, argnums=("w0", "second", "dense"))
    show("02_pooled", net, w0, second, dense, x, t)
    gradients = net(w0, second, dense, x, t)[1]
    assert all(map(same, gradients, pooled_by_hand(w0, second, dense, x, t)))
    return {"02_paths": summed, "02_conv": slid, "02_pooled": net}


if __name__ == "__main__":
    main()
