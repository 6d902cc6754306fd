"""The time below which a model cannot be: measured, in the same run.

With matrix products: those products by NumPy's BLAS, nothing else, operands at hand.
Without: copying the arguments in and the gradients out, or ten multiply-adds for each
evaluation of an elementary function at the rate that BLAS reaches, whichever takes
longer. Ten is what a polynomial of one octave of exp in f64 takes. A model that has
value and gradient by hand has those for its floor.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np

from .model import Model, Product
from .worker import once, repeated

__all__ = ["make_floor"]

ENOUGH = 2**22  # multiplications in one call, so that Python's part of it is small
MEASURABLE = 4096  # bytes
SPLIT = 2**20  # bytes worth a second thread
MULTIPLY_ADDS = 10


def make_floor(model: Model) -> Callable[[float], float] | None:
    """A function of about how long it may take, which returns the floor's seconds."""
    arguments = model.arguments(np.random.default_rng(0))
    if model.by_hand:
        return _timer([(partial(model.by_hand, *arguments), 1)])
    dtype = arguments[0].dtype
    if model.products:
        return _timer([_products(model.products, dtype)])
    moved = sum(a.nbytes for a in (*arguments, *arguments[: model.wrt]))
    if moved < MEASURABLE:
        return None
    parts = [_copy(moved // 2)]
    if model.functions:
        side = round((MULTIPLY_ADDS * model.functions) ** (1 / 3))
        parts.append(_products((Product(side, side, side),), dtype))
    return _timer(parts)


Part = tuple[Callable[[], Any], int]  # what is timed, and how often it does the work


def _timer(parts: list[Part]) -> Callable[[float], float]:
    repeats = [0] * len(parts)

    def measure(seconds: float) -> float:
        found: list[float] = []
        for i, (run, times) in enumerate(parts):
            repeats[i] = repeats[i] or max(1, int(seconds / min(once(run), once(run))))
            found.append(repeated(run, repeats[i]) / times)
        return max(found)

    return measure


def _products(products: tuple[Product, ...], dtype: Any) -> Part:
    """All products one after the other, each as often as makes it worth a call."""
    rng = np.random.default_rng(0)
    total = sum(product.multiplications for product in products)
    times = max(1, min(64, ENOUGH // total))
    operands: list[tuple[Any, Any, Any]] = []
    for m, k, n, stack in products:
        a = rng.normal(size=(times * stack, m, k)).astype(dtype)
        b = rng.normal(size=(k, n)).astype(dtype)
        operands.append((a, b, np.empty((times * stack, m, n), dtype)))

    def run() -> None:
        for a, b, out in operands:
            np.matmul(a, b, out=out)

    return run, times


def _copy(size: int) -> Part:
    """``size`` bytes from one place to another, by as many threads as BLAS has."""
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    cores = int(os.environ["OPENBLAS_NUM_THREADS"]) if size >= SPLIT else 1
    if cores == 1:
        return (lambda: np.copyto(target, source)), 1
    pool = ThreadPoolExecutor(cores)
    halves = np.array_split(target, cores), np.array_split(source, cores)
    return (lambda: list(pool.map(np.copyto, *halves))), 1
