"""One library and one model in a process of its own, timed on request."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from .models import MODELS
from .peers import PEERS

__all__ = ["serve"]

BATCH_SECONDS = 0.1


def serve(channel: Connection, peer: str, number: int) -> None:
    """Send the first call's seconds and the gradient, then a steady time per request.

    Imports are not part of the first call; tracing and compiling are.
    """
    model = MODELS[number]
    arguments = model.arguments(np.random.default_rng(0))
    run = PEERS[peer](model, arguments)
    start = time.perf_counter()
    value, gradient = run()
    first = time.perf_counter() - start
    channel.send((first, float(value), [np.asarray(part) for part in gradient]))
    once = _seconds(run, 1)
    repeats = max(1, int(BATCH_SECONDS / once))
    while channel.recv():
        channel.send(_seconds(run, repeats))


def _seconds(run: Any, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    return (time.perf_counter() - start) / repeats
