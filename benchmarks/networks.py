"""A convolutional network and a transformer."""

from __future__ import annotations

from typing import Any

import numpy as np

from .model import Loss, Model, Product, dense, normal

__all__ = ["NETWORKS"]


def _lenet(xp: Any) -> Loss:
    """LeCun et al., Gradient-based learning applied to document recognition, 1998.

    With relu and max pooling, as the network is written today.
    """

    def loss(
        k0: Any, b0: Any, k1: Any, b1: Any, w0: Any, c0: Any, w1: Any, c1: Any,
        w2: Any, c2: Any, x: Any, y: Any,
    ) -> Any:  # fmt: skip
        h = xp.max_pool(xp.relu(xp.conv(x, k0, padding=2) + b0), 2)
        h = xp.max_pool(xp.relu(xp.conv(h, k1, padding=0) + b1), 2)
        h = h.reshape(x.shape[0], -1)
        h = xp.relu(h @ w0 + c0)
        h = xp.relu(h @ w1 + c1)
        scores = h @ w2 + c2
        picked = xp.sum(scores * y, axis=1)
        return xp.mean(xp.logsumexp(scores, axis=1) - picked)

    return loss


def _lenet_arguments(rng: np.random.Generator, batch: int) -> list[Any]:
    arrays: list[Any] = []
    for outputs, inputs in (6, 1), (16, 6):
        arrays.append(normal(rng, outputs, inputs, 5, 5, scale=0.2))
        arrays.append(normal(rng, outputs, 1, 1, scale=0.1))
    for inputs, outputs in (400, 120), (120, 84), (84, 10):
        arrays.append(normal(rng, inputs, outputs, scale=1 / np.sqrt(inputs)))
        arrays.append(normal(rng, outputs, scale=0.1))
    labels = np.eye(10, dtype=np.float32)[rng.integers(0, 10, batch)]
    return [*arrays, normal(rng, batch, 1, 28, 28), labels]


def _convolution(
    batch: int, inputs: int, outputs: int, side: int, *, first: bool = False
) -> tuple[Product, ...]:
    """A layer of 5x5 windows over an image of ``side`` squared places, as products."""
    return dense(batch * side * side, inputs * 25, outputs, first=first)


HEADS = 4
PER_BLOCK = 12


def _transformer(xp: Any) -> Loss:
    """Blocks with layer norm in front, gelu in the middle; no mask."""

    def attention(x: Any, w: Any, b: Any, wo: Any, bo: Any) -> Any:
        batch, tokens, width = x.shape
        head = width // HEADS
        parts = (x @ w + b).reshape(batch, tokens, 3 * HEADS, head).swapaxes(1, 2)
        q, k, v = parts[:, :HEADS], parts[:, HEADS : 2 * HEADS], parts[:, 2 * HEADS :]
        scores = (q @ k.swapaxes(2, 3)) * (1 / float(head) ** 0.5)
        heard = xp.softmax(scores, axis=-1) @ v
        return heard.swapaxes(1, 2).reshape(batch, tokens, width) @ wo + bo

    def block(x: Any, parameters: Any) -> Any:
        s0, o0, w, b, wo, bo, s1, o1, w0, c0, w1, c1 = parameters
        x = x + attention(xp.layer_norm(x, s0, o0), w, b, wo, bo)
        return x + xp.gelu(xp.layer_norm(x, s1, o1) @ w0 + c0) @ w1 + c1

    def loss(*arrays: Any) -> Any:
        *parameters, x, y = arrays
        for start in range(0, len(parameters), PER_BLOCK):
            x = block(x, parameters[start : start + PER_BLOCK])
        error = x - y
        return xp.mean(error * error)

    return loss


def _transformer_arguments(
    rng: np.random.Generator, blocks: int, batch: int, tokens: int, width: int
) -> list[Any]:
    arrays: list[Any] = []
    for _ in range(blocks):
        for layer in (3 * width, width), (4 * width, width):
            arrays.append(1 + normal(rng, width, scale=0.1))
            arrays.append(normal(rng, width, scale=0.1))
            inputs = width
            for outputs in layer:
                arrays.append(normal(rng, inputs, outputs, scale=1 / np.sqrt(inputs)))
                arrays.append(normal(rng, outputs, scale=0.1))
                inputs = outputs if layer[0] == 4 * width else width
    x = normal(rng, batch, tokens, width)
    return [*arrays, x, normal(rng, batch, tokens, width)]


def _transformer_products(
    blocks: int, batch: int, tokens: int, width: int
) -> tuple[Product, ...]:
    """Per block: four layers, and two products per head with two adjoints each."""
    rows, head = batch * tokens, width // HEADS
    layers = ((1, 3), (1, 1), (1, 4), (4, 1))
    block = [
        product
        for inputs, outputs in layers
        for product in dense(rows, inputs * width, outputs * width)
    ]
    scores = Product(tokens, head, tokens, stack=batch * HEADS)
    heard = Product(tokens, tokens, head, stack=batch * HEADS)
    return (*block, *[scores] * 2, *[heard] * 4) * blocks


NETWORKS = (
    Model(
        "LeNet, batch 64",
        _lenet,
        lambda rng: _lenet_arguments(rng, 64),
        10,
        products=(
            *_convolution(64, 1, 6, 28, first=True),
            *_convolution(64, 6, 16, 10),
            *dense(64, 400, 120),
            *dense(64, 120, 84),
            *dense(64, 84, 10),
        ),
    ),
    Model(
        "two transformer blocks, 4x128x128",
        _transformer,
        lambda rng: _transformer_arguments(rng, 2, 4, 128, 128),
        2 * PER_BLOCK,
        products=_transformer_products(2, 4, 128, 128),
    ),
)
