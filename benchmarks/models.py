"""The models, each written once for every library."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from .functions import FUNCTIONS
from .mixture import MIXTURE
from .model import Loss, Model, dense
from .networks import NETWORKS
from .recurrent import RECURRENT

__all__ = ["MODELS", "find_model"]


def _nested(xp: Any) -> Loss:
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


def _regression(xp: Any) -> Loss:
    def loss(
        w0: Any, b0: Any, w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any
    ) -> Any:
        h = xp.tanh(x @ w0 + b0)
        h = xp.tanh(h @ w1 + b1)
        error = h @ w2 + b2 - y
        return xp.mean(error * error)

    return loss


def _classifier(xp: Any) -> Loss:
    def loss(
        w0: Any, b0: Any, w1: Any, b1: Any, w2: Any, b2: Any, x: Any, y: Any
    ) -> Any:
        h = xp.tanh(x @ w0 + b0)
        h = xp.tanh(h @ w1 + b1)
        scores = h @ w2 + b2
        log_total = xp.log(xp.sum(xp.exp(scores), axis=1))
        return xp.mean(log_total - xp.sum(scores * y, axis=1))

    return loss


def _rosenbrock(xp: Any) -> Loss:
    def loss(x: Any) -> Any:
        valley = x[1:] - x[:-1] * x[:-1]
        slope = 1.0 - x[:-1]
        return xp.sum(100.0 * valley * valley + slope * slope)

    return loss


LINKS = 4


def _chain(xp: Any) -> Loss:
    def loss(x: Any) -> Any:
        for _ in range(LINKS):
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
        products=(
            *dense(16, 32, 32, first=True),
            *dense(16, 32, 32),
            *dense(16, 32, 1),
        ),
    ),
    Model("Rosenbrock 1000, f64", _rosenbrock, lambda rng: [rng.normal(size=1000)], 1),
    Model(
        "MLP 784-256-128-10, batch 128",
        _classifier,
        lambda rng: _layers(rng, 128, (784, 256, 128, 10)),
        6,
        products=(
            *dense(128, 784, 256, first=True),
            *dense(128, 256, 128),
            *dense(128, 128, 10),
        ),
    ),
    *NETWORKS,
    *RECURRENT,
    MIXTURE,
    Model(
        "elementwise 2^20, f64",
        _chain,
        lambda rng: [rng.normal(size=2**20)],
        1,
        functions=2**20 * LINKS * len(("tanh", "exp", "sin", "cos")),
    ),
)


def find_model(name: str) -> Model:
    """The model or function of that name; raises `StopIteration` if there is none."""
    return next(model for model in (*MODELS, *FUNCTIONS) if model.name == name)
