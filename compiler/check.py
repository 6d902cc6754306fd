"""Gradients held against differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..backends import DEFAULT
from ..ir.errors import ArgumentError, GradientError
from .api import jit, vjp
from .frontend.operators import call
from .tracebacks import shows_users_frames
from .tree import flatten, leaf_names, unflatten

__all__ = ["check_grads"]

STEP = 1e-3


@shows_users_frames
def check_grads(
    function: Callable[..., Any],
    args: Sequence[Any],
    *,
    order: int = 1,
    tolerance: float = 1e-6,
    backend: str = DEFAULT,
    seed: int = 0,
) -> None:
    """Compare the gradient of ``function`` at ``args`` with five-point differences.

    Everything runs in float64. A random cotangent u makes the result a scalar, and each
    float argument is moved along each of its entries (along 64 of them, if it has
    more). With ``order=2`` the gradient itself is checked in the same way.

    Raises:
        ArgumentError: Where ``args`` is no tuple or list.
        GradientError: Naming the argument, the entry, and both numbers, where they
            differ by more than ``tolerance`` (relative to the larger of 1 and the
            gradient's largest entry).
    """
    if not isinstance(args, (tuple, list)):
        raise ArgumentError(
            f"args is a {type(args).__name__}, not the tuple of the arguments",
            hint="check_grads(f, (x,)) for f(x)",
        )
    rng = np.random.default_rng(seed)
    leaves, structure = flatten((tuple(args), {}))
    leaves = [_widened(leaf) for leaf in leaves]
    moving = [i for i, leaf in enumerate(leaves) if _is_float(leaf)]
    names = leaf_names(function, *unflatten(structure, leaves))

    def of_floats(*floats: Any) -> Any:
        full = list(leaves)
        for i, value in zip(moving, floats, strict=True):
            full[i] = value
        positional, _ = unflatten(structure, full)
        result = call(function, *positional)
        return [out for out in flatten(result)[0] if _is_float(out)]

    points = [np.array(leaves[i], dtype=np.float64) for i in moving]
    _compare(of_floats, points, [names[i] for i in moving], tolerance, backend, rng)
    if order > 1:
        cotangents = [rng.normal(size=np.shape(y)) for y in jit(of_floats)(*points)]

        def gradients(*floats: Any) -> Any:
            return list(vjp(of_floats, *floats, backend=backend)[1](cotangents))

        labels = [names[i] for i in moving]
        _compare(gradients, points, labels, tolerance, backend, rng)


def _is_float(leaf: Any) -> bool:
    if isinstance(leaf, (bool, int, float)):
        return isinstance(leaf, float)
    return bool(np.dtype(leaf.dtype).kind == "f")


def _widened(leaf: Any) -> Any:
    return np.asarray(leaf, np.float64) if _is_float(leaf) else leaf


def _compare(
    function: Callable[..., list[Any]],
    points: list[Any],
    names: list[str],
    tolerance: float,
    backend: str,
    rng: np.random.Generator,
) -> None:
    run = jit(function, backend=backend)
    results, pullback = vjp(function, *points, backend=backend)
    cotangents = [np.asarray(rng.normal(size=np.shape(y))) for y in results]
    analytic = pullback(cotangents)
    for which, (point, name) in enumerate(zip(points, names, strict=True)):
        bar = np.asarray(analytic[which])
        scale = max(1.0, float(np.max(np.abs(bar), initial=0.0)))
        for entry in _entries(point, rng):

            def loss(offset: float, which: int = which, entry: Any = entry) -> float:
                moved = [p.copy() for p in points]
                moved[which][entry] += offset
                pairs = zip(cotangents, run(*moved), strict=True)
                return float(sum(np.sum(u * y) for u, y in pairs))

            numeric = difference(loss, STEP * max(1.0, abs(float(point[entry]))))
            if not abs(numeric - bar[entry]) <= tolerance * scale:
                where = ", ".join(map(str, entry))
                raise GradientError(
                    f"the gradient with respect to {name}[{where}] is "
                    f"{float(bar[entry])!r}, differences give {numeric!r}",
                    hint="at a kink (abs, max, where) differences are no judge: move "
                    "the point a little, or see `anabranch docs kinks`",
                )


def difference(f: Callable[[float], float], h: float) -> float:
    """The five-point difference of f at 0, of order h⁴."""
    return (f(-2 * h) - 8 * f(-h) + 8 * f(h) - f(2 * h)) / (12 * h)


def _entries(point: Any, rng: np.random.Generator) -> list[tuple[int, ...]]:
    every = list(np.ndindex(point.shape))
    if len(every) <= 64:
        return every
    return [every[i] for i in rng.choice(len(every), 64, replace=False)]
