"""Integrals of samples: `scipy.integrate`'s trapezoid and Simpson rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.errors import ShapeError
from ...tracing.lowerings import lowers_in
from ...tracing.trace import Trace

MODULE = "scipy.integrate"


def _samples(trace: Trace, y: Any, axis: int) -> Any:
    """An array of floats with the axis last."""
    array = np.moveaxis(trace.array(y), axis, -1)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _steps(trace: Trace, y: Any, x: Any, dx: Any, axis: int) -> Any:
    """The distances between samples along the last axis; one number if all are one."""
    if x is None:
        return dx
    places = trace.array(x)
    if np.ndim(places) > 1:
        places = np.moveaxis(places, axis, -1)
    if np.shape(places)[-1] != np.shape(y)[-1]:
        raise ShapeError(f"x has {np.shape(places)[-1]} places, y {np.shape(y)[-1]}")
    return np.diff(places, axis=-1)


def _trapezoids(y: Any, steps: Any) -> Any:
    return steps * (y[..., 1:] + y[..., :-1]) / 2.0


@lowers_in(MODULE, "trapezoid")
def _trapezoid(
    trace: Trace, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1
) -> Any:
    y = _samples(trace, y, axis)
    return np.sum(_trapezoids(y, _steps(trace, y, x, dx, axis)), axis=-1)


@lowers_in(MODULE, "cumulative_trapezoid")
def _cumulative_trapezoid(
    trace: Trace,
    y: Any,
    x: Any = None,
    dx: Any = 1.0,
    axis: int = -1,
    initial: Any = None,
) -> Any:
    y = _samples(trace, y, axis)
    made = np.cumsum(_trapezoids(y, _steps(trace, y, x, dx, axis)), axis=-1)
    if initial is not None:
        if initial != 0:
            raise ValueError("`initial` must be `None` or `0`.")
        made = np.concatenate([np.zeros_like(made[..., :1]), made], axis=-1)
    return np.moveaxis(made, -1, axis)


def _parabolas(y: Any, steps: Any) -> Any:
    """The integrals over pairs of intervals, of the parabola through three samples."""
    y0, y1, y2 = y[..., :-2:2], y[..., 1:-1:2], y[..., 2::2]
    if np.ndim(steps) == 0:
        return steps / 3.0 * (y0 + 4.0 * y1 + y2)
    h0, h1 = steps[..., ::2], steps[..., 1::2]
    both = h0 + h1
    middle = y1 * (both * (both / (h0 * h1)))
    return both / 6.0 * (y0 * (2.0 - h1 / h0) + middle + y2 * (2.0 - h0 / h1))


def _last_interval(y: Any, steps: Any) -> Any:
    """That over the last interval alone, by the parabola through the last three.

    Cartwright, Simpson's Rule Cumulative Integration with MS Excel and Irregularly-
    spaced Data, Journal of Mathematical Sciences and Mathematics Education 12, 2017.
    """
    if np.ndim(steps) == 0:
        h0 = h1 = steps
    else:
        h0, h1 = steps[..., -2], steps[..., -1]
    both = h0 + h1
    last = (2 * h1 * h1 + 3 * h0 * h1) / (6 * both) * y[..., -1]
    before = (h1 * h1 + 3 * h0 * h1) / (6 * h0) * y[..., -2]
    return last + before - h1 * h1 * h1 / (6 * h0 * both) * y[..., -3]


@lowers_in(MODULE, "simpson")
def _simpson(
    trace: Trace, y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1
) -> Any:
    """An even number of samples leaves the last interval over."""
    y = _samples(trace, y, axis)
    steps = _steps(trace, y, x, dx, axis)
    count = np.shape(y)[-1]
    if count == 2:
        return np.sum(_trapezoids(y, steps), axis=-1)
    if count % 2:
        return np.sum(_parabolas(y, steps), axis=-1)
    fewer = steps if np.ndim(steps) == 0 else steps[..., :-1]
    return np.sum(_parabolas(y[..., :-1], fewer), axis=-1) + _last_interval(y, steps)


def _first_intervals(y: Any, steps: Any) -> Any:
    """Over the first interval of each three samples, by the parabola through them."""
    y1, y2, y3 = y[..., :-2], y[..., 1:-1], y[..., 2:]
    if np.ndim(steps) == 0:
        return steps / 3.0 * (1.25 * y1 + 2.0 * y2 - 0.25 * y3)
    h0, h1 = steps[..., :-1], steps[..., 1:]
    part, square = h0 / (h0 + h1), h0 / (h0 + h1) * (h0 / h1)
    inner = (3.0 - part) * y1 + (3.0 + square + part) * y2 - square * y3
    return h0 / 6.0 * inner


@lowers_in(MODULE, "cumulative_simpson")
def _cumulative_simpson(
    trace: Trace,
    y: Any,
    *,
    x: Any = None,
    dx: Any = 1.0,
    axis: int = -1,
    initial: Any = None,
) -> Any:
    """Each interval by a parabola: in turn one that begins there and one that ends."""
    y = _samples(trace, y, axis)
    steps = _steps(trace, y, x, dx, axis)
    count = np.shape(y)[-1]
    if count < 3:
        made = np.cumsum(_trapezoids(y, steps), axis=-1)
    else:
        turned = steps if np.ndim(steps) == 0 else steps[..., ::-1]
        begins = _first_intervals(y, steps)
        ends = _first_intervals(y[..., ::-1], turned)[..., ::-1]
        order = [
            k if k % 2 == 0 and k < count - 2 else count - 3 + k
            for k in range(count - 1)
        ]
        both = np.concatenate([begins, ends], axis=-1)
        made = np.cumsum(np.take(both, np.array(order), axis=-1), axis=-1)
    if initial is not None:
        first = np.zeros_like(made[..., :1]) + initial
        made = np.concatenate([first, made + initial], axis=-1)
    return np.moveaxis(made, -1, axis)
