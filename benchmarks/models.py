"""The models, each written once for every library.

A model is made for a namespace with NumPy's names (`numpy` itself, `jax.numpy`,
`autograd.numpy`, or `peers.TorchNumpy`) and takes its parameters and data as a flat
list of arrays; the gradient is with respect to the first ``wrt`` of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["MODELS", "Model"]


@dataclass(frozen=True)
class Model:
    """A loss and its arguments."""

    name: str
    make: Callable[[Any], Callable[..., Any]]
    arguments: Callable[[np.random.Generator], list[Any]]
    wrt: int


def _nested(xp: Any) -> Callable[..., Any]:
    def sigmoid(z: Any) -> Any:
        return 1.0 / (1.0 + xp.exp(-z))

    def loss(w: Any, b: Any, x: Any) -> Any:
        y = sigmoid(w @ sigmoid(w @ x + b) + b)
        return 0.5 * xp.sum(y * y)

    return loss


def _nested_arguments(rng: np.random.Generator) -> list[Any]:
    return [rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=2)]


def _layers(rng: np.random.Generator, batch: int, widths: tuple[int, ...]) -> list[Any]:
    """Weights and biases, the input, and one-hot targets; all ones for one output."""
    arrays: list[Any] = []
    for inputs, outputs in pairwise(widths):
        arrays.append(rng.normal(size=(inputs, outputs)) / np.sqrt(inputs))
        arrays.append(np.zeros(outputs))
    arrays.append(rng.normal(size=(batch, widths[0])))
    labels = rng.integers(0, widths[-1], batch)
    arrays.append(np.eye(widths[-1])[labels])
    return [array.astype(np.float32) for array in arrays]


def _regression(xp: Any) -> Callable[..., Any]:
    def loss(
        w0: Any, b0: Any, w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any
    ) -> Any:
        h = xp.tanh(x @ w0 + b0)
        h = xp.tanh(h @ w1 + b1)
        error = h @ w2 + b2 - y
        return xp.mean(error * error)

    return loss


def _classifier(xp: Any) -> Callable[..., Any]:
    def loss(
        w0: Any, b0: Any, w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any
    ) -> Any:
        h = xp.tanh(x @ w0 + b0)
        h = xp.tanh(h @ w1 + b1)
        scores = h @ w2 + b2
        log_total = xp.log(xp.sum(xp.exp(scores), axis=1))
        return xp.mean(log_total - xp.sum(scores * y, axis=1))

    return loss


def _rosenbrock(xp: Any) -> Callable[..., Any]:
    def loss(x: Any) -> Any:
        valley = x[1:] - x[:-1] * x[:-1]
        slope = 1.0 - x[:-1]
        return xp.sum(100.0 * valley * valley + slope * slope)

    return loss


STEPS = 64


def _elman(xp: Any) -> Callable[..., Any]:
    def loss(wx: Any, wh: Any, b: Any, xs: Any, h: Any) -> Any:
        for step in range(STEPS):
            h = xp.tanh(xs[step] @ wx + h @ wh + b)
        return xp.mean(h * h)

    return loss


def _elman_arguments(rng: np.random.Generator) -> list[Any]:
    width, batch = 128, 32
    arrays = [
        rng.normal(size=(width, width)) / width,
        rng.normal(size=(width, width)) / width,
        np.zeros(width),
        rng.normal(size=(STEPS, batch, width)),
        np.zeros((batch, width)),
    ]
    return [array.astype(np.float32) for array in arrays]


def _chain(xp: Any) -> Callable[..., Any]:
    def loss(x: Any) -> Any:
        for _ in range(4):
            x = xp.tanh(x) * xp.exp(-x * x) + xp.sin(x)
        return xp.sum(x)

    return loss


MODELS = (
    Model("nested 2x2, f64", _nested, _nested_arguments, 2),
    Model(
        "MLP 32-32-32-1, batch 16",
        _regression,
        lambda rng: _layers(rng, 16, (32, 32, 32, 1)),
        6,
    ),
    Model(
        "MLP 784-256-128-10, batch 128",
        _classifier,
        lambda rng: _layers(rng, 128, (784, 256, 128, 10)),
        6,
    ),
    Model("Rosenbrock 1000, f64", _rosenbrock, lambda rng: [rng.normal(size=1000)], 1),
    Model("Elman RNN 64 steps, 32x128", _elman, _elman_arguments, 3),
    Model("elementwise 2^20, f64", _chain, lambda rng: [rng.normal(size=2**20)], 1),
)
