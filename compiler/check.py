"""Gradients held against differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..backends import DEFAULT
from ..ir.errors import ArgumentError, GradientError
from .api import jit, vjp
from .calls.tracebacks import shows_users_frames
from .frontend.operators import call
from .transforms.forward import jvp
from .tree import flatten, leaf_names, unflatten

__all__ = ["check_grads"]

STEP = 1e-3
_KINK = (
    "at a kink (abs, max, where) differences are no judge: move the point a little, or "
    "see `anabranch docs kinks`"
)


@shows_users_frames
def check_grads(
    function: Callable[..., Any],
    args: Sequence[Any],
    *,
    order: int = 1,
    modes: Sequence[str] = ("reverse",),
    tolerance: float = 1e-6,
    backend: str = DEFAULT,
    seed: int = 0,
) -> None:
    """Compare the gradient of ``function`` at ``args`` with five-point differences.

    Everything runs in float64 or complex128. A random cotangent u makes the result a
    scalar, and each float argument is moved along each of its entries (along 64 of
    them, if it has more). Complex ones are moved along the real and along the imaginary
    axis. With ``order=2`` the gradient itself is checked in the same way.

    ``modes`` may have ``forward`` and ``reverse``. In forward mode the tangents along a
    random direction of each argument are compared, which is for rules by `custom_jvp`
    and for functions with a rule by `custom_vjp` that are pushed forward.

    Raises:
        ArgumentError: Where ``args`` is no tuple or list or has no floats, or a mode is
            neither.
        GradientError: Naming the argument, the entry, and both numbers, where they
            differ by more than ``tolerance`` (relative to the larger of 1 and the
            gradient's largest entry).
    """
    if not isinstance(args, (tuple, list)):
        raise ArgumentError(
            f"args is a {type(args).__name__}, not the tuple of the arguments",
            hint="check_grads(f, (x,)) for f(x)",
        )
    if not set(modes) <= _MODES.keys() or isinstance(modes, str):
        raise ArgumentError(f"modes={modes!r} are not some of {', '.join(_MODES)}")
    rng = np.random.default_rng(seed)
    leaves, structure = flatten((tuple(args), {}))
    leaves = [_widened(leaf) for leaf in leaves]
    moving = [i for i, leaf in enumerate(leaves) if _is_float(leaf)]
    if not moving:
        raise ArgumentError(
            "no argument is of floats: there is nothing to check",
            hint="pass 3.0 for 3, or x.astype(float)",
        )
    names = leaf_names(function, *unflatten(structure, leaves))

    def of_floats(*floats: Any) -> Any:
        full = list(leaves)
        for i, value in zip(moving, floats, strict=True):
            full[i] = value
        positional, _ = unflatten(structure, full)
        result = call(function, *positional)
        return [out for out in flatten(result)[0] if _is_float(out)]

    points = [np.array(leaves[i]) for i in moving]
    for mode in modes:
        compare = _MODES[mode]
        compare(of_floats, points, [names[i] for i in moving], tolerance, backend, rng)
    if order > 1:
        cotangents = [_normal(rng, y) for y in jit(of_floats, backend=backend)(*points)]

        def gradients(*floats: Any) -> Any:
            return list(vjp(of_floats, *floats, backend=backend)[1](cotangents))

        labels = [names[i] for i in moving]
        for mode in modes:
            _MODES[mode](gradients, points, labels, tolerance, backend, rng)


def _is_float(leaf: Any) -> bool:
    if isinstance(leaf, (bool, int, float, complex)):
        return isinstance(leaf, (float, complex))
    return np.dtype(leaf.dtype).kind in "fc"


def _widened(leaf: Any) -> Any:
    if not _is_float(leaf):
        return leaf
    return np.asarray(leaf, np.complex128 if np.iscomplexobj(leaf) else np.float64)


def _normal(rng: np.random.Generator, like: Any) -> Any:
    """Random numbers in the shape of a result, complex where that is."""
    drawn = rng.normal(size=np.shape(like))
    if not np.iscomplexobj(like):
        return np.asarray(drawn)
    return drawn + 1j * rng.normal(size=np.shape(like))


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
    cotangents = [_normal(rng, y) for y in results]
    analytic = pullback(cotangents)
    for which, (point, name) in enumerate(zip(points, names, strict=True)):
        bar = np.asarray(analytic[which])
        scale = max(1.0, float(np.max(np.abs(bar), initial=0.0)))
        for entry in _entries(point, rng):

            def loss(
                offset: float, along: complex, which: int = which, entry: Any = entry
            ) -> float:
                moved = [p.copy() for p in points]
                moved[which][entry] += offset * along
                return _weighed(cotangents, run(*moved))

            step = STEP * max(1.0, float(abs(point[entry])))
            numeric: complex = difference(partial(loss, along=1), step)
            if np.iscomplexobj(point):
                numeric += 1j * difference(partial(loss, along=1j), step)
            if not abs(numeric - bar[entry]) <= tolerance * scale:
                where = ", ".join(map(str, entry))
                raise GradientError(
                    f"the gradient with respect to {name}[{where}] is "
                    f"{bar[entry].item()!r}, differences give {numeric!r}",
                    hint=_KINK,
                )


def _compare_tangents(
    function: Callable[..., list[Any]],
    points: list[Any],
    names: list[str],
    tolerance: float,
    backend: str,
    rng: np.random.Generator,
) -> None:
    run = jit(function, backend=backend)
    for which, (point, name) in enumerate(zip(points, names, strict=True)):
        direction = _normal(rng, point)
        tangents = [direction if k == which else None for k in range(len(points))]
        _, dots = jvp(function, points, tangents, backend=backend)
        weights = [_normal(rng, dot) for dot in dots]

        def loss(
            offset: float,
            which: int = which,
            direction: Any = direction,
            weights: list[Any] = weights,
        ) -> float:
            moved = [*points]
            moved[which] = points[which] + offset * direction
            return _weighed(weights, run(*moved))

        sizes = [float(np.max(np.abs(dot), initial=0.0)) for dot in dots]
        made, numeric = _weighed(weights, dots), difference(loss, STEP)
        if not abs(numeric - made) <= tolerance * max(1.0, *sizes):
            raise GradientError(
                f"the tangent along a direction of {name} is {made!r}, differences "
                f"give {numeric!r}",
                hint=_KINK,
            )


def _weighed(weights: Sequence[Any], values: Sequence[Any]) -> float:
    """The inner product, over the reals."""
    pairs = zip(weights, values, strict=True)
    return float(sum(np.vdot(u, y).real for u, y in pairs))


_MODES = {"forward": _compare_tangents, "reverse": _compare}


def difference(f: Callable[[float], float], h: float) -> float:
    """The five-point difference of f at 0, of order h⁴."""
    return (f(-2 * h) - 8 * f(-h) + 8 * f(h) - f(2 * h)) / (12 * h)


def _entries(point: Any, rng: np.random.Generator) -> list[tuple[int, ...]]:
    every = list(np.ndindex(point.shape))
    if len(every) <= 64:
        return every
    return [every[i] for i in rng.choice(len(every), 64, replace=False)]
