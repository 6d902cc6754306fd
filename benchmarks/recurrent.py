"""Recurrent networks, by Python's own loop and by a scan."""

from __future__ import annotations

from typing import Any

import numpy as np

from .model import Loss, Model, normal, recurrent

__all__ = ["RECURRENT"]


def _elman(xp: Any) -> Loss:
    def loss(wx: Any, wh: Any, b: Any, xs: Any, h: Any) -> Any:
        for step in range(xs.shape[0]):
            h = xp.tanh(xs[step] @ wx + h @ wh + b)
        return xp.mean(h * h)

    return loss


def _elman_scan(xp: Any) -> Loss:
    def loss(wx: Any, wh: Any, b: Any, xs: Any, h: Any) -> Any:
        h, _ = xp.scan(lambda h, x: (xp.tanh(x @ wx + h @ wh + b), None), h, xs)
        return xp.mean(h * h)

    return loss


def _cell(xp: Any, gates: Any, c: Any) -> tuple[Any, Any]:
    """The states of an LSTM after a step."""
    width = c.shape[1]
    write = xp.sigmoid(gates[:, :width])
    keep = xp.sigmoid(gates[:, width : 2 * width])
    read = xp.sigmoid(gates[:, 2 * width : 3 * width])
    c = keep * c + write * xp.tanh(gates[:, 3 * width :])
    return read * xp.tanh(c), c


def _lstm(xp: Any) -> Loss:
    def loss(wx: Any, wh: Any, b: Any, xs: Any, h: Any, c: Any) -> Any:
        for step in range(xs.shape[0]):
            h, c = _cell(xp, xs[step] @ wx + h @ wh + b, c)
        return xp.mean(h * h)

    return loss


def _lstm_scan(xp: Any) -> Loss:
    def loss(wx: Any, wh: Any, b: Any, xs: Any, h: Any, c: Any) -> Any:
        def step(states: Any, x: Any) -> Any:
            h, c = states
            return _cell(xp, x @ wx + h @ wh + b, c), None

        (h, _), _ = xp.scan(step, (h, c), xs)
        return xp.mean(h * h)

    return loss


def _arguments(
    rng: np.random.Generator, steps: int, batch: int, width: int, gates: int
) -> list[Any]:
    """Weights, bias and data; an LSTM, which has four gates, keeps two states."""
    scale = 1 / np.sqrt(width)
    states = [normal(rng, batch, width, scale=0.0)] * (1 if gates == 1 else 2)
    return [
        normal(rng, width, gates * width, scale=scale / 2),
        normal(rng, width, gates * width, scale=scale / 2),
        normal(rng, gates * width, scale=0.1),
        normal(rng, steps, batch, width),
        *states,
    ]


RECURRENT = (
    Model(
        "Elman RNN 64 steps, 32x128",
        _elman,
        lambda rng: _arguments(rng, 64, 32, 128, 1),
        3,
        products=recurrent(64, 32, 128, 128),
    ),
    Model(
        "Elman RNN 64 steps by scan, 32x128",
        _elman_scan,
        lambda rng: _arguments(rng, 64, 32, 128, 1),
        3,
        products=recurrent(64, 32, 128, 128),
    ),
    Model(
        "Elman RNN 1000 steps, 1x32",
        _elman,
        lambda rng: _arguments(rng, 1000, 1, 32, 1),
        3,
        products=recurrent(1000, 1, 32, 32),
    ),
    Model(
        "LSTM 32 steps, 32x128",
        _lstm,
        lambda rng: _arguments(rng, 32, 32, 128, 4),
        3,
        products=recurrent(32, 32, 128, 4 * 128),
    ),
    Model(
        "LSTM 32 steps by scan, 32x128",
        _lstm_scan,
        lambda rng: _arguments(rng, 32, 32, 128, 4),
        3,
        products=recurrent(32, 32, 128, 4 * 128),
    ),
)
