"""One weight in two layers: every read of it sends a contribution back.

    H1 = Wx X1
    H2 = Wh H1 + Wx X2
    Y  = Wy H2              L = ½ Σ (Y - T)²

Samples are columns. With dY = Y - T the chain rule gives

    dL/dWy = dY H2ᵀ
    dH2    = Wyᵀ dY
    dL/dWh = dH2 H1ᵀ        = Wyᵀ dY H1ᵀ
    dH1    = Whᵀ dH2
    dL/dWx = dH1 X1ᵀ + dH2 X2ᵀ

Wx is read twice, so its cotangent is a sum node of two. The shapes decide the order of
the factors: dL/dWx must be as Wx is, and Whᵀ X1ᵀ, which is sometimes given for the
first term, does not even multiply.
"""

from __future__ import annotations

import numpy as np
from show import Array, same, show

from anabranch import Compiled, value_and_grad

WEIGHTS = ("wx", "wh", "wy")


def two_layers(
    wx: Array, wh: Array, wy: Array, x1: Array, x2: Array, t: Array
) -> Array:
    """The loss of the net above."""
    h1 = wx @ x1
    h2 = wh @ h1 + wx @ x2
    y = wy @ h2
    return 0.5 * np.sum(np.square(y - t))


def elman(wx: Array, wh: Array, wy: Array, x1: Array, x2: Array, t: Array) -> Array:
    """The same net as two steps of a recurrent one that starts from zeros."""
    h = np.zeros((wh.shape[0], x1.shape[1]))
    for x in (x1, x2):
        h = wh @ h + wx @ x
    y = wy @ h
    return 0.5 * np.sum(np.square(y - t))


def elman_tanh(
    wx: Array, wh: Array, wy: Array, x1: Array, x2: Array, t: Array
) -> Array:
    """Two steps of a recurrent net with an activation."""
    h = np.zeros((wh.shape[0], x1.shape[1]))
    for x in (x1, x2):
        h = np.tanh(wh @ h + wx @ x)
    y = wy @ h
    return 0.5 * np.sum(np.square(y - t))


def by_hand(
    wx: Array, wh: Array, wy: Array, x1: Array, x2: Array, t: Array
) -> tuple[Array, Array, Array]:
    """The gradients as derived above."""
    h1 = wx @ x1
    h2 = wh @ h1 + wx @ x2
    dy = wy @ h2 - t
    dh2 = wy.T @ dy
    dh1 = wh.T @ dh2
    return dh1 @ x1.T + dh2 @ x2.T, dh2 @ h1.T, dy @ h2.T


def by_hand_tanh(
    wx: Array, wh: Array, wy: Array, x1: Array, x2: Array, t: Array
) -> tuple[Array, Array, Array]:
    """With tanh: each dH meets 1 - H² before it goes on."""
    h1 = np.tanh(wx @ x1)
    h2 = np.tanh(wh @ h1 + wx @ x2)
    dy = wy @ h2 - t
    d2 = (wy.T @ dy) * (1 - h2 * h2)
    d1 = (wh.T @ d2) * (1 - h1 * h1)
    return d1 @ x1.T + d2 @ x2.T, d2 @ h1.T, dy @ h2.T


def main() -> dict[str, Compiled]:
    """Check the gradients; the compiled functions, for whoever wants to look inside."""
    net = value_and_grad(two_layers, argnums=WEIGHTS)
    one = [np.full((1, 1), number) for number in (2.0, 3.0, 5.0, 1.0, 4.0, 69.0)]
    loss, (dwx, dwh, dwy) = net(*one)
    assert same(loss, 0.5)
    assert same(
        (dwx, dwh, dwy), np.reshape([5 * 4 + 5 * 3 * 1, 5 * 2, 14.0], (3, 1, 1))
    )

    rng = np.random.default_rng(1)
    shapes = (3, 2), (3, 3), (1, 3), (2, 4), (2, 4), (1, 4)
    several = [rng.standard_normal(shape) for shape in shapes]
    graph = show("01_shared_weight", net, *several)
    gradients = net(*several)[1]
    assert all(map(same, gradients, by_hand(*several)))
    print("what the reads of wx send back:")
    print(*graph.contributions("wx"), sep="\n", end="\n\n")
    assert len(graph.contributions("wx")) == 2
    assert len(graph.contributions("wh")) == 1

    rnn = value_and_grad(elman, argnums=WEIGHTS)
    assert all(map(same, rnn(*several)[1], gradients))
    unrolled = show("01_elman", rnn, *several)
    assert len(unrolled.contributions("wh")) == 2

    bent = value_and_grad(elman_tanh, argnums=WEIGHTS)
    show("01_elman_tanh", bent, *several)
    assert all(map(same, bent(*several)[1], by_hand_tanh(*several)))
    return {"01_shared_weight": net, "01_elman": rnn, "01_elman_tanh": bent}


if __name__ == "__main__":
    main()
