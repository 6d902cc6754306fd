"""What a model is, and the matrix products that it cannot do without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Loss", "Make", "Model", "Product", "dense", "normal", "recurrent"]

Loss = Callable[..., Any]
Make = Callable[[Any], Loss]


class Product(NamedTuple):
    """``stack`` products of ``[m, k]`` and ``[k, n]``."""

    m: int
    k: int
    n: int
    stack: int = 1

    @property
    def multiplications(self) -> int:
        return self.m * self.k * self.n * self.stack


@dataclass(frozen=True)
class Model:
    """A loss, its arguments, and what its floor is measured from.

    ``make`` takes a namespace with NumPy's names (see `peers`) and returns the loss,
    a function of a flat list of arrays; the gradient is with respect to the first
    ``wrt`` of them. ``products`` are those of value and gradient in the cheapest
    arrangement, such as all steps at once where no step waits for another.
    ``functions`` counts the evaluations of exp, tanh, sin and their like; it is given
    where there are no products. ``by_hand`` returns what the gradient call returns, as
    fast as calls of NumPy, SciPy and LAPACK can; where it is given it is the floor.
    """

    name: str
    make: Make
    arguments: Callable[[np.random.Generator], list[Any]]
    wrt: int
    products: tuple[Product, ...] = ()
    functions: int = 0
    by_hand: Callable[..., Any] | None = None


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Any:
    """Random numbers in f32."""
    return (scale * rng.normal(size=shape)).astype(np.float32)


def dense(
    rows: int, inputs: int, outputs: int, *, first: bool = False
) -> tuple[Product, ...]:
    """``y = x w`` forward, w's gradient, and x's where x is not the data."""
    forward = Product(rows, inputs, outputs)
    weight = Product(inputs, rows, outputs)
    back = Product(rows, outputs, inputs)
    return (forward, weight) if first else (forward, weight, back)


def recurrent(steps: int, batch: int, width: int, outputs: int) -> tuple[Product, ...]:
    """The products of ``xs[t] wx + h wh``, each ``[batch, width]``."""
    return (
        *dense(steps * batch, width, outputs, first=True),
        Product(batch, width, outputs, stack=steps),
        Product(batch, outputs, width, stack=steps - 1),
        Product(width, steps * batch, outputs),
    )
